"""The report of invented results: what it holds, and that it holds nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.ablation.fakes import entry, freezing
from tests.ablation.report.reading import parse
from tests.ablation.report.samples import collected
from vilax.ablation.report.content import content
from vilax.ablation.report.learning import curve, measured
from vilax.ablation.report.model import Report
from vilax.ablation.report.tables import our_table
from vilax.ablation.report.write import read, write
from vilax.cli.main import main
from vilax.config.errors import ConfigError

HOSTILE = "<script>alert('x')</script>\"'&|*_`<img src=http://evil.example/x>"


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Report:
    place = tmp_path_factory.mktemp("five")
    return content([collected(place, (0, 1, 2, 3, 4))], "micro")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return content([collected(tmp_path_factory.mktemp("single"))], "micro")


def page_of(report: Any, folder: Path) -> str:
    """The page of the freezing comparison."""
    return (write(report, folder).parent / "freezing.html").read_text()


def changed(report: Report, **changes: Any) -> dict[str, Any]:
    stored: dict[str, Any] = report.model_dump(mode="json")
    stored["comparisons"]["freezing"] |= changes
    return stored


def test_json_has_what_scripts_rely_on(five: Report, tmp_path: Path) -> None:
    write(five, tmp_path)
    stored = json.loads((tmp_path / "report.json").read_text())
    assert {"scale", "generated", "comparisons"} <= set(stored)
    one = stored["comparisons"]["freezing"]
    assert list(one["arms"]) == ["a", "b", "c", "d"]
    arm = one["arms"]["b"]
    assert arm["overrides"]["stages.pretrain.freeze"] == "projector_only"
    assert arm["command"].startswith("vilax evaluate scale=micro")
    assert set(arm["seeds"]) == {"0", "1", "2", "3", "4"}
    assert 0 <= arm["seeds"]["0"]["tasks"]["relation"]["4"] <= 1
    assert arm["seeds"]["0"]["endpoints"]["in_context"]["4"] == pytest.approx(
        100 * arm["seeds"]["0"]["tasks"]["relation"]["4"]
    )
    assert {s["name"] for s in arm["stages"]} == {"text", "align", "pretrain", "sft"}
    assert arm["tokens"] == sum(s["tokens"] for s in arm["stages"]) > 0
    assert arm["seconds"] == pytest.approx(sum(s["seconds"] for s in arm["stages"]), abs=1)
    assert arm["stages_reused"] + arm["stages_trained"] == len(arm["stages"])
    assert arm["stages_reused"] == sum(s["reused"] for s in arm["stages"]) > 0
    assert len(one["claims"]) == 7
    for claim in one["claims"].values():
        assert claim["verdict"] in ("holds", "contradicts", "undecided")
        low, high = claim["interval"]
        assert low <= claim["effect"] <= high
        assert claim["seeds"] == 5
    assert one["claims"]["train_llm_in_sft"]["verdict"] == "holds"
    assert one["paper"]["rows"]["a"][0] == 10.4


def test_one_seed_decides_nothing(single: Report) -> None:
    claims = single.comparisons["freezing"].claims.values()
    assert {claim.verdict for claim in claims} == {"undecided"}
    assert all("needs 5 seeds, has 1" in claim.reason for claim in claims)


def test_page_shows_every_arm_claim_command_and_figure(five: Report, tmp_path: Path) -> None:
    text = parse(page_of(five, tmp_path)).text
    one = five.comparisons["freezing"]
    for arm in one.arms.values():
        assert arm.title in text
        assert arm.command in text
    for claim in one.claims.values():
        assert claim.text in text and claim.paper in text and claim.reason in text
    for task in ("open answer", "caption", "relation", "text relation"):
        assert task in text
    assert "109.4" in text and one.command in text and one.question in text


def test_markdown_and_json_agree(five: Report, tmp_path: Path) -> None:
    write(five, tmp_path)
    text = (tmp_path / "report.md").read_text()
    for claim in five.comparisons["freezing"].claims.values():
        row = next(line for line in text.splitlines() if claim.text in line)
        assert row.startswith(f"| {claim.verdict} |")
        places = 3 if claim.endpoint == "alignment" else 1
        assert f"{claim.effect:+.{places}f}".replace("-", "−") in row  # noqa: RUF001
    for arm in five.comparisons["freezing"].arms.values():
        assert f"`{arm.command}`" in text
    widths = [line.count("|") for line in text.splitlines() if line.startswith("| a |")]
    assert widths[:2] == [10, 12]


def test_tables_show_a_tasks_own_figure_and_unit(single: Report, tmp_path: Path) -> None:
    """CIDEr as papers print it; and F1 or MME's sum, which are no means over items."""
    stored = single.model_dump(mode="json")
    one = stored["comparisons"]["freezing"]
    assert "Ours, percent, by number of shots" in page_of(stored, tmp_path / "percent")
    one["tasks"]["caption"]["scale"] = 1000.0
    one["arms"]["d"]["seeds"]["0"]["figures"]["caption"]["4"] = 118.5
    shown = our_table(Report.model_validate(stored).comparisons["freezing"])
    row = next(row for row in shown.rows if row[0] == "d")
    assert row[shown.flat.index("caption 4")] == "118.5"
    page = page_of(stored, tmp_path / "printed")
    assert "Ours, each as papers print it, by number of shots" in page
    assert "caption: cider d / 10, of 1000" in page


def test_the_same_report_gives_the_same_bytes(five: Report, tmp_path: Path) -> None:
    write(five, tmp_path / "one")
    write(read(tmp_path / "one"), tmp_path / "two")
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    pages = ["freezing.csv", "freezing.html", "freezing.tex"]
    assert names == [*pages, "report.html", "report.json", "report.md"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_hostile_text_stays_text(five: Report, tmp_path: Path) -> None:
    stored = five.model_dump(mode="json")
    one = stored["comparisons"].pop("freezing")
    one |= {"title": HOSTILE, "question": HOSTILE, "command": HOSTILE, "unequal": [HOSTILE]}
    one["paper"] |= {"source": HOSTILE, "columns": [HOSTILE] * 10, "note": HOSTILE}
    one["controls"] = {HOSTILE: {"control": HOSTILE, "failed": HOSTILE}}
    one["tasks"][HOSTILE] = one["tasks"]["relation"] | {"metric": HOSTILE}
    one["curves"][HOSTILE] = one["curves"]["relation"]
    for name, claim in one["claims"].items():
        one["claims"][name] = claim | {"text": HOSTILE, "paper": HOSTILE, "reason": HOSTILE}
    for arm in one["arms"].values():
        arm |= {"title": HOSTILE, "command": HOSTILE, "failed": HOSTILE}
        arm["overrides"] = {HOSTILE: HOSTILE}
    one["arms"][HOSTILE] = one["arms"]["a"]
    one["curves"]["relation"][HOSTILE] = one["curves"]["relation"]["a"]
    stored["comparisons"][HOSTILE] = one
    one["claims"][HOSTILE] = one["claims"]["train_llm_in_sft"]
    example = one["examples"]["items"][0]
    example |= {"task": HOSTILE, "id": HOSTILE, "prompt": HOSTILE, "reference": HOSTILE}
    example["answers"][HOSTILE] = {"answer": HOSTILE, "score": 1.0}
    stored["open"] = {f"open {HOSTILE}": one | {"state": "open", "state_reason": HOSTILE}}
    write(stored, tmp_path)
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) == 3
    for page in pages:
        reader = parse(page.read_text())
        assert [tag for tag, _ in reader.tags].count("script") == 1
        assert "img" not in {tag for tag, _ in reader.tags}
        assert HOSTILE in reader.text
    markdown = (tmp_path / "report.md").read_text()
    assert "<script" not in re.sub(r"`[^`]*`", "", markdown.replace("\\`", ""))


def test_a_failed_arm_and_control_are_said(five: Report, tmp_path: Path) -> None:
    stored = changed(five, controls={"relation": {"control": "text_relation", "failed": "too low"}})
    arm = stored["comparisons"]["freezing"]["arms"]["c"]
    arm |= {"failed": "seed 0: pretrain: loss is not a number", "seeds": {}, "stages": []}
    text = parse(page_of(stored, tmp_path)).text
    assert "Arm c is incomplete: seed 0: pretrain: loss is not a number." in text
    assert "relation carries no claim: too low." in text
    assert "not done" in text


def test_a_missing_arm_leaves_a_report(tmp_path: Path) -> None:
    partial = collected(tmp_path, (0,))
    partial.arms["c"].scores.clear()
    partial.arms["c"].failed = "seed 0: pretrain: out of memory"
    report = content([partial], "micro")
    claim = report.comparisons["freezing"].claims["in_context_needs_trained_llm"]
    assert (claim.verdict, claim.reason) == ("undecided", "no scores of arm c")
    write(report, tmp_path / "out")


def test_nothing_done_is_a_report_too(tmp_path: Path) -> None:
    empty = collected(tmp_path, (0,))
    for arm in empty.arms.values():
        arm.scores.clear()
        arm.stages.clear()
    assert isinstance(empty.results, dict)
    empty.results.clear()
    page = write(content([empty], "micro"), tmp_path / "out")
    assert "no scores of arm" in (page.parent / "freezing.html").read_text()


def test_a_comparison_without_a_papers_table(five: Report, tmp_path: Path) -> None:
    paper = {"source": "none", "columns": [], "rows": {}, "note": ""}
    stored = changed(five, paper=paper, base={}, controls={}, claims={}, training={})
    text = parse(page_of(stored, tmp_path)).text
    assert "Freezing the LLM" in text


def test_stages_that_arms_share_are_one_cell(five: Report, tmp_path: Path) -> None:
    reader = parse(page_of(five, tmp_path))
    spans = [a["rowspan"] for tag, a in reader.tags if tag == "td" and "rowspan" in a]
    one = five.comparisons["freezing"]
    first = {s.identity for arm in one.arms.values() for s in arm.stages if s.seed == 0}
    assert len(spans) == len(first) < 16
    assert "4" in spans


def test_curves_of_arms_that_share_a_stage_are_one(five: Report) -> None:
    training = five.comparisons["freezing"].training
    assert list(training["text"]) == ["a, b, c, d"]
    assert len(training["sft"]) == 4
    assert all(len(points) <= 60 for points in training["sft"].values())
    assert [x for x, _ in training["sft"]["b"]][-1] == 100_000


def test_training_curves_are_smooth_and_end_at_the_tokens_seen(tmp_path: Path) -> None:
    rows = [
        {"share": i / 100, "loss": 2.0 + (-1) ** i, "supervised": 10 * i, "step": i}
        for i in range(1, 101)
    ]
    text = "\n".join(json.dumps(row) for row in rows) + '\n{"share": 1.0, "loss": NaN}\n{"torn'
    (tmp_path / "metrics.jsonl").write_text(text)
    points = curve(entry("stage", "x", tmp_path, {}))
    assert points[-1][0] == 1000
    assert len(points) == 60
    assert all(abs(loss - 2.0) <= 0.34 for _, loss in points)


def test_a_broken_measure_is_left_out_alone() -> None:
    raw = {
        "alignment": {"layers": [0, 1], "values": [0.1, float("nan")]},
        "text_drift": {"perplexity": 5.0, "base_perplexity": 4.0, "tokens": 7},
        "loss_by_images": {"images": [0, 1], "loss": [2.0, float("nan")], "tokens": [3, 0]},
        "later": 1,
    }
    found = measured(raw)
    assert found.alignment is None
    assert found.text_drift is not None and found.text_drift.perplexity == 5.0
    assert found.loss_by_images is not None and found.loss_by_images.loss == (2.0, None)


def test_units_of_items_reach_the_intervals(tmp_path: Path) -> None:
    apart = collected(tmp_path / "apart")
    for found in apart.results.values():
        file = found.folder / "predictions.jsonl"
        if file.exists():
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            file.write_text("".join(json.dumps(r | {"subject": r["id"]}) + "\n" for r in rows))
    name = "train_llm_in_sft"
    together = content([collected(tmp_path / "together")], "micro").comparisons["freezing"]
    alone = content([apart], "micro").comparisons["freezing"]
    assert together.claims[name].effect == pytest.approx(alone.claims[name].effect)
    assert together.claims[name].interval != alone.claims[name].interval


def test_an_arm_without_pictures_hides_nothing_of_the_others(tmp_path: Path) -> None:
    whole = content([collected(tmp_path / "whole")], "micro").comparisons["freezing"]
    one = collected(tmp_path / "some")
    folder = one.results["a", 0, "evaluation"].folder
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["task"] == "text_relation"]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    results = json.loads((folder / "results.json").read_text())
    results["tasks"] = {"text_relation": results["tasks"]["text_relation"]}
    (folder / "results.json").write_text(json.dumps(results))
    one.arms["a"].scores[0] = {"text_relation": one.arms["a"].scores[0]["text_relation"]}
    one.arms["a"].figures[0] = {"text_relation": one.arms["a"].figures[0]["text_relation"]}
    found = content([one], "micro").comparisons["freezing"]
    assert found.tasks == whole.tasks
    assert found.examples is not None and len(found.examples.items) == 6
    name = "in_context_needs_trained_llm"
    # Items about one subject are still known as such.
    assert found.claims[name].interval == whole.claims[name].interval
    shown = our_table(found)
    assert shown.groups == our_table(whole).groups
    assert set(shown.rows[0][1:]) == {"\N{EN DASH}"}


def test_our_rows_come_in_the_papers_order(five: Report, tmp_path: Path) -> None:
    stored = changed(five)
    one = stored["comparisons"]["freezing"]
    one["paper"]["rows"] = {arm: one["paper"]["rows"][arm] for arm in ("d", "b")}
    table = our_table(Report.model_validate(stored).comparisons["freezing"])
    assert [row[0] for row in table.rows] == ["d", "b", "a", "c"]


def test_report_command_without_a_report_says_what_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    assert main(["report"]) == 2
    assert "vilax compare writes one" in capsys.readouterr().err


@pytest.mark.parametrize("text", ['{"scale": "micro"}', "[]", "no json"])
def test_what_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ConfigError):
        read(tmp_path)


def test_unknown_keys_are_refused(five: Report, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"comparisons\.freezing\.colour"):
        write(changed(five, colour="red"), tmp_path)


def test_the_command_names_what_was_run(five: Report) -> None:
    assert freezing((0, 1, 2, 3, 4)).seeds == (0, 1, 2, 3, 4)
    wanted = "vilax compare freezing --scale micro --seeds 0,1,2,3,4"
    assert five.comparisons["freezing"].command == wanted
