"""PostgreSQL stopped hard under the whole flow on Kafka: the sink waits for it, and nothing is lost or stands twice."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.kafka_driver import Flow
from tests.postgres.server import Server

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.faults]
KINDS = ("fetcher", "worker", "sink")
GONE_SECONDS = 1.5  # that the server is away at most
RESUME_SECONDS = 30.0


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that may be killed; skips as `postgres_server` does."""
    request.getfixturevalue("postgres_server")
    with Server.started() as server:
        yield server


def test_postgresql_stopped_hard_under_the_flow_costs_nothing(
    tmp_path: Path, kafka: str, prefix: str, own_server: Server, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    stops, pages = (10, 10_000) if long_faults else (3, 180)
    chance = random.Random(10)
    waiting: list[int] = []
    back: list[float] = []
    with Flow(tmp_path, kafka, prefix, pages=pages, seconds=0.05, database=own_server.database()) as flow:
        flow.start(*KINDS)
        for number in range(1, stops + 1):
            flow.announce(pages * number // stops - flow.announced)
            before = flow.watch.committed("sink", "sink-postgres")
            flow.until(lambda n=before: flow.watch.committed("sink", "sink-postgres") > n, service="sink")
            flow.until(lambda: flow.watch.lag("sink")["sink-postgres"] > 0, service="sink")
            waiting.append(flow.watch.lag("sink")["sink-postgres"])
            # at once as after a power cut, or its first process killed and the others after it
            own_server.stop(signal.SIGQUIT if number % 2 else signal.SIGKILL)
            time.sleep(chance.uniform(0.2, GONE_SECONDS))
            stood = flow.watch.committed("sink", "sink-postgres")
            own_server.start()
            begin = time.monotonic()
            flow.until(
                lambda n=stood: flow.watch.committed("sink", "sink-postgres") > n, RESUME_SECONDS, service="sink"
            )
            back.append(time.monotonic() - begin)
        drained = flow.drain(300.0)
        paused = flow.service("sink").stderr.read_text("utf-8").count("postgres paused")
        compared = flow.compare()
    with capsys.disabled():
        print(
            f"\nPostgreSQL stopped hard {stops} times, {min(waiting)} to {max(waiting)} records waiting for it at each;"
            f" {paused} pauses; got on after {max(back):.1f} s at most; drained {drained:.1f} s after the last;"
            f" {compared}"
        )
    compared.check()
    assert compared.articles == pages
    assert compared.stored["events"][0] > 0
    assert paused > 0
