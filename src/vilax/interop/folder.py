"""vilax's own model folder: what an import writes, and an export of the same name."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from vilax.artifacts.files import manifest, sync_folder, sync_tree, write_json
from vilax.artifacts.identity import identity
from vilax.artifacts.run_record import write_run_json
from vilax.artifacts.store import ENTRY
from vilax.artifacts.weights import save_weights
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.config.schema.model import PretrainedLlm
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.interop.progress import Tell, bytes_of, silent, writing
from vilax.interop.source import Source
from vilax.models.tokenizer import read_tokenizer

STAGE = "imported"

PROBE = "USER: What is in  this picture?\nASSISTANT: 3 cats, na\u00efve ones.</s>"
"""A text that a tokenizer gives the same ids before and after it is written."""


def import_model(source: Source, origin: str, to: Path, tell: Tell = silent) -> None:
    """Write an imported model, visible only when whole.

    Args:
        source: what was read.
        origin: from where, for the lineage.
        to: a new folder.
        tell: is told how writing gets on.

    Raises:
        ConfigError: a tensor is missing, superfluous or misshapen; or ``to`` exists. Nothing is
            written then.
    """
    refuse_existing(to)
    encoder, projector, llm = source.modules()
    tokenizer = source.read_tokenizer()
    rows = int(source.text.vocab_size)
    # Tokens added to a vocabulary may have no rows, such as a padding token: nothing reads them.
    if tokenizer.vocab_size > rows:
        raise ConfigError(
            f"tokenizer of {source.tokenizer}: it has {tokenizer.vocab_size} tokens, and the LLM's"
            f" embeddings {rows} rows; expected the LLM's own"
        )
    run = compose_run(["scale=paper"])
    run = run.model_copy(
        update={
            "name": to.name,
            "order": (STAGE,),
            "stages": {STAGE: Stage()},
            "projector": source.projector_config,
            "llm": PretrainedLlm(source="./llm"),
        }
    )

    def fill(folder: Path) -> Run:
        with writing(folder, bytes_of(encoder, projector, llm), tell):
            config = source.write_encoder(encoder, folder)
            llm.save_pretrained(folder / "llm")  # type: ignore[operator]
        write_tokenizer(tokenizer, folder / "llm")
        save_weights(_own(projector), folder / "projector.safetensors")
        return run.model_copy(update={"encoder": config})

    write_folder(to, STAGE, fill, {"imported": {"from": origin, "layout": source.layout}}, tell)


def write_folder(
    to: Path,
    stage: str,
    fill: Callable[[Path], Run],
    lineage: Mapping[str, Any],
    tell: Tell = silent,
) -> None:
    """Fill a folder beside its place, give it an entry, and rename it.

    Args:
        to: its place.
        stage: what it is the result of.
        fill: writes the weights and returns the configuration that builds the model from them.
        lineage: what it was made from.
        tell: is told how it gets on.
    """
    folder = folder_beside(to)
    try:
        fill_entry(folder, fill(folder), stage, lineage, tell)
        folder.chmod(0o755)
        tell("making it durable", 0, 0)
        sync_tree(folder)
        folder.rename(to)
        sync_folder(to.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill_entry(
    folder: Path, run: Run, stage: str, lineage: Mapping[str, Any], tell: Tell = silent
) -> None:
    """Write ``run.json`` and the entry that make a folder of weights a model of vilax."""
    write_run_json(
        folder / "run.json",
        config=run.model_dump(mode="json"),
        lineage=lineage,
        seeds={},
        data={},
        timings={},
    )
    files = manifest(folder, lambda done, total: tell("checksums", done, total))
    weights = {name: facts for name, facts in files.items() if name != "run.json"}
    inputs = {"kind": "stage", "name": stage, "files": weights, **lineage}
    write_json(
        folder / ENTRY,
        {
            "kind": "stage",
            "identity": identity(inputs),
            "inputs": inputs,
            "meta": {"name": stage, "created": 0.0, "seconds": 0.0},
            "files": files,
        },
    )


def folder_beside(to: Path) -> Path:
    """A new folder next to ``to``, to fill and rename.

    Raises:
        ConfigError: none can be made there.
    """
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}."))
    except OSError as error:
        raise ConfigError(f"--to {to} cannot be written: {error}") from error


def refuse_existing(to: Path) -> None:
    """Never write over what is there; and tell before long work what could not be written.

    Raises:
        ConfigError: ``to`` exists, or no folder can be made there.
    """
    if to.exists():
        raise ConfigError(f"--to {to} exists already: expected a new folder")
    above = next(folder for folder in to.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ConfigError(f"--to {to}: expected a new folder, and {above} cannot hold one")


def write_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a tokenizer.

    Raises:
        ConfigError: what was written gives other tokens.
    """
    tokenizer.save_pretrained(folder)
    again = read_tokenizer(str(folder))
    if again(PROBE)["input_ids"] != tokenizer(PROBE)["input_ids"]:
        raise ConfigError(
            f"tokenizer {type(tokenizer).__name__}: written anew it gives other tokens"
        )


def _own(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
