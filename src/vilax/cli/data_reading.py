"""What data tools share: a corpus named on the command line, a tokenizer, a progress bar."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from vilax.data.formats import Reader
    from vilax.data.prompt import PromptEncoder
    from vilax.data.tiles import TokensPerImage


def check_place(place: str, images: str | None) -> None:
    """Refuse paths that do not exist.

    Raises:
        ConfigError: nothing is there.
    """
    if "://" not in place and not Path(place).expanduser().exists():
        raise ConfigError(f"PATH {place} does not exist; expected a file or folder")
    if images is not None and "://" not in images and not Path(images).expanduser().exists():
        raise ConfigError(f"--images {images} does not exist; expected a folder or tar")


def open_place(place: str, format: str, images: str | None) -> tuple["Reader", Path | None]:
    """A corpus, and where it lies; None for where if that is no local file or folder.

    Raises:
        ConfigError: nothing is there, or it is of no known format.
    """
    from vilax.data.formats import open_corpus
    from vilax.data.storage import place as located

    check_place(place, images)
    path = located(place)
    reader = open_corpus(path.name, path, format, None if images is None else located(images))
    return reader, None if "://" in place else path


SIDES = {"anyres": 336, "internvl": 448}
"""Side of a tile in the releases of LLaVA-NeXT and InternVL, in pixels."""


def add_picture_options(parser: "ArgumentParser", tokens: int) -> None:
    """Options that say how many tokens a picture takes.

    Args:
        parser: gets them.
        tokens: default of a picture's, or of a tile's.
    """
    parser.add_argument(
        "--image-tokens", type=int, default=tokens, metavar="N",
        help="tokens of a picture, or of each of its tiles (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--image-policy", choices=("whole", *SIDES), default="whole",
        help="pictures in tiles: of each as many as its size asks for (whole)",
    )  # fmt: skip
    parser.add_argument(
        "--image-size", type=int, metavar="N",
        help="side of a tile in pixels (anyres: 336, internvl: 448)",
    )  # fmt: skip


def image_tokens(words: "Namespace") -> "TokensPerImage":
    """Tokens of a picture, by the options of ``add_picture_options``.

    Raises:
        ConfigError: an option is out of range, goes with no tiles, or asks for a grid of tokens
            that is no square.
    """
    from vilax.config.schema.model import LLAVA_NEXT, TimmEncoder
    from vilax.data.tiles import Anyres, InternvlTiling, TileTokens, Tiling

    each: int = words.image_tokens
    if each < 1:
        raise ConfigError(f"--image-tokens {each}: expected at least 1")
    if words.image_policy == "whole":
        if words.image_size is not None:
            raise ConfigError(
                f"--image-size {words.image_size} is a tile's: expected --image-policy anyres or"
                " internvl as well"
            )
        return each
    side = SIDES[words.image_policy] if words.image_size is None else words.image_size
    if side < 1:
        raise ConfigError(f"--image-size {side}: expected at least 1")
    tiling: Tiling = InternvlTiling(side, TimmEncoder().max_tiles)
    if words.image_policy == "anyres":
        tiling = Anyres(side, LLAVA_NEXT)
        if math.isqrt(each) ** 2 != each:
            raise ConfigError(
                f"--image-tokens {each} --image-policy anyres: expected a square, such as 576"
            )
    return TileTokens(tiling, each)


def prompt_encoder(name: str, tokens_per_image: "TokensPerImage") -> "PromptEncoder":
    """Documents to tokens, by the tokenizer in a folder, or ``micro``.

    Raises:
        ConfigError: there is no tokenizer.
    """
    from vilax.data.prompt import PromptEncoder

    if name == "micro":
        from vilax.micro.tokenizer import build_tokenizer

        return PromptEncoder(build_tokenizer(), tokens_per_image)
    from vilax.models.tokenizer import read_tokenizer

    folder = str(Path(name).expanduser())
    try:
        tokenizer = read_tokenizer(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"--tokenizer {name}: no tokenizer could be read there ({error}); expected micro, or"
            " a folder with tokenizer.json"
        ) from error
    return PromptEncoder(tokenizer, tokens_per_image)


class Advance(Protocol):
    """Moves a bar on by the number of documents just done, with a word beside it."""

    def __call__(self, number: int, word: str = "") -> None: ...


@contextmanager
def documents_bar(what: str, total: int) -> Iterator["Advance"]:
    """A bar over documents, on a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[word]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total, word="")

        def advance(number: int, word: str = "") -> None:
            bar.update(task, advance=number, word=word)

        yield advance
