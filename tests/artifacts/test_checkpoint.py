"""Resume checkpoints: exact, whole, at any world size, and no way in."""

import json
import multiprocessing
import os
import pickle
import shutil
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import BytesStorageMetadata
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from vilax.artifacts import checkpoint
from vilax.artifacts.checkpoint import CheckpointError
from vilax.artifacts.files import manifest, write_json

Training = tuple[torch.nn.Module, torch.optim.Optimizer]


def fresh(shards: int = 0) -> Training:
    """A frozen layer and a trained one; ``shards``: over so many processes."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 3))
    model[0].requires_grad_(False)
    if shards:
        mesh = init_device_mesh("cpu", (shards,))
        for layer in model:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model, torch.optim.AdamW(model[1].parameters(), 1e-2)


def train(training: Training, steps: int) -> Training:
    model, optimizer = training
    for _ in range(steps):
        model(torch.ones(2, 4)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return training


def weight(model: torch.nn.Module) -> torch.Tensor:
    found = model[1].weight.detach()
    return found.full_tensor() if hasattr(found, "full_tensor") else found


def seal(path: Path) -> None:
    """Make the manifest fit again, as whoever tampers with the files could."""
    (path / "manifest.json").unlink()
    write_json(path / "manifest.json", manifest(path))


def test_training_goes_on_as_if_nothing_had_happened(tmp_path) -> None:
    training = train(fresh(), 2)
    checkpoint.save(tmp_path, 2, *training, {"data": {"0": [1, 2]}})
    train(training, 1)
    other = fresh()
    newest = checkpoint.latest(tmp_path)
    assert checkpoint.load(newest, *other) == {"data": {"0": [1, 2]}}
    train(other, 1)
    assert torch.equal(weight(training[0]), weight(other[0]))


def test_what_is_frozen_is_not_saved() -> None:
    names = {name.split("/")[1] for name in checkpoint.tensors_of(*fresh())}
    assert names == {"1.weight", "1.bias"}


def test_state_that_would_be_lost_is_refused() -> None:
    model, _ = fresh()
    momentum = torch.optim.SGD(model[1].parameters(), 0.1, momentum=0.9)
    with pytest.raises(ValueError, match="Adam or AdamW"):
        checkpoint.tensors_of(model, momentum)


def test_the_last_two_are_kept_and_a_damaged_one_is_passed_over(tmp_path, capsys) -> None:
    training = train(fresh(), 1)
    (tmp_path / "step-00000002.partial").mkdir()
    for number in (1, 2, 3):
        checkpoint.save(tmp_path, number, *training, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    shard = next((tmp_path / "step-00000003").glob("*.distcp"))
    shard.write_bytes(shard.read_bytes()[:-9])
    assert checkpoint.latest(tmp_path).name == "step-00000002"
    assert "step-00000003 is damaged" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="is not what its manifest says"):
        checkpoint.load(tmp_path / "step-00000003", *fresh())


def test_half_a_checkpoint_is_none(tmp_path) -> None:
    (tmp_path / "step-00000009.partial").mkdir()
    (tmp_path / "step-00000008").mkdir()
    assert checkpoint.latest(tmp_path) is None
    with pytest.raises(CheckpointError, match="step-00000008"):
        checkpoint.load(tmp_path / "step-00000008", *fresh())


def test_a_full_disk_is_named_and_what_fills_it_removed(tmp_path, monkeypatch) -> None:
    training = train(fresh(), 1)
    checkpoint.save(tmp_path, 1, *training, {})

    def fail(*args, **options) -> None:
        words = "[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"
        raise CheckpointException("save", {0: (RuntimeError(words), None)})

    monkeypatch.setattr(checkpoint, "save_shards", fail)
    with pytest.raises(CheckpointError, match=r"step 2 not written: rank 0: .*unexpected pos"):
        checkpoint.save(tmp_path, 2, *training, {})
    usage = shutil.disk_usage(tmp_path)._replace(free=96)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(CheckpointError, match=r"No space left .* 96 bytes free, 188 are"):
        checkpoint.save(tmp_path, 2, *training, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_checkpoint_of_other_trained_parts_is_refused(tmp_path) -> None:
    path = checkpoint.save(tmp_path, 1, *train(fresh(), 1), {})
    model, _ = fresh()
    model.requires_grad_(True)
    wider = torch.optim.AdamW(model.parameters(), 1e-2)
    with pytest.raises(CheckpointError, match=r"model/0\.bias is not in the checkpoint"):
        checkpoint.load(path, model, wider)


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_an_index_that_would_run_something_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = checkpoint.save(tmp_path, 1, *train(fresh(), 1), {})
    (path / ".metadata").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError, match=r"\.metadata is not what its manifest says"):
        checkpoint.load(path, *fresh())
    seal(path)
    with pytest.raises(CheckpointError, match=r"may not use (posix|nt)\.system"):
        checkpoint.load(path, *fresh())
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("how", ["bytes", "odd", "outside", "other"])
def test_an_index_of_anything_but_tensors_in_the_folder_is_refused(tmp_path, how: str) -> None:
    path = checkpoint.save(tmp_path, 1, *train(fresh(), 1), {})
    index = pickle.loads((path / ".metadata").read_bytes())
    if how == "bytes":
        index.state_dict_metadata["model/1.bias"] = BytesStorageMetadata()
    elif how == "odd":
        index.state_dict_metadata["model/1.bias"] = OrderedDict()
    elif how == "outside":
        next(iter(index.storage_data.values())).relative_path = "../shard.distcp"
    (path / ".metadata").write_bytes(pickle.dumps({} if how == "other" else index))
    seal(path)
    words = {
        "bytes": "may not use .*BytesStorageMetadata",
        "odd": "is not a tensor",
        "outside": "outside the checkpoint",
        "other": "is not one",
    }
    with pytest.raises(CheckpointError, match=words[how]):
        checkpoint.load(path, *fresh())


def _two_ranks(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    training = train(fresh(shards=2), 2)
    checkpoint.save(folder / "two", 2, *training, {"ranks": 2})
    other = fresh(shards=2)
    progress = checkpoint.load(checkpoint.latest(folder / "one"), *other)
    train(other, 1)
    found = weight(other[0])
    if rank == 0:
        write_json(folder / "found.json", {"weight": found.tolist(), "progress": progress})
    dist.barrier()
    dist.destroy_process_group()


def test_one_process_reads_what_two_wrote_and_two_what_one_wrote(tmp_path) -> None:
    alone = train(fresh(), 2)
    checkpoint.save(tmp_path / "one", 2, *alone, {"ranks": 1})
    context = multiprocessing.get_context("spawn")
    ranks = [context.Process(target=_two_ranks, args=(rank, tmp_path)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
    assert [process.exitcode for process in ranks] == [0, 0]
    train(alone, 1)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["progress"] == {"ranks": 1}
    assert torch.allclose(torch.tensor(found["weight"]), weight(alone[0]), atol=1e-6)
    path = checkpoint.latest(tmp_path / "two")
    assert len(list(path.glob("*.distcp"))) == 2
    other = fresh()
    assert checkpoint.load(path, *other) == {"ranks": 2}
    train(other, 1)
    assert torch.allclose(weight(other[0]), weight(alone[0]), atol=1e-6)
