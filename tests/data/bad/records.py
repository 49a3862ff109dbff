"""Conversations, pages and rows of tables with a bad one among them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.data.bad.kind import AT, GOOD, Bad
from tests.data.bad.pictures import broken
from tests.data.writers import conversation, page, picture, write_lines


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


def chat(record: Any) -> Callable[[Path], Path]:
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


def _two_tables(folder: Path) -> Path:
    rows(folder, [f"what w{n}" for n in range(GOOD)], [f"a w{n}" for n in range(GOOD)])
    data = (folder / "r.parquet").read_bytes()
    (folder / "s.parquet").write_bytes(data[: len(data) // 2])
    return folder


def turned(**changes: Any) -> dict[str, Any]:
    record = conversation(["q", "a"], id="bad")
    record["conversations"][1].update(changes)
    return record


def _info(**changes: Any) -> dict[str, Any]:
    record = page(["a cat"], [("a.png", 0)])
    record["image_info"][0].update(changes)
    return record


KINDS: dict[str, Bad] = {
    "chat: more placeholders than pictures": Bad(
        chat(conversation(["<image> <image> q", "a"], "a.png", id="bad")), "placeholder", "c.json"
    ),
    "chat: fewer placeholders than pictures": Bad(
        chat(conversation(["<image> q", "a"], ["a.png", "a.png"], id="bad")),
        "placeholder",
        "c.json",
    ),
    "chat: a placeholder without picture": Bad(
        chat(conversation(["<image> q", "a"], id="bad")), "placeholder", "c.json"
    ),
    "chat: empty answer": Bad(chat(turned(value=" ")), "empty", "c.json"),
    "chat: no turns": Bad(chat({"id": "bad"}), "conversations", "c.json", r"11"),
    "chat: turns of text": Bad(
        chat({"id": "bad", "conversations": "q"}), "conversations", "c.json"
    ),
    "chat: a turn of null": Bad(
        chat({"id": "bad", "conversations": [None, None]}), "conversations", "c.json"
    ),
    "chat: unknown role": Bad(chat(turned(**{"from": "cat"})), "'cat'", "c.json"),
    "chat: no answer": Bad(chat(conversation(["q"], id="bad")), "answer", "c.json"),
    "chat: answer of null": Bad(chat(turned(value=None)), "value", "c.json"),
    "chat: a picture that is not there": Bad(
        chat(conversation(["<image>", "a"], "gone.png", id="bad")), "gone.png", "c.json"
    ),
    "chat: a picture that is a folder": Bad(_chat_with("f.png", None), "f.png", "c.json"),
    "chat: a picture above the folder": Bad(
        chat(conversation(["<image>", "a"], "../../../../etc/passwd", id="bad")),
        "outside",
        "c.json",
    ),
    "chat: a picture of an absolute path": Bad(
        chat(conversation(["<image>", "a"], "/etc/passwd", id="bad")), "outside|absolute", "c.json"
    ),
    "chat: a picture of a number": Bad(
        chat({**conversation(["q", "a"], id="bad"), "image": 5}), "image", "c.json"
    ),
    "chat: a picture of HTML": Bad(_chat_with("h.png", b"<html>gone"), "HTML", "c.json"),
    "chat: a png named jpg": Bad(
        _chat_with("p.jpg", picture(9)), "extension|named", "c.json", kept=True
    ),
    "chat: broken JSON": Bad(chat('{"id": "bad", "conversations": [}'), "JSON", "c.json", "11"),
    "chat: a number": Bad(chat(5), "object", "c.json", "11"),
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
