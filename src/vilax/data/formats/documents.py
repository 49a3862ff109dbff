"""Documents as ``vilax data build`` writes them: tars of ``KEY.json``, ``KEY.0.jpg`` ..."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vilax.data.document import Document, Image, Segment, Text
from vilax.data.formats.files import BadSample, Files, fingerprint
from vilax.data.formats.index import Scanned, table
from vilax.data.formats.tar import BLOCK, members, split_name

ROLES = ("", "user", "assistant")

LONGEST = 1 << 30
"""Bytes of a document with its pictures, at most."""


class DocumentsReader:
    """Any document, as it was: ``KEY.json`` lists its ``segments`` in order.

    A text is ``{"text", "loss", "role", "sentence"}``, of which all but the first may be missing; a
    picture ``{"image": "0.jpg"}`` names the file ``KEY.0.jpg``. Other fields are facts.
    """

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        self._files = Files(files)
        self._table = table("documents", files, 2, _scan)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: the archive is damaged there, a picture is missing, or the segments are not
                as above.
        """
        key, files = self._read(index)
        segments: list[Segment] = []
        for segment in self._head(key, files)["segments"]:
            segments.append(_segment(key, segment, files))
        if not segments:
            raise BadSample(key, "a document without segments")
        return Document(key, self.name, tuple(segments))

    def _read(self, index: int) -> tuple[str, dict[str, bytes]]:
        """Name, and files by what follows the key's dot."""
        if index in self._table.faults:
            raise BadSample(*self._table.faults[index])
        start, end = self._table[index]
        number = self._table.file_of(index)
        shard = self._files.paths[number].name
        if end - start > LONGEST:
            raise BadSample(f"{shard}@{start}", f"a document of {end - start:,} bytes")
        raw = self._files.whole(f"{shard}@{start}", number, start, end - start)
        try:
            with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
                found = {
                    member.name: opened.read()
                    for member in tar
                    if (opened := tar.extractfile(member)) is not None
                }
        except (OSError, tarfile.TarError) as error:
            raise BadSample(f"{shard}@{start}", f"cannot be read: {error}") from error
        first = split_name(next(iter(found), ""))[0]
        return f"{shard}/{first}", {name[len(first) + 1 :]: data for name, data in found.items()}

    def _head(self, key: str, files: dict[str, bytes]) -> dict[str, Any]:
        if "json" not in files:
            raise BadSample(key, "no .json")
        try:
            head = json.loads(files["json"])
        except ValueError as error:
            raise BadSample(key, f"its .json is not JSON: {error}") from error
        if not isinstance(head, dict) or not isinstance(head.get("segments"), list):
            raise BadSample(key, "its .json: expected an object with a list of segments")
        return head

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        if index in self._table.faults:
            return self._table.faults[index][0]
        start, _ = self._table[index]
        shard = self.shard(index)
        try:
            raw = self._files.read(self._table.file_of(index), start, 8 * BLOCK)
            with tarfile.open(fileobj=io.BytesIO(raw + b"\0" * BLOCK), mode="r:") as tar:
                first = tar.next()
        except (OSError, tarfile.TarError):
            first = None
        return f"{shard}@{start}" if first is None else f"{shard}/{split_name(first.name)[0]}"

    def shard(self, index: int) -> str:
        """Archive of document ``index``."""
        return self._files.paths[self._table.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """Fields of document ``index`` beside its segments, and its text.

        Raises:
            BadSample: it cannot be read.
        """
        key, files = self._read(index)
        head = self._head(key, files)
        texts = [s["text"] for s in head["segments"] if isinstance(s, dict) and "text" in s]
        facts = {name: value for name, value in head.items() if name != "segments"}
        return {"text": "\n".join(str(text) for text in texts), **facts}

    def fingerprint(self) -> str:
        """Hash of the archives."""
        return fingerprint("documents", self._files.paths)


def holds_documents(path: Path) -> bool:
    """Whether the first record of a tar lists segments."""
    for member in members(path):
        if split_name(member.name)[1] == "json" and not member.fault:
            with path.open("rb") as file:
                file.seek(member.offset)
                try:
                    record = json.loads(file.read(member.size))
                except ValueError:
                    return False
            return isinstance(record, dict) and isinstance(record.get("segments"), list)
    return False


def _scan(path: Path) -> Scanned:
    """Where the files of each key of an archive start and end."""
    rows: list[tuple[int, int]] = []
    faults: dict[int, tuple[str, str]] = {}
    key, fault, start, end = "", "", 0, 0

    def close() -> None:
        if key:
            if fault:
                faults[len(rows)] = (f"{path.name}/{key}", fault)
            rows.append((start, end))

    for member in members(path):
        if not member.name:
            # Behind a file that is cut short, the archive's end says nothing new.
            if not fault:
                close()
                faults[len(rows)] = (f"{path.name}@{member.offset}", member.fault)
                rows.append((0, 0))
                key, fault, end = "", "", -1
            continue
        stem = split_name(member.name)[0]
        if stem != key:
            close()
            # A long name stands in blocks of its own before a header.
            key, fault, start = stem, "", end if end >= 0 else member.offset - BLOCK
        fault = fault or member.fault
        end = member.offset + -(-member.size // BLOCK) * BLOCK
    close()
    return Scanned(np.array(rows, dtype=np.int64).reshape(-1, 2), faults)


def _segment(key: str, segment: object, files: dict[str, bytes]) -> Segment:
    if not isinstance(segment, dict):
        raise BadSample(key, "field 'segments': expected objects")
    name = segment.get("image")
    if isinstance(name, str):
        if name not in files:
            raise BadSample(key, f"picture {name!r} is missing")
        return Image(files[name])
    text, loss, role = segment.get("text"), segment.get("loss", True), segment.get("role", "")
    sentence = segment.get("sentence", 0)
    if not isinstance(text, str) or not isinstance(loss, bool) or role not in ROLES:
        raise BadSample(key, "a segment is neither a picture nor a text with loss and role")
    if type(sentence) is not int or not 0 <= sentence <= len(text):
        raise BadSample(key, f"field 'sentence': expected 0 to {len(text)}, found {sentence!r}")
    return Text(text, loss, role, sentence)
