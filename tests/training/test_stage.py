"""A stage end to end on a tiny world: store, freezing, resume, accumulation, guards."""

import json
import subprocess
import sys

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from safetensors.torch import load_file

from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.interop.export import export
from vilax.models.visual_expert import TWIN
from vilax.training.module import TrainingStopped
from vilax.training.recipe import DATA_SOURCES, run_recipe, stage_identity
from vilax.training.stage import FrozenChanged, run_stage

TINY = [
    "micro.concepts=24",
    "micro.views=1",
    "micro.image_size=64",
    "micro.pages=40",
    "micro.pairs=60",
    "micro.instructions=60",
    "micro.text_instructions=60",
    "micro.texts=200",
    "micro.workers=1",
    "encoder.image_size=64",
    "llm.hidden_size=32",
    "llm.num_hidden_layers=2",
    "llm.num_attention_heads=2",
    "llm.intermediate_size=48",
    *(f"stages.{s}.budget.tokens=2500" for s in ("text", "align", "pretrain", "sft")),
    *(f"stages.{s}.length=128" for s in ("text", "align", "pretrain", "sft")),
    *(f"stages.{s}.batch=4" for s in ("text", "align", "pretrain", "sft")),
    "stages.text.threads=1",
    "trainer.log_steps=1",
    "trainer.accelerator=cpu",
    "trainer.precision=fp32",
]


@pytest.fixture
def outputs(tmp_path, monkeypatch: pytest.MonkeyPatch, tiny_world):
    """A store of its own, over the session's tiny world."""
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    (tmp_path / "cache").symlink_to(tiny_world)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory):
    return tmp_path_factory.mktemp("world")


def weights(entry) -> dict[str, torch.Tensor]:
    found = {}
    for file in sorted(entry.folder.glob("*.safetensors")):
        found |= {f"{file.stem}/{name}": t for name, t in load_file(file).items()}
    return found


def losses(entry) -> list[float]:
    lines = (entry.folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


class InterruptAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if pl_module.progress.step == self.step:
            raise RuntimeError("pulled the plug")


def test_a_recipe_trains_each_stage_once_and_keeps_what_is_frozen(outputs) -> None:
    run = compose_run(TINY)
    entries = run_recipe(run)
    text, align, pretrain, sft = entries
    assert set(weights(text)) == {n for n in weights(align) if n.startswith("llm/")}
    for name, tensor in weights(text).items():
        assert torch.equal(weights(align)[name], tensor), "align trains the projector alone"
    assert any(not torch.equal(weights(sft)[n], t) for n, t in weights(text).items())
    assert not (sft.folder / "encoder.safetensors").exists()
    record = json.loads((sft.folder / "run.json").read_text())
    assert record["lineage"]["parent"] == pretrain.identity
    assert [e.identity for e in run_recipe(run)] == [e.identity for e in entries]


def test_same_seed_same_weights_other_seed_other_weights(outputs, monkeypatch, tmp_path) -> None:
    run = compose_run([*TINY, "until=align"])
    first = weights(run_recipe(run)[-1])
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "second"))
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "cache").symlink_to(outputs / "cache")
    again = weights(run_recipe(run)[-1])
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = weights(run_recipe(compose_run([*TINY, "until=align", "seed=1"]))[-1])
    assert not torch.equal(first["projector/linear.weight"], other["projector/linear.weight"])
    assert (
        torch.equal(first["llm/net.lm_head.weight"], other["llm/net.lm_head.weight"])
        if ("llm/net.lm_head.weight" in first)
        else True
    )


def test_interrupted_equals_uninterrupted(outputs, monkeypatch, tmp_path) -> None:
    run = compose_run([*TINY, "until=align", "trainer.checkpoint_seconds=0.000001"])
    run_stage(run, "text", visible=False)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        run_stage(run, "align", visible=False, callbacks=(InterruptAt(3),))
    resumed = run_stage(run, "align", visible=False)
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "second"))
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "cache").symlink_to(outputs / "cache")
    whole = run_stage(run, "align", visible=False)
    assert losses(resumed) == losses(whole)
    first, second = weights(resumed), weights(whole)
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_accumulation_over_four_equals_one(outputs, monkeypatch, tmp_path) -> None:
    one = run_stage(compose_run([*TINY, "until=align"]), "align", visible=False)
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "second"))
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "cache").symlink_to(outputs / "cache")
    run = compose_run([*TINY, "until=align", "trainer.micro_rows=1"])
    four = run_stage(run, "align", visible=False)
    assert four.identity == one.identity
    assert losses(one) == pytest.approx(losses(four), rel=1e-5)
    first, second = weights(one), weights(four)
    for name, tensor in first.items():
        assert torch.allclose(tensor, second[name], atol=1e-4), name


def test_a_stage_does_not_depend_on_parts_it_lacks(outputs) -> None:
    plain, other = compose_run(TINY), compose_run([*TINY, "projector=mlp"])
    assert stage_identity(plain, "text") == stage_identity(other, "text")
    assert stage_identity(plain, "align") != stage_identity(other, "align")


def test_identity_ignores_execution_and_sees_science(outputs) -> None:
    base = stage_identity(compose_run(TINY), "align")
    for same in ("trainer.log_steps=7", "trainer.micro_rows=1", "name=x", "logger=disabled"):
        assert stage_identity(compose_run([*TINY, same]), "align") == base, same
    for other in (
        "seed=1",
        "stages.align.rates.projector=0.004",
        "stages.text.batch=8",
        "micro.seed=1",
        "trainer.precision=bf16",
    ):
        assert stage_identity(compose_run([*TINY, other]), "align") != base, other
    unread = stage_identity(compose_run([*TINY, "stages.align.rates.llm=0.5"]), "align")
    assert unread == base, "the LLM is frozen in align: its rate is not read"


class Spoil(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if pl_module.progress.step == 1:
            for part in batch.parts:
                part.labels.fill_(-100)


class MakeNan(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        with torch.no_grad():
            pl_module.model.projector.linear.bias.fill_(float("nan"))


class Thaw(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        with torch.no_grad():
            pl_module.model.llm.embedding.weight[0, 0] += 1


@pytest.mark.parametrize(
    ("callback", "error", "words"),
    [
        (Spoil(), TrainingStopped, "step 1 has no supervised token; its documents: "),
        (MakeNan(), TrainingStopped, "the loss is nan; its documents: "),
        (Thaw(), FrozenChanged, "llm"),
    ],
)
def test_a_stage_that_goes_wrong_stops_and_publishes_nothing(
    outputs, callback, error, words
) -> None:
    run = compose_run([*TINY, "until=align"])
    run_stage(run, "text", visible=False)
    with pytest.raises(error, match=words):
        run_stage(run, "align", visible=False, callbacks=(callback,))
    from vilax.training.recipe import find_stage

    assert find_stage(run, "align") is None


def test_a_step_without_pictures_leaves_a_lone_projector_as_it_is(outputs) -> None:
    words = [
        "stages.pretrain.freeze=projector_only",
        "stages.pretrain.blend.corpora={pairs: 1.0, text: 1.0}",
        "stages.pretrain.length=32",
        "stages.pretrain.batch=2",
        "stages.pretrain.budget.tokens=900",
        "until=pretrain",
    ]
    entry = run_recipe(compose_run([*TINY, *words]))[-1]
    lines = (entry.folder / "metrics.jsonl").read_text().splitlines()
    seen = {True: 0, False: 0}
    images = 0
    for row in map(json.loads, lines):
        has_pictures = row["images"] > images
        images = row["images"]
        seen[has_pictures] += 1
        assert ("projector" in row["gradient_norm_by_part"]) == has_pictures
        assert (row["gradient_norm"] > 0) == has_pictures
    assert min(seen.values()) > 1


def test_workers_do_not_change_the_weights(outputs, monkeypatch, tmp_path) -> None:
    options = [*TINY, "until=align", "features.cache=false"]
    alone = run_stage(compose_run(options), "align", visible=False)
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "second"))
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "cache").symlink_to(outputs / "cache")
    run = compose_run([*options, "trainer.workers=2", "trainer.checkpoint_seconds=0.000001"])
    run_stage(run, "text", visible=False)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        run_stage(run, "align", visible=False, callbacks=(InterruptAt(3),))
    shared = run_stage(run, "align", visible=False)
    assert shared.identity == alone.identity
    assert losses(shared) == losses(alone)
    first, second = weights(alone), weights(shared)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_every_module_that_shapes_rows_is_watched() -> None:
    code = (
        "import sys, vilax.data.engine, vilax.data.derive, vilax.data.selection, vilax.data.video;"
        "print(*(m for m in sys.modules if m.startswith('vilax.data.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    used = {name.split(".")[2] for name in done.stdout.split()}
    # How rows are noted down, found or kept shapes none of them.
    assert used - {"quarantine", "state", "storage"} == set(DATA_SOURCES)


def test_visual_experts_go_through_the_stages(outputs, tmp_path) -> None:
    """The LLM of text is bit-identical at the end; experts travel with the results and exports."""
    policies = [f"stages.{stage}.freeze=visual_expert" for stage in ("pretrain", "sft")]
    run = compose_run([*TINY, *policies])
    text, align, pretrain, sft = (weights(entry) for entry in run_recipe(run))
    own = {name: tensor for name, tensor in sft.items() if name.startswith("llm/")}
    twins = {name for name in own if TWIN in name}
    assert twins and not any(TWIN in name for name in align)
    for name, tensor in text.items():
        assert torch.equal(own[name], tensor)
    assert any(not torch.equal(own[name], own[name.replace(f".{TWIN}", "")]) for name in twins)
    assert any(not torch.equal(own[name], pretrain[name]) for name in twins)

    entry = run_recipe(run)[-1]
    done = export(run, "sft", entry, "vilax", tmp_path / "out")
    assert (done.folder / "llm.safetensors").is_file()
    with pytest.raises(ConfigError, match=r"weights of its own for visual tokens.*vilax can"):
        export(run, "sft", entry, "hf-llava", tmp_path / "other")
