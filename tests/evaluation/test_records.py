"""Annotation files of every layout become records; what does not fit is named."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import Table
from vilax.evaluation.records import annotation_prints, files_of, read_records

ROWS = [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]


def read(root: Path, **tables: Table) -> list[dict]:
    return list(read_records("evaluation.tasks.t", tables, root))


def plain(records: list[dict]) -> list[dict]:
    return [{key: row[key] for key in ("id", "text")} for row in records]


def test_every_layout_gives_the_same_records(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    (tmp_path / "b.json").write_text("\n".join(map(json.dumps, ROWS)) + "\n")
    (tmp_path / "c.jsonl").write_text("\n\n".join(map(json.dumps, ROWS)))
    (tmp_path / "d.json").write_text(json.dumps({"data": {"rows": ROWS}}))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "e.parquet")
    for path in ("a.json", "b.json", "c.jsonl", "e.parquet"):
        assert plain(read(tmp_path, main=Table(path=path))) == ROWS, path
    assert plain(read(tmp_path, main=Table(path="d.json", at="data.rows"))) == ROWS


def test_tables_of_text_keep_none_and_empty_cells(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('id\ttext\n1\tNone\n2\t""\n3\t"a\tb"\n', encoding="utf-8-sig")
    assert plain(read(tmp_path, main=Table(path="t.tsv"))) == [
        {"id": "1", "text": "None"},
        {"id": "2", "text": ""},
        {"id": "3", "text": "a\tb"},
    ]
    (tmp_path / "bare.tsv").write_text('1\tis it "so"?\n')
    bare = Table(path="bare.tsv", columns=("id", "text"))
    assert plain(read(tmp_path, main=bare)) == [{"id": "1", "text": 'is it "so"?'}]


def test_mappings_lists_inside_and_plain_values(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"x": {"qas": [{"q": 1}, {"q": 2}], "p": "t"}}))
    found = read(tmp_path, main=Table(path="m.json", key="name", flatten="qas"))
    assert [(row["name"], row["p"], row["q"]) for row in found] == [("x", "t", 1), ("x", "t", 2)]
    (tmp_path / "v.json").write_text(json.dumps({"x": "text"}))
    [row] = read(tmp_path, main=Table(path="v.json", key="name", value="said"))
    assert (row["name"], row["said"]) == ("x", "text")


def test_joined_tables(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text(json.dumps(ROWS))
    (tmp_path / "a.json").write_text(json.dumps([{"of": 1, "is": "x"}, {"of": 1, "is": "y"}]))
    many = Table(path="a.json", match="id", to="of", many=True)
    found = read(tmp_path, main=Table(path="q.json"), answers=many)
    assert [[one["is"] for one in row["answers"]] for row in found] == [["x", "y"], []]
    one = Table(path="a.json", match="id", to="of")
    with pytest.raises(ConfigError, match=r"2 records of a.json fit id=1 .*: expected one"):
        read(tmp_path, main=Table(path="q.json"), answer=one)
    with pytest.raises(ConfigError, match="needs 'match' and 'to'"):
        read(tmp_path, main=Table(path="q.json"), answer=Table(path="a.json"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "cannot be read as json"),
        ("a.jsonl", '{"a": 1}\n{', "line 2"),
        ("a.json", '"text"', "expected a list or a mapping"),
        ("a.csv", "a,b\n1\n", "row 1 has 1 fields: expected 2"),
        ("a.parquet", "PAR1", "cannot be read as parquet"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, main=Table(path=name))
    assert name in str(caught.value)


@pytest.mark.parametrize("path", ["../up.json", "/etc/passwd", "a/../../b"])
def test_paths_stay_inside(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match="inside the benchmarks folder"):
        files_of(Table(path=path), tmp_path)


def test_patterns_and_folders(tmp_path: Path) -> None:
    for name in ("x/b.json", "x/a.json", "y/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[]")
    assert [p.name for p in files_of(Table(path="*/*.json"), tmp_path)] == ["a.json", "b.json"]
    found = read(tmp_path, main=Table(path="x", format="folder"))
    assert [(row["file"], row["stem"]) for row in found] == [("x/a.json", "a"), ("x/b.json", "b")]


def test_prints_change_with_content(tmp_path: Path) -> None:
    from vilax.config.compose import compose_task
    from vilax.config.schema.benchmark import BenchmarkTask
    from vilax.config.validate import validate

    task = validate(BenchmarkTask, compose_task("pope_random")[1])
    assert annotation_prints(task, tmp_path) == {}
    (tmp_path / "pope").mkdir()
    file = tmp_path / "pope" / "coco_pope_random.json"
    prints = []
    for text in ("{}", "{}", "{} "):
        file.write_text(text)
        prints.append(annotation_prints(task, tmp_path)["pope/coco_pope_random.json"])
    assert prints[0] == prints[1] != prints[2]
