"""Documents that a stage reads first: those that its training was handed, from the data alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import Callback

from tests.training.test_stage import TINY
from vilax.ablation.first_documents import Read, opening
from vilax.artifacts.store import Entry
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.config.schema.run import Run
from vilax.training.stage import run_stage


class Noting(Callback):
    """Notes the documents of every step as training is handed them."""

    def __init__(self) -> None:
        self.read: list[Read] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        for part in batch.parts:
            for row in part.rows:
                self.read += map(Read, row.corpora, row.keys)


def tiny(seed: int) -> Run:
    return compose_run([*TINY, "stages.align.blend=pages_pairs", f"seed={seed}"])


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[int, tuple[Entry, list[Read]]]]:
    """Outputs, and by seed the result of align with what it read."""
    outputs = tmp_path_factory.mktemp("trained")
    found = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("VILAX_OUTPUTS", str(outputs))
        for seed in (0, 1):
            run_stage(tiny(seed), "text", visible=False)
            noting = Noting()
            found[seed] = run_stage(tiny(seed), "align", False, (noting,)), noting.read
    return outputs, found


@pytest.fixture
def outputs(trained, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VILAX_OUTPUTS", str(trained[0]))
    return trained[0]


def test_they_are_those_that_training_was_handed(trained, outputs: Path, monkeypatch) -> None:
    def no_picture(data: bytes) -> None:
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr("vilax.data.pictures.decode_noted", no_picture)
    first, second = (opening(tiny(seed), "align", 60, trained[1][seed][0]) for seed in (0, 1))
    # More than the rows of one step, of both streams.
    assert list(first.documents) == trained[1][0][1][:60]
    assert list(second.documents) == trained[1][1][1][:60]
    assert first != second and not first.lacking
    assert {read.corpus for read in first.documents} == {"pages", "pairs"}


def test_what_has_changed_since_is_said(trained, outputs: Path) -> None:
    entry = trained[1][0][0]
    other = replace(entry, inputs=entry.inputs | {"data": {"pages": "another"}})
    assert opening(tiny(0), "align", 8, other).lacking == (
        "its data have changed since it was trained"
    )
    versions = entry.inputs["versions"] | {"packing": 0}
    other = replace(entry, inputs=entry.inputs | {"versions": versions})
    assert opening(tiny(0), "align", 8, other).lacking == "packing has changed since it was trained"


def test_nothing_is_built_to_look_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    assert opening(tiny(0), "align", 8).lacking == "the micro world has not been built"
    assert not list(tmp_path.rglob("*.tar"))
    run = compose_run([*TINY, "corpora.pages.path=/nowhere", "stages.text.blend=pages"])
    assert "/nowhere" in opening(run, "text", 8).lacking


def test_diff_shows_them_where_the_order_differs(
    trained, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [trained[1][seed][0].identity for seed in (0, 1)]
    assert main(["diff", *names, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    # The base LLM is given, whatever the seed.
    assert set(content["documents"]) == {"align"}
    for seed, side in enumerate(content["documents"]["align"]):
        assert side["documents"] == [vars(read) for read in trained[1][seed][1][:8]]
    assert main(["diff", *names, "--documents", "2"]) == 0
    printed = capsys.readouterr().out
    first, second = (trained[1][seed][1] for seed in (0, 1))
    line = next(line for line in printed.splitlines() if line.startswith("align 2"))
    assert first[1].key in line and second[1].key in line
    assert "align 3" not in printed
    assert main(["diff", names[0], names[0]]) == 0
    assert "read first" not in capsys.readouterr().out
    assert main(["diff", *names, "--documents", "0"]) == 0
    printed = capsys.readouterr().out
    assert "read first" not in printed and "Order of documents" in printed
    with pytest.raises(SystemExit, match="2"):
        main(["diff", *names, "--documents", "some"])
