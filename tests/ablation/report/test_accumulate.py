"""A report that grows: over calls, from the store, and while a sweep runs."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ablation.fakes import FakeStore, Recorder, fake_evaluation_identity, freezing
from tests.ablation.report.reading import parse
from tests.ablation.report.samples import collected
from vilax.ablation.collect import Collected
from vilax.ablation.executor import Outcome
from vilax.ablation.graph import Graph, build
from vilax.ablation.report import live as live_module
from vilax.ablation.report import sweeps
from vilax.ablation.report.accumulate import join, publish
from vilax.ablation.report.live import Live
from vilax.ablation.report.model import Report
from vilax.ablation.report.refresh import Refresher
from vilax.ablation.report.unrun import unrun
from vilax.ablation.report.write import read, report_folder
from vilax.cli import report as command
from vilax.cli.main import main


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(live_module, "SHARE", 0.0)
    return tmp_path / "outputs"


def named(one: Collected, name: str) -> Collected:
    return replace(one, resolved=replace(one.resolved, name=name))


def now_stored() -> Report:
    return read(report_folder("micro"))


def in_store(one: Collected) -> FakeStore:
    """A store that holds the results of a comparison."""
    store = FakeStore()
    for run in one.resolved.runs:
        for name in run.run.order:
            entry = one.results[run.arm, run.seed, name]
            store.entries[f"stage:{entry.identity}"] = entry
        key = f"evaluation:{fake_evaluation_identity(run.run, run.stage)}"
        store.entries[key] = one.results[run.arm, run.seed, "evaluation"]
    return store


def test_another_comparison_joins_and_the_first_stays(tmp_path: Path) -> None:
    first = collected(tmp_path / "one")
    page = publish([named(first, "mine")], "micro")
    before = now_stored().comparisons["mine"]
    publish([first], "micro")
    after = now_stored()
    assert set(after.comparisons) == {"mine", "freezing"}
    assert after.comparisons["mine"] == before
    assert before.generated
    text = parse(page.read_text()).text
    assert text.count(before.title) >= 4
    assert "gathered" in text
    for ending in ("html", "csv", "tex"):
        assert (page.parent / f"mine.{ending}").is_file()


def test_the_same_comparison_is_replaced(tmp_path: Path) -> None:
    publish([collected(tmp_path / "one", (0, 1))], "micro")
    publish([collected(tmp_path / "two", (0,))], "micro")
    assert now_stored().comparisons["freezing"].seeds == (0,)


def test_two_who_publish_at_once_lose_nothing(tmp_path: Path) -> None:
    one = collected(tmp_path / "one")
    calls = [
        threading.Thread(target=publish, args=([named(one, name)], "micro")) for name in "uvwx"
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert set(now_stored().comparisons) == set("uvwx")


def test_a_report_of_another_version_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report_folder("micro")
    folder.mkdir(parents=True)
    (folder / "report.json").write_text('{"comparisons": {"old": 1}}')
    publish([collected(tmp_path)], "micro")
    assert set(now_stored().comparisons) == {"freezing"}
    assert "what it held is left out" in capsys.readouterr().err


def test_comparisons_that_were_not_run_are_open(tmp_path: Path) -> None:
    page = publish([collected(tmp_path)], "micro")
    report = now_stored()
    assert "corpus" in report.open and "freezing" not in report.open
    one = report.open["corpus"]
    assert (one.state, one.state_reason) == ("open", "not run")
    assert one.command == "vilax compare corpus --scale micro"
    text = parse(page.read_text()).text
    for claim in one.claims.values():
        assert claim.text in text and claim.paper in text
        assert claim.reason == "not run"
    assert one.command in text
    own = parse((page.parent / "corpus.html").read_text()).text
    assert one.paper.source in own
    assert "Nothing here was measured: not run." in own
    assert one.command in (page.parent / "report.md").read_text()


def test_a_comparison_of_another_scale_says_where_it_runs(tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "experiments" / "big"
    (folder / "arms").mkdir(parents=True)
    (folder / "comparison.yaml").write_text(
        "title: Big\nquestion: Which?\nvaries: [projector]\nscales: [paper]\n"
        "endpoints: {score: {title: Score, tasks: [open_answer]}}\n"
        "paper: {source: Table 5, columns: [VQA], rows: {one: [79.9], two: [80.8]}}\n"
        "claims:\n  more:\n    kind: order\n    text: Two is more.\n    paper: 80.8, 79.9\n"
        "    endpoint: score\n    higher: two\n    lower: one\n"
    )
    (folder / "arms" / "one.yaml").write_text("title: One\noverrides: {projector: mlp}\n")
    (folder / "arms" / "two.yaml").write_text("title: Two\noverrides: {projector: linear}\n")
    config = tmp_path / "conf"
    one = unrun("micro", (), config)["big"]
    assert one.state_reason == "runs at paper scale only"
    assert one.command == f"vilax plan big gpus=8 --config-dir {config}"
    at_paper = unrun("paper", (), config)["big"]
    assert at_paper.command == f"vilax compare big --scale paper --config-dir {config}"
    publish([collected(tmp_path)], "micro", config)
    publish([collected(tmp_path / "again")], "micro")
    assert "big" in now_stored().open
    own = parse((report_folder("micro") / "big.html").read_text()).text
    assert "79.9" in own and "runs at paper scale only" in own


def test_a_broken_comparison_of_a_user_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "experiments" / "broken"
    folder.mkdir(parents=True)
    (folder / "comparison.yaml").write_text("title: Broken\n")
    assert "broken" not in unrun("micro", (), tmp_path)
    assert "broken is not in the report" in capsys.readouterr().err


def test_the_report_is_gathered_afresh_from_the_store(tmp_path: Path) -> None:
    whole = collected(tmp_path)
    store = in_store(whole)
    partial = replace(whole, results={})
    for facts in (partial.arms["c"], partial.arms["d"]):
        facts.scores.clear()
        facts.stages.clear()
        facts.waiting = "seed 0: sft has not been run"
    publish([partial], "micro")
    last = now_stored()
    assert last.comparisons["freezing"].arms["c"].waiting
    fresh = Refresher("micro", store.lookup()).refresh(last)
    join(fresh, "micro")
    one = now_stored().comparisons["freezing"]
    assert one.arms["c"].waiting is None and one.arms["c"].seeds
    assert one.examples is not None and len(one.examples.items) == 6
    trained = {s.identity for a in one.arms.values() for s in a.stages if not s.reused}
    assert len(trained) == one.timing.distinct_stages


def test_what_the_store_lost_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish([collected(tmp_path)], "micro")
    last = now_stored()
    refresher = Refresher("micro", FakeStore().lookup())
    assert refresher.refresh(last) == {}
    assert refresher.refresh(last) == {}
    said = capsys.readouterr().err
    assert said.count("freezing stays as of") == 1
    assert "the store holds fewer of its results" in said


def test_a_failure_is_remembered_when_results_are_gathered_again(tmp_path: Path) -> None:
    one = collected(tmp_path)
    store = in_store(one)
    run = next(run for run in one.resolved.runs if run.arm == "c")
    del store.entries[f"evaluation:{fake_evaluation_identity(run.run, run.stage)}"]
    facts = one.arms["c"]
    facts.scores.clear()
    facts.failed, facts.retry = "seed 0: evaluation of sft: out of memory", run.command
    page = publish([one], "micro")
    fresh = Refresher("micro", store.lookup()).refresh(now_stored())
    arm = fresh["freezing"].arms["c"]
    assert (arm.failed, arm.waiting) == ("seed 0: evaluation of sft: out of memory", None)
    text = parse(page.read_text()).text
    assert "out of memory" in text and run.command in text


def graph_of(one: Collected) -> Graph:
    return build([one.resolved], FakeStore().lookup())


def wait_for(check: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    assert callable(check)
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_report_grows_while_a_sweep_runs(tmp_path: Path) -> None:
    one = collected(tmp_path)
    graph, store, watcher = graph_of(one), in_store(one), Recorder()
    folder = report_folder("micro")
    kept: FakeStore = FakeStore()
    with Live(watcher, [one.resolved], graph, kept.lookup(), pause=0.05) as live:
        wait_for((folder / "report.json").is_file)
        node = next(node for node in graph.pending if node.kind == "stage")
        live.started(node)
        wait_for(lambda: any(s.running for s in now_stored().sweeps))
        assert now_stored().sweeps[0].total == len(graph.nodes)
        assert 'data-refresh="10"' in (folder / "report.html").read_text()
        kept.entries.update(store.entries)
        live.ended(node, Outcome(1.0))
        wait_for(lambda: bool(now_stored().comparisons["freezing"].arms["a"].seeds))
        assert now_stored().sweeps[0].done == 1
    assert watcher.lines == [f"start {node.key}", f"end {node.key}"]
    assert list((folder / "sweeps").iterdir()) == []
    publish([one], "micro")
    assert "data-refresh=" not in (folder / "report.html").read_text()
    assert now_stored().sweeps == ()


def test_an_interrupted_sweep_leaves_a_report_that_stands_still(tmp_path: Path) -> None:
    one = collected(tmp_path)
    with (
        pytest.raises(KeyboardInterrupt),
        Live(Recorder(), [one.resolved], graph_of(one), in_store(one).lookup(), pause=0.05),
    ):
        raise KeyboardInterrupt
    assert now_stored().sweeps == ()
    assert now_stored().comparisons["freezing"].arms["a"].seeds


def test_a_report_that_cannot_be_written_ends_no_sweep(
    tmp_path: Path, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = collected(tmp_path)
    outputs.write_text("a file in the folder's place")
    with Live(Recorder(), [one.resolved], graph_of(one), in_store(one).lookup(), pause=0.05):
        time.sleep(0.2)
    assert capsys.readouterr().err.count("the report is not written while the sweep runs") == 1


def test_what_a_killed_sweep_left_is_removed(tmp_path: Path) -> None:
    state = sweeps.begin(["freezing"], 1, 9)
    sweeps.note(tmp_path, state)
    assert sweeps.sweeps(tmp_path) == (state,)
    for gone in (
        state.model_copy(update={"pid": 2**22 + 1}),
        state.model_copy(update={"host": "far", "updated": "2020-01-01T00:00:00+00:00"}),
    ):
        sweeps.note(tmp_path, gone)
        assert sweeps.sweeps(tmp_path) == ()
        assert list((tmp_path / "sweeps").iterdir()) == []
    sweeps.note(tmp_path, state.model_copy(update={"host": "far"}))
    assert len(sweeps.sweeps(tmp_path)) == 1


def test_report_command_writes_the_pages_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = publish([collected(tmp_path)], "micro")
    page.unlink()
    assert main(["report", "--scale", "micro"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(page)
    assert "freezing stays as of" in said.err
    assert page.is_file()


def test_report_watch_writes_until_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 1:
            publish([collected(tmp_path)], "micro")
        if len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", sleep)
    assert main(["report", "--watch"]) == 0
    said = capsys.readouterr()
    assert said.out.strip().endswith("report.html")
    assert "0 comparisons; no sweep is running" in said.err
    assert "1 comparisons; no sweep is running" in said.err
    assert min(rounds) >= command.EVERY


def test_progress_is_not_part_of_results(tmp_path: Path) -> None:
    publish([collected(tmp_path)], "micro")
    stored = json.loads((report_folder("micro") / "report.json").read_text())
    assert stored["sweeps"] == []
    assert freezing().name in stored["comparisons"]
