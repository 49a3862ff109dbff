"""Composing many runs at once: the same as one by one, and each set of choices once."""

from pathlib import Path

import pytest

from vilax.config import groups
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.config.groups import composed_once

RUNS = (
    ["projector=transformer", "stages.sft.rates.llm=1e-4"],
    ["projector=transformer", "stages.sft.rates.llm=2e-4", "stages.sft.budget.images=512"],
    ["projector=transformer"],
    ["stages.pretrain.freeze=projector_only", "seed=3"],
)


def test_runs_are_the_same_and_equal_choices_are_composed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = [compose_run(words) for words in RUNS]
    asked: list[tuple[str, ...]] = []
    real = groups.compose

    def counted(name: str, words: list[str], **given: object) -> object:
        asked.append(tuple(words))
        return real(name, words, **given)

    monkeypatch.setattr(groups, "compose", counted)
    with composed_once():
        assert [compose_run(words) for words in RUNS] == apart
    # Without any choice, with the projector, and with the freeze policy.
    assert len(asked) == len(set(asked)) == 3


def test_files_that_change_are_seen_outside(tmp_path: Path) -> None:
    file = tmp_path / "projector" / "own.yaml"
    file.parent.mkdir()

    def width(hidden: int) -> object:
        file.write_text(f"kind: transformer\nwidth: {hidden}\nheads: 2\n")
        return compose_run(["projector=own"], tmp_path).projector

    with composed_once():
        first = width(8)
        # Here files are taken to stay as they are.
        assert width(16) == first
    assert width(16) != first


def test_two_folders_are_told_apart(tmp_path: Path) -> None:
    for name, width in (("one", 8), ("two", 16)):
        folder = tmp_path / name / "projector"
        folder.mkdir(parents=True)
        (folder / "own.yaml").write_text(f"kind: transformer\nwidth: {width}\nheads: 2\n")
    with composed_once():
        one, two = (compose_run(["projector=own"], tmp_path / name) for name in ("one", "two"))
        assert one.projector != two.projector
        with pytest.raises(ConfigError, match="own"):
            compose_run(["projector=own"])
