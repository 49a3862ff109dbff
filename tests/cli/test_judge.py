"""``vilax judge`` as a user types it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation.judge.makers import bench_rows, set_apart, vet_rows
from tests.evaluation.judge.server import KEY, Answer, chat, error, judge_server
from vilax.cli import judge
from vilax.config.errors import ConfigError


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path) -> None:
    set_apart(monkeypatch, tmp_path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """An evaluation of two judged tasks and one that is not."""
    made = tmp_path / "evaluation"
    made.mkdir()
    tasks = {
        "mm_vet": {"judge_protocol": "mm_vet", "figures": {}, "items": 3},
        "llava_bench": {"judge_protocol": "llava_bench", "figures": {}, "items": 3},
        "pope": {"figures": {"0": {"f1": 80.0}}},
    }
    (made / "results.json").write_text(json.dumps({"seed": 0, "tasks": tasks}))
    pope = {"task": "pope", "k": 0, "seed": 0, "id": "1", "answer": "yes"}
    rows = [*vet_rows(3), pope, *bench_rows(3)]
    (made / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


def fair(request, number) -> Answer:
    """A judge that suits every benchmark."""
    return chat("0.5" if "Mark:" in request["messages"][-1]["content"] else "8 4")


def words(folder: Path, url: str, *more: str) -> list[str]:
    return [str(folder), "--base-url", url, "--prompt", "vilax", *more]


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "judgements.jsonl").read_text().splitlines()]


def test_figures_go_into_the_results_and_judgements_beside_them(folder, capsys) -> None:
    before = results_of(folder)
    with judge_server(fair) as server:
        assert judge.main(words(folder, server.url)) == 0
    after = results_of(folder)
    for name, total in (("mm_vet", ("total", 50.0)), ("llava_bench", ("all", 50.0))):
        found = after["tasks"][name].pop("judge")
        assert found["figures"]["0"][total[0]] == pytest.approx(total[1])
        assert found["model"] == "gpt-4-0613" and found["prompt"].startswith("vilax 1 sha256:")
    assert after == before
    assert [line["id"] for line in lines_of(folder)] == ["v1_0", "v1_1", "v1_2", "0", "1", "2"]
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == str(folder) and "total 50.00" in shown.out
    assert "3 requests" in shown.err


def test_one_task_leaves_the_other_as_it_is(folder) -> None:
    with judge_server(fair) as server:
        judge.main(words(folder, server.url))
        before = results_of(folder)["tasks"]["mm_vet"]
        assert judge.main(words(folder, server.url, "--task=llava_bench", "--model=other")) == 0
    after = results_of(folder)["tasks"]
    assert after["mm_vet"] == before and after["llava_bench"]["judge"]["model"] == "other"
    assert [line["model"] for line in lines_of(folder)] == ["gpt-4-0613"] * 3 + ["other"] * 3


def test_what_stays_unscored_is_listed_and_told_by_the_exit_code(folder, capsys) -> None:
    def script(request, number):
        return error(400) if "answer 1" in request["messages"][-1]["content"] else chat("0.5")

    with judge_server(script) as server:
        assert judge.main(words(folder, server.url, "--task", "mm_vet")) == 1
        shown = capsys.readouterr()
        assert "unscored: mm_vet v1_1 at 0 shots, seed 0, run 0: request rejected" in shown.err
        assert "1 judgements have no score" in shown.err
        assert "(over scored answers only)" in shown.out
        assert [line["parsed"] for line in lines_of(folder)] == [0.5, None, 0.5]
        server.script = fair
        assert judge.main(words(folder, server.url, "--task", "mm_vet")) == 0
        assert len(server.seen) == 4
    assert results_of(folder)["tasks"]["mm_vet"]["judge"]["unscored"]["count"] == 0


def test_the_key_is_nowhere(folder, tmp_path, capsys) -> None:
    def script(request, number):
        return [error(401), chat(f"0.5 {KEY}"), error(500)][min(number, 2)]

    with judge_server(script) as server:
        for _ in range(3):
            judge.main(words(folder, server.url, "--retries=0", "--parallel=1"))
    shown = capsys.readouterr()
    assert "[key]" in shown.err
    assert KEY not in shown.out + shown.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("replies-" in path.name for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_stored_evaluation_stays_as_it_is(folder, tmp_path, capsys) -> None:
    (folder / "entry.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    target = tmp_path / "outputs" / "judged" / folder.name
    with judge_server(fair) as server:
        assert judge.main(words(folder, server.url, "--task", "mm_vet")) == 0
        assert judge.main(words(folder, server.url, "--task", "llava_bench")) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(target)
        own = tmp_path / "own"
        assert judge.main(words(folder, server.url, "--to", str(own))) == 0
        with pytest.raises(ConfigError, match="stored result"):
            judge.main(words(folder, server.url, "--to", str(folder)))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    for place in (target, own):
        tasks = results_of(place)["tasks"]
        assert "judge" in tasks["mm_vet"] and "judge" in tasks["llava_bench"]
        assert (place / "predictions.jsonl").read_bytes() == before["predictions.jsonl"]


def test_other_predictions_do_not_keep_old_judgements(folder, tmp_path) -> None:
    own = tmp_path / "own"
    with judge_server(fair) as server:
        judge.main(words(folder, server.url, "--to", str(own)))
        rows = (folder / "predictions.jsonl").read_text().replace("answer 1", "answer 7")
        (folder / "predictions.jsonl").write_text(rows)
        judge.main(words(folder, server.url, "--to", str(own), "--task", "mm_vet"))
    assert "judge" not in results_of(own)["tasks"]["llava_bench"]
    assert {line["task"] for line in lines_of(own)} == {"mm_vet"}


def test_plan_asks_nothing(folder, capsys) -> None:
    with judge_server(fair) as server:
        assert judge.main(words(folder, server.url, "--plan", "--price-in=3", "--price-out=6")) == 0
        assert server.seen == []
    assert "price about" in capsys.readouterr().err
    assert not (folder / "judgements.jsonl").exists()


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("n", 1), ("", 1), (None, 1)])
def test_confirmation_where_somebody_is_there(folder, monkeypatch, typed, code) -> None:
    def answer() -> str:
        if typed is None:
            raise EOFError
        return typed

    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    with judge_server(fair) as server:
        assert judge.main(words(folder, server.url)) == code
        assert bool(server.seen) == (code == 0)
        monkeypatch.setattr("builtins.input", lambda: pytest.fail("asked in spite of --yes"))
        assert judge.main(words(folder, server.url, "--yes")) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--task", "mmvet"], "did you mean 'mm_vet'"),
        (["--task", "pope"], "unknown judged task"),
        (["--runs", "0"], "--runs='0': expected"),
        (["--runs", "many"], "--runs='many': expected"),
        (["--timeout", "0"], "--timeout='0': expected"),
        (["--base-url", "localhost:8000"], "--base-url: expected an address"),
        (["--price-in", "3"], "expected both"),
        (["--prompt", "refrence"], "did you mean 'reference'"),
    ],
)
def test_bad_requests(folder, more, message) -> None:
    with pytest.raises(ConfigError) as caught:
        judge.main(words(folder, "http://127.0.0.1:9/v1", *more))
    assert message in str(caught.value)


def test_folders_that_cannot_be_judged(folder, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"there is no predictions\.jsonl"):
        judge.main([str(tmp_path)])
    results = results_of(folder)
    results["tasks"]["mm_vet"]["judge_protocol"] = "mmvet"
    (folder / "results.json").write_text(json.dumps(results))
    with pytest.raises(ConfigError, match="did you mean 'mm_vet'"):
        judge.main([str(folder)])
    (folder / "results.json").write_text('{"tasks": {"pope": {}}}')
    with pytest.raises(ConfigError, match="none of its tasks"):
        judge.main([str(folder)])
    (folder / "results.json").write_text("[]")
    with pytest.raises(ConfigError, match="expected the results"):
        judge.main([str(folder)])


def test_a_torn_prediction_is_named_by_its_line(folder) -> None:
    with (folder / "predictions.jsonl").open("a") as file:
        file.write('{"task": "mm_vet", "k"')
    with pytest.raises(ConfigError, match="line 8: expected a prediction"):
        judge.main([str(folder)])


def test_help_teaches(capsys) -> None:
    with pytest.raises(SystemExit) as left:
        judge.main(["--help"])
    shown = capsys.readouterr().out
    assert left.value.code == 0
    for word in ("VILAX_JUDGE_API_KEY", "lmms-eval", "{{ prediction }}", "--again", "--base-url"):
        assert word in shown


@pytest.mark.parametrize(("number", "twice"), [(signal.SIGKILL, 1), (signal.SIGINT, 0)])
def test_killed_in_the_middle_it_goes_on(folder, tmp_path, monkeypatch, number, twice) -> None:
    rows = vet_rows(12)
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # What a shell starts in the background ignores SIGINT, and its children with it.
    run = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    run += "from vilax.cli.judge import main; sys.exit(main(sys.argv[1:]))"
    running: list[subprocess.Popen] = []

    def script(request, count):
        if count == 5:
            # One at a time is asked, so all replies but the one to this request are stored. An
            # interrupted process waits for it, too, and keeps it.
            os.kill(running[0].pid, number)
        return fair(request, count)

    with judge_server(script) as server:
        arguments = words(folder, server.url, "--task=mm_vet", "--parallel=1")
        running.append(
            subprocess.Popen([sys.executable, "-c", run, *arguments], stderr=subprocess.DEVNULL)
        )
        assert running[0].wait(60) == -number
        assert not (folder / "judgements.jsonl").exists() and len(server.seen) == 6
        server.script = fair
        assert judge.main(arguments) == 0
        asked = [request["messages"][-1]["content"] for request in server.seen]
    assert len(asked) == 12 + twice and len(set(asked)) == 12
    resumed = results_of(folder), lines_of(folder)
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "fresh"))
    with judge_server(fair) as server:
        assert judge.main(words(folder, server.url, "--task=mm_vet")) == 0
        assert len(server.seen) == 12
    whole = results_of(folder), lines_of(folder)
    for found in (resumed, whole):
        del found[0]["tasks"]["mm_vet"]["judge"]["endpoint"]
    assert resumed == whole
