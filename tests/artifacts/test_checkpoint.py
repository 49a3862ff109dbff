"""Resume checkpoints: exact, whole, and no way in."""

import pickle

import pytest
import torch

from vilax.artifacts import checkpoint


def trained() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(2):
        step(model, optimizer)
    return model, optimizer


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model(torch.ones(2, 4)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = torch.nn.Linear(4, 3)
    return model, torch.optim.AdamW(model.parameters(), 1e-2)


def test_training_goes_on_as_if_nothing_had_happened(tmp_path) -> None:
    model, optimizer = trained()
    checkpoint.save(tmp_path, 2, model, optimizer, {"data": {"0": [1, 2]}})
    step(model, optimizer)
    other, other_optimizer = fresh()
    newest = checkpoint.latest(tmp_path)
    assert checkpoint.load(newest, other, other_optimizer) == {"data": {"0": [1, 2]}}
    step(other, other_optimizer)
    assert torch.equal(model.weight, other.weight)
    assert torch.equal(model.bias, other.bias)


def test_the_last_two_are_kept_and_a_damaged_one_is_passed_over(tmp_path, capsys) -> None:
    model, optimizer = trained()
    for number in (1, 2, 3):
        checkpoint.save(tmp_path, number, model, optimizer, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    shard = next((tmp_path / "step-00000003").glob("*.distcp"))
    shard.write_bytes(shard.read_bytes()[:-9])
    assert checkpoint.latest(tmp_path).name == "step-00000002"
    assert "step-00000003 is damaged" in capsys.readouterr().err


def test_half_a_checkpoint_is_none(tmp_path) -> None:
    (tmp_path / "step-00000009.partial").mkdir()
    (tmp_path / "step-00000008").mkdir()
    assert checkpoint.latest(tmp_path) is None


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch pwned",)


def test_an_index_that_would_run_something_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    model, optimizer = trained()
    path = checkpoint.save(tmp_path, 1, model, optimizer, {})
    (path / ".metadata").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(BaseException, match=r"may not use (posix|nt)\.system"):
        checkpoint.load(path, *fresh())
    assert not (tmp_path / "pwned").exists()
