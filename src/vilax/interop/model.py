"""What exporters are given, and what they ask of it."""

from dataclasses import dataclass
from typing import Any

from transformers import CLIPImageProcessor, LlavaImageProcessor, PreTrainedTokenizerBase

from vilax.artifacts.store import Entry
from vilax.config.schema.data import Template
from vilax.config.schema.run import Run
from vilax.models.encoder import TransformersEncoder
from vilax.models.internvit import InternVit
from vilax.models.vlm import VisionLanguageModel


class Inexpressible(ValueError):
    """A layout has no place for something that the model has."""


@dataclass
class Exported:
    """A trained model on its way out.

    Attributes:
        run: its configuration.
        stage: the stage it is the result of.
        entry: the result.
        model: fp32, on the CPU, in evaluation mode.
        tokenizer: the LLM's.
        template: the conversation template that it is used with.
    """

    run: Run
    stage: str
    entry: Entry
    model: VisionLanguageModel
    tokenizer: PreTrainedTokenizerBase
    template: Template

    def tower(self) -> TransformersEncoder:
        """The image encoder, where it is one of transformers on its own grid.

        Raises:
            Inexpressible: it is not.
        """
        if self.model.llm.has_experts:
            raise Inexpressible("its LLM has weights of its own for visual tokens")
        encoder, policy = self.model.encoder, self.run.encoder.image_policy
        if policy in ("anyres", "internvl"):
            raise Inexpressible(f"encoder.image_policy={policy} reads pictures in tiles")
        if not isinstance(encoder, TransformersEncoder) or isinstance(encoder.net, InternVit):
            kind = self.run.encoder.kind
            raise Inexpressible(f"encoder.kind={kind} is no single vision tower of transformers")
        if encoder.grid is not None:
            raise Inexpressible(f"encoder.grid={encoder.grid} pools the features")
        if encoder.image_size != encoder.native_size:
            raise Inexpressible(
                f"encoder.image_size={encoder.image_size} interpolates positions of"
                f" {encoder.native_size} pixels"
            )
        return encoder

    def prefix(self) -> int:
        """Tokens that the tower puts before its patches."""
        tower = self.tower()
        own = getattr(tower.net.config, "num_register_tokens", 0)
        has_class = any("class_embedding" in n or "cls_token" in n for n in tower.net.state_dict())
        return int(has_class) + int(own)

    def processor(self) -> Any:
        """Transformers' image processor that does what the run does to pictures."""
        tower = self.tower()
        size = tower.image_size
        colours: dict[str, Any] = {"image_mean": list(tower.mean), "image_std": list(tower.std)}
        policy = self.run.encoder.image_policy
        if policy == "resize":
            sides: Any = {"height": size, "width": size}
            return CLIPImageProcessor(size=sides, do_center_crop=False, **colours)
        cut: dict[str, Any] = {"size": {"shortest_edge": size}}
        cut["crop_size"] = {"height": size, "width": size}
        if policy == "crop":
            return CLIPImageProcessor(**cut, **colours)
        return LlavaImageProcessor(do_pad=True, **cut, **colours)
