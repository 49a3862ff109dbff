"""A model whose likelihoods are known: it says what it was told each picture shows."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor
from transformers import LlamaConfig
from transformers.cache_utils import Cache

IMAGE_TOKEN = -200
TOKENS = 2


class Knowing:
    """Stands for a VisionLanguageModel: logits are 5 for the token its last picture shows, 3 for
    the last text token's follower, 0 elsewhere; after either, end of text.

    Args:
        vocabulary: number of tokens.
        eos: end of text.
        follows: which token to expect after which, in text.
    """

    device = torch.device("cpu")
    tokens_per_view = TOKENS

    def __init__(self, vocabulary: int, eos: int, follows: Mapping[int, int] | None = None) -> None:
        self.vocabulary, self.eos, self.follows = vocabulary, eos, follows or {}
        self.projector = None
        self.rows: list[int] = []
        self.llm = _Llm(self)

    def embed(self, tokens: Tensor, features: Tensor | None) -> Tensor:
        """One-hot text; features stand at places of pictures, marked by 2 instead of 1."""
        text = torch.nn.functional.one_hot(tokens.clamp(min=0), self.vocabulary).float()
        at = tokens == IMAGE_TOKEN
        assert int(at.sum()) == (0 if features is None else features.shape[0] * features.shape[1])
        if features is not None:
            text[at] = 2 * features.reshape(-1, self.vocabulary)
        return text


class _Embedding:
    def __init__(self, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self.weight = torch.zeros(1)

    def __call__(self, tokens: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(tokens.clamp(min=0), self.vocabulary).float()


class _Llm:
    """What it has read lies in the cache, as keys, so that rows may leave and branch."""

    def __init__(self, model: Knowing) -> None:
        self.model = model
        self.width = model.vocabulary
        self.has_experts = False
        self.embedding = _Embedding(model.vocabulary)
        self.net = SimpleNamespace(config=LlamaConfig(num_hidden_layers=1))

    def decoder(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor,
        past_key_values: Cache,
        **_: object,
    ) -> SimpleNamespace:
        self.model.rows.append(inputs_embeds.shape[0])
        read, _values = past_key_values.update(inputs_embeds[:, None], inputs_embeds[:, None], 0)
        rows = [self._row(*each) for each in zip(read[:, 0], attention_mask, strict=True)]
        return SimpleNamespace(last_hidden_state=torch.stack(rows)[:, -inputs_embeds.shape[1] :])

    def _row(self, read: Tensor, mask: Tensor) -> Tensor:
        hidden = torch.zeros_like(read)
        seen = None
        for at in range(read.shape[0]):
            if not mask[at]:
                continue
            token = int(read[at].argmax())
            if seen == token and float(read[at].max()) == 1:
                # It has said what it saw: end of text.
                hidden[at, self.model.eos] = 6.0
            if float(read[at].max()) == 2:
                seen = token
            if seen is not None:
                hidden[at, seen] = 5.0
            if token in self.model.follows:
                hidden[at, self.model.follows[token]] = 3.0
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden


class Eyes:
    """Features of pictures whose bytes are the word they show; counts what it is asked for."""

    def __init__(self, words: Mapping[str, int], vocabulary: int) -> None:
        self.words, self.vocabulary = words, vocabulary
        self.calls: list[list[bytes]] = []

    def __call__(self, pictures: Sequence[bytes]) -> Tensor:
        self.calls.append(list(pictures))
        tokens = torch.tensor([self.words[data.decode()] for data in pictures])
        one_hot = torch.nn.functional.one_hot(tokens, self.vocabulary).float()
        return one_hot[:, None].expand(-1, TOKENS, -1)
