"""Image-text pairs: WebDataset tars of ``KEY.jpg`` and ``KEY.txt`` (COYO, img2dataset)."""

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vilax.data.document import Document, Image, Text
from vilax.data.formats.files import BadSample, Files, fingerprint
from vilax.data.formats.tar import BLOCK, Member, header_name, members

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "tiff")
"""Extensions of the picture; other files of a key (``KEY.json``) are not read."""

LONGEST_CAPTION = 1 << 20
"""Bytes of a caption; more is a damaged archive, not a caption."""


def split_name(name: str) -> tuple[str, str]:
    """Key and extension: the file's name is cut at its first dot (WebDataset's rule)."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


class CoyoReader:
    """A picture and its supervised caption per key; neighbouring files of one key are a pair."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        self._files = Files(files)
        self._faults: dict[int, tuple[str, str]] = {}
        rows = array("q")
        for number, path in enumerate(files):
            self._index(number, path, rows)
        self._rows = np.frombuffer(rows, dtype=np.int64).reshape(-1, 5) if rows else None

    def _index(self, number: int, path: Path, rows: "array[int]") -> None:
        key = ""
        group: dict[str, Member] = {}
        for member in members(path):
            stem, extension = split_name(member.name) if member.name else ("", "")
            if stem != key or member.fault:
                self._close(number, key, group, rows)
                key, group = stem, {}
            if member.fault and not member.name:
                self._fault(f"{path.name}@{member.offset}", member.fault, rows)
            else:
                group[extension] = member
        self._close(number, key, group, rows)

    def _close(self, number: int, key: str, group: dict[str, Member], rows: "array[int]") -> None:
        if not group:
            return
        named = f"{self._files.paths[number].name}/{key}"
        broken = next((member.fault for member in group.values() if member.fault), "")
        picture = next((group[e] for e in PICTURES if e in group), None)
        text = group.get("txt")
        if picture is None or text is None:
            if broken or picture is not None or text is not None:
                missing = f"no picture ({', '.join(PICTURES)})" if picture is None else "no .txt"
                self._fault(named, broken or missing, rows)
        elif broken:
            self._fault(named, broken, rows)
        else:
            rows.extend((number, picture.offset, picture.size, text.offset, text.size))

    def _fault(self, key: str, reason: str, rows: "array[int]") -> None:
        self._faults[len(rows) // 5] = (key, reason)
        rows.extend((0, 0, 0, 0, 0))

    def __len__(self) -> int:
        return 0 if self._rows is None else len(self._rows)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: a part is missing, cut short, empty, or the archive is damaged there.
        """
        if index in self._faults:
            raise BadSample(*self._faults[index])
        if self._rows is None:
            raise IndexError(index)
        number, image_at, image_size, text_at, text_size = self._rows[index].tolist()
        shard = self._files.paths[number].name
        try:
            block = self._files.read(
                number, text_at - BLOCK, BLOCK + min(text_size, LONGEST_CAPTION)
            )
            picture = self._files.read(number, image_at, image_size)
        except OSError as error:
            raise BadSample(f"{shard}@{text_at}", f"cannot be read: {error}") from error
        key = f"{shard}/{split_name(header_name(block[:BLOCK]))[0]}"
        if len(picture) < image_size or not picture:
            raise BadSample(key, "the picture is empty or cut short")
        try:
            caption = block[BLOCK:].decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise BadSample(key, f"the caption is not UTF-8: {error}") from error
        if not caption:
            raise BadSample(key, "empty caption")
        return Document(key, self.name, (Image(picture), Text(caption)))

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        if index in self._faults:
            return self._faults[index][0]
        if self._rows is None:
            raise IndexError(index)
        number, _, _, text_at, _ = self._rows[index].tolist()
        header = self._files.read(number, text_at - BLOCK, BLOCK)
        return f"{self._files.paths[number].name}/{split_name(header_name(header))[0]}"

    def shard(self, index: int) -> str:
        """Archive of document ``index``."""
        if self._rows is None:
            raise IndexError(index)
        return self._files.paths[int(self._rows[index, 0])].name

    def facts(self, index: int) -> dict[str, Any]:
        """The caption of document ``index``.

        Raises:
            BadSample: a part is missing.
        """
        text = self[index].segments[1]
        return {"text": text.text} if isinstance(text, Text) else {}

    def fingerprint(self) -> str:
        """Hash of the archives."""
        return fingerprint("coyo", self._files.paths)
