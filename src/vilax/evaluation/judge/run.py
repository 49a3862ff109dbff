"""Put answers to the judge, several at a time; keep every reply as it comes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.cache import Reply, ReplyCache
from vilax.evaluation.judge.endpoint import Endpoint, Failure
from vilax.evaluation.judge.patience import Clock, Patience
from vilax.evaluation.judge.plan import Job, Plan
from vilax.evaluation.judge.prompts import Protocol
from vilax.evaluation.judge.protocols import fault, read
from vilax.evaluation.judge.summary import summarise


@dataclass(frozen=True)
class Verdict:
    """The outcome of one judgement.

    Attributes:
        score: what the judge said, parsed; None where it stays unscored.
        replies: all that it said, in order.
        reason: why there is no score.
        troubles: what failed on the way, by name.
    """

    score: Any
    replies: tuple[Reply, ...] = ()
    reason: str | None = None
    troubles: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """What a judge made of one task's predictions.

    Attributes:
        lines: of judgements.jsonl, one for each prediction and run.
        summary: ``tasks.<name>.judge`` of results.json.
    """

    lines: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]

    @property
    def unscored(self) -> list[Mapping[str, Any]]:
        """Lines without a score."""
        return [line for line in self.lines if line["parsed"] is None]


def judge_predictions(
    rows: Sequence[Mapping[str, Any]],
    protocol: Protocol,
    settings: Judge,
    cache: ReplyCache,
    *,
    asker: Patience | None = None,
    again: bool = False,
    visible: bool = False,
) -> Judged:
    """Score one task's predictions by a judge; what the cache holds is not asked again.

    Args:
        rows: lines of predictions.jsonl, of all numbers of shots and seeds.
        protocol: of the task, ``judge_protocol`` in results.json.
        settings: the judge.
        cache: replies so far; every new one is added at once.
        asker: who asks; one may serve several tasks, so that a dead endpoint is noticed once.
        again: ask anew where stored replies could not be read.
        visible: show a progress bar on stderr.

    Raises:
        ConfigError: predictions lack what the judge must see, the wording is not to be had, or
            there is no key for OpenAI.
    """
    plan = Plan(rows, protocol, settings, cache, again)
    if asker is None and plan.estimate().calls:
        asker = Patience(Endpoint(settings), settings, Clock())
    return carry_out(plan, asker, visible)


def carry_out(plan: Plan, asker: Patience | None, visible: bool = False) -> Judged:
    """Make the judgements of a plan.

    Args:
        plan: what to ask.
        asker: who asks; None where the cache holds all.
        visible: show a progress bar on stderr.
    """
    verdicts: dict[tuple[int, int], Verdict] = {}
    name = str(plan.rows[0].get("task", ""))
    with _progress(visible) as bar, ThreadPoolExecutor(plan.settings.parallel) as pool:
        track = bar.add_task(name, total=len(plan.jobs))
        futures = {pool.submit(_judge, plan, job, asker): job for job in plan.jobs}
        try:
            for done in as_completed(futures):
                job = futures[done]
                verdicts |= {(place, job.run): done.result() for place in job.places}
                bar.advance(track)
        except BaseException:
            # Requests under way end first, so that replies that are paid for are kept.
            if asker is not None:
                asker.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    lines = [
        _line(plan, place, run, verdicts[place, run])
        for place in range(len(plan.rows))
        for run in range(plan.settings.runs)
    ]
    return Judged(lines, summarise(plan, lines))


def _judge(plan: Plan, job: Job, asker: Patience | None) -> Verdict:
    replies: list[Reply] = []
    troubles: Counter[str] = Counter()
    for request in plan.requests(job):
        reply = plan.stored(request)
        if reply is None:
            assert asker is not None
            try:
                reply = asker.reply(request)
            except Failure as failure:
                troubles.update(failure.met)
                return Verdict(None, tuple(replies), str(failure.trouble), troubles)
            plan.cache.put(request, reply, asker.clock.wall())
        replies.append(reply)
        troubles.update(reply.troubles)
        score = read(plan.protocol, reply)
        if score is not None:
            return Verdict(score, tuple(replies), None, troubles)
    return Verdict(None, tuple(replies), fault(replies[-1]), troubles)


def _line(plan: Plan, place: int, run: int, verdict: Verdict) -> dict[str, Any]:
    row = plan.rows[place]
    last = verdict.replies[-1] if verdict.replies else None
    return {
        "task": row["task"],
        "k": row["k"],
        "seed": row["seed"],
        "id": row["id"],
        "run": run,
        "model": plan.model,
        "served": last.model if last else None,
        "prompt": plan.prompt.version,
        "raw": last.text if last else None,
        "earlier": [reply.text for reply in verdict.replies[:-1]],
        "faults": [fault(r) for r in verdict.replies if read(plan.protocol, r) is None],
        "attempts": len(verdict.replies),
        "parsed": verdict.score,
        "unscored": verdict.reason,
        "troubles": dict(sorted(verdict.troubles.items())),
        "tokens": [
            sum(reply.tokens_in for reply in verdict.replies),
            sum(reply.tokens_out for reply in verdict.replies),
        ],
    }


def _progress(visible: bool) -> Progress:
    return Progress(
        TextColumn("[bold]judging {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not visible,
    )
