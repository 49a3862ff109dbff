"""Karpathy's splits of COCO and Flickr30k."""

from pathlib import Path

from tests.evaluation.benchmark_files.pictures import dump, picture


def _sentences(number: int, first: int) -> list[dict[str, object]]:
    raws = [f"A man rides bike number {number}.", "Someone on a red bicycle", "Man, on a bike!"]
    return [
        {
            "tokens": raw.lower().rstrip(".!").split(),
            "raw": raw,
            "imgid": number,
            "sentid": first + place,
        }
        for place, raw in enumerate(raws)
    ]


def coco(root: Path) -> None:
    images = []
    for number, split in enumerate(
        ("test", "test", "val", "train", "restval", "train", "train", "test", "train")
    ):
        folder = "train2014" if split == "train" else "val2014"
        name = f"COCO_{folder}_{391895 + number:012d}.jpg"
        picture(root / "coco" / folder / name, number)
        images.append(
            {
                "filepath": folder,
                "sentids": [3 * number, 3 * number + 1, 3 * number + 2],
                "filename": name,
                "imgid": number,
                "split": split,
                "sentences": _sentences(number, 3 * number),
                "cocoid": 391895 + number,
            }
        )
    dump(root / "captions/dataset_coco.json", {"images": images, "dataset": "coco"})


def flickr30k(root: Path) -> None:
    images = []
    for number, split in enumerate(("test", "test", "val", "train", "train", "train", "train")):
        name = f"{1000092795 + number}.jpg"
        picture(root / "flickr30k/images" / name, number)
        images.append(
            {
                "sentids": [3 * number, 3 * number + 1, 3 * number + 2],
                "imgid": number,
                "sentences": _sentences(number, 3 * number),
                "split": split,
                "filename": name,
            }
        )
    dump(root / "captions/dataset_flickr30k.json", {"images": images, "dataset": "flickr30k"})
