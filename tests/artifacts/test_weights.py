"""Weights that do not fit are refused by name."""

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
