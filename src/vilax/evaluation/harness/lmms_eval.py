"""A vilax model as lmms-eval sees it: pictures, several pictures, videos.

https://github.com/EvolvingLMMs-Lab/lmms-eval, ``lmms_eval.api.model.lmms`` ("simple" models).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lmms_eval.api.instance import GenerationResult
from lmms_eval.api.model import lmms

from vilax.config.errors import ConfigError
from vilax.config.schema.video import FrameSampling
from vilax.data.document import Document, Image, Role, Segment, Text
from vilax.evaluation.harness.answering import (
    Answerer,
    Asking,
    Greedy,
    read_greedy,
    read_template,
)
from vilax.evaluation.harness.visuals import read_visuals
from vilax.evaluation.subject import Subject

MOST_TOKENS = 1024
"""New tokens of an answer where a task gives no number, as lmms-eval's LLaVA model has it."""

MARK = "<image>"
"""Where a task's text says that a picture, or a video, stands."""

NO_STOP = "\n\n"
"""The harness hands every task's delimiter of shots on as a stop. Its own models do not stop there
either, and an answer may have paragraphs."""

WINDOW = 256
"""Requests whose pictures are in memory at one time."""


class VilaxLmms(lmms):  # type: ignore[misc]
    """Answers lmms-eval's requests.

    Args:
        subject: the model.
        template: how a request becomes a prompt.
        batch: prompts computed together, at most.
        frames: of a video, from its first to its last at equal steps.
        visible: show progress on stderr.

    Raises:
        ConfigError: no such template, or one without questions.
    """

    def __init__(
        self,
        subject: Subject,
        template: str = "vicuna_v1",
        batch: int = 16,
        frames: int = 8,
        visible: bool = False,
    ) -> None:
        super().__init__()
        self.subject, self.template = subject, read_template(template)
        self.frames = FrameSampling(count=frames, rate=None, most=256)
        self._answerer = Answerer(subject, self.template, batch, visible)

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Greedy answer to each request.

        Raises:
            ConfigError: a task samples, or shows what is neither a picture nor a video.
        """
        found: list[str] = []
        for some in _windows(requests):
            asked: list[Asking] = []
            how: list[Greedy] = []
            for request in some:
                context, settings, to_visual, number, task, split = request.args
                doc = self.task_dict[task][split][number]
                asked.append(self._ask(context, to_visual, doc, task))
                own = read_greedy(settings, MOST_TOKENS)
                how.append(replace(own, stops=tuple(s for s in own.stops if s != NO_STOP)))
            found += self._answerer.generate(asked, how)
        return found

    def loglikelihood(self, requests: Sequence[Any]) -> list[Any]:
        """Mean negative log-likelihood of each continuation's tokens, and whether it is greedy.

        The harness's tasks take the choice of the *smallest* number (``api/task.py``), for its own
        models return a loss in spite of the method's name; the smallest one is likeliest.

        Returns:
            A ``GenerationResult`` around each pair: the evaluator of 0.7 turns a bare one into
            text, which its tasks then cannot read.

        Raises:
            ConfigError: a task compares with likelihoods of the choices alone, or shows what is
                neither a picture nor a video.
        """
        found: list[Any] = []
        for some in _windows(requests):
            asked, continuations = [], []
            for request in some:
                if len(request.args) == 2:
                    raise ConfigError(
                        f"{request.task_name}: acc_mutual_info: expected another metric, for the"
                        " harness would take its least likely choice"
                    )
                context, target, to_visual, number, task, split = request.args
                doc = self.task_dict[task][split][number]
                text = target if isinstance(target, str) else str(target(doc))
                asked.append(self._ask(context, to_visual, doc, task))
                continuations.append(self.continuation(text))
            scores = self._answerer.score(asked, continuations)
            found += [
                GenerationResult((-value / max(1, len(tokens)), is_greedy))
                for (value, is_greedy), tokens in zip(scores, continuations, strict=True)
            ]
        return found

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Refused: a vilax prompt is one round.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{requests[0].task_name}: several rounds: expected a task of output_type"
            " generate_until, multiple_choice or loglikelihood"
        )

    def document(self, context: str, visuals: Sequence[Sequence[bytes]]) -> Document:
        """What is asked.

        Args:
            context: the task's text; with as many marks as visuals, these stand there, else first.
            visuals: pictures, or the frames of a video, of each.
        """
        role: Role = "" if self.template == "raw" else "user"
        pieces = context.split(MARK)
        if not visuals or len(pieces) != len(visuals) + 1:
            pieces = [""] * len(visuals) + [context]
        segments: list[Segment] = []
        for number, piece in enumerate(pieces):
            # As training documents have the pieces of a turn, before and after its pictures.
            text = piece.strip() if role else piece
            if text:
                segments.append(Text(text, loss=False, role=role))
            if number < len(visuals):
                segments.extend(Image(data) for data in visuals[number])
        return Document("", "lmms-eval", tuple(segments))

    def continuation(self, text: str) -> tuple[int, ...]:
        """Token ids of a continuation; a space that it begins with is the template's, if any."""
        if self.template != "raw":
            text = text.removeprefix(" ")
        return self.subject.prompts.continuation(text, self.template)

    def _ask(
        self, context: str, to_visual: Callable[[Any], Any] | None, doc: Any, task: str
    ) -> Asking:
        shown = to_visual(doc) if to_visual is not None else None
        in_tiles = not isinstance(self.subject.prompts.tokens_per_image, int)
        visuals = read_visuals(shown, None if in_tiles else self.frames, task)
        encoded = self.subject.prompts.prompt(self.document(context, visuals), self.template)
        return Asking(tuple(encoded.tokens.tolist()), encoded.images, encoded.spans, task)


def _windows(requests: Sequence[Any]) -> list[Sequence[Any]]:
    return [requests[start : start + WINDOW] for start in range(0, len(requests), WINDOW)]
