"""A model whose likelihoods are known: it says what it was told each picture shows."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

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
    tokens_per_image = TOKENS

    def __init__(self, vocabulary: int, eos: int, follows: Mapping[int, int] | None = None) -> None:
        self.vocabulary, self.eos, self.follows = vocabulary, eos, follows or {}
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


class _Llm:
    def __init__(self, model: Knowing) -> None:
        self.model = model
        self.width = model.vocabulary
        self.net = SimpleNamespace(generate=self.generate)

    def __call__(self, embeddings: Tensor, positions: Tensor) -> Tensor:
        self.model.rows.append(embeddings.shape[0])
        hidden = torch.zeros_like(embeddings)
        for row in range(embeddings.shape[0]):
            seen = None
            for at in range(embeddings.shape[1]):
                token = int(embeddings[row, at].argmax())
                if float(embeddings[row, at].max()) == 2:
                    seen = token
                if seen is not None:
                    hidden[row, at, seen] = 5.0
                if token in self.model.follows:
                    hidden[row, at, self.model.follows[token]] = 3.0
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden

    def generate(self, inputs_embeds: Tensor, pad_token_id: int, **_: object) -> Tensor:
        last = self(inputs_embeds, torch.zeros(1))[:, -1].argmax(-1, keepdim=True)
        return torch.cat([last, torch.full_like(last, self.model.eos)], dim=1)


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
