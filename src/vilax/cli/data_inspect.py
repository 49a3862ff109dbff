"""``vilax data inspect``: what the model sees of a blend, as one page."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilax.cli.inspect_request import DEFAULT_STAGE, requested
from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.config.schema.run import Run
    from vilax.data.inspect import Facts, Tally

ROWS = 8
COUNTED = 256
"""Rows that are counted where --steps is not given, in whole steps."""

WHAT = """\
Write one self-contained HTML page of what training sees: rows as they are packed, what carries
loss, pictures after preprocessing, and totals. Rows are those of `vilax train` at the same seed,
in the same order; totals over N steps are what metrics.jsonl counts at step N. Weights are neither
needed nor loaded."""

EXAMPLES = """\
examples:
  vilax data inspect pretrain                     a stage of the recipe
  vilax data inspect pages_pairs                  a blend, as the pretrain stage would see it
  vilax data inspect sft blend=sft_text           a stage with another blend
  vilax data inspect llava.json corpora.llava.template=vicuna_v1
                                                  a file or folder alone; its corpus is named so
  vilax data inspect pretrain scale=paper corpora.pages=/data/mmc4 --rows 2 --steps 1
  vilax data inspect sft --steps all              count the whole stage
  vilax data inspect sft --seed 1 stages.sft.length=512 --to page.html

KEY=VALUE are those of `vilax train`; `blend=NAME` and `blend.KEY=VALUE` speak of the inspected
stage. The page's path is printed. Documents that were set aside or mended are listed beside the
page in a .quarantine.jsonl file. For scripts the page holds its numbers, and the tokens of its
rows, as JSON: the element with id "data".
"""


def main(argv: Sequence[str]) -> int:
    """Write the page and print where it is.

    Raises:
        ConfigError: there is no such stage, blend or path, or a setting is wrong.
    """
    words = _parser().parse_intermixed_args(list(argv))
    steps = _steps(words.steps)
    if words.rows < 1:
        raise ConfigError(f"--rows {words.rows}: expected at least 1")
    folder = Path(words.config_dir).expanduser() if words.config_dir else None
    run, stage = requested(words.words, words.seed, folder)
    to = Path(words.to).expanduser() if words.to else _place(stage)
    if to.is_dir():
        raise ConfigError(f"--to {words.to} is a folder; expected a file, such as page.html")
    command = shlex.join(["vilax", "data", "inspect", *argv])
    tally = inspect(run, stage, words.rows, steps, to, command)
    total = tally.total
    print(
        f"vilax: {tally.rows:,} rows of {tally.steps:,} steps: {total.documents:,} documents,"
        f" {total.images:,} pictures, {total.tokens:,} tokens, {total.supervised:,} with loss",
        file=sys.stderr,
    )
    print(to)
    return 0


def inspect(
    run: "Run", name: str, most_rows: int, steps: int | None, to: Path, command: str
) -> "Tally":
    """Write the page of a stage.

    Args:
        run: the configuration.
        name: the stage.
        most_rows: rows to show.
        steps: optimizer steps to count; None: the stage's whole budget.
        to: the page's file.
        command: what makes the page again.

    Raises:
        ConfigError: as reading the blend does.
    """
    from vilax.artifacts.files import write_text
    from vilax.cli.data_reading import documents_bar
    from vilax.data.feed import Feed
    from vilax.data.inspect import MarkedEncoder, Shown, Tally, inspection_page, show_row
    from vilax.data.inspect.pictures import Album, Printed
    from vilax.training.build import build_tokenizer_of
    from vilax.training.recipe import stage_seed
    from vilax.training.seeding import derive
    from vilax.training.shapes import shapes_of
    from vilax.training.steps import numbers_of, open_sources, stream_builder

    stage = run.stages[name]
    if steps == 0:
        steps = max(1, -(-most_rows // stage.batch), COUNTED // stage.batch)
    shapes = shapes_of(run, stage.parts)
    tokenizer = build_tokenizer_of(run.llm)
    encoder = MarkedEncoder(tokenizer, shapes.tokens_per_image)
    quarantine = to.with_suffix(".quarantine.jsonl")
    quarantine.unlink(missing_ok=True)
    seed = derive(stage_seed(run, stage), name, "data")
    numbers = numbers_of(stage, 0, 1)
    each = stage.batch // stage.blend.streams
    feed = Feed(stream_builder(run, stage, encoder, seed, quarantine), numbers, each)
    tally = Tally(list(stage.blend.corpora), tokenizer.unk_token_id)
    album = Album()
    shown: list[Shown] = []
    whole = steps * stage.batch if steps is not None else stage.budget.amount
    try:
        with documents_bar("drawing rows", whole) as tick:
            done = 0
            while tally.steps != steps and done < stage.budget.amount:
                for number, rows in next(feed).items():
                    for row in rows:
                        tally.add(row)
                        if len(shown) < most_rows:
                            place = (len(shown) + 1, tally.steps + 1, number)
                            shown.append(show_row(row, *place, encoder, album, stage.images))
                tally.end_step(feed.counts)
                before, done = done, getattr(tally.total, stage.budget.kind)
                tick(done - before if steps is None else stage.batch, f"step {tally.steps:,}")
                if (
                    len(shown) == most_rows
                    and run.trainer.workers
                    and tally.steps == shown[-1].step
                ):
                    # Workers cannot tell what they saw; from here on nobody asks.
                    place_now = feed.state()
                    build = stream_builder(run, stage, encoder, seed, quarantine)
                    feed = Feed(build, numbers, each, run.trainer.workers)
                    feed.restore(place_now)
    finally:
        feed.close()
    printed: list[Printed] = []
    side = 0
    if shapes.transform is not None:
        with documents_bar("printing pictures", len(album)) as tick:
            printed, side = album.printed(shapes.transform, tick=lambda: tick(1, ""))
    sizes = {n: len(s.reader) for n, s in open_sources(run, stage, encoder).items()}
    facts = _facts(run, name, encoder, shapes, sizes, command)
    write_text(to, inspection_page(facts, tally, shown, printed, side, _noted(quarantine)))
    return tally


def _facts(
    run: "Run", name: str, encoder: Any, shapes: Any, sizes: dict[str, int], command: str
) -> "Facts":
    from vilax.data.inspect import Facts
    from vilax.training.recipe import stage_seed
    from vilax.training.sources import corpus_config

    stage, blend = run.stages[name], run.stages[name].blend
    amounts = dict(blend.corpora)
    if blend.values == "epochs":
        amounts = {n: value * sizes[n] for n, value in amounts.items()}
    whole = sum(amounts.values())
    transform = shapes.transform
    seen = "none: the stage has no encoder"
    if transform is not None:
        seen = f"{transform.size} x {transform.size} pixels by {transform.policy}, "
        if isinstance(shapes.tokens_per_image, int):
            seen += f"{shapes.tokens_per_image} visual tokens each"
        else:
            seen += (
                f"tiles of {shapes.tokens_per_image.each} visual tokens each, shown side by side"
            )
    most = "as many as come" if stage.images is None else f"{stage.images} at most"
    source = run.llm.tokenizer if run.llm.kind == "scratch" else run.llm.source
    kinds = {"bytes": "spells bytes", "spaces": "spells spaces", "words": "knows no spaces"}
    settings = (
        ("Stage", f"{name}, of {', '.join(run.order)}"),
        ("Blend", ", ".join(f"{n}: {value:g}" for n, value in blend.corpora.items())),
        ("Values of the blend", f"{blend.values}, per {blend.per}"),
        ("Budget", f"{stage.budget.amount:,} {stage.budget.kind}"),
        ("Row", f"{stage.length:,} tokens; pictures: {most}"),
        ("Step", f"{stage.batch:,} rows from {blend.streams:,} streams"),
        ("Buffers", f"shuffle {blend.shuffle_buffer:,}, packing {blend.packing_buffer:,}"),
        ("Seed", f"{stage_seed(run, stage)}{'' if stage.seed is None else ', of the stage'}"),
        (
            "Tokenizer",
            f"{source}; {len(encoder.tokenizer):,} tokens, {kinds[encoder.spelling.kind]}",
        ),
        ("Pictures", seen),
    )
    return Facts(
        stage=name,
        command=command,
        settings=settings,
        asked={n: amount / whole for n, amount in amounts.items()},
        per=blend.per,
        sizes=sizes,
        templates={n: corpus_config(run, n).template for n in blend.corpora},
        length=stage.length,
        side=0 if transform is None else transform.size,
        seed=stage_seed(run, stage),
        spelling=encoder.spelling.kind,
    )


def _noted(quarantine: Path) -> list[dict[str, Any]]:
    if not quarantine.exists():
        return []
    return [json.loads(line) for line in quarantine.read_text("utf-8").splitlines()]


def _place(stage: str) -> Path:
    from vilax.config.locate import outputs_dir

    return outputs_dir() / "inspect" / f"{stage}.html"


def _steps(word: str | None) -> int | None:
    """Steps to count; 0: as many as the rows suggest, None: all."""
    if word is None:
        return 0
    if word == "all":
        return None
    if not word.isdigit() or int(word) < 1:
        raise ConfigError(f"--steps {word}: expected a number of at least 1, or all")
    return int(word)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vilax data inspect",
        usage="vilax data inspect [STAGE | BLEND | PATH] [KEY=VALUE ...] [options]",
        description=WHAT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="STAGE | BLEND | PATH | KEY=VALUE",
        help=f"what to look at (default: stage {DEFAULT_STAGE}), and settings",
    )
    parser.add_argument(
        "--rows", type=int, default=ROWS, metavar="N", help="rows to show (default: %(default)s)"
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        help=f"optimizer steps to count, or all (default: about {COUNTED} rows)",
    )
    parser.add_argument("--seed", type=int, metavar="S", help="the same as seed=S")
    parser.add_argument(
        "--to", metavar="FILE", help="the page (default: outputs/inspect/STAGE.html)"
    )
    parser.add_argument("--config-dir", metavar="DIR", help="your own folder in the shape of conf/")
    return parser
