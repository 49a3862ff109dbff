"""One bad document among thirty good ones: it is named with its reason, the others are used."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tests.data.bad.corpora import KINDS
from tests.data.bad.linted import LINTED
from tests.data.writers import tokenizer
from vilax.config.schema.data import Blend
from vilax.data.engine import CorpusSource, Stream
from vilax.data.formats import open_corpus
from vilax.data.lint.corpus import Lint
from vilax.data.prompt import PromptEncoder

SECONDS = 20
"""Longest time for one kind."""

ROWS = 400
"""Rows after which a document that did not come does not come."""


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    return PromptEncoder(tokenizer(), 4)


@contextmanager
def alarm(seconds: int = SECONDS) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", KINDS)
def test_the_bad_one_is_named_and_the_good_ones_are_used(
    name: str, tmp_path: Path, encoder: PromptEncoder
) -> None:
    kind = KINDS[name]
    noted = tmp_path / "run" / "quarantine.jsonl"
    blend = Blend(corpora={"c": 1.0}, shuffle_buffer=4, packing_buffer=4, streams=1, bad_share=1.0)
    seen: set[str] = set()
    with alarm():
        path = kind.write(tmp_path / "corpus")
        reader = open_corpus("c", path, kind.format)
        kind.then(path)
        source = Stream({"c": CorpusSource(reader)}, blend, encoder, 64, 0, 0, noted)
        for _ in range(ROWS):
            seen.update(key.split("#")[0] for key in next(source).keys)
            if len(seen) >= kind.good + (kind.kept is not False) and noted.exists():
                break
    assert noted.exists(), "nothing was noted"
    lines = [json.loads(line) for line in noted.read_text().splitlines()]
    assert {line["corpus"] for line in lines} == {"c"}
    assert {line["shard"] for line in lines} == {kind.shard}
    (kept,) = {line["kept"] for line in lines}
    assert kind.kept in (kept, None)
    assert any(re.search(kind.reason, line["reason"]) for line in lines), lines
    assert any(re.search(kind.key, line["key"]) for line in lines), lines
    assert len(lines) <= 2
    named = {line["key"] for line in lines}
    assert len(seen - named) == kind.good
    assert (named <= seen) == kept
    assert source.counts["c"].bad == (0 if kept else len(lines))


@pytest.mark.parametrize("name", KINDS)
def test_lint_names_what_would_be_set_aside(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    with alarm():
        path = kind.write(tmp_path / "corpus")
        reader = open_corpus("c", path, kind.format)
        kind.then(path)
        lint = Lint(reader, path, seconds=10)
        found = [f for f in lint.findings() if f.severity != "info"]
    kept = lint.summary.number("error") == 0
    assert kind.kept in (kept, None)
    severity = "warning" if kept else "error"
    hits = [f for f in found if f.severity == severity and f.shard == kind.shard]
    assert any(re.search(kind.reason, f.message) for f in hits), found
    assert any(re.search(kind.key, f.key) for f in hits), found


@pytest.mark.parametrize("name", LINTED)
def test_lint_names_what_is_odd(name: str, tmp_path: Path) -> None:
    write, kind, message = LINTED[name]
    with alarm():
        path = write(tmp_path / "corpus")
        found = list(Lint(open_corpus("c", path), path, seconds=10).findings())
    hits = [f for f in found if re.fullmatch(kind, f.kind)]
    assert hits, found
    assert any(re.search(message, f.message) for f in hits), hits
    assert all(f.shard for f in hits)
