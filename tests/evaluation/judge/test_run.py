"""Judging through HTTP: what is asked, what is kept, what is counted."""

import re
import threading

import pytest

from tests.evaluation.judge.makers import bench_rows, settings_for, vet_rows, video_rows
from tests.evaluation.judge.server import chat, error, judge_server
from vilax.config.errors import ConfigError
from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.cache import Reply, ReplyCache
from vilax.evaluation.judge.cost import Prices, tokens
from vilax.evaluation.judge.plan import Plan
from vilax.evaluation.judge.protocols import read
from vilax.evaluation.judge.run import judge_predictions


def number_of(request) -> int:
    """Which answer a request is about."""
    return int(re.findall(r"answer (\d+)", request["messages"][-1]["content"])[-1])


def test_mm_vet(cache, asker) -> None:
    marks = ["1.0", "0.5", "0", "0.3"]
    with judge_server(lambda request, n: chat(marks[number_of(request)])) as server:
        settings = settings_for(server.url)
        judged = judge_predictions(vet_rows(4), "mm_vet", settings, cache, asker=asker(settings))
    assert [line["parsed"] for line in judged.lines] == [1.0, 0.5, 0.0, 0.3]
    assert [line["id"] for line in judged.lines] == ["v1_0", "v1_1", "v1_2", "v1_3"]
    assert judged.summary["figures"]["0"]["total"] == pytest.approx(45.0)
    assert judged.summary["scores"]["0"] == pytest.approx(0.45)
    assert judged.summary["served"] == ["fake-judge-1"]
    assert judged.summary["model"] == "gpt-4-0613"
    assert judged.summary["tokens"] == {"in": 400, "out": 28}
    assert judged.unscored == []
    for request in server.seen:
        assert (request["model"], request["temperature"]) == ("gpt-4-0613", 0.0)
        assert request["max_tokens"] == 3


def test_llava_bench(cache, asker) -> None:
    with judge_server(lambda request, n: chat("8 6\nThe second is shorter.")) as server:
        settings = settings_for(server.url, model="m", max_tokens=99, prompt="reference")
        judged = judge_predictions(
            bench_rows(3), "llava_bench", settings, cache, asker=asker(settings)
        )
    assert judged.summary["figures"]["0"]["all"] == pytest.approx(75.0)
    assert [list(line["parsed"]) for line in judged.lines] == [[8.0, 6.0]] * 3
    assert {(r["temperature"], r["max_tokens"]) for r in server.seen} == {(0.2, 99)}
    assert "[End of Assistant 2]\n\n[System]\nRule " in server.seen[0]["messages"][-1]["content"]


def test_video_qa(cache, asker) -> None:
    says = ["{'pred': 'yes', 'score': 4}", "{'pred': 'no', 'score': 2}"]
    with judge_server(lambda request, n: chat(says[number_of(request)])) as server:
        settings = settings_for(server.url)
        judged = judge_predictions(
            video_rows(2), "video_qa", settings, cache, asker=asker(settings)
        )
    figures = judged.summary["figures"]["0"]
    assert (figures["accuracy"], figures["score"]) == (pytest.approx(50.0), pytest.approx(3.0))


@pytest.mark.parametrize(
    ("protocol", "text", "score"),
    [
        ("mm_vet", "0.5 out of 1", 0.5),
        ("mm_vet", "nan", None),
        ("mm_vet", "1.1", None),
        ("llava_bench", "8 9\nGood.", (8.0, 9.0)),
        ("llava_bench", "nan 9", None),
        ("llava_bench", "8", None),
        ("video_qa", "{'pred': 'yes', 'score': 4.8}", ("yes", 4.8)),
        ("video_qa", "{'pred': 'yes', 'score': 1e999}", None),
        ("video_qa", "{'pred': 'yes', 'score': 1" + "0" * 400 + "}", None),
        ("video_qa", "{" + "[" * 9999 + "]" * 9999 + "}", None),
        ("video_qa", "yes", None),
    ],
)
def test_only_scores_that_can_be_averaged_are_read(protocol, text, score) -> None:
    assert read(protocol, Reply(text)) == score
    assert read(protocol, Reply(text, refused=True)) is None


def test_mm_vet_asks_five_times_and_ever_warmer(cache, asker) -> None:
    with judge_server(lambda request, n: chat("hard to say")) as server:
        settings = settings_for(server.url, parallel=1)
        judged = judge_predictions(vet_rows(1), "mm_vet", settings, cache, asker=asker(settings))
    assert [request["temperature"] for request in server.seen] == [0.0, 0.0, 0.5, 1.0, 1.5]
    first, second, *rest = [request["messages"][-1]["content"] for request in server.seen]
    assert first != second and set(rest) == {second}
    (line,) = judged.unscored
    assert (line["attempts"], line["unscored"]) == (5, "unparsable reply")
    assert judged.summary["faults"] == {"unparsable reply": 5}


def test_unusable_replies_are_named_and_the_benchmarks_own_rule_is_shown_apart(
    cache, asker
) -> None:
    says = [
        chat("0.8"),
        chat("I'm sorry, I can't"),
        chat(None, refusal="no"),
        chat("The score is", finish="length"),
        chat("7.5"),
    ]
    with judge_server(lambda request, n: says[number_of(request)]) as server:
        settings = settings_for(server.url)
        judged = judge_predictions(vet_rows(5), "mm_vet", settings, cache, asker=asker(settings))
    assert [line["parsed"] for line in judged.lines] == [0.8, None, None, None, None]
    summary = judged.summary
    assert summary["unscored"]["count"] == 4
    assert summary["unscored"]["reasons"] == {
        "refusal": 2,
        "reply cut at max_tokens": 1,
        "unparsable reply": 1,
    }
    assert [one["id"] for one in summary["unscored"]["judgements"]] == [
        "v1_1",
        "v1_2",
        "v1_3",
        "v1_4",
    ]
    assert summary["faults"] == {
        "refusal": 10,
        "reply cut at max_tokens": 5,
        "unparsable reply": 5,
    }
    assert summary["figures"]["0"]["total"] == pytest.approx(16.0)
    assert summary["scored_only"]["0"]["total"] == pytest.approx(80.0)


def test_an_answer_without_any_reply_is_never_a_nought(cache, asker) -> None:
    says = {0: chat("0.8"), 1: error(500)}
    with judge_server(lambda request, n: says[number_of(request)]) as server:
        settings = settings_for(server.url, retries=2)
        judged = judge_predictions(vet_rows(2), "mm_vet", settings, cache, asker=asker(settings))
        assert judged.summary["figures"]["0"] == {} and judged.summary["scores"]["0"] is None
        assert judged.summary["scored_only"]["0"]["total"] == pytest.approx(80.0)
        assert judged.summary["unscored"]["reasons"] == {"server error (5xx)": 1}
        assert judged.summary["troubles"] == {"server error (5xx)": 3}
        says[1] = chat("0.4")
        asked = len(server.seen)
        whole = judge_predictions(vet_rows(2), "mm_vet", settings, cache, asker=asker(settings))
        assert len(server.seen) == asked + 1
    assert whole.summary["figures"]["0"]["total"] == pytest.approx(60.0)
    assert whole.summary["scored_only"]["0"] == {} and whole.unscored == []


def test_llava_bench_asks_again_and_says_what_one_review_gives(cache, asker) -> None:
    def script(request, n):
        return chat("10 5") if number_of(request) or n > 2 else chat("Both are good.")

    with judge_server(script) as server:
        settings = settings_for(server.url, parallel=1)
        judged = judge_predictions(
            bench_rows(3), "llava_bench", settings, cache, asker=asker(settings)
        )
    assert judged.unscored == [] and judged.summary["faults"] == {"unparsable reply": 3}
    assert judged.summary["figures"]["0"]["all"] == pytest.approx(50.0)
    # (5 + 5 - 1) of (10 + 10 - 1): the lost review as the reference averages it.
    assert judged.summary["first_reply"]["0"]["all"] == pytest.approx(47.4)


def test_bursts_of_errors_pass(cache, asker, clock) -> None:
    def script(request, n):
        return [error(500), error(429, Retry_After="30"), error(503)][n] if n < 3 else chat("0.5")

    with judge_server(script) as server:
        settings = settings_for(server.url, parallel=1)
        judged = judge_predictions(vet_rows(2), "mm_vet", settings, cache, asker=asker(settings))
    assert judged.unscored == []
    assert judged.summary["troubles"] == {"rate limit (429)": 1, "server error (5xx)": 2}
    assert sum(clock.waits) > 30


def test_what_is_stored_is_not_asked_and_gives_the_same(cache, asker, tmp_path) -> None:
    def script(request, n):
        return error(500) if n == 0 else chat(["0.1", "huh", "0.3"][number_of(request)])

    with judge_server(script) as server:
        settings = settings_for(server.url, runs=2)
        first = judge_predictions(vet_rows(3), "mm_vet", settings, cache, asker=asker(settings))
        asked = len(server.seen)
        assert asked == 2 * (1 + 5 + 1) + 1
        again = judge_predictions(
            vet_rows(3), "mm_vet", settings, ReplyCache(tmp_path / "replies"), asker=None
        )
        assert len(server.seen) == asked
        assert again == first
        # The same answers at another address are the same request, too.
        other = settings.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
        moved = judge_predictions(vet_rows(3), "mm_vet", other, cache)
        assert moved.lines == first.lines


def test_again_asks_where_no_score_came(cache, asker) -> None:
    says = ["0.1", "huh"]
    with judge_server(lambda request, n: chat(says[number_of(request)])) as server:
        settings = settings_for(server.url)
        judge_predictions(vet_rows(2), "mm_vet", settings, cache, asker=asker(settings))
        asked, says[1] = len(server.seen), "0.9"
        judged = judge_predictions(
            vet_rows(2), "mm_vet", settings, cache, asker=asker(settings), again=True
        )
        assert len(server.seen) == asked + 1
    assert [line["parsed"] for line in judged.lines] == [0.1, 0.9]


def test_runs_are_asked_apart_and_their_spread_is_told(cache, asker) -> None:
    with judge_server(lambda request, n: chat(["0.2", "0.4"][n])) as server:
        settings = settings_for(server.url, runs=2, parallel=1)
        judged = judge_predictions(vet_rows(1), "mm_vet", settings, cache, asker=asker(settings))
    assert [(line["run"], line["parsed"]) for line in judged.lines] == [(0, 0.2), (1, 0.4)]
    figures = judged.summary["figures"]["0"]
    assert (figures["total"], figures["std"]) == (pytest.approx(30.0), pytest.approx(10.0))


def test_equal_answers_share_a_judgement(cache, asker) -> None:
    rows = vet_rows(1) + [row | {"k": 4} for row in vet_rows(1)]
    with judge_server(lambda request, n: chat("0.2")) as server:
        settings = settings_for(server.url)
        judged = judge_predictions(rows, "mm_vet", settings, cache, asker=asker(settings))
    assert len(server.seen) == 1 and [line["k"] for line in judged.lines] == [0, 4]
    assert set(judged.summary["figures"]) == {"0", "4"}
    assert judged.summary["tokens"] == {"in": 100, "out": 7}


def test_requests_are_under_way_together(cache, asker) -> None:
    meeting = threading.Barrier(4, timeout=10)

    def script(request, n):
        meeting.wait()
        return chat("0.2")

    with judge_server(script) as server:
        settings = settings_for(server.url, parallel=4)
        judged = judge_predictions(vet_rows(8), "mm_vet", settings, cache, asker=asker(settings))
    assert judged.unscored == []


def test_estimate_counts_what_is_left(cache, asker) -> None:
    with judge_server(lambda request, n: chat("0.2")) as server:
        settings = settings_for(server.url)
        judge_predictions(vet_rows(2), "mm_vet", settings, cache, asker=asker(settings))
    plan = Plan(vet_rows(5), "mm_vet", settings, cache)
    left = plan.estimate()
    assert (left.calls, left.stored, left.tokens_out) == (3, 2, 9)
    assert left.tokens_in == sum(tokens(plan.request(job, 1).messages) for job in plan.jobs[2:])
    sentence = left.sentence(Prices(1e6, 2e6))
    assert "3 requests (2 judgements are stored)" in sentence
    assert f"price about {left.tokens_in + 18:,}.00" in sentence
    assert "no price" in left.sentence(None)
    assert "nothing to ask" in Plan(vet_rows(2), "mm_vet", settings, cache).estimate().sentence(
        None
    )


@pytest.mark.parametrize(("text", "count"), [("", 4), ("abcd", 5), ("abcde", 6), ("čas", 5)])
def test_tokens_are_counted_as_said(text, count) -> None:
    assert tokens([{"role": "user", "content": text}]) == count


def test_predictions_that_lack_something_are_named(cache) -> None:
    rows = vet_rows(2)
    del rows[1]["facts"]["truth"]
    with pytest.raises(ConfigError, match=r"'v1_1' of mm_vet.*truth"):
        judge_predictions(rows, "mm_vet", Judge(prompt="vilax"), cache)
    rows[1]["facts"] |= {"truth": "x", "capabilities": "rec,ocr"}
    with pytest.raises(ConfigError, match="expected a list"):
        judge_predictions(rows, "mm_vet", Judge(prompt="vilax"), cache)
    with pytest.raises(ConfigError, match="no predictions"):
        judge_predictions([], "mm_vet", Judge(prompt="vilax"), cache)
