"""The documents that a stage reads first, from its data and its configuration alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from vilax.artifacts.identity import VERSIONS
from vilax.artifacts.store import Entry
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.micro import corpora
from vilax.training.sources import MICRO, corpus_config, data_fingerprint

if TYPE_CHECKING:
    from vilax.data.engine import Stream
    from vilax.data.packing import Row

SHAPING = ("formats", "prompt", "engine", "packing")
"""Components whose versions tell whether documents still come as they did."""


@dataclass(frozen=True)
class Read:
    """One document, or a piece of a long one.

    Attributes:
        corpus: name of its corpus in the blend.
        key: its key there.
    """

    corpus: str
    key: str


@dataclass(frozen=True)
class Opening:
    """How a stage begins to read.

    Attributes:
        documents: in the order of its steps, streams and rows.
        lacking: why they cannot be told here; empty: they can.
    """

    documents: tuple[Read, ...] = ()
    lacking: str = ""


def opening(run: Run, name: str, count: int, trained: Entry | None = None) -> Opening:
    """The first documents of a stage, read from its data as training reads them.

    No result records them, so its loader is asked again: it opens streams one after the other and
    of each no more than fills its packing buffer. Pictures are not decoded: one that training finds
    broken, and sets aside with its document, is listed here. Under several processes streams are
    read side by side.

    Args:
        run: the configuration.
        name: of the stage.
        count: how many documents.
        trained: the stage's result, where it was named itself: what has changed since it was
            trained is lacking, for its documents were others.
    """
    stage = run.stages[name]
    try:
        if reason := _unreadable(run, stage) or _outdated(run, stage, trained):
            return Opening(lacking=reason)
        return Opening(tuple(islice(_documents(run, name), count)))
    except (ConfigError, OSError, ValueError) as error:
        return Opening(lacking=str(error))


def _unreadable(run: Run, stage: Stage) -> str:
    """Why data would have to be made first; a look at them makes none."""
    is_micro = any(corpus_config(run, n).path.startswith(MICRO) for n in stage.blend.corpora)
    return (
        "the micro world has not been built" if is_micro and not corpora.is_built(run.micro) else ""
    )


def _outdated(run: Run, stage: Stage, trained: Entry | None) -> str:
    if trained is None:
        return ""
    if trained.inputs.get("data") != data_fingerprint(run, stage):
        return "its data have changed since it was trained"
    then = trained.inputs.get("versions", {})
    changed = [name for name in SHAPING if then.get(name) != VERSIONS[name]]
    return f"{changed[0]} has changed since it was trained" if changed else ""


def _documents(run: Run, name: str) -> Iterator[Read]:
    # Torch, timm and energon: seconds that a comparison of settings need not wait.
    from vilax.training.preview import streams_of
    from vilax.training.shapes import shapes_of

    stage = run.stages[name]
    tokens = shapes_of(run, stage.parts).tokens_per_image
    with streams_of(run, name, tokens, lambda: lambda data: (data, ())) as build:
        for row in _rows(build, stage):
            yield from map(Read, row.corpora, row.keys)


def _rows(build: Callable[[int], "Stream"], stage: Stage) -> Iterator["Row"]:
    """Rows of step after step; a stream is opened when its turn comes."""
    streams: dict[int, Stream] = {}
    while True:
        for number in range(stage.blend.streams):
            if number not in streams:
                streams[number] = build(number)
            yield from islice(streams[number], stage.batch // stage.blend.streams)
