"""Interleaved pages: MMC4's JSONL, with pictures beside it or inside it."""

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vilax.data.document import Document, Image, Segment, Text
from vilax.data.formats.files import BadSample, Lines, field, fingerprint, inside
from vilax.data.formats.tar import TarFolder

IMAGES_PER_PAGE = 6
"""Pictures taken from a page: the first in file order (VILA's loader)."""


class Mmc4Reader:
    """Pages as documents: each picture directly before the sentence it is matched to.

    Sentences are joined by one space, with no space around pictures; a picture with no text after
    it is dropped; all text is supervised. A picture comes from ``image_base64``, the ``images``
    folder beside the file, ``images.tar``, or a tar named as the file is.

    Args:
        name: the corpus's name.
        files: JSONL files, also gzipped.
        images_per_page: pictures taken from a page.
        images: folder or tar of pictures; None: beside the file, as above.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        images_per_page: int = IMAGES_PER_PAGE,
        images: Path | None = None,
    ) -> None:
        self.name = name
        self._lines = Lines(files)
        self._images_per_page = images_per_page
        self._images = images
        self._tars: dict[Path, TarFolder | None] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Document:
        """Document ``index``.

        Raises:
            BadSample: a field is missing or wrong, or a picture is missing.
        """
        key = self._lines.key(index)
        record = self._lines.record(index)
        texts = field(key, record, "text_list", list)
        if not all(isinstance(text, str) for text in texts):
            raise BadSample(key, "field 'text_list': expected only text")
        before: dict[int, list[dict[str, Any]]] = {}
        for info in field(key, record, "image_info", list)[: self._images_per_page]:
            if not isinstance(info, dict):
                raise BadSample(key, "field 'image_info': expected objects")
            matched = field(key, info, "matched_text_index", int)
            if not 0 <= matched < len(texts):
                raise BadSample(
                    key, f"matched_text_index {matched} of a page with {len(texts)} sentences"
                )
            before.setdefault(matched, []).append(info)
        shard = self._lines.files.paths[self._lines.file_of(index)]
        segments: list[Segment] = []
        sentences: list[str] = []
        for number, text in enumerate(texts):
            if number in before:
                if sentences:
                    segments.append(Text(" ".join(sentences), sentence=len(sentences[0])))
                    sentences = []
                segments += [Image(self._picture(key, shard, i)) for i in before[number]]
            if stripped := text.strip():
                sentences.append(stripped)
        if sentences:
            segments.append(Text(" ".join(sentences), sentence=len(sentences[0])))
        while segments and isinstance(segments[-1], Image):
            segments.pop()
        if not segments:
            raise BadSample(key, "a page without text")
        return Document(key, self.name, tuple(segments))

    def _picture(self, key: str, shard: Path, info: dict[str, Any]) -> bytes:
        inline = info.get("image_base64")
        if isinstance(inline, str):
            try:
                return base64.b64decode(inline, validate=True)
            except binascii.Error as error:
                raise BadSample(key, f"field 'image_base64': {error}") from error
        name = field(key, info, "image_name", str)
        path = inside(key, self._images or shard.parent / "images", name)
        try:
            return path.read_bytes()
        except OSError:
            data = self._from_tar(shard, name)
        if data is None:
            raise BadSample(key, f"picture {name!r} is missing")
        return data

    def _from_tar(self, shard: Path, name: str) -> bytes | None:
        stem = shard.name.removesuffix(".gz").removesuffix(".jsonl")
        beside = [shard.parent / "images.tar", shard.parent / f"{stem}.tar"]
        for path in (
            beside if self._images is None else [self._images, self._images / beside[1].name]
        ):
            if path not in self._tars:
                self._tars[path] = TarFolder(path) if path.is_file() else None
            archive = self._tars[path]
            data = archive.get(name) if archive is not None else None
            if data is not None:
                return data
        return None

    def key(self, index: int) -> str:
        """Name of document ``index``."""
        return self._lines.key(index)

    def shard(self, index: int) -> str:
        """File of document ``index``."""
        return self._lines.files.paths[self._lines.file_of(index)].name

    def facts(self, index: int) -> dict[str, Any]:
        """The record of document ``index``.

        Raises:
            BadSample: it is not an object.
        """
        return self._lines.record(index)

    def fingerprint(self) -> str:
        """Hash of the pages and archives, and of names and sizes of the pictures beside them."""
        shards = self._lines.files.paths
        folder = shards[0].parent
        return fingerprint("mmc4", [*shards, *sorted(folder.glob("*.tar"))], folder / "images")
