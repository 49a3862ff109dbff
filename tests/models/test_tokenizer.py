"""A tokenizer beside an LLM's configuration splits text as its own file says."""

from pathlib import Path

from transformers import Qwen2Config

from vilax.micro.tokenizer import build_tokenizer
from vilax.models.tokenizer import read_tokenizer


def test_a_tokenizer_is_not_taken_for_another_familys(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    Qwen2Config().save_pretrained(tmp_path)
    text = "question : what is this ? answer : a red square"
    assert read_tokenizer(str(tmp_path))(text)["input_ids"] == tokenizer(text)["input_ids"]
