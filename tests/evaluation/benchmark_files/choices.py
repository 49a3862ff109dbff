"""ScienceQA, MMBench, SEED-Bench, MMMU."""

import base64
import csv
from pathlib import Path

import pyarrow
import pyarrow.parquet

from tests.evaluation.benchmark_files.pictures import dump, jpeg, picture, video


def science_qa(root: Path) -> None:
    problems = {}
    for number in range(8):
        has_image = number % 2 == 0
        split = "test" if number < 5 else "train"
        problems[str(number + 1)] = {
            "question": "Which of these states is farthest north?",
            "choices": ["West Virginia", "Louisiana", "Arizona", "Oklahoma"][: 2 + number % 3],
            "answer": number % 2,
            "hint": "Look at the map." if has_image else "",
            "image": "image.png" if has_image else None,
            "task": "closed choice",
            "grade": "grade2",
            "subject": ("social science", "natural science")[number % 2],
            "topic": "geography",
            "category": "Geography",
            "skill": "Read a map",
            "lecture": "Maps have four directions.",
            "solution": "North is up.",
            "split": split,
        }
        if has_image:
            picture(root / f"scienceqa/images/{split}/{number + 1}/image.png", number)
    dump(root / "scienceqa/problems.json", problems)
    dump(root / "scienceqa/pid_splits.json", {"test": ["1", "2", "3", "4", "5"], "train": ["6"]})


COLUMNS = [
    "index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "source",
    "l2-category", "comment", "split",
]  # fmt: skip


def _mmbench(path: Path, question: str, options: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t")
        writer.writeheader()
        for number in range(3):
            image = base64.b64encode(jpeg(number)).decode()
            texts = options[: 2 + number]
            for turn in range(len(texts)):
                turned = texts[-turn:] + texts[:-turn] if turn else texts
                index = 241 + number + 1_000_000 * turn
                cells = dict(zip("ABCD", turned + [""] * (4 - len(turned)), strict=True))
                writer.writerow(
                    {
                        "index": index,
                        "question": question,
                        "hint": "The passage below\nhas two lines." if number == 1 else "",
                        **cells,
                        "answer": "ABCD"[turned.index(texts[0])],
                        "category": ("identity_reasoning", "ocr")[number % 2],
                        "image": image if turn == 0 else str(241 + number),
                        "source": "scienceqa",
                        "l2-category": ("attribute_reasoning", "finegrained")[number % 2],
                        "comment": "",
                        "split": "dev",
                    }
                )


def mmbench(root: Path) -> None:
    path = root / "mmbench/mmbench_dev_20230712.tsv"
    _mmbench(path, "Which picture is it?", ["a dog", "None", '=1+1 "so"', "a cat"])


def mmbench_cn(root: Path) -> None:
    path = root / "mmbench/mmbench_dev_cn_20231003.tsv"
    _mmbench(path, "这是什么", ["一只狗", "一只猫", "一辆车", "一棵树"])


def seed_bench(root: Path) -> None:
    questions: list[dict[str, object]] = []
    for number in range(4):
        path = root / f"seed_bench/SEED-Bench-image/1454426_{number}.jpg"
        picture(path, number)
        path.rename(path.with_suffix(""))
        questions.append(
            {
                "answer": "ABCD"[number],
                "choice_a": "One", "choice_b": "Two", "choice_c": "Three", "choice_d": "Four",
                "data_id": f"1454426_{number}",
                "data_type": "image",
                "question": "How many towels are in the image?",
                "question_id": str(101669 + number),
                "question_type_id": 1 + number % 2,
            }
        )  # fmt: skip
    for number, name in enumerate(("P01/P01_11.mp4", "173718.webm")):
        video(root / "seed_bench/video" / name)
        asked: dict[str, object] = {
            "answer": "A",
            "choice_a": "Open", "choice_b": "Close", "choice_c": "Take", "choice_d": "Put",
            "data_id": name.removesuffix(".webm"),
            "data_type": "video",
            "question": "What action is shown?",
            "question_id": f"v{10 + number}",
            "question_type_id": 10 + number,
        }  # fmt: skip
        if number == 0:
            asked["segment"] = [0.4, 1.4]
        questions.append(asked)
    types = {"Scene Understanding": 1, "Instance Identity": 2, "Action Recognition": 10}
    dump(root / "seed_bench/SEED-Bench.json", {"question_type": types, "questions": questions})


def mmmu(root: Path) -> None:
    for subject in ("Accounting", "Art_Theory"):
        rows = []
        for number in range(3):
            is_open = number == 2
            row = {
                "id": f"validation_{subject}_{number + 1}",
                "question": "<image 1> Which one follows <image 2>?"
                if number
                else "What is <image 1>?",
                "options": "[]"
                if is_open
                else "['$6', 'a \"tower\"', '<image 3>']"
                if number
                else "['$6', '$7']",
                "explanation": "",
                "topic_difficulty": "Medium",
                "question_type": "open" if is_open else "multiple-choice",
                "answer": "['8.4', 'eight']" if is_open else "B",
                "subfield": "Financial Accounting",
                "img_type": "['Tables']",
            }
            # The third picture of a short answer is called by nobody.
            shown = 1 if number == 0 else 3
            for place in range(1, 8):
                data = {"bytes": jpeg(place), "path": f"{place}.png"} if place <= shown else None
                row[f"image_{place}"] = data
            rows.append(row)
        path = root / f"mmmu/{subject}/validation-00000-of-00001.parquet"
        path.parent.mkdir(parents=True)
        kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        names = [name for name in rows[0] if not name.startswith("image_")]
        fields = [(name, pyarrow.string()) for name in names]
        schema = pyarrow.schema([*fields, *((f"image_{n}", kind) for n in range(1, 8))])
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), path)
