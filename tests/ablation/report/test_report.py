"""The report of invented results: what it holds, and that it holds nothing else."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.ablation.fakes import freezing
from tests.ablation.report.samples import collected
from vilax.ablation.report.content import content
from vilax.ablation.report.model import Report
from vilax.ablation.report.write import read, report_folder, write
from vilax.cli.main import main
from vilax.config.errors import ConfigError

VOID = {"meta", "line", "rect", "circle", "polygon", "polyline"}
HOSTILE = "<script>alert('x')</script>\"'&|*_`<img src=http://evil.example/x>"


class Reader(HTMLParser):
    """Collects tags, attributes and text; fails on tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parse(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Report:
    place = tmp_path_factory.mktemp("five")
    return content([collected(place, (0, 1, 2, 3, 4))], "micro")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return content([collected(tmp_path_factory.mktemp("single"))], "micro")


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
    text = parse(write(five, tmp_path).read_text()).text
    one = five.comparisons["freezing"]
    for arm in one.arms.values():
        assert arm.title in text
        assert arm.command in text
    for claim in one.claims.values():
        assert claim.text in text and claim.paper in text and claim.reason in text
    for task in ("open answer", "caption", "relation", "text relation"):
        assert task in text
    assert "109.4" in text and one.command in text and one.question in text


def test_page_loads_nothing(five: Report, tmp_path: Path) -> None:
    reader = parse(write(five, tmp_path).read_text())
    for tag, attributes in reader.tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "srcset", "data", "background"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    style = re.search(r"<style>(.*?)</style>", (tmp_path / "report.html").read_text(), re.S)
    assert style is not None
    assert "url(" not in style[1] and "@import" not in style[1]


def test_charts_have_words_for_those_who_cannot_see_them(five: Report, tmp_path: Path) -> None:
    reader = parse(write(five, tmp_path).read_text())
    drawings = [attributes for tag, attributes in reader.tags if tag == "svg"]
    assert len(drawings) > 10
    for attributes in drawings:
        assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
    assert all(a.get("scope") for tag, a in reader.tags if tag == "th")


def test_markdown_and_json_agree(five: Report, tmp_path: Path) -> None:
    write(five, tmp_path)
    text = (tmp_path / "report.md").read_text()
    for claim in five.comparisons["freezing"].claims.values():
        row = next(line for line in text.splitlines() if claim.text in line)
        assert row.startswith(f"| {claim.verdict} |")
        assert f"{claim.effect:+.1f}".replace("-", "−") in row  # noqa: RUF001
    for arm in five.comparisons["freezing"].arms.values():
        assert f"`{arm.command}`" in text
    widths = [line.count("|") for line in text.splitlines() if line.startswith("| a |")]
    assert widths == [10, 12]


def test_the_same_report_gives_the_same_bytes(five: Report, tmp_path: Path) -> None:
    write(five, tmp_path / "one")
    write(read(tmp_path / "one"), tmp_path / "two")
    for name in ("report.html", "report.md", "report.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert len(list((tmp_path / "one").iterdir())) == 3


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
    page = write(stored, tmp_path)
    reader = parse(page.read_text())
    assert not {"script", "img"} & {tag for tag, _ in reader.tags}
    assert HOSTILE in reader.text
    markdown = (tmp_path / "report.md").read_text()
    assert "<script" not in re.sub(r"`[^`]*`", "", markdown.replace("\\`", ""))


def test_a_failed_arm_and_control_are_said(five: Report, tmp_path: Path) -> None:
    stored = changed(five, controls={"relation": {"control": "text_relation", "failed": "too low"}})
    arm = stored["comparisons"]["freezing"]["arms"]["c"]
    arm |= {"failed": "seed 0: pretrain: loss is not a number", "seeds": {}, "stages": []}
    text = parse(write(stored, tmp_path).read_text()).text
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
    assert "no scores of arm" in page.read_text()


def test_a_comparison_without_a_papers_table(five: Report, tmp_path: Path) -> None:
    paper = {"source": "none", "columns": [], "rows": {}, "note": ""}
    stored = changed(five, paper=paper, base={}, controls={}, claims={}, training={})
    text = parse(write(stored, tmp_path).read_text()).text
    assert "Freezing the LLM" in text


def test_stages_that_arms_share_are_one_cell(five: Report, tmp_path: Path) -> None:
    reader = parse(write(five, tmp_path).read_text())
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


def test_units_of_items_reach_the_intervals(tmp_path: Path) -> None:
    apart = collected(tmp_path / "apart")
    for entry in apart.results.values():
        file = entry.folder / "predictions.jsonl"
        if file.exists():
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            file.write_text("".join(json.dumps(r | {"subject": r["id"]}) + "\n" for r in rows))
    name = "train_llm_in_sft"
    together = content([collected(tmp_path / "together")], "micro").comparisons["freezing"]
    alone = content([apart], "micro").comparisons["freezing"]
    assert together.claims[name].effect == pytest.approx(alone.claims[name].effect)
    assert together.claims[name].interval != alone.claims[name].interval


def test_report_command_writes_the_page_again(
    five: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    folder = report_folder("micro")
    assert folder == tmp_path / "report" / "micro"
    page = write(five, folder)
    before = page.read_bytes()
    page.unlink()
    assert main(["report", "--scale", "micro"]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    assert page.read_bytes() == before


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
