"""Files beside those that a corpus is read from."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from vilax.data.lint.findings import Finding

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
VIDEOS = (".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v", ".flv", ".mpg", ".mpeg", ".gifv")
BESIDE = (".idx", ".md", ".yaml", ".yml", ".log", ".sha256", ".md5", ".lock", ".py", ".sh")
"""Extensions that lie beside data and are no data."""

NAMES = ("readme", "license", "licence", "notice", "citation", "dataset_info.json", "manifest")

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
LISTS = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


def other_files(path: Path, shards: Collection[str]) -> Iterator[Finding]:
    """Files of a folder that are not read, cannot be opened, or hold nothing.

    Pictures and videos are the samples' own; so are archives beside annotations that name them.

    Args:
        path: the corpus's file or folder.
        shards: names of the files that documents come from.
    """
    if not path.is_dir():
        return
    are_lists = any(name.endswith(LISTS) for name in shards)
    read = ", ".join(sorted(shards)[:3]) + (", ..." if len(shards) > 3 else "")
    for file in _files(path):
        name = str(file.relative_to(path))
        if file.name in shards or name in shards:
            if file.stat().st_size == 0:
                yield Finding("warning", "empty-file", name, "", "the file is empty")
            continue
        lower = file.name.lower()
        if lower.startswith((".", *NAMES)) or lower.endswith((*PICTURES, *VIDEOS, *BESIDE)):
            continue
        if lower.endswith("_stats.json") or (are_lists and lower.endswith(ARCHIVES)):
            continue
        wrong = _unreadable(file)
        if wrong:
            yield Finding("error", "unreadable-file", name, "", wrong)
        elif file.stat().st_size == 0:
            yield Finding("warning", "empty-file", name, "", "the file is empty")
        else:
            said = f"not read: the corpus is read from {read or 'no file'}; expected one format"
            yield Finding("warning", "other-file", name, "", said)


def _files(path: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(folder) / name


def _unreadable(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        return f"cannot be opened: {error.strerror or error}"
    return ""
