"""LLaVA-Bench in the wild and MM-Vet."""

from pathlib import Path

from tests.evaluation.benchmark_files.pictures import dump, lines, picture


def llava_bench(root: Path) -> None:
    folder = root / "llava_bench"
    questions, answers, contexts = [], [], []
    for number, kind in enumerate(("conv", "detail", "complex", "conv")):
        image = f"{number // 2 + 1:03d}.jpg"
        picture(folder / "images" / image, number // 2)
        questions.append(
            {"question_id": number, "image": image, "text": "What is this place?", "category": kind}
        )
        answers.append(
            {
                "question_id": number,
                "text": "A volcano in Hawaii.",
                "answer_id": f"x{number}",
                "model_id": "gpt-4",
                "metadata": {},
            }
        )
        if number % 2 == 0:
            contexts.append({"image": image, "caption": "A crater beside the sea."})
    lines(folder / "questions.jsonl", questions)
    lines(folder / "answers_gpt4.jsonl", answers)
    lines(folder / "context.jsonl", contexts)
    rule = {"role": "Assistant", "prompt": "Rate both from 1 to 10."}
    kinds = ("conv", "detail", "complex")
    dump(folder / "rule.json", {f"llava_bench_{kind}": rule for kind in kinds} | {"coding": rule})


def mm_vet(root: Path) -> None:
    found = {}
    for number in range(4):
        image = f"v1_{number // 2}.png"
        picture(root / "mm_vet/images" / image, number // 2)
        found[f"v1_{number}"] = {
            "imagename": image,
            "question": "What is x in the equation?",
            "answer": "-1<AND>-5" if number % 2 else "red<OR>dark red",
            "imagesource": "https://example.org/x.png",
            "capability": ["ocr", "math"] if number % 2 else ["rec"],
        }
    dump(root / "mm_vet/mm-vet.json", found)
