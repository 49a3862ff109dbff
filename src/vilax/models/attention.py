"""Which attention kernel the LLM uses; all of them keep documents apart."""

from functools import cache
from importlib.util import find_spec

import torch

ATTENTION_NAMES = {
    "flash": "flash_attention_2",
    "flex": "flex_attention",
    "sdpa": "sdpa",
    "eager": "eager",
}


def choose_attention(
    requested: str, device: torch.device, supports_sdpa: bool, supports_flex: bool = False
) -> tuple[str, str]:
    """The attention implementation, in transformers' name, and why it was taken.

    Every choice isolates packed documents by positions that restart: flash-attn through its
    variable-length kernel, flex attention by a block mask that it never writes out, the others
    through an equal mask.

    Args:
        requested: ``auto``, ``flash``, ``flex``, ``sdpa`` or ``eager``.
        device: where the model runs.
        supports_sdpa: whether the LLM's family has an sdpa path (Gemma 2 has none).
        supports_flex: whether it has one through flex attention.

    Raises:
        ValueError: a kernel is asked for where it cannot run.
    """
    is_cuda = device.type == "cuda"
    has_flash = find_spec("flash_attn") is not None
    if requested in ("flash", "flex") and not is_cuda:
        raise ValueError(f"kernels.attention={requested} needs CUDA; use auto, sdpa or eager")
    if requested == "flash":
        if not has_flash:
            raise ValueError(
                "kernels.attention=flash needs flash-attn: pip install 'vilax[cuda]', or use auto"
            )
        return ATTENTION_NAMES["flash"], "asked for"
    if requested == "flex" and not supports_flex:
        raise ValueError(
            "kernels.attention=flex: this LLM has no path through flex attention; use auto"
        )
    if requested in ("flex", "sdpa", "eager"):
        return ATTENTION_NAMES[requested], "asked for"
    reason = "no CUDA"
    if is_cuda:
        if has_flash:
            return ATTENTION_NAMES["flash"], "CUDA, with flash-attn"
        reason = "CUDA, without flash-attn"
        fault = flex_fault(device) if supports_flex else "not in this LLM"
        if not fault:
            return ATTENTION_NAMES["flex"], reason
        reason += f"; flex attention: {fault}"
    if supports_sdpa:
        return ATTENTION_NAMES["sdpa"], reason
    return ATTENTION_NAMES["eager"], f"{reason}; this LLM has no sdpa path"


@cache
def flex_fault(device: torch.device) -> str:
    """Why flex attention does not train here, found by trying; empty if it does."""
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention

        documents = torch.zeros(128, dtype=torch.int64, device=device)
        documents[64:] = 1
        mask = create_block_mask(
            lambda b, h, q, k: (q >= k) & (documents[q] == documents[k]),
            None,
            None,
            128,
            128,
            device=str(device),
        )
        query = torch.randn(1, 2, 128, 64, device=device, requires_grad=True)
        torch.compile(flex_attention)(query, query, query, block_mask=mask).sum().backward()
    except Exception as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return ""
