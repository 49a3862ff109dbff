"""Schedules, parameter groups, clipping."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vilax.config.schema.stage import Optimizer, Schedule
from vilax.models.freeze import PartPlan, apply_freeze
from vilax.training.optimisation import build_optimizer, clip_gradients, rate_factor, set_rates

shares = st.floats(0, 1.2)


@given(share=shares, kind=st.sampled_from(["cosine", "linear", "constant"]), floor=st.floats(0, 1))
def test_factor_stays_between_zero_and_one(share: float, kind: str, floor: float) -> None:
    schedule = Schedule(kind=kind, warmup=0.03, floor=floor)
    assert -1e-12 <= rate_factor(schedule, share) <= 1 + 1e-12


def test_factor_rises_to_the_peak_and_falls_to_the_floor() -> None:
    schedule = Schedule(kind="cosine", warmup=0.1, floor=0.2)
    assert rate_factor(schedule, 0.05) == pytest.approx(0.5)
    assert rate_factor(schedule, 0.1) == pytest.approx(1.0)
    assert rate_factor(schedule, 0.55) == pytest.approx(0.6)
    assert rate_factor(schedule, 1.0) == pytest.approx(0.2)
    assert rate_factor(Schedule(kind="linear", warmup=0.0), 0.25) == pytest.approx(0.75)


def test_only_trained_parts_are_in_the_optimizer_each_with_its_rate(tiny_vlm) -> None:
    plan = {
        "encoder": PartPlan("frozen", 1.0),
        "projector": PartPlan("trained", 0.25),
        "llm": PartPlan("trained", 0.5),
    }
    apply_freeze(tiny_vlm, plan)
    optimizer = build_optimizer(tiny_vlm, plan, Optimizer(weight_decay=0.1))
    inside = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert inside == {
        id(p) for part in (tiny_vlm.projector, tiny_vlm.llm) for p in part.parameters()
    }
    for group in optimizer.param_groups:
        assert group["peak"] == {"projector": 0.25, "llm": 0.5}[group["part"]]
        is_matrix = all(p.ndim >= 2 for p in group["params"])
        assert group["weight_decay"] == (0.1 if is_matrix else 0.0)
    set_rates(optimizer, Schedule(kind="constant", warmup=0.5), 0.25)
    assert {group["lr"] for group in optimizer.param_groups} == {0.125, 0.25}


def test_clipping_returns_the_norm_before() -> None:
    weight = torch.nn.Parameter(torch.zeros(4))
    weight.grad = torch.full((4,), 3.0)
    assert clip_gradients([weight], 1.5) == pytest.approx(6.0)
    assert float(weight.grad.norm()) == pytest.approx(1.5, rel=1e-4)
