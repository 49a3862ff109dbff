"""What makes a stage fit: as few changes as will do, each of which does fit."""

from dataclasses import replace
from typing import Any

import pytest

from vilax.config.compose import compose_run
from vilax.planning.fixes import find_fixes
from vilax.planning.hardware import GIB, GPUS
from vilax.planning.memory import Memory
from vilax.planning.plan import Machine, plan_stage
from vilax.planning.setting import Setting, words_between

NOW = Setting(16, 16, False, "fsdp", 8, 0, False, False)


class Formula:
    """A planner whose figures can be read off: so many bytes a row, and a state that is cut."""

    def __init__(self, row: int, state: int, gathered: int = 0) -> None:
        self.row, self.state, self.gathered = row, state, gathered
        self.asked: list[Setting] = []

    def memory(self, setting: Setting) -> Any:
        self.asked.append(setting)
        row = self.row // 10 if setting.checkpointing else self.row
        state = 0 if setting.offload else self.state // setting.shards
        peak = row * setting.rows + state + self.gathered
        return Memory(state, 0, 0, row * setting.rows, 0, 0, self.gathered, peak, 0)


def words(planner: Formula, now: Setting, limit: int) -> list[str]:
    return [words_between(now, then) for then, _ in find_fixes(planner, now, limit)]  # type: ignore[arg-type]


def test_single_changes_come_alone() -> None:
    found = words(Formula(100, 800), NOW, 1200)
    assert found == ["trainer.micro_rows=8", "trainer.activation_checkpointing=true"]


def test_two_changes_where_one_will_not_do() -> None:
    assert words(Formula(100, 8000), NOW, 900) == [
        "trainer.micro_rows=8 trainer.offload=true",
        "trainer.activation_checkpointing=true trainer.offload=true",
        # A sixteenth of the state, and one row: 510 bytes; an eighth alone is 1000.
        "trainer.activation_checkpointing=true trainer.micro_rows=1 gpus=16",
    ]


def test_no_more_shards_than_are_needed() -> None:
    now = replace(NOW, degree=2, rows=1)
    assert words(Formula(0, 800), now, 250) == ["trainer.shard_degree=4", "trainer.offload=true"]
    replicated = replace(NOW, strategy="ddp", rows=1)
    assert words(Formula(0, 800), replicated, 100)[0] == "trainer=fsdp"


def test_more_devices_are_named_beside_host_memory() -> None:
    now = replace(NOW, rows=1, per_rank=1, checkpointing=True)
    assert words(Formula(0, 8000), now, 300) == ["trainer.offload=true", "gpus=32"]
    assert words(Formula(0, 8000, gathered=500), now, 400) == []
    # More devices help only if they share: not where each group of two holds a copy.
    paired = words(Formula(0, 8000), replace(now, degree=2), 300)
    assert paired == ["trainer.offload=true", "trainer.shard_degree=0 gpus=32"]


@pytest.mark.parametrize("strategy", ["fsdp", "ddp"])
def test_fixes_of_a_7b_stage_are_tried_and_fit(strategy: str) -> None:
    run = compose_run(
        [
            "scale=paper",
            f"trainer={strategy}",
            "trainer.devices=8",
            "trainer.precision=bf16",
            "trainer.micro_rows=1",
            "trainer.activation_checkpointing=true",
            *(["trainer.shard_degree=2"] if strategy == "fsdp" else []),
        ]
    )
    plan = plan_stage(run, "sft", Machine(8, GPUS["l40s-48g"], 1.0, 0.4))
    assert not plan.fits
    said = [words_between(plan.setting, setting) for setting, _ in plan.fixes]
    wider = "trainer.shard_degree=4" if strategy == "fsdp" else "trainer=fsdp"
    assert wider in said and any("trainer.offload=true" in one for one in said)
    for setting, memory in plan.fixes:
        assert memory.peak <= 0.94 * 44 * GIB
        assert (memory.optimizer == 0) == setting.offload
        assert not setting.offload or memory.host >= 16 * plan.counts.parts["llm"][0] // 8
