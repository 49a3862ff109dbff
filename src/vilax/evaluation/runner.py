"""Ask a model every task at every number of shots; keep every prompt, answer and score."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from rich.progress import Progress
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from vilax.artifacts.files import write_json, write_text
from vilax.artifacts.identity import VERSIONS
from vilax.artifacts.run_record import versions
from vilax.config.schema.evaluation import CaptionTask, Evaluation, OpenAnswerTask, Task
from vilax.data.document import Document
from vilax.data.prompt import Encoded, PromptEncoder
from vilax.evaluation.few_shot import choose_shots, prompt_document, prompt_text
from vilax.evaluation.items import Item, Split, read_split
from vilax.evaluation.tasks import PROTOCOLS, chance, modality_of, template_of
from vilax.models.decoding import generate, score
from vilax.models.vlm import VisionLanguageModel

Features = Callable[[Sequence[bytes]], Float[Tensor, "images tokens width"]]


@dataclass
class Subject:
    """What is evaluated.

    Attributes:
        model: in evaluation mode.
        tokenizer: the LLM's.
        features: encoder features of picture bytes; None for a text-only model.
    """

    model: VisionLanguageModel
    tokenizer: PreTrainedTokenizerBase
    features: Features | None


@dataclass(frozen=True)
class Asked:
    """One prompt: its item, shots, document and tokens."""

    item: Item
    shots: list[str]
    document: Document
    prompt: Encoded


def evaluate(
    subject: Subject,
    settings: Evaluation,
    tasks: Sequence[str],
    data: Path,
    seed: int,
    folder: Path,
    stage: str,
    visible: bool = False,
) -> dict[str, Any]:
    """Write ``predictions.jsonl`` and ``results.json``; returns the latter's content.

    Args:
        subject: the model.
        settings: tasks and decoding.
        tasks: names of the tasks to ask.
        data: folder of evaluation data.
        seed: seed of the choice of shots.
        folder: where to write.
        stage: identity of what is evaluated.
        visible: show a progress bar.
    """
    began = time.time()
    lines: list[str] = []
    results: dict[str, Any] = {}
    with Progress(disable=not visible) as bar:
        for name in tasks:
            task = settings.tasks[name]
            split = read_split(data, task.split, seed, task.items)
            track = bar.add_task(name, total=len(task.shots))
            scores: dict[str, float] = {}
            prompts: list[str] = []
            for k in task.shots:
                asked = ask(subject, task, split, seed, k)
                answers = answer(subject, task, asked, settings.batch)
                values = PROTOCOLS[task.kind].score([a.item for a in asked], answers)
                scores[str(k)] = sum(values) / len(values) if values else 0.0
                for one, text, value in zip(asked, answers, values, strict=True):
                    prompts.append(prompt_text(one.document))
                    lines.append(_line(name, k, one, text, value))
                bar.advance(track)
            results[name] = {
                "metric": PROTOCOLS[task.kind].metric,
                "scores": scores,
                "items": len(split.items),
                "chance": chance(task, split.items),
                "prompts_sha256": hashlib.sha256("\n".join(prompts).encode()).hexdigest(),
            }
    report = {
        "stage": stage,
        "seed": seed,
        "tasks": results,
        "decoding": {"search": "greedy", "stop": "end of text"},
        "versions": versions() | {"metrics": VERSIONS["evaluation"]},
        "seconds": time.time() - began,
    }
    write_text(folder / "predictions.jsonl", "".join(lines))
    write_json(folder / "results.json", report)
    return report


def ask(subject: Subject, task: Task, split: Split, seed: int, k: int) -> list[Asked]:
    """The prompts of a task at k shots, in the order of the items."""
    encoder = PromptEncoder(subject.tokenizer, subject.model.tokens_per_image)
    asked = []
    for item in split.items:
        shots = choose_shots(item, split.shots, seed, k)
        document = prompt_document(item, shots, split, modality_of(task))
        prompt = encoder.prompt(document, template_of(task))  # type: ignore[arg-type]
        asked.append(Asked(item, [shot.id for shot in shots], document, prompt))
    return asked


def answer(subject: Subject, task: Task, asked: Sequence[Asked], batch: int) -> list[str]:
    """Answers to prompts, in their order; prompts of like length share a batch."""
    encoder = PromptEncoder(subject.tokenizer, subject.model.tokens_per_image)
    order = sorted(range(len(asked)), key=lambda i: len(asked[i].prompt.tokens))
    answers = [""] * len(asked)
    for start in range(0, len(order), batch):
        some = order[start : start + batch]
        prompts = [asked[i].prompt.tokens.tolist() for i in some]
        features = [_features(subject, asked[i].prompt.images) for i in some]
        if PROTOCOLS[task.kind].generates:
            assert isinstance(task, OpenAnswerTask | CaptionTask)
            stops = [int(subject.tokenizer.eos_token_id)]
            found = generate(
                subject.model, prompts, features, task.max_new_tokens, stops, encoder.pad_id
            )
            texts = [
                str(subject.tokenizer.decode(t, skip_special_tokens=True)).strip() for t in found
            ]
        else:
            template = template_of(task)
            options = [asked[i].item.candidates or () for i in some]
            tokens = [
                [encoder.continuation(c, template) for c in group]  # type: ignore[arg-type]
                for group in options
            ]
            values = score(subject.model, prompts, tokens, features, encoder.pad_id)
            texts = [
                group[max(range(len(group)), key=likely.__getitem__)]
                for group, likely in zip(options, values, strict=True)
            ]
        for index, text in zip(some, texts, strict=True):
            answers[index] = text
    return answers


def _features(subject: Subject, images: tuple[bytes, ...]) -> Tensor | None:
    if not images:
        return None
    if subject.features is None:
        raise ValueError("a text-only model was asked about a picture")
    return subject.features(images).to(subject.model.device)


def _line(task: str, k: int, asked: Asked, text: str, value: float) -> str:
    row = {
        "task": task,
        "k": k,
        "id": asked.item.id,
        "prompt": prompt_text(asked.document),
        "answer": text,
        "reference": list(asked.item.answers),
        "score": value,
        "shots": asked.shots,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def set_threads(threads: int) -> None:
    """CPU threads of what follows."""
    torch.set_num_threads(threads)
