"""Few-shot generation: batches with shared shots against transformers' own ``generate``.

``python benchmarks/evaluation.py --to evaluation.json``

Every side answers the same prompts with the same weights on the same cores, in turn.
Encoder features are given to all sides alike. Answers are compared item by item.
"""

import argparse
import logging
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from vilax.artifacts.files import write_json
from vilax.data.document import Document, Image, Segment, Text
from vilax.data.prompt import PromptEncoder
from vilax.evaluation.batches import plan_batches
from vilax.micro.language import vocabulary
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.decoding import generate
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import MlpProjector
from vilax.models.vlm import IMAGE_TOKEN, VisionLanguageModel

SHOTS = 4
NEW_TOKENS = 16
POOL = 64
"""Pictures from which shots are drawn."""

SIZES = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "intermediate_size": 1024,
    "max_position_embeddings": 1024,
}


@dataclass
class Questions:
    """Prompts with the features of their pictures.

    Attributes:
        prompts: token ids.
        pictures: what tells the pictures of a prompt apart.
        groups: what tells the shots of a prompt apart.
        features: encoder features of the pictures.
    """

    prompts: list[list[int]]
    pictures: list[tuple[bytes, ...]]
    groups: list[tuple[int, ...]]
    features: list[Tensor]


Side = Callable[[Questions], list[list[int]]]


def build_model(vocabulary_size: int) -> VisionLanguageModel:
    """A model of random weights, large enough that arithmetic takes most of the time."""
    torch.manual_seed(0)
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 128, layer=-1, grid=4)
    sizes = SIZES | {"vocab_size": vocabulary_size, "initializer_range": 0.05}
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    projector = MlpProjector(encoder.width, llm.width)
    return VisionLanguageModel(encoder, projector, llm).eval()


def ask(model: VisionLanguageModel, encoder: PromptEncoder, items: int, fixed: bool) -> Questions:
    """Questions about a picture each, after four answered ones: the same for all, or drawn."""
    chance = random.Random(1)
    words = [word for word in vocabulary() if word.isalpha()]
    width = model.encoder.width if model.encoder is not None else 0
    seen = torch.randn(POOL + items, model.tokens_per_image, width)
    turns = [
        (" ".join(chance.choices(words, k=chance.randint(4, 12))), chance.choice(words))
        for _ in range(POOL + items)
    ]
    questions = Questions([], [], [], [])
    for item in range(POOL, POOL + items):
        shots = tuple(range(SHOTS)) if fixed else tuple(chance.sample(range(POOL), SHOTS))
        segments: list[Segment] = []
        for number in (*shots, item):
            question, answer = turns[number]
            segments += [Image(b"%d" % number), Text(question, loss=False, role="user")]
            if number != item:
                segments.append(Text(answer, loss=False, role="assistant"))
        prompt = encoder.prompt(Document(str(item), "benchmark", tuple(segments)), "qa")
        questions.prompts.append(prompt.tokens.tolist())
        questions.pictures.append(prompt.images)
        questions.groups.append(shots)
        questions.features.append(seen[[*shots, item]])
    return questions


def ours(model: VisionLanguageModel, stop: int, pad: int, batch: int) -> Side:
    """Batches by length, or by shots, as the runner of evaluations makes them."""

    def answer(asked: Questions) -> list[list[int]]:
        answers: list[list[int]] = [[] for _ in asked.prompts]
        for part in plan_batches(asked.prompts, asked.pictures, asked.groups, batch):
            prompts = [asked.prompts[at] for at in part.indices]
            features = [asked.features[at] for at in part.indices]
            found = generate(model, prompts, features, NEW_TOKENS, [stop], pad, shared=part.shared)
            for at, one in zip(part.indices, found, strict=True):
                answers[at] = one
        return answers

    return answer


def peer(model: VisionLanguageModel, stop: int, pad: int, batch: int) -> Side:
    """``generate`` of transformers on left-padded batches by length; batches of one: one by one."""

    def answer(asked: Questions) -> list[list[int]]:
        answers: list[list[int]] = [[] for _ in asked.prompts]
        order = sorted(range(len(answers)), key=lambda at: len(asked.prompts[at]))
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            found = _peer_batch(model, asked, some, stop, pad)
            for at, one in zip(some, found, strict=True):
                answers[at] = one[: one.index(stop)] if stop in one else one
        return answers

    return answer


def _peer_batch(
    model: VisionLanguageModel, asked: Questions, some: Sequence[int], stop: int, pad: int
) -> list[list[int]]:
    longest = max(len(asked.prompts[at]) for at in some)
    rows = [[pad] * (longest - len(asked.prompts[at])) + asked.prompts[at] for at in some]
    lengths = torch.tensor([len(asked.prompts[at]) for at in some])
    with torch.inference_mode():
        features = torch.cat([asked.features[at] for at in some])
        found: Tensor = model.llm.net.generate(  # type: ignore[operator]
            inputs_embeds=model.embed(torch.tensor(rows), features),
            attention_mask=(torch.arange(longest)[None] >= longest - lengths[:, None]).long(),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=stop,
            pad_token_id=pad,
        )
    return found.tolist()


def operations(model: VisionLanguageModel, asked: Questions, batch: int) -> float:
    """Floating-point operations of the matrix products that our side cannot do without.

    Two for each weight of the blocks and each token (each picture once through the projector, one
    row of logits for each answered token), and four for each channel and pair of tokens.
    """
    blocks = sum(p.numel() for block in model.llm.blocks() for p in block.parameters())
    head = model.llm.embedding.weight.numel()
    projector = sum(p.numel() for p in model.projector.parameters()) if model.projector else 0
    pairs = 2 * SIZES["hidden_size"] * SIZES["num_hidden_layers"]
    total = 0.0
    for part in plan_batches(asked.prompts, asked.pictures, asked.groups, batch):
        start = asked.prompts[part.indices[0]][: part.shared]
        read = [(0, len(start), start.count(IMAGE_TOKEN))]
        for at in part.indices:
            own = asked.prompts[at][part.shared :]
            read.append((len(start), len(own), own.count(IMAGE_TOKEN)))
            read += [(len(start) + len(own) + step, 1, 0) for step in range(NEW_TOKENS - 1)]
            total += 2 * head * NEW_TOKENS
        for before, new, visual in read:
            total += 2 * blocks * new + 2 * projector * visual
            total += pairs * ((before + new) ** 2 - before**2)
    return total


def product_rate() -> float:
    """Floating-point operations a second of a large matrix product, on the same cores."""
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - began)
    return 2 * 1024**3 / best


def measure(sides: dict[str, Side], asked: Questions, batch: int, repeats: int) -> dict[str, Any]:
    """Items a second of each side, and whether answers are the same.

    Sides take turns at every batch, so that other work of the machine meets all alike. The items of
    a batch are of like length, for all sides.
    """
    rates: dict[str, list[float]] = {name: [] for name in sides}
    answers: dict[str, list[list[int]]] = {}
    products: list[float] = []
    plan = plan_batches(asked.prompts, asked.pictures, asked.groups, batch)
    blocks = [part_of(asked, part.indices) for part in plan]
    for side in sides.values():
        side(part_of(asked, range(4)))
    for _ in range(repeats):
        answers = {name: [] for name in sides}
        for some in blocks:
            products.append(product_rate())
            for name, side in sides.items():
                began = time.perf_counter()
                answers[name] += side(some)
                rates[name].append(len(some.prompts) / (time.perf_counter() - began))
    first = next(iter(sides))
    return {
        "operations_per_second": max(products),
        "sides": {
            name: {
                "items_per_second_median": statistics.median(found),
                "items_per_second_best": max(found),
                "ours_is_faster": statistics.median(
                    mine / other for mine, other in zip(rates[first], found, strict=True)
                ),
                "ours_is_faster_best_of_each": max(rates[first]) / max(found),
                "same_answers": sum(
                    mine == other for mine, other in zip(answers[first], answers[name], strict=True)
                ),
                "items_per_second": found,
            }
            for name, found in rates.items()
        },
        "different_answers_among_items": len({tuple(one) for one in answers[first]}),
    }


def part_of(asked: Questions, indices: Sequence[int]) -> Questions:
    """Some of the questions."""
    return Questions(*([values[at] for at in indices] for values in vars(asked).values()))


def run(items: int, batch: int, repeats: int) -> dict[str, Any]:
    """Both kinds of shots, all sides."""
    tokenizer = build_tokenizer()
    stop = int(tokenizer.eos_token_id)
    model = build_model(len(tokenizer))
    encoder = PromptEncoder(tokenizer, model.tokens_per_image)
    sides = {
        "ours": ours(model, stop, encoder.pad_id, batch),
        "transformers, batched": peer(model, stop, encoder.pad_id, batch),
        "transformers, one by one": peer(model, stop, encoder.pad_id, 1),
    }
    found: dict[str, Any] = {
        "items": items,
        "shots": SHOTS,
        "new_tokens": NEW_TOKENS,
        "batch": batch,
        "repeats": repeats,
        "threads": torch.get_num_threads(),
        "sizes": SIZES,
    }
    for name, fixed in (("fixed shots", True), ("shots drawn for each item", False)):
        asked = ask(model, encoder, items, fixed)
        one = measure(sides, asked, batch, repeats)
        limit = items * one["operations_per_second"] / operations(model, asked, batch)
        best = one["sides"]["ours"]["items_per_second_best"]
        one["limit_items_per_second"] = limit
        one["share_of_limit"] = best / limit
        one["prompt_tokens_mean"] = statistics.mean(len(prompt) for prompt in asked.prompts)
        found[name] = one
    return found


def show(found: dict[str, Any], console: Console) -> None:
    """Tables of what was measured."""
    for name in ("fixed shots", "shots drawn for each item"):
        one = found[name]
        table = Table(title=f"{name}: {found['items']} items, {found['shots']} shots")
        for column in ("side", "items/s median", "best", "ours faster by", "by best", "same"):
            table.add_column(column, justify="left" if column == "side" else "right")
        for side, figures in one["sides"].items():
            table.add_row(
                side,
                f"{figures['items_per_second_median']:.1f}",
                f"{figures['items_per_second_best']:.1f}",
                f"{figures['ours_is_faster']:.2f}",
                f"{figures['ours_is_faster_best_of_each']:.2f}",
                f"{figures['same_answers']}/{found['items']}",
            )
        console.print(table)
        console.print(
            f"{one['prompt_tokens_mean']:.0f} tokens a prompt;"
            f" {one['different_answers_among_items']} different answers;"
            f" matrix products at {one['operations_per_second'] / 1e9:.0f} GFLOP/s allow"
            f" {one['limit_items_per_second']:.0f} items/s:"
            f" ours reaches {one['share_of_limit']:.0%} of that\n"
        )


def main() -> None:
    """Read the command line, measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64, help="prompts in one forward pass")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--to", type=Path, help="file for the figures, as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    found = run(options.items, options.batch, options.repeats)
    show(found, Console())
    if options.to is not None:
        write_json(options.to, found)


if __name__ == "__main__":
    main()
