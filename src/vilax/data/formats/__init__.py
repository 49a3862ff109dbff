"""On-disk formats: containers give records, layouts make documents of them; told by content."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.format import Format, VideoFormat
from vilax.data.formats.coyo import PICTURES, CoyoReader
from vilax.data.formats.documents import DocumentsReader, holds_documents
from vilax.data.formats.files import BadSample, Lines, Reader, parse, unpacked
from vilax.data.formats.flan import FlanReader
from vilax.data.formats.layout import find_format, shipped, told_by
from vilax.data.formats.llava import ArrayElements, LlavaReader, first_elements
from vilax.data.formats.mmc4 import Mmc4Reader
from vilax.data.formats.parquet import ParquetRows, column_names
from vilax.data.formats.records import RecordReader, Rows
from vilax.data.formats.tar import members, split_name
from vilax.data.formats.text import TextReader

__all__ = ["BUILT_IN", "BadSample", "Reader", "open_corpus", "told_format"]

BUILT_IN = ("coyo", "documents", "mmc4", "llava", "flan", "text")
"""Formats with a reader of their own; the others are YAML in ``conf/format``."""

_FIELDS: dict[str, tuple[str, ...]] = {
    "mmc4": ("text_list", "image_info"),
    "llava": ("conversations",),
    "flan": ("inputs", "targets"),
    "text": ("text",),
}

_EXPECTED = (
    "tars of KEY.jpg + KEY.txt (coyo), or JSON Lines, a JSON array or parquet whose records hold"
    " text_list and image_info (mmc4), conversations (llava), inputs and targets (flan), text"
    " (text), or the fields of a file in conf/format"
)

VIDEOS = (".mp4", ".webm", ".mkv", ".avi", ".mov")
"""Endings of videos."""

_LOOKED_AT = 20
_SNIFFED = 1 << 10


def open_corpus(name: str, path: Path, format: str = "auto", images: Path | None = None) -> Reader:
    """A reader of the documents at ``path``.

    Args:
        name: the corpus's name, given to each of its documents.
        path: a file, or a folder of files of one format.
        format: on-disk format: ``auto`` tells it from the content; else a name, or a YAML file.
        images: folder or tar in which pictures and videos lie; None: beside the annotations.

    Raises:
        ConfigError: nothing is there, the content is of no known format or of another one than
            ``format``, or it holds no document.
    """
    where = f"corpora.{name}.path={path}"
    if images is not None and not images.exists():
        raise ConfigError(
            f"corpora.{name}.images={images} does not exist; expected a folder or tar"
        )
    if format == "auto" or format in BUILT_IN:
        found, files = _look(where, path)
        if format not in ("auto", found):
            raise ConfigError(f"corpora.{name}.format={format}: the content of {path} is {found}")
        layout = None if found in BUILT_IN else shipped()[found]
    else:
        layout, found = find_format(format, BUILT_IN), format
        files = [path] if layout.kind == "video" else _look(where, path, told=False)[1]
        if not path.exists():
            raise ConfigError(f"{where} does not exist; expected a file or folder")
    reader = _open(name, found, layout, files, images)
    if len(reader) == 0:
        raise ConfigError(f"corpora.{name}.path={path} holds no document in format {found}")
    return reader


def told_format(path: Path) -> str:
    """The format of a file or folder, told from its content.

    Raises:
        ConfigError: nothing is there, or the content is of no known format.
    """
    return _look(str(path), path)[0]


def _open(
    name: str, found: str, layout: Format | None, files: list[Path], images: Path | None
) -> Reader:
    match found:
        case "coyo":
            return CoyoReader(name, files)
        case "documents":
            return DocumentsReader(name, files)
        case "mmc4":
            return Mmc4Reader(name, files, images=images)
        case "llava":
            return LlavaReader(name, files, images)
        case "flan":
            return FlanReader(name, files)
        case "text":
            return TextReader(name, files)
    assert layout is not None
    if isinstance(layout, VideoFormat):
        from vilax.data.formats.video_open import open_videos

        return open_videos(name, _video_files(files[0], layout), layout.records, images)
    beside = files[0].parent
    roots = [images] if images is not None else [beside, *sorted(beside.glob("*.tar"))]
    return RecordReader(name, _rows(files), files, layout, roots)


def _rows(files: Sequence[Path]) -> Rows:
    if files[0].suffix == ".parquet":
        return ParquetRows(files)
    return ArrayElements(files) if files[0].suffix == ".json" else Lines(files)


def _video_files(path: Path, layout: VideoFormat) -> list[Path]:
    """Files of annotations; a folder that is walked counts as one."""
    if not path.is_dir():
        return [path]
    if layout.records.says == "file":
        return sorted(path.glob("*.tar")) or [path]
    for suffixes in ((".jsonl", ".jsonl.gz"), (".json",), (".txt",)):
        some = sorted(file for file in path.iterdir() if file.name.endswith(suffixes))
        if some:
            return some
    return [path]


def _look(where: str, path: Path, told: bool = True) -> tuple[str, list[Path]]:
    """Format of a corpus, and its files."""
    if not path.exists():
        raise ConfigError(f"{where} does not exist; expected a file or folder")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for suffixes in ((".jsonl", ".jsonl.gz"), (".parquet",), (".json",), (".tar",)):
        some = [file for file in files if file.name.endswith(suffixes) and file.is_file()]
        if suffixes == (".json",):
            some = [file for file in some if _opens_array(file)]
        if some:
            return _tell(where, some) if told else "", some
    if path.is_dir() and any(file.suffix.lower() in VIDEOS for file in path.rglob("*")):
        return "video_captions", [path]
    raise ConfigError(f"{where} is of no known format; expected {_EXPECTED}")


def _tell(where: str, files: list[Path]) -> str:
    first = files[0]
    if first.suffix == ".tar":
        return _tell_tar(first)
    seen: list[str] = []
    if first.suffix == ".parquet":
        records = [dict.fromkeys(column_names(files))]
    else:
        every = (record for file in files for record in _first_records(file))
        records = list(islice(every, _LOOKED_AT))
    for record in records:
        found = told_by(set(record))
        fitting = [n for n, fields in _FIELDS.items() if set(fields) <= set(record)]
        if found is not None and (
            not fitting or len(shipped()[found].requires) > len(_FIELDS[fitting[0]])
        ):
            return found
        if fitting and (first.suffix != ".parquet" or fitting[0] == "flan"):
            return fitting[0]
        seen = seen or list(record)
    raise ConfigError(
        f"{where}: records with fields {', '.join(seen) or '(none)'}; expected {_EXPECTED}"
    )


def _tell_tar(path: Path) -> str:
    """Told by the files of an archive's first keys."""
    extensions = {split_name(m.name)[1] for m in islice(members(path), _LOOKED_AT)}
    if any(f".{extension}" in VIDEOS for extension in extensions):
        return "video_captions"
    if not extensions & set(PICTURES) and holds_documents(path):
        return "documents"
    return "coyo"


def _opens_array(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(_SNIFFED).lstrip().startswith(b"[")


def _first_records(file: Path) -> Iterator[dict[str, Any]]:
    """Some whole objects from a file's beginning; broken ones are left out."""
    if file.suffix == ".json":
        raw = first_elements(file, _LOOKED_AT)
    else:
        with unpacked(file) as opened:
            raw = list(islice(opened, _LOOKED_AT))
    for line in raw:
        try:
            yield parse(file.name, line)
        except BadSample:
            continue
