"""Generation and likelihoods: the same alone and in a batch, with and without pictures."""

import torch

from vilax.models.decoding import generate, score
from vilax.models.vlm import VisionLanguageModel

PICTURE = [-200] * 4


def prompts() -> list[list[int]]:
    return [[5, 6, 7], [9, *PICTURE, 11, 12, 13, 14], [*PICTURE, 8]]


def pictures(model: VisionLanguageModel) -> list[torch.Tensor | None]:
    torch.manual_seed(4)
    return [
        None,
        torch.randn(1, 4, model.encoder.width),
        torch.randn(1, 4, model.encoder.width),
    ]


def test_greedy_generation_is_the_argmax_of_full_forwards(tiny_vlm: VisionLanguageModel) -> None:
    features = pictures(tiny_vlm)
    answers = generate(tiny_vlm, prompts(), features, 5, stop_ids=[2], pad_id=0)
    for prompt, picture, answer in zip(prompts(), features, answers, strict=True):
        tokens = list(prompt)
        expected: list[int] = []
        with torch.no_grad():
            for _ in range(5):
                row = torch.tensor([tokens])
                positions = torch.arange(len(tokens))[None]
                hidden = tiny_vlm.llm(tiny_vlm.embed(row, picture), positions)
                following = int(tiny_vlm.llm.logits(hidden[0, -1]).argmax())
                if following == 2:
                    break
                expected.append(following)
                tokens.append(following)
        assert answer == expected


def test_stop_token_ends_an_answer(tiny_vlm: VisionLanguageModel) -> None:
    free = generate(tiny_vlm, [[5, 6, 7]], [None], 4, stop_ids=[2], pad_id=0)[0]
    stopped = generate(tiny_vlm, [[5, 6, 7]], [None], 4, stop_ids=[2, free[1]], pad_id=0)[0]
    assert stopped == free[: free.index(free[1])]


def test_scores_are_log_likelihoods_and_do_not_depend_on_the_batch(
    tiny_vlm: VisionLanguageModel,
) -> None:
    features = pictures(tiny_vlm)
    candidates = [[[3], [4, 5]], [[6, 7, 8], [9]], [[10], [11]]]
    together = score(tiny_vlm, prompts(), candidates, features, pad_id=0)
    for prompt, picture, some, found in zip(prompts(), features, candidates, together, strict=True):
        alone = score(tiny_vlm, [prompt], [some], [picture], pad_id=0)[0]
        assert torch.allclose(torch.tensor(found), torch.tensor(alone), atol=1e-5)
        for candidate, value in zip(some, found, strict=True):
            tokens = torch.tensor([[*prompt, *candidate]])
            labels = torch.full_like(tokens, -100)
            labels[0, len(prompt) :] = torch.tensor(candidate)
            positions = torch.arange(tokens.shape[1])[None]
            loss = tiny_vlm(tokens, positions, labels, features=picture)
            assert abs(value + float(loss)) < 1e-4


def test_one_token_candidates_take_the_short_way_to_the_same_scores(
    tiny_vlm: VisionLanguageModel,
) -> None:
    features = pictures(tiny_vlm)
    short = score(tiny_vlm, prompts(), [[[3], [4]]] * 3, features, pad_id=0)
    long = score(tiny_vlm, prompts(), [[[3], [4], [5, 6]]] * 3, features, pad_id=0)
    for one, other in zip(short, long, strict=True):
        assert torch.allclose(torch.tensor(one), torch.tensor(other[:2]), atol=1e-5)
