"""VILA's pickled shards, as its own scripts write them."""

import base64
import pickle
from pathlib import Path
from typing import Any

from tests.data.writers import page, picture


def encoded(number: int, form: str = "jpeg") -> str:
    """A picture in base64."""
    return base64.b64encode(picture(number, form)).decode()


def pair(number: int, **more: Any) -> dict[str, Any]:
    """A record of COYO."""
    facts = {"id": number, "url": f"http://example.org/{number}", "similarity": 0.25}
    return {"text": f"caption {number}", "image": encoded(number), **facts, **more}


def merged_page(number: int) -> dict[str, Any]:
    """A record of MMC4 with its pictures inside."""
    names = [(f"{number}a.png", 0), (f"{number}b.png", 1)]
    pictures = [picture(number), picture(number + 1)]
    return page([f"one {number} .", "two ."], names, pictures)


def question(number: int, pictures: int = 1, **more: Any) -> dict[str, Any]:
    """A record of VFLAN."""
    held: Any = [encoded(number + n) for n in range(pictures)]
    image = held[0] if pictures == 1 else held
    return {"question": f"what {number} ?\n", "answer": f"a {number}", "image": image, **more}


def write_shard(
    path: Path, records: list[Any], count: int | None = None, protocol: int = 4
) -> Path:
    """A shard and the file that says how many records it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(records, protocol))
    path.with_suffix(".count").write_text(str(len(records) if count is None else count))
    return path
