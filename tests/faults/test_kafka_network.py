"""The network between workers and brokers: black holes, lost answers, cuts, slow ways. What comes out is the same.

`--long-faults`: each fault, for one worker and for both.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kafka.cluster import Cluster
from tests.kafka.fixtures import config_on
from tests.kafka.proxy import Way
from tests.pipeline.kafka.worker_site import Embedded, Site, embedded

__all__ = ["embedded"]
pytestmark = [pytest.mark.kafka, pytest.mark.faults]
SESSION = 6.0  # of `Site.worker`
ON_AFTER = 45.0  # seconds within which all is done after the fault; some of it is the work itself
Fault = Callable[[Way], None]

#: What is done to a way, and for how long.
FAULTS: dict[str, tuple[Fault, float]] = {
    "black hole, 5 s": (Way.hold, 5),
    "black hole, 1.5 sessions": (Way.hold, 1.5 * SESSION),
    "black hole, 3 sessions": (Way.hold, 3 * SESSION),
    "answers lost, 4 s": (Way.lose_answers, 4),
    "answers lost, 2 sessions": (Way.lose_answers, 2 * SESSION),
    "cut off, 2 sessions": (Way.cut, 2 * SESSION),
    "connections forgotten": (Way.strand, 1),
    "slow": (lambda way: way.slow(delay=0.1, rate=20_000), 20),
}


@pytest.fixture(scope="module")
def cluster(kafka_jars: Path) -> Iterator[Cluster]:
    with Cluster(kafka_jars, proxied=2) as made:
        yield made


def test_whatever_the_network_does_the_same_comes_out(
    cluster: Cluster, embedded: Embedded, tmp_path: Path, long_faults: bool
) -> None:
    cases = [(name, both) for name in FAULTS for both in (False, True)]
    for at, (name, both) in enumerate(cases if long_faults else [("answers lost, 2 sessions", False)]):
        fault, seconds = FAULTS[name]
        site = Site(config_on(cluster.servers, f"net{at}.", tmp_path / str(at), kafka_partitions=2))
        put_through(site, cluster, embedded, fault, seconds, both=both)


def put_through(site: Site, cluster: Cluster, embedded: Embedded, fault: Fault, seconds: float, *, both: bool) -> None:
    """Two workers, each by a way of its own; articles come while the fault lasts."""
    first, second = cluster.ways
    other = site.config.data_dir.with_name(f"{site.config.data_dir.name}-other")
    publishing = threading.Thread(target=trickle, args=(site, embedded, seconds), daemon=True)
    with (
        site.worker(RASD_RUN_BATCH="2", RASD_KAFKA_SERVERS=first.servers) as one,
        site.worker(RASD_RUN_BATCH="2", RASD_KAFKA_SERVERS=second.servers, data=other) as two,
    ):
        publishing.start()
        site.until("rasd.verdicts", 2, 60)
        for way in (first, second) if both else (first,):
            fault(way)
        time.sleep(seconds)
        for way in (first, second):
            way.go()
        publishing.join(60)
        end = time.monotonic() + ON_AFTER
        while site.rows() != embedded.rows and time.monotonic() < end:
            time.sleep(0.3)
        assert site.rows() == embedded.rows
        first.hold()  # to stop is possible all the same
        for process in (one, two):
            process.send_signal(signal.SIGTERM)
        assert [p.wait(8) for p in (one, two)] == [0, 0]
        first.go()


def trickle(site: Site, embedded: Embedded, seconds: float, pieces: int = 10) -> None:
    """Writes the articles while the fault lasts."""
    size = -(-len(embedded.articles) // pieces)
    for begin in range(0, len(embedded.articles), size):
        site.publish(embedded.articles[begin : begin + size])
        time.sleep(seconds / pieces)


def test_stopped_at_work_in_a_black_hole_it_ends_soon_and_with_0(
    cluster: Cluster, embedded: Embedded, tmp_path: Path, long_faults: bool
) -> None:
    if not long_faults:
        pytest.skip("a worker without work is stopped so above; one at work, by --long-faults")
    site, (way, _) = Site(config_on(cluster.servers, "stop.", tmp_path, kafka_partitions=2)), cluster.ways
    site.publish(embedded.articles)
    with site.worker(RASD_RUN_BATCH="2", RASD_KAFKA_SERVERS=way.servers) as process:
        site.until("rasd.verdicts", 4, 60)
        way.hold()
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
        way.go()
    site.run("--until-idle", "3")
    assert site.rows() == embedded.rows
