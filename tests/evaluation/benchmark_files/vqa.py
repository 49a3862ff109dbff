"""VQAv2, OKVQA, TextVQA, VizWiz, GQA."""

from pathlib import Path

from tests.evaluation.benchmark_files.pictures import dump, picture

INFO = {"version": "2.0", "year": 2017, "description": "small copy"}
ASKED = [
    ("What color is the bus?", "red"),
    ("How many dogs are there?", "2"),
    ("Is it sunny?", "yes"),
]


def _coco(root: Path, split: str, count: int) -> list[int]:
    ids = [262148 + 11 * number for number in range(count)]
    for number in ids:
        picture(root / f"coco/{split}/COCO_{split}_{number:012d}.jpg", number)
    return ids


def _people(answer: str, raw: bool = False) -> list[dict[str, object]]:
    said = [answer] * 7 + [f"{answer}.", "not sure", answer.capitalize()]
    if raw:
        return [
            {"answer_id": n, "raw_answer": one, "answer_confidence": "yes", "answer": one.lower()}
            for n, one in enumerate(said, 1)
        ]
    return [
        {"answer": one, "answer_confidence": "maybe", "answer_id": n}
        for n, one in enumerate(said, 1)
    ]


def _split(root: Path, folder: str, names: tuple[str, str], split: str, raw: bool) -> None:
    questions, annotations = [], []
    for image in _coco(root, split, 4):
        for number, (text, answer) in enumerate(ASKED):
            name = 1000 * image + number
            questions.append({"image_id": image, "question": text, "question_id": name})
            annotations.append(
                {
                    "question_type": text.split()[0].lower(),
                    "multiple_choice_answer": answer,
                    "answers": _people(answer, raw),
                    "image_id": image,
                    "answer_type": {"2": "number", "yes": "yes/no"}.get(answer, "other"),
                    "question_id": name,
                }
            )
    shared = {"info": INFO, "task_type": "Open-Ended", "data_type": "mscoco", "license": {}}
    dump(root / folder / names[0], {**shared, "data_subtype": split, "questions": questions})
    # The order of annotations is not that of questions.
    dump(root / folder / names[1], {**shared, "annotations": annotations[::-1]})


def vqav2(root: Path) -> None:
    for split in ("val2014", "train2014"):
        names = (
            f"v2_OpenEnded_mscoco_{split}_questions.json",
            f"v2_mscoco_{split}_annotations.json",
        )
        _split(root, "vqav2", names, split, raw=False)
    ids = _coco(root, "test2015", 3)
    every = [
        {"image_id": image, "question": text, "question_id": 1000 * image + number}
        for image in ids
        for number, (text, _) in enumerate(ASKED)
    ]
    name = "v2_OpenEnded_mscoco_{}_questions.json"
    for split, some in (("test-dev2015", every[:5]), ("test2015", every)):
        dump(root / "vqav2" / name.format(split), {"info": INFO, "questions": some})


def okvqa(root: Path) -> None:
    for split in ("val2014", "train2014"):
        names = (f"OpenEnded_mscoco_{split}_questions.json", f"mscoco_{split}_annotations.json")
        _split(root, "okvqa", names, split, raw=True)


def textvqa(root: Path) -> None:
    for split, first in (("val", 34602), ("train", 0)):
        data, ocr = [], []
        for number in range(6):
            image = f"{split}{number // 2:03d}a1b2c3"
            picture(root / f"textvqa/train_images/{image}.jpg", first + number // 2)
            data.append(
                {
                    "question": f"what brand is number {number}?",
                    "image_id": image,
                    "image_classes": ["Bottle"],
                    "flickr_original_url": "",
                    "flickr_300k_url": "",
                    "image_width": 40,
                    "image_height": 48,
                    "answers": ["nokia"] * 6 + ["nokia phone", "NOKIA", "", "unanswerable"],
                    "question_tokens": ["what", "brand"],
                    "question_id": first + number,
                    "set_name": split,
                }
            )
            if number % 2 == 0:
                ocr.append({"image_id": image, "ocr_tokens": ["NOKIA", "10:30"], "ocr_info": []})
        shared = {"dataset_type": split, "dataset_name": "textvqa", "dataset_version": "0.5.1"}
        dump(root / f"textvqa/TextVQA_0.5.1_{split}.json", {**shared, "data": data})
        dump(root / f"textvqa/TextVQA_Rosetta_OCR_v0.2_{split}.json", {**shared, "data": ocr})


def vizwiz(root: Path) -> None:
    for split, first in (("val", 0), ("train", 100), ("test", 200)):
        rows = []
        for number in range(5):
            image = f"VizWiz_{split}_{number:08d}.jpg"
            picture(root / f"vizwiz/{split}/{image}", first + number)
            row: dict[str, object] = {"image": image, "question": "What is in this can?"}
            if split != "test":
                said = "unanswerable" if number % 3 == 0 else "soup"
                row["answers"] = [{"answer": said, "answer_confidence": "yes"}] * 10
                row["answer_type"] = "unanswerable" if number % 3 == 0 else "other"
                row["answerable"] = int(number % 3 != 0)
            rows.append(row)
        dump(root / f"vizwiz/{split}.json", rows)


def gqa(root: Path) -> None:
    for split in ("testdev", "train"):
        found = {}
        for number in range(6):
            image = f"n{number // 2}{split}"
            picture(root / f"gqa/images/{image}.jpg", number)
            kind = ("query", "verify", "choose")[number % 3]
            found[f"2012{number}{len(split)}"] = {
                "semantic": [{"operation": "select", "dependencies": [], "argument": "dog (1)"}],
                "entailed": [],
                "equivalent": [f"2012{number}"],
                "question": "What is the animal to the left of the tree?",
                "imageId": image,
                "isBalanced": True,
                "groups": {"global": "", "local": "10-dog"},
                "answer": ("dog", "yes", "left")[number % 3],
                "semanticStr": "select: dog (1)",
                "annotations": {"answer": {}, "question": {}, "fullAnswer": {}},
                "types": {"detailed": "categoryThat", "semantic": "rel", "structural": kind},
                "fullAnswer": "The animal is a dog.",
            }
        dump(root / f"gqa/{split}_balanced_questions.json", found)
