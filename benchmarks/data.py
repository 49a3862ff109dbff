"""Delivery of pictures: the stream against bare decoding, and against map-style loading.

``python benchmarks/data.py --to data.json``

1. Packed rows with pixels from a stream, against the same cores doing nothing but decoding the same
   pictures and resizing them.
2. Documents from a stream, against a map-style dataset as LLaVA trains with it: a DataLoader whose
   workers open a file, call transformers' own image processor, tokenise a conversation, find the
   answers' tokens again, and pad a batch.

All sides run in turn, several rounds, on the same number of worker processes.
"""

import argparse
import io
import itertools
import json
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from vilax.artifacts.files import write_json
from vilax.config.schema.data import Blend
from vilax.data.engine import CorpusSource, Stream
from vilax.data.feed import Feed
from vilax.data.formats import open_corpus
from vilax.data.images import ImageTransform
from vilax.data.pictures import Squared
from vilax.data.prompt import PromptEncoder
from vilax.micro.language import vocabulary
from vilax.micro.tokenizer import build_tokenizer

SIDE = 336
VISUAL = 144
LENGTH = 4096
BATCH = 8
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
TRANSFORM = ImageTransform(size=SIDE, policy="resize", mean=MEAN, std=STD)


def photo(rng: np.random.Generator, width: int, height: int) -> bytes:
    """A JPEG with the detail of a photograph: smooth colours, edges, and grain."""
    coarse = rng.integers(0, 255, (height // 64 + 2, width // 64 + 2, 3), dtype=np.uint8)
    base = PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC)
    grain = rng.normal(0, 12, (height, width, 1))
    pixels = np.clip(np.asarray(base, dtype=np.float32) + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "jpeg", quality=90)
    return file.getvalue()


def write_corpora(folder: Path, count: int, width: int, height: int) -> list[bytes]:
    """The same pictures as tars of pairs and as a LLaVA JSON with files beside it."""
    rng = np.random.default_rng(0)
    words = vocabulary()
    pictures = [photo(rng, width, height) for _ in range(count)]
    (folder / "chat" / "images").mkdir(parents=True)
    (folder / "pairs").mkdir()
    records = []
    with tarfile.open(folder / "pairs" / "00000.tar", "w") as tar:
        for number, data in enumerate(pictures):
            caption = " ".join(rng.choice(words, 24))
            for name, content in ((f"{number:05d}.jpg", data), (f"{number:05d}.txt", caption)):
                raw = content if isinstance(content, bytes) else content.encode()
                info = tarfile.TarInfo(name)
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))
            (folder / "chat" / "images" / f"{number:05d}.jpg").write_bytes(data)
            turns = [{"from": "human", "value": "<image>\nwhat is this ?"}]
            turns += [{"from": "gpt", "value": caption}]
            record = {"id": str(number), "image": f"{number:05d}.jpg", "conversations": turns}
            records.append(record)
    (folder / "chat" / "chat.json").write_text(json.dumps(records))
    return pictures


def stream_of(folder: Path, name: str, workers: int) -> Feed:
    """Ours: rows with squared pixels."""
    blend = Blend(corpora={name: 1.0}, shuffle_buffer=200, packing_buffer=64, streams=workers)
    template = "vicuna_v1" if name == "chat" else "raw"

    def build(number: int) -> Stream:
        sources = {name: CorpusSource(open_corpus(name, folder / name), template)}  # type: ignore[arg-type]
        encoder = PromptEncoder(build_tokenizer(), VISUAL)
        noted = folder / "quarantine.jsonl"
        return Stream(sources, blend, encoder, LENGTH, 0, number, noted, prepare=Squared(TRANSFORM))

    return Feed(build, list(range(workers)), 1, workers)


def decoded(data: bytes) -> tuple[int, ...]:
    """Nothing but decoding and resizing."""
    picture = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(picture.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC)).shape


class MapStyle(Dataset):  # type: ignore[type-arg]
    """A conversation and its picture by index, as LLaVA's training code has it."""

    def __init__(self, folder: Path, processor: Any, tokenizer: Any) -> None:
        self.records = json.loads((folder / "chat" / "chat.json").read_text())
        self.images = folder / "chat" / "images"
        self.processor = processor
        self.tokenizer = tokenizer

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self.records[index]
        picture = PIL.Image.open(self.images / record["image"]).convert("RGB")
        pixels = self.processor.preprocess(picture, return_tensors="pt")["pixel_values"][0]
        asked, answer = (turn["value"] for turn in record["conversations"])
        whole = self.tokenizer(f"USER: {asked} ASSISTANT: {answer}</s>").input_ids
        given = len(self.tokenizer(f"USER: {asked} ASSISTANT:").input_ids)
        labels = [-100] * given + whole[given:]
        return {"tokens": torch.tensor(whole), "labels": torch.tensor(labels), "pixels": pixels}


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Padded to the longest."""
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "tokens": pad([item["tokens"] for item in items], batch_first=True),
        "labels": pad([item["labels"] for item in items], batch_first=True, padding_value=-100),
        "pixels": torch.stack([item["pixels"] for item in items]),
    }


def map_style(folder: Path, workers: int) -> Iterator[int]:
    """Documents of each batch."""
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor(size={"height": SIDE, "width": SIDE}, do_center_crop=False)
    dataset = MapStyle(folder, processor, build_tokenizer())
    loader = DataLoader(
        dataset, BATCH, shuffle=True, num_workers=workers, collate_fn=collate, prefetch_factor=2
    )
    while True:
        for batch in loader:
            yield len(batch["pixels"])


def timed(draw: Callable[[], int], warm: int, least: int) -> float:
    """Units per second after a warm-up."""
    done = 0
    while done < warm:
        done += draw()
    began, done = time.perf_counter(), 0
    while done < least:
        done += draw()
    return done / (time.perf_counter() - began)


def ours(folder: Path, name: str, workers: int, count: int) -> float:
    """Pictures a second (each document has one), in one tensor of eight-bit pixels: the model's
    device normalises them."""
    feed = stream_of(folder, name, workers)
    squared = Squared(TRANSFORM)

    def draw() -> int:
        rows = [row for some in next(feed).values() for row in some]
        pictures = [picture for row in rows for picture in row.images]
        squared.batch(pictures)
        return len(pictures)

    try:
        return timed(draw, 200, count)
    finally:
        feed.close()


def squared(data: bytes) -> tuple[int, ...]:
    """The same as the stream does it, which checks pictures and resizes by torch's kernel."""
    torch.set_num_threads(1)
    return TRANSFORM.squared(data)[0].shape


def bare(
    pictures: list[bytes], workers: int, count: int, work: Callable[[bytes], tuple[int, ...]]
) -> float:
    """Pictures a second by processes that only decode and resize."""
    with get_context("fork").Pool(workers) as pool:
        results = pool.imap_unordered(work, itertools.cycle(pictures), chunksize=8)
        rate = timed(lambda: bool(next(results)), 64, count)
        pool.terminate()
    return rate


def rounds(
    width: int, height: int, pictures: int, workers: int, count: int, number: int
) -> dict[str, list[float]]:
    """Pictures a second of every side in every round."""
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        written = write_corpora(folder, pictures, width, height)
        for _ in range(number):
            found = {
                "decode and resize only (Pillow)": bare(written, workers, count, decoded),
                "decode and resize only (ours)": bare(written, workers, count, squared),
                "stream of pairs": ours(folder, "pairs", workers, count),
                "stream of chats": ours(folder, "chat", workers, count),
                "map-style, transformers": peer(folder, workers, count),
            }
            for side, rate in found.items():
                rates.setdefault(side, []).append(rate)
    return rates


def main() -> None:
    """Run all sides in turn and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--to", metavar="FILE", help="write the figures here as JSON")
    parser.add_argument("--pictures", type=int, default=200, help="different pictures")
    parser.add_argument("--count", type=int, default=400, help="pictures timed in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    words = parser.parse_args()
    console = Console()
    facts: dict[str, Any] = {"workers": words.workers, "count": words.count}
    for label, width, height in (("640 x 480", 640, 480), ("1 megapixel", 1152, 896)):
        rates = rounds(width, height, words.pictures, words.workers, words.count, words.rounds)
        table = Table(title=f"{label}, {words.workers} workers, {words.rounds} rounds")
        for heading in ("side", "pictures/s median", "of Pillow", "of map-style"):
            table.add_column(heading, justify="left" if heading == "side" else "right")
        median = {side: statistics.median(found) for side, found in rates.items()}
        for side, rate in median.items():
            of_bare = rate / median["decode and resize only (Pillow)"]
            of_peer = rate / median["map-style, transformers"]
            table.add_row(side, f"{rate:.0f}", f"{of_bare:.2f}", f"{of_peer:.2f}")
        console.print(table)
        facts[label] = {"rates": rates, "median": median}
    if words.to:
        write_json(Path(words.to), facts)


def peer(folder: Path, workers: int, count: int) -> float:
    """Documents a second of map-style loading."""
    batches = map_style(folder, workers)
    return timed(lambda: next(batches), 64, count)


if __name__ == "__main__":
    main()
