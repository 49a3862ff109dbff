"""Ask a model every task at every number of shots; keep every prompt, answer and score."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vilax.config.errors import ConfigError
from vilax.config.schema.evaluation import Evaluation
from vilax.data.decoding import header
from vilax.data.document import Image
from vilax.data.formats.files import BadSample
from vilax.data.prompt import Encoded
from vilax.evaluation.asking import Ask, Source
from vilax.evaluation.batches import Batch, plan_batches
from vilax.evaluation.few_shot import prompt_text
from vilax.evaluation.journal import Journal, Part
from vilax.evaluation.metrics.accuracy import likeliest
from vilax.evaluation.peers import ALONE, Peers
from vilax.evaluation.subject import Subject
from vilax.models.decoding import generate, score
from vilax.models.views import Visual

WINDOW = 4096
"""Items whose prompts exist at one time; batches are made within one window, so that which prompts
share a batch depends on the items alone."""


@dataclass(frozen=True)
class Asked:
    """One prompt, tokenised.

    Attributes:
        ask: what it was made of.
        prompt: its tokens; keys stand in the place of pictures.
    """

    ask: Ask
    prompt: Encoded


def answer_all(
    subject: Subject,
    settings: Evaluation,
    sources: Sequence[Source],
    seeds: Sequence[int],
    journal: Journal,
    peers: Peers = ALONE,
    visible: bool = False,
) -> None:
    """Answer what the journal does not hold yet; this process's share of it.

    Args:
        subject: the model.
        settings: batch sizes and precision.
        sources: the tasks.
        seeds: seeds of the choice of shots; prompts without shots are asked with the first alone.
        journal: where answers are kept.
        peers: the processes that share the work.
        visible: show a progress bar on stderr.

    Raises:
        ConfigError: the data lack what a task needs, or a prompt is longer than the model's
            context.
    """
    if settings.precision == "bf16":
        subject.halve()
    done = journal.read()
    peers.wait()
    with _progress(visible and peers.rank == 0) as bar:
        for source in sources:
            total = sum(len(source) for _ in parts_of(source, seeds))
            track = bar.add_task(source.name, total=total)
            for part in parts_of(source, seeds):
                known = set(done.get(part, {}))
                bar.advance(track, len(known))
                advance = partial(bar.advance, track)
                _answer_part(subject, settings, source, part, known, journal, peers, advance)
    peers.wait()


def parts_of(source: Source, seeds: Sequence[int]) -> list[Part]:
    """Every number of shots with every seed; without shots a seed changes nothing."""
    return [(source.name, k, seed) for k in source.shots for seed in (seeds if k else seeds[:1])]


def _answer_part(
    subject: Subject,
    settings: Evaluation,
    source: Source,
    part: Part,
    known: set[str],
    journal: Journal,
    peers: Peers,
    advance: Callable[[int], None],
) -> None:
    _, k, seed = part
    number = 0
    for start in range(0, len(source), WINDOW):
        indices = range(start, min(start + WINDOW, len(source)))
        asked = [_tokenise(subject, source, index, k, seed) for index in indices]
        if all(one.ask.id in known for one in asked):
            continue
        _check_length(subject, source, asked)
        for batch in plan_batches(
            [one.prompt.tokens.tolist() for one in asked],
            [list(zip(one.prompt.images, one.prompt.spans, strict=True)) for one in asked],
            [one.ask.group for one in asked],
            settings.batch,
            most_tokens=settings.batch_tokens,
        ):
            number += 1
            some = [asked[index] for index in batch.indices]
            if all(one.ask.id in known for one in some):
                continue
            # Every process makes the same batches; each answers every world-th of them.
            if number % peers.world == peers.rank:
                began = time.monotonic()
                rows = _answer_or_fail(subject, source, some, batch)
                each = (time.monotonic() - began) / len(some)
                journal.write(part, [row | {"seconds": each} for row in rows])
            advance(sum(one.ask.id not in known for one in some))


def _tokenise(subject: Subject, source: Source, index: int, k: int, seed: int) -> Asked:
    ask = source.ask(index, k, seed)
    document = ask.document
    if not isinstance(subject.prompts.tokens_per_image, int):
        document = replace(
            document,
            segments=tuple(
                _sized(subject, source, ask, one) if isinstance(one, Image) else one
                for one in document.segments
            ),
        )
    return Asked(ask, subject.prompts.prompt(document, source.template))


def _sized(subject: Subject, source: Source, ask: Ask, image: Image) -> Image:
    """A picture with its size, on which its number of tokens depends."""
    try:
        size = header(_read(source, ask, image.data))[1:]
    except BadSample:
        # It is read again where the answer is asked for, which then fails with the reason.
        size = (1, 1)
    return replace(image, size=size)


def _answer_or_fail(
    subject: Subject, source: Source, asked: Sequence[Asked], batch: Batch
) -> list[dict[str, Any]]:
    """Answers of a batch; an item whose picture is broken gets none, and says why.

    The others of its batch are then asked one by one, always the same ones, so that a broken file
    costs neither them nor the run.
    """
    try:
        return _answer(subject, source, asked, batch.shared)
    except BadSample as error:
        if len(asked) == 1:
            return [_row(subject, asked[0], asked[0].prompt.images, "") | {"failed": str(error)}]
    rows = []
    for place, one in enumerate(asked):
        rows += _answer_or_fail(subject, source, [one], Batch((batch.indices[place],), 0))
    return rows


def _answer(
    subject: Subject, source: Source, asked: Sequence[Asked], shared: int
) -> list[dict[str, Any]]:
    prompts = [one.prompt.tokens.tolist() for one in asked]
    read = {key: _read(source, one.ask, key) for one in asked for key in one.prompt.images}
    features = _features(subject, asked, read)
    if source.generates:
        answers = _generated(subject, source, prompts, features, shared)
        likely: list[list[float]] = []
    else:
        likely = _likelihoods(subject, source, asked, prompts, features, shared)
        answers = [
            (one.ask.candidates or ())[likeliest(each)]
            for one, each in zip(asked, likely, strict=True)
        ]
    rows = []
    for place, (one, text) in enumerate(zip(asked, answers, strict=True)):
        said = source.clean(text) if source.generates else text
        row = _row(subject, one, [read[key] for key in one.prompt.images], said)
        if source.generates:
            row["raw"] = text
        else:
            row["log_likelihoods"] = dict(zip(one.ask.candidates or (), likely[place], strict=True))
        rows.append(row)
    return rows


def _row(subject: Subject, one: Asked, pictures: Sequence[bytes], answer: str) -> dict[str, Any]:
    """What the journal says of an item."""
    shown = prompt_text(one.prompt, subject.tokenizer)
    digest = hashlib.sha256(shown.encode())
    for data in pictures:
        digest.update(hashlib.sha256(data).digest())
    return {
        "id": one.ask.id,
        "prompt": shown,
        "prompt_sha256": digest.hexdigest(),
        "answer": answer,
        "shots": list(one.ask.shots),
    }


def _read(source: Source, ask: Ask, key: bytes) -> bytes:
    try:
        return ask.pictures[key].read()
    except ConfigError as error:
        raise ConfigError(f"evaluation.tasks.{source.name}: item {ask.id!r}: {error}") from error


def _generated(
    subject: Subject,
    source: Source,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Visual | None],
    shared: int,
) -> list[str]:
    tokenizer = subject.tokenizer

    def text(tokens: Sequence[int]) -> str:
        return str(tokenizer.decode(list(tokens), skip_special_tokens=True))

    def finished(tokens: Sequence[int]) -> bool:
        # Once what is said is cut, more words change nothing.
        said = text(tokens).strip()
        return bool(said) and len(source.clean(said)) < len(said)

    found = generate(
        subject.model,
        prompts,
        features,
        source.max_new_tokens,
        subject.prompts.stops(source.template),
        subject.prompts.pad_id,
        shared=shared,
        finished=finished,
    )
    return [text(one) for one in found]


def _likelihoods(
    subject: Subject,
    source: Source,
    asked: Sequence[Asked],
    prompts: Sequence[Sequence[int]],
    features: Sequence[Visual | None],
    shared: int,
) -> list[list[float]]:
    # After a raw document the answer follows a space, which belongs to its first token.
    space = " " if source.template == "raw" else ""
    tokens = [
        [
            subject.prompts.continuation(space + text, source.template)
            for text in one.ask.candidates or ()
        ]
        for one in asked
    ]
    return score(subject.model, prompts, tokens, features, subject.prompts.pad_id, shared=shared)


def _features(
    subject: Subject, asked: Sequence[Asked], read: Mapping[bytes, bytes]
) -> list[Visual | None]:
    """Features of each prompt's pictures; every picture of the batch is encoded once."""
    if not read:
        return [None] * len(asked)
    if subject.features is None:
        raise ConfigError(
            "evaluation.tasks: a text-only model cannot be asked about pictures:"
            " expected modality=text"
        )
    distinct = {data: index for index, data in enumerate(dict.fromkeys(read.values()))}
    features = subject.features(list(distinct)).to(subject.model.device, subject.dtype)
    place = {key: distinct[data] for key, data in read.items()}
    return [
        features[[place[key] for key in one.prompt.images]] if one.prompt.images else None
        for one in asked
    ]


def _check_length(subject: Subject, source: Source, asked: Sequence[Asked]) -> None:
    longest = max(asked, key=lambda one: len(one.prompt.tokens))
    length = len(longest.prompt.tokens) + (source.max_new_tokens if source.generates else 0)
    if subject.context is not None and length > subject.context:
        raise ConfigError(
            f"evaluation.tasks.{source.name}.shots: item {longest.ask.id!r} with"
            f" {len(longest.ask.shots)} shots takes {length} tokens, answer included: the LLM's"
            f" context has {subject.context}; expected fewer shots"
        )


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
