"""The choice of attention kernel says what it took and why."""

import pytest
import torch

from vilax.models.attention import choose_attention, flex_fault

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


def test_auto_on_cuda_without_flash_tries_flex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vilax.models.attention.find_spec", lambda name: None)
    monkeypatch.setattr("vilax.models.attention.flex_fault", lambda device: "")
    assert choose_attention("auto", CUDA, True, True) == (
        "flex_attention",
        "CUDA, without flash-attn",
    )
    monkeypatch.setattr("vilax.models.attention.flex_fault", lambda device: "no triton")
    name, reason = choose_attention("auto", CUDA, True, True)
    assert name == "sdpa"
    assert "no triton" in reason
    assert "not in this LLM" in choose_attention("auto", CUDA, True, False)[1]


def test_flex_is_refused_where_it_cannot_run() -> None:
    with pytest.raises(ValueError, match="flex needs CUDA"):
        choose_attention("flex", CPU, True, True)
    with pytest.raises(ValueError, match="no path through flex"):
        choose_attention("flex", CUDA, True, False)
    # What decides on CUDA is found by trying: a CPU has the forward pass, but not the backward.
    assert flex_fault(CPU)
