"""JSON Lines of text with a bad line, and files that go bad while they are read."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.data.bad.kind import AT, GOOD, Bad
from tests.data.writers import write_lines


def texts(folder: Path, line: bytes, name: str = "t.jsonl") -> Path:
    """Lines of text, one of them as given."""
    folder.mkdir(parents=True, exist_ok=True)
    good = [json.dumps({"text": f"a dog w{number} and"}).encode() for number in range(GOOD)]
    (folder / name).write_bytes(b"".join(x + b"\n" for x in [*good[:AT], line, *good[AT:]]))
    return folder


def lined(line: bytes | str) -> Callable[[Path], Path]:
    raw = line.encode() if isinstance(line, str) else line
    return lambda folder: texts(folder, raw)


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


def _deep_line() -> bytes:
    return b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


KINDS: dict[str, Bad] = {
    "text: not UTF-8": Bad(lined(b'{"text": "caf\xe9 \xff"}'), "UTF-8|utf-8", "t.jsonl", "12"),
    "text: half a surrogate pair": Bad(
        lined('{"text": "a \\ud83d dog"}'), "surrogate|UTF-8|utf-8", "t.jsonl", "12", None
    ),
    "text: no field": Bad(lined('{"txt": "a"}'), "'text'", "t.jsonl", "12"),
    "text: null": Bad(lined('{"text": null}'), "'text'|text", "t.jsonl", "12"),
    "text: a number": Bad(lined('{"text": 5}'), "'text'", "t.jsonl", "12"),
    "text: a list": Bad(lined('{"text": ["a"]}'), "'text'", "t.jsonl", "12"),
    "text: empty": Bad(lined('{"text": "  "}'), "empty", "t.jsonl", "12"),
    "text: broken JSON": Bad(lined('{"text": "a'), "JSON", "t.jsonl", "12"),
    "text: bytes behind the object": Bad(lined('{"text": "a"} }'), "JSON", "t.jsonl", "12"),
    "text: an array": Bad(lined('["a"]'), "object", "t.jsonl", "12"),
    "text: a word": Bad(lined("hello"), "JSON", "t.jsonl", "12"),
    "text: NUL bytes": Bad(lined(bytes(100)), "JSON", "t.jsonl", "12"),
    "text: nested 200,000 deep": Bad(lined(_deep_line()), "JSON|deep|nest", "t.jsonl", "12"),
    "text: a line of 20 MB": Bad(lined(b'{"text": "' + b"x" * 20_000_000), "JSON", "t.jsonl", "12"),
    "text: a number of 9,000 digits": Bad(
        lined('{"text": "a", "n": ' + "9" * 9000 + "}"), "JSON|digits", "t.jsonl", "12"
    ),
    "text: one key twice": Bad(
        lined('{"text": "a dog", "text": "a cat"}'), "twice|duplicate", "t.jsonl", "12", None
    ),
    "text: <image> in it": Bad(
        lined('{"text": "a dog <image> and a cat"}'), "<image>", "t.jsonl", "12", kept=True
    ),
    "list: deleted after opening": Bad(
        two_lists, "read|No such|missing|gone", "1.jsonl", then=_gone
    ),
    "list: shrunk after opening": Bad(two_lists, "JSON|short|read|shrunk", "1.jsonl", then=_shrunk),
    "list: a disk that fails": Bad(two_lists, "read|Input/output|error", "1.jsonl", then=_failing),
}
