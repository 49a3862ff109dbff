"""What a person types, and what is said when it is wrong."""

import subprocess
import sys

import pytest
import yaml

from vilax.cli.overrides import shown
from vilax.config.compose import compose_run
from vilax.config.describe import STAGE_GROUPS, TOP_GROUPS, choices
from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["encoder.imagesize=3"], ["encoder.imagesize", "did you mean encoder.image_size"]),
        (["encoder.image_size=3"], ["encoder.image_size=3", "at least 16 and at most 4096"]),
        (["encoder.image_size=abc"], ["encoder.image_size='abc'", "a whole number"]),
        (["projector=linaer"], ["'linaer'", "did you mean 'linear'"]),
        (["sed=1"], ["unknown key sed", "did you mean seed"]),
        (["stages.pretrian.freeze=llm_only"], ["stages.pretrian", "stages.pretrain"]),
        (["stages.pretrain.freeze=projector_onl"], ["stages.pretrain.freeze", "projector_only"]),
        (["stages.sft.rates.lm=1"], ["stages.sft.rates.lm", "did you mean stages.sft.rates.llm"]),
        (["projector={kind: foo}"], ["projector.kind='foo'", "'linear'"]),
        (["logger.wandb=x"], ["logger.wandb='x'", "offline, online, disabled"]),
        (["trainer.offload=true"], ["trainer.offload=true", "expected trainer=fsdp"]),
        (
            ["trainer=fsdp", "trainer.shard_degree=3"],
            ["trainer.shard_degree=3", "2 processes", "divisor"],
        ),
        (["until=sftt"], ["'sftt'", "did you mean 'sft'"]),
        (["seed.x=1"], ["seed.x", "plain value"]),
        (["+x=1"], ["expected key=value"]),
        (["freeze@stages.align=all"], ["expected key=value"]),
        (["scale=huge"], ["unknown scale 'huge'", "micro"]),
        (["stages.sft.budget={tokens: 1, documents: 2}"], ["exactly one of tokens"]),
        (["seed=[1"], ["cannot read"]),
        (["seed=true"], ["seed=true", "a whole number, at least 0"]),
        (["seed=0,1"], ["seed=0,1", "one value", "-m"]),
        (["projector=linear,mlp"], ["projector=linear,mlp", "one value", "-m"]),
        (["stages..length=3"], ["expected key=value"]),
        (["llm=no/such/folder"], ["llm=no/such/folder", "a path that exists"]),
        (["corpora.pages="], ["corpora.pages.path=''", "not empty"]),
        (["evaluation.tasks.captoin.items=3"], ["did you mean evaluation.tasks.caption?"]),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        compose_run(overrides)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["encoder.class_token=true"], ["encoder.class_token=true", "encoder.grid=2"]),
        (["llm.hidden_size=130"], ["llm.hidden_size=130", "llm.num_attention_heads=4"]),
        (["projector=downsample", "projector.factor=4"], ["projector.factor=4", "encoder.grid=2"]),
        (["trainer.devices=2"], ["trainer.devices=2", "trainer=ddp"]),
        (["stages.text.freeze=projector_only"], ["stages.text.parts", "projector"]),
        (["stages.sft.batch=3"], ["stages.sft.batch=3", "streams=2"]),
        (["trainer=fsdp", "trainer.devices=3"], ["streams=2", "3 processes"]),
        (["stages.sft.blend.corpora={page: 1.0}"], ["'page'", "did you mean 'pages'"]),
        (["stages.sft.blend.corpora={pages: -1}"], ["pages=-1.0", "above 0"]),
        (["stages.sft.blend.corpora={pages: nan}"], ["pages=nan", "above 0"]),
        (["order=[text, align, align]"], ["order=", "align once"]),
        (["evaluation.tasks.caption.shots=[0, -1]"], ["caption.shots=[0, -1]", "at least 0"]),
        (["stages.sft.blend.corpora={}"], ["stages.sft.blend.corpora is empty"]),
        (["stages.sft.length=2048"], ["stages.sft.length=2048", "max_position_embeddings=1024"]),
        (["stages.align.freeze.projector.mode=frozen"], ["stages.align.freeze trains nothing"]),
        (["projector=transformer", "projector.width=30"], ["width=30", "heads=8"]),
        (["stages.sft.parts=[encoder, llm]"], ["stages.sft.parts", "[llm]"]),
    ],
)
def test_an_impossible_pair_names_both(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        compose_run(overrides)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("group", TOP_GROUPS)
def test_every_shipped_choice_composes_and_says_what_it_is(group: str) -> None:
    found = choices(group)
    assert found
    for name, line in found.items():
        assert line, f"{group}/{name} has no first comment line"
        assert isinstance(compose_run([f"{group}={name}"]), Run)


@pytest.mark.parametrize("group", STAGE_GROUPS)
def test_every_stage_choice_composes(group: str) -> None:
    for name in choices(group):
        parts = "[llm]" if name in ("llm_only", "text") else "[encoder, projector, llm]"
        compose_run(
            [
                f"stages.pretrain.{group}={name}",
                f"stages.pretrain.parts={parts}",
                *(["stages.pretrain.freeze=llm_only"] if parts == "[llm]" else []),
            ]
        )


def test_choices_values_and_order_of_overrides() -> None:
    run = compose_run(
        ["stages.pretrain.freeze=projector_only", "stages.pretrain.rates.projector=0.5", "seed=7"]
    )
    assert run.stages["pretrain"].freeze.llm.mode == "frozen"
    assert run.stages["pretrain"].rates.projector == 0.5
    assert run.stages["sft"].freeze.llm.mode == "trained"
    assert compose_run(["seed=1", "seed=2"]).seed == 2


def test_a_value_goes_on_top_of_a_choice_wherever_it_stands() -> None:
    run = compose_run(["projector.depth=3", "projector=mlp"])
    assert run.projector.model_dump() == {"kind": "mlp", "depth": 3}


def test_paths_stand_where_names_do(tmp_path) -> None:
    (tmp_path / "weights").mkdir()
    file = tmp_path / "mine.yaml"
    file.write_text("kind: mlp\ndepth: 4\n")
    data = tmp_path / "data.json"
    data.write_text("[]")
    run = compose_run(
        [
            f"llm={tmp_path / 'weights'}",
            f"projector={file}",
            f"corpora.pages={data}",
            f"stages.sft.blend.corpora={{{data}: 1.0}}",
        ]
    )
    assert run.llm.model_dump() == {"kind": "pretrained", "source": str(tmp_path / "weights")}
    assert run.projector.model_dump() == {"kind": "mlp", "depth": 4}
    assert run.corpora["pages"].path == str(data)
    kept = compose_run([f"corpora.instructions={data}"]).corpora["instructions"]
    assert kept.model_dump(exclude_defaults=True) == {"path": str(data), "template": "qa"}
    assert list(run.stages["sft"].blend.corpora) == [str(data)]


def test_of_several_for_one_key_the_last_wins(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("kind: mlp\ndepth: 4\n")
    assert compose_run([f"projector={file}", "projector=linear"]).projector.kind == "linear"
    mine = compose_run(["projector.depth=7", "projector=transformer", f"projector={file}"])
    assert mine.projector.model_dump() == {"kind": "mlp", "depth": 7}


RECIPE = """\
# @package _global_
# Two stages, the second spelt out
defaults:
  - /projector: mlp
  - /freeze@stages.warm.freeze: projector_only
  - _self_
order: [warm, cool]
stages:
  warm:
    length: 256
    blend: {corpora: {align: 1.0}}
  cool:
    length: 256
    freeze: {llm: {mode: trained}}
    blend: {corpora: {pages: 1.0}}
"""


@pytest.mark.parametrize("is_path", [True, False])
def test_groups_reach_the_stages_of_a_users_recipe(tmp_path, is_path: bool) -> None:
    file = tmp_path / "recipe" / "two.yaml"
    file.parent.mkdir()
    file.write_text(RECIPE)
    recipe = [f"recipe={file if is_path else 'two'}", "scale=paper"]
    user = None if is_path else tmp_path
    run = compose_run(recipe, user)
    assert run.order == ("warm", "cool")
    assert run.projector.kind == "mlp"
    chosen = ["stages.cool.blend=pairs", "stages.cool.freeze=all", "stages.warm.freeze=lora_llm"]
    run = compose_run([*recipe, *chosen, "projector=linear"], user)
    assert dict(run.stages["cool"].blend.corpora) == {"pairs": 1.0}
    assert run.stages["cool"].freeze.encoder.mode == "trained"
    assert run.stages["warm"].freeze.llm.mode == "adapted"
    assert run.projector.kind == "linear"
    with pytest.raises(ConfigError, match=r"did you mean stages\.cool"):
        compose_run([*recipe, "stages.coool.freeze=all"], user)


def test_micro_scale_runs_a_users_recipe_in_the_order_given(tmp_path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(RECIPE)
    run = compose_run([f"recipe={file}", "order=[text, warm, cool]"])
    assert run.order == ("text", "warm", "cool")
    assert run.stages["text"].parts == ("llm",)


def test_the_shown_configuration_is_the_run() -> None:
    run = compose_run(["projector=mlp", "stages.sft.blend=sft_text"])
    assert Run.model_validate(yaml.safe_load(shown(run))) == run


def test_a_users_folder_wins(tmp_path) -> None:
    folder = tmp_path / "projector"
    folder.mkdir()
    (folder / "linear.yaml").write_text("# Mine\nkind: mlp\ndepth: 5\n")
    (folder / "deep.yaml").write_text("# Deep\nkind: mlp\ndepth: 6\n")
    assert compose_run([], tmp_path).projector.model_dump() == {"kind": "mlp", "depth": 5}
    assert compose_run(["projector=deep"], tmp_path).projector.model_dump()["depth"] == 6
    assert compose_run(["projector=mlp"], tmp_path).projector.model_dump()["depth"] == 2


def test_composing_loads_no_torch() -> None:
    code = (
        "import sys; from vilax.config.compose import compose_run; compose_run([]);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_paper_scale_carries_the_released_recipe() -> None:
    """paper.md 2.2."""
    run = compose_run(["scale=paper"])
    assert run.trainer.precision == "bf16"
    stages = {name: run.stages[name] for name in run.order}
    rows = {n: (s.batch, s.length, s.rates.projector) for n, s in stages.items()}
    assert rows == {
        "align": (256, 2048, 1e-3),
        "pretrain": (1024, 4096, 5e-5),
        "sft": (128, 4096, 2e-5),
    }
    assert all(s.schedule.kind == "cosine" for s in run.stages.values())
    assert all(s.schedule.warmup == 0.03 for s in run.stages.values())
    assert all(s.optimizer.weight_decay == 0 for s in run.stages.values())
