"""POPE and MME."""

from pathlib import Path

from tests.evaluation.benchmark_files.pictures import lines, picture


def pope(root: Path) -> None:
    for subset in ("random", "popular", "adversarial"):
        rows = []
        for number in range(12):
            image = f"COCO_val2014_{310196 + number // 6:012d}.jpg"
            picture(root / "coco/val2014" / image, number // 6)
            rows.append(
                {
                    "question_id": number + 1,
                    "image": image,
                    "text": f"Is there a {('dog', 'snowboard')[number % 2]} in the image?",
                    "label": ("yes", "no")[number % 2],
                }
            )
        lines(root / f"pope/coco_pope_{subset}.json", rows)


def mme(root: Path) -> None:
    for task in ("existence", "color", "commonsense_reasoning"):
        for number in range(2):
            stem = f"{number:012d}"
            picture(root / f"mme/{task}/{stem}.jpg", number)
            _two(root / f"mme/{task}/{stem}.txt")
    # Some tasks keep pictures and texts apart.
    picture(root / "mme/landmark/images/tower.png", 7)
    _two(root / "mme/landmark/questions_answers_YN/tower.txt")


def _two(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = "Is there a bus in this image?  Please answer yes or no."
    other = "Is there a cat in this image? Please answer yes or no."
    path.write_text(f"{asked}\tYes\n{other}\tNo\n", encoding="utf-8")
