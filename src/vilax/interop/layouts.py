"""The layouts that are imported, told apart by what a folder holds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vilax.artifacts.store import ENTRY
from vilax.config.errors import ConfigError
from vilax.interop.hf_reading import read_hf_llava, read_hf_next
from vilax.interop.llava_adapter import read_adapted
from vilax.interop.llava_reading import read_llava, read_projector
from vilax.interop.prismatic import is_prismatic, read_prismatic
from vilax.interop.progress import Tell, silent
from vilax.interop.reading import read_json
from vilax.interop.request import Request
from vilax.interop.source import Source
from vilax.interop.vila_reading import read_vila
from vilax.interop.weight_files import ADAPTER, weight_files


def read_source(
    path: Path, encoders: Sequence[str] = (), llm: str | None = None, tell: Tell = silent
) -> tuple[str, Source]:
    """Read a checkpoint, its layout told by its content; gives the layout's name as well.

    Args:
        path: a folder, or a file ``mm_projector.bin``.
        encoders: folder or hub id of the image encoder, instead of what the checkpoint names; one
            for each of prismatic's joined networks.
        llm: folder or hub id of the LLM, for a projector alone or a run of prismatic.
        tell: is told how reading gets on.

    Raises:
        ConfigError: it is of no known layout, or cannot be read.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such folder or file")
    folder = path if path.is_dir() else path.parent
    has_config = (folder / "config.json").is_file()
    config = read_json(folder / "config.json") if has_config else {}
    if path.is_dir() and is_prismatic(config):
        return "prismatic", read_prismatic(folder, config, encoders, llm, tell)
    if len(encoders) > 1:
        raise ConfigError(f"--encoder given {len(encoders)} times: expected one image encoder")
    request = Request(path, config, encoders[0] if encoders else None, llm, tell)
    if path.is_file() or _is_projector_alone(folder):
        return "LLaVA projector", read_projector(request)
    if (folder / ENTRY).is_file():
        raise ConfigError(f"{path} is a model of vilax: evaluate and train take it as it is")
    if not has_config:
        weight_files(folder)
        raise ConfigError(f"{path} has no config.json: expected one of {LAYOUTS}")
    for name, (is_it, read) in READERS.items():
        if is_it(folder, config):
            if llm is not None and name != ADAPTED:
                raise ConfigError(f"--llm {llm}: {path} ({name}) has its LLM, expected no other")
            return name, read(request)
    raise ConfigError(
        f"{path} is of no known layout (model_type {config.get('model_type')!r}): expected one of"
        f" {LAYOUTS}"
    )


def _is_projector_alone(folder: Path) -> bool:
    """A whole model may have the projector of its first stage beside it, which counts for nothing;
    so may an adapter, which is refused where it is read."""
    if not (folder / "mm_projector.bin").is_file():
        return False
    is_adapter = (folder / ADAPTER).is_file()
    return not is_adapter and not (folder / "llm").is_dir() and not weight_files(folder)


ADAPTED = "LLaVA LoRA"

Reader = Callable[[Request], Source]

READERS: dict[str, tuple[Callable[[Path, Mapping[str, Any]], bool], Reader]] = {
    "transformers LLaVA": (
        lambda folder, config: config.get("model_type") == "llava" and "vision_config" in config,
        read_hf_llava,
    ),
    "transformers LLaVA-NeXT": (
        lambda folder, config: (
            config.get("model_type") == "llava_next" and "vision_config" in config
        ),
        read_hf_next,
    ),
    "VILA-1.5": (
        lambda folder, config: (folder / "llm").is_dir() and (folder / "mm_projector").is_dir(),
        read_vila,
    ),
    ADAPTED: (
        lambda folder, config: "mm_vision_tower" in config and (folder / ADAPTER).is_file(),
        read_adapted,
    ),
    "LLaVA": (
        lambda folder, config: "mm_vision_tower" in config or "mm_projector_type" in config,
        read_llava,
    ),
}
"""Layout by name: whether a folder has it, and its reader."""

LAYOUTS = ", ".join([*READERS, "prismatic"])
