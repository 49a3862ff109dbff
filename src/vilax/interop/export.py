"""A trained result in another layout, proven by reloading it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from vilax.artifacts.files import sync_folder, sync_tree
from vilax.artifacts.store import Entry
from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.data import Template
from vilax.config.schema.run import Run
from vilax.interop.card import write_card
from vilax.interop.folder import folder_beside, refuse_existing
from vilax.interop.hf_llava import write_hf_llava
from vilax.interop.llava import write_llava
from vilax.interop.model import Exported, Inexpressible
from vilax.interop.native import write_native
from vilax.interop.peft_adapter import write_peft
from vilax.interop.progress import Tell, bytes_of, silent, writing
from vilax.interop.proof import Proof, prove
from vilax.interop.vila import write_vila
from vilax.training.load import load_result

FORMATS: dict[str, Callable[[Exported, Path], None]] = {
    "hf-llava": write_hf_llava,
    "llava": write_llava,
    "peft": write_peft,
    "vila": write_vila,
    "vilax": write_native,
}
"""Writers by format."""


@dataclass(frozen=True)
class Done:
    """What an export came to.

    Attributes:
        folder: where it lies.
        proof: how its reloaded self answered.
    """

    folder: Path
    proof: Proof


def export(
    run: Run,
    stage: str,
    entry: Entry,
    layout: str,
    to: Path,
    template: str | None = None,
    tell: Tell = silent,
) -> Done:
    """Write a stage's result in a layout, reload it in a fresh process and compare.

    Args:
        run: its configuration.
        stage: its stage.
        entry: the result.
        layout: one of ``FORMATS``.
        to: a new folder; visible only when the comparison has passed.
        template: the conversation template that it is used with; None: that of the stage's corpora.
        tell: is told how it gets on.

    Raises:
        ConfigError: the layout cannot express the model, with the reason and those that can; the
            reloaded model answers otherwise; or ``to`` exists.
    """
    if layout not in FORMATS:
        raise unknown("format", layout, FORMATS)
    template = template or run.template_of(stage)
    if template not in get_args(Template):
        raise unknown("template", template, get_args(Template))
    refuse_existing(to)
    tell("loading", 0, 0)
    model, tokenizer, *_ = load_result(run, entry, stage)
    if model.encoder is None:
        raise ConfigError(f"stage {stage} has no image encoder: expected a later stage's result")
    exported = Exported(run, stage, entry, model.cpu().float(), tokenizer, cast(Template, template))
    folder = folder_beside(to)
    try:
        try:
            with writing(folder, bytes_of(exported.model), tell):
                FORMATS[layout](exported, folder)
        except Inexpressible as error:
            raise ConfigError(
                f"--format {layout} cannot express this model: {error}; --format vilax can"
            ) from error
        tell("loading it anew and comparing", 0, 0)
        proof = prove(exported, folder, layout)
        write_card(exported, folder, layout, proof)
        folder.chmod(0o755)
        tell("making it durable", 0, 0)
        sync_tree(folder)
        folder.rename(to)
        sync_folder(to.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Done(to, proof)
