"""Which attention kernel the LLM uses; all of them keep documents apart."""

from importlib.util import find_spec

import torch

ATTENTION_NAMES = {"flash": "flash_attention_2", "sdpa": "sdpa", "eager": "eager"}


def choose_attention(requested: str, device: torch.device, supports_sdpa: bool) -> tuple[str, str]:
    """The attention implementation, in transformers' name, and why it was taken.

    Every choice isolates packed documents by positions that restart: flash-attn through its
    variable-length kernel, the others through an equal block mask.

    Args:
        requested: ``auto``, ``flash``, ``sdpa`` or ``eager``.
        device: where the model runs.
        supports_sdpa: whether the LLM's family has an sdpa path (Gemma 2 has none).

    Raises:
        ValueError: flash attention is asked for where it cannot run.
    """
    has_flash = find_spec("flash_attn") is not None
    if requested == "flash":
        if device.type != "cuda":
            raise ValueError("kernels.attention=flash needs CUDA; use auto, sdpa or eager")
        if not has_flash:
            raise ValueError(
                "kernels.attention=flash needs flash-attn: pip install 'vilax[cuda]', or use auto"
            )
        return ATTENTION_NAMES["flash"], "asked for"
    if requested in ("sdpa", "eager"):
        return ATTENTION_NAMES[requested], "asked for"
    if device.type == "cuda" and has_flash:
        return ATTENTION_NAMES["flash"], "CUDA, with flash-attn"
    if supports_sdpa:
        reason = "CUDA, without flash-attn" if device.type == "cuda" else "no CUDA"
        return ATTENTION_NAMES["sdpa"], reason
    return ATTENTION_NAMES["eager"], "this LLM has no sdpa path"
