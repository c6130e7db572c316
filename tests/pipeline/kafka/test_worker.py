"""`rasd worker` on a broker, as a process: what it makes is what the embedded runtime makes, whatever happens to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import wire
from pipeline.config import Config
from pipeline.errors import RasdError, StorageError
from pipeline.records import Reject
from tests.pipeline.kafka.kit import add_partitions
from tests.pipeline.kafka.worker_site import TOPICS, Embedded, Site

pytestmark = pytest.mark.kafka


def test_the_same_bytes_come_out_and_state_that_was_lost_is_recovered(
    site: Callable[[int], Site], embedded: Embedded
) -> None:
    one = site(1)
    one.publish(embedded.articles)
    counts = one.run()
    assert one.rows() == embedded.rows
    assert counts["begun_anew"] == 0
    shutil.rmtree(one.config.data_dir / "worker")
    before = {t: len(one.read(t)) for t in TOPICS}
    one.publish(embedded.articles)
    again = one.run()
    assert again["stages"]["dedupe"] == {"known": len(embedded.articles)}
    assert {t: len(one.read(t)) for t in TOPICS} == before


def test_two_workers_over_four_partitions_make_the_same_bytes(site: Callable[[int], Site], embedded: Embedded) -> None:
    four = site(4)
    with four.worker() as first, four.worker() as second:
        four.publish(embedded.articles)
        four.until("rasd.events", len(embedded.rows["rasd.events"]))
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
        assert [p.wait(8) for p in (first, second)] == [0, 0]
    assert four.rows() == embedded.rows


def test_told_to_stop_it_ends_soon_and_the_next_goes_on(site: Callable[[int], Site], embedded: Embedded) -> None:
    two = site(2)
    two.publish(embedded.articles)
    with two.worker(RASD_RUN_BATCH="4") as process:
        two.until("rasd.verdicts", 8)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
        assert time.monotonic() - begin < 8
    two.run()
    assert two.rows() == embedded.rows


def test_killed_at_work_it_goes_on_under_its_name(site: Callable[[int], Site], embedded: Embedded) -> None:
    two = site(2)
    two.publish(embedded.articles)
    for enough in (1, 30):
        with two.worker(RASD_RUN_BATCH="4") as process:
            two.until("rasd.verdicts", enough)
            process.kill()
    two.run()
    assert two.rows() == embedded.rows


def test_bad_messages_are_rejects_and_hold_nothing_up(site: Callable[[int], Site], embedded: Embedded) -> None:
    from kafka import KafkaProducer

    one = site(1)
    producer = KafkaProducer(bootstrap_servers=list(one.cluster.servers), acks="all", max_request_size=9_000_000)
    bad: list[tuple[bytes | None, bytes | None, Any]] = [
        (b"ar", None, None),
        (b"ar", b"", None),
        (b"\xff", b"{}", None),
        (None, b"\xff" + os.urandom(50_000), None),
        (b"ar", b'{"schema":"rasd.verdict/1"}', [("traceparent", b"\x00"), ("rasd-event-time", b"x"), ("", b"")]),
        (b"ar", b"{" * 8_200_000, None),
    ]
    good = embedded.articles[:30]
    for n, m in enumerate(good):
        for key, value, headers in bad[n % 6 : n % 6 + 1]:
            producer.send(one.cluster.topic("rasd.articles"), key=key, value=value, headers=headers or [], partition=0)
        producer.send(one.cluster.topic("rasd.articles"), key=(m.key or "").encode(), value=m.value, partition=0)
    producer.close()
    one.run("--stages", "dedupe")
    rejects = [wire.decode(Reject, m.value) for m in one.read("rasd.rejects")]
    expected = {"no-value": 5, "bad-json": 10, "bad-key": 5, "wrong-schema": 5, "too-large": 5}
    assert Counter(r.reason for r in rejects) == expected
    judged = {m.key for m in one.read("rasd.verdicts")}
    assert judged <= {k for k, _ in embedded.rows["rasd.verdicts"]}
    assert len(judged) > 20


def test_missing_topics_are_a_clear_error(kafka_config: Callable[..., Config]) -> None:
    import asyncio

    from pipeline.log.kafka.clients import cluster_of
    from pipeline.runtimes.kafka.worker_sender import topics_there

    config = kafka_config()
    with pytest.raises(RasdError, match=r"no topic .*articles: `rasd topics create`"):
        asyncio.run(topics_there(cluster_of(config), ["rasd.articles"], 0.1))


def test_frozen_for_longer_than_its_session_it_writes_nothing_over_what_others_wrote(
    site: Callable[[int], Site], embedded: Embedded
) -> None:
    two = site(2)
    two.publish(embedded.articles)
    with two.worker(RASD_RUN_BATCH="2") as frozen:
        two.until("rasd.verdicts", 4)
        frozen.send_signal(signal.SIGSTOP)
        with two.worker("--until-idle", "8", data=two.config.data_dir.with_name("other")) as other:
            two.until("rasd.events", len(embedded.rows["rasd.events"]), 40)
            frozen.send_signal(signal.SIGCONT)
            assert other.wait(40) == 0
        frozen.send_signal(signal.SIGTERM)
        assert frozen.wait(8) == 0
    assert two.rows() == embedded.rows
    shutil.rmtree(two.config.data_dir / "worker")
    two.publish(embedded.articles)
    alone = two.run("--until-idle", "8")  # the other's partitions are its own until its session is over
    assert alone["stages"]["dedupe"] == {"known": len(embedded.articles)}


def test_state_of_topics_that_are_no_more_is_not_used_on_those_made_anew(
    site: Callable[[int], Site], embedded: Embedded
) -> None:
    from kafka import KafkaAdminClient

    from pipeline.log.kafka.topics import ensure_topics

    one = site(1)
    one.publish(embedded.articles)
    one.run()
    admin = KafkaAdminClient(**one.cluster.common())
    admin.delete_topics([name for name in admin.list_topics() if name.startswith(one.cluster.prefix)])
    admin.close()
    ensure_topics(one.config, wait=10)
    one.publish(embedded.articles)
    assert one.run()["begun_anew"] == 0
    assert one.rows() == embedded.rows


def test_partitions_that_were_added_meanwhile_end_it_in_plain_words(site: Callable[[int], Site]) -> None:
    """Without that it would begin anew without end: brokers know no such partition of the changelog."""
    from pipeline.flow import FLOW
    from pipeline.runtimes.kafka.faust_engine import Place
    from pipeline.runtimes.kafka.worker_stage import StageRunner

    one = site(1)
    one.run()
    add_partitions(
        {"RASD_KAFKA_SERVERS": ",".join(one.cluster.servers), "RASD_KAFKA_PREFIX": one.cluster.prefix},
        "rasd.articles",
        2,
    )
    worker: Any = SimpleNamespace(
        cluster=one.cluster, place=Place("one", one.config.data_dir), pool_for=lambda stage: None
    )
    with pytest.raises(StorageError, match=r"has 1 partitions, .*articles has 2"):
        asyncio.run(StageRunner(worker, FLOW[0])._look_at_topics())
