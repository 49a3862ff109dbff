"""Small models of random weights for tests that ask real prompts."""

import torch

from vilax.evaluation.subject import Subject
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel


def random_subject(context: int = 256) -> Subject:
    """A model that sees: its features are a function of a picture's bytes alone."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": context, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    model = VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), llm).eval()

    def features(pictures) -> torch.Tensor:
        seeds = [sum(data) for data in pictures]
        return torch.stack(
            [torch.randn(4, 1280, generator=torch.Generator().manual_seed(s)) for s in seeds]
        )

    return Subject(model, tokenizer, features)
