"""Children are killed at the worst moments; nobody waits for ever and no other task suffers."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError
from pathlib import Path
from typing import Any

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


def burn(seconds: float) -> float:
    """CPU time in Python code; returns what this process has used before."""
    before = time.process_time()
    while time.process_time() - before < seconds:
        pass
    return before


def burn_in_c(_: int) -> None:
    re.match(r"(a*)*b", "a" * 40)


def take(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))


def take_by_array(megabytes: int) -> int:
    import numpy

    return len(numpy.ones(megabytes << 20, dtype=numpy.uint8))


def take_behind_another_error(megabytes: int) -> int:
    try:
        return take(megabytes)
    except MemoryError as e:
        raise ValueError("something else") from e


def parse_wide(elements: int) -> int:
    from lxml import html

    return len(html.document_fromstring("<p><b>x</b></p>" * elements))


def returns(megabytes: int) -> bytes:
    return bytes(megabytes << 20)


def prepare_slowly() -> None:
    time.sleep(0.6)
    burn(0.4)
    os.environ["PREPARED"] = "yes"


def prepared() -> str | None:
    return os.environ.get("PREPARED")


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(2)
    yield made
    made.close()


def children() -> list[psutil.Process]:
    """Fork servers of this process and what they forked; not the brokers and databases of other tests."""
    while True:
        try:
            return [c for c in psutil.Process().children(recursive=True) if is_of_a_pool(c)]
        except (psutil.NoSuchProcess, ProcessLookupError):  # one ended while it was being looked at
            continue


def is_of_a_pool(process: psutil.Process) -> bool:
    try:
        return any("multiprocessing" in word for word in process.cmdline())
    except psutil.NoSuchProcess:  # or ended and not yet waited for
        return False


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


@pytest.mark.parametrize("task", [burn, burn_in_c])
def test_cpu_time_is_limited_also_inside_c_code_and_the_rest_goes_on(task: Any) -> None:
    limited = Pool(1, cpu_seconds=0.5)
    try:
        futures = [limited.submit(30, task, 20), *(limited.submit(30, add, i, 1) for i in range(5))]
        with pytest.raises(Stalled, match="CPU") as stalled:
            result(futures[0], wait=20)
        assert stalled.value.reason == "cpu"
        assert [result(f) for f in futures[1:]] == [1, 2, 3, 4, 5]
    finally:
        limited.close()


def test_each_task_has_the_whole_cpu_time_and_waiting_is_none_of_it() -> None:
    limited = Pool(1, cpu_seconds=0.5)
    try:
        used = [limited.call(30, burn, 0.3) for _ in range(4)]
        assert used[-1] >= 0.9, "one child did them all"
        assert limited.call(30, slowly, 1, 0.8) == 1
        assert limited.call(30, add, 1, 1) == 2
    finally:
        limited.close()


@pytest.mark.parametrize(
    ("task", "much"),
    [(take, 600), (take_by_array, 600), (take_behind_another_error, 600), (parse_wide, 3_000_000), (returns, 150)],
)
def test_memory_is_limited_and_the_child_replaced(task: Any, much: int) -> None:
    limited = Pool(1, memory_bytes=256 << 20)
    try:
        before = limited.call(30, os.getpid)
        with pytest.raises(Stalled, match="memory") as stalled:
            limited.call(30, task, much)
        assert stalled.value.reason == "memory"
        assert limited.call(30, os.getpid) != before
        assert limited.call(30, take, 100) == 100 << 20
    finally:
        limited.close()


def test_wall_clock_time_is_limited_beside_the_others() -> None:
    limited = Pool(1, memory_bytes=256 << 20, cpu_seconds=5)
    try:
        with pytest.raises(Stalled) as stalled:
            limited.call(0.3, slowly, 1, 30)
        assert stalled.value.reason == "timeout"
        assert limited.call(5, add, 1, 1) == 2
    finally:
        limited.close()


def test_preparing_a_child_is_no_tasks_time() -> None:
    slow = Pool(1, cpu_seconds=0.3, prepare=prepare_slowly)
    try:
        assert slow.call(0.5, prepared) == "yes"
    finally:
        slow.close()


def test_a_task_that_is_cancelled_costs_no_other() -> None:
    pool = Pool(1)
    try:
        futures = [pool.submit(9, slowly, n) for n in range(60)]
        cancelled = [n for n, future in enumerate(futures) if n % 3 and future.cancel()]
        for n, future in enumerate(futures):
            assert future.cancelled() if n in cancelled else result(future) == n
        assert cancelled
        assert pool.call(9, add, 1, 2) == 3
    finally:
        pool.close()


def test_nothing_is_left_behind_when_the_parent_is_killed(tmp_path: Path) -> None:
    code = "import os, time; from pipeline.pool import Pool; Pool(1).call(9, os.getpid); print(1, flush=True)"
    command = [sys.executable, "-c", f"{code}; time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"1\n"
        assert list(tmp_path.iterdir())
        parent.kill()
    end = time.monotonic() + 5
    while list(tmp_path.iterdir()):
        assert time.monotonic() < end, "a folder is left"
        time.sleep(0.05)


def test_a_pool_that_could_open_no_file_works_again_once_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*args: object) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with contextlib.closing(Pool(1)) as pool, monkeypatch.context() as patch:
        patch.setattr("multiprocessing.context.BaseContext.Pipe", nothing)
        with pytest.raises(Stalled, match="no child process lives"):
            result(pool.submit(20, add, 1, 2), wait=20)
        patch.undo()
        assert result(pool.submit(20, add, 1, 2), wait=20) == 3


def test_a_pool_whose_thread_failed_or_ended_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **more: object) -> Any:
        raise ValueError("whatever it is")

    with contextlib.closing(Pool(1)) as pool, monkeypatch.context() as patch:
        patch.setattr(Pool, "_hand_out", broken)
        with pytest.raises(Stalled, match="whatever it is"):
            result(pool.submit(20, add, 1, 2), wait=20)
        patch.undo()
        assert result(pool.submit(20, add, 1, 2), wait=20) == 3
    with pytest.raises(Stalled, match="closed"):
        result(pool.submit(20, add, 1, 2), wait=20)
