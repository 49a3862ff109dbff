"""A vilax model as lm-eval sees it: the text side.

https://github.com/EleutherAI/lm-evaluation-harness, ``lm_eval.api.model.LM``.
"""

import logging
from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import LM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from vilax.config.errors import ConfigError
from vilax.data.document import Document, Text
from vilax.evaluation.harness.answering import (
    Answerer,
    Asking,
    Greedy,
    read_greedy,
    read_template,
)
from vilax.evaluation.subject import Subject

MOST_TOKENS = 256
"""New tokens of an answer where a task gives no number, as lm-eval's own models have it."""

LOG = logging.getLogger(__name__)


class VilaxLM(LM):  # type: ignore[misc]
    """Answers lm-eval's requests.

    Under ``raw`` a context is what it is in lm-eval's own models: the text continues, and context
    and continuation are split after they are tokenised as one. Under another template the context
    is what a user said and the continuation the answer; a space that it begins with is the
    template's. What is longer than the LLM's context loses its first tokens, but BOS stays.

    Args:
        subject: the model.
        template: how a context becomes a prompt.
        batch: prompts computed together, at most.
        visible: show progress on stderr.

    Raises:
        ConfigError: no such template, or one without questions.
    """

    def __init__(
        self,
        subject: Subject,
        template: str = "raw",
        batch: int = 16,
        visible: bool = False,
    ) -> None:
        super().__init__()
        self.subject, self.template = subject, read_template(template)
        self._answerer = Answerer(subject, self.template, batch, visible)
        self._shortened = 0
        bos = subject.tokenizer.bos_token_id
        self._first = [] if bos is None else [int(bos)]
        self._start = int(subject.tokenizer.eos_token_id if bos is None else bos)

    @property
    def tokenizer_name(self) -> str:
        """Tells request caches of different tokenizers apart."""
        return self.subject.prompts.fingerprint()

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Log-likelihood of each request's continuation, and whether it is the greedy one."""
        asked, continuations = [], []
        for request in requests:
            context, continuation = self.split(*request.args)
            asked.append(self._ask(request, self._fit(context, len(continuation) - 1)))
            continuations.append(continuation)
        found = self._answerer.score(asked, continuations)
        self._keep("loglikelihood", requests, found)
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Log-likelihood of whole texts, in windows of the model's context."""
        prompts = self.subject.prompts
        asked, continuations, owners = [], [], []
        for owner, request in enumerate(requests):
            tokens = list(prompts.text(request.args[0]))
            size = self.subject.context or max(1, len(tokens))
            for window in get_rolling_token_windows(tokens, self._start, size, 1):
                context, continuation = make_disjoint_window(window)
                asked.append(self._ask(request, context))
                continuations.append(continuation)
                owners.append(owner)
        found = [0.0] * len(requests)
        scores = self._answerer.score(asked, continuations)
        for owner, (value, _) in zip(owners, scores, strict=True):
            found[owner] += value
        self._keep("loglikelihood_rolling", requests, found)
        return found

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Greedy answer to each request, up to the first of its stops.

        Raises:
            ConfigError: a task samples, or asks for answers as long as the LLM's context.
        """
        asked: list[Asking] = []
        how: list[Greedy] = []
        for request in requests:
            context, settings = request.args
            own = read_greedy(settings, MOST_TOKENS)
            asked.append(self._ask(request, self._fit(self.prompt(context), own.most)))
            how.append(own)
        found = self._answerer.generate(asked, how)
        self._keep("generate_until", requests, found)
        return found

    def prompt(self, context: str) -> list[int]:
        """Token ids of a context."""
        if self.template == "raw":
            # Something must be there to say the first token.
            return [*self._first, *self.subject.prompts.text(context)] or [self._start]
        said = Text(context.strip(), loss=False, role="user")
        document = Document("", "lm-eval", (said,))
        tokens: list[int] = self.subject.prompts.prompt(document, self.template).tokens.tolist()
        return tokens

    def split(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Token ids of a context and of what is to follow it."""
        prompts = self.subject.prompts
        if self.template != "raw":
            following = prompts.continuation(continuation.removeprefix(" "), self.template)
            return self.prompt(context), list(following)
        # A space between the two belongs to the word that follows it.
        bare = context.rstrip()
        whole = [*self._first, *prompts.text(context + continuation)]
        start = [*self._first, *prompts.text(bare)]
        return start or [self._start], whole[len(start) :]

    def _ask(self, request: Any, tokens: Sequence[int]) -> Asking:
        return Asking(tuple(tokens), (), (), request.task_name)

    def _fit(self, tokens: list[int], following: int) -> list[int]:
        """The last of the tokens, so that what follows fits into the context too."""
        context = self.subject.context
        if context is None or len(tokens) + following <= context:
            return tokens
        room = context - following - len(self._first)
        if room < 1:
            raise ConfigError(
                f"{following} tokens are to follow a prompt: the LLM's context has {context};"
                " expected a smaller max_gen_toks"
            )
        if not self._shortened:
            LOG.warning("prompts longer than the context of %d tokens lose their start", context)
        self._shortened += 1
        return [*self._first, *tokens[-room:]]

    def _keep(self, kind: str, requests: Sequence[Any], found: Sequence[Any]) -> None:
        for request, one in zip(requests, found, strict=True):
            self.cache_hook.add_partial(kind, request.args, one)
