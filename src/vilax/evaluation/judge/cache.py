"""Replies of judges on disk, by the content of the request: what is stored is never asked again."""

import hashlib
import json
import os
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vilax.artifacts.identity import canonical
from vilax.artifacts.run_record import read_rows

Message = Mapping[str, str]
"""A turn of a chat: ``role`` and ``content``."""


@dataclass(frozen=True)
class Request:
    """What a judge is asked; where the judge is to be found is no part of it.

    Attributes:
        model: the judge.
        messages: system and user message.
        temperature: of sampling.
        max_tokens: longest reply.
        prompt: version of the wording.
        run: number of the judgement, from 0.
        ask: number of the request within a judgement, from 1.
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    prompt: str
    run: int
    ask: int

    @property
    def key(self) -> str:
        """Hash of all of it."""
        payload = asdict(self) | {"messages": [dict(message) for message in self.messages]}
        return hashlib.sha256(canonical(payload).encode()).hexdigest()


@dataclass(frozen=True)
class Reply:
    """What a judge said.

    Attributes:
        text: the reply.
        finish: why it ends there, in the endpoint's word.
        refused: the endpoint marks it as a refusal.
        model: the model that the endpoint says has spoken.
        tokens_in: tokens of the request, as the endpoint counts them; 0 where it does not.
        tokens_out: tokens of the reply likewise.
        troubles: what failed before it came, by name.
    """

    text: str
    finish: str = ""
    refused: bool = False
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    troubles: Mapping[str, int] = field(default_factory=dict)


class ReplyCache:
    """A folder of journals; each process appends to one of its own, one line a reply.

    A kill can only tear the last line of one journal, and a torn line is not read. No two processes
    write to one file, so that they may share the folder, also over a network.

    Args:
        folder: made when the first reply comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = folder / f"replies-{uuid.uuid4().hex[:12]}.jsonl"
        self._lock = threading.Lock()
        self._replies: dict[str, Reply] = {}
        rows = [row for path in folder.glob("replies-*.jsonl") for row in read_rows(path)]
        for row in sorted(rows, key=lambda row: float(row.get("time", 0))):
            with suppress(KeyError, TypeError):
                # What another version wrote in another form is asked again.
                self._replies[row["key"]] = Reply(**row["reply"])

    def get(self, request: Request) -> Reply | None:
        """The reply to a request, if one is stored."""
        return self._replies.get(request.key)

    def put(self, request: Request, reply: Reply, time: float) -> None:
        """Keep a reply, durably before this returns; of two to one request the later counts."""
        row: dict[str, Any] = {"key": request.key, "model": request.model, "time": time}
        row["reply"] = asdict(reply) | {"troubles": dict(reply.troubles)}
        line = json.dumps(row) + "\n"
        with self._lock:
            self._replies[request.key] = reply
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._own.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
