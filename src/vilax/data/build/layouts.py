"""Documents as files of a WebDataset tar."""

import json
from collections.abc import Mapping
from typing import Any

from vilax.config.errors import unknown
from vilax.data.convert.records import EXTENSIONS
from vilax.data.document import Document, Image, Text
from vilax.data.formats.files import BadSample
from vilax.data.signatures import fault, kind

LAYOUTS = ("pairs", "documents")

CONTENT = frozenset(
    {
        "text", "caption", "conversations", "messages", "text_list", "image_info", "inputs",
        "targets", "question", "answer", "similarity_matrix", "segments", "images", "image",
    }
)  # fmt: skip
"""Fields of a record that its document already holds."""


def is_pair(document: Document) -> bool:
    """Whether it is a picture and its supervised caption, and nothing more."""
    match document.segments:
        case (Image(), Text(loss=True, role="", sentence=0)):
            return True
    return False


def files_of(
    layout: str, key: str, document: Document, facts: Mapping[str, Any]
) -> list[tuple[str, bytes]]:
    """Names in the tar and contents, all of them ``KEY.something``.

    Args:
        layout: ``pairs``: KEY.jpg, KEY.txt and, with other fields, KEY.json; ``documents``:
            KEY.json with ``segments``, and KEY.0.jpg, KEY.1.jpg ... for its pictures.
        key: of the document in the tar, without a dot.
        document: what is written.
        facts: fields of its record.

    Raises:
        BadSample: a picture is visibly broken, a text is not Unicode, or it is no pair where pairs
            are asked for.
        ConfigError: there is no such layout.
    """
    own = {"key": document.key, **{k: v for k, v in facts.items() if k not in CONTENT}}
    if layout == "pairs":
        return _pair(key, document, own)
    if layout == "documents":
        return _document(key, document, own)
    raise unknown("layout", layout, LAYOUTS)


def _pair(key: str, document: Document, own: dict[str, Any]) -> list[tuple[str, bytes]]:
    match document.segments:
        case (Image() as picture, Text(loss=True, role="", sentence=0) as caption):
            return [
                (f"{key}.{_extension(document.key, picture)}", picture.data),
                (f"{key}.txt", _utf8(document.key, caption.text)),
                (f"{key}.json", _json(document.key, own)),
            ]
    raise BadSample(document.key, "no pair of picture and caption; expected layout=documents")


def _document(key: str, document: Document, own: dict[str, Any]) -> list[tuple[str, bytes]]:
    segments: list[dict[str, Any]] = []
    pictures: list[tuple[str, bytes]] = []
    stored: dict[bytes, str] = {}
    for segment in document.segments:
        if isinstance(segment, Text):
            said = {"text": segment.text, "loss": segment.loss, "role": segment.role}
            segments.append({**said, "sentence": segment.sentence} if segment.sentence else said)
            continue
        name = stored.get(segment.data)
        if name is None:
            name = f"{len(stored)}.{_extension(document.key, segment)}"
            stored[segment.data] = name
            pictures.append((f"{key}.{name}", segment.data))
        segments.append({"image": name})
    head = {"segments": segments, **own}
    return [(f"{key}.json", _json(document.key, head)), *pictures]


def _extension(key: str, picture: Image) -> str:
    if wrong := fault(picture.data):
        raise BadSample(key, f"a picture cannot be read: {wrong}")
    return EXTENSIONS[kind(picture.data)]


def _json(key: str, value: dict[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return _utf8(key, text)


def _utf8(key: str, text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadSample(key, f"text that is not Unicode: {error.reason}") from error
