"""Which judgements are to be made, and which of them the cache lacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.cache import Message, Reply, ReplyCache, Request
from vilax.evaluation.judge.cost import Estimate, tokens
from vilax.evaluation.judge.prompts import JudgePrompt, Protocol, judge_prompt
from vilax.evaluation.judge.protocols import RULES, fields_of, read


@dataclass(frozen=True)
class Job:
    """One judgement.

    Attributes:
        fields: of the answer.
        run: its number.
        places: rows that it is the judgement of; equal answers to equal questions share one.
    """

    fields: Mapping[str, Any]
    run: int
    places: tuple[int, ...]


class Plan:
    """The judgements of one task's predictions.

    Args:
        rows: lines of predictions.jsonl.
        protocol: of the task.
        settings: the judge.
        cache: replies so far.
        again: ask anew where stored replies could not be read.

    Raises:
        ConfigError: predictions lack what the judge must see, or the wording is not to be had.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        protocol: Protocol,
        settings: Judge,
        cache: ReplyCache,
        again: bool = False,
    ) -> None:
        if not rows:
            raise ConfigError("judge: there are no predictions to judge")
        self.rows, self.protocol, self.settings = rows, protocol, settings
        self.cache, self.again = cache, again
        rules = RULES[protocol]
        self.model = settings.model or rules.model
        self.max_tokens = settings.max_tokens or rules.max_tokens
        self.fields = [fields_of(protocol, row) for row in rows]
        self.prompt: JudgePrompt = judge_prompt(protocol, settings.prompt, self.fields)
        self.jobs = self._jobs()

    def request(self, job: Job, ask: int) -> Request:
        """What is asked for a judgement the first, second, ... time."""
        return Request(
            model=self.model,
            messages=self._messages(job.fields, ask),
            temperature=RULES[self.protocol].temperatures[ask - 1],
            max_tokens=self.max_tokens,
            prompt=self.prompt.version,
            run=job.run,
            ask=ask,
        )

    def requests(self, job: Job) -> Iterator[Request]:
        """All that may be asked for a judgement, in order."""
        for ask in range(1, len(RULES[self.protocol].temperatures) + 1):
            yield self.request(job, ask)

    def stored(self, request: Request) -> Reply | None:
        """A stored reply, unless it is one that is to be asked for anew."""
        reply = self.cache.get(request)
        if reply is not None and self.again and read(self.protocol, reply) is None:
            return None
        return reply

    def estimate(self) -> Estimate:
        """What is left to ask."""
        total = Estimate()
        for job in self.jobs:
            total += self._left(job)
        return total

    def _left(self, job: Job) -> Estimate:
        for request in self.requests(job):
            reply = self.stored(request)
            if reply is None:
                return Estimate(1, 0, tokens(request.messages), self.max_tokens)
            if read(self.protocol, reply) is not None:
                break
        return Estimate(stored=1)

    def _messages(self, fields: Mapping[str, Any], ask: int) -> tuple[Message, ...]:
        return self.prompt.messages({**fields, "ask": ask})

    def _jobs(self) -> list[Job]:
        jobs: dict[str, Job] = {}
        for place, fields in enumerate(self.fields):
            for run in range(self.settings.runs):
                job = Job(fields, run, (place,))
                key = self.request(job, 1).key
                if key in jobs:
                    job = replace(jobs[key], places=(*jobs[key].places, place))
                jobs[key] = job
        return list(jobs.values())
