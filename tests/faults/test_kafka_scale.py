"""Workers come and go, one to three and back, while records are under way: nothing is lost or written twice."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.faults.kafka_driver import Flow

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
WORKERS = ("worker-1", "worker-2", "worker-3")


def test_one_worker_becomes_three_and_three_one_without_loss(
    tmp_path: Path, kafka: str, prefix: str, database: str, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, pages = (20, 2_000) if long_faults else (2, 240)
    chance = random.Random(6)
    running = {"worker-1"}
    waiting: list[int] = []
    slowest = 0.0
    with Flow(tmp_path, kafka, prefix, pages=pages, database=database) as flow:
        flow.start("fetcher", "sink", *running)
        for number in range(1, changes + 1):
            flow.portion(number, changes)
            waiting.append(sum(flow.at_work("worker").values()))
            if len(running) == 1:
                before = flow.watch.committed("worker")
                flow.start(*(set(WORKERS) - running))
                running = set(WORKERS)
                flow.moved("worker", before)
            else:
                stays = chance.choice(WORKERS)
                for name in sorted(running - {stays}):
                    slowest = max(slowest, flow.stop(name, signal.SIGTERM))
                running = {stays}
        flow.drain(600.0)
        compared = flow.compare()
    with capsys.disabled():
        print(f"\n{changes} changes between 1 and 3 workers, {min(waiting)} to {max(waiting)} records waiting at each;"
              f" slowest to stop {slowest:.1f} s; {compared}")  # fmt: skip
    compared.check()
    assert compared.articles == pages
    assert min(waiting) > 0
    assert slowest < 8.0
