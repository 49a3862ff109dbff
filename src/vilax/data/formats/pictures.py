"""Where a record's picture is: inline, or below a folder, or in a tar."""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from vilax.data.formats.files import BadSample, inside, misnamed
from vilax.data.formats.tar import TarFolder

EXTENSIONS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tiff")
"""Tried where a picture is named without one."""

_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}\s*")


class Pictures:
    """Pictures of a corpus.

    A picture is bytes, ``{bytes, path}`` (Hugging Face's form), base64 (also as a data address), a
    path below a root, the same without extension, or a web address, for which a file is taken that
    is named as the address's last part or as the SHA-256 of the whole address.

    Args:
        roots: folders, each also with its ``images``, and tars.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._folders = [f for r in roots if r.suffix != ".tar" for f in (r, r / "images")]
        self._tars = [TarFolder(root) for root in roots if root.suffix == ".tar"]

    def get(self, key: str, value: Any) -> tuple[bytes, tuple[str, ...]]:
        """A picture's encoded file, and what is odd about it.

        Args:
            key: of the document, for messages.
            value: what the record holds.

        Raises:
            BadSample: it is of another form, is missing, or lies outside of the corpus.
        """
        if isinstance(value, dict):
            held, path = value.get("bytes"), value.get("path")
            if isinstance(held, bytes):
                return self._whole(key, held), misnamed(path, held) if path else ()
            value = path
        if isinstance(value, bytes):
            return self._whole(key, value), ()
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value:
            found = "nothing" if value in (None, "") else type(value).__name__
            raise BadSample(key, f"a picture: expected bytes, base64 or a path, found {found}")
        if value.startswith("data:") or _BASE64.fullmatch(value):
            return self._whole(key, _decoded(key, value)), ()
        for name in _names(value):
            data = self._named(key, name)
            if data is not None:
                return self._whole(key, data), misnamed(name, data)
        raise BadSample(key, f"picture {value[:200]!r} is missing")

    @staticmethod
    def _whole(key: str, data: bytes) -> bytes:
        if not data:
            raise BadSample(key, "a picture is empty")
        return data

    def _named(self, key: str, name: str) -> bytes | None:
        has_extension = name.rpartition(".")[2].lower() in EXTENSIONS
        for tried in [name] if has_extension else [name, *(f"{name}.{e}" for e in EXTENSIONS)]:
            for folder in self._folders:
                path = inside(key, folder, tried)
                if path.is_file():
                    if not path.resolve().is_relative_to(folder.resolve()):
                        raise BadSample(key, f"picture {tried!r} lies outside the corpus (a link)")
                    try:
                        return path.read_bytes()
                    except OSError as error:
                        raise BadSample(key, f"picture {tried!r}: {error}") from error
            for tar in self._tars:
                data = tar.get(tried)
                if data is not None:
                    return data
        return None


def _names(value: str) -> list[str]:
    """Names under which a picture may lie."""
    if not value.startswith(("http://", "https://")):
        return [value]
    last = unquote(urlparse(value).path).rpartition("/")[2]
    return [*([last] if last else []), hashlib.sha256(value.encode()).hexdigest()]


def _decoded(key: str, value: str) -> bytes:
    raw = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode("".join(raw.split()), validate=True)
    except binascii.Error as error:
        raise BadSample(key, f"a picture in base64: {error}") from error
