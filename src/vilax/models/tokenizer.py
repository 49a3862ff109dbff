"""A tokenizer of a folder or hub id, read as its own files say."""

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

AS_IT_IS = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Values of ``tokenizer_class`` that mean ``tokenizer.json`` and nothing else."""


def read_tokenizer(place: str, **options: Any) -> PreTrainedTokenizerBase:
    """Transformers' tokenizer.

    A folder's ``tokenizer.json`` is read as it is where ``tokenizer_class`` says so: beside the
    configuration of some LLMs (Qwen2) transformers would build that family's tokenizer instead,
    which splits a text otherwise.

    Args:
        place: folder or hub id.
        options: of ``from_pretrained``.

    Raises:
        OSError, ValueError: there is none, or it cannot be read.
    """
    file = Path(place).expanduser() / "tokenizer_config.json"
    if file.is_file():
        said = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(said, dict) and said.get("tokenizer_class") in AS_IT_IS:
            options.setdefault("config", PreTrainedConfig())
    return AutoTokenizer.from_pretrained(place, **options)
