"""A small evaluation for tests that kill it or share it: ``python resumed.py FOLDER [slow]``."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from vilax.config.schema.evaluation import Evaluation
from vilax.evaluation.evaluate import evaluate
from vilax.evaluation.peers import join_peers
from vilax.evaluation.subject import Subject
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.llm import LanguageModel
from vilax.models.vlm import VisionLanguageModel

SHOTS = ["cat", "dog", "owl", "ant"]


def items(folder: Path) -> None:
    """Text items of the micro world's layout, which a model without pictures can be asked."""
    folder.mkdir(exist_ok=True)
    from tests.evaluation.test_few_shot import item, write

    names = ["bus", "tram", "car", "lion", "tiger", "apple", "pear", "rose", "oak", "pine"]
    shots = [item(f"s-{name}", subject=name, candidates=None, image=None) for name in SHOTS]
    asked = [
        item(
            f"q-{name}",
            subject=name,
            candidates=("mammal", "insect", "bird"),
            shots=tuple(shot.id for shot in shots),
            image=None,
        )
        for name in names
    ]
    from dataclasses import asdict

    write(folder / "words.jsonl", map(asdict, asked))
    write(folder / "words_shots.jsonl", map(asdict, shots))


def main(folder: Path, is_slow: bool) -> None:
    """Evaluate a model of random weights, the same in every process."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": 256, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    model = VisionLanguageModel(None, None, llm).eval()
    peers = join_peers()
    data = folder / f"data-{peers.rank}"
    items(data)
    task = {"kind": "relation", "split": "words", "modality": "text", "shots": [0, 2]}
    settings = Evaluation(tasks={"words": task, "again": task}, batch=3)
    if is_slow:
        slow(llm)
    evaluate(
        Subject(model, tokenizer, None), settings, ["words", "again"], data, 0, folder, "s",
        work=folder / "answers", peers=peers,
    )  # fmt: skip


def slow(llm: LanguageModel) -> None:
    """Leave the test time to kill."""
    logits = llm.logits

    def wait(states: torch.Tensor) -> torch.Tensor:
        time.sleep(0.3)
        return logits(states)

    llm.logits = wait  # type: ignore[method-assign]


def arguments(words: Sequence[str]) -> tuple[Path, bool]:
    return Path(words[1]), "slow" in words


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main(*arguments(sys.argv))
