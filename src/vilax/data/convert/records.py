"""A record of VILA's shards as the files and the line that our readers read."""

import binascii
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vilax.config.errors import unknown
from vilax.data.formats.files import BadSample, field, inside
from vilax.data.signatures import fault, kind

EXTENSIONS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "BMP": "bmp",
    "TIFF": "tiff",
    "GIF": "gif",
}
"""File extension of each kind of picture."""

MOST_PICTURES = 8
"""Pictures of a VFLAN item, at most (VILA's loader refuses more)."""

PICTURE_BYTES = 1 << 28
"""Bytes of a page's pictures, at most."""

NODES = 200_000
"""Values in what a record holds beside text and pictures, at most."""

DEPTH = 32
_DIALOG = "Image Descriptions"


@dataclass(frozen=True, slots=True)
class Converted:
    """What a record becomes.

    Attributes:
        files: names in the tar and contents, in order.
        line: its line of JSON; None: all of it is in the tar.
        notes: what was mended.
    """

    files: tuple[tuple[str, bytes], ...]
    line: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands.

    Attributes:
        name: in messages.
        shard: name of the shard's outputs.
        key: of the record in the shard.
    """

    name: str
    shard: str
    key: str


Convert = Callable[[Place, dict[str, Any], Path | None], Converted]
"""Makes the files of a record from its place, itself, and the folder of pictures."""


def layout_of(record: object) -> str | None:
    """Name of the layout that a record is of; None: of none."""
    if not isinstance(record, dict):
        return None
    names = set(record)
    if {"text_list", "image_info"} <= names:
        return "mmc4"
    if "question" in names and names & {"answer", "answer:"}:
        return "vflan"
    if names & {"text", "caption"} and names & {"image", "rawbytes"}:
        return "coyo"
    return None


def converter(layout: str) -> Convert:
    """The function for a layout.

    Raises:
        ConfigError: there is no such layout.
    """
    if layout not in _CONVERTERS:
        raise unknown("layout", layout, _CONVERTERS)
    return _CONVERTERS[layout]


def _coyo(place: Place, record: dict[str, Any], root: Path | None) -> Converted:
    name, key = place.name, place.key
    told = "text" if "text" in record else "caption"
    caption = field(name, record, told, str)
    if not caption.strip():
        raise BadSample(name, "empty caption")
    held = "image" if record.get("image") is not None else "rawbytes"
    data = _picture(name, held, record.get(held))
    rest, notes = _rest(name, record, {told, "image", "rawbytes"})
    files = [(f"{key}.{EXTENSIONS[kind(data)]}", data), (f"{key}.txt", _utf8(name, caption))]
    if rest:
        files.append((f"{key}.json", _utf8(name, json.dumps(rest, ensure_ascii=False))))
    return Converted(tuple(files), None, notes)


def _mmc4(place: Place, record: dict[str, Any], root: Path | None) -> Converted:
    name, key = place.name, place.key
    texts = field(name, record, "text_list", list)
    if not all(isinstance(text, str) for text in texts):
        raise BadSample(name, "field 'text_list': expected only text")
    texts = _plain(name, texts, [NODES], DEPTH)
    files: list[tuple[str, bytes]] = []
    infos: list[dict[str, Any]] = []
    notes: list[str] = []
    for number, info in enumerate(field(name, record, "image_info", list)):
        if not isinstance(info, dict):
            raise BadSample(name, "field 'image_info': expected objects")
        data = _picture(name, "image_base64", info.get("image_base64"))
        rest, more = _rest(name, info, {"image_base64", "image_name"})
        stored = f"{key}_{number:02d}.{EXTENSIONS[kind(data)]}"
        if isinstance(info.get("image_name"), str):
            rest["original_name"] = info["image_name"]
        infos.append({"image_name": stored, **rest})
        files.append((stored, data))
        notes += more
        if sum(len(content) for _, content in files) > PICTURE_BYTES:
            raise BadSample(name, f"more than {PICTURE_BYTES:,} bytes of pictures")
    rest, more = _rest(name, record, {"text_list", "image_info"})
    line = {"text_list": texts, "image_info": infos, **rest}
    return Converted(tuple(files), line, (*notes, *more))


def _vflan(place: Place, record: dict[str, Any], root: Path | None) -> Converted:
    name, key = place.name, place.key
    held = {"answer": "answer", "image": "image"}
    for plain in held:
        # Some of the sets spell a field with its colon.
        held[plain] = f"{plain}:" if f"{plain}:" in record else plain
    question = field(name, record, "question", str).rstrip()
    answer = field(name, record, held["answer"], str).rstrip()
    if not answer.strip():
        raise BadSample(name, "empty answer")
    given = record.get(held["image"])
    pictures = [] if given is None else given if isinstance(given, list) else [given]
    if len(pictures) > MOST_PICTURES:
        raise BadSample(name, f"{len(pictures)} pictures; expected at most {MOST_PICTURES}")
    files = []
    for number, one in enumerate(pictures):
        data = _file(name, root, one) if _is_path(one) else _picture(name, held["image"], one)
        # With its shard's name: all shards' pictures may be unpacked into one folder.
        files.append((f"{place.shard}/{key}_{number}.{EXTENSIONS[kind(data)]}", data))
    rest, notes = _rest(name, record, {"question", "id", *held.values()})
    line: dict[str, Any] = {"id": key}
    if files:
        names = [stored for stored, _ in files]
        line["image"] = names[0] if len(names) == 1 else names
    turns = _turns(question, answer, len(files))
    line["conversations"] = [
        {"from": "gpt" if number % 2 else "human", "value": text}
        for number, text in enumerate(turns)
    ]
    if "id" in record and isinstance(record["id"], str | int):
        line["original_id"] = record["id"]
    return Converted(tuple(files), {**line, **rest}, notes)


_CONVERTERS: dict[str, Convert] = {"coyo": _coyo, "mmc4": _mmc4, "vflan": _vflan}
LAYOUTS = tuple(_CONVERTERS)
"""Layouts that are converted."""


def _turns(question: str, answer: str, pictures: int) -> list[str]:
    """Questions and answers in turn; pictures before the first question."""
    for placeholder in ("<image>\n", "\n<image>", "<image>"):
        question = question.replace(placeholder, "")
    opening = "<image>\n" * pictures
    asked = question.split("\nQuestion: ")[1:] if _DIALOG in question else []
    turns: list[str] = []
    for place, piece in enumerate(asked):
        parts = piece.split("\nAnswer:")
        is_last = place == len(asked) - 1
        if is_last:
            turns += [piece.split("\nAnswer:")[0].replace("\n", "").strip(), answer]
        elif len(parts) == 2 and all(part.strip() for part in parts):
            turns += [part.strip() for part in parts]
        else:
            # No dialogue after all.
            turns = []
            break
    turns = turns or [question, answer]
    return [opening + turns[0], *turns[1:]]


def _is_path(value: object) -> bool:
    # Base64 has no dot.
    return isinstance(value, str) and value.lower().endswith((".jpg", ".jpeg", ".png", ".webp"))


def _file(name: str, root: Path | None, path: str) -> bytes:
    if root is None:
        raise BadSample(name, f"names the file {path!r}; --images DIR says where it lies")
    place = inside(name, root, path)
    try:
        data = place.read_bytes()
    except OSError as error:
        raise BadSample(name, f"picture {path!r} is missing in {root.name}") from error
    return _sound(name, data)


def _picture(name: str, told: str, value: object) -> bytes:
    if isinstance(value, bytes):
        return _sound(name, value)
    if not isinstance(value, str):
        found = "nothing" if value is None else type(value).__name__
        raise BadSample(name, f"field {told!r}: expected a picture in base64, found {found}")
    try:
        text = value.encode("ascii")
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            # Some encoders break lines.
            data = binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadSample(name, f"field {told!r}: bad base64: {error}") from error
    return _sound(name, data)


def _sound(name: str, data: bytes) -> bytes:
    if wrong := fault(data):
        raise BadSample(name, f"a picture {wrong}" if wrong.startswith("is") else wrong)
    return data


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadSample(name, f"text that is not Unicode: {error.reason}") from error


def encoded_line(name: str, line: dict[str, Any]) -> bytes:
    """A line of JSON Lines.

    Raises:
        BadSample: a text is not Unicode.
    """
    return _utf8(name, json.dumps(line, ensure_ascii=False, separators=(",", ":"))) + b"\n"


def _rest(
    name: str, record: dict[str, Any], without: set[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Other fields as JSON holds them, and names of those that it cannot hold."""
    kept: dict[str, Any] = {}
    lost: list[str] = []
    left = [NODES]
    for key, value in record.items():
        if key in without:
            continue
        try:
            kept[str(key)] = _plain(name, value, left, DEPTH)
        except TypeError:
            lost.append(f"field {str(key)[:60]!r} holds bytes and is left out")
    return kept, tuple(lost)


def _plain(name: str, value: Any, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth == 0:
        raise BadSample(name, f"more than {NODES:,} values, or nested deeper than {DEPTH}")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        left[0] -= len(value) >> 10
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _plain(name, v, left, depth - 1) for k, v in value.items()}
    if isinstance(value, set):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [_plain(name, one, left, depth - 1) for one in value]
    raise TypeError
