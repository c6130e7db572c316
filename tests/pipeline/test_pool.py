"""Children are killed at the worst moments; nobody waits for ever and no other task suffers."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError

import psutil
import pytest

from pipeline.errors import Stalled
from pipeline.pool import Pool, result


def add(a: int, b: int) -> int:
    return a + b


def slowly(a: int, seconds: float = 0.01) -> int:
    time.sleep(seconds)
    return a


def fail(text: str) -> None:
    raise ValueError(text)


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def unpicklable(_: int) -> object:
    return threading.Lock()


def parent_of_all() -> int:
    return os.getppid()


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(2)
    yield made
    made.close()


def children() -> list[psutil.Process]:
    """All processes below this one: fork servers and what they forked."""
    while True:
        try:
            return list(psutil.Process().children(recursive=True))
        except (psutil.NoSuchProcess, ProcessLookupError):  # one ended while it was being looked at
            continue


def test_results_and_errors_come_back(pool: Pool) -> None:
    assert [result(f) for f in [pool.submit(5, add, i, 1) for i in range(50)]] == list(range(1, 51))
    with pytest.raises(ValueError, match="no such thing"):
        pool.call(5, fail, "no such thing")


def test_waiting_too_briefly_is_told_apart_from_a_task_over_its_time(pool: Pool) -> None:
    future = pool.submit(5, slowly, 1, 0.5)
    with pytest.raises(TimeoutError):
        result(future, wait=0.01)
    assert result(future) == 1
    with pytest.raises(Stalled, match="time limit") as stalled:
        pool.call(0.3, slowly, 1, 30)
    assert stalled.value.reason == "timeout"
    assert pool.call(5, add, 1, 1) == 2


def test_a_task_that_kills_its_child_costs_only_itself(pool: Pool) -> None:
    futures = [pool.submit(5, die if i == 3 else slowly, i) for i in range(20)]
    with pytest.raises(Stalled) as stalled:
        result(futures[3])
    assert stalled.value.reason == "process-died"
    assert [result(f) for i, f in enumerate(futures) if i != 3] == [i for i in range(20) if i != 3]


def test_what_does_not_pickle_is_an_error_and_not_the_end(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="cannot be sent back"):
        pool.call(5, unpicklable, 1)
    with pytest.raises(Exception, match=r"pickle|local"):
        pool.call(5, lambda: 1)
    assert pool.call(5, add, 1, 1) == 2


@pytest.mark.parametrize("seed", range(6))
def test_children_and_servers_killed_at_random_moments_never_hang_anyone(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    futures = [pool.submit(5, slowly, i) for i in range(150)]
    for _ in range(6):
        time.sleep(chance.uniform(0.0, 0.25))
        alive = children()
        for victim in chance.sample(alive, min(len(alive), chance.randint(1, 3))):
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                victim.kill()
    done = stalled = 0
    for i, future in enumerate(futures):
        try:
            assert result(future, wait=30) == i
            done += 1
        except Stalled:
            stalled += 1
    assert done + stalled == 150
    assert stalled <= 40
    assert pool.call(10, add, 1, 1) == 2


def test_closing_ends_the_children_and_whoever_waits() -> None:
    pool = Pool(2)
    server = pool.call(5, parent_of_all)
    futures = [pool.submit(60, slowly, i, 60) for i in range(4)]
    time.sleep(0.3)
    pool.close()
    for future in futures:
        with pytest.raises(Stalled):
            result(future, wait=5)
    end = time.monotonic() + 5
    while [c for c in psutil.Process(server).children() if c.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < end, "a child outlived its pool"
        time.sleep(0.05)
