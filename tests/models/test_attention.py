"""The choice of attention kernel says what it took and why."""

import pytest
import torch

from vilax.models.attention import choose_attention

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_auto_without_cuda_takes_sdpa_where_the_family_has_it() -> None:
    assert choose_attention("auto", CPU, True) == ("sdpa", "no CUDA")
    assert choose_attention("auto", CPU, False)[0] == "eager"


def test_flash_without_cuda_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="needs CUDA; use auto"):
        choose_attention("flash", CPU, True)


def test_auto_on_cuda_takes_flash_where_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vilax.models.attention.find_spec", lambda name: object())
    assert choose_attention("auto", CUDA, True)[0] == "flash_attention_2"
