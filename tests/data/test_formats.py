"""Readers give the documents that published layouts hold, and set broken ones apart."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.data.writers import (
    add,
    conversation,
    page,
    picture,
    write_lines,
    write_pairs,
    write_pictures,
)
from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Text
from vilax.data.formats import BadSample, Reader, files, llava, open_corpus, told_format
from vilax.data.formats.mmc4 import Mmc4Reader


def read(reader: Reader) -> tuple[list[Document], dict[str, str]]:
    """All good documents, and the reasons of the others by key."""
    good, bad = [], {}
    for index in range(len(reader)):
        try:
            good.append(reader[index])
        except BadSample as error:
            bad[error.key] = error.reason
    return good, bad


def shape(document: Document) -> list[str]:
    return [s.text if isinstance(s, Text) else "[image]" for s in document.segments]


@pytest.mark.parametrize("extension", ["png", "jpg", "jpeg", "webp", "bmp", "tiff"])
def test_pairs(tmp_path: Path, extension: str) -> None:
    write_pairs(tmp_path / "00000.tar", ["a dog", " a cat\n"], extension)
    write_pairs(tmp_path / "00001.tar", ["grüße"], extension)
    (tmp_path / "00000_stats.json").write_text(json.dumps({"successes": 2}))
    reader = open_corpus("pairs", tmp_path)
    good, bad = read(reader)
    assert not bad
    assert len(reader) == 3
    assert [shape(d)[1] for d in good] == ["a dog", "a cat", "grüße"]
    assert good[0].key == "00000.tar/000000"
    assert good[0].corpus == "pairs"
    first = good[0].segments[0]
    assert isinstance(first, Image)
    assert len(first.data) > 20
    assert good[0].segments[1] == Text("a dog", loss=True, role="")


def test_pairs_that_are_incomplete(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        add(tar, "a.txt", b"alone")
        add(tar, "b.png", picture())
        add(tar, "c.txt", b"text first")
        add(tar, "c.png", picture())
        add(tar, "d.png", picture())
        add(tar, "d.txt", b"  ")
        add(tar, "e.png", b"")
        add(tar, "e.txt", b"nothing to see")
        add(tar, "f.png", picture())
        add(tar, "f.txt", b"\xff\xfe")
        add(tar, "deep.dir/g.png", picture())
        add(tar, "deep.dir/g.txt", b"in a folder")
        add(tar, "README", b"no pair")
    good, bad = read(open_corpus("pairs", tmp_path / "0.tar"))
    assert [shape(d) for d in good] == [["[image]", "text first"], ["[image]", "in a folder"]]
    assert {key: reason.split(":")[0] for key, reason in bad.items()} == {
        "0.tar/a": "no picture (png, jpg, jpeg, webp, bmp, tiff, tif, gif)",
        "0.tar/b": "no .txt",
        "0.tar/d": "empty caption",
        "0.tar/e": "the picture is empty or cut short",
        "0.tar/f": "the caption is not UTF-8",
    }


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(tmp_path: Path, layout: int) -> None:
    stem = "n" * 90 + "/" + "m" * 90
    with tarfile.open(tmp_path / "0.tar", "w", format=layout) as tar:
        for name in (stem, "short"):
            add(tar, f"{name}.png", picture())
            add(tar, f"{name}.txt", name.encode())
    good, bad = read(open_corpus("pairs", tmp_path))
    assert not bad
    assert [shape(d)[1] for d in good] == [stem, "short"]


def test_a_truncated_tar_loses_only_its_end(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "0.tar", [f"w{n}" for n in range(40)])
    with tarfile.open(path) as tar:
        cut = next(m.offset_data + 10 for m in tar if m.name == "000025.jpg")
    path.write_bytes(path.read_bytes()[:cut])
    good, bad = read(open_corpus("pairs", tmp_path))
    assert [shape(d)[1] for d in good] == [f"w{n}" for n in range(25)]
    assert "the archive ends within this file" in bad.values()


def test_a_damaged_header_loses_one_pair(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "0.tar", [f"w{n}" for n in range(40)])
    with tarfile.open(path) as tar:
        place = next(m.offset for m in tar if m.name == "000025.jpg")
    data = bytearray(path.read_bytes())
    data[place + 120 : place + 130] = b"\xff" * 10
    path.write_bytes(data)
    good, bad = read(open_corpus("pairs", tmp_path))
    assert [shape(d)[1] for d in good] == [f"w{n}" for n in range(40) if n != 25]
    assert any("damaged tar header" in reason for reason in bad.values())


PAGE = page(["one .", "two .", " three .", "four ."], [("a.png", 3), ("b.png", 0), ("c.png", 3)])
PAGE_SHAPE = ["[image]", "one . two . three .", "[image]", "[image]", "four ."]


def test_pages(tmp_path: Path) -> None:
    write_lines(tmp_path / "shard_0.jsonl", [PAGE, page(["no", "picture"], [])])
    write_pictures(tmp_path / "images", ["a.png", "b.png", "c.png"])
    reader = open_corpus("pages", tmp_path)
    good, bad = read(reader)
    assert not bad
    assert [shape(d) for d in good] == [PAGE_SHAPE, ["no picture"]]
    pictures = [s.data for s in good[0].segments if isinstance(s, Image)]
    assert pictures == [picture(1), picture(0), picture(2)]
    assert all(s.loss for s in good[0].segments if isinstance(s, Text))
    assert told_format(tmp_path / "shard_0.jsonl") == "mmc4"


@pytest.mark.parametrize("name", ["images.tar", "shard_0.tar"])
def test_pages_with_pictures_in_a_tar(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path / "shard_0.jsonl", [PAGE])
    with tarfile.open(tmp_path / name, "w") as tar:
        for number, file in enumerate(["a.png", "b.png", "c.png"]):
            add(tar, f"images/{file}", picture(number))
    good, _ = read(open_corpus("pages", tmp_path))
    assert next(s.data for s in good[0].segments if isinstance(s, Image)) == picture(1)


def test_pages_gzipped_with_pictures_inside(tmp_path: Path) -> None:
    inline = page(["t"], [("a.png", 0)], [picture(4)])
    with gzip.open(tmp_path / "s.jsonl.gz", "wb") as file:
        file.write(json.dumps(inline).encode() + b"\n" + json.dumps(inline).encode())
    reader = open_corpus("pages", tmp_path)
    assert len(reader) == 2
    assert reader[1].segments == (Image(picture(4)), Text("t"))


def test_a_picture_without_text_after_it_is_dropped(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "p.jsonl", [page(["a", " "], [("x.png", 1)], [picture()])])
    assert open_corpus("pages", path)[0].segments == (Text("a"),)


def test_at_most_six_pictures_the_first_in_file_order(tmp_path: Path) -> None:
    many = page([f"s{n}" for n in range(9)], [(f"{n}.png", 8 - n) for n in range(9)])
    path = write_lines(tmp_path / "p.jsonl", [many])
    write_pictures(tmp_path / "images", [f"{n}.png" for n in range(9)])
    found = [s.data for s in open_corpus("p", path)[0].segments if isinstance(s, Image)]
    assert found == [picture(n) for n in (5, 4, 3, 2, 1, 0)]
    assert shape(Mmc4Reader("p", [path], images_per_page=1)[0]).count("[image]") == 1


def test_broken_pages(tmp_path: Path) -> None:
    broken = {
        "not JSON": '{"text_list": ["cut',
        "expected a JSON object": "[1, 2]",
        "'text_list'": {"image_info": []},
        "only text": page([1], []),  # type: ignore[list-item]
        "matched_text_index 4": page(["a"], [("a.png", 4)]),
        "'gone.png' is missing": page(["a"], [("gone.png", 0)]),
        "outside": page(["a"], [("../a.png", 0)]),
        "image_base64": {
            **page(["a"], [("a", 0)]),
            "image_info": [{"matched_text_index": 0, "image_base64": "###"}],
        },
        "without text": page([" "], []),
    }
    path = write_lines(tmp_path / "p.jsonl", [PAGE | page(["good"], []), *broken.values()])
    good, bad = read(open_corpus("pages", path))
    assert [shape(d) for d in good] == [["good"]]
    assert list(bad) == [f"p.jsonl:{n}" for n in range(2, 2 + len(broken))]
    for expected, reason in zip(broken, bad.values(), strict=True):
        assert expected in reason


CHATS = [
    conversation(["<image>\nwhat ?", "a dog"], "a.png", "1"),
    conversation(["what ?\n<image>", "a dog", "sure ?", "yes"], "sub/b.png"),
    conversation(["hello ?", "hi, grüße"]),
    conversation(["Image 1: <image>\n Image 2: <image>", "same"], ["a.png", "sub/b.png"]),
    conversation(["what ?", "a dog"], "a.png"),
]
CHAT_SHAPES = [
    ["[image]", "what ?", "a dog"],
    ["[image]", "what ?", "a dog", "sure ?", "yes"],
    ["hello ?", "hi, grüße"],
    ["Image 1:", "[image]", "Image 2:", "[image]", "", "same"],
    ["[image]", "what ?", "a dog"],
]


@pytest.mark.parametrize("form", ["array", "indented", "lines"])
def test_conversations(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llava, "_WINDOW", 16)
    if form == "lines":
        path = write_lines(tmp_path / "chat.jsonl", CHATS)
    else:
        path = tmp_path / "chat.json"
        indent = 2 if form == "indented" else None
        path.write_text(json.dumps(CHATS, indent=indent, ensure_ascii=False), "utf-8")
    write_pictures(tmp_path, ["a.png"])
    write_pictures(tmp_path / "images", ["sub/b.png"])
    reader = open_corpus("chat", tmp_path)
    good, bad = read(reader)
    assert not bad
    assert [shape(d) for d in good] == CHAT_SHAPES
    turns = [s for s in good[1].segments if isinstance(s, Text)]
    assert [(t.role, t.loss) for t in turns] == [("user", False), ("assistant", True)] * 2
    assert "(1)" in good[0].key


def test_a_conversation_starts_with_its_first_question(tmp_path: Path) -> None:
    record = conversation(["ask", "answer"])
    record["conversations"].insert(0, {"from": "gpt", "value": "unasked"})
    path = write_lines(tmp_path / "c.jsonl", [record])
    assert shape(open_corpus("c", path)[0]) == ["ask", "answer"]


def test_broken_conversations(tmp_path: Path) -> None:
    broken = {
        "2 placeholders for 1": conversation(["<image> <image>", "a"], "a.png"),
        "1 placeholders for 0": conversation(["<image>", "a"]),
        "is missing": conversation(["<image>", "a"], "gone.png"),
        "outside": conversation(["<image>", "a"], "/etc/hostname"),
        "empty answer": conversation(["q", " "]),
        "without an answer": conversation(["q"]),
        "'robot'": {"conversations": [{"from": "robot", "value": "x"}]},
        "'conversations'": {"id": 1},
        "list of paths": conversation(["<image>", "a"], [1]),  # type: ignore[list-item]
    }
    write_pictures(tmp_path, ["a.png"])
    path = write_lines(tmp_path / "c.jsonl", [CHATS[2], *broken.values()])
    good, bad = read(open_corpus("c", path))
    assert len(good) == 1
    assert len(bad) == len(broken)
    for expected, reason in zip(broken, bad.values(), strict=True):
        assert expected in reason


def test_a_broken_element_of_an_array_loses_itself(tmp_path: Path) -> None:
    elements = [json.dumps(conversation([f"q{n}", f"a{n}"])) for n in range(6)]
    elements[2] = elements[2].replace('"value"', "value", 1)
    path = tmp_path / "c.json"
    path.write_text("[\n" + ",\n".join(elements) + "\n]")
    good, bad = read(open_corpus("c", path))
    assert [shape(d)[0] for d in good] == ["q0", "q1", "q3", "q4", "q5"]
    assert list(bad) == ["c.json[2]"]
    assert "not JSON" in bad["c.json[2]"]


def test_text_and_flan(tmp_path: Path) -> None:
    text = write_lines(tmp_path / "t.jsonl", [{"text": "a\nb"}, "", {"text": " "}, "{ ", {"x": 1}])
    good, bad = read(open_corpus("t", text))
    assert [d.segments for d in good] == [(Text("a\nb"),)]
    assert list(bad) == ["t.jsonl:2", "t.jsonl:3", "t.jsonl:4"]
    rows = [{"inputs": "q", "targets": "a"}, {"inputs": "q", "targets": ""}, {"inputs": 3}]
    good, bad = read(open_corpus("f", write_lines(tmp_path / "f.jsonl", rows)))
    assert [shape(d) for d in good] == [["q", "a"]]
    assert len(bad) == 2
    assert [s.role for s in good[0].segments if isinstance(s, Text)] == ["user", "assistant"]


def test_flan_parquet(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [{"inputs": f"q{n}", "targets": f"a{n}", "task": "t"} for n in range(5)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "0.parquet", row_group_size=3)
    parquet.write_table(pyarrow.Table.from_pylist(rows[:1]), tmp_path / "2.parquet")
    (tmp_path / "1.parquet").write_bytes((tmp_path / "0.parquet").read_bytes()[:-9])
    reader = open_corpus("f", tmp_path)
    good, bad = read(reader)
    assert [shape(d) for d in good] == [*([f"q{n}", f"a{n}"] for n in range(5)), ["q0", "a0"]]
    assert good[4].key == "0.parquet:1:2"
    assert list(bad) == ["1.parquet:0:1"]
    assert "no parquet that can be read" in bad["1.parquet:0:1"]
    assert [reader.shard(n) for n in (4, 5, 6)] == ["0.parquet", "1.parquet", "2.parquet"]


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "0.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match="pyarrow"):
        open_corpus("f", tmp_path)


def test_formats_are_told_by_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigError, match="no known format"):
        open_corpus("a", tmp_path / "a")
    with pytest.raises(ConfigError, match="does not exist"):
        open_corpus("a", tmp_path / "b")
    odd = write_lines(tmp_path / "odd.jsonl", [{"prompt": "x", "reply": "y"}])
    with pytest.raises(ConfigError, match="prompt, reply"):
        open_corpus("a", odd)
    text = write_lines(tmp_path / "text.jsonl", ["{broken", {"text": "x"}])
    assert told_format(text) == "text"
    assert len(open_corpus("a", text, "text")) == 2
    with pytest.raises(ConfigError, match=r"format=mmc4.*is text"):
        open_corpus("a", text, "mmc4")
    with pytest.raises(ConfigError, match="coyo"):
        open_corpus("a", text, "coyoo")  # type: ignore[arg-type]
    (tmp_path / "empty.tar").write_bytes(b"\0" * 10240)
    with pytest.raises(ConfigError, match="no document"):
        open_corpus("a", tmp_path / "empty.tar")


def test_fingerprints_follow_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def printed(folder: str, text: str, pictures: list[str]) -> str:
        write_lines(tmp_path / folder / "p.jsonl", [page([text], [])])
        write_pictures(tmp_path / folder / "images", pictures)
        return open_corpus("any name", tmp_path / folder).fingerprint()

    same = printed("a", "x", ["1.png"])
    assert printed("b", "x", ["1.png"]) == same
    assert printed("c", "y", ["1.png"]) != same
    assert printed("d", "x", ["1.png", "2.png"]) != same
    path = write_lines(tmp_path / "long.jsonl", [{"text": "x" * 999}])
    whole = files.file_hash(path)
    monkeypatch.setattr(files, "HASHED_WHOLE", 10)
    monkeypatch.setattr(files, "HASHED_BLOCK", 4)
    assert files.file_hash(path) == whole
    path.write_text(path.read_text() + "\n")
    blocks = files.file_hash(path)
    path.write_text(path.read_text() + "\n")
    assert files.file_hash(path) != blocks != whole


def test_many_files_stay_within_open_handles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "OPEN_FILES", 2)
    for number in range(5):
        write_lines(tmp_path / f"{number}.jsonl", [{"text": f"{number} {line}"} for line in "ab"])
    reader = open_corpus("t", tmp_path)
    assert [shape(reader[n])[0] for n in (9, 0, 5, 3)] == ["4 b", "0 a", "2 b", "1 b"]
    assert reader[9].key == "4.jsonl:2"


def test_lines_across_blocks_and_without_last_newline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SCANNED_BLOCK", 7)
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "one"}\r\n\n{"text": "two"}\n{"text": "three"}')
    assert [shape(d)[0] for d in read(open_corpus("t", path))[0]] == ["one", "two", "three"]


def test_an_empty_tar_among_others_is_noted(tmp_path: Path) -> None:
    write_pairs(tmp_path / "0.tar", ["a"])
    (tmp_path / "1.tar").write_bytes(b"")
    (tmp_path / "2.tar").write_bytes(io.BytesIO(b"x" * 700).getvalue())
    good, bad = read(open_corpus("p", tmp_path))
    assert len(good) == 1
    assert any("empty" in r for r in bad.values())
    assert any("damaged" in r for r in bad.values())
