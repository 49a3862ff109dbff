"""Measures of trained stages, stored apart from what the tasks say; and while training."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.test_stage import TINY, weights
from vilax.ablation.measuring import FILE, find_measures, measure_stage, measures_identity
from vilax.ablation.nodes import evaluation_identity
from vilax.ablation.while_training import measuring
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError
from vilax.training.recipe import run_recipe, stage_identity
from vilax.training.sources import open_held_out

FEW = [*TINY, "measures.documents=6"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VILAX_OUTPUTS", str(folder))
        yield folder


def test_a_result_is_measured_once(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = compose_run(FEW)
    *_, sft = run_recipe(run)
    entry = measure_stage(run, "sft")
    found = json.loads((entry.folder / FILE).read_text())
    assert found["missing"] == {}
    assert len(found["alignment"]["values"]) == run.llm.num_hidden_layers + 1  # type: ignore[union-attr]
    assert set(found["held_out"]) == {"pages"}
    assert found["text_drift"]["perplexity"] > 0
    assert sum(found["loss_by_images"]["tokens"]) == sum(found["loss_by_position"]["tokens"])
    assert find_measures(run, "sft") == entry
    assert measure_stage(run, "sft") == entry

    assert main(["measure", sft.identity[:8], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(["measure", sft.identity[:8]]) == 0
    assert "alignment by layer" in capsys.readouterr().out
    assert main(["measure", sft.identity[:8], "--documents", "0"]) == 2


def test_the_base_llm_has_not_drifted(outputs: Path) -> None:
    run = compose_run(FEW)
    run_recipe(run.model_copy(update={"until": "text"}))
    found = json.loads((measure_stage(run, "text").folder / FILE).read_text())
    assert found["text_drift"]["perplexity"] == found["text_drift"]["base_perplexity"]
    # A model without eyes is asked for no more.
    assert set(found) == {"held_out", "text_drift", "missing"}


def test_what_has_no_held_out_documents_is_named() -> None:
    run = compose_run(FEW)
    elsewhere = run.corpora["pages"].model_copy(update={"path": "./pages.jsonl"})
    changed = run.model_copy(update={"corpora": run.corpora | {"pages": elsewhere}})
    with pytest.raises(ConfigError, match=r"corpora\.pages\.held_out is not given"):
        open_held_out(changed, "pages")


def test_settings_of_measures_leave_other_identities_alone(outputs: Path) -> None:
    few, many = compose_run(FEW), compose_run([*TINY, "measures.documents=9"])
    for stage in ("pretrain", "sft"):
        assert stage_identity(few, stage) == stage_identity(many, stage)
        assert evaluation_identity(few, stage) == evaluation_identity(many, stage)
        assert measures_identity(few, stage) != measures_identity(many, stage)


def test_measuring_while_training_leaves_the_weights_alone(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run_recipe(compose_run(FEW))[-2]
    (tmp_path / "cache").symlink_to(outputs / "cache")
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    run = compose_run([*FEW, "measures.every_steps=2", "measures.documents=2"])
    watched = run_recipe(run.model_copy(update={"until": "pretrain"}), measuring(run))[-1]
    assert watched.identity == plain.identity
    for name, tensor in weights(plain).items():
        assert torch.equal(tensor, weights(watched)[name])
    rows = [json.loads(line) for line in (watched.folder / "metrics.jsonl").open()]
    measured = [row for row in rows if "measured" in row]
    assert measured and all(row["step"] % 2 == 0 for row in measured)
    assert measured[0]["measured"]["held_out"]["pages"] > 0
    assert set(rows[0]["gradient_norm_by_part"]) == {"projector", "llm"}
    whole = sum(norm**2 for norm in rows[0]["gradient_norm_by_part"].values())
    assert whole == pytest.approx(rows[0]["gradient_norm"] ** 2, rel=1e-4)


def test_measuring_while_sharded_is_refused() -> None:
    run = compose_run([*FEW, "measures.every_steps=2", "trainer=fsdp"])
    with pytest.raises(ConfigError, match=r"measures\.every_steps=2 with trainer\.strategy=fsdp"):
        measuring(run)
