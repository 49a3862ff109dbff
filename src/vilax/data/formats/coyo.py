"""Image-text pairs: WebDataset tars of ``KEY.jpg`` and ``KEY.txt`` (COYO, img2dataset, CC3M)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vilax.data.document import Document, Image, Text
from vilax.data.formats.files import BadSample, Files, fingerprint, misnamed
from vilax.data.formats.index import Scanned, table
from vilax.data.formats.tar import BLOCK, Member, header_name, members, split_name

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "tiff", "tif", "gif")
"""Extensions of the picture."""

CAPTIONS = ("caption", "text")
"""Fields of ``KEY.json`` that hold the caption where there is no ``KEY.txt``."""

LONGEST_CAPTION = 1 << 20
"""Bytes of a caption; more is a damaged archive, not a caption."""

NOTHING = -1
"""Offset of a part that is not there."""


class CoyoReader:
    """A picture and its supervised caption per key; neighbouring files of one key belong together.

    The caption is ``KEY.txt``, or else a field of ``KEY.json``, whose fields are the facts.
    """

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        self._files = Files(files)
        self._table = table("pairs", files, 6, _scan)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: a part is missing, cut short, empty, or the archive is damaged there.
        """
        image_at, image_size, text_at, text_size, json_at, json_size = self._row(index)
        number = self._table.file_of(index)
        header = self._files.whole(self._named(index, ""), number, image_at - BLOCK, BLOCK)
        name = header_name(header)
        key = self._named(index, name)
        picture = self._files.whole(key, number, image_at, image_size)
        if not picture:
            raise BadSample(key, "the picture is empty or cut short")
        if text_at != NOTHING:
            raw = self._files.whole(key, number, text_at, min(text_size, LONGEST_CAPTION))
            try:
                caption = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadSample(key, f"the caption is not UTF-8: {error}") from error
        else:
            facts = self._json(key, number, json_at, json_size)
            caption = next((c for f in CAPTIONS if isinstance(c := facts.get(f), str)), "")
        if not caption.strip():
            raise BadSample(key, "empty caption")
        segments = (Image(picture), Text(caption.strip()))
        return Document(key, self.name, segments, misnamed(name, picture))

    def _row(self, index: int) -> list[int]:
        if index in self._table.faults:
            raise BadSample(*self._table.faults[index])
        return self._table[index]

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        if index in self._table.faults:
            return self._table.faults[index][0]
        return self._named(index, self._name(index))

    def _name(self, index: int) -> str:
        """Path of the picture within its archive; empty if that cannot be read."""
        image_at = self._table[index][0]
        try:
            header = self._files.read(self._table.file_of(index), image_at - BLOCK, BLOCK)
        except OSError:
            return ""
        return header_name(header) if len(header) == BLOCK else ""

    def _named(self, index: int, name: str) -> str:
        shard = self.shard(index)
        return f"{shard}/{split_name(name)[0]}" if name else f"{shard}@{self._table[index][0]}"

    def shard(self, index: int) -> str:
        """Archive of document ``index``."""
        return self._files.paths[self._table.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """Fields of ``KEY.json`` of document ``index``, and its caption as ``text``.

        Raises:
            BadSample: a part is missing.
        """
        _, _, text_at, text_size, json_at, json_size = self._row(index)
        key, number = self.key(index), self._table.file_of(index)
        facts = {} if json_at == NOTHING else self._json(key, number, json_at, json_size)
        if text_at != NOTHING:
            raw = self._files.whole(key, number, text_at, min(text_size, LONGEST_CAPTION))
            facts["text"] = raw.decode("utf-8", "replace").strip()
        return facts

    def _json(self, key: str, number: int, offset: int, size: int) -> dict[str, Any]:
        try:
            facts = json.loads(self._files.whole(key, number, offset, size))
        except ValueError as error:
            raise BadSample(key, f"its .json is not JSON: {error}") from error
        if not isinstance(facts, dict):
            raise BadSample(key, f"its .json is no object but {type(facts).__name__}")
        return facts

    def fingerprint(self) -> str:
        """Hash of the archives."""
        return fingerprint("coyo", self._files.paths)


def _scan(path: Path) -> Scanned:
    """Offset and size of picture, text and JSON of each key of an archive."""
    found = _Groups(path.name)
    try:
        for member in members(path):
            found.add(member)
    except OSError as error:
        found.fault(path.name, f"cannot be read: {error}")
    found.close()
    return Scanned(np.array(found.rows, dtype=np.int64).reshape(-1, 6), found.faults)


class _Groups:
    """Members of an archive, gathered by key."""

    def __init__(self, shard: str) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.faults: dict[int, tuple[str, str]] = {}
        self._shard = shard
        self._key = ""
        self._group: dict[str, Member] = {}
        self._seen: set[int] = set()
        self._wrong = ""

    def add(self, member: Member) -> None:
        if not member.name:
            self.close()
            self.fault(f"{self._shard}@{member.offset}", member.fault)
            return
        stem, extension = split_name(member.name)
        if stem != self._key:
            self.close()
            self._key = stem
        if member.fault and not self._wrong:
            self._wrong = member.fault
        if extension in self._group:
            self._wrong = self._wrong or f"duplicate key: .{extension} is there twice"
        self._group[extension] = member

    def close(self) -> None:
        """End the key whose files were gathered."""
        group, wrong, named = self._group, self._wrong, f"{self._shard}/{self._key}"
        self._group, self._wrong = {}, ""
        if not group:
            return
        picture = next((group[e] for e in PICTURES if e in group), None)
        text, facts = group.get("txt"), group.get("json")
        if picture is None and text is None and not wrong:
            return
        digest = hash(self._key)
        if digest in self._seen:
            wrong = wrong or "duplicate key: its files stand in two places"
        self._seen.add(digest)
        if not wrong and picture is None:
            wrong = f"no picture ({', '.join(PICTURES)})"
        if not wrong and text is None and facts is None:
            wrong = "no .txt"
        if wrong:
            self.fault(named, wrong)
            return
        assert picture is not None
        row = [picture.offset, picture.size]
        for part in (text, facts):
            row += [NOTHING, 0] if part is None else [part.offset, part.size]
        self.rows.append(tuple(row))

    def fault(self, key: str, reason: str) -> None:
        """A row for what cannot be read."""
        self.faults[len(self.rows)] = (key, reason)
        self.rows.append((NOTHING, 0, NOTHING, 0, NOTHING, 0))
