"""Samples are opened by processes that may hang or die, and come back in order all the same."""

import os
import signal
import time

import pytest

from vilax.data.lint.scan import Lost, chosen, scan


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_order(jobs: int) -> None:
    def examine(index: int) -> int:
        time.sleep(0.001 * (index % 3))
        return index * index

    found = list(scan(examine, range(0, 1000, 5), jobs, 10))
    assert found == [(n, n * n) for n in range(0, 1000, 5)]
    assert list(scan(examine, [], jobs, 10)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_quick_samples_do_not_end_a_scan_early(jobs: int) -> None:
    found = scan(lambda index: index, range(20_000), jobs, 10)
    assert [index for index, _ in found] == list(range(20_000))


def test_what_hangs_or_dies_is_named_and_the_rest_goes_on() -> None:
    def examine(index: int) -> int:
        if index == 70:
            # What blocks inside a decoder cannot be interrupted from Python.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGALRM])
            time.sleep(60)
        if index in (3, 150):
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    begun = time.monotonic()
    found = dict(scan(examine, range(200), 2, 0.5))
    assert time.monotonic() - begun < 10
    assert list(found) == list(range(200))
    lost = {index: result.kind for index, result in found.items() if isinstance(result, Lost)}
    assert lost == {3: "died", 70: "stuck", 150: "died"}
    assert "SIGKILL" in str(found[3])
    assert "0.5 s" in str(found[70])


def test_an_error_of_ours_is_not_swallowed() -> None:
    with pytest.raises(RuntimeError, match="sample 2: ZeroDivisionError"):
        list(scan(lambda index: 1 // (index - 2), range(5), 2, 10))


def test_leaving_early_ends_the_processes() -> None:
    found = scan(lambda index: os.getpid(), range(10_000), 2, 10)
    _, pid = next(found)
    found.close()  # type: ignore[attr-defined]
    assert isinstance(pid, int)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_draws_are_seeded_and_ascending() -> None:
    assert list(chosen(5, None)) == [0, 1, 2, 3, 4] == list(chosen(5, 9))
    drawn = chosen(1000, 20, seed=1)
    assert drawn == chosen(1000, 20, seed=1) == sorted(set(drawn))
    assert len(drawn) == 20
    assert drawn != chosen(1000, 20, seed=2)
