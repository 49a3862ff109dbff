"""Writers of the public on-disk formats: JSON, JSON lines, WebDataset tars.

The same records give the same bytes: members carry no time, owner or random name.
"""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHARD = 4096
"""Samples in a tar."""


def write_jsonl(path: Path, rows: Iterable[Any]) -> int:
    """Write one JSON value a line; returns how many."""
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file with one element of a list a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, list):
        text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in value) + "\n]\n"
    else:
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def _member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_pairs(folder: Path, pairs: Iterable[tuple[str, str]], views: Path) -> int:
    """Write image-text pairs as WebDataset shards in the COYO layout.

    Each sample is ``KEY.webp`` and ``KEY.txt``; ``wids-meta.json`` lists the shards.

    Args:
        folder: receives ``00000.tar`` and so on.
        pairs: file name of a picture, and its text.
        views: folder of the pictures.

    Returns:
        The number of pairs.

    """
    folder.mkdir(parents=True, exist_ok=True)
    loaded: dict[str, bytes] = {}
    shards: list[dict[str, Any]] = []
    tar: tarfile.TarFile | None = None
    count = 0
    try:
        for file, text in pairs:
            if count % SHARD == 0:
                if tar is not None:
                    tar.close()
                shards.append({"url": f"{len(shards):05d}.tar", "nsamples": 0})
                tar = tarfile.open(  # noqa: SIM115 (one of several, closed below)
                    folder / shards[-1]["url"], "w", format=tarfile.USTAR_FORMAT
                )
            assert tar is not None
            if file not in loaded:
                loaded[file] = (views / file).read_bytes()
            _member(tar, f"{count:08d}.webp", loaded[file])
            _member(tar, f"{count:08d}.txt", text.encode())
            shards[-1]["nsamples"] += 1
            count += 1
    finally:
        if tar is not None:
            tar.close()
    write_json(
        folder / "wids-meta.json",
        {"name": folder.name, "wids_version": 1, "shardlist": shards},
    )
    return count
