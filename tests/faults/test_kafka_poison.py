"""A tenth of all messages is bad in every way we know, on every topic that is read: the rest goes through, each bad one
is one reject, and nothing waits for them."""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaProducer

from pipeline import wire
from pipeline.log import Message
from pipeline.log.partition import partition_of
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Reject
from pipeline.topics import ARTICLES
from tests.faults.kafka_driver import Flow, article_of, differing, embedded, rows
from tests.faults.kafka_feed import articles, publish
from tests.faults.kafka_site import announce
from tests.faults.kafka_traps import DIES, HANGS
from tests.generate import poison

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
EVERY = 10
STALL_SECONDS = 2.0
TASK_SECONDS = 2.0
CHILD_SECONDS = 3.0  # that a process of the pool takes at most to be started anew on a busy machine
FAST = {"RASD_RUN_PROCESSES": "2", "RASD_RUN_BATCH": "32"}
OUTPUTS = ("rasd.verdicts", "rasd.unique", "rasd.events")
Place = tuple[str, int, int]
Row = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]


class Unreadable(str):
    """A header's name that is no text."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


ODD = [(Unreadable("odd"), b"\x00"), ("traceparent", b"\xff"), ("rasd-event-time", b"soon")]


def bad_row(k: int, good: bytes) -> Row:
    """The k-th bad message of a topic of articles."""
    near, above = b"7900000", b"8200000"
    kinds: tuple[Row, ...] = (
        (b"ar", None, []),
        (b"\xff\xfe", good, []),
        (b"ar", good.replace(b"rasd.article/1", b"rasd.article/9"), []),
        (b"ar", giant(int(above if k % 2 else near), good) if k // 16 % 4 == 0 else b"\xff" * 300, []),
    )
    return kinds[k % 16 - 12] if k % 16 >= 12 else (b"ar", poison(k), ODD if k % 3 == 0 else [])


def giant(size: int, good: bytes) -> bytes:
    """An article of about so many bytes."""
    row = orjson.loads(good)
    return orjson.dumps({**row, "body": "كلمة " * (size // 9)})


def test_bad_messages_are_one_reject_each_and_hold_nothing_up(
    tmp_path: Path, kafka: str, prefix: str, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    total, others, pages = (10_000, 100, 100) if long_faults else (300, 16, 20)
    with Flow(tmp_path, kafka, prefix, pages=pages, seconds=0.01, environment=FAST) as flow:
        bad = put(flow, ARTICLES.name, mixed(total))
        must = Counter({("dedupe", place): 1 for place in bad})
        junk = [poison(k) if k % 4 else b"" for k in range(others)]
        for topic, stages in (("rasd.unique", ("extract", "sink-sqlite")), ("rasd.events", ("sink-sqlite",))):
            places = put(flow, topic, ((True, (b"\xff" if k % 5 == 0 else b"k", v, ODD)) for k, v in enumerate(junk)))
            must.update((stage, place) for place in places for stage in stages)
        entries = flow.cluster.topic("rasd.entries")
        announce(flow.config.kafka.servers, entries, [b"\xff" * 40 if k % 2 else b"[" * 5000 for k in range(others)])
        must.update(("fetch", ("rasd.entries", 0, k)) for k in range(others))
        flow.announce(pages)
        begin = time.monotonic()
        flow.start("fetcher", "worker", "sink")
        settle(flow)
        took = time.monotonic() - begin
        end(flow)
        good = [m for m in flow.read("rasd.articles") if place_of(m) not in bad]
        assert {article_of(m) for m in good} >= flow.site.article_ids()
        embedded(tmp_path / "embedded", good)
        rejects = [wire.decode(Reject, m.value) for m in flow.read("rasd.rejects")]
        stall, wrong = longest_gap(flow.read("rasd.events"), junk), unlike(flow, tmp_path / "embedded", junk)
        sink = rows(flow.service("sink").data)
    came = Counter((r.stage, (r.topic or "", r.partition or 0, r.offset or 0)) for r in rejects)
    wanted = rows(tmp_path / "embedded")
    differ = {t: differing(sink[t], wanted[t]) for t in wanted}
    with capsys.disabled():
        print(
            f"\n{len(bad):,} bad of {total:,} articles, {others} on each of unique, events and entries: {len(good):,}"
            f" good ones out ({pages} of them fetched), {len(rejects):,} rejects, {(must - came).total()} missing,"
            f" {(came - must).total()} too many; outputs lost or foreign: {wrong}; rows that differ:"
            f" {sum(differ.values())}; longest time between two events {stall:.2f} s; {took:.0f} s;"
            f" {dict(Counter(r.reason for r in rejects))}"
        )
    assert len(bad) == total // EVERY
    assert came == must
    assert not any(wrong.values())
    assert not any(differ.values())
    assert {"bad-json", "bad-record", "no-value", "bad-key", "wrong-schema", "too-large"} <= {r.reason for r in rejects}
    assert stall < STALL_SECONDS


def test_articles_that_kill_or_stall_their_process_become_rejects_and_the_rest_goes_on(
    tmp_path: Path, kafka: str, prefix: str, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is tried twice, within a chunk and alone: that is how long the others behind it may wait."""
    total, traps = (1_000, 20) if long_faults else (120, 2)
    given = articles(total)
    spread = range(total // traps // 2, total, total // traps)
    for n, at in enumerate(spread):
        title = f"{HANGS if n % 2 else DIES} {n}"
        body = " ".join(f"كلمة{n}س{i}" for i in range(120))  # like no other: it gets past dedupe
        given[at] = dataclasses.replace(given[at], id=f"trap-{n}", title=title, body=body)
    settings = {**FAST, "RASD_RUN_TASK_SECONDS": str(TASK_SECONDS)}
    with Flow(tmp_path, kafka, prefix, pages=0, environment=settings) as flow:
        publish(flow.cluster, given)
        worker = flow.service("worker")
        command = worker._command
        worker._command = [sys.executable, "-m", "tests.faults.kafka_traps", *command[3:]]
        flow.start("worker", "sink")
        settle(flow)
        end(flow)
        good = flow.read("rasd.articles")
        embedded(tmp_path / "embedded", good)
        rejects = [wire.decode(Reject, m.value) for m in flow.read("rasd.rejects")]
        events = flow.read("rasd.events")
        wrong = unlike(flow, tmp_path / "embedded", [], but="trap-")
    stall = longest_gap(events, [])
    with capsys.disabled():
        print(
            f"\n{len(spread)} of {total:,} articles kill or stall their process, whose limit is {TASK_SECONDS:g} s:"
            f" {len(rejects)} rejects {dict(Counter(r.reason for r in rejects))}; outputs lost or foreign: {wrong};"
            f" longest time between two events {stall:.1f} s"
        )
    assert len(rejects) == len(spread)
    assert {r.stage for r in rejects} == {"extract"}
    assert not any(wrong.values())
    assert stall < STALL_SECONDS + 2 * (TASK_SECONDS + CHILD_SECONDS)


def mixed(total: int) -> Iterator[tuple[bool, Row]]:
    """Every tenth is bad; now and then a good one carries headers that cannot be used."""
    good = [wire.encode(a) for a in articles(total)]
    for i, value in enumerate(good):
        bad = i % EVERY == 3
        yield bad, bad_row(i // EVERY, value) if bad else (b"ar", value, ODD if i % 97 == 0 else [])


def put(flow: Flow, topic: str, given: Iterable[tuple[bool, Row]]) -> set[Place]:
    """Writes messages to the partition of Arabic; where the bad ones of them came to stand."""
    partition = partition_of("ar", flow.config.kafka.partitions)
    producer = KafkaProducer(
        bootstrap_servers=flow.config.kafka.servers.split(","), acks="all", compression_type="zstd", linger_ms=5,
        max_request_size=9_000_000,
    )  # fmt: skip
    name = flow.cluster.topic(topic)
    sent = [(bad, producer.send(name, key=k, value=v, headers=h, partition=partition)) for bad, (k, v, h) in given]
    found = {(topic, partition, future.get(60).offset) for bad, future in sent if bad}
    producer.close()
    return found


def place_of(m: Message) -> Place:
    return m.topic, m.partition, m.offset


def settle(flow: Flow, seconds: float = 500.0, quiet: float = 2.0) -> None:
    """Waits until every group has read everything and nothing moves."""
    stop, still, before = time.monotonic() + seconds, time.monotonic(), -1
    while time.monotonic() - still < quiet:
        flow.check_alive()
        assert time.monotonic() < stop, f"not drained: {flow.watch.lags()}"
        now = sum(flow.watch.ends(t) for t in ("rasd.articles", *OUTPUTS, "rasd.rejects"))
        if now != before or any(flow.watch.lags().values()) or flow.site.open:
            still, before = time.monotonic(), now
        time.sleep(0.2)


def end(flow: Flow) -> None:
    for service in flow.services.values():
        service.signal(signal.SIGTERM)
        assert service.wait(15) == 0, service.said()


def longest_gap(events: list[Message], junk: list[bytes]) -> float:
    """The longest time between two events, in seconds."""
    times = sorted(m.written for m in events if m.value not in junk)
    return max(b - a for a, b in pairwise(times)) / 1000


def unlike(flow: Flow, theirs: Path, junk: list[bytes], but: str | None = None) -> dict[str, int]:
    """By topic, values that are missing or not to be there. but: events of articles so named are not looked at."""
    out = {}
    with closing(SqliteLog(theirs / "log.sqlite", readonly=True)) as log:
        for topic in OUTPUTS:
            must, ours = {m.value for m in log.scan(topic)}, {m.value for m in flow.read(topic)} - set(junk)
            if but and topic == "rasd.events":
                must, ours = ({v for v in values if not _article(v).startswith(but)} for values in (must, ours))
            out[topic] = len(must ^ ours)
    return out


def _article(value: bytes) -> str:
    found: dict[str, Any] = orjson.loads(value)
    return str(found.get("article_id") or found.get("id") or "")
