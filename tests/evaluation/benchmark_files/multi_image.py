"""miniImageNet, NLVR2, BLINK, MuirBench."""

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from tests.evaluation.benchmark_files.pictures import jpeg, lines, picture

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def mini_imagenet(root: Path) -> None:
    number = 0
    for wnid in ("n01930112", "n01981276", "n02099601", "n02110063"):
        for place in range(7):
            name = f"{wnid}_{place:08d}.{'JPEG' if place else 'jpg'}"
            picture(root / "mini_imagenet/test" / wnid / name, number)
            number += 1
    (root / "mini_imagenet/test/README.txt").write_text("600 pictures of each class")


def _nlvr2(split: str, sets: list[int], folder: Path, directory: int | None) -> list[Any]:
    rows: list[Any] = []
    for number in sets:
        for pair in range(2):
            for side in range(2):
                name = f"{split}-{number}-{pair}-img{side}.png"
                picture(folder / name, 1000 * number + 10 * pair + side)
            for sentence in range(2):
                row: dict[str, Any] = {
                    "validation": {"77": "True"},
                    "sentence": f"All bottles of set {number} are alike ({sentence}).",
                    "left_url": f"https://example.org/{number}/{pair}/left.jpg",
                    "writer": "103",
                    "label": str((pair + sentence) % 2 == 0),
                    "right_url": f"https://example.org/{number}/{pair}/right.jpg",
                    "synset": "beer bottle",
                    "query": "some beer bottles2",
                    "identifier": f"{split}-{number}-{pair}-{sentence}",
                }
                if directory is None:
                    row["extra_validations"] = {"56": "True", "43": "False"}
                else:
                    row["directory"] = directory
                rows.append(row)
    return rows


def nlvr2(root: Path) -> None:
    test = _nlvr2("test1", [189, 342], root / "nlvr2/test1", None)
    lines(root / "nlvr2/data/test1.json", test)
    train: list[Any] = []
    for directory, sets in ((7, [10171, 10172]), (39, [4001])):
        folder = root / f"nlvr2/images/train/{directory}"
        train += _nlvr2("train", sets, folder, directory)
    lines(root / "nlvr2/data/train.json", train)


def _parquet(path: Path, rows: list[dict[str, Any]], schema: pyarrow.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), path)


def _image(number: int) -> dict[str, Any]:
    return {"bytes": jpeg(number), "path": None}


def blink(root: Path) -> None:
    schema = pyarrow.schema(
        [
            ("idx", pyarrow.string()), ("question", pyarrow.string()),
            ("sub_task", pyarrow.string()),
            *((f"image_{number}", IMAGE) for number in range(1, 5)),
            ("choices", pyarrow.list_(pyarrow.string())), ("answer", pyarrow.string()),
            ("prompt", pyarrow.string()), ("explanation", pyarrow.string()),
        ]
    )  # fmt: skip
    tasks = {"Counting": (1, ["0", "3", "2", "1"]), "Jigsaw": (3, ["the second", "the third"])}
    for task, (pictures, choices) in tasks.items():
        for split in ("val", "test"):
            rows = []
            for number in range(1, 4):
                question = f"Which of {number} is it?"
                listed = "\n".join(f"({'ABCD'[at]}) {c}" for at, c in enumerate(choices))
                row = {
                    "idx": f"{split}_{task}_{number}",
                    "question": question,
                    "sub_task": task,
                    "choices": choices,
                    "answer": f"({'AB'[number % 2]})" if split == "val" else "hidden",
                    "prompt": f"Look. {question}\nSelect from the following choices.\n{listed}",
                    "explanation": None,
                }
                for place in range(1, 5):
                    row[f"image_{place}"] = (
                        _image(10 * number + place) if place <= pictures else None
                    )
                rows.append(row)
            _parquet(root / f"blink/{task}/{split}-00000-of-00001.parquet", rows, schema)


def muirbench(root: Path) -> None:
    text = pyarrow.string()
    names = ("idx", "task", "image_relation", "image_type", "question")
    schema = pyarrow.schema(
        [
            *((name, text) for name in names), ("options", pyarrow.list_(text)), ("answer", text),
            ("image_list", pyarrow.list_(IMAGE)), ("counterpart_idx", text),
        ]
    )  # fmt: skip
    none = "None of the choices provided"
    asked = [
        (
            "Visual Retrieval",
            "<image>Which one shows it too?",
            ["<image>", "<image>", none],
            "B",
            3,
        ),
        (
            "Visual Retrieval",
            "<image>Which one shows it too?",
            ["<image>", "<image>", none],
            "C",
            3,
        ),
        ("Counting", "How many dogs in <image> and <image>?", ["2", "3", none], "A", 2),
        ("Counting", "How many dogs in <image> and <image>?", ["4", "5", none], "C", 2),
        ("Ordering", "What comes first?", ["the left", "the right"], "A", 2),
    ]
    rows = []
    for number, (task, question, options, answer, pictures) in enumerate(asked):
        rows.append(
            {
                "idx": str(number),
                "task": task,
                "image_relation": "Ordered_Pages" if number == 4 else "Independent",
                "image_type": "Photography",
                "question": question,
                "options": options,
                "answer": answer,
                "image_list": [_image(10 * number + place) for place in range(pictures)],
                "counterpart_idx": str(number ^ 1) if number < 4 else None,
            }
        )
    _parquet(root / "muirbench/test-00000-of-00002.parquet", rows[:2], schema)
    _parquet(root / "muirbench/test-00001-of-00002.parquet", rows[2:], schema)
