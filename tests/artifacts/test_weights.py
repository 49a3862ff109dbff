"""Weights that do not fit are refused by name, and half a file is none."""

import pytest
import torch

from vilax.artifacts.weights import load_weights, save_weights


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"a": (2,), "b": (1,)}, "has no tensor b"),
        ({}, "has a tensor a that the model does not"),
        ({"a": (3,)}, r"tensor a is \(2,\), the model's is \(3,\)"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, expected, words) -> None:
    save_weights({"a": torch.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=words):
        load_weights(tmp_path / "x.safetensors", expected)
    assert load_weights(tmp_path / "x.safetensors", {"a": (2,)})["a"].tolist() == [1, 1]


def test_a_failed_write_leaves_what_was_there(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    save_weights({"a": torch.ones(2)}, path)
    tied = torch.zeros(2)
    with pytest.raises(RuntimeError, match="share memory"):
        save_weights({"a": tied, "b": tied}, path)
    assert load_weights(path, {"a": (2,)})["a"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_torn_file_is_named(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    save_weights({"a": torch.ones(2)}, path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"x\.safetensors is no whole safetensors file"):
        load_weights(path, {"a": (2,)})
