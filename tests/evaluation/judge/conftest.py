"""An account of the test's own, and an asker whose pauses take no time."""

from collections.abc import Callable

import pytest

from tests.evaluation.judge.makers import JumpingClock, set_apart
from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.cache import ReplyCache
from vilax.evaluation.judge.endpoint import Endpoint
from vilax.evaluation.judge.patience import Patience


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path) -> None:
    set_apart(monkeypatch, tmp_path)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def cache(tmp_path) -> ReplyCache:
    return ReplyCache(tmp_path / "replies")


@pytest.fixture
def asker(clock) -> Callable[[Judge], Patience]:
    def make(settings: Judge) -> Patience:
        return Patience(Endpoint(settings), settings, clock)

    return make
