r"""Rebuild the packaged data from npm packages that lie unpacked in a folder.

Needed by nobody who only uses vilax. With npm at hand::

    npm install --prefix /some/folder emoji-datasource-google@16.0.0 \
        emoji-datasource-twitter@16.0.0 emojibase-data@17.0.0
    python -m vilax.micro.rebuild /some/folder/node_modules

The same packages and the same Pillow give the same bytes.
"""

import argparse
import hashlib
import io
import json
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from vilax.config.errors import ConfigError

PACKAGES = {
    "emoji-datasource-google": "16.0.0",
    "emoji-datasource-twitter": "16.0.0",
    "emojibase-data": "17.0.0",
}
STYLES = {"google": "emoji-datasource-google", "twitter": "emoji-datasource-twitter"}
WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of the selection: a concept, and the CLDR label that it stands for."""

    name: str
    keyword: str
    kind: str
    group: str
    label: str


def read_selection(path: Path) -> list[Choice]:
    """Read the hand-made choice of concepts.

    Raises:
        ConfigError: a word is not lower-case ASCII, is used twice as a name, or is used for two
            sorts of things (name, keyword, kind, group).

    """
    kind, group, choices, groups = "", "", [], {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            kind, group = line.strip("[]").split()
            groups[kind] = group
            continue
        words, _, label = line.partition(" = ")
        name, keyword = words.split()
        choices.append(Choice(name, keyword, kind, group, label or name))
    names = Counter(choice.name for choice in choices)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ConfigError(f"{path.name}: names used twice: {', '.join(twice)}")
    sorts = {
        "name": set(names),
        "keyword": {choice.keyword for choice in choices},
        "kind": set(groups),
        "group": set(groups.values()),
    }
    seen: dict[str, str] = {}
    for sort, words_of_sort in sorts.items():
        for word in sorted(words_of_sort):
            if not WORD.fullmatch(word) or len(word) < 2:
                raise ConfigError(f"{path.name}: {sort} {word!r} is not one lower-case ASCII word")
            if word in seen:
                raise ConfigError(f"{path.name}: {word!r} is both a {seen[word]} and a {sort}")
            seen[word] = sort
    return choices


def round_robin(choices: list[Choice]) -> Iterator[Choice]:
    """The choices in an order of which every prefix spreads over the kinds."""
    by_kind: dict[str, list[Choice]] = {}
    for choice in choices:
        by_kind.setdefault(choice.kind, []).append(choice)
    for turn in range(max(map(len, by_kind.values()))):
        for of_kind in by_kind.values():
            if turn < len(of_kind):
                yield of_kind[turn]


def forms(code: str) -> tuple[str, ...]:
    """File names (without suffix) under which a code point sequence may lie."""
    return (code, code.replace("-fe0f", ""), f"{code}-fe0f")


def pack(folder: Path, codes: list[str]) -> bytes:
    """One uncompressed zip of lossless WebP pictures, byte for byte repeatable.

    Args:
        folder: the PNG files of one style.
        codes: the drawings to take.

    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for code in sorted(codes):
            source = next(p for form in forms(code) if (p := folder / f"{form}.png").is_file())
            encoded = io.BytesIO()
            with Image.open(source) as picture:
                picture.convert("RGBA").save(encoded, "WEBP", lossless=True, quality=100, method=6)
            member = zipfile.ZipInfo(f"{code}.webp", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(member, encoded.getvalue())
    return buffer.getvalue()


def _package(node_modules: Path, name: str) -> Path:
    folder = node_modules / name
    try:
        found = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        raise ConfigError(f"{folder} is missing: unpack {name}@{PACKAGES[name]} there") from None
    if found != PACKAGES[name]:
        raise ConfigError(f"{folder} holds version {found}: expected {PACKAGES[name]}")
    return folder


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def rebuild(node_modules: Path, folder: Path) -> int:
    """Write ``concepts.json``, one archive a style, and ``SOURCES.json``.

    Args:
        node_modules: holds the packages of ``PACKAGES`` by name.
        folder: holds ``selection.txt``; receives the files.

    Returns:
        The number of concepts.

    Raises:
        ConfigError: a package, label or drawing is missing.

    """
    labels: dict[str, dict[str, Any]] = {
        entry["label"]: entry
        for entry in json.loads(
            (_package(node_modules, "emojibase-data") / "en" / "data.json").read_text("utf-8")
        )
    }
    pictures = {
        style: _package(node_modules, package) / "img" / style / str(64)
        for style, package in STYLES.items()
    }
    rows = []
    for choice in round_robin(read_selection(folder / "selection.txt")):
        if choice.label not in labels:
            raise ConfigError(f"selection.txt: CLDR has no label {choice.label!r}")
        entry = labels[choice.label]
        code = entry["hexcode"].lower()
        for style, place in pictures.items():
            if not any((place / f"{form}.png").is_file() for form in forms(code)):
                raise ConfigError(f"selection.txt: {style} has no drawing of {choice.label!r}")
        tags = [tag for tag in entry.get("tags", []) if tag != choice.keyword]
        rows.append(
            {
                "name": choice.name,
                "kind": choice.kind,
                "group": choice.group,
                "keywords": [choice.keyword, *tags],
                "code": code,
            }
        )
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    _write(folder / "concepts.json", f"[\n{lines}\n]\n".encode())
    codes = [row["code"] for row in rows]
    for style, place in pictures.items():
        _write(folder / f"{style}.zip", pack(place, codes))
    sources = json.loads((folder / "SOURCES.json").read_text(encoding="utf-8"))
    for name, source in sources["files"].items():
        source["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    _write(
        folder / "SOURCES.json",
        (json.dumps(sources, indent=2, ensure_ascii=False) + "\n").encode(),
    )
    return len(rows)


def main() -> None:
    """Command line: ``python -m vilax.micro.rebuild FOLDER``."""
    parser = argparse.ArgumentParser(prog="python -m vilax.micro.rebuild", description=__doc__)
    parser.add_argument("node_modules", type=Path, help="folder that holds the npm packages")
    arguments = parser.parse_args()
    folder = Path(str(files("vilax.micro") / "data"))
    try:
        count = rebuild(arguments.node_modules, folder)
    except ConfigError as error:
        parser.exit(2, f"{error}\n")
    print(f"{count} concepts written to {folder}")


if __name__ == "__main__":
    main()
