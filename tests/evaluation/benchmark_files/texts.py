"""MMLU, BBH, DROP."""

import csv
from pathlib import Path

from tests.evaluation.benchmark_files.pictures import dump


def mmlu(root: Path) -> None:
    for subject in ("abstract_algebra", "high_school_us_history"):
        for split, count in (("dev", 5), ("test", 4)):
            path = root / f"mmlu/{split}/{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                for number in range(count):
                    asked = f'What is {number} plus one,\nin "{split}"?'
                    writer.writerow([asked, number, number + 1, "None", "all", "BABCD"[number]])


def bbh(root: Path) -> None:
    for task, target in (("boolean_expressions", "True"), ("word_sorting", "apple pear")):
        examples = [{"input": f"not ( {n} ) is", "target": target} for n in range(3)]
        dump(root / f"bbh/bbh/{task}.json", {"canary": "GUID", "examples": examples})
        path = root / f"bbh/cot-prompts/{task}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = "Q: 1 + 1 is\nA: Let's think step by step.\nSo the answer is 2."
        path.write_text(f"CANARY GUID\n-----\nEvaluate.\n\n{shot}\n\n{shot}\n\n{shot}\n")


def drop(root: Path) -> None:
    date = {"day": "", "month": "", "year": ""}
    kinds = [
        {"number": "3", "date": date, "spans": []},
        {"number": "", "date": date, "spans": ["Tom Brady", "Randy Moss"]},
        {"number": "", "date": {"day": "9", "month": "May", "year": "1945"}, "spans": []},
    ]
    for split in ("dev", "train"):
        found = {}
        for passage in range(2):
            pairs = [
                {
                    "question": f"How many in {split} {passage} {number}?",
                    "answer": answer,
                    "query_id": f"{split}-{passage}-{number}",
                    "validated_answers": [kinds[0]] if split == "dev" else [],
                }
                for number, answer in enumerate(kinds)
            ]
            found[f"nfl_{passage}"] = {
                "passage": "Brady threw three passes.",
                "qa_pairs": pairs,
                "wiki_url": "",
            }
        dump(root / f"drop/drop_dataset_{split}.json", found)
