"""Ask a model every task at every number of shots; keep every prompt, answer and score."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from vilax.artifacts.files import write_json, write_text
from vilax.artifacts.identity import VERSIONS
from vilax.artifacts.run_record import versions
from vilax.config.errors import ConfigError
from vilax.config.schema.evaluation import Evaluation, Task
from vilax.data.prompt import Encoded, PromptEncoder
from vilax.evaluation.few_shot import choose_shots, prompt_document, prompt_text
from vilax.evaluation.items import DEVELOPMENT_SEED, Item, Split, read_split
from vilax.evaluation.metrics.accuracy import likeliest
from vilax.evaluation.tasks import (
    PROTOCOLS,
    chance,
    check_items,
    clean_answer,
    modality_of,
    new_tokens,
    template_of,
)
from vilax.models.decoding import generate, score
from vilax.models.vlm import VisionLanguageModel

Features = Callable[[Sequence[bytes]], Float[Tensor, "images tokens width"]]
"""Encoder features of picture bytes, in their order. It is asked for a picture again by every batch
that shows it, so it should remember what it has encoded."""


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

    @cached_property
    def prompts(self) -> PromptEncoder:
        """The prompt code of training, for this model's pictures."""
        return PromptEncoder(self.tokenizer, self.model.tokens_per_image)


@dataclass(frozen=True)
class Asked:
    """One prompt.

    Attributes:
        item: what is asked.
        shots: ids of its shots, in order.
        prompt: its tokens and pictures.
        text: the prompt, decoded, with ``<image>`` marks.
    """

    item: Item
    shots: list[str]
    prompt: Encoded
    text: str


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
        visible: show a progress bar on stderr.

    Raises:
        ConfigError: the data lack what a task needs, or a prompt is longer than the model's
            context.
    """
    began = time.time()
    lines: list[str] = []
    results: dict[str, Any] = {}
    with _progress(visible) as bar:
        for name in tasks:
            task = settings.tasks[name]
            split = read_split(data, task.split, seed, task.items)
            check_items(name, task, split)
            track = bar.add_task(name, total=len(split.items) * len(task.shots))
            scores: dict[str, float] = {}
            digest = hashlib.sha256()
            for k in task.shots:
                asked = ask(subject, task, split, seed, k)
                _check_length(subject, name, task, asked)
                answers = answer(subject, task, asked, settings.batch, partial(bar.advance, track))
                values = PROTOCOLS[task.kind].score([a.item for a in asked], answers)
                scores[str(k)] = fmean(values)
                for one, text, value in zip(asked, answers, values, strict=True):
                    digest.update(one.text.encode())
                    for picture in one.prompt.images:
                        digest.update(hashlib.sha256(picture).digest())
                    lines.append(_line(name, k, one, text, value))
            results[name] = {
                "metric": PROTOCOLS[task.kind].metric,
                "rule": PROTOCOLS[task.kind].rule,
                "split": task.split,
                "template": template_of(task),
                "scores": scores,
                "items": len(split.items),
                "chance": chance(task, split.items),
                "prompts_sha256": digest.hexdigest(),
            }
    report = {
        "stage": stage,
        "seed": seed,
        "development": seed >= DEVELOPMENT_SEED,
        "tasks": results,
        "decoding": {
            "search": "greedy",
            "stop": "end of text; cut at a line break or at the template's next turn",
            "max_new_tokens": {name: new_tokens(settings.tasks[name]) for name in tasks},
        },
        "versions": versions() | {"metrics": VERSIONS["evaluation"]},
        "seconds": time.time() - began,
    }
    write_text(folder / "predictions.jsonl", "".join(lines))
    write_json(folder / "results.json", report)
    return report


def ask(subject: Subject, task: Task, split: Split, seed: int, k: int) -> list[Asked]:
    """The prompts of a task at k shots, in the order of the items."""
    encoder = subject.prompts
    asked = []
    for item in split.items:
        shots = choose_shots(item, split.shots, seed, k)
        document = prompt_document(item, shots, split, modality_of(task))
        prompt = encoder.prompt(document, template_of(task))
        text = prompt_text(prompt, subject.tokenizer, encoder.tokens_per_image)
        asked.append(Asked(item, [shot.id for shot in shots], prompt, text))
    return asked


def answer(
    subject: Subject,
    task: Task,
    asked: Sequence[Asked],
    batch: int,
    advance: Callable[[int], None] = lambda _: None,
) -> list[str]:
    """Answers to prompts, in their order; prompts of like length share a batch.

    Args:
        subject: the model.
        task: decides between generation and ranking.
        asked: the prompts.
        batch: prompts in one forward pass.
        advance: called with the number just answered.
    """
    order = sorted(range(len(asked)), key=lambda i: len(asked[i].prompt.tokens))
    answers = [""] * len(asked)
    for start in range(0, len(order), batch):
        some = [asked[i] for i in order[start : start + batch]]
        texts = (_generated if PROTOCOLS[task.kind].generates else _ranked)(subject, task, some)
        for index, text in zip(order[start : start + batch], texts, strict=True):
            answers[index] = text
        advance(len(some))
    return answers


def _generated(subject: Subject, task: Task, asked: Sequence[Asked]) -> list[str]:
    encoder = subject.prompts
    prompts = [one.prompt.tokens.tolist() for one in asked]
    stops = [int(subject.tokenizer.eos_token_id)]
    pictures = _features(subject, asked)
    found = generate(subject.model, prompts, pictures, new_tokens(task), stops, encoder.pad_id)
    texts = [str(subject.tokenizer.decode(one, skip_special_tokens=True)) for one in found]
    return [clean_answer(text, template_of(task)) for text in texts]


def _ranked(subject: Subject, task: Task, asked: Sequence[Asked]) -> list[str]:
    encoder = subject.prompts
    prompts = [one.prompt.tokens.tolist() for one in asked]
    options = [one.item.candidates or () for one in asked]
    tokens = [[_continuation(encoder, task, one) for one in group] for group in options]
    pictures = _features(subject, asked)
    found = score(subject.model, prompts, tokens, pictures, encoder.pad_id)
    return [group[likeliest(likely)] for group, likely in zip(options, found, strict=True)]


def _continuation(encoder: PromptEncoder, task: Task, candidate: str) -> tuple[int, ...]:
    template = template_of(task)
    # In a raw document the answer follows a space, which belongs to its first token.
    return encoder.continuation(f" {candidate}" if template == "raw" else candidate, template)


def _features(subject: Subject, asked: Sequence[Asked]) -> list[Tensor | None]:
    """Features of each prompt's pictures; every picture of the batch is encoded once."""
    pictures = list(dict.fromkeys(data for one in asked for data in one.prompt.images))
    if not pictures:
        return [None] * len(asked)
    if subject.features is None:
        raise ConfigError(
            "evaluation.tasks: a text-only model cannot be asked about pictures:"
            " expected modality=text"
        )
    features = subject.features(pictures).to(subject.model.device)
    place = {data: index for index, data in enumerate(pictures)}
    return [
        features[[place[data] for data in one.prompt.images]] if one.prompt.images else None
        for one in asked
    ]


def _check_length(subject: Subject, name: str, task: Task, asked: Sequence[Asked]) -> None:
    config = getattr(subject.model.llm.net, "config", None)
    limit = getattr(config, "max_position_embeddings", None)
    longest = max(asked, key=lambda one: len(one.prompt.tokens))
    length = len(longest.prompt.tokens) + new_tokens(task)
    if limit is not None and length > limit:
        raise ConfigError(
            f"evaluation.tasks.{name}.shots: item {longest.item.id!r} with {len(longest.shots)}"
            f" shots takes {length} tokens, answer included: the LLM's context has {limit};"
            " expected fewer shots"
        )


def _line(task: str, k: int, asked: Asked, text: str, value: float) -> str:
    row = {
        "task": task,
        "k": k,
        "id": asked.item.id,
        "subject": asked.item.subject,
        "prompt": asked.text,
        "answer": text,
        "reference": list(asked.item.answers),
        "score": value,
        "shots": asked.shots,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _progress(visible: bool) -> Progress:
    return Progress(
        TextColumn("[bold]evaluating {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not visible,
    )


def set_threads(threads: int) -> None:
    """CPU threads of what follows."""
    torch.set_num_threads(threads)
