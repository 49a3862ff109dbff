"""A tiny model to talk with."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from vilax.data.document import Document, Image
from vilax.evaluation.subject import Subject
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.decoding import generate
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel


def random_subject() -> Subject:
    """A tiny model of random weights whose features of a picture are drawn from its bytes."""
    tokenizer = build_tokenizer()
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 128}
    # Weights large enough that answers depend on the prompt.
    sizes |= {"initializer_range": 0.3}
    torch.manual_seed(0)
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    model = VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), llm).eval()

    def features(pictures: Any) -> torch.Tensor:
        seeds = [int(np.frombuffer(data, np.uint8).sum()) for data in pictures]
        made = [torch.Generator().manual_seed(seed) for seed in seeds]
        return torch.stack([torch.randn(4, encoder.width, generator=g) for g in made])

    return Subject(model, tokenizer, features)


def picture(path: Path, level: int) -> Path:
    """A picture of one colour."""
    PIL.Image.new("RGB", (20, 10), (level, 90, 30)).save(path)
    return path


def greedy_answer(subject: Subject, *segments: Any) -> str:
    """Eight tokens of an answer, made without the conversation's code."""
    prompt = subject.prompts.prompt(Document("x", "x", segments), "qa")
    images = [s.data for s in segments if isinstance(s, Image)]
    features = subject.features(images) if images and subject.features else None
    eos = subject.tokenizer.eos_token_id
    (new,) = generate(subject.model, [prompt.tokens.tolist()], [features], 8, [eos], 0)
    return str(subject.tokenizer.decode(new, skip_special_tokens=True))
