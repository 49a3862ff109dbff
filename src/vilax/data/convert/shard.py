"""One pickled shard to a tar, or to JSON Lines and a tar of pictures beside them."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vilax.data.convert.archive import Output, discarded_on_failure
from vilax.data.convert.records import LAYOUTS, Place, converter, encoded_line, layout_of
from vilax.data.convert.unpickle import Broken, Refused, items
from vilax.data.formats.files import BadSample

GROWTH = 50
"""Times that the output may be larger than the shard: what is shared is written out each time."""

_SLACK = 1 << 26


@dataclass(frozen=True, slots=True)
class Shard:
    """What is to be converted.

    Attributes:
        source: the pickle.
        name: of its outputs, without extension.
        to: folder of the outputs.
        scratch: folder of unfinished ones.
        layout: of its records; empty: that of its first one.
        images: folder of pictures that records name.
    """

    source: Path
    name: str
    to: Path
    scratch: Path
    layout: str = ""
    images: Path | None = None


class _Faults:
    """Lines of the quarantine."""

    def __init__(self, shard: Shard) -> None:
        self.lines: list[dict[str, Any]] = []
        self._shard = shard

    def add(self, key: str, reason: str, kept: bool) -> None:
        """Note a record, or the shard."""
        self.lines.append(
            {
                "corpus": self._shard.to.name,
                "shard": self._shard.source.name,
                "key": key,
                "reason": reason,
                "kept": kept,
            }
        )


def convert_shard(shard: Shard, watch: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Convert a shard; its outputs appear when they are whole, or not at all.

    Args:
        shard: which, and where to.
        watch: told how many bytes of the pickle are done.

    Returns:
        ``layout``, ``documents``, ``left_out``, ``outputs`` (size, checksum and documents by file
        name) and ``faults`` (lines of the quarantine). A shard that is refused has no outputs.

    Raises:
        OSError: it cannot be read, or the outputs cannot be written.
    """
    faults = _Faults(shard)
    tar = Output(shard.to / f"{shard.name}.tar", shard.scratch)
    lines = Output(shard.to / f"{shard.name}.jsonl", shard.scratch)
    found: dict[str, Any] = {"layout": shard.layout, "documents": 0, "seen": 0, "refused": False}
    with discarded_on_failure(tar, lines):
        try:
            _fill(shard, tar, lines, faults, found, watch)
        except Refused as error:
            found["refused"] = True
            found["documents"] = 0
            faults.add(shard.source.name, f"refused: {error}", kept=False)
        except Broken as error:
            what = f"{error}; {found['seen']:,} records before it are converted"
            faults.add(shard.source.name, what, kept=False)
        _check_count(shard, found["seen"], faults)
        outputs = {}
        for output in (tar, lines):
            if output.bytes and found["documents"]:
                if output is tar:
                    output.end_tar()
                outputs[output.path.name] = output.finish()
            else:
                output.discard()
                output.path.unlink(missing_ok=True)
    left_out = sum(not line["kept"] for line in faults.lines)
    return {
        "layout": found["layout"],
        "documents": found["documents"],
        "left_out": left_out,
        "outputs": outputs,
        "faults": faults.lines,
    }


def _fill(
    shard: Shard,
    tar: Output,
    lines: Output,
    faults: _Faults,
    found: dict[str, Any],
    watch: Callable[[int], None],
) -> None:
    most = GROWTH * shard.source.stat().st_size + _SLACK
    for number, record in enumerate(items(shard.source, watch=watch)):
        found["seen"] += 1
        name = f"{shard.source.name}[{number}]"
        try:
            layout = layout_of(record)
            if layout is None:
                raise BadSample(name, f"of no known layout: {_fields(record)}")
            if layout != (found["layout"] or layout):
                raise BadSample(name, f"of layout {layout}, where others are {found['layout']}")
            found["layout"] = layout
            made = converter(layout)(Place(name, shard.name, f"{number:08d}"), record, shard.images)
            line = None if made.line is None else encoded_line(name, made.line)
        except BadSample as error:
            faults.add(name, error.reason, kept=False)
            continue
        for stored, data in made.files:
            tar.add(stored, data)
        if line is not None:
            lines.write(line)
        for note in made.notes:
            faults.add(name, note, kept=True)
        found["documents"] += 1
        if tar.bytes + lines.bytes > most:
            raise Broken(0, f"the outputs are more than {GROWTH} times as large as the shard")


def _fields(record: object) -> str:
    if not isinstance(record, dict):
        return f"a {type(record).__name__}"
    names = ", ".join(str(name)[:40] for name in list(record)[:12])
    return f"fields {names or '(none)'}; expected one of {', '.join(LAYOUTS)}"


def _check_count(shard: Shard, seen: int, faults: _Faults) -> None:
    path = shard.source.with_suffix(".count")
    if not path.exists():
        return
    said = path.read_bytes()[:40].strip()
    with contextlib.suppress(ValueError):
        if int(said) == seen:
            return
    told = said.decode("utf-8", "replace") or "nothing"
    faults.add(path.name, f"says {told}; the pickle holds {seen}", kept=False)
