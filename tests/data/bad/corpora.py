"""Corpora of thirty good documents and a bad one, in every format, written without our code."""

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.data.bad.pictures import BROKEN, ODD, broken, odd
from tests.data.writers import add, conversation, page, picture, write_lines

GOOD = 30
AT = 11
"""Place of the bad document among the good ones."""


@dataclass(frozen=True)
class Bad:
    """A kind of bad input.

    Attributes:
        write: writes a corpus below a folder; returns what to open.
        reason: a pattern that the reason matches.
        shard: name of the file that the bad document is in.
        key: a pattern that its key matches.
        kept: it is mended, used and named; None: whether it is used is the reader's choice.
        then: done to the folder once the corpus is open.
        good: documents that are used besides.
    """

    write: Callable[[Path], Path]
    reason: str
    shard: str
    key: str = ""
    kept: bool | None = False
    then: Callable[[Path], None] = field(default=lambda folder: None)
    good: int = GOOD


def pairs(
    folder: Path,
    parts: dict[str, bytes] | None,
    name: str = "0.tar",
    at: int = AT,
    good: int = GOOD,
) -> Path:
    """A tar of good pairs, and one key ``bad`` with the given parts by extension."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w") as tar:
        for number in range(good):
            if number == at and parts is not None:
                for extension, data in parts.items():
                    add(tar, f"bad.{extension}", data)
            add(tar, f"good{number:03d}.png", picture(number))
            add(tar, f"good{number:03d}.txt", f"a dog w{number}".encode())
    return folder


def _pairs_with(data: bytes, extension: str = "png") -> Callable[[Path], Path]:
    return lambda folder: pairs(folder, {extension: data, "txt": b"a cat"})


def _parts(**parts: bytes) -> Callable[[Path], Path]:
    return lambda folder: pairs(folder, parts)


def texts(folder: Path, line: bytes, name: str = "t.jsonl") -> Path:
    """Lines of text, one of them as given."""
    folder.mkdir(parents=True, exist_ok=True)
    good = [json.dumps({"text": f"a dog w{number} and"}).encode() for number in range(GOOD)]
    (folder / name).write_bytes(b"".join(x + b"\n" for x in [*good[:AT], line, *good[AT:]]))
    return folder


def _line(line: bytes | str) -> Callable[[Path], Path]:
    raw = line.encode() if isinstance(line, str) else line
    return lambda folder: texts(folder, raw)


def chats(folder: Path, record: Any, name: str = "c.json") -> Path:
    """Conversations, half of them with a picture; an object is written, text as it is."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "a.png").write_bytes(picture())
    good = [
        conversation([f"<image>\nwhat is w{n} ?", f"a w{n}"], "a.png", id=f"good{n}")
        if n % 2
        else conversation([f"what is w{n} ?", f"a w{n}"], id=f"good{n}")
        for n in range(GOOD)
    ]
    parts = [json.dumps(one) for one in good]
    parts.insert(AT, record if isinstance(record, str) else json.dumps(record))
    (folder / name).write_text("[" + ",\n".join(parts) + "]")
    return folder


def _chat(record: Any) -> Callable[[Path], Path]:
    return lambda folder: chats(folder, record)


def _chat_with(file: str, data: bytes | None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        chats(folder, conversation(["<image>\nq", "a"], file, id="bad"))
        if data is None:
            (folder / "images" / file).mkdir()
        else:
            (folder / "images" / file).write_bytes(data)
        return folder

    return write


def pages(folder: Path, record: Any) -> Path:
    """Pages with a picture each."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "a.png").write_bytes(picture())
    good: list[Any] = [page([f"a w{n}", "a dog"], [("a.png", n % 2)]) for n in range(GOOD)]
    write_lines(folder / "p.jsonl", [*good[:AT], record, *good[AT:]])
    return folder


def _page(record: Any) -> Callable[[Path], Path]:
    return lambda folder: pages(folder, record)


def _page_with(data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pages(folder, page(["a cat"], [("b.png", 0)]))
        (folder / "images" / "b.png").write_bytes(data)
        return folder

    return write


def rows(folder: Path, inputs: Sequence[Any], targets: Sequence[Any], kind: Any = None) -> Path:
    """A parquet file of instructions."""
    import pyarrow
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(
        {"inputs": pyarrow.array(inputs, kind), "targets": pyarrow.array(targets, kind)}
    )
    parquet.write_table(table, folder / "r.parquet", row_group_size=8)
    return folder


def _row(asked: Any, answer: Any) -> Callable[[Path], Path]:
    good = [f"what is w{n} ?" for n in range(GOOD)]
    said = [f"a w{n}" for n in range(GOOD)]
    good.insert(AT, asked)
    said.insert(AT, answer)
    return lambda folder: rows(folder, good, said)


def beside(name: str, data: bytes) -> Callable[[Path], Path]:
    """A good tar, and a second one of the given bytes."""

    def write(folder: Path) -> Path:
        pairs(folder, None)
        (folder / name).write_bytes(data)
        return folder

    return write


def tar_of(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar of the given members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _named(key: str, *, kind: bytes = tarfile.REGTYPE, to: str = "") -> bytes:
    info = tarfile.TarInfo(f"{key}.png")
    info.type, info.linkname = kind, to
    data = picture(7) if kind == tarfile.REGTYPE else b""
    return tar_of([(info, data), (tarfile.TarInfo(f"{key}.txt"), b"a cat")])


def _cut_tar(folder: Path) -> Path:
    pairs(folder, {"png": broken("random bytes") * 9, "txt": b"a cat"}, at=GOOD - 1)
    path = folder / "0.tar"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"bad.png") + 2000])
    return folder


def _damaged_header(folder: Path) -> Path:
    pairs(folder, {"png": picture(9), "txt": b"a cat"})
    path = folder / "0.tar"
    data = bytearray(path.read_bytes())
    at = data.index(b"bad.png")
    data[at + 100 : at + 160] = b"\xff" * 60
    path.write_bytes(bytes(data))
    return folder


def _huge_member(folder: Path) -> Path:
    pairs(folder, {"png": picture(9), "txt": b"a cat"}, at=GOOD - 1, good=GOOD)
    path = folder / "0.tar"
    data = bytearray(path.read_bytes())
    at = data.index(b"bad.png")
    header = data[at : at + 512]
    header[124:136] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    data[at : at + 512] = header
    path.write_bytes(bytes(data))
    return folder


def two_lists(folder: Path) -> Path:
    """Thirty texts in one file, one in another."""
    write_lines(folder / "0.jsonl", [{"text": f"a dog w{n}"} for n in range(GOOD)])
    write_lines(folder / "1.jsonl", [{"text": "a cat " * 50}])
    return folder


def _gone(folder: Path) -> None:
    (folder / "1.jsonl").unlink()


def _shrunk(folder: Path) -> None:
    with (folder / "1.jsonl").open("rb+") as file:
        file.truncate(40)


def _failing(folder: Path) -> None:
    # Reading a process's memory at address 0 fails as a worn disk does, with EIO.
    (folder / "1.jsonl").unlink()
    (folder / "1.jsonl").symlink_to("/proc/self/mem")


def _two_tars(folder: Path) -> Path:
    pairs(folder, None)
    return pairs(folder, {"png": picture(9), "txt": b"a cat"}, "1.tar", 0, 1)


def _tar_gone(folder: Path) -> None:
    (folder / "1.tar").unlink()


def _deep_line() -> bytes:
    return b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def _two_tables(folder: Path) -> Path:
    rows(folder, [f"what w{n}" for n in range(GOOD)], [f"a w{n}" for n in range(GOOD)])
    data = (folder / "r.parquet").read_bytes()
    (folder / "s.parquet").write_bytes(data[: len(data) // 2])
    return folder


def _turn(**changes: Any) -> dict[str, Any]:
    record = conversation(["q", "a"], id="bad")
    record["conversations"][1].update(changes)
    return record


def _without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


def _info(**changes: Any) -> dict[str, Any]:
    record = page(["a cat"], [("a.png", 0)])
    record["image_info"][0].update(changes)
    return record


KINDS: dict[str, Bad] = {
    **{
        f"pair: {name}": Bad(_pairs_with(broken(name)), reason, "0.tar", "bad")
        for name, (_, reason) in BROKEN.items()
    },
    **{
        f"pair: {name}": Bad(_pairs_with(odd(name)), reason, "0.tar", "bad", kept=True)
        for name, (_, reason) in ODD.items()
    },
    "pair: a png named jpg": Bad(
        _pairs_with(picture(9), "jpg"), "extension|named", "0.tar", "bad", kept=True
    ),
    "pair: no text": Bad(_parts(png=picture(9)), "txt|text|caption", "0.tar", "bad"),
    "pair: no picture": Bad(_parts(txt=b"a cat"), "picture", "0.tar", "bad"),
    "pair: text not UTF-8": Bad(
        _parts(png=picture(9), txt=b"\xff\xfe\xfa"), "UTF-8", "0.tar", "bad"
    ),
    "pair: empty text": Bad(_parts(png=picture(9), txt=b" \n"), "empty", "0.tar", "bad"),
    "tar: cut in the middle": Bad(_cut_tar, "cut|ends|short", "0.tar", "bad", good=GOOD - 1),
    "tar: damaged header": Bad(_damaged_header, "header|picture", "0.tar"),
    "tar: a member that claims 8 GB": Bad(
        _huge_member, "ends|cut|short|large", "0.tar", "bad", good=GOOD - 1
    ),
    "tar: path that leads out": Bad(beside("1.tar", _named("../bad")), ".", "1.tar", "bad", None),
    "tar: absolute path": Bad(beside("1.tar", _named("/etc/bad")), ".", "1.tar", "bad", None),
    "tar: symbolic link": Bad(
        beside("1.tar", _named("bad", kind=tarfile.SYMTYPE, to="/etc/passwd")), ".", "1.tar", "bad"
    ),
    "tar: hard link": Bad(
        beside("1.tar", _named("bad", kind=tarfile.LNKTYPE, to="x.png")), ".", "1.tar", "bad"
    ),
    "tar: empty archive": Bad(beside("1.tar", b""), "empty", "1.tar"),
    "tar: gzip in disguise": Bad(
        beside("1.tar", gzip.compress(_named("bad"))), "gzip|compress|header", "1.tar"
    ),
    "tar: a page of HTML": Bad(beside("1.tar", b"<html>" * 200), "header|tar|HTML", "1.tar"),
    "tar: deleted after opening": Bad(
        _two_tars, "read|No such|missing|gone", "1.tar", then=_tar_gone
    ),
    "text: not UTF-8": Bad(_line(b'{"text": "caf\xe9 \xff"}'), "UTF-8|utf-8", "t.jsonl", "12"),
    "text: half a surrogate pair": Bad(
        _line('{"text": "a \\ud83d dog"}'), "surrogate|UTF-8|utf-8", "t.jsonl", "12", None
    ),
    "text: no field": Bad(_line('{"txt": "a"}'), "'text'", "t.jsonl", "12"),
    "text: null": Bad(_line('{"text": null}'), "'text'|text", "t.jsonl", "12"),
    "text: a number": Bad(_line('{"text": 5}'), "'text'", "t.jsonl", "12"),
    "text: a list": Bad(_line('{"text": ["a"]}'), "'text'", "t.jsonl", "12"),
    "text: empty": Bad(_line('{"text": "  "}'), "empty", "t.jsonl", "12"),
    "text: broken JSON": Bad(_line('{"text": "a'), "JSON", "t.jsonl", "12"),
    "text: bytes behind the object": Bad(_line('{"text": "a"} }'), "JSON", "t.jsonl", "12"),
    "text: an array": Bad(_line('["a"]'), "object", "t.jsonl", "12"),
    "text: a word": Bad(_line("hello"), "JSON", "t.jsonl", "12"),
    "text: NUL bytes": Bad(_line(bytes(100)), "JSON", "t.jsonl", "12"),
    "text: nested 200,000 deep": Bad(_line(_deep_line()), "JSON|deep|nest", "t.jsonl", "12"),
    "text: a line of 20 MB": Bad(_line(b'{"text": "' + b"x" * 20_000_000), "JSON", "t.jsonl", "12"),
    "text: a number of 9,000 digits": Bad(
        _line('{"text": "a", "n": ' + "9" * 9000 + "}"), "JSON|digits", "t.jsonl", "12"
    ),
    "text: one key twice": Bad(
        _line('{"text": "a dog", "text": "a cat"}'), "twice|duplicate", "t.jsonl", "12", None
    ),
    "text: <image> in it": Bad(
        _line('{"text": "a dog <image> and a cat"}'), "<image>", "t.jsonl", "12", kept=True
    ),
    "list: deleted after opening": Bad(
        two_lists, "read|No such|missing|gone", "1.jsonl", then=_gone
    ),
    "list: shrunk after opening": Bad(two_lists, "JSON|short|read|shrunk", "1.jsonl", then=_shrunk),
    "list: a disk that fails": Bad(two_lists, "read|Input/output|error", "1.jsonl", then=_failing),
    "chat: more placeholders than pictures": Bad(
        _chat(conversation(["<image> <image> q", "a"], "a.png", id="bad")), "placeholder", "c.json"
    ),
    "chat: fewer placeholders than pictures": Bad(
        _chat(conversation(["<image> q", "a"], ["a.png", "a.png"], id="bad")),
        "placeholder",
        "c.json",
    ),
    "chat: a placeholder without picture": Bad(
        _chat(conversation(["<image> q", "a"], id="bad")), "placeholder", "c.json"
    ),
    "chat: empty answer": Bad(_chat(_turn(value=" ")), "empty", "c.json"),
    "chat: no turns": Bad(_chat({"id": "bad"}), "conversations", "c.json", r"11"),
    "chat: turns of text": Bad(
        _chat({"id": "bad", "conversations": "q"}), "conversations", "c.json"
    ),
    "chat: a turn of null": Bad(
        _chat({"id": "bad", "conversations": [None, None]}), "conversations", "c.json"
    ),
    "chat: unknown role": Bad(_chat(_turn(**{"from": "cat"})), "'cat'", "c.json"),
    "chat: no answer": Bad(_chat(conversation(["q"], id="bad")), "answer", "c.json"),
    "chat: answer of null": Bad(_chat(_turn(value=None)), "value", "c.json"),
    "chat: a picture that is not there": Bad(
        _chat(conversation(["<image>", "a"], "gone.png", id="bad")), "gone.png", "c.json"
    ),
    "chat: a picture that is a folder": Bad(_chat_with("f.png", None), "f.png", "c.json"),
    "chat: a picture above the folder": Bad(
        _chat(conversation(["<image>", "a"], "../../../../etc/passwd", id="bad")),
        "outside",
        "c.json",
    ),
    "chat: a picture of an absolute path": Bad(
        _chat(conversation(["<image>", "a"], "/etc/passwd", id="bad")), "outside|absolute", "c.json"
    ),
    "chat: a picture of a number": Bad(
        _chat({**conversation(["q", "a"], id="bad"), "image": 5}), "image", "c.json"
    ),
    "chat: a picture of HTML": Bad(_chat_with("h.png", b"<html>gone"), "HTML", "c.json"),
    "chat: a png named jpg": Bad(
        _chat_with("p.jpg", picture(9)), "extension|named", "c.json", kept=True
    ),
    "chat: broken JSON": Bad(_chat('{"id": "bad", "conversations": [}'), "JSON", "c.json", "11"),
    "chat: a number": Bad(_chat(5), "object", "c.json", "11"),
    "page: a picture of no sentence": Bad(
        _page(_info(matched_text_index=4)), "matched_text_index", "p.jsonl", "12"
    ),
    "page: a picture without index": Bad(
        _page({**_info(), "image_info": [{"image_name": "a.png"}]}),
        "matched_text_index",
        "p.jsonl",
        "12",
    ),
    "page: pictures of text": Bad(_page({**_info(), "image_info": "a"}), "image_info", "p.jsonl"),
    "page: sentences of numbers": Bad(_page({**_info(), "text_list": [3]}), "text_list", "p.jsonl"),
    "page: no text": Bad(_page({**_info(), "text_list": [" "]}), "text", "p.jsonl"),
    "page: broken base64": Bad(_page(_info(image_base64="a!")), "base64", "p.jsonl"),
    "page: a picture cut short": Bad(_page_with(broken("jpeg cut")), "cut short", "p.jsonl", "12"),
    "row: null": Bad(_row("q", None), "targets", "r.parquet"),
    "row: empty answer": Bad(_row("q", ""), "targets", "r.parquet"),
    "row: a table cut short": Bad(_two_tables, "parquet|footer|magic|read", "s.parquet"),
}
"""Each is streamed, and named in the quarantine."""


def _tar_of_doubles(folder: Path) -> Path:
    return pairs(folder, {"png": picture(9), "txt": b"a cat", "PNG": picture(10)})


def _doubled_keys(folder: Path) -> Path:
    pairs(folder, None)
    shutil.copy(folder / "0.tar", folder / "1.tar")
    return folder


LINTED: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "same id": (_chat(conversation(["q", "a dog"], id="good3")), "duplicate-id", r"2 documents"),
    "same picture": (_chat(conversation(["q", "a"], id="x")), "same-picture", "15 documents"),
    "answer is the question": (_chat(conversation(["a b", "a b"], id="x")), "echo", "equals"),
    "two questions": (
        _chat({**_turn(), "conversations": [{"from": "human", "value": "q"}] * 2
               + [{"from": "gpt", "value": "a"}]}),
        "turns", "both the user's",
    ),
    "answer first": (
        _chat({**_turn(), "conversations": [{"from": "gpt", "value": "a"}] * 1
               + _turn()["conversations"]}),
        "turns", "first is the assistant's",
    ),
    "NUL in a text": (_line('{"text": "a \\u0000 b"}'), "control", r"U\+0000"),
    "mojibake": (_line('{"text": "caf\u00c3\u00a9"}'), "mojibake", "character 3"),
    "replacement characters": (_line('{"text": "caf\ufffd"}'), "mojibake", r"U\+FFFD"),
    "special token": (_line('{"text": "a </s> b"}'), "special-token", "'</s>'"),
    "placeholder": (_line('{"text": "a <image> b"}'), "placeholder|mended", "<image>"),
    "half a pair": (_line('{"text": "a \\ud83d b"}'), "encoding|sample", "surrogate"),
    "tracking pixel": (_pairs_with(picture(1, size=(1, 1))), "tiny-picture", "1 x 1"),
    "strip": (_pairs_with(picture(1, size=(900, 4))), "strip", "900 x 4"),
    "other format beside": (beside("a.jsonl.bz2", b"x"), "other-file", r"a\.jsonl\.bz2|expected"),
    "empty file beside": (beside("notes.csv", b""), "empty-file", "empty"),
}  # fmt: skip
"""Used in training without a word; lint names them, by kind and message."""
