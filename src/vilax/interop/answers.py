"""What a model says to the cases of a proof, and a hash of what it is."""

import hashlib

import torch
from torch import Tensor

from vilax.interop.reload import NEW_TOKENS
from vilax.models.decoding import generate
from vilax.models.views import Views, Visual
from vilax.models.vlm import VisionLanguageModel


def answer(model: VisionLanguageModel, cases: dict[str, Tensor]) -> dict[str, Tensor]:
    """Logits and a greedy answer of each case."""
    found = {}
    model.eval()
    for name in ("text", "image"):
        tokens = cases[f"{name}.tokens"]
        pixels: Visual | None = cases.get(f"{name}.pixels")
        order = cases.get(f"{name}.order")
        if isinstance(pixels, Tensor) and order is not None:
            pixels = Views(pixels, (len(pixels),), (order,))
        with torch.no_grad():
            features = None if pixels is None else model.features(pixels)
            positions = torch.arange(tokens.shape[1])[None]
            hidden = model.llm(model.embed(tokens, features), positions, model.seen(tokens))
            found[f"{name}.logits"] = model.llm.logits(hidden)
        new = generate(model, tokens.tolist(), [features], NEW_TOKENS, (), 0)
        found[f"{name}.answer"] = torch.tensor(new)
    return found


def weights_hash(model: VisionLanguageModel) -> Tensor:
    """sha256 over names, shapes and bytes of all weights in fp32 (uint8, [32])."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        data = tensor.detach().cpu().float().contiguous()
        digest.update(f"{name} {tuple(data.shape)}\n".encode())
        digest.update(data.flatten().view(torch.uint8).numpy().tobytes())
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)
