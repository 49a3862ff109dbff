"""When it is tried again, after how long, and when no more."""

import threading
from collections import Counter

import pytest

from tests.evaluation.judge.makers import JumpingClock
from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.cache import Reply, Request
from vilax.evaluation.judge.endpoint import Failure, Trouble
from vilax.evaluation.judge.patience import MOST_IN_A_ROW, Clock, Patience

REQUEST = Request("m", ({"role": "user", "content": "How?"},), 0.0, 3, "p", 0, 1)


class Scripted:
    """Fails as told, then replies."""

    def __init__(self, *failures: Failure) -> None:
        self.failures = list(failures)
        self.sent = 0

    def send(self, request: Request) -> Reply:
        self.sent += 1
        if self.failures:
            raise self.failures.pop(0)
        return Reply("1")


def fails(trouble: Trouble, times: int, after: float | None = None) -> list[Failure]:
    return [Failure(trouble, after=after) for _ in range(times)]


def test_passing_troubles_are_tried_again_and_told(clock: JumpingClock) -> None:
    sender = Scripted(*fails(Trouble.SERVER, 2), *fails(Trouble.TIMEOUT, 1))
    reply = Patience(sender, Judge(), clock).reply(REQUEST)
    assert reply.text == "1" and sender.sent == 4
    assert reply.troubles == {"server error (5xx)": 2, "time-out": 1}


def test_pauses_grow_with_jitter_and_have_a_limit(clock: JumpingClock) -> None:
    sender = Scripted(*fails(Trouble.SERVER, 9))
    Patience(sender, Judge(retries=9, patience=10000), clock).reply(REQUEST)
    for pause, longest in zip(clock.waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(clock.waits)) == 9


@pytest.mark.parametrize("trouble", [Trouble.RATE, Trouble.SERVER])
def test_retry_after_is_honoured(clock: JumpingClock, trouble) -> None:
    Patience(Scripted(*fails(trouble, 1, after=37.0)), Judge(), clock).reply(REQUEST)
    assert 37.0 < sum(clock.waits) < 38.0


def test_a_rate_limit_holds_back_the_others_too(clock: JumpingClock) -> None:
    times: list[float] = []

    class Limited(Scripted):
        def send(self, request: Request) -> Reply:
            times.append(clock.now())
            return super().send(request)

    patience = Patience(Limited(*fails(Trouble.RATE, 1, after=50.0)), Judge(retries=0), clock)
    with pytest.raises(Failure):
        patience.reply(REQUEST)
    patience = Patience(Limited(*fails(Trouble.RATE, 1, after=50.0)), Judge(), clock)
    begun = clock.now()
    failed = threading.Event()

    class Stopping(JumpingClock):
        """Lets the other request start while the first one waits."""

        def wait(self, seconds: float, stop: threading.Event) -> None:
            if not failed.is_set():
                failed.set()
                other = threading.Thread(target=patience.reply, args=(REQUEST,))
                other.start()
                other.join()
            clock.wait(seconds, stop)

        def now(self) -> float:
            return clock.now()

    patience.clock = Stopping()
    times.clear()
    patience.reply(REQUEST)
    assert times[0] == begun and len(times) == 3
    assert all(time >= begun + 50.0 for time in times[1:])


def test_it_is_given_up_after_so_many_tries(clock: JumpingClock) -> None:
    sender = Scripted(*fails(Trouble.TIMEOUT, 9))
    with pytest.raises(Failure) as caught:
        Patience(sender, Judge(retries=2), clock).reply(REQUEST)
    assert sender.sent == 3 and caught.value.met == {"time-out": 3}


def test_it_is_given_up_after_so_long(clock: JumpingClock) -> None:
    sender = Scripted(*fails(Trouble.RATE, 99, after=40.0))
    with pytest.raises(Failure):
        Patience(sender, Judge(retries=99, patience=100), clock).reply(REQUEST)
    assert sum(clock.waits) <= 100 and sender.sent == 3


@pytest.mark.parametrize("trouble", [Trouble.ACCESS, Trouble.UNKNOWN, Trouble.QUOTA])
def test_what_all_would_meet_stops_at_once(clock: JumpingClock, trouble) -> None:
    sender = Scripted(*fails(trouble, 1))
    patience = Patience(sender, Judge(), clock)
    for expected in (trouble, Trouble.UNASKED):
        with pytest.raises(Failure) as caught:
            patience.reply(REQUEST)
        assert caught.value.trouble is expected
    assert sender.sent == 1 and patience.last is not None and patience.last.trouble is trouble


def test_a_rejected_request_is_not_repeated_and_stops_nothing(clock: JumpingClock) -> None:
    sender = Scripted(*fails(Trouble.REJECTED, 1))
    patience = Patience(sender, Judge(), clock)
    with pytest.raises(Failure):
        patience.reply(REQUEST)
    assert patience.reply(REQUEST).text == "1" and sender.sent == 2


def test_a_dead_endpoint_is_not_asked_for_every_item(clock: JumpingClock) -> None:
    sender = Scripted(*fails(Trouble.REFUSED, 1000))
    patience = Patience(sender, Judge(retries=1), clock)
    met: Counter[str] = Counter()
    for _ in range(50):
        with pytest.raises(Failure) as caught:
            patience.reply(REQUEST)
        met[caught.value.trouble] += 1
    assert met == {Trouble.REFUSED: MOST_IN_A_ROW, Trouble.UNASKED: 50 - MOST_IN_A_ROW}
    assert sender.sent == 2 * MOST_IN_A_ROW


def test_a_reply_in_between_clears_the_count(clock: JumpingClock) -> None:
    script = (
        fails(Trouble.REJECTED, MOST_IN_A_ROW - 1),
        fails(Trouble.REJECTED, MOST_IN_A_ROW - 1),
    )
    sender = Scripted()
    patience = Patience(sender, Judge(), clock)
    for some in script:
        sender.failures = some
        for _ in range(MOST_IN_A_ROW - 1):
            with pytest.raises(Failure):
                patience.reply(REQUEST)
        assert patience.reply(REQUEST).text == "1"
    assert not patience.stop.is_set()


def test_a_wait_ends_when_judging_is_stopped() -> None:
    stop = threading.Event()
    stop.set()
    Clock().wait(3600.0, stop)
