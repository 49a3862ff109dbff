"""Import of what LLaVA's ``finetune_lora.sh`` leaves: an adapter apart from its LLM.

``adapter_config.json`` and ``adapter_model.*`` are peft's, ``non_lora_trainables.bin`` has what was
trained whole (the projector, now and then the vision tower), ``config.json`` LLaVA's keys.
"""

from typing import Any

import torch
from peft import LoraConfig, PeftConfig, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn
from transformers import AutoModelForCausalLM

from vilax.config.errors import ConfigError
from vilax.interop.llava_reading import llava_source, parts_of, text_config
from vilax.interop.reading import local, read_config, readable, refuse_quantised
from vilax.interop.request import Request
from vilax.interop.source import Source
from vilax.interop.tensors import Tensors, fit, match, named
from vilax.interop.weight_files import read_file, read_folder

PREFIX = "base_model.model."
"""Before all names in files that peft and LLaVA write of an adapted model."""

WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")

WHOLE = "non_lora_trainables.bin"


def read_adapted(request: Request) -> Source:
    """LLaVA with the adapter merged into ``--llm``, in the LLM's own dtype.

    Raises:
        ConfigError: the LLM is not named, a file is missing, or a tensor does not fit, naming it.
    """
    folder = request.path
    refuse_quantised(request.config, folder)
    with readable(f"{folder / 'adapter_config.json'}"):
        adapter = PeftConfig.from_pretrained(str(folder))
    if not isinstance(adapter, LoraConfig):
        raise ConfigError(f"peft_type={adapter.peft_type} of adapter_config.json: expected LORA")
    if request.llm is None:
        raise ConfigError(
            f"{folder} is an adapter apart from its LLM: expected --llm FOLDER, with"
            f" {adapter.base_model_name_or_path}"
        )
    files = [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if not files or not (folder / WHOLE).is_file():
        raise ConfigError(f"{folder}: expected {' or '.join(WEIGHTS)}, and {WHOLE}")
    llm = local(request.llm, "--llm")
    adapter.base_model_name_or_path = str(llm)
    parts = parts_of(read_file(folder / WHOLE), PREFIX)
    tensors = named(read_folder(llm, request.tell))
    # Embeddings and head are trained whole where tokens were added.
    tensors.update(parts["llm"])
    text = read_config(llm)
    text.vocab_size = text_config(request.config, tensors).vocab_size
    with torch.device("meta"):
        net = AutoModelForCausalLM.from_config(text)
    tied = {"lm_head.weight"} if text.tie_word_embeddings else set()
    fit(net, tensors, "llm", tied)
    net.tie_weights()
    parts["llm"] = _merged(net, adapter, read_file(files[0]))
    return llava_source(request, "LLaVA LoRA", parts, text, str(llm))


def _merged(net: nn.Module, adapter: LoraConfig, weights: dict[str, Any]) -> Tensors:
    """Tensors of an LLM with its adapter merged.

    Raises:
        ConfigError: a tensor of the adapter is missing, superfluous or misshapen, naming it.
    """
    adapter.inference_mode = True
    with readable("adapter_config.json"):
        adapted: Any = get_peft_model(net, adapter)
    match(weights, get_peft_model_state_dict(adapted), "adapter", set())
    set_peft_model_state_dict(adapted, weights)
    return named(adapted.merge_and_unload().state_dict())
