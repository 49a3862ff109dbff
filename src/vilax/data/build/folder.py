"""A folder of pictures, each with its caption beside it: KEY.jpg and KEY.txt or KEY.json."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vilax.data.document import Document, Image, Text
from vilax.data.formats.files import BadSample

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
CONTAINERS = (".tar", ".jsonl", ".jsonl.gz", ".parquet")
CAPTIONS = ("caption", "text")
"""Fields of KEY.json that hold the caption, in this order."""

LONGEST = 1 << 20
"""Bytes of a caption file, at most."""


def is_caption_folder(path: Path) -> bool:
    """Whether a folder holds pictures with captions beside them, and no shards."""
    if not path.is_dir():
        return False
    if any(file.name.endswith(CONTAINERS) for file in path.iterdir()):
        return False
    for file in _files(path):
        if file.suffix.lower() in PICTURES:
            return any(file.with_suffix(end).is_file() for end in (".txt", ".json"))
    return False


def _files(path: Path) -> Iterator[Path]:
    """Files below a folder, in order, hidden ones left out."""
    for entry in sorted(path.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry


class CaptionFolder:
    """Pictures and captions below a folder, in the order of their names.

    Args:
        name: the corpus's name.
        path: the folder.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        found: dict[str, set[str]] = {}
        for file in _files(path):
            ending = file.suffix.lower()
            if ending in PICTURES or ending in (".txt", ".json"):
                key = file.relative_to(path).with_suffix("").as_posix()
                found.setdefault(key, set()).add(file.suffix)
        self._keys = list(found)
        self._endings = list(found.values())

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: a part is missing or unreadable.
        """
        key, endings = self._keys[index], self._endings[index]
        pictures = sorted(end for end in endings if end.lower() in PICTURES)
        if len(pictures) != 1:
            found = f"several pictures: {', '.join(pictures)}" if pictures else "no picture"
            raise BadSample(key, found)
        caption = self._caption(key, endings)
        if not caption.strip():
            raise BadSample(key, "empty caption")
        data = self._read(key, pictures[0])
        return Document(key, self.name, (Image(data), Text(caption.strip())))

    def _caption(self, key: str, endings: set[str]) -> str:
        if ".txt" in endings:
            try:
                return self._read(key, ".txt", LONGEST).decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadSample(key, f"the caption is not UTF-8: {error.reason}") from error
        if ".json" not in endings:
            raise BadSample(key, "no caption: neither .txt nor .json")
        facts = self._facts(key)
        for name in CAPTIONS:
            if isinstance(facts.get(name), str):
                return str(facts[name])
        raise BadSample(key, f"its .json has no {' or '.join(CAPTIONS)}")

    def _facts(self, key: str) -> dict[str, Any]:
        try:
            facts = json.loads(self._read(key, ".json", LONGEST))
        except ValueError as error:
            raise BadSample(key, f"its .json is not JSON: {error}") from error
        if not isinstance(facts, dict):
            raise BadSample(key, "its .json: expected an object")
        return facts

    def _read(self, key: str, ending: str, most: int | None = None) -> bytes:
        # Not with_suffix: a key may hold dots.
        path = self._path / f"{key}{ending}"
        try:
            if most is not None and path.stat().st_size > most:
                raise BadSample(key, f"{ending} is larger than {most:,} bytes")
            return path.read_bytes()
        except OSError as error:
            raise BadSample(key, f"{ending} cannot be read: {error.strerror}") from error

    def key(self, index: int) -> str:
        """Path of picture ``index`` without its ending."""
        return self._keys[index]

    def shard(self, index: int) -> str:
        """Folder of document ``index``."""
        return Path(self._keys[index]).parent.as_posix()

    def facts(self, index: int) -> dict[str, Any]:
        """Fields of KEY.json; none without one.

        Raises:
            BadSample: it is not an object.
        """
        return self._facts(self._keys[index]) if ".json" in self._endings[index] else {}

    def fingerprint(self) -> str:
        """Hash of names, sizes and times of change."""
        digest = hashlib.sha256(b"captions")
        for key, endings in zip(self._keys, self._endings, strict=True):
            for ending in sorted(endings):
                status = (self._path / f"{key}{ending}").stat()
                said = f"\n{key}{ending} {status.st_size} {status.st_mtime_ns}"
                digest.update(said.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
