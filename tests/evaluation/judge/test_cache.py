"""What is stored stays, whatever happens to the process."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from vilax.evaluation.judge.cache import Reply, ReplyCache, Request

ONE = Request("m", ({"role": "user", "content": "How?"},), 0.0, 3, "p", 0, 1)


def test_key_is_of_the_content_and_the_same_everywhere() -> None:
    # Written down once: a key that changes would pay for every reply again.
    assert ONE.key == "f93cc284fa3759a130dae13115a0c8738d9919717f73268adce6d46788fe4b16"


def test_each_part_of_a_request_is_in_its_key() -> None:
    others = [
        replace(ONE, model="n"),
        replace(ONE, messages=({"role": "user", "content": "Why?"},)),
        replace(ONE, messages=({"role": "system", "content": "How?"},)),
        replace(ONE, temperature=0.5),
        replace(ONE, max_tokens=4),
        replace(ONE, prompt="q"),
        replace(ONE, run=1),
        replace(ONE, ask=2),
    ]
    assert len({one.key for one in [ONE, *others]}) == 9


def test_order_of_a_messages_fields_does_not_count() -> None:
    assert replace(ONE, messages=({"content": "How?", "role": "user"},)).key == ONE.key


@given(text=st.text(), model=st.text(max_size=5))
def test_replies_come_back_as_they_went(tmp_path_factory, text, model) -> None:
    folder = tmp_path_factory.mktemp("replies")
    reply = Reply(text, "stop", False, model, 3, 4, {"time-out": 2})
    ReplyCache(folder).put(ONE, reply, 1.0)
    assert ReplyCache(folder).get(ONE) == reply


def test_a_kill_at_any_byte_loses_no_reply_before_it(tmp_path) -> None:
    requests = [replace(ONE, run=run) for run in range(3)]
    whole = ReplyCache(tmp_path / "whole")
    for request in requests:
        whole.put(request, Reply(f"réponse\n{request.run}"), 1.0)
    (journal,) = (tmp_path / "whole").glob("*.jsonl")
    content = journal.read_bytes()
    ends = [place for place, byte in enumerate(content, start=1) if byte == ord("\n")]
    for cut in range(len(content) + 1):
        journal.write_bytes(content[:cut])
        found = ReplyCache(tmp_path / "whole")
        # A line that lacks nothing but its end is whole as well.
        least = sum(end <= cut for end in ends)
        held = [found.get(request) for request in requests]
        assert [r.text for r in held[:least] if r] == [f"réponse\n{n}" for n in range(least)]
        assert held[least:] in (
            [None] * (3 - least),
            [Reply(f"réponse\n{least}")] + [None] * (2 - least),
        )


def test_two_processes_share_a_folder_and_the_later_reply_counts(tmp_path) -> None:
    a, b = ReplyCache(tmp_path), ReplyCache(tmp_path)
    a.put(ONE, Reply("later"), 2.0)
    b.put(ONE, Reply("earlier"), 1.0)
    b.put(replace(ONE, run=1), Reply("other"), 1.0)
    both = ReplyCache(tmp_path)
    assert both.get(ONE) == Reply("later")
    assert both.get(replace(ONE, run=1)) == Reply("other")


def test_lines_of_another_form_are_asked_again(tmp_path) -> None:
    (tmp_path / "replies-x.jsonl").write_text(
        f'{{"key": "{ONE.key}", "reply": {{"words": 1}}}}\n{{"key": 1}}\n[]\n'
    )
    assert ReplyCache(tmp_path).get(ONE) is None
