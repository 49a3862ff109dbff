"""Corpora behind HTTP are read as local ones are; a server that fails is named, not waited for."""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.data.test_layouts import onevision
from tests.data.writers import conversation, tokenizer, write_lines, write_pairs, write_pictures
from vilax.config.errors import ConfigError
from vilax.config.schema.data import Blend
from vilax.data import storage
from vilax.data.document import Document
from vilax.data.engine import CorpusSource, Stream
from vilax.data.formats import BadSample, Reader, open_corpus
from vilax.data.prompt import PromptEncoder
from vilax.data.storage import RemoteBytes, RemotePlace, place


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder with ranges, and misbehaviour by name."""

    faults: ClassVar[dict[str, list[str]]] = {}

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        waiting = self.faults.get(self.path.rpartition("/")[2], [])
        fault = waiting.pop(0) if waiting else ""
        if fault == "500":
            self.send_error(500)
            return
        if fault == "hang":
            time.sleep(2)
            return
        path = Path(self.translate_path(self.path))
        wanted = self.headers.get("Range")
        if not path.is_file() or wanted is None:
            super().do_GET()
            return
        data = path.read_bytes()
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last or len(data)) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(part[: len(part) // 2] if fault == "break" else part)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(storage, "WAITS", 0.01)
    monkeypatch.setattr(storage, "SECONDS", 0.5)
    monkeypatch.setattr(Handler, "faults", {})
    serving = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "served"))
    )
    serving.daemon_threads = True
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()


def documents(reader: Reader) -> list[Document | str]:
    found: list[Document | str] = []
    for index in range(len(reader)):
        try:
            found.append(reader[index])
        except BadSample as error:
            found.append(error.reason)
    return found


def same(remote: str, local: Path) -> list[Document | str]:
    """What is read from a server, which must be what lies on disk."""
    there, here = open_corpus("c", place(remote)), open_corpus("c", local)
    assert documents(there) == documents(here)
    assert [there.key(n) for n in range(len(there))] == [here.key(n) for n in range(len(here))]
    assert there.fingerprint() == here.fingerprint()
    return documents(there)


def test_corpora_behind_http(tmp_path: Path, server: str) -> None:
    served = tmp_path / "served"
    write_pairs(served / "pairs/000.tar", ["a dog", "a cat"])
    write_pairs(served / "pairs/001.tar", ["a cow"])
    assert len(same(f"{server}/pairs/{{000..001}}.tar", served / "pairs")) == 3
    write_lines(served / "t.jsonl", [{"text": "one"}, "{broken", {"text": "two"}])
    assert len(same(f"{server}/t.jsonl", served / "t.jsonl")) == 3
    write_pictures(served / "chat", ["a.png"])
    (served / "chat/c.json").write_text(json.dumps([conversation(["<image> q", "a"], "a.png")]))
    assert len(same(f"{server}/chat/c.json", served / "chat/c.json")) == 1
    onevision(served / "one")
    name = "train-00000-of-00001.parquet"
    assert len(same(f"{server}/one/{name}", served / "one" / name)) == 3


def test_a_stream_from_a_server(tmp_path: Path, server: str) -> None:
    write_pairs(tmp_path / "served/000.tar", [f"w{n}" for n in range(20)])
    reader = open_corpus("c", place(f"{server}/000.tar"))
    blend = Blend(corpora={"c": 1.0}, shuffle_buffer=4, packing_buffer=4, streams=1)
    encoder = PromptEncoder(tokenizer(), 4)
    noted = tmp_path / "q.jsonl"
    stream = Stream({"c": CorpusSource(reader)}, blend, encoder, 48, 0, 0, noted)
    keys = {key for _ in range(8) for key in next(stream).keys}
    assert len(keys) > 10
    # From now on one picture's shard hangs for as long as it is asked.
    Handler.faults["000.tar"] = ["hang"] * 3
    began = time.monotonic()
    while not stream.counts["c"].bad:
        next(stream)
    assert time.monotonic() - began < 20
    (line,) = [json.loads(line) for line in noted.read_text().splitlines()]
    assert (line["shard"], line["kept"]) == ("000.tar", False)
    assert "cannot be read" in line["reason"]


@pytest.mark.parametrize("fault", ["500", "hang", "break"])
def test_a_request_is_tried_again(tmp_path: Path, server: str, fault: str) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served/x.bin").write_bytes(bytes(range(200)))
    file = RemotePlace(f"{server}/x.bin")
    assert file.stat().st_size == 200
    Handler.faults["x.bin"] = [fault]
    assert file.read_range(10, 5) == bytes(range(10, 15))
    Handler.faults["x.bin"] = [fault] * 9
    with pytest.raises(OSError, match=r"x\.bin cannot be read"):
        file.read_range(10, 5)


def test_what_is_not_there(tmp_path: Path, server: str) -> None:
    (tmp_path / "served").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none\.tar is not there"):
        RemotePlace(f"{server}/none.tar").stat()
    with pytest.raises(ConfigError, match=r"none\.tar does not exist"):
        open_corpus("c", place(f"{server}/none.tar"))
    assert place("x/y") == Path("x/y")


def test_slices_of_a_remote_file(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(i % 251 for i in range(5000))
    (tmp_path / "served").mkdir()
    (tmp_path / "served/x.bin").write_bytes(data)
    monkeypatch.setattr(RemoteBytes, "BLOCK", 100)
    content = RemoteBytes(RemotePlace(f"{server}/x.bin"))
    assert len(content) == 5000
    for part in (slice(0, 5), slice(90, 130), slice(120, 125), slice(4990, 6000), slice(7, 400)):
        assert content[part] == data[part]
