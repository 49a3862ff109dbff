"""A judge that answers on this machine: scripted replies over HTTP."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-secret-9f2c41d7"


@dataclass
class Answer:
    """What the server does with one request."""

    body: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hang_up: bool = False


def chat(text: str | None, **message: Any) -> Answer:
    """A well-formed reply."""
    finish = message.pop("finish", "stop")
    choice = {"index": 0, "finish_reason": finish}
    choice["message"] = {"role": "assistant", "content": text, **message}
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    return Answer(json.dumps({"model": "fake-judge-1", "choices": [choice], "usage": usage}))


def error(status: int, code: str = "some_code", **headers: str) -> Answer:
    """An error as OpenAI words it; it repeats the key, as careless servers do."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"error": {"message": f"no: {KEY}", "type": "x", "code": code}}
    return Answer(json.dumps(body), status, named)


Script = Callable[[dict[str, Any], int], Answer]
"""From a request and its number, from 0, to what is answered."""


@dataclass
class Running:
    """A server that runs; ``seen`` has the requests so far."""

    url: str
    script: Script
    seen: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def judge_server(script: Script) -> Iterator[Running]:
    """A server for the block; ``script`` of what it yields may be exchanged."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(size))
            with lock:
                number = len(running.seen)
                running.seen.append(request | {"path": self.path})
                running.keys.append(self.headers.get("Authorization"))
            answer = running.script(request, number)
            time.sleep(answer.delay)
            if answer.hang_up:
                return
            self.send_response(answer.status)
            body = answer.body.encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            for name, value in (headers | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *words: Any) -> None:
            """A client that left before its answer is part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    running = Running(f"http://127.0.0.1:{server.server_port}/v1", script)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
