"""Readers of videos by the layout that a YAML states."""

from collections.abc import Sequence
from pathlib import Path

from vilax.config.errors import ConfigError
from vilax.config.schema.video import VideoRecords
from vilax.data.formats.files import Lines, Reader
from vilax.data.formats.video import VideoReader, read_names
from vilax.data.formats.video_files import VideoFiles
from vilax.data.formats.video_folder import VideoCaptions
from vilax.data.formats.video_rows import HeldRows, Rows


def open_videos(
    name: str, files: Sequence[Path], layout: VideoRecords, images: Path | None = None
) -> Reader:
    """A reader of videos and of what is said of them.

    Args:
        name: the corpus's name.
        files: annotations; tars or one folder where ``layout.says`` is ``file``.
        layout: how they are read.
        images: folder or tar of the videos; None: the annotations' folder with all below it, and
            tars in it.

    Raises:
        ConfigError: ``images``, or the file that ``layout.names`` names, is not there; or the
            annotations are not of the layout.
    """
    if layout.says == "file":
        return VideoCaptions(name, files, layout.frames, layout.timestamps)
    beside = files[0].parent
    if images is not None and not images.exists():
        raise ConfigError(
            f"corpora.{name}.images={images} does not exist; expected a folder or tar"
        )
    roots = [images] if images is not None else [beside, *sorted(beside.glob("*.tar"))]
    names = None
    if layout.names is not None:
        path = next(
            (r / layout.names for r in (beside, *roots) if (r / layout.names).is_file()), None
        )
        if path is None:
            raise ConfigError(f"names={layout.names}: no such file in {beside}")
        names = read_names(path)
    return VideoReader(name, files, _rows(files, layout), VideoFiles(roots), layout, names)


def _rows(files: Sequence[Path], layout: VideoRecords) -> Rows:
    if layout.columns:
        return HeldRows(files)
    if layout.rows is not None:
        return HeldRows(files, layout.rows)
    if files[0].suffix == ".json":
        from vilax.data.formats.llava import ArrayElements

        return ArrayElements(files)
    if files[0].suffix == ".parquet":
        from vilax.data.formats.parquet import ParquetRows

        return ParquetRows(files)
    return Lines(files)
