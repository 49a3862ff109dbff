"""The rules of a selection, one after the other, over indexes that lie on disk."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt64

from vilax.config.errors import ConfigError
from vilax.config.schema.selection import ScoreRule, Selection
from vilax.data.document import Document, Image
from vilax.data.formats.files import BadSample, Reader
from vilax.data.selection.keys import KeyList
from vilax.data.selection.ranks import CHUNK, best, chunks, mixed, ordered
from vilax.data.selection.scores import ScoreFile

Portions = Iterator[UInt64[np.ndarray, " some"]]
"""Indexes, ascending, some at a time."""

READ_TOGETHER = 4096
"""Records whose keys or scores are looked at together."""


def choose(
    reader: Reader, selection: Selection, measure: Callable[[Document], int] | None, work: Path
) -> Portions:
    """Indexes of the documents that a selection leaves, ascending.

    Args:
        reader: the corpus.
        selection: its rules.
        measure: tokens of a document, for a budget of tokens.
        work: folder for files that are needed meanwhile.

    Raises:
        ConfigError: a key of ``ids`` is not in the corpus, or more is asked for than there is.
    """
    left: Portions = _everything(len(reader))
    if selection.ids is not None:
        left = _among(reader, left, KeyList(Path(selection.ids).expanduser()))
    if selection.exclude is not None:
        left = _not_among(reader, left, KeyList(Path(selection.exclude).expanduser()))
    if selection.score is not None:
        left = _scored(reader, left, selection.score, work)
    if selection.every is not None:
        return _spaced(_stored(left, work / "left"), selection.every)
    if selection.count is not None:
        return _drawn(_stored(left, work / "left"), selection.count, selection.seed)
    if selection.images is not None:
        kept = _stored(left, work / "left")
        return _budget(reader, kept, selection.images, selection.seed, _pictures, "images")
    if selection.tokens is not None:
        if measure is None:
            raise ConfigError("select.tokens needs a tokenizer, and there is none here")
        kept = _stored(left, work / "left")
        return _budget(reader, kept, selection.tokens, selection.seed, measure, "tokens")
    return left


def _everything(total: int) -> Portions:
    for part in chunks(total):
        yield np.arange(part.start, part.stop, dtype=np.uint64)


def _stored(left: Portions, path: Path) -> UInt64[np.ndarray, " n"]:
    """Indexes as a memory map."""
    with path.open("wb") as file:
        for some in left:
            file.write(some.tobytes())
    return _mapped(path)


def _mapped(path: Path) -> UInt64[np.ndarray, " n"]:
    if not path.stat().st_size:
        return np.zeros(0, dtype=np.uint64)
    return np.memmap(path, dtype=np.uint64, mode="r")


def _small(left: Portions) -> Portions:
    for some in left:
        for start in range(0, len(some), READ_TOGETHER):
            yield some[start : start + READ_TOGETHER]


def _keys(reader: Reader, some: UInt64[np.ndarray, " some"]) -> list[str]:
    return [reader.key(int(index)) for index in some]


def _among(reader: Reader, left: Portions, listed: KeyList) -> Portions:
    for some in _small(left):
        yield some[listed.holds(_keys(reader, some))]
    number, named = listed.unmet()
    if number:
        raise ConfigError(
            f"select.ids={listed.path}: {number} of its keys are not in the corpus, such as"
            f" {', '.join(named)}"
        )


def _not_among(reader: Reader, left: Portions, listed: KeyList) -> Portions:
    for some in _small(left):
        yield some[~listed.holds(_keys(reader, some))]


def _score(reader: Reader, index: int, rule: ScoreRule, listed: ScoreFile | None) -> float:
    """Sum of the rule's fields; not a number where one is missing."""
    if listed is not None:
        return listed.of(reader.key(index))
    try:
        facts = reader.facts(index)
        return math.fsum(float(facts[name]) for name in rule.fields)
    except (BadSample, KeyError, TypeError, ValueError):
        return math.nan


def _scored(reader: Reader, left: Portions, rule: ScoreRule, work: Path) -> Portions:
    passing = _of_shards(reader, left, rule)
    if rule.top is None:
        for indexes, _ in passing:
            yield indexes
        return
    with (work / "scored").open("wb") as places, (work / "scores").open("wb") as scores:
        for indexes, values in passing:
            places.write(indexes.tobytes())
            scores.write(ordered(values).tobytes())
    kept = _mapped(work / "scored")
    if len(kept) < rule.top:
        raise ConfigError(
            f"select.score.top={rule.top}: only {len(kept)} documents have a score that passes"
            f" ({' + '.join(rule.fields)})"
        )
    for some in best(_mapped(work / "scores"), rule.top):
        yield np.asarray(kept[some])


def _of_shards(
    reader: Reader, left: Portions, rule: ScoreRule
) -> Iterator[tuple[UInt64[np.ndarray, " some"], Float64[np.ndarray, " some"]]]:
    """Indexes and scores of what passes within each shard; a shard is held at a time."""
    listed = None
    if rule.file is not None:
        listed = ScoreFile(Path(rule.file).expanduser(), rule.fields)
    shard: str | None = None
    indexes: list[int] = []
    values: list[float] = []
    for some in _small(left):
        for index in some.tolist():
            name = reader.shard(index)
            if name != shard or (rule.share is None and len(indexes) >= CHUNK):
                yield _of_shard(indexes, values, rule)
                shard, indexes, values = name, [], []
            indexes.append(index)
            values.append(_score(reader, index, rule, listed))
    yield _of_shard(indexes, values, rule)


def _of_shard(
    indexes: list[int], values: list[float], rule: ScoreRule
) -> tuple[UInt64[np.ndarray, " some"], Float64[np.ndarray, " some"]]:
    places = np.array(indexes, dtype=np.uint64)
    scores = np.array(values, dtype=np.float64)
    passing = ~np.isnan(scores)
    if rule.above is not None:
        passing &= scores > rule.above
    if rule.share is not None:
        most = int(rule.share * len(indexes))
        order = np.argsort(-np.where(passing, scores, -np.inf), kind="stable")
        is_best = np.zeros(len(indexes), dtype=bool)
        is_best[order[:most]] = True
        passing &= is_best
    return places[passing], scores[passing]


def _spaced(kept: UInt64[np.ndarray, " n"], count: int) -> Portions:
    _check_enough("every", count, len(kept))
    for part in chunks(count):
        places = np.arange(part.start, part.stop, dtype=object) * len(kept) // count
        yield np.asarray(kept[places.astype(np.int64)])


def _drawn(kept: UInt64[np.ndarray, " n"], count: int, seed: int) -> Portions:
    _check_enough("count", count, len(kept))
    yield from (np.asarray(kept[some]) for some in best(_Mixed(kept, seed), count))  # type: ignore[arg-type]


class _Mixed:
    """Random ranks of indexes, made anew whenever they are read."""

    def __init__(self, kept: UInt64[np.ndarray, " n"], seed: int) -> None:
        self._kept = kept
        self._seed = seed

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, part: slice) -> UInt64[np.ndarray, " some"]:
        return mixed(np.asarray(self._kept[part]), self._seed)


def _check_enough(name: str, asked: int, there: int) -> None:
    if asked > there:
        raise ConfigError(f"select.{name}={asked}: only {there} documents are left to choose from")


def _pictures(document: Document) -> int:
    return sum(isinstance(segment, Image) for segment in document.segments)


def _budget(
    reader: Reader,
    kept: UInt64[np.ndarray, " n"],
    amount: int,
    seed: int,
    measure: Callable[[Document], int],
    name: str,
) -> Portions:
    """Documents in random order until their sizes reach the amount, then sorted.

    The order is that of their random ranks, of which a range at a time is looked for and sorted.
    """
    ranks = _Mixed(kept, seed)
    ranges = max(1, len(kept) // CHUNK)
    chosen: list[UInt64[np.ndarray, " some"]] = []
    reached = 0
    for number in range(ranges):
        low, high = number * 2**64 // ranges, (number + 1) * 2**64 // ranges
        found = []
        for part in chunks(len(kept)):
            some = ranks[part]
            inside = (some >= np.uint64(low)) & (some <= np.uint64(high - 1))
            found.append(np.stack([some[inside], np.asarray(kept[part])[inside]]))
        here = np.concatenate(found, axis=1)
        order = np.argsort(here[0], kind="stable")
        taken: list[int] = []
        for index in here[1][order].tolist():
            if reached >= amount:
                break
            try:
                size = measure(reader[index])
            except BadSample:
                continue
            if size:
                taken.append(index)
                reached += size
        chosen.append(np.array(taken, dtype=np.uint64))
        if reached >= amount:
            break
    if reached < amount:
        raise ConfigError(f"select.{name}={amount}: the documents left have {reached} in all")
    yield np.sort(np.concatenate(chosen))
