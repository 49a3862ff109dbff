"""Export to transformers' LLaVA (``LlavaForConditionalGeneration``)."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

from vilax.config.schema.model import MlpProjector
from vilax.interop.chat_template import jinja_of, use_chat_template
from vilax.interop.model import Exported, Inexpressible

IMAGE = "<image>"
ROWS = 64
"""Rows of embeddings are added in multiples of this, as transformers' own conversion does."""


def write_hf_llava(exported: Exported, folder: Path) -> None:
    """Write weights, configuration, processor, tokenizer and chat template.

    The placeholder ``<image>`` becomes a token of its own; where the embeddings have no row for it,
    rows of their mean are added, and ``vilax_vocabulary`` in the configuration says how many there
    were.

    Raises:
        Inexpressible: the model is no LLaVA of transformers.
    """
    tower = exported.tower()
    projector = exported.run.projector
    if not isinstance(projector, MlpProjector) or projector.depth != 2:
        raise Inexpressible(f"its projector is two linear layers with GELU, not {projector.kind}")
    jinja = jinja_of(exported.template, exported.tokenizer)
    prefix = exported.prefix()
    if prefix > 1:
        raise Inexpressible(f"the tower has {prefix} tokens before its patches, it drops one")
    tokenizer = copy.deepcopy(exported.tokenizer)
    tokenizer.add_tokens([IMAGE], special_tokens=True)
    image_id: Any = tokenizer.convert_tokens_to_ids(IMAGE)
    net = exported.model.llm.net
    text: Any = copy.deepcopy(net.config)
    tensors = dict(net.state_dict())
    rows = int(tensors["model.embed_tokens.weight"].shape[0])
    if image_id >= rows:
        text.vocab_size = (image_id // ROWS + 1) * ROWS
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            tensors[name] = _extended(tensors[name], text.vocab_size)
    vision: Any = tower.net.config
    strategy: Any = "default" if prefix and not tower.class_token else "full"
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=image_id,
        image_seq_length=exported.model.tokens_per_view,
        projector_hidden_act="gelu",
        vision_feature_layer=tower.layer,
        vision_feature_select_strategy=strategy,
        tie_word_embeddings=bool(text.tie_word_embeddings),
    )
    config.vilax_vocabulary = rows
    config.vilax_image_policy = exported.run.encoder.image_policy
    with torch.device("meta"):
        whole = LlavaForConditionalGeneration(config)
    named = {f"model.vision_tower.{n}": t for n, t in tower.net.state_dict().items()}
    assert exported.model.projector is not None
    for name, tensor in exported.model.projector.state_dict().items():
        own = name.replace("layers.0", "linear_1").replace("layers.2", "linear_2")
        named[f"model.multi_modal_projector.{own}"] = tensor
    for name, tensor in tensors.items():
        is_head = name.startswith("lm_head")
        own = name if is_head else f"model.language_model.{name.removeprefix('model.')}"
        named[own] = tensor
    missing = set(whole.state_dict()) ^ set(named)
    if missing:
        raise Inexpressible(f"tensor {sorted(missing)[0]} has no counterpart")
    whole.load_state_dict(named, assign=True)
    whole.tie_weights()
    whole.save_pretrained(folder)
    use_chat_template(tokenizer, jinja)
    processor = LlavaProcessor(
        image_processor=exported.processor(),
        tokenizer=tokenizer,
        patch_size=tower.patch,
        vision_feature_select_strategy=strategy,
        num_additional_image_tokens=prefix,
        image_token=IMAGE,
        chat_template=jinja,
    )
    processor.save_pretrained(folder)
    exported.processor().save_pretrained(folder)


def _extended(table: Tensor, rows: int) -> Tensor:
    mean = table.mean(0, keepdim=True)
    return torch.cat([table, mean.expand(rows - table.shape[0], -1)]).contiguous()
