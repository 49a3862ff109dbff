"""One request to an OpenAI-compatible endpoint, and a name for whatever can go wrong with it."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from vilax.config.errors import ConfigError
from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.cache import Reply, Request

KEYS = ("VILAX_JUDGE_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, the first one set counts."""
NO_KEY = "none"
"""What an endpoint without keys is sent in the place of one."""
FILTERED = "content_filter"
"""How OpenAI and Azure mark what their filter held back, in a reply or in an error's code."""
LONGEST_DETAIL = 200


class Trouble(StrEnum):
    """Why a request has no reply."""

    RATE = "rate limit (429)"
    QUOTA = "quota exhausted (429)"
    SERVER = "server error (5xx)"
    TIMEOUT = "time-out"
    REFUSED = "connection refused"
    CONNECTION = "connection failed"
    MALFORMED = "malformed body"
    EMPTY = "empty reply"
    ACCESS = "no access (401, 403)"
    UNKNOWN = "unknown address or model (404)"
    REJECTED = "request rejected (4xx)"
    UNASKED = "not asked: judging was stopped"


PASSING = {
    Trouble.RATE,
    Trouble.SERVER,
    Trouble.TIMEOUT,
    Trouble.REFUSED,
    Trouble.CONNECTION,
    Trouble.MALFORMED,
    Trouble.EMPTY,
}
"""What may be gone at the next try."""
FATAL = {Trouble.QUOTA, Trouble.ACCESS, Trouble.UNKNOWN}
"""What every other request would meet as well."""


@dataclass(eq=False)
class Failure(Exception):
    """A request without a reply.

    Attributes:
        trouble: its name.
        detail: what the endpoint said, shortened, without the key.
        after: seconds to wait that the endpoint asked for, if it did.
        met: what failed in all tries together, by name.
    """

    trouble: Trouble
    detail: str = ""
    after: float | None = None
    met: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.trouble}: {self.detail}" if self.detail else str(self.trouble)


class Endpoint:
    """The judge's address with the key, which is kept in memory alone.

    Args:
        settings: address and time-out.

    Raises:
        ConfigError: OpenAI's own address without a key in the environment.
    """

    def __init__(self, settings: Judge) -> None:
        self._key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        if self._key is None and urlsplit(settings.base_url).hostname == "api.openai.com":
            raise ConfigError(
                f"judge: no key: put it into the environment as {KEYS[0]} (else {KEYS[1]} is read),"
                " or name another endpoint with --base-url, such as http://localhost:8000/v1"
            )
        # Tries and pauses are counted and named here, not inside the package.
        self._client = OpenAI(
            api_key=self._key or NO_KEY,
            base_url=settings.base_url,
            timeout=settings.timeout,
            max_retries=0,
        )

    def send(self, request: Request) -> Reply:
        """Ask once.

        Raises:
            Failure: no reply came, or one without content.
        """
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": message["content"]}
            if message["role"] == "system"
            else {"role": "user", "content": message["content"]}
            for message in request.messages
        ]
        failure: Failure
        try:
            body = self._client.chat.completions.with_raw_response.create(
                model=request.model,
                messages=messages,
                temperature=request.temperature,
                max_tokens=request.max_tokens,
            ).http_response.content
            return self._read(body)
        except APITimeoutError:
            failure = Failure(Trouble.TIMEOUT)
        except APIConnectionError as error:
            failure = Failure(_connection(error), self._told(str(error.__cause__ or error)))
        except APIStatusError as error:
            if error.code == FILTERED:
                return Reply(text=self._told(str(error)), finish=FILTERED, refused=True)
            failure = self._status(error)
        # Raised apart from the package's own error, which holds the request with its headers.
        raise failure

    def _read(self, body: bytes) -> Reply:
        reply = self._reply(body)
        if reply is None:
            raise Failure(Trouble.MALFORMED, self._told(body.decode("utf-8", "replace")))
        if not reply.text.strip() and not reply.refused:
            hint = "cut at max_tokens" if reply.finish == "length" else "no text"
            raise Failure(Trouble.EMPTY, hint)
        return reply

    def _reply(self, body: bytes) -> Reply | None:
        """What a body says; None where it is not of the form that the API promises."""
        try:
            found = json.loads(body)
            if found["choices"] == []:
                return Reply("")
            choice = found["choices"][0]
            message = choice["message"]
            refusal = message.get("refusal")
            finish = str(choice.get("finish_reason") or "")
            usage: Mapping[str, Any] = found.get("usage") or {}
            return Reply(
                text=self._clean(_text(message.get("content")) or str(refusal or "")),
                finish=finish,
                refused=bool(refusal) or finish == FILTERED,
                model=self._clean(str(found.get("model") or "")),
                tokens_in=int(usage.get("prompt_tokens") or 0),
                tokens_out=int(usage.get("completion_tokens") or 0),
            )
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return None

    def _status(self, error: APIStatusError) -> Failure:
        status = error.status_code
        detail = self._told(str(error))
        if status == 429:
            is_spent = error.code == "insufficient_quota"
            trouble = Trouble.QUOTA if is_spent else Trouble.RATE
            return Failure(trouble, detail, _after(error.response.headers))
        if status >= 500:
            return Failure(Trouble.SERVER, detail, _after(error.response.headers))
        if status == 408:
            return Failure(Trouble.TIMEOUT, detail)
        if status in (401, 403):
            return Failure(Trouble.ACCESS, detail)
        return Failure(Trouble.UNKNOWN if status == 404 else Trouble.REJECTED, detail)

    def _clean(self, text: str) -> str:
        """Without the key, should the endpoint repeat it, and without halves of characters."""
        whole = text.encode("utf-8", "replace").decode()
        return whole.replace(self._key, "[key]") if self._key else whole

    def _told(self, text: str) -> str:
        return " ".join(self._clean(text).split())[:LONGEST_DETAIL]


def _text(content: Any) -> str:
    """A message's content; some endpoints give a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content)
    if content is not None and not isinstance(content, str):
        raise TypeError("content is no text")
    return content or ""


def _connection(error: BaseException) -> Trouble:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return Trouble.REFUSED
        cause = cause.__cause__ or cause.__context__
    return Trouble.CONNECTION


def _after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for: a number, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
