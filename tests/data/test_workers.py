"""Rows do not depend on who reads them, and a place found by some workers serves any other."""

import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.writers import tokenizer, write_lines, write_pairs
from vilax.config.errors import ConfigError
from vilax.config.schema.data import Blend
from vilax.data import workers
from vilax.data.engine import CorpusSource, Stream
from vilax.data.feed import Feed
from vilax.data.formats import open_corpus
from vilax.data.prompt import PromptEncoder
from vilax.data.workers import DataWorkerFailed, Step

BLEND = Blend(corpora={"text": 1.0, "pairs": 1.0}, shuffle_buffer=9, packing_buffer=6, streams=4)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    lines = [{"text": " ".join(f"w{n}" for n in rng.integers(0, 200, 9))} for _ in range(80)]
    write_lines(folder / "text/0.jsonl", lines)
    write_pairs(folder / "pairs/0.tar", [f"w{n} w{n + 1}" for n in range(60)])
    return folder


def pixels(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    return np.frombuffer(data[:24], np.uint8).reshape(3, 2, 4), ()


def builder(world: Path, blend: Blend = BLEND) -> Callable[[int], Stream]:
    def build(number: int) -> Stream:
        corpora = {name: CorpusSource(open_corpus(name, world / name)) for name in blend.corpora}
        encoder = PromptEncoder(tokenizer(), 4)
        path = world / "q.jsonl"
        return Stream(corpora, blend, encoder, 48, 0, number, path, prepare=pixels)

    return build


@pytest.fixture(autouse=True)
def closing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened: list[Feed] = []
    begin = Feed.__init__

    def noting(self: Feed, *args: Any) -> None:
        begin(self, *args)
        opened.append(self)

    monkeypatch.setattr(Feed, "__init__", noting)
    yield
    for each in opened:
        each.close()


def feed(world: Path, count: int, numbers: tuple[int, ...] = (0, 1, 2, 3)) -> Feed:
    return Feed(builder(world), numbers, 2, count)


def said(steps: list[Step]) -> list[object]:
    return [
        (n, row.keys, row.tokens.tolist(), [p.tolist() for p in row.images])
        for step in steps
        for n, rows in step.items()
        for row in rows
    ]


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_workers_give_the_same_rows(world: Path, count: int) -> None:
    alone, shared = feed(world, 0), feed(world, count)
    assert said(list(itertools.islice(shared, 12))) == said(list(itertools.islice(alone, 12)))
    assert shared.counts == alone.counts


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (2, 4), (1, 2), (4, 1)])
@pytest.mark.parametrize("at", [0, 1, 5])
def test_places_serve_any_number_of_workers(
    world: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int, at: int
) -> None:
    monkeypatch.setattr(workers, "SNAPSHOT_SECONDS", 0.02)
    expected = said(list(itertools.islice(feed(world, 0), 14))[at:])
    first = feed(world, before)
    list(itertools.islice(first, at))
    state = json.loads(json.dumps(first.state()))
    second = feed(world, after)
    second.restore(state)
    assert said(list(itertools.islice(second, 3))) == expected[: 3 * 8]
    # Saved again soon after it was restored, and by another rank's share of the streams.
    state = json.loads(json.dumps(second.state()))
    halves = [feed(world, min(before, 2), numbers) for numbers in ((0, 2), (1, 3))]
    for half in halves:
        half.restore(state)
    both = [a | b for a, b in zip(*(list(itertools.islice(h, 4)) for h in halves), strict=True)]
    ordered = [{n: step[n] for n in sorted(step)} for step in both]
    assert said(ordered) == expected[3 * 8 : 7 * 8]


def test_changed_settings_are_refused_in_workers_too(world: Path) -> None:
    state = feed(world, 0).state()
    blend = BLEND.model_copy(update={"packing_buffer": 7})
    other = Feed(builder(world, blend), (0, 1), 2, 2)
    other.restore(state)
    with pytest.raises(ConfigError, match=r"saved with blend.packing_buffer=6, now it is 7"):
        next(other)


def test_a_dead_worker_is_named(world: Path) -> None:
    def build(number: int) -> Stream:
        stream = builder(world)(number)
        if number == 1:
            inner = stream._intake.encode

            def encode(corpus: str, index: int, known: bool = False) -> object:
                if stream.counts["text"].read > 10:
                    os.kill(os.getpid(), signal.SIGKILL)
                return inner(corpus, index, known)

            stream._intake.encode = encode  # type: ignore[method-assign, assignment]
        return stream

    dying = Feed(build, (0, 1), 2, 2)
    with pytest.raises(DataWorkerFailed, match=r"-9; .* document \d+ of corpus"):
        list(itertools.islice(dying, 50))


def test_a_hanging_worker_is_named(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "STALLED_SECONDS", 2.0)

    def build(number: int) -> Stream:
        stream = builder(world)(number)
        stream._intake.encode = lambda *_: signal.pause()  # type: ignore[method-assign, assignment, return-value]
        return stream

    with pytest.raises(DataWorkerFailed, match=r"nothing for 2 s; .* document \d+ of corpus"):
        next(Feed(build, (0,), 1, 1))
