"""Generation and likelihood of given continuations, in batches of any prompt lengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.cache_utils import Cache

from vilax.models.cache import branch, empty_cache, has_positions, select, spread, write_to
from vilax.models.sampling import Pick, greedy
from vilax.models.views import Visual, joined, tokens_of
from vilax.models.vlm import IMAGE_TOKEN, VisionLanguageModel

LEAVING = 8
"""Finished rows leave once they are one in so many: leaving copies the cache of those that stay."""

PIECE = {"cpu": 1024}
"""Prompt tokens that are read at one time, by device: what lies between two layers then stays in
the processor's cache, which is worth a third of the time."""

LARGE_PIECE = 16384
"""The same elsewhere: enough for large matrix products, and a bound on their memory."""

BRANCHES = 32
"""Candidates in one forward pass, at least; more where more prompts were in one."""


@dataclass
class _Read:
    """Prompts that the model has read, aligned at their ends.

    Attributes:
        hidden: final state of each prompt's last token.
        cache: keys and values of all positions.
        mask: 0 where a row is padding.
        lengths: tokens of each row; the position of the next one.
    """

    hidden: Float[Tensor, "rows width"]
    cache: Cache
    mask: Int[Tensor, "rows length"]
    lengths: Int[Tensor, " rows"]


def generate(
    model: VisionLanguageModel,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Visual | None],
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
    *,
    shared: int = 0,
    finished: Callable[[Sequence[int]], bool] | None = None,
    pick: Pick = greedy,
) -> list[list[int]]:
    """Continuation of each prompt with a KV cache; rows that are done leave the batch.

    Args:
        model: in evaluation mode.
        prompts: token ids of each prompt, ``IMAGE_TOKEN`` where a visual token stands.
        features: encoder features of each prompt's pictures, [images, tokens, d_vision] or views;
            None where it has none.
        max_new_tokens: longest continuation, in tokens.
        stop_ids: tokens that end a continuation; they are not part of it.
        pad_id: id used to fill up rows.
        shared: so many first tokens, and the pictures in them, are the same for all prompts; they
            are computed once. Each prompt has more than these.
        finished: asked with a row's new tokens after each one; True ends the continuation there.
        pick: chooses the next token of each row.

    Returns:
        The new token ids of each prompt.

    Raises:
        ValueError: the prompts do not begin with ``shared`` same tokens and go on from there, or
            the first of them end within a picture.
    """
    answers: list[list[int]] = [[] for _ in prompts]
    if not prompts or max_new_tokens < 1:
        return answers
    stops = set(stop_ids)
    with torch.inference_mode():
        read = _read(model, prompts, features, shared, pad_id)
        # Number of the prompt in each row of the batch; None once it is done.
        rows: list[int | None] = list(range(len(prompts)))
        while True:
            following = pick(model.llm.logits(read.hidden))
            for place, token in enumerate(following.tolist()):
                row = rows[place]
                if row is None:
                    continue
                if token in stops:
                    rows[place] = None
                    continue
                answer = answers[row]
                answer.append(token)
                if len(answer) == max_new_tokens or (finished is not None and finished(answer)):
                    rows[place] = None
            staying = [place for place, row in enumerate(rows) if row is not None]
            if not staying:
                return answers
            if (len(rows) - len(staying)) * LEAVING >= len(rows):
                rows = [rows[place] for place in staying]
                index = torch.tensor(staying, device=model.device)
                following = following[index]
                select(read.cache, index)
                read.mask, read.lengths = read.mask[index], read.lengths[index]
            read.mask = torch.cat([read.mask, read.mask.new_ones(len(rows), 1)], 1)
            read.hidden = _forward(
                model,
                model.llm.embedding(following[:, None]),
                read.lengths[:, None],
                read.mask,
                read.cache,
            )[:, -1]
            read.lengths = read.lengths + 1


def score(
    model: VisionLanguageModel,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    features: Sequence[Visual | None],
    pad_id: int,
    *,
    shared: int = 0,
) -> list[list[float]]:
    """Log-likelihood of each candidate continuation of each prompt.

    A prompt is computed once for all its candidates, and gives their first tokens; only longer
    candidates need more.

    Args:
        model: in evaluation mode.
        prompts: token ids of each prompt, ``IMAGE_TOKEN`` where a visual token stands.
        continuations: for each prompt, the token ids of its candidates (none empty).
        features: encoder features of each prompt's pictures, [images, tokens, d_vision] or views;
            None where it has none.
        pad_id: id used to fill up rows.
        shared: so many first tokens, and the pictures in them, are the same for all prompts; they
            are computed once. Each prompt has more than these.

    Returns:
        For each prompt and candidate, the sum of its tokens' log-probabilities, in nats.

    Raises:
        ValueError: as ``generate``.
    """
    if not prompts:
        return []
    with torch.inference_mode():
        read = _read(model, prompts, features, shared, pad_id)
        first = model.llm.logits(read.hidden).log_softmax(-1)
        scores: list[list[float]] = [
            first[row, [candidate[0] for candidate in some]].tolist() if some else []
            for row, some in enumerate(continuations)
        ]
        longer = [
            (row, number)
            for row, some in enumerate(continuations)
            for number, candidate in enumerate(some)
            if len(candidate) > 1
        ]
        longer.sort(key=lambda one: len(continuations[one[0]][one[1]]))
        most = max(BRANCHES, len(prompts))
        for start in range(0, len(longer), most):
            piece = longer[start : start + most]
            rests = _rests(
                model, read, [(row, continuations[row][number]) for row, number in piece], pad_id
            )
            for (row, number), rest in zip(piece, rests, strict=True):
                scores[row][number] += rest
        return scores


def _rests(
    model: VisionLanguageModel,
    read: _Read,
    candidates: Sequence[tuple[int, Sequence[int]]],
    pad_id: int,
) -> list[float]:
    """Log-likelihood of each candidate's tokens after its first; each has its prompt's row."""
    rows = torch.tensor([row for row, _ in candidates], device=model.device)
    steps = max(len(candidate) for _, candidate in candidates) - 1
    # Padding stands at the end, where no token before sees it.
    tokens = torch.tensor(
        [[*c, *[pad_id] * (steps + 1 - len(c))] for _, c in candidates], device=model.device
    )
    counts = torch.tensor([len(c) - 1 for _, c in candidates], device=model.device)
    ahead = torch.arange(steps, device=model.device)
    mask = read.mask[rows]
    hidden = _forward(
        model,
        model.llm.embedding(tokens[:, :-1]),
        read.lengths[rows][:, None] + ahead,
        torch.cat([mask, mask.new_ones(len(candidates), steps)], 1),
        branch(read.cache, rows),
    )
    real = ahead[None] < counts[:, None]
    log_probs = model.llm.logits(hidden[real]).log_softmax(-1)
    found = log_probs.gather(1, tokens[:, 1:][real][:, None])[:, 0]
    return [float(one.sum()) for one in found.split(counts.tolist())]


def _read(
    model: VisionLanguageModel,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Visual | None],
    shared: int,
    pad_id: int,
) -> _Read:
    """Read all prompts: left-padded, the shared first tokens taken from a single row.

    The columns of the batch are those of whole prompts, so the distance between two tokens is the
    same as in the prompt alone, which sliding windows count. Rows shorter than the longest stand
    further right; the end of the shared tokens is then computed again within their own columns.
    """
    cache = empty_cache(model.llm.net)
    pictures = _shared_pictures(model, prompts, features, shared)
    if not has_positions(cache):
        shared = pictures = 0
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    longest = int(lengths.max())
    pads = longest - lengths
    own = [None if some is None else some[pictures:] for some in features]
    embeddings, visual = _embed(model, [prompt[shared:] for prompt in prompts], own, pad_id)
    if shared:
        some = features[0]
        start, start_visual = _embed(
            model, [prompts[0][:shared]], [None if some is None else some[:pictures]], pad_id
        )
        positions = torch.arange(shared, device=model.device)[None]
        _forward(model, start, positions, torch.ones_like(positions), cache, start_visual)
        spread(cache, pads)
        for row, pad in enumerate(pads.tolist()):
            again = min(pad, shared)
            embeddings[row, pad - again : pad] = start[0, shared - again :]
            visual[row, pad - again : pad] = start_visual[0, shared - again :]
    positions = (torch.arange(longest)[None] - pads[:, None]).to(model.device)
    mask = (positions >= 0).long()
    positions = positions.clamp(min=0)[:, shared:]
    last: list[Tensor] = []
    for rows in _pieces(model, cache, len(prompts), longest - shared):
        write_to(cache, rows, len(prompts))
        read = _forward(model, embeddings[rows], positions[rows], mask[rows], cache, visual[rows])
        last.append(read[:, -1])
    return _Read(torch.cat(last), cache, mask, lengths.to(model.device))


def _pieces(model: VisionLanguageModel, cache: Cache, rows: int, length: int) -> list[slice]:
    """Rows that are read at one time."""
    tokens = PIECE.get(model.device.type, LARGE_PIECE)
    each = max(1, tokens // length) if has_positions(cache) else rows
    return [slice(start, min(start + each, rows)) for start in range(0, rows, each)]


def _shared_pictures(
    model: VisionLanguageModel,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Visual | None],
    shared: int,
) -> int:
    """Number of pictures in the shared first tokens."""
    if not shared:
        return 0
    start = list(prompts[0][:shared])
    if any(len(prompt) <= shared or list(prompt[:shared]) != start for prompt in prompts):
        raise ValueError(f"the prompts do not all begin with {shared} same tokens and go on")
    visual, first = start.count(IMAGE_TOKEN), features[0]
    spans = [] if first is None else tokens_of(first, model.tokens_per_view)
    ends = [0, *accumulate(spans)]
    if visual not in ends:
        raise ValueError(f"the {shared} shared tokens end within a picture")
    return ends.index(visual)


def _embed(
    model: VisionLanguageModel,
    rows: Sequence[Sequence[int]],
    features: Sequence[Visual | None],
    pad_id: int,
) -> tuple[Float[Tensor, "rows length width"], Bool[Tensor, "rows length"]]:
    """Embeddings of rows padded on the left, and which of their positions are visual."""
    longest = max(len(row) for row in rows)
    tokens = torch.tensor([[pad_id] * (longest - len(row)) + list(row) for row in rows])
    pictures = [some for some in features if some is not None and len(some)]
    tokens = tokens.to(model.device)
    embeddings = model.embed(tokens, joined(pictures) if pictures else None)
    return embeddings, tokens == IMAGE_TOKEN


def _forward(
    model: VisionLanguageModel,
    embeddings: Float[Tensor, "rows length width"],
    positions: Int[Tensor, "rows length"],
    mask: Int[Tensor, "rows past_and_length"],
    cache: Cache,
    visual: Bool[Tensor, "rows length"] | None = None,
) -> Float[Tensor, "rows length width"]:
    """Final hidden states; tokens are text where ``visual`` does not say otherwise."""
    if model.llm.has_experts:
        model.llm.route.set(visual)
    out = model.llm.decoder(
        inputs_embeds=embeddings,
        position_ids=positions,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
    )
    return out.last_hidden_state  # type: ignore[no-any-return]
