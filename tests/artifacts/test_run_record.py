"""run.json and metrics.jsonl."""

import json

import pytest

from vilax.artifacts.run_record import MetricsWriter, read_rows, write_run_json


def test_a_record_holds_versions_and_what_it_was_given(tmp_path) -> None:
    given = {"seed": 1, "max_new_tokens": 8, "class_token": True, "tokenizer": "micro"}
    write_run_json(tmp_path / "run.json", config=given, lineage={})
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"] == given
    needed = {"python", "torch", "lightning", "transformers", "timm", "megatron-energon", "vilax"}
    assert needed <= set(record["versions"])
    assert record["versions"]["torch"] != "not installed"
    assert "commit" in record


@pytest.mark.parametrize("key", ["api_key", "apikey", "HF_TOKEN", "token", "password", "secret"])
def test_a_secret_is_refused_wherever_it_stands(tmp_path, key: str) -> None:
    with pytest.raises(ValueError, match=rf"config\.loggers\.0\.{key}"):
        write_run_json(tmp_path / "run.json", config={"loggers": [{key: "hush"}]})
    assert not (tmp_path / "run.json").exists()
    write_run_json(tmp_path / "run.json", config={"loggers": [{key: None}]})


def test_a_torn_line_is_not_read_and_rows_after_a_checkpoint_go(tmp_path) -> None:
    metrics = MetricsWriter(tmp_path / "m.jsonl")
    for step in (1, 2, 3):
        metrics.write({"step": step})
    with metrics.path.open("a") as file:
        file.write('{"step": 4, "lo')
    assert [row["step"] for row in read_rows(metrics.path)] == [1, 2, 3]
    metrics.keep_until(2)
    assert [row["step"] for row in metrics.rows()] == [1, 2]


def test_a_torn_line_does_not_swallow_the_next_row(tmp_path) -> None:
    metrics = MetricsWriter(tmp_path / "m.jsonl")
    metrics.write({"step": 1})
    with metrics.path.open("ab") as file:
        file.write('{"step": 2, "name": "é'.encode()[:-1])
    MetricsWriter(metrics.path).write({"step": 2})
    metrics.write({"step": 3})
    assert [row["step"] for row in metrics.rows()] == [1, 2, 3]
