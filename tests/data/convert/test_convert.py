"""Shards become corpora that our readers read; what is broken is named, what is stopped goes on."""

import base64
import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.data.convert.makers import encoded, merged_page, pair, question, write_shard
from tests.data.writers import picture
from vilax.cli import data_convert
from vilax.config.errors import ConfigError
from vilax.data.convert import job
from vilax.data.document import Document, Image, Text
from vilax.data.formats import open_corpus


def run(source: Path, to: Path, *more: str) -> int:
    return data_convert.main([str(source), "--to", str(to), "--jobs", "1", *more])


def documents(to: Path, images: Path | None = None) -> list[Document]:
    reader = open_corpus("c", to, images=images)
    return [reader[index] for index in range(len(reader))]


def texts(document: Document) -> list[str]:
    return [s.text if isinstance(s, Text) else "[image]" for s in document.segments]


def named(to: Path) -> dict[str, str]:
    lines = (to / "report/quarantine.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert all(set(f) == {"corpus", "shard", "key", "reason", "kept"} for f in found)
    return {f["key"]: f["reason"] for f in found}


def tree(to: Path) -> dict[str, bytes]:
    """Every file but the private notes of the command."""
    found = (p for p in sorted(to.rglob("*")) if p.is_file() and ".convert" not in p.parts)
    return {str(path.relative_to(to)): path.read_bytes() for path in found}


def test_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"caption": " two ", "rawbytes": picture(2, "webp"), "score": float("nan")}
    write_shard(tmp_path / "src/part-00000.pkl", [pair(0), pair(1), other])
    write_shard(tmp_path / "src/part-00001.pkl", [pair(3)])
    assert run(tmp_path / "src", tmp_path / "to") == 0
    found = documents(tmp_path / "to")
    assert [texts(d)[1] for d in found] == ["caption 0", "caption 1", "two", "caption 3"]
    assert [d.segments[0] for d in found] == [
        Image(picture(n, "webp" if n == 2 else "jpeg")) for n in range(4)
    ]
    assert found[2].key == "part-00000.tar/00000002"
    shown = capsys.readouterr().out
    assert "coyo: 4 documents of 2 shards (0 done before), 0 left out" in shown
    report = json.loads((tmp_path / "to/report/convert.json").read_text())
    first = report["written"]["part-00000.pkl"]
    assert first["documents"] == 3 and len(first["outputs"]["part-00000.tar"]["sha256"]) == 64
    assert sorted(p.name for p in (tmp_path / "to").glob("[!.]*")) == [
        "part-00000.tar", "part-00001.tar", "report",
    ]  # fmt: skip


def test_pages(tmp_path: Path) -> None:
    write_shard(tmp_path / "src/docs_no_face_shard_0.pkl", [merged_page(0), merged_page(5)])
    assert run(tmp_path / "src", tmp_path / "to") == 0
    found = documents(tmp_path / "to")
    assert [texts(d) for d in found] == [
        ["[image]", f"one {n} .", "[image]", "two ."] for n in (0, 5)
    ]
    assert [s.data for s in found[1].segments if isinstance(s, Image)] == [picture(5), picture(6)]
    line = json.loads((tmp_path / "to/docs_no_face_shard_0.jsonl").read_text().splitlines()[1])
    assert line["image_info"][0]["original_name"] == "5a.png"
    assert line["similarity_matrix"] == merged_page(5)["similarity_matrix"]
    assert "image_base64" not in line["image_info"][0]


def test_questions_with_pictures_inside_and_beside(tmp_path: Path) -> None:
    (tmp_path / "images/sub").mkdir(parents=True)
    (tmp_path / "images/sub/a.jpg").write_bytes(picture(9, "jpeg"))
    dialog = {
        "question": "Image Descriptions: a dog\nQuestion: what ?\nAnswer: dog\nQuestion: where ?\n",
        "answer": "here",
        "image": encoded(3),
    }
    records = [
        question(0),
        question(1, 8),
        question(2) | {"image": "sub/a.jpg", "question": "<image>\nwhat\n<image>"},
        question(3) | {"image": [], "dataset": "flan"},
        {"question": "q", "answer:": "a", "image:": [encoded(4)]},
        dialog,
    ]
    write_shard(tmp_path / "src/part-00000.pkl", records)
    assert run(tmp_path / "src", tmp_path / "to", "--images", str(tmp_path / "images")) == 0
    lines = (tmp_path / "to/part-00000.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["image"] == "part-00000/00000000_0.jpg"
    values = [[turn["value"] for turn in json.loads(line)["conversations"]] for line in lines]
    assert values == [
        ["<image>\nwhat 0 ?", "a 0"],
        ["<image>\n" * 8 + "what 1 ?", "a 1"],
        ["<image>\nwhat", "a 2"],
        ["what 3 ?", "a 3"],
        ["<image>\nq", "a"],
        ["<image>\nwhat ?", "dog", "where ?", "here"],
    ]
    found = documents(tmp_path / "to", tmp_path / "to/part-00000.tar")
    assert texts(found[0]) == ["[image]", "what 0 ?", "a 0"]
    assert [s.data for s in found[1].segments if isinstance(s, Image)] == [
        picture(1 + n, "jpeg") for n in range(8)
    ]
    assert found[2].segments[0] == Image(picture(9, "jpeg"))
    assert texts(found[3]) == ["what 3 ?", "a 3"]


def test_broken_records_are_named_and_the_rest_is_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken: list[tuple[Any, str]] = [
        (pair(1) | {"image": "@@@@"}, "bad base64"),
        (pair(1) | {"image": "grüße"}, "bad base64"),
        (pair(1) | {"image": 7}, "expected a picture in base64, found int"),
        (pair(1) | {"image": base64.b64encode(b"<html>").decode()}, "not a picture"),
        (pair(1) | {"image": encoded(1)[:-40]}, "cut short|bad base64"),
        (pair(1) | {"text": " "}, "empty caption"),
        (pair(1) | {"text": None}, "expected str, found nothing"),
        (pair(1) | {"text": "\ud800"}, "not Unicode"),
        (question(1), "of layout vflan, where others are coyo"),
        ({"a": 1}, "of no known layout: fields a"),
        ("text", "a str"),
        (pair(1) | {"deep": [[]] * 300_000}, "values"),
    ]
    records = [pair(0), *(record for record, _ in broken), pair(2) | {"raw": b"x"}]
    write_shard(tmp_path / "src/part-00000.pkl", records)
    assert run(tmp_path / "src", tmp_path / "to") == 1
    assert [texts(d)[1] for d in documents(tmp_path / "to")] == ["caption 0", "caption 2"]
    reasons = named(tmp_path / "to")
    for number, (_, expected) in enumerate(broken, 1):
        said = reasons.pop(f"part-00000.pkl[{number}]")
        assert any(one in said for one in expected.split("|")), (said, expected)
    assert reasons == {"part-00000.pkl[13]": "field 'raw' holds bytes and is left out"}
    shown = capsys.readouterr()
    assert "2 documents of 1 shards (0 done before), 12 left out" in shown.out
    assert "part-00000.pkl[1]: field 'image': bad base64" in shown.err


def test_base64_with_line_breaks_is_read(tmp_path: Path) -> None:
    broken = base64.encodebytes(picture(0, "jpeg")).decode()
    write_shard(tmp_path / "src/a.pkl", [pair(0) | {"image": broken}])
    assert run(tmp_path / "src", tmp_path / "to") == 0
    assert documents(tmp_path / "to")[0].segments[0] == Image(picture(0, "jpeg"))


def test_pages_and_questions_that_are_broken(tmp_path: Path) -> None:
    one = merged_page(0)
    one["image_info"][1]["image_base64"] = "!"
    two = merged_page(0)
    del two["image_info"][0]["image_base64"]
    write_shard(tmp_path / "m/x.pkl", [merged_page(0), one, two])
    assert run(tmp_path / "m", tmp_path / "pages") == 1
    assert len(documents(tmp_path / "pages")) == 1
    assert "bad base64" in named(tmp_path / "pages")["x.pkl[1]"]
    assert "found nothing" in named(tmp_path / "pages")["x.pkl[2]"]
    many = [question(0), question(0, 9), question(0) | {"image": "a.jpg"}]
    write_shard(tmp_path / "v/x.pkl", [*many, question(0) | {"answer": "\n"}])
    assert run(tmp_path / "v", tmp_path / "vflan") == 1
    reasons = list(named(tmp_path / "vflan").values())
    assert "9 pictures; expected at most 8" in reasons[0]
    assert "--images DIR" in reasons[1] and reasons[2] == "empty answer"
    (tmp_path / "images").mkdir()
    assert run(tmp_path / "v", tmp_path / "again", "--images", str(tmp_path / "images")) == 1
    assert "'a.jpg' is missing in images" in list(named(tmp_path / "again").values())[1]


def test_a_picture_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "secret.jpg").write_bytes(picture(0, "jpeg"))
    write_shard(tmp_path / "v/x.pkl", [question(0), question(1) | {"image": "../secret.jpg"}])
    assert run(tmp_path / "v", tmp_path / "to", "--images", str(tmp_path / "images")) == 1
    assert "outside" in named(tmp_path / "to")["x.pkl[1]"]


class Call:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def test_a_shard_that_would_run_something_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "src/a.pkl", [pair(0)])
    write_shard(tmp_path / "src/b.pkl", [pair(1), {"text": Call(tmp_path / "touched")}])
    assert run(tmp_path / "src", tmp_path / "to") == 1
    assert not (tmp_path / "touched").exists()
    assert {p.name for p in (tmp_path / "to").glob("*.tar")} == {"a.tar"}
    reason = named(tmp_path / "to")["b.pkl"]
    assert reason.startswith("refused: byte ") and "open" in reason
    assert "b.pkl: refused" in capsys.readouterr().err


def test_a_cut_shard_keeps_what_stands_before(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "src/a.pkl", [pair(n) for n in range(30)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert run(tmp_path / "src", tmp_path / "to") == 1
    assert 17 <= len(documents(tmp_path / "to")) <= 20
    reasons = named(tmp_path / "to")
    assert "ends within" in reasons["a.pkl"] and "records before it" in reasons["a.pkl"]
    assert reasons["a.count"].startswith("says 30; the pickle holds ")


@pytest.mark.parametrize(("said", "shown"), [("7", "7"), ("x", "x"), ("", "nothing")])
def test_a_count_that_differs_is_named(tmp_path: Path, said: str, shown: str) -> None:
    path = write_shard(tmp_path / "src/a.pkl", [pair(0), pair(1)])
    path.with_suffix(".count").write_text(said)
    assert run(tmp_path / "src", tmp_path / "to") == 1
    assert named(tmp_path / "to") == {"a.count": f"says {shown}; the pickle holds 2"}
    assert len(documents(tmp_path / "to")) == 2


def test_what_is_shared_cannot_fill_the_disk(tmp_path: Path) -> None:
    large = picture(0, "bmp", (1200, 1200))
    record = {"text": "t", "rawbytes": large}
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.pkl").write_bytes(pickle.dumps([record] * 500))
    assert run(tmp_path / "src", tmp_path / "to") == 1
    assert "times as large" in named(tmp_path / "to")["a.pkl"]


def test_several_processes_write_the_same(tmp_path: Path) -> None:
    for number in range(3):
        write_shard(tmp_path / f"src/d{number}/part.pkl", [pair(n + number) for n in range(20)])
    write_shard(tmp_path / "src/d2/bad.pkl", [pair(0) | {"image": "@"}])
    assert run(tmp_path / "src", tmp_path / "one" / "c") == 1
    assert run(tmp_path / "src", tmp_path / "two" / "c", "--jobs", "2") == 1
    assert tree(tmp_path / "one/c") == tree(tmp_path / "two/c")
    assert "d1-part.tar" in tree(tmp_path / "one/c")


def test_a_second_start_does_only_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write_shard(tmp_path / f"src/{number}.pkl", [pair(n) for n in range(5)])
    run(tmp_path / "src", tmp_path / "to")
    first = tree(tmp_path / "to")
    capsys.readouterr()
    (tmp_path / "to/1.tar").unlink()
    done = []
    convert = job.convert_shard
    monkeypatch.setattr(job, "convert_shard", lambda s, w: done.append(s.name) or convert(s, w))
    assert run(tmp_path / "src", tmp_path / "to") == 0
    assert tree(tmp_path / "to") == first and done == ["1"]
    assert "(2 done before)" in capsys.readouterr().out
    write_shard(tmp_path / "src/2.pkl", [pair(n) for n in range(6)])
    assert run(tmp_path / "src", tmp_path / "to") == 0
    assert done == ["1", "2"] and len(documents(tmp_path / "to")) == 16


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_and_started_again_is_the_same(tmp_path: Path, jobs: str) -> None:
    large = [pair(n) | {"filler": "x" * 20_000} for n in range(300)]
    for number in range(6):
        write_shard(tmp_path / f"src/{number}.pkl", large)
    assert run(tmp_path / "src", tmp_path / "whole/c") == 0
    words = [str(tmp_path / "src"), "--to", str(tmp_path / "killed/c"), "--jobs", jobs]
    command = [sys.executable, "-m", "vilax.cli.main", "data", "convert", *words]
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "killed").glob("c/*.tar")):
        time.sleep(0.005)
    signal_all(process)
    done = len(list((tmp_path / "killed").glob("c/*.tar")))
    assert done >= 1
    assert data_convert.main(words) == 0
    assert tree(tmp_path / "whole/c") == tree(tmp_path / "killed/c")
    assert not list((tmp_path / "killed/c/.convert").glob("*.part"))


def signal_all(process: "subprocess.Popen[bytes]") -> None:
    import os

    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_bad_requests(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/a.txt").write_text("x")
    write_shard(tmp_path / "src/a.pkl", [pair(0)])
    write_shard(tmp_path / "both/a.pkl", [pair(0)])
    write_shard(tmp_path / "both/b.pkl", [question(0)])
    to = tmp_path / "to"
    for words, said in (
        ([tmp_path / "gone", "--to", to], "does not exist"),
        ([tmp_path / "empty", "--to", to], r"no .pkl file; found .txt"),
        ([tmp_path / "both", "--to", to], "several layouts: a.pkl is coyo, b.pkl is vflan"),
        ([tmp_path / "src", "--to", tmp_path / "src"], "give another one"),
        ([tmp_path / "src", "--to", tmp_path / "src/a.pkl"], "is a file"),
        ([tmp_path / "src", "--to", to, "--layout", "coy"], "did you mean 'coyo'"),
        ([tmp_path / "src", "--to", to, "--jobs", "0"], "expected 1 or more"),
        ([tmp_path / "src", "--to", to, "--images", tmp_path / "gone"], "is no folder"),
    ):
        with pytest.raises(ConfigError, match=said):
            data_convert.main([str(word) for word in words])
    assert not to.exists()
