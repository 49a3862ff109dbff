"""A stream is a function of (seed, stream, streams), and continues exactly where it was saved."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.data.writers import (
    conversation,
    page,
    tokenizer,
    write_lines,
    write_pairs,
    write_pictures,
)
from vilax.config.errors import ConfigError
from vilax.config.schema.data import Blend
from vilax.data.engine import CorpusSource, Stream, TooManyBadSamples
from vilax.data.formats import BadSample, open_corpus
from vilax.data.packing import Row
from vilax.data.prompt import IGNORE, PromptEncoder
from vilax.data.tiles import InternvlTiling, TileTokens

LENGTH = 48
VISUAL = 4
TILES = TileTokens(InternvlTiling(8, 2), VISUAL)


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    return PromptEncoder(tokenizer(), VISUAL)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)

    def words(least: int, most: int) -> str:
        return " ".join(f"w{n}" for n in rng.integers(0, 200, rng.integers(least, most)))

    write_lines(folder / "text/0.jsonl", [{"text": words(3, 20)} for _ in range(90)])
    write_lines(folder / "text/1.jsonl", [{"text": words(60, 120)} for _ in range(6)])
    write_pairs(folder / "pairs/0.tar", [words(1, 6) for _ in range(70)])
    write_pictures(folder / "pages/images", [f"{n}.png" for n in range(9)])
    pages = [page([words(2, 9) for _ in range(3)], [(f"{n % 9}.png", n % 3)]) for n in range(50)]
    write_lines(folder / "pages/p.jsonl", pages)
    write_pictures(folder / "chat", ["a.png"])
    chats = [conversation([f"<image> what is w{n} ?", f"a w{n}"], "a.png") for n in range(40)]
    (folder / "chat/c.json").write_text(json.dumps(chats))
    return folder


def sources(world: Path, *names: str) -> dict[str, CorpusSource]:
    return {
        name: CorpusSource(open_corpus(name, world / name), "qa" if name == "chat" else "raw")
        for name in names
    }


BLEND = Blend(
    corpora={"text": 2.0, "pairs": 1.0, "pages": 1.0, "chat": 1.0},
    shuffle_buffer=16,
    packing_buffer=12,
    streams=2,
)


def stream(
    world: Path,
    encoder: PromptEncoder,
    index: int = 0,
    blend: Blend = BLEND,
    seed: int = 0,
    length: int = LENGTH,
    quarantine: Path | None = None,
) -> Stream:
    corpora = sources(world, *blend.corpora)
    path = quarantine or world / "unused" / "quarantine.jsonl"
    return Stream(corpora, blend, encoder, length, seed, index, path)


def same(a: Sequence[Row], b: Sequence[Row]) -> bool:
    return len(a) == len(b) and all(
        one.keys == other.keys
        and one.images == other.images
        and (one.tokens == other.tokens).all()
        and (one.labels == other.labels).all()
        for one, other in zip(a, b, strict=True)
    )


def test_the_order_follows_from_seed_and_stream(world: Path, encoder: PromptEncoder) -> None:
    rows = list(islice(stream(world, encoder), 40))
    assert same(rows, list(islice(stream(world, encoder), 40)))
    assert not same(rows, list(islice(stream(world, encoder, index=1), 40)))
    assert not same(rows, list(islice(stream(world, encoder, seed=1), 40)))


def test_streams_in_one_process_equal_streams_apart(world: Path, encoder: PromptEncoder) -> None:
    both = [stream(world, encoder, index) for index in range(2)]
    together = [next(s) for _ in range(30) for s in both]
    alone = [list(islice(stream(world, encoder, index), 30)) for index in range(2)]
    assert same(together[0::2], alone[0])
    assert same(together[1::2], alone[1])
    # In the first epoch no document is in both.
    seen = [Counter(k.split("#")[0] for row in rows[:4] for k in row.keys) for rows in alone]
    assert not set(seen[0]) & set(seen[1])


def test_an_epoch_shows_every_document_once(world: Path, encoder: PromptEncoder) -> None:
    blend = Blend(corpora={"pairs": 1.0}, shuffle_buffer=1, packing_buffer=1, streams=2)
    epochs: list[list[str]] = [[], []]
    for index in range(2):
        source = stream(world, encoder, index, blend)
        keys = [next(source).keys[0] for _ in range(70)]
        epochs[0] += keys[:35]
        epochs[1] += keys[35:]
    assert sorted(epochs[0]) == sorted(set(epochs[0])) == sorted(epochs[1])
    assert len(epochs[0]) == 70
    assert epochs[0] != epochs[1] != sorted(epochs[1])


def test_rows_are_well_filled_and_counted(world: Path, encoder: PromptEncoder) -> None:
    source = stream(world, encoder, index=1)
    rows = list(islice(source, 200))
    fill = np.mean([(row.documents > 0).mean() for row in rows])
    assert fill > 0.93
    counts = source.counts
    assert sum(c.documents for c in counts.values()) == sum(len(row.keys) for row in rows)
    assert sum(c.images for c in counts.values()) == sum(len(row.images) for row in rows)
    tokens = sum(int((row.documents > 0).sum()) for row in rows)
    assert sum(c.tokens for c in counts.values()) == tokens
    supervised = sum(int((row.labels != IGNORE).sum()) for row in rows)
    assert sum(c.supervised for c in counts.values()) == supervised
    assert counts["text"].split > 0
    assert counts["text"].images == 0
    assert counts["pairs"].images == counts["pairs"].documents
    assert all(not c.bad and not c.dropped for c in counts.values())


def test_weights_are_the_chance_per_document(world: Path, encoder: PromptEncoder) -> None:
    blend = BLEND.model_copy(update={"corpora": {"pairs": 3.0, "chat": 1.0}})
    source = stream(world, encoder, blend=blend)
    list(islice(source, 300))
    drawn = {name: c.read for name, c in source.counts.items()}
    assert drawn["pairs"] / sum(drawn.values()) == pytest.approx(0.75, abs=0.04)


def test_weights_may_be_shares_of_pictures_or_tokens(world: Path, encoder: PromptEncoder) -> None:
    corpora = {"pages": 1.0, "pairs": 1.0}
    blend = Blend(corpora=corpora, per="tokens", shuffle_buffer=16, packing_buffer=12)
    source = stream(world, encoder, blend=blend)
    list(islice(source, 300))
    tokens = {name: c.tokens for name, c in source.counts.items()}
    assert tokens["pages"] / sum(tokens.values()) == pytest.approx(0.5, abs=0.05)
    assert source.counts["pairs"].documents > 1.5 * source.counts["pages"].documents
    blend = blend.model_copy(update={"per": "images", "corpora": {"chat": 3.0, "pairs": 1.0}})
    source = stream(world, encoder, blend=blend)
    list(islice(source, 300))
    images = {name: c.images for name, c in source.counts.items()}
    assert images["chat"] / sum(images.values()) == pytest.approx(0.75, abs=0.05)
    blend = blend.model_copy(update={"corpora": {"text": 1.0, "pairs": 1.0}})
    with pytest.raises(ConfigError, match="corpus 'text' have no images"):
        stream(world, encoder, blend=blend)


@pytest.mark.parametrize(
    ("values", "corpora"),
    [("epochs", {"pairs": 2.0, "chat": 0.5}), ("counts", {"pairs": 140.0, "chat": 20.0})],
)
def test_exact_blends(
    world: Path, encoder: PromptEncoder, values: str, corpora: dict[str, float]
) -> None:
    blend = Blend(
        corpora=corpora, values=values, shuffle_buffer=1, packing_buffer=1, streams=2  # type: ignore[arg-type]
    )  # fmt: skip
    seen: Counter[str] = Counter()
    for index in range(2):
        source = stream(world, encoder, index, blend)
        seen.update(next(source).keys[0] for _ in range(80))
    pairs = [n for key, n in seen.items() if "tar" in key]
    assert (len(pairs), set(pairs)) == (70, {2})
    chats = [n for key, n in seen.items() if "tar" not in key]
    assert (len(chats), set(chats)) == (20, {1})


def test_a_row_takes_so_many_pictures(world: Path, encoder: PromptEncoder) -> None:
    blend = Blend(corpora={"pairs": 1.0, "pages": 1.0}, packing_buffer=20, streams=1)
    corpora = sources(world, *blend.corpora)
    source = Stream(corpora, blend, encoder, LENGTH, 0, 0, world / "unused", images=2)
    counted = [len(row.images) for row in islice(source, 60)]
    assert max(counted) == 2
    free = Stream(corpora, blend, encoder, LENGTH, 0, 0, world / "unused")
    assert max(len(row.images) for row in islice(free, 60)) > 2


def test_pictures_are_prepared_once_before_packing(world: Path, encoder: PromptEncoder) -> None:
    seen: list[bytes] = []

    def prepare(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
        seen.append(data)
        if len(seen) == 3:
            raise BadSample("picture", "cannot be decoded")
        return np.full(3, len(seen), np.uint8), ("rotated",) if len(seen) == 5 else ()

    blend = Blend(corpora={"pairs": 1.0}, shuffle_buffer=4, packing_buffer=4, streams=1)
    noted = world / "prepared.jsonl"
    source = Stream(
        sources(world, "pairs"), blend, encoder, LENGTH, 0, 0, noted, prepare=prepare
    )  # fmt: skip
    rows = list(islice(source, 6))
    marks = [int(p[0]) for row in rows for p in row.images]
    assert len(marks) == len(set(marks)) == sum(len(row.keys) for row in rows)
    assert 3 not in marks
    lines = [json.loads(line) for line in noted.read_text().splitlines()]
    assert [(x["reason"], x["kept"], x["shard"]) for x in lines] == [
        ("cannot be decoded", False, "0.tar"),
        ("rotated", True, "0.tar"),
    ]
    assert (source.counts["pairs"].bad, source.counts["pairs"].mended) == (1, 1)


def test_nothing_waits_forever(tmp_path: Path, encoder: PromptEncoder) -> None:
    lengths = [30] * 3 + [5] * 60
    lines = [{"text": " ".join(["w1"] * n)} for n in lengths]
    write_lines(tmp_path / "t/t.jsonl", lines)
    blend = Blend(corpora={"t": 1.0}, shuffle_buffer=1, packing_buffer=8, streams=1)
    source = stream(tmp_path, encoder, blend=blend)
    seen = Counter(key for row in islice(source, 120) for key in row.keys)
    assert len(seen) == len(lengths)
    assert max(seen.values()) - min(seen.values()) <= 2


@pytest.mark.parametrize("at", [0, 1, 7, 60])
def test_restored_streams_continue_exactly(world: Path, encoder: PromptEncoder, at: int) -> None:
    source = stream(world, encoder)
    list(islice(source, at))
    state = json.loads(json.dumps(source.state()))
    expected = list(islice(source, 40))
    other = stream(world, encoder)
    other.restore(state)
    assert other.state() == state
    assert same(list(islice(other, 40)), expected)
    assert other.counts == source.counts
    # Also a stream that has already run, and one restored again and again.
    for step in range(3):
        other.restore(state)
        chained = list(islice(other, 5))
        assert same(chained, expected[5 * step : 5 * step + 5])
        state = json.loads(json.dumps(other.state()))


def test_a_state_restores_at_another_world_size(world: Path, encoder: PromptEncoder) -> None:
    both = [stream(world, encoder, index) for index in range(2)]
    for source in both:
        list(islice(source, 9))
    states = [s.state() for s in both]
    expected = [list(islice(s, 9)) for s in both]
    for index in range(2):
        alone = stream(world, encoder, index)
        alone.restore(states[index])
        assert same(list(islice(alone, 9)), expected[index])


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("seed", {"seed": 3}),
        ("length", {"length": 64}),
        ("blend.per", {"blend": BLEND.model_copy(update={"per": "tokens"})}),
        ("blend.values", {"blend": BLEND.model_copy(update={"values": "epochs"})}),
        ("stream", {"index": 1}),
        ("blend.shuffle_buffer", {"blend": BLEND.model_copy(update={"shuffle_buffer": 17})}),
        ("blend.packing_buffer", {"blend": BLEND.model_copy(update={"packing_buffer": 9})}),
        ("blend.streams", {"blend": BLEND.model_copy(update={"streams": 4})}),
        (
            "blend.corpora.pairs",
            {"blend": BLEND.model_copy(update={"corpora": {**BLEND.corpora, "pairs": 1.5}})},
        ),
        ("blend.corpora", {"blend": BLEND.model_copy(update={"corpora": {"pairs": 1.0}})}),
        ("tokens_per_image", {"encoder": PromptEncoder(tokenizer(), 5)}),
        ("tokens_per_image", {"encoder": PromptEncoder(tokenizer(), TILES)}),
        ("tokenizer", {"encoder": PromptEncoder(tokenizer(bos=False), VISUAL)}),
    ],
)
def test_other_settings_are_refused_by_name(
    world: Path, encoder: PromptEncoder, named: str, change: dict[str, object]
) -> None:
    state = stream(world, encoder).state()
    other = stream(world, **{"encoder": encoder, **change})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=rf"saved with {named}="):
        other.restore(state)


def test_other_data_and_templates_are_refused(
    world: Path, encoder: PromptEncoder, tmp_path: Path
) -> None:
    write_lines(tmp_path / "text/0.jsonl", [{"text": "one"}, {"text": "two"}])
    blend = Blend(corpora={"text": 1.0}, streams=1, packing_buffer=2, shuffle_buffer=2)
    state = stream(tmp_path, encoder, blend=blend).state()
    write_lines(tmp_path / "text/0.jsonl", [{"text": "one"}, {"text": "2"}])
    with pytest.raises(ConfigError, match=r"corpora.text \(content\)"):
        stream(tmp_path, encoder, blend=blend).restore(state)
    source = stream(tmp_path, encoder, blend=blend)
    state = source.state()
    plain = {"text": CorpusSource(open_corpus("text", tmp_path / "text"), "plain")}
    with pytest.raises(ConfigError, match=r"corpora.text.template='raw'"):
        Stream(plain, blend, encoder, LENGTH, 0, 0, tmp_path / "q").restore(state)
    with pytest.raises(ConfigError, match="version"):
        source.restore({**state, "version": 0})
    with pytest.raises(TypeError, match="not a data state"):
        source.restore({**state, "energon": {"os.system": ["true"]}})


def test_broken_documents_are_set_aside(tmp_path: Path, encoder: PromptEncoder) -> None:
    records = [page([f"w{n}"], [("gone.png", 0)] if n < 3 else []) for n in range(60)]
    write_lines(tmp_path / "p/p.jsonl", [*records, "{broken"])
    write_lines(tmp_path / "h/h.jsonl", [page(["w1"], [("html.png", 0)]), page(["w2"], [])])
    write_pictures(tmp_path / "h/images", [])
    (tmp_path / "h/images").mkdir(exist_ok=True)
    (tmp_path / "h/images/html.png").write_bytes(b"<html>")
    blend = Blend(corpora={"p": 9.0, "h": 1.0}, shuffle_buffer=4, packing_buffer=8, streams=1)
    noted = tmp_path / "run" / "quarantine.jsonl"
    source = stream(tmp_path, encoder, blend=blend, quarantine=noted)
    seen = {key for row in islice(source, 60) for key in row.keys}
    assert {key for key in seen if key.startswith("p.")} == {f"p.jsonl:{n}" for n in range(4, 61)}
    assert (source.counts["p"].bad, source.counts["h"].bad) == (4, 1)
    lines = [json.loads(line) for line in noted.read_text().splitlines()]
    assert sorted((x["corpus"], x["key"]) for x in lines) == [
        ("h", "h.jsonl:1"),
        *(("p", f"p.jsonl:{n}") for n in (1, 2, 3, 61)),
    ]
    assert any("'gone.png' is missing" in x["reason"] for x in lines)
    assert any("not a picture" in x["reason"] for x in lines)
    state = source.state()
    again = stream(tmp_path, encoder, blend=blend, quarantine=noted)
    again.restore(state)
    assert same(list(islice(again, 30)), list(islice(source, 30)))
    assert again.counts == source.counts
    assert len(noted.read_text().splitlines()) == 5


def test_too_many_broken_documents_stop_the_stream(
    tmp_path: Path, encoder: PromptEncoder, world: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    records = [{"text": "w1"} if n % 2 else {"text": 3} for n in range(200)]
    write_lines(tmp_path / "t/t.jsonl", records)
    blend = Blend(corpora={"t": 1.0}, shuffle_buffer=4, packing_buffer=8, streams=1)
    source = stream(tmp_path, encoder, blend=blend, quarantine=tmp_path / "q.jsonl")
    with pytest.raises(TooManyBadSamples, match=r"'t': 20 of \d+ .*t.jsonl:") as error:
        list(islice(source, 100))
    assert "q.jsonl" in str(error.value)
    assert capfd.readouterr() == ("", "")
    # Energon's process-wide place is left in order: other streams go on.
    assert len(list(islice(stream(world, encoder), 3))) == 3


def test_an_unusable_corpus_is_refused_not_looped_over(
    tmp_path: Path, encoder: PromptEncoder
) -> None:
    write_lines(tmp_path / "t/t.jsonl", [{"text": ""}] * 5)
    blend = Blend(corpora={"t": 1.0}, shuffle_buffer=2, packing_buffer=2, streams=1)
    with pytest.raises(ConfigError, match=r"none of 1000 documents can be used \(broken: 5\)"):
        next(stream(tmp_path, encoder, blend=blend, quarantine=tmp_path / "q"))
    write_pictures(tmp_path / "p/images", ["a.png"])
    write_lines(tmp_path / "p/p.jsonl", [page(["a"], [("a.png", 0)])] * 4)
    wide = PromptEncoder(tokenizer(), 500)
    blend = blend.model_copy(update={"corpora": {"p": 1.0}})
    with pytest.raises(ConfigError, match="pictures longer than a row: 1000"):
        next(stream(tmp_path, wide, blend=blend))


def test_documents_without_supervised_tokens_are_dropped(
    tmp_path: Path, encoder: PromptEncoder
) -> None:
    long = conversation(["w1 " * 70, "a w2"])
    write_lines(tmp_path / "c/c.jsonl", [long, conversation(["w1", "w2"])])
    blend = Blend(corpora={"c": 1.0}, shuffle_buffer=2, packing_buffer=4, streams=1)
    source = stream(tmp_path, encoder, blend=blend)
    rows = list(islice(source, 20))
    assert source.counts["c"].dropped["no supervised token"] > 0
    assert all((row.labels[row.documents == n + 1] != IGNORE).any()
               for row in rows for n in range(len(row.keys)))  # fmt: skip


def test_an_unexpected_error_comes_through_as_it_is(world: Path, encoder: PromptEncoder) -> None:
    class Wrong:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> object:
            raise ZeroDivisionError("a bug")

        def fingerprint(self) -> str:
            return "wrong"

    blend = Blend(corpora={"x": 1.0}, streams=1)
    source = Stream(
        {"x": CorpusSource(Wrong())},  # type: ignore[arg-type]
        blend, encoder, LENGTH, 0, 0, world / "unused",
    )  # fmt: skip
    with pytest.raises(ZeroDivisionError, match="a bug"):
        next(source)


def test_refusals(world: Path, encoder: PromptEncoder) -> None:
    corpora = sources(world, "text", "chat")

    def build(blend: Blend, index: int = 0) -> Stream:
        return Stream(corpora, blend, encoder, LENGTH, 0, index, world / "unused")

    with pytest.raises(ConfigError, match="empty"):
        build(Blend())
    with pytest.raises(ConfigError, match=r"'txt'.*text"):
        build(Blend(corpora={"txt": 1.0}))
    with pytest.raises(ConfigError, match="above 0"):
        build(Blend(corpora={"text": 0.0}))
    with pytest.raises(ConfigError, match=r"40 documents, fewer than blend.streams=41"):
        build(Blend(corpora={"chat": 1.0}, streams=41))
    with pytest.raises(ConfigError, match="stream 2 of"):
        build(Blend(corpora={"chat": 1.0}, streams=2), 2)
    assert len(next(build(Blend(corpora={"chat": 1.0}, streams=40))).keys) > 0


def test_light_modules_stay_light() -> None:
    import subprocess

    code = (
        "import sys, vilax.data.document, vilax.data.prompt, vilax.data.packing,"
        " vilax.data.formats, vilax.data.images;"
        "print([m for m in ('torch', 'transformers', 'megatron', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
