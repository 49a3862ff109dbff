"""Questions, pools and tasks made by hand, for tests of what stands as a shot."""

from collections.abc import Sequence
from typing import Any

import torch

from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.validate import validate
from vilax.evaluation.pictures import BytesPicture, Picture
from vilax.evaluation.question import Question


def item(name: str, picture: bytes | Picture | None = b"", **more: Any) -> Question:
    """An item with one picture (``b""``: of its own) or none; ``more`` goes into its record."""
    if isinstance(picture, bytes):
        picture = BytesPicture(picture or name.encode())
    record = {
        "file": "train.json", "question": f"What is {name}?", "answers": (f"a {name}",), **more,
    }  # fmt: skip
    return Question(
        id=name,
        unit=name,
        text=record["question"],
        pictures=() if picture is None else (picture,),
        answers=record["answers"],
        options={},
        candidates=None,
        facts={},
        record=record,
    )


def asked(name: str, picture: bytes | Picture | None = b"", **more: Any) -> Question:
    """A question of the test split."""
    return item(name, picture, **{"file": "test.json"} | more)


def task(few_shot: dict[str, Any] | None = None, **changes: Any) -> BenchmarkTask:
    """A benchmark of questions about pictures."""
    settings = {
        "title": "Things", "cite": "us", "source": "here", "licence": "none", "id": "id",
        "files": {"data": {"path": "test.json"}}, "prompt": "{{ question }}",
        "metric": "accuracy", "shots": [0, 4],
        "few_shot": {"files": {"data": {"path": "train.json"}}, **(few_shot or {})},
    }  # fmt: skip
    return validate(BenchmarkTask, settings | changes)


class Eyes:
    """Vectors of pictures whose bytes are an angle in degrees; counts what it encodes."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, pictures: Sequence[Picture]) -> torch.Tensor:
        data = [picture.read() for picture in pictures]
        self.seen += data
        angles = torch.tensor([float(one) for one in data]).deg2rad()
        return torch.stack([angles.cos(), angles.sin()], dim=-1)
