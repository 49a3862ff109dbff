"""Greedy generation and likelihood of given continuations, in batches of any prompt lengths."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vilax.models.vlm import VisionLanguageModel


def generate(
    model: VisionLanguageModel,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Float[Tensor, "images tokens d_vision"] | None],
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
) -> list[list[int]]:
    """Greedy continuation of each prompt with a KV cache.

    Args:
        model: in evaluation mode.
        prompts: token ids of each prompt, ``IMAGE_TOKEN`` where a visual token stands.
        features: encoder features of each prompt's pictures; None where it has none.
        max_new_tokens: longest continuation, in tokens.
        stop_ids: tokens that end a continuation; they are not part of it.
        pad_id: id used to fill up finished continuations.

    Returns:
        The new token ids of each prompt.
    """
    longest = max(len(prompt) for prompt in prompts)
    width = model.llm.width
    embeddings = torch.zeros(len(prompts), longest, width, device=model.device)
    mask = torch.zeros(len(prompts), longest, dtype=torch.long, device=model.device)
    with torch.inference_mode():
        for row, (prompt, picture) in enumerate(zip(prompts, features, strict=True)):
            tokens = torch.tensor([list(prompt)], device=model.device)
            # Left padding: the next token of every prompt is then at the same place.
            embeddings[row, longest - len(prompt) :] = model.embed(tokens, picture)[0]
            mask[row, longest - len(prompt) :] = 1
        out = model.llm.net.generate(  # type: ignore[operator]
            inputs_embeds=embeddings,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=list(stop_ids),
            pad_token_id=pad_id,
        )
    stops = set(stop_ids)
    answers: list[list[int]] = []
    for row in out.tolist():
        end = next((at for at, token in enumerate(row) if token in stops), len(row))
        answers.append(row[:end])
    return answers


def score(
    model: VisionLanguageModel,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    features: Sequence[Float[Tensor, "images tokens d_vision"] | None],
    pad_id: int,
) -> list[list[float]]:
    """Log-likelihood of each candidate continuation of each prompt.

    Candidates of one token cost one forward pass per prompt for all of them together.

    Args:
        model: in evaluation mode.
        prompts: token ids of each prompt, ``IMAGE_TOKEN`` where a visual token stands.
        continuations: for each prompt, the token ids of its candidates (none empty).
        features: encoder features of each prompt's pictures; None where it has none.
        pad_id: id used to fill up rows.

    Returns:
        For each prompt and candidate, the sum of its tokens' log-probabilities, in nats.
    """
    with torch.inference_mode():
        if all(len(candidate) == 1 for some in continuations for candidate in some):
            log_probs = _last_log_probs(model, prompts, features, pad_id)
            return [
                log_probs[row, [candidate[0] for candidate in some]].tolist()
                for row, some in enumerate(continuations)
            ]
        rows: list[list[int]] = []
        pictures: list[Tensor | None] = []
        for prompt, some, picture in zip(prompts, continuations, features, strict=True):
            for candidate in some:
                rows.append([*prompt, *candidate])
                pictures.append(picture)
        hidden = _hidden(model, rows, pictures, pad_id)
        scores: list[list[float]] = []
        row = 0
        for prompt, some in zip(prompts, continuations, strict=True):
            here: list[float] = []
            for candidate in some:
                states = hidden[row, len(prompt) - 1 : len(prompt) - 1 + len(candidate)]
                log_probs = model.llm.logits(states).log_softmax(-1)
                index = torch.tensor(list(candidate), device=log_probs.device)[:, None]
                here.append(float(log_probs.gather(1, index).sum()))
                row += 1
            scores.append(here)
        return scores


def _last_log_probs(
    model: VisionLanguageModel,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Tensor | None],
    pad_id: int,
) -> Float[Tensor, "prompts vocab"]:
    hidden = _hidden(model, prompts, features, pad_id)
    last = torch.tensor([len(prompt) - 1 for prompt in prompts], device=hidden.device)
    return model.llm.logits(hidden[torch.arange(len(prompts)), last]).log_softmax(-1)


def _hidden(
    model: VisionLanguageModel,
    rows: Sequence[Sequence[int]],
    features: Sequence[Tensor | None],
    pad_id: int,
) -> Float[Tensor, "rows length width"]:
    longest = max(len(row) for row in rows)
    tokens: Int[Tensor, "rows length"] = torch.full((len(rows), longest), pad_id)
    positions: Int[Tensor, "rows length"] = torch.zeros(len(rows), longest, dtype=torch.long)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = torch.tensor(list(row))
        positions[index, : len(row)] = torch.arange(len(row))
    pictures = [picture for picture in features if picture is not None]
    joined = torch.cat(pictures) if pictures else None
    tokens, positions = tokens.to(model.device), positions.to(model.device)
    return model.llm(model.embed(tokens, joined), positions)  # type: ignore[no-any-return]
