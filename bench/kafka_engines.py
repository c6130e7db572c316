"""What Faust costs over a bare aiokafka loop: the same core (`stagework`), sender and state under both.

    python -m bench.kafka_engines [--servers HOST:PORT] [--articles 4000] [--partitions 4] [--times 3]

Two stages in the loop: pass-through (a verdict for each article, no state) and dedupe (RocksDB and changelog). The
clock runs from the first message settled to the last; engines take turns, and the best of `--times` counts. CPU time of
the process for each message, its start included, says more on a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from faust.stores.rocksdb import RocksDBOptions, Store

from pipeline import ids, wire
from pipeline.config import Config, load
from pipeline.flow import FLOW, Stage
from pipeline.log.kafka.clients import HEADROOM, Cluster, cluster_of
from pipeline.log.kafka.topics import ensure_topics
from pipeline.records import Article, Outcome, Verdict
from pipeline.runtimes.kafka.faust_engine import FaustEngine, Place
from pipeline.runtimes.kafka.stage_engine import Incoming, Outgoing, Stored
from pipeline.runtimes.kafka.stagework import StageWork
from pipeline.runtimes.kafka.state import OPTIONS, StoredPartition
from pipeline.runtimes.kafka.state_changelog import changelog_of, ensure_changelog
from pipeline.runtimes.kafka.worker_sender import Sender, connection, new_producer
from pipeline.topics import ARTICLES

WORDS = 250  # of an article: a short news text
COMMIT_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--servers", default="127.0.0.1:19092")
    parser.add_argument("--articles", type=int, default=4000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    print(f"{given.articles:,} articles of {WORDS} words, {given.partitions} partitions, best of {given.times}")
    for stage in (PASS, FLOW[0]):
        best = {"aiokafka": (0.0, 1e9), "faust": (0.0, 1e9)}
        for _ in range(given.times):
            for name, (rate, cpu) in best.items():
                new = asyncio.run(_measured(name, stage, given.servers, given.articles, given.partitions))
                best[name] = max(rate, new[0]), min(cpu, new[1])
        for name, (rate, cpu) in best.items():
            print(f"{stage.name:12s} {name:8s} {rate:7.0f}/s   {cpu * 1000:.3f} ms of CPU each", flush=True)
        (bare, bare_cpu), (faust, faust_cpu) = best.values()
        print(f"{stage.name:12s} faust : aiokafka = {faust / bare:.2f} in rate, {faust_cpu / bare_cpu:.2f} in CPU time")


# -- the stages ------------------------------------------------------------------------------------------------------


def _load_pass(_: Path | None) -> Callable[..., Outcome]:
    return lambda article: Outcome(
        outputs=(Verdict(article_id=article.id, revision=1, verdict="unique", cluster=article.id),)
    )


PASS = Stage("pass-through", ARTICLES, _load_pass)


def articles(count: int) -> list[bytes]:
    """Texts that share no passage, the same at each run."""
    chance = random.Random(7)
    vocabulary = [
        "".join(chance.choices("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", k=chance.randint(3, 7))) for _ in range(20_000)
    ]
    out = []
    for n in range(count):
        body = " ".join(chance.choices(vocabulary, k=WORDS))
        content = ids.content_hash(None, body)
        url = f"https://example.org/{n}"
        when = dt.datetime(2026, 3, 14, tzinfo=dt.UTC) + dt.timedelta(seconds=n)
        article = Article(
            id=ids.article_id(url, content), canonical_url=url, language="ar", body=body, content_hash=content,
            published=when, published_basis="archive",
        )  # fmt: skip
        out.append(wire.encode(article))
    return out


# -- measuring -------------------------------------------------------------------------------------------------------


async def _measured(name: str, stage: Stage, servers: str, count: int, partitions: int) -> tuple[float, float]:
    """Messages a second, and seconds of CPU time for each."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "RASD_KAFKA_SERVERS": servers,
            "RASD_KAFKA_PREFIX": f"bench-{secrets.token_hex(3)}.",
            "RASD_KAFKA_PARTITIONS": str(partitions),
        }
        config = load(data=Path(folder), environ=environ)
        cluster = cluster_of(config)
        await asyncio.to_thread(ensure_topics, config, 10)
        if stage.view is not None:
            await ensure_changelog(config, cluster, stage, partitions)
        try:
            await _publish(cluster, articles(count), partitions)
            return await _run(name, config, cluster, stage, Path(folder), count)
        finally:
            await asyncio.to_thread(_delete, cluster)


async def _run(
    name: str, config: Config, cluster: Cluster, stage: Stage, folder: Path, count: int
) -> tuple[float, float]:
    engine: Any = (FaustEngine if name == "faust" else BareEngine)(cluster, stage, Place("bench", folder))
    work = engine.work = StageWork(stage, engine, batch=config.run.batch, window=config.run.window)
    used = time.process_time()
    starting = asyncio.create_task(engine.start())
    try:
        async with asyncio.timeout(600):
            while not work.tally.settled:
                await asyncio.sleep(0.001)
            begin, before = time.perf_counter(), work.tally.settled
            while work.tally.settled < count and not work.failed.done():
                await asyncio.sleep(0.005)
            rate = (work.tally.settled - before) / (time.perf_counter() - begin)
            return rate, (time.process_time() - used) / count
    finally:
        await engine.stop()
        starting.cancel()


async def _publish(cluster: Cluster, values: Sequence[bytes], partitions: int) -> None:
    producer = await new_producer(cluster)
    topic = cluster.topic(ARTICLES.name)
    for n, value in enumerate(values):
        await producer.send(topic, value, key=b"ar", partition=n % partitions)
    await producer.flush()
    await producer.stop()


def _delete(cluster: Cluster) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(**cluster.common())
    admin.delete_topics([t for t in admin.list_topics() if t.startswith(cluster.prefix)])
    admin.close()


class BareEngine:
    """The least that a consumer loop needs: join, fetch, commit. State begins empty; its changelog is written, too."""

    work: StageWork

    def __init__(self, cluster: Cluster, stage: Stage, place: Place) -> None:
        self.cluster, self.stage, self.place = cluster, stage, place
        self.sender = Sender(cluster)
        self.topic = cluster.topic(stage.reads.name)
        self._settled: dict[int, int] = {}
        self._ending = False

    async def start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            **connection(self.cluster),
            group_id=self.cluster.group(self.stage.name),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=self.cluster.max_bytes + HEADROOM,
        )
        await self._consumer.start()
        self._consumer.subscribe([self.topic], listener=_Listener(self))
        committed = time.monotonic()
        while not self._ending:
            for place, records in (await self._consumer.getmany(timeout_ms=200, max_records=500)).items():
                for r in records:
                    await self.work.take(
                        Incoming(self.stage.reads.name, place.partition, r.offset, r.key, r.value, tuple(r.headers))
                    )
            if time.monotonic() - committed > COMMIT_SECONDS and self._settled:
                committed = time.monotonic()
                await self._consumer.commit({TopicPartition(self.topic, p): n for p, n in self._settled.items()})

    async def stop(self) -> None:
        self._ending = True
        self.work.revoke()
        await self.sender.abandon()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._consumer.stop(), 3)

    async def send(self, messages: Sequence[Outgoing]) -> None:
        await self.sender.send(messages)

    async def log_changes(self, partition: int, changes: Sequence[tuple[str, bytes]]) -> int:
        return await self.sender.log_changes(changelog_of(self.cluster, self.stage), partition, changes)

    def stored(self, partition: int) -> Stored:
        options = RocksDBOptions(**OPTIONS)  # type: ignore[arg-type]
        return StoredPartition(options.open(self.place.folder / f"{partition}.db"), Store.offset_key)

    def ack(self, partition: int, following: int) -> None:
        self._settled[partition] = following


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, engine: BareEngine) -> None:
        self._engine = engine

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self._engine.work.revoke()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._engine.work.assign([p.partition for p in assigned])


if __name__ == "__main__":
    main()
