"""Pictures for training and for evaluation, drawn from the packaged drawings.

A view is a drawing of a training style with seeded changes (size, turn, mirror, place, ground,
hue, saturation, contrast, grey, outline, line drawing, blur): a projector trained on plain
drawings alone learns them by heart and fails on another artist's.
"""

import io
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageColor, ImageEnhance, ImageFilter, ImageOps

from vilax.micro.assets import EVALUATION_STYLE, TRAINING_STYLES, Concept, drawing

WHITE = (255, 255, 255)
QUALITY = 90
"""WebP quality of stored views: a third of the bytes of PNG, differences below what is seen."""
FEW = 256
"""Views up to which starting processes costs more than it saves."""


@dataclass(frozen=True, slots=True)
class View:
    """Which picture: a concept in a style, and the number of the view."""

    concept: Concept
    style: str
    number: int

    @property
    def file(self) -> str:
        """Name of the stored file."""
        return f"{self.concept.name}-{self.style}-{self.number}.webp"


def training_views(concepts: tuple[Concept, ...], views: int) -> list[View]:
    """Every view of every concept in every training style."""
    return [
        View(concept, style, number)
        for concept in concepts
        for style in TRAINING_STYLES
        for number in range(views)
    ]


def _shift_hue(picture: Image.Image, shift: int) -> Image.Image:
    alpha = picture.getchannel("A")
    hsv: UInt8[np.ndarray, "h w 3"] = np.array(picture.convert("RGB").convert("HSV"))
    hsv[..., 0] += np.uint8(shift % 256)
    shifted = Image.fromarray(hsv, "HSV").convert("RGB")
    shifted.putalpha(alpha)
    return shifted


def _recolour(picture: Image.Image, rng: random.Random) -> Image.Image:
    if rng.random() < 0.4:
        picture = _shift_hue(picture, rng.randint(-30, 30))
    alpha = picture.getchannel("A")
    colours = picture.convert("RGB")
    if rng.random() < 0.1:
        colours = ImageOps.grayscale(colours).convert("RGB")
    else:
        colours = ImageEnhance.Color(colours).enhance(rng.uniform(0.4, 1.6))
    colours = ImageEnhance.Contrast(colours).enhance(rng.uniform(0.7, 1.3))
    colours = ImageEnhance.Brightness(colours).enhance(rng.uniform(0.8, 1.2))
    colours.putalpha(alpha)
    return colours


def _outline(picture: Image.Image, width: int) -> Image.Image:
    ink = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    ink.putalpha(picture.getchannel("A").filter(ImageFilter.MaxFilter(2 * width + 1)))
    return Image.alpha_composite(ink, picture)


def _lines(picture: Image.Image) -> Image.Image:
    edges = ImageOps.grayscale(picture).filter(ImageFilter.FIND_EDGES)
    # The filter leaves the outermost pixels as they are, which would frame the picture.
    return ImageOps.invert(ImageOps.expand(ImageOps.crop(edges, 1), 1, 0)).convert("RGB")


def _turn(picture: Image.Image, degrees: float) -> Image.Image:
    """Rotate without cutting corners; the size stays."""
    turned = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    return turned.resize(picture.size, Image.Resampling.BICUBIC)


def _ground(rng: random.Random) -> tuple[int, int, int]:
    if rng.random() < 0.4:
        return WHITE
    red, green, blue, *_ = ImageColor.getrgb(
        f"hsv({rng.randrange(360)},{rng.randrange(0, 70)}%,{rng.randrange(55, 101)}%)"
    )
    return red, green, blue


def place(
    picture: Image.Image, size: int, left: int, top: int, ground: tuple[int, int, int] = WHITE
) -> Image.Image:
    """Put an RGBA picture on a coloured ground of ``size`` x ``size`` pixels."""
    result = Image.new("RGB", (size, size), ground)
    result.paste(picture, (left, top), picture)
    return result


def draw_view(view: View, seed: int, size: int) -> Image.Image:
    """Draw a training view: number 0 is plain, the others are changed at random.

    Args:
        view: which picture.
        seed: with the view, determines every random choice.
        size: pixels to a side.

    Returns:
        An RGB picture.

    """
    rng = random.Random(f"view {seed} {view.concept.code} {view.style} {view.number}")
    scale = 0.9 if view.number == 0 else rng.uniform(0.6, 1.0)
    side = max(8, round(scale * size))
    picture = drawing(view.style, view.concept, side)
    if view.number == 0:
        return place(picture, size, (size - side) // 2, (size - side) // 2)
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    picture = _turn(picture, rng.uniform(-25, 25))
    picture = _recolour(picture, rng)
    if rng.random() < 0.3:
        picture = _outline(picture, max(1, round(size / 64)))
    slack = size - side
    result = place(picture, size, rng.randint(0, slack), rng.randint(0, slack), _ground(rng))
    if rng.random() < 0.08:
        result = _lines(result)
    if rng.random() < 0.2:
        result = result.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.2) * size / 128))
    return result


def draw_test_picture(concept: Concept, number: int, size: int) -> Image.Image:
    """Draw a concept in the style kept for evaluation, on white.

    Args:
        concept: what is drawn.
        number: 0 is plain and centred; others differ slightly in size, turn, mirror and place.
        size: pixels to a side.

    Returns:
        An RGB picture.

    """
    rng = random.Random(f"test picture {concept.code} {number}")
    side = max(8, round((0.9 if number == 0 else rng.uniform(0.7, 0.95)) * size))
    picture = drawing(EVALUATION_STYLE, concept, side)
    slack = size - side
    if number == 0:
        return place(picture, size, slack // 2, slack // 2)
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    picture = _turn(picture, rng.uniform(-12, 12))
    return place(picture, size, rng.randint(0, slack), rng.randint(0, slack))


def encode(picture: Image.Image, kind: str) -> bytes:
    """The bytes of a picture file: ``WEBP`` (views) or ``PNG`` (test pictures)."""
    buffer = io.BytesIO()
    if kind == "WEBP":
        picture.save(buffer, kind, quality=QUALITY, method=2)
    else:
        picture.save(buffer, kind)
    return buffer.getvalue()


def _write_views(views: list[View], folder: Path, seed: int, size: int) -> int:
    for view in views:
        (folder / view.file).write_bytes(encode(draw_view(view, seed, size), "WEBP"))
    return len(views)


def write_views(
    views: list[View],
    folder: Path,
    seed: int,
    size: int,
    workers: int,
    advance: Callable[[int], None],
) -> None:
    """Draw views into a folder, a file each; the bytes do not depend on ``workers``.

    Args:
        views: what to draw.
        folder: an existing folder.
        seed: the world's seed.
        size: pixels to a side.
        workers: processes that draw.
        advance: called with the number of views newly written.

    """
    chunks = [views[i : i + 64] for i in range(0, len(views), 64)]
    if workers == 1 or len(views) <= FEW:
        for chunk in chunks:
            advance(_write_views(chunk, folder, seed, size))
        return
    # Spawned, not forked: the caller may already run threads of torch.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_write_views, chunk, folder, seed, size) for chunk in chunks]
        for future in futures:
            advance(future.result())
