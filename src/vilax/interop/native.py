"""Export to a folder of vilax's own: all that is needed to evaluate and to train from it."""

from pathlib import Path

from safetensors.torch import save_file

from vilax.config.schema.model import PretrainedLlm
from vilax.config.schema.model import TimmEncoder as TimmConfig
from vilax.config.schema.model import TransformersEncoder as TransformersConfig
from vilax.interop.folder import fill_entry
from vilax.interop.model import Exported, Inexpressible, tensors_of
from vilax.models.encoder import TransformersEncoder
from vilax.models.internvit import InternVit
from vilax.models.visual_expert import TWIN


def write_native(exported: Exported, folder: Path) -> None:
    """Write encoder, projector, LLM and tokenizer with the configuration that builds them.

    Raises:
        Inexpressible: the encoder is made of several whose sources lie elsewhere.
    """
    run, encoder = exported.run, exported.model.encoder
    llm = exported.model.llm
    plain = {name: t for name, t in llm.net.state_dict().items() if f".{TWIN}." not in name}
    llm.net.save_pretrained(folder / "llm", state_dict=plain)  # type: ignore[operator]
    if llm.has_experts:
        # What transformers' layout has no place for lies beside it, as in a stage's result.
        save_file(tensors_of(llm), folder / "llm.safetensors")
    exported.tokenizer.save_pretrained(folder / "llm")
    assert exported.model.projector is not None
    save_file(tensors_of(exported.model.projector), folder / "projector.safetensors")
    config = run.encoder
    if isinstance(encoder, TransformersEncoder) and not isinstance(encoder.net, InternVit):
        assert isinstance(config, TransformersConfig)
        encoder.net.save_pretrained(folder / "encoder")  # type: ignore[operator]
        # Size and cut are the run's affair; what the weights were made with is what counts here.
        exported_processor(exported, folder / "encoder")
        config = config.model_copy(update={"source": "./encoder"})
    elif isinstance(config, TimmConfig):
        assert encoder is not None
        save_file(tensors_of(encoder), folder / "encoder.safetensors")
        config = config.model_copy(
            update={"weights": "random", "mean": encoder.mean, "std": encoder.std}
        )
    else:
        raise Inexpressible(f"encoder.kind={config.kind} has its weights in several places")
    own = run.model_copy(update={"encoder": config, "llm": PretrainedLlm(source="./llm")})
    fill_entry(folder, own, exported.stage, {"exported": {"from": exported.entry.identity}})


def exported_processor(exported: Exported, folder: Path) -> None:
    """Write an image processor with the weights' normalisation."""
    from transformers import CLIPImageProcessor

    encoder = exported.model.encoder
    assert encoder is not None
    CLIPImageProcessor(image_mean=list(encoder.mean), image_std=list(encoder.std)).save_pretrained(
        folder
    )
