"""Export to a folder of vilax's own: all that is needed to evaluate and to train from it."""

from pathlib import Path

from safetensors.torch import save_file

from vilax.config.schema.model import PretrainedLlm
from vilax.interop.encoder_folder import write_encoder
from vilax.interop.folder import fill_entry
from vilax.interop.model import Exported
from vilax.interop.tensors import tensors_of
from vilax.models.visual_expert import TWIN


def write_native(exported: Exported, folder: Path) -> None:
    """Write encoder, projector, LLM and tokenizer with the configuration that builds them."""
    run = exported.run
    llm = exported.model.llm
    plain = {name: t for name, t in llm.net.state_dict().items() if f".{TWIN}." not in name}
    llm.net.save_pretrained(folder / "llm", state_dict=plain)  # type: ignore[operator]
    if llm.has_experts:
        # What transformers' layout has no place for lies beside it, as in a stage's result.
        save_file(tensors_of(llm), folder / "llm.safetensors")
    exported.tokenizer.save_pretrained(folder / "llm")
    assert exported.model.projector is not None
    save_file(tensors_of(exported.model.projector), folder / "projector.safetensors")
    assert exported.model.encoder is not None
    encoder = write_encoder(run.encoder, exported.model.encoder, folder)
    own = run.model_copy(update={"encoder": encoder, "llm": PretrainedLlm(source="./llm")})
    fill_entry(folder, own, exported.stage, {"exported": {"from": exported.entry.identity}})
