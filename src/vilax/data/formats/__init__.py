"""On-disk formats: one file each, told apart by content."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError, unknown
from vilax.data.formats.coyo import CoyoReader
from vilax.data.formats.files import BadSample, Reader, parse
from vilax.data.formats.flan import FlanReader
from vilax.data.formats.llava import LlavaReader, first_elements
from vilax.data.formats.mmc4 import Mmc4Reader
from vilax.data.formats.parquet import column_names
from vilax.data.formats.text import TextReader

__all__ = ["BadSample", "Reader", "open_corpus", "told_format"]

_READERS: dict[str, Callable[[str, Sequence[Path]], Reader]] = {
    "coyo": CoyoReader,
    "mmc4": Mmc4Reader,
    "llava": LlavaReader,
    "flan": FlanReader,
    "text": TextReader,
}

_FIELDS: dict[str, tuple[str, ...]] = {
    "mmc4": ("text_list", "image_info"),
    "llava": ("conversations",),
    "flan": ("inputs", "targets"),
    "text": ("text",),
}

_EXPECTED = (
    "tars of KEY.jpg + KEY.txt (coyo), or JSON Lines whose objects hold text_list and image_info"
    " (mmc4), conversations (llava, also as a JSON array), inputs and targets (flan, also as"
    " parquet), or text (text)"
)

_LOOKED_AT = 20
_SNIFFED = 1 << 10


def open_corpus(name: str, path: Path, format: str = "auto", images: Path | None = None) -> Reader:
    """A reader of the documents at ``path``.

    Args:
        name: the corpus's name, given to each of its documents.
        path: a file, or a folder of files of one format.
        format: on-disk format; ``auto`` tells it from the content.

    Raises:
        ConfigError: nothing is there, the content is of no known format or of another one than
            ``format``, or it holds no document.
    """
    if format != "auto" and format not in _READERS:
        raise unknown("format", format, ["auto", *_READERS])
    found, files = _look(name, path)
    if format not in ("auto", found):
        raise ConfigError(f"corpora.{name}.format={format}: the content of {path} is {found}")
    reader = _READERS[found](name, files)
    if len(reader) == 0:
        raise ConfigError(f"corpora.{name}.path={path} holds no document in format {found}")
    return reader


def told_format(path: Path) -> str:
    """The format of a file or folder, told from its content.

    Raises:
        ConfigError: nothing is there, or the content is of no known format.
    """
    found, _ = _look(path.name, path)
    return found


def _look(name: str, path: Path) -> tuple[str, list[Path]]:
    """Format of a corpus, and its files."""
    where = f"corpora.{name}.path={path}"
    if not path.exists():
        raise ConfigError(f"{where} does not exist; expected a file or folder")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for suffixes in ((".jsonl", ".jsonl.gz"), (".parquet",), (".json",), (".tar",)):
        some = [file for file in files if file.name.endswith(suffixes) and file.is_file()]
        if suffixes == (".json",):
            some = [file for file in some if _opens_array(file)]
        if some:
            return _tell(where, some), some
    raise ConfigError(f"{where} is of no known format; expected {_EXPECTED}")


def _tell(where: str, files: list[Path]) -> str:
    first = files[0]
    if first.suffix == ".tar":
        return "coyo"
    if first.suffix == ".parquet":
        columns = column_names(files)
        if {"inputs", "targets"} <= set(columns):
            return "flan"
        raise ConfigError(
            f"{where}: parquet with columns {', '.join(columns)}; expected inputs and targets"
        )
    seen: list[str] = []
    for record in islice((r for file in files for r in _first_records(file)), _LOOKED_AT):
        for format, fields in _FIELDS.items():
            if all(field in record for field in fields):
                return format
        seen = seen or list(record)
    raise ConfigError(
        f"{where}: objects with fields {', '.join(seen) or '(none)'}; expected {_EXPECTED}"
    )


def _opens_array(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(_SNIFFED).lstrip().startswith(b"[")


def _first_records(file: Path) -> Iterator[dict[str, Any]]:
    """Some whole objects from a file's beginning; broken ones are left out."""
    if file.suffix == ".json":
        raw = first_elements(file, _LOOKED_AT)
    else:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as opened:
            raw = list(islice(opened, _LOOKED_AT))
    for line in raw:
        try:
            yield parse(file.name, line)
        except BadSample:
            continue
