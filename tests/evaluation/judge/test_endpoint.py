"""Every way in which a request can fail has its name; the key is in none of them."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.evaluation.judge.makers import settings_for
from tests.evaluation.judge.server import KEY, Answer, chat, error, judge_server
from vilax.config.errors import ConfigError
from vilax.config.schema.judge import Judge
from vilax.config.validate import validate
from vilax.evaluation.judge.cache import Reply, Request
from vilax.evaluation.judge.endpoint import Endpoint, Failure, Trouble

MESSAGES = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "How?"})
REQUEST = Request("judge-7", MESSAGES, 0.5, 3, "p", 0, 1)


def answer_of(answer: Answer, **changes: object) -> Reply:
    with judge_server(lambda request, number: answer) as server:
        return Endpoint(settings_for(server.url, **changes)).send(REQUEST)


def failure_of(answer: Answer, **changes: object) -> Failure:
    with pytest.raises(Failure) as caught:
        answer_of(answer, **changes)
    return caught.value


def test_the_request_and_the_reply() -> None:
    with judge_server(lambda request, number: chat("0.7")) as server:
        reply = Endpoint(settings_for(server.url)).send(REQUEST)
    assert reply == Reply("0.7", "stop", False, "fake-judge-1", 100, 7)
    (seen,) = server.seen
    assert seen.pop("path") == "/v1/chat/completions"
    assert seen == {
        "model": "judge-7",
        "messages": [dict(message) for message in MESSAGES],
        "temperature": 0.5,
        "max_tokens": 3,
    }
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (error(429), Trouble.RATE),
        (error(429, "insufficient_quota"), Trouble.QUOTA),
        (error(500), Trouble.SERVER),
        (error(503), Trouble.SERVER),
        (error(401), Trouble.ACCESS),
        (error(403), Trouble.ACCESS),
        (error(404), Trouble.UNKNOWN),
        (error(400), Trouble.REJECTED),
        (Answer('{"choices": [{"mess'), Trouble.MALFORMED),
        (Answer("<html>busy</html>", headers={"Content-Type": "text/html"}), Trouble.MALFORMED),
        (Answer("[]"), Trouble.MALFORMED),
        (Answer('{"choices": [{"message": {"content": 5}}]}'), Trouble.MALFORMED),
        (Answer('{"choices": [{"message": null}]}'), Trouble.MALFORMED),
        (Answer('{"choices": 3}'), Trouble.MALFORMED),
        (Answer('{"choices": []}'), Trouble.EMPTY),
        (chat(""), Trouble.EMPTY),
        (chat(None, finish="length"), Trouble.EMPTY),
        (Answer("", hang_up=True), Trouble.CONNECTION),
    ],
)
def test_failures_are_named(answer, trouble) -> None:
    assert failure_of(answer).trouble is trouble


def test_a_slow_endpoint_is_a_time_out() -> None:
    assert failure_of(Answer("{}", delay=0.5), timeout=0.05).trouble is Trouble.TIMEOUT


def test_nobody_there_is_a_refused_connection() -> None:
    with judge_server(lambda request, number: chat("1")) as server:
        url = server.url
    with pytest.raises(Failure) as caught:
        Endpoint(settings_for(url)).send(REQUEST)
    assert caught.value.trouble is Trouble.REFUSED


@pytest.mark.parametrize(
    "answer",
    [
        chat(None, refusal="I will not."),
        chat("0.", finish="content_filter"),
        error(400, "content_filter"),
    ],
)
def test_a_refusal_is_a_reply(answer) -> None:
    assert answer_of(answer).refused


def test_content_may_come_in_parts() -> None:
    body = {"choices": [{"message": {"content": [{"type": "text", "text": "0."}, {"text": "4"}]}}]}
    assert answer_of(Answer(json.dumps(body))).text == "0.4"


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("2.5", 2.5), ("soon", None)])
def test_retry_after_in_seconds(said, seconds) -> None:
    assert failure_of(error(429, Retry_After=said)).after == seconds


def test_retry_after_as_a_date() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    after = failure_of(error(503, Retry_After=then)).after
    assert after is not None and 50 < after <= 100


def test_an_endpoint_that_repeats_the_key_does_not_spread_it() -> None:
    for answer in (error(500), error(401), Answer(f"not JSON: {KEY}")):
        failure = failure_of(answer)
        assert "[key]" in str(failure)
        assert KEY not in str(failure) and KEY not in repr(failure)
        assert failure.__cause__ is None and failure.__context__ is None
    assert KEY not in repr(answer_of(chat(f"1 {KEY}", refusal=None)))


def test_key_of_the_judge_comes_before_that_of_openai(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    with judge_server(lambda request, number: chat("1")) as server:
        Endpoint(settings_for(server.url)).send(REQUEST)
        monkeypatch.delenv("VILAX_JUDGE_API_KEY")
        Endpoint(settings_for(server.url)).send(REQUEST)
        monkeypatch.delenv("OPENAI_API_KEY")
        Endpoint(settings_for(server.url)).send(REQUEST)
    assert server.keys == [f"Bearer {KEY}", "Bearer sk-other", "Bearer none"]


def test_openai_needs_a_key(monkeypatch) -> None:
    monkeypatch.delenv("VILAX_JUDGE_API_KEY")
    with pytest.raises(ConfigError, match="VILAX_JUDGE_API_KEY"):
        Endpoint(Judge())


@pytest.mark.parametrize(
    "url", ["https://me:pa55@host/v1", "https://host/v1?key=pa55", "https://host/v1#pa55", "pa55"]
)
def test_an_address_holds_no_secret_and_the_error_does_not_repeat_it(url) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        validate(Judge, {"base_url": url})
    assert "pa55" not in str(caught.value)
