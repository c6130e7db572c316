"""Brokers restarted, killed, and left with too few copies, while articles flow: nothing is lost or written twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from connectors.sources.archives import Archive, Options
from pipeline import wire
from pipeline.config import load
from pipeline.log.kafka.topics import ensure_topics
from pipeline.records import Article
from tests.faults.kafka_driver import Compared, Flow, Service
from tests.generate import lines
from tests.kafka.cluster import Broker, Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
KINDS = ("fetcher", "worker", "sink")
DRAINED_SECONDS = 60.0
ABREAST = 500  # pages: what is under way when a broker goes can be worked off within a minute on a slow machine
COPIES = {"RASD_KAFKA_REPLICATION": "3", "RASD_KAFKA_MIN_INSYNC": "2"}


def test_a_broker_restarted_again_and_again_costs_nothing(
    tmp_path: Path, kafka_jars: Path, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    restarts, pages, replayed = (10, 8_000, 2_000) if long_faults else (2, 120, 60)
    found = Found()
    with Cluster(kafka_jars) as cluster, flowing(tmp_path, cluster, pages, replayed, restarts) as flow:
        (broker,) = cluster.brokers
        for number in range(1, restarts + 1):
            found.waiting.append(next_portion(flow, number, restarts))
            found.struck(broker, hard=number % 2 == 0)
        finish(flow, found)
    tell(capsys, f"{restarts} restarts, every second one by SIGKILL", found)
    found.check(pages, replayed)


def test_one_broker_of_three_killed_costs_nothing(
    tmp_path: Path, kafka_jars: Path, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """First the coordinator of a group, then the leader of the articles; then any, with three copies demanded."""
    pages, replayed = (8_000, 2_000) if long_faults else (120, 60)
    found = Found()
    with Cluster(kafka_jars, nodes=3) as cluster, flowing(tmp_path, cluster, pages, replayed, 3, **COPIES) as flow:
        for number, role in enumerate(("coordinator", "leader", "copy"), 1):
            if role == "copy":
                ensure_topics(load(data=tmp_path, environ={**flow.environment, "RASD_KAFKA_MIN_INSYNC": "3"}))
            found.waiting.append(next_portion(flow, number, 3))
            victim = cluster.brokers[node_of(role, flow) - 1]
            victim.kill()
            begin, before = time.monotonic(), flow.watch.committed("worker")
            if role == "copy":
                flow.until(lambda: copies_of_articles(flow) == 2)
                time.sleep(12.0 if long_faults else 2.0)  # clients try again by themselves for 10
            else:
                flow.until(lambda: flow.watch.committed("worker") > before)  # noqa: B023  two of three are enough
            found.without.append(time.monotonic() - begin)
            victim.start()
        finish(flow, found)
    tell(capsys, "one of three killed: coordinator, leader, any with 3 copies demanded", found)
    found.check(pages, replayed)


@dataclass
class Found:
    """waiting: records not committed when a broker went. without: seconds that it was away, or until they got on."""

    waiting: list[int] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    drained: float = 0.0
    compared: Compared | None = None
    missing: int = 0

    def struck(self, broker: Broker, *, hard: bool) -> None:
        begin = time.monotonic()
        broker.restart(hard=hard)
        self.without.append(time.monotonic() - begin)

    def check(self, pages: int, replayed: int) -> None:
        assert self.compared is not None
        self.compared.check()
        assert self.missing == 0, f"{self.missing} of {replayed} replayed articles are not on the topic"
        assert self.compared.articles > pages
        assert min(self.waiting) > 0
        assert self.drained < DRAINED_SECONDS


@contextmanager
def flowing(folder: Path, cluster: Cluster, pages: int, replayed: int, faults: int, **settings: str) -> Iterator[Flow]:
    """Every process at work, and a replay that lasts about as long as the faults do."""
    archive = folder / "archive.jsonl"
    archive.write_bytes(b"\n".join(lines(replayed)) + b"\n")
    with Flow(folder, cluster.servers, "brokers.", pages=pages, seconds=0.05, environment=settings) as flow:
        flow.start(*KINDS)
        speed = max(1, 7 * 60 * replayed // (4 * faults))  # an archive of one article in 7 minutes
        words = ["replay", str(archive), "--to", "kafka", "--speed", f"{speed}x"]
        flow.services["replay"] = Service("replay", words, folder / "replay" / "data", flow.environment)
        flow.services["replay"].start()
        flow.announce(20)
        flow.until(lambda: flow.watch.committed("worker") > 0)
        yield flow


def next_portion(flow: Flow, number: int, of: int) -> int:
    """Announces the next part of the pages, at most ABREAST of them unread at a time; records not committed when the
    worker has the last of them in hand."""
    due = flow.site.pages * number // of
    while flow.announced < due:
        flow.until(lambda: flow.site.answered > flow.announced - 100)
        flow.until(lambda: sum(flow.watch.lag("worker").values()) < 100)
        flow.announce(min(ABREAST, due - flow.announced))
    flow.until(lambda: any(flow.watch.lag("worker").values()))
    return sum(flow.watch.lag("worker").values())


def finish(flow: Flow, found: Found) -> None:
    begin = time.monotonic()
    assert flow.services["replay"].wait(120) == 0, flow.services["replay"].said()
    flow.drain(240.0)
    found.drained = time.monotonic() - begin
    values = {m.value for m in flow.read("rasd.articles")}
    source = Archive([flow.folder / "archive.jsonl"], Options())
    sent = [item.record for item in source.read() if isinstance(item.record, Article)]
    found.missing = sum(wire.encode(record) not in values for record in sent)
    for service in flow.services.values():
        if service.running:
            service.signal(signal.SIGTERM)
            assert service.wait(15) == 0, service.said()
    found.compared = flow.compare()


def tell(capsys: pytest.CaptureFixture[str], what: str, found: Found) -> None:
    with capsys.disabled():
        print(
            f"\n{what}: {min(found.waiting)} to {max(found.waiting)} records waiting at each; gone for"
            f" {min(found.without):.1f} to {max(found.without):.1f} s; drained {found.drained:.1f} s after the last;"
            f" {found.compared}"
        )


def copies_of_articles(flow: Flow) -> int:
    """Copies in sync of the partition that has fewest."""
    name = flow.cluster.topic("rasd.articles")
    (row,) = flow.watch._ask(lambda admin: admin.describe_topics([name]))
    return min(len(p["isr_nodes"]) for p in row["partitions"])


def node_of(role: str, flow: Flow) -> int:
    """Number of the broker that coordinates the group of dedupe, or leads the partition of most articles."""
    admin = KafkaAdminClient(**flow.cluster.common())
    try:
        if role == "coordinator":
            return int(admin._manager.run(admin._find_coordinator_id, flow.cluster.group("dedupe")))
        (row,) = admin.describe_topics([flow.cluster.topic("rasd.articles")])
        fullest = max(flow.read("rasd.articles"), key=lambda m: m.offset).partition
        return int(next(p["leader_id"] for p in row["partitions"] if p["partition_index"] == fullest))
    finally:
        admin.close()
