"""run.json and metrics.jsonl."""

import json

import pytest

from vilax.artifacts.run_record import MetricsWriter, read_rows, write_run_json


def test_a_record_holds_versions_and_refuses_secrets(tmp_path) -> None:
    write_run_json(tmp_path / "run.json", config={"seed": 1}, lineage={})
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"] == {"seed": 1}
    assert record["versions"]["torch"]
    with pytest.raises(ValueError, match=r"config\.logger\.api_key"):
        write_run_json(tmp_path / "other.json", config={"logger": {"api_key": "x"}})
    assert not (tmp_path / "other.json").exists()


def test_a_torn_line_is_not_read_and_rows_after_a_checkpoint_go(tmp_path) -> None:
    metrics = MetricsWriter(tmp_path / "m.jsonl")
    for step in (1, 2, 3):
        metrics.write({"step": step})
    with metrics.path.open("a") as file:
        file.write('{"step": 4, "lo')
    assert [row["step"] for row in read_rows(metrics.path)] == [1, 2, 3]
    metrics.keep_until(2)
    assert [row["step"] for row in metrics.rows()] == [1, 2]
