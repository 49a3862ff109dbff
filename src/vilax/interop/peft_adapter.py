"""Export of a stage's LoRA or DoRA in peft's own layout, with the projector in LLaVA's names."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vilax.artifacts.files import write_json
from vilax.artifacts.store import Store
from vilax.config.errors import ConfigError
from vilax.config.locate import store_dir
from vilax.config.schema.model import Lora, TransformersEncoder
from vilax.interop.llava import llava_config, projector_tensors
from vilax.interop.model import Exported, Inexpressible
from vilax.models.vlm import VisionLanguageModel
from vilax.training.load import load_result
from vilax.training.recipe import started_from

ADAPTER = "adapter.safetensors"
BASE, TOWER = "base", "vision_tower"
"""Where the weights lie that an adapter belongs to, where no hub or folder has them; and the
encoder's adapter."""


def write_peft(exported: Exported, folder: Path) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors`` of the LLM, the encoder's in
    ``vision_tower/``, ``mm_projector.safetensors``, ``config.json`` and the tokenizer.

    Weights that an adapter belongs to and that earlier stages have trained go to ``base/``.

    Raises:
        Inexpressible: the stage adapts no part, or the encoder has weights that are no adapter.
        ConfigError: the result keeps no adapter, or the stage before is gone.
    """
    freeze = exported.run.stages[exported.stage].freeze
    adapted = [part for part in ("llm", "encoder") if getattr(freeze, part).mode == "adapted"]
    if not adapted:
        raise Inexpressible(f"stage {exported.stage} adapts no part (freeze.llm.mode=adapted)")
    file = exported.entry.folder / ADAPTER
    if not file.is_file():
        raise ConfigError(f"{exported.entry.label} keeps no {ADAPTER}: train the stage again")
    for part in ("llm", "encoder"):
        if part not in adapted and (exported.entry.folder / f"{part}.safetensors").is_file():
            raise Inexpressible(f"the {part} was trained whole, which no adapter holds")
    tensors, before = load_file(file), _before(exported)
    for part in adapted:
        place = folder if part == "llm" else folder / TOWER
        base = before.model.llm.net if part == "llm" else before.tower().net
        own = {
            name.removeprefix(f"{part}.net."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{part}.net.")
        }
        source = _source(exported, before, part)
        if source is None:
            source = BASE
            base.save_pretrained(place / BASE)  # type: ignore[operator]
        _write_adapter(base, own, getattr(freeze, part).lora, part == "llm", place)
        settings = json.loads((place / "adapter_config.json").read_text(encoding="utf-8"))
        write_json(place / "adapter_config.json", settings | {"base_model_name_or_path": source})
    save_file(projector_tensors(exported), folder / "mm_projector.safetensors", {"format": "pt"})
    tower = exported.run.encoder
    named = tower.source if isinstance(tower, TransformersEncoder) else ""
    write_json(folder / "config.json", llava_config(exported, named))
    exported.tokenizer.save_pretrained(folder)


def _before(exported: Exported) -> Exported:
    """The model that the stage began with; the entry is the stage's own where none was before."""
    run, entry = exported.run, exported.entry
    parent = Store(store_dir()).parent(entry)
    if parent is None and run.start is not None and exported.stage == run.order[0]:
        parent = started_from(run)
    if parent is None and entry.parent is not None:
        raise ConfigError(f"the stage before {entry.label} is no longer in the store")
    model: VisionLanguageModel
    if parent is None:
        from vilax.training.build import build_model
        from vilax.training.recipe import stage_seed

        stage = run.stages[exported.stage]
        model, _ = build_model(run, stage.parts, stage_seed(run, stage), torch.device("cpu"))
        return replace(exported, model=model.eval())
    model = load_result(run, parent, exported.stage)[0].cpu().float()
    return replace(exported, entry=parent, model=model)


def _source(exported: Exported, before: Exported, part: str) -> str | None:
    """Hub id or folder of the weights that an adapter belongs to; None: a stage has made them."""
    is_first = before.entry is exported.entry
    if not is_first and (before.entry.folder / f"{part}.safetensors").is_file():
        return None
    return getattr(getattr(before.run, part), "source", None)


def _write_adapter(
    base: nn.Module, tensors: dict[str, Tensor], lora: Lora, causal: bool, folder: Path
) -> None:
    modules = sorted({name.partition(".lora_")[0] for name in tensors})
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=modules,
        bias="none",
        use_dora=lora.method == "dora",
        task_type="CAUSAL_LM" if causal else None,
    )
    wrapped: Any = get_peft_model(base, config)
    places = dict(wrapped.base_model.model.named_parameters())
    missing = {n for n in places if ".lora_" in n} ^ set(tensors)
    if missing:
        raise Inexpressible(f"tensor {sorted(missing)[0]} of the adapter has no counterpart")
    with torch.no_grad():
        for name, tensor in tensors.items():
            places[name].copy_(tensor)
    wrapped.save_pretrained(folder)
    # peft's own card is a form to fill in: the export writes one that says something.
    (folder / "README.md").unlink(missing_ok=True)
