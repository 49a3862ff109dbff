"""``vilax data lint``: every sample of a file or folder opened, and what is wrong named."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from vilax.config.errors import ConfigError
from vilax.data.lint.findings import KINDS, Finding, Summary

EXAMPLES = """\
examples:
  vilax data lint pages/                      a folder of MMC4 shards and its pictures
  vilax data lint llava.json --images coco/   conversations; pictures lie elsewhere
  vilax data lint shards/ --jobs 8 --to report.jsonl
  vilax data lint sft.json --tokenizer ~/weights/vicuna --template vicuna_v1 --length 2048
  vilax data lint shards/ --limit 1000        a sample drawn at random, the same each time

exit code: 0 if no document would be set aside, 1 if one would, 2 for a bad request.
"""

NOTES_SHOWN = 5
"""Lines of each kind of note: repeated pictures may be many, and are often meant."""

TEMPLATES = ("raw", "plain", "qa", "vicuna_v1", "vicuna_v1_nosys")


def main(argv: Sequence[str]) -> int:
    """Print findings and counts.

    Raises:
        ConfigError: nothing is there, or it is of no known format.
    """
    from vilax.cli.data_reading import check_place, image_tokens, open_place, prompt_encoder
    from vilax.data.lint.corpus import Lint

    words = _parser().parse_args(list(argv))
    if words.length is not None and words.tokenizer is None:
        raise ConfigError(
            f"--length {words.length} counts tokens: expected --tokenizer FOLDER, or micro"
        )
    check_place(words.path, words.images)
    try:
        reader, folder = open_place(words.path, words.format, words.images)
    except ConfigError:
        raise
    except Exception as error:
        said = f"cannot be opened: {type(error).__name__}: {error}"
        print(_safe(Finding("error", "unreadable-file", words.path, "", said).line()))
        return 1
    tokens = image_tokens(words)
    encoder = prompt_encoder(words.tokenizer, tokens) if words.tokenizer else None
    lint = Lint(
        reader,
        folder,
        encoder,
        words.template,
        words.length,
        max(1, words.jobs),
        words.limit,
        words.seed,
        words.timeout,
    )
    with ExitStack() as stack:
        report = stack.enter_context(_report(words.to)) if words.to else None
        tick = stack.enter_context(_bar(lint.total, lint.summary))
        shown: Counter[str] = Counter()
        hidden = 0
        for finding in lint.findings(tick):
            if report is not None:
                report.write(json.dumps(finding.record(), ensure_ascii=True) + "\n")
            shown[finding.kind] += 1
            most = min(words.show, NOTES_SHOWN) if finding.severity == "info" else words.show
            if not words.show or shown[finding.kind] <= most:
                print(_safe(finding.line()))
            else:
                hidden += 1
    print(_told(lint.summary, hidden, words.to))
    return 1 if lint.summary.number("error") or (
        words.strict and lint.summary.number("warning")
    ) else 0  # fmt: skip


def _told(summary: Summary, hidden: int, to: str | None) -> str:
    lines = [""] if summary.by_kind else []
    if hidden:
        where = f"all are in {to}" if to else "--show 0 shows all, --to FILE writes all"
        lines += [f"{hidden:,} more findings of these kinds are not shown; {where}", ""]
    for severity in ("error", "warning", "info"):
        some = [(n, kind) for (found, kind), n in summary.by_kind.items() if found == severity]
        for number, kind in sorted(some, key=lambda pair: (-pair[0], pair[1])):
            lines.append(f"{severity:8}{number:9,}  {kind:16} {KINDS[kind]}")
    if summary.reasons:
        lines += ["", "commonest reasons of errors:"]
        lines += [f"{number:17,}  {reason}" for reason, number in summary.reasons.most_common(5)]
    counts = ", ".join(
        f"{number:,} {name}{'' if number == 1 else 's'}"
        for name, number in (
            ("error", summary.number("error")),
            ("warning", summary.number("warning")),
            ("note", summary.number("info")),
        )
    )
    lines += [""] if lines else []
    lines.append(f"documents: {summary.samples:,}, pictures: {summary.pictures:,}; {counts}")
    return _safe("\n".join(lines))


def _safe(text: str) -> str:
    """Text that the terminal's encoding can show."""
    coding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(coding, "backslashreplace").decode(coding)


@contextmanager
def _report(to: str) -> Iterator[IO[str]]:
    from vilax.artifacts.files import replacing

    path = Path(to).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file


@contextmanager
def _bar(total: int, summary: Summary) -> Iterator[Callable[[int], None]]:
    from vilax.cli.data_reading import documents_bar

    with documents_bar("linting", total) as advance:

        def tick(number: int) -> None:
            errors = summary.number("error")
            advance(number, f"[red]{errors:,} errors" if errors else "")

        yield tick


def _parser() -> argparse.ArgumentParser:
    from vilax.cli.data_reading import add_picture_options

    parser = argparse.ArgumentParser(
        prog="vilax data lint",
        description="Open every sample of a file or folder, and name what is wrong.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="a file or folder, of any format")
    parser.add_argument("--images", metavar="DIR", help="where pictures and videos lie")
    parser.add_argument(
        "--format", default="auto", metavar="F", help="format; auto tells it from the content"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes"
    )
    parser.add_argument(
        "--limit", type=_count, metavar="N", help="open so many, drawn at random by --seed"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the draw")
    parser.add_argument("--to", metavar="FILE", help="write all findings here, as JSON Lines")
    parser.add_argument(
        "--show",
        type=int,
        default=100,
        metavar="N",
        help="print so many lines of each kind, 5 of notes; 0: all (100)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 also where there are only warnings"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="longest time for one sample; it is named and the rest goes on (default: 60)",
    )
    parser.add_argument(
        "--tokenizer", metavar="FOLDER", help="count tokens with it; micro: the micro world's"
    )
    parser.add_argument(
        "--template", default="raw", choices=TEMPLATES, help="how turns become text"
    )
    parser.add_argument("--length", type=_count, metavar="N", help="tokens of a row")
    add_picture_options(parser, 256)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 or more")
    return number
