"""What inspect shows is what training logs: the command as a user types it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.data.inspect.pages import island, opened
from tests.data.writers import conversation, picture
from tests.training.test_stage import TINY
from vilax.cli.main import main
from vilax.config.compose import compose_run
from vilax.training.recipe import run_recipe

WORDS = [
    *(word for word in TINY if "stages.pretrain" not in word),
    "stages.pretrain.blend=pages_pairs",
    # Pages are longer than that: some are cut, and pieces without supervision are dropped.
    "stages.pretrain.length=24",
    "stages.pretrain.batch=4",
    "stages.pretrain.budget.tokens=1200",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """Metrics and summary of a tiny pretrain stage, in an outputs folder of their own."""
    outputs = tmp_path_factory.mktemp("outputs")
    patch = pytest.MonkeyPatch()
    patch.setenv("VILAX_OUTPUTS", str(outputs))
    folder = run_recipe(compose_run([*WORDS, "until=pretrain"]))[-1].folder
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    yield [json.loads(line) for line in lines], json.loads((folder / "stage.json").read_text())
    patch.undo()


def inspected(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], Path]:
    """The page's data, and the page."""
    assert main(["data", "inspect", *words]) == 0
    page = Path(capsys.readouterr().out.strip())
    return island(page.read_text("utf-8")), page


@pytest.mark.parametrize("workers", [0, 2])
def test_totals_are_those_of_the_training_log(trained, tmp_path, capsys, workers) -> None:
    log, summary = trained
    assert len(log) > 6
    by_corpus: dict[str, int] = {"pages": 0, "pairs": 0}
    shared = [f"trainer.workers={workers}", "--to", str(tmp_path / "page.html"), "--rows", "2"]
    for line in log:
        for corpus, number in line["supervised_by_corpus"].items():
            by_corpus[corpus] += number
        if line["step"] not in (1, 5):
            continue
        steps = str(line["step"])
        data, _ = inspected(capsys, "pretrain", *WORDS, *shared, "--steps", steps)
        totals = data["totals"]
        assert (totals["tokens"], totals["supervised"]) == (line["tokens"], line["supervised"])
        assert {n: c["supervised"] for n, c in totals["corpora"].items()} == by_corpus
        dropped = sum(totals["data"]["dropped"].values())
        assert totals["data"] | {"dropped": dropped} == line["data"]
        assert len(data["rows"]) == 2

    data, _ = inspected(capsys, "pretrain", *WORDS, *shared, "--steps", "all")
    totals = data["totals"]
    for name in ("tokens", "supervised", "documents", "images", "steps"):
        assert totals[name] == summary["counts"][name], name
    streams = summary["data"].values()
    for corpus, counts in totals["corpora"].items():
        for name in ("documents", "tokens", "supervised", "images", "split", "read", "kept"):
            assert counts["data"][name] == sum(s[corpus][name] for s in streams), name
        for name in ("documents", "tokens", "supervised", "images"):
            assert counts[name] == counts["data"][name]
    assert totals["data"]["split"] > 0


def test_rows_are_in_the_order_of_training(trained, tmp_path, capsys) -> None:
    words = ["pretrain", *WORDS, "--to", str(tmp_path / "page.html"), "--steps", "2"]
    data, page = inspected(capsys, *words, "--rows", "8")
    assert [(row["step"], row["stream"]) for row in data["rows"]] == [
        (step, stream) for step in (1, 2) for stream in (0, 0, 1, 1)
    ]
    for row in data["rows"]:
        ends = [0, *(d["end"] for d in row["documents"])]
        assert [d["start"] for d in row["documents"]] == ends[:-1]
        assert ends[-1] + row["padding"] == len(row["tokens"]) == 24
    pieces = [d for row in data["rows"] for d in row["documents"] if d["piece"]]
    assert all(1 <= d["piece"] <= d["pieces"] for d in pieces)
    again, _ = inspected(capsys, *words, "--rows", "8")
    assert again == data
    other, _ = inspected(capsys, *words, "--rows", "8", "--seed", "1")
    assert other["rows"] != data["rows"]
    dom = opened(page, tmp_path)
    assert "data-error" not in dom and dom.count('class="row"') == 8


def test_a_file_alone_with_a_broken_picture(trained, tmp_path, capsys) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    records = []
    for number in range(12):
        (folder / f"{number}.png").write_bytes(picture(number, size=(40, 20)))
        turns = ["<image>\nwhat is this ?", "<b>a dog</b>"]
        records.append(conversation(turns, f"{number}.png", f"id{number}"))
    (folder / "3.png").write_bytes(picture(3)[:60])
    (folder / "chats.json").write_text(json.dumps(records))
    tiny = [word for word in TINY if "stages." not in word]
    data, page = inspected(
        capsys, str(folder / "chats.json"), "corpora.chats.template=vicuna_v1", *tiny,
        "--to", str(tmp_path / "out" / "page.html"), "--steps", "1",
    )  # fmt: skip
    assert data["stage"] == "pretrain" and data["asked"]["shares"] == {"chats": 1.0}
    assert data["totals"]["data"]["set_aside"] == 1
    text = page.read_text("utf-8")
    assert {name: value for name, value in data["pictures"][0].items() if name != "bytes"} == {
        "kind": "PNG",
        "width": 40,
        "height": 20,
    }
    assert "<b>a dog" not in text
    assert "cannot be decoded" in text and "Worth a look" in text
    noted = page.with_name("page.quarantine.jsonl").read_text().splitlines()
    assert len(noted) == 1 and "id3" in noted[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pretrian"], "did you mean 'pretrain'"),
        (["pages_pair"], "did you mean 'pages_pairs'"),
        (["blend=pages_pair"], "did you mean 'pages_pairs'"),
        (["sft", "pairs"], "sft blend=pairs"),
        (["/no/such/place.json"], "/no/such/place.json"),
        (["--steps", "none"], "at least 1, or all"),
        (["--rows", "0"], "at least 1"),
        (["text", "--seed", "3"], "stages.text.seed=3"),
    ],
)
def test_bad_requests(words, said, capsys, trained) -> None:
    assert main(["data", "inspect", *words]) == 2
    assert said in capsys.readouterr().err


def test_help_names_what_can_be_asked(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["data", "inspect", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for command in re.findall(r"^  vilax data inspect (\S+)", shown, re.M):
        assert command
    assert shown.count("vilax data inspect") >= 7 and "--steps" in shown
