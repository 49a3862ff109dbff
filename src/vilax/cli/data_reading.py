"""What data tools share: a corpus named on the command line, a tokenizer, a progress bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.data.formats import Reader
    from vilax.data.prompt import PromptEncoder


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


def prompt_encoder(name: str, image_tokens: int) -> "PromptEncoder":
    """Documents to tokens, by the tokenizer in a folder, or ``micro``.

    Raises:
        ConfigError: there is no tokenizer.
    """
    from vilax.data.prompt import PromptEncoder

    if name == "micro":
        from vilax.micro.tokenizer import build_tokenizer

        return PromptEncoder(build_tokenizer(), image_tokens)
    from transformers import AutoTokenizer

    folder = str(Path(name).expanduser())
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"--tokenizer {name}: no tokenizer could be read there ({error}); expected micro, or"
            " a folder with tokenizer.json"
        ) from error
    return PromptEncoder(tokenizer, image_tokens)


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
