"""What is read of a checkpoint beside its weights: JSON, configurations, tokenizers."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedTokenizerBase

from vilax.config.errors import ConfigError
from vilax.models import tokenizer
from vilax.models.architecture import config_of

VOCABULARIES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model",
    "sentencepiece.bpe.model", "tekken.json",
)  # fmt: skip
"""Files that a tokenizer's vocabulary lies in; without one transformers makes an empty one."""

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")

NOT_READ = ("*.gguf", "*.h5", "*.msgpack", "*.onnx", "consolidated*", "original/*")
"""Files of the hub that no importer reads."""

LONGEST = 300
"""Characters of a reason that another library gives."""


@contextmanager
def readable(what: str, hint: str = "") -> Iterator[None]:
    """What other libraries cannot read is a bad request.

    Args:
        what: is being read, for the message.
        hint: what would work.

    Raises:
        ConfigError: instead of what they raise.
    """
    try:
        yield
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, TypeError, ImportError, StrictDataclassError) as error:
        reason = " ".join(str(error).split())
        reason = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]} ..."
        ending = f": {hint}" if hint else ""
        raise ConfigError(f"{what} cannot be read ({reason}){ending}") from error


def local(place: str, option: str, *, file: bool = False) -> Path:
    """A folder, or where the hub's of that name lies.

    Args:
        place: its path, or a hub id.
        option: what the user gave it as.
        file: it may be a file as well.

    Raises:
        ConfigError: there is neither.
    """
    path = Path(place).expanduser()
    if path.is_dir() or (file and path.is_file()):
        return path
    if not HUB_ID.fullmatch(place):
        raise ConfigError(f"{option} {place}: no such folder{' or file' if file else ''}")
    hint = f"expected {option} FOLDER, as {place} is no folder here"
    with readable(f"{option} {place} of the hub", hint):
        return Path(snapshot_download(place, ignore_patterns=[*NOT_READ]))


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file.

    Raises:
        ConfigError: it cannot be read, or is no mapping.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds a {type(found).__name__}, expected a mapping")
    return found


def read_config(folder: Path) -> Any:
    """Transformers' configuration of a folder.

    Raises:
        ConfigError: it cannot be read, is of no architecture that transformers has, or is that of
            quantised weights.
    """
    with readable(f"{folder / 'config.json'}"):
        config = AutoConfig.from_pretrained(folder)
    refuse_quantised(config.to_dict(), folder)
    return config


def encoder_config(tower: str) -> Any:
    """Transformers' configuration of an image encoder's folder or hub id.

    Raises:
        ConfigError: none is named, or it cannot be read.
    """
    if not tower:
        raise ConfigError("the checkpoint names no image encoder: expected --encoder FOLDER")
    with readable(f"image encoder {tower}", "expected --encoder FOLDER with it"):
        whole = config_of(tower)
    return getattr(whole, "vision_config", whole)


def refuse_quantised(config: Mapping[str, Any], folder: Path) -> None:
    """Quantised weights are not those of the architecture.

    Raises:
        ConfigError: the configuration, or that of a part, says that they are.
    """
    for part in (config, *(one for one in config.values() if isinstance(one, Mapping))):
        if found := part.get("quantization_config"):
            method = found.get("quant_method", "unknown") if isinstance(found, Mapping) else found
            raise ConfigError(
                f"{folder / 'config.json'}: quantization_config (quant_method={method}): quantised"
                " weights are not imported; expected those of fp32, bf16 or fp16"
            )


def read_tokenizer(place: str, text: Any) -> PreTrainedTokenizerBase:
    """The LLM's tokenizer.

    Args:
        place: its folder or hub id.
        text: configuration of the LLM.

    Raises:
        ConfigError: there is none that can be read.
    """
    options: dict[str, Any] = {}
    folder = Path(place).expanduser()
    if folder.is_dir() and not any((folder / name).is_file() for name in VOCABULARIES):
        raise ConfigError(f"{place} has no tokenizer: expected tokenizer.json, or tokenizer.model")
    if folder.is_dir() and not (folder / "tokenizer.json").is_file():
        # Of a sentencepiece model alone transformers builds what the configuration's model_type
        # says; by LLaVA's it gets other tokens than by the LLM's.
        options["config"] = text
    with readable(f"tokenizer of {place}"):
        return tokenizer.read_tokenizer(place, **options)
