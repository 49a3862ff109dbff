"""What an importer finds: three parts with their tensors, whatever layout they came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING

from vilax.config.errors import ConfigError
from vilax.config.schema.model import Encoder as EncoderConfig
from vilax.config.schema.model import Projector as ProjectorConfig
from vilax.config.schema.model import TransformersEncoder
from vilax.interop.pictures import write_colours
from vilax.interop.reading import read_tokenizer
from vilax.interop.tensors import fit
from vilax.training.build import build_projector


@dataclass
class Source:
    """A model read from another layout.

    Attributes:
        layout: name of the layout, for messages.
        vision: transformers' configuration of the image encoder.
        text: transformers' configuration of the LLM.
        encoder: its tensors, by transformers' names without ``vision_model.``.
        projector: its tensors, by our names.
        llm: its tensors, by the causal LLM's names.
        projector_config: which projector it is.
        settings: ``layer``, ``class_token``, ``image_policy`` and, of tiles, ``pinpoints`` of the
            encoder; of S2 ``scales``.
        tokenizer: folder or hub id of the tokenizer.
        preprocessor: folder or hub id of the image processor.
        vocabulary: rows of the embedding to keep; None: all.
    """

    layout: str
    vision: Any
    text: Any
    encoder: dict[str, Tensor]
    projector: dict[str, Tensor]
    llm: dict[str, Tensor]
    projector_config: ProjectorConfig
    settings: Mapping[str, Any]
    tokenizer: str
    preprocessor: str
    vocabulary: int | None = None

    def modules(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        """Encoder, projector and LLM of transformers, with exactly these tensors.

        Raises:
            ConfigError: naming the first tensor that is missing, superfluous or misshapen.
        """
        if type(self.text) not in MODEL_FOR_CAUSAL_LM_MAPPING:
            raise ConfigError(
                f"{self.layout}: model_type={self.text.model_type} is no causal LLM of transformers"
            )
        self._untie()
        if self.vocabulary is not None:
            self.text.vocab_size = self.vocabulary
            for name, tensor in self.llm.items():
                if name.endswith(("embed_tokens.weight", "lm_head.weight")):
                    self.llm[name] = tensor[: self.vocabulary].clone()
        encoder, d_vision = self.build_encoder()
        with torch.device("meta"):
            llm = AutoModelForCausalLM.from_config(self.text)
            policy = self.settings.get("image_policy", "pad")
            d_llm = self.text.hidden_size
            projector = build_projector(self.projector_config, d_vision, d_llm, policy)
        tied = {"lm_head.weight"} if self.text.tie_word_embeddings else set()
        fit(projector, self.projector, "projector", set())
        fit(llm, self.llm, "llm", tied)
        llm.tie_weights()
        return encoder, projector, llm

    def build_encoder(self) -> tuple[nn.Module, int]:
        """The image encoder and the width of its features.

        Raises:
            ConfigError: there is no such encoder, or a tensor does not fit, naming it.
        """
        if type(self.vision) not in MODEL_MAPPING:
            raise ConfigError(
                f"{self.layout}: an image encoder of {type(self.vision).__name__} is not known to"
                " transformers"
            )
        with torch.device("meta"):
            architecture: Any = MODEL_MAPPING[type(self.vision)]
            encoder = architecture(self.vision)
        fit(encoder, self.encoder, "encoder", _head(encoder))
        for name, tensor in encoder.named_parameters():
            if tensor.is_meta:
                _remove(encoder, name)
        # S2 joins the features of all scales on channels.
        scales = max(1, len(self.settings.get("scales", ())))
        return encoder, int(self.vision.hidden_size) * scales

    def write_encoder(self, encoder: nn.Module, folder: Path) -> EncoderConfig:
        """Write what ``build_encoder`` gave; the configuration returned names it relatively."""
        encoder.save_pretrained(folder / "encoder")  # type: ignore[operator]
        write_colours(self.preprocessor, folder / "encoder")
        return TransformersEncoder(source="./encoder", **self.settings)

    def read_tokenizer(self) -> PreTrainedTokenizerBase:
        """The LLM's tokenizer.

        Raises:
            ConfigError: there is none that can be read.
        """
        return read_tokenizer(self.tokenizer, self.text)

    def _untie(self) -> None:
        """Keep a head that is there and is not the embeddings, whatever the configuration says.

        So does transformers.
        """
        head = self.llm.get("lm_head.weight")
        table = self.llm.get("model.embed_tokens.weight")
        if head is not None and table is not None and not torch.equal(head, table):
            self.text.tie_word_embeddings = False


def _head(encoder: nn.Module) -> set[str]:
    """A pooling head, which some files leave out and no feature depends on."""
    return {name for name in encoder.state_dict() if name.startswith("head.")}


def _remove(module: nn.Module, name: str) -> None:
    """Fill a tensor that the files left out with zeros: nothing reads it, all loaders expect it."""
    *path, last = name.split(".")
    place = module
    for step in path:
        place = getattr(place, step)
    old = getattr(place, last)
    setattr(place, last, nn.Parameter(torch.zeros(old.shape, dtype=old.dtype)))
