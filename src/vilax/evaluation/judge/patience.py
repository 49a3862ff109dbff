"""Trying again: growing pauses with jitter, ``Retry-After``, and when to give up."""

import random
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Protocol

from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.cache import Reply, Request
from vilax.evaluation.judge.endpoint import FATAL, PASSING, Failure, Trouble

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
MOST_IN_A_ROW = 8
"""Requests given up one after the other, with no reply between, before judging is stopped."""


class Sender(Protocol):
    """Asks once; an ``Endpoint``."""

    def send(self, request: Request) -> Reply: ...


class Clock:
    """Time, and waiting that can be cut short."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let time pass, until ``stop`` is set at the latest."""
        stop.wait(seconds)


class Patience:
    """Asks until a reply comes, or it is clear that none will; used by several threads at a time.

    Args:
        sender: the endpoint.
        settings: tries, and seconds in all.
        clock: time.
    """

    def __init__(self, sender: Sender, settings: Judge, clock: Clock) -> None:
        self._sender, self._settings, self.clock = sender, settings, clock
        self._lock = threading.Lock()
        self._open_at = clock.now()
        self._in_a_row = 0
        # Jitter keeps requests that failed together from coming back together; it shapes no result.
        self._random = random.Random()
        self.stop = threading.Event()
        self.last: Failure | None = None
        """The failure that stopped the judging, or the latest."""

    def reply(self, request: Request) -> Reply:
        """The judge's reply, with what failed before it.

        Raises:
            Failure: none came.
        """
        began = self.clock.now()
        met: Counter[str] = Counter()
        tries = 0
        while True:
            self._wait_for_gate()
            if self.stop.is_set():
                raise Failure(Trouble.UNASKED)
            try:
                reply = self._sender.send(request)
            except Failure as failure:
                tries += 1
                met[str(failure.trouble)] += 1
                pause = self._pause(failure, tries)
                spent = self.clock.now() - began
                is_over = spent + pause > self._settings.patience
                if failure.trouble not in PASSING or tries > self._settings.retries or is_over:
                    failure.met = dict(met)
                    self._give_up(failure)
                    raise
                if failure.trouble is Trouble.RATE:
                    self._close_gate(pause)
                else:
                    self.clock.wait(pause, self.stop)
            else:
                with self._lock:
                    self._in_a_row = 0
                return replace(reply, troubles=dict(met))

    def _pause(self, failure: Failure, tries: int) -> float:
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, 30))
        pause = longest * self._random.uniform(0.5, 1.0)
        # Not before the endpoint's own time; the jitter comes on top, or all would come at once.
        return pause if failure.after is None else failure.after + pause * 0.25

    def _close_gate(self, seconds: float) -> None:
        """A rate limit is the account's: no thread asks before it is over."""
        with self._lock:
            self._open_at = max(self._open_at, self.clock.now() + seconds)

    def _wait_for_gate(self) -> None:
        while not self.stop.is_set():
            with self._lock:
                left = self._open_at - self.clock.now()
            if left <= 0:
                return
            self.clock.wait(left, self.stop)

    def _give_up(self, failure: Failure) -> None:
        with self._lock:
            self.last = failure
            self._in_a_row += 1
            if failure.trouble in FATAL or self._in_a_row >= MOST_IN_A_ROW:
                self.stop.set()
