"""What is built reads back as the same documents; the same input gives the same bytes."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.data.writers import (
    conversation,
    page,
    picture,
    write_lines,
    write_pairs,
    write_pictures,
)
from vilax.config.errors import ConfigError
from vilax.data.build import Built, Source, build, parse_size, plan_build
from vilax.data.build import job as build_job
from vilax.data.document import Document, Image, Text
from vilax.data.formats import BadSample, open_corpus
from vilax.data.formats.files import Reader


def made(
    source: Path, to: Path, size: tuple[int, str] = (4, "documents"), jobs: int = 1, **more: Any
) -> Built:
    return build(plan_build(Source(str(source)), to, size, **more), jobs)


def good(reader: Reader) -> list[Document]:
    found = []
    for index in range(len(reader)):
        try:
            found.append(reader[index])
        except BadSample:
            continue
    return found


def contents(reader: Reader) -> list[Any]:
    return [document.segments for document in good(reader)]


def tree(to: Path) -> dict[str, bytes]:
    found = (p for p in sorted(to.rglob("*")) if p.is_file() and ".build" not in p.parts)
    return {str(path.relative_to(to)): path.read_bytes() for path in found}


def write_captions(folder: Path, count: int = 10) -> Path:
    for number in range(count):
        path = folder / f"sub{number % 2}" / f"p.{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number, "jpeg"))
        if number % 3:
            path.with_suffix(".txt").write_text(f"caption {number}\n")
        else:
            facts = {"caption": f"caption {number}", "score": number / 10}
            path.with_suffix(".json").write_text(json.dumps(facts))
    return folder


def test_a_folder_of_pictures_and_captions(tmp_path: Path) -> None:
    built = made(write_captions(tmp_path / "src"), tmp_path / "to")
    assert (built.documents, built.shards, built.left_out) == (10, 3, 0)
    reader = open_corpus("pairs", tmp_path / "to")
    found = {s[1].text: s[0].data for s in contents(reader)}
    assert found == {f"caption {n}": picture(n, "jpeg") for n in range(10)}
    with tarfile.open(tmp_path / "to/000000.tar") as tar:
        names = tar.getnames()
        facts = [json.loads(tar.extractfile(n).read()) for n in names if n.endswith("json")]
    assert names[:3] == ["000000000.jpg", "000000000.txt", "000000000.json"]
    assert facts[0] == {"key": "sub0/p.0", "score": 0.0}
    index = json.loads((tmp_path / "to/index.json").read_text())
    assert [s["nsamples"] for s in index["shardlist"]] == [4, 4, 2] and index["nsamples"] == 10
    for shard in index["shardlist"]:
        data = (tmp_path / "to" / shard["url"]).read_bytes()
        assert len(data) == shard["bytes"]
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]


def test_broken_pictures_and_captions_are_named(tmp_path: Path) -> None:
    folder = write_captions(tmp_path / "src", 4)
    (folder / "a.jpg").write_bytes(picture(0, "jpeg")[:-30])
    (folder / "a.txt").write_text("cut")
    (folder / "b.jpg").write_bytes(picture(0, "jpeg"))
    (folder / "c.txt").write_text("alone")
    (folder / "d.png").write_bytes(picture(0))
    (folder / "d.txt").write_bytes(b"\xff\xfe")
    (folder / "e.png").write_bytes(picture(0))
    (folder / "e.json").write_text('{"size": 1}')
    (folder / "f.png").write_bytes(picture(0))
    (folder / "f.jpg").write_bytes(picture(0, "jpeg"))
    (folder / "f.txt").write_text("two")
    (folder / "g.png").write_bytes(picture(0))
    (folder / "g.txt").write_text(" ")
    built = made(folder, tmp_path / "to")
    assert (built.documents, built.left_out) == (4, 7)
    lines = (tmp_path / "to/report/quarantine.jsonl").read_text().splitlines()
    reasons = {line["key"]: line["reason"] for line in map(json.loads, lines)}
    expected = {
        "a": "cut short",
        "b": "no caption",
        "c": "no picture",
        "d": "not UTF-8",
        "e": "no caption or text",
        "f": "several pictures: .jpg, .png",
        "g": "empty caption",
    }
    assert all(said in reasons[key] for key, said in expected.items()), reasons
    assert len(open_corpus("p", tmp_path / "to")) == 4


PAGES = [
    page([f"one {n} .", "two .", "three ."], [("a.png", 2), ("b.png", 0), ("a.png", 1)])
    for n in range(9)
]
CHATS = [
    conversation([f"<image>\nwhat {n} ?", "a dog", "sure ?", "yes"], "a.png", str(n))
    for n in range(5)
] + [conversation(["hello ?", "hi, grüße"])]


def sources(tmp_path: Path) -> dict[str, Path]:
    write_lines(tmp_path / "pages/p.jsonl", PAGES)
    write_pictures(tmp_path / "pages/images", ["a.png", "b.png"])
    write_lines(tmp_path / "chats/c.jsonl", CHATS)
    write_pictures(tmp_path / "chats", ["a.png"])
    write_lines(tmp_path / "texts/t.jsonl", [{"text": f"text {n}"} for n in range(9)])
    write_lines(tmp_path / "flan/f.jsonl", [{"inputs": "q", "targets": f"a{n}"} for n in range(9)])
    write_pairs(tmp_path / "pairs/0.tar", [f"w{n}" for n in range(9)])
    return {name: tmp_path / name for name in ("pages", "chats", "texts", "flan", "pairs")}


@pytest.mark.parametrize("name", ["pages", "chats", "texts", "flan", "pairs"])
def test_documents_of_every_kind_read_back_the_same(tmp_path: Path, name: str) -> None:
    source = sources(tmp_path)[name]
    built = made(source, tmp_path / "to")
    assert built.left_out == 0
    wanted, found = open_corpus("c", source), open_corpus("c", tmp_path / "to")
    assert contents(found) == contents(wanted)
    keys = [found.key(index) for index in range(len(found))]
    assert keys == [document.key for document in good(found)]
    assert [found.facts(n)["key"] for n in range(len(found))] == [d.key for d in good(wanted)]
    assert found.shard(0) == "000000.tar" and keys[0] == "000000.tar/000000000"


@pytest.mark.parametrize("name", ["pages", "pairs"])
def test_a_seed_shuffles_the_same_way_each_time(tmp_path: Path, name: str) -> None:
    source = sources(tmp_path)[name]
    made(source, tmp_path / "a", seed=3)
    made(source, tmp_path / "b", jobs=2, seed=3)
    made(source, tmp_path / "c", seed=4)
    assert tree(tmp_path / "a") == tree(tmp_path / "b") != tree(tmp_path / "c")
    wanted, found = open_corpus("c", source), open_corpus("c", tmp_path / "a")
    texts = [[s.text for s in d if isinstance(s, Text)] for d in contents(found)]
    plain = [[s.text for s in d if isinstance(s, Text)] for d in contents(wanted)]
    assert sorted(texts) == sorted(plain) and texts != plain


def test_a_picture_used_twice_is_stored_once(tmp_path: Path) -> None:
    made(sources(tmp_path)["pages"], tmp_path / "to")
    with tarfile.open(tmp_path / "to/000000.tar") as tar:
        assert tar.getnames()[:3] == ["000000000.json", "000000000.0.png", "000000000.1.png"]


def test_shards_of_about_so_many_bytes(tmp_path: Path) -> None:
    source = tmp_path / "pairs/0.tar"
    write_pairs(source, [f"w{n}" for n in range(60)])
    built = made(source, tmp_path / "to", (40_000, "bytes"))
    sizes = [path.stat().st_size for path in sorted((tmp_path / "to").glob("*.tar"))]
    assert built.shards == len(sizes) > 2
    assert all(20_000 < size < 60_000 for size in sizes[:-1])


def test_a_stopped_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = sources(tmp_path)["pages"]
    made(source, tmp_path / "whole", (2, "documents"))
    write, done = build_job.write_shard, []

    def stop(piece: Any, watch: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(piece[1])
        return write(piece, watch)

    monkeypatch.setattr(build_job, "write_shard", stop)
    with pytest.raises(KeyboardInterrupt):
        made(source, tmp_path / "stopped", (2, "documents"))
    assert len(list((tmp_path / "stopped").glob("*.tar"))) == 2
    assert not (tmp_path / "stopped/index.json").exists()
    (tmp_path / "stopped/000001.tar").write_bytes(b"cut")
    monkeypatch.setattr(build_job, "write_shard", write)
    built = made(source, tmp_path / "stopped", (2, "documents"))
    assert built.reused == 1
    assert tree(tmp_path / "stopped") == tree(tmp_path / "whole")


def test_another_build_in_the_folder_is_refused(tmp_path: Path) -> None:
    source = sources(tmp_path)["pages"]
    made(source, tmp_path / "to", (2, "documents"))
    with pytest.raises(ConfigError, match=r"seed None became 1.*--overwrite"):
        made(source, tmp_path / "to", (2, "documents"), seed=1)
    plan = plan_build(Source(str(source)), tmp_path / "to", (4, "documents"))
    assert build(plan, overwrite=True).shards == 3
    assert len(list((tmp_path / "to").glob("*.tar"))) == 3
    write_lines(source / "p.jsonl", PAGES[:-1])
    with pytest.raises(ConfigError, match="documents 9 became 8"):
        made(source, tmp_path / "to")
    write_pairs(tmp_path / "mine/a.tar", ["w1"])
    with pytest.raises(ConfigError, match=r"holds a.tar, which no build here wrote"):
        made(source, tmp_path / "mine")


def test_what_is_no_pair_is_named_where_pairs_are_asked_for(tmp_path: Path) -> None:
    built = made(sources(tmp_path)["chats"], tmp_path / "to", layout="pairs")
    assert (built.documents, built.left_out) == (0, 6)
    assert "no pair" in built.faults[0]["reason"]


def test_damaged_shards_of_documents_lose_only_what_is_damaged(tmp_path: Path) -> None:
    made(sources(tmp_path)["pages"], tmp_path / "to", (9, "documents"))
    path = tmp_path / "to/000000.tar"
    with tarfile.open(path) as tar:
        members = {m.name: m for m in tar}
    data = bytearray(path.read_bytes())
    place = members["000000003.json"]
    data[place.offset_data : place.offset_data + 4] = b"????"
    path.write_bytes(data[: members["000000007.0.png"].offset_data + 9])
    reader = open_corpus("c", tmp_path / "to")
    reasons = {}
    for index in range(len(reader)):
        try:
            reader[index]
        except BadSample as error:
            reasons[error.key] = (index, error.reason)
    assert all(key == reader.key(index) for key, (index, _) in reasons.items())
    assert set(reasons) == {"000000.tar/000000003", "000000.tar/000000007"}
    assert "not JSON" in reasons["000000.tar/000000003"][1]
    assert len(contents(reader)) == 6
    assert all(isinstance(s, Text | Image) for d in contents(reader) for s in d)


def test_a_damaged_header_loses_one_document(tmp_path: Path) -> None:
    made(sources(tmp_path)["pages"], tmp_path / "to", (9, "documents"))
    path = tmp_path / "to/000000.tar"
    with tarfile.open(path) as tar:
        place = next(m.offset for m in tar if m.name == "000000004.json")
    data = bytearray(path.read_bytes())
    data[place + 120] ^= 0xFF
    path.write_bytes(data)
    texts = [d[1].text for d in contents(open_corpus("c", tmp_path / "to"))]
    assert texts == [f"one {n} ." for n in (0, 1, 2, 3, 5, 6, 7, 8)]


def test_where_sentences_end_is_kept(tmp_path: Path) -> None:
    texts = ["one .", "two ."]
    write_lines(tmp_path / "pages/p.jsonl", [page(texts, [("a.png", 0)], [picture()])])
    made(tmp_path / "pages", tmp_path / "to")
    [_, text] = open_corpus("c", tmp_path / "to")[0].segments
    assert isinstance(text, Text)
    assert (text.text, text.sentence) == ("one . two .", 5)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5000", (5000, "documents")),
        ("256MB", (256_000_000, "bytes")),
        ("1.5 GiB", (1_610_612_736, "bytes")),
        ("64kb", (64_000, "bytes")),
    ],
)
def test_sizes(text: str, size: tuple[int, str]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-3", "MB", "0MB", "many", "5.5", "3TB"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--shard-size="):
        parse_size(text)
