"""The flow on Kafka as its real processes, to be killed, stopped and multiplied; and what must come out of it.

    with Flow(folder, servers, prefix, pages=400) as flow:
        flow.start("fetcher", "worker", "sink")
        flow.announce(200)
        flow.hit("worker", signal.SIGKILL)      # frozen first, so that it is known what it had in hand
        flow.start("worker")
        flow.drain()
        flow.compare().check()

Pages come from a site on loopback (`tests.faults.kafka_site`). What must come out is found by running the articles that
were fetched, in the order in which they stand on their topic, through the embedded runtime.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from pipeline.config import Config, load
from pipeline.log import Message
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.kafka.topics import ensure_topics
from pipeline.log.sqlite import SqliteLog
from tests.command import tables
from tests.conftest import ROOT
from tests.faults.kafka_site import ALLOWED, Site, announce
from tests.postgres.content import content
from tests.waiting import until

FOLDER = "data"
#: What each kind of process reads: consumer group (our name) → topics.
GROUPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "fetcher": {"fetch": ("rasd.entries",)},
    "worker": {"dedupe": ("rasd.articles",), "extract": ("rasd.unique",)},
}
STORED = ("rasd.unique", "rasd.verdicts", "rasd.events")  # what the tables are filled from
SLOW = {
    "RASD_RUN_PROCESSES": "1",
    "RASD_RUN_BATCH": "8",
    "RASD_SINKS_BATCH": "24",
}  # small batches: a kill meets more of them under way


class Service:
    """One process, `rasd KIND ...`, under a name that it keeps over restarts, with a data folder of its own."""

    def __init__(self, name: str, words: list[str], data: Path, environment: Mapping[str, str]) -> None:
        self.name, self.kind, self.data = name, words[0], data
        self._command = [sys.executable, "-m", "pipeline.cli", "--data", str(data), *words]
        own = {"RASD_WORKER_INSTANCE": name, "RASD_WORKER_HEALTH": "127.0.0.1:0"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RASD_")}
        self._environment = {**inherited, **environment, **own}
        self._process: subprocess.Popen[bytes] | None = None
        self.stood = 0  # what its kind had committed when it was started
        self._said_before = 0
        self.stderr = data.parent / f"{name}.stderr"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        return self.stderr.read_text("utf-8", "replace")[-6000:] if self.stderr.exists() else ""

    def start(self) -> None:
        assert not self.running
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self.stderr.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, stderr=log
            )

    def begun(self, seconds: float = 60.0) -> None:
        """Waits until it has said something: before that Python itself is still starting, and knows no signals."""
        end = time.monotonic() + seconds
        while self.stderr.stat().st_size <= self._said_before:
            assert self.running, f"{self.name} ended by itself"
            assert time.monotonic() < end, f"{self.name} said nothing for {seconds:g} s"
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def wait(self, seconds: float) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    def end(self) -> None:
        """However it stands, it is gone afterwards."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


@dataclass(slots=True)
class Hit:
    """A signal that met a process with records in hand. waiting: of each of its groups, records not committed."""

    kind: str
    waiting: dict[str, int]
    requests: int
    took: float = 0.0
    resumed: float | None = None


@dataclass(slots=True)
class Compared:
    """What came out against what must. lost, foreign: values that are missing, that must not be there. rows: in SQLite,
    by table: how many, how many differ from what must be there; stored: the same in PostgreSQL."""

    articles: int
    repeated: int
    lost: dict[str, int] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    stored: dict[str, tuple[int, int]] = field(default_factory=dict)

    def check(self) -> None:
        assert not any(self.lost.values()), f"lost: {self.lost}"
        assert not any(self.foreign.values()), f"not to be there: {self.foreign}"
        assert self.rows.get("events", (1, 0))[0] > 0
        assert not any(differ for _, differ in self.rows.values()), f"rows: {self.rows}"
        assert not any(differ for _, differ in self.stored.values()), f"rows in PostgreSQL: {self.stored}"

    def __str__(self) -> str:
        topics = ", ".join(f"{t.removeprefix('rasd.')} {n:,}" for t, n in self.written.items())
        rows = ", ".join(f"{t} {n:,}" for t, (n, _) in (self.stored or self.rows).items() if n)
        where = "SQLite and PostgreSQL" if self.stored else "SQLite"
        wrong = sum(d for _, d in (*self.rows.values(), *self.stored.values()))
        return (
            f"{self.articles:,} articles ({self.repeated} of them fetched twice or more); lost"
            f" {sum(self.lost.values())}, foreign {sum(self.foreign.values())} of {topics}; rows in {where}:"
            f" {rows}; lost or double: {wrong}"
        )


class Flow:
    """See the module. Everything is ended when left.

    servers, prefix: of a broker. pages: articles in all. seconds: that the site takes for each.
    database: of PostgreSQL, to be filled beside the file of SQLite. environment: settings besides.
    """

    def __init__(
        self,
        folder: Path,
        servers: str,
        prefix: str,
        *,
        pages: int,
        partitions: int = 3,
        seconds: float = 0.3,
        database: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.database = folder, database
        self.sinks = ("sqlite", "postgres") if database else ("sqlite",)
        self.environment = {
            "RASD_KAFKA_SERVERS": servers,
            "RASD_KAFKA_PREFIX": prefix,
            "RASD_KAFKA_PARTITIONS": str(partitions),
            **ALLOWED,
            **SLOW,
            "RASD_POSTGRES_DSN": database or "",
            **(environment or {}),
        }
        self.config: Config = load(data=folder / FOLDER, environ=self.environment)
        self.cluster: Cluster = cluster_of(self.config)
        self.watch = Watch(self.cluster, {**GROUPS, "sink": {f"sink-{name}": STORED for name in self.sinks}})
        self.site = Site(folder, pages, seconds=seconds)
        self.services: dict[str, Service] = {}
        self.announced = 0

    def __enter__(self) -> Flow:
        ensure_topics(self.config)
        return self

    def __exit__(self, *_: object) -> None:
        for service in self.services.values():
            service.end()
        self.site.close()
        self.watch.close()

    # -- processes ---------------------------------------------------------------------------------------------------

    def service(self, name: str) -> Service:
        """Its kind is what stands before a dash: worker-2."""
        if name not in self.services:
            kind = name.partition("-")[0]
            words = [kind, *self.sinks] if kind == "sink" else [kind]
            self.services[name] = Service(name, words, self.folder / name / FOLDER, self.environment)
        return self.services[name]

    def start(self, *names: str) -> None:
        for name in names:
            service = self.service(name)
            service.stood = self.watch.committed(service.kind)
            service.start()

    def check_alive(self) -> None:
        """Raises: AssertionError with its last words if one has ended that nobody ended."""
        for service in self.services.values():
            if service._process is not None and (code := service._process.poll()) is not None:
                assert code in (0, -signal.SIGKILL), f"{service.name} ended with {code}: {service.said()}"

    def hit(self, name: str, number: signal.Signals, seconds: float = 120.0) -> Hit:
        """Sends a signal to a process that has records in hand, and waits for its end. More is announced while it has
        none. Raises: AssertionError if it does not end, or not as it should."""
        service = self.service(name)
        end = time.monotonic() + seconds
        while True:
            assert service.running, f"{name} ended by itself: {service.said()}"
            assert time.monotonic() < end, f"{name} had nothing in hand for {seconds:g} s: {self.watch.lags()}"
            begun = service.kind == "fetcher" or self.watch.committed(service.kind) > service.stood
            if begun and self.in_hand(service.kind):
                service.signal(signal.SIGSTOP)  # what it has in hand now, it has when it is killed
                waiting, requests = self.watch.lag(service.kind), self.site.open
                if self.in_hand(service.kind):
                    break
                service.signal(signal.SIGCONT)
            self._feed(hungry=time.monotonic() > end - seconds + 5.0)
            time.sleep(0.01)
        found = Hit(service.kind, waiting, requests)
        begin = time.monotonic()
        service.signal(number)
        service.signal(signal.SIGCONT)
        code = service.wait(30)
        found.took = time.monotonic() - begin
        assert code == (-number if number == signal.SIGKILL else 0), f"{name} ended with {code}: {service.said()}"
        return found

    def stop(self, name: str, number: signal.Signals) -> float:
        """Sends a signal, whatever the process does just now; seconds that its end took. Raises: AssertionError."""
        service = self.service(name)
        service.begun()
        begin = time.monotonic()
        service.signal(number)
        code = service.wait(30)
        assert code == (-number if number == signal.SIGKILL else 0), f"{name} ended with {code}: {service.said()}"
        return time.monotonic() - begin

    def at_work(self, kind: str, seconds: float = 60.0) -> dict[str, int]:
        """Waits until processes of that kind have records in hand; how many, by group. Raises: AssertionError."""
        end = time.monotonic() + seconds
        while not any((waiting := self.watch.lag(kind)).values()):
            assert time.monotonic() < end, f"the {kind} had nothing in hand for {seconds:g} s"
            self._feed(hungry=time.monotonic() > end - seconds + 5.0)
            time.sleep(0.01)
        return waiting

    def moved(self, kind: str, before: int, seconds: float = 60.0) -> None:
        """Waits until processes of that kind have committed more than `before`. Raises: AssertionError."""
        end = time.monotonic() + seconds
        while self.watch.committed(kind) <= before:
            self.check_alive()
            assert time.monotonic() < end, f"no {kind} got on within {seconds:g} s"
            self._feed(hungry=True)
            time.sleep(0.05)

    def in_hand(self, kind: str) -> bool:
        """Whether it works on something: pages that it has asked for, records that it has not committed."""
        return self.site.open > 0 if kind == "fetcher" else any(self.watch.lag(kind).values())

    def resume(self, name: str, seconds: float = 60.0) -> float:
        """Starts a process again; seconds until it has got on: until all its groups that had to have committed."""
        service = self.service(name)
        waiting = {group for group, n in self.watch.lag(service.kind).items() if n}
        before = {group: self.watch.committed(service.kind, group) for group in waiting}
        articles = self.watch.ends("rasd.articles")
        begin = time.monotonic()
        self.start(name)
        while True:
            took = time.monotonic() - begin
            assert service.running, f"{name} ended by itself: {service.said()}"
            assert took < seconds, f"{name} did not get on within {seconds:g} s: {service.said()}"
            if service.kind == "fetcher" and self.watch.ends("rasd.articles") > articles:
                return took
            if service.kind != "fetcher" and all(
                self.watch.committed(service.kind, g) > n or not self.watch.lag(service.kind)[g]
                for g, n in before.items()
            ):
                return took
            self._feed()
            time.sleep(0.02)

    # -- input -------------------------------------------------------------------------------------------------------

    def announce(self, count: int) -> None:
        """Writes the entries of the next pages."""
        numbers = range(self.announced, min(self.site.pages, self.announced + count))
        announce(self.config.kafka.servers, self.cluster.topic("rasd.entries"), self.site.entries(numbers))
        self.announced = numbers.stop

    def portion(self, number: int, of: int) -> None:
        """Announces half of what is due by the `number`th of so many faults; the rest as soon as nothing is to do."""
        due = max(0, self.site.pages * number // of - self.announced)
        self.announce(due // 2)
        self.budget = due - due // 2

    budget = 0  # pages that may be announced while a process is waited for that has nothing to do

    def _feed(self, *, hungry: bool = False) -> None:
        """hungry: of what is kept for later as well."""
        if (self.budget > 0 or hungry) and not self.site.open and not any(self.watch.lag("fetcher").values()):
            self.announce(20)
            self.budget = max(0, self.budget - 20)

    def until(self, true: Callable[[], object], seconds: float = 120.0, service: str = "worker") -> None:
        """Returns when it is true. service: whose words tell why it is not. Raises: AssertionError."""
        until(
            true,
            seconds,
            lambda: f"{service} does not get on: {self.watch.lags()}; {self.service(service).said()}",
            check=self.check_alive,
        )

    # -- the end -----------------------------------------------------------------------------------------------------

    def drain(self, seconds: float = 300.0, quiet: float = 1.5) -> float:
        """Announces what is left and waits until every article is there, every group has read everything, and nothing
        moves. Returns the seconds that it took. Raises: AssertionError if not in time."""
        self.announce(self.site.pages)
        begin = time.monotonic()
        still, before = begin, ()
        while True:
            now = time.monotonic()
            self.check_alive()
            assert now - begin < seconds, f"not drained in {seconds:g} s: {self.watch.lags()}, {self.site.open} open"
            sizes = tuple(self.watch.ends(t) for t in ("rasd.articles", "rasd.unique", "rasd.events"))
            lagging = any(self.watch.lags().values()) or self.site.open or sizes[0] < self.site.pages
            if lagging or sizes != before:
                still, before = now, sizes
            elif now - still > quiet and {article_of(m) for m in self.read("rasd.articles")} >= self.site.article_ids():
                return still - begin
            time.sleep(0.2)

    def read(self, topic: str) -> list[Message]:
        with closing(KafkaLog(self.cluster)) as log:
            return list(log.scan(topic))

    def compare(self) -> Compared:
        """What came out against the embedded run of the same articles."""
        articles = self.read("rasd.articles")
        theirs = self.folder / "embedded"
        embedded(theirs, articles)
        distinct = {article_of(m) for m in articles}
        found = Compared(len(distinct), len(articles) - len(distinct))
        with closing(SqliteLog(theirs / "log.sqlite", readonly=True)) as log:
            for topic in ("rasd.verdicts", "rasd.unique", "rasd.events", "rasd.rejects"):
                must, ours = {m.value for m in log.scan(topic)}, [m.value for m in self.read(topic)]
                found.written[topic] = len(ours)
                found.lost[topic], found.foreign[topic] = len(must - set(ours)), len(set(ours) - must)
        sink = next((s for s in self.services.values() if s.kind == "sink"), None)
        if sink is not None:
            wanted, written = rows(theirs), rows(sink.data)
            found.rows = {t: (len(written[t]), differing(written[t], wanted[t])) for t in wanted}
            if self.database:
                stored = content(self.database, self.config.postgres.schema)
                shared = wanted.keys() & stored.keys()
                found.stored = {t: (len(stored[t]), differing(stored[t], wanted[t])) for t in sorted(shared)}
        return found


def embedded(data: Path, articles: Iterable[Message]) -> None:
    """Runs articles through the embedded runtime, in this order."""
    data.mkdir(parents=True)
    with closing(SqliteLog(data / "log.sqlite", synchronous="NORMAL")) as log, log.transaction():
        for m in articles:
            log.append("rasd.articles", m.key, m.value, m.time)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RASD_")}
    command = [sys.executable, "-m", "pipeline.cli", "--data", str(data), "-qq", "run", "--no-poll", "--once"]
    subprocess.run(command, check=True, cwd=ROOT, env={**inherited, "RASD_SINKS_ENABLED": "sqlite"}, timeout=1800)


def rows(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The sink's tables, but the one that names the file after the first record that came."""
    return {name: found for name, found in tables(data).items() if name != "sink"}


def differing(ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> int:
    """Rows that are missing, or there and not to be, or there twice."""
    return ((Counter(ours) - Counter(theirs)) + (Counter(theirs) - Counter(ours))).total()


def article_of(message: Message) -> str:
    import orjson

    return str(orjson.loads(message.value)["id"])


class Watch:
    """How far the groups are, asked of the brokers; while they do not answer it waits."""

    def __init__(self, cluster: Cluster, groups: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        self._cluster, self._groups = cluster, groups
        self._client: KafkaAdminClient | None = None
        self._partitions: dict[str, list[TopicPartition]] = {}

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def lag(self, kind: str) -> dict[str, int]:
        """Records that are not committed, by group of that kind of process."""
        return {group: self._lag(group, topics) for group, topics in self._groups[kind].items()}

    def lags(self) -> dict[str, int]:
        return {group: n for kind in self._groups for group, n in self.lag(kind).items()}

    def committed(self, kind: str, only: str | None = None) -> int:
        """Offsets of all partitions added up: grows while it gets on."""
        groups = [only] if only else list(self._groups[kind])
        return sum(sum(self._committed(group).values()) for group in groups)

    def ends(self, topic: str) -> int:
        return sum(self._ends([topic]).values())

    def _lag(self, group: str, topics: tuple[str, ...]) -> int:
        done = self._committed(group)
        return sum(max(0, end - done.get(at, 0)) for at, end in self._ends(topics).items())

    def _committed(self, group: str) -> dict[TopicPartition, int]:
        name = self._cluster.group(group)
        found = self._ask(lambda admin: admin.list_group_offsets([name])).get(name, {})
        return {at: max(0, there.offset) for at, there in found.items()}

    def _ends(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        at = [p for t in topics for p in self._of(t)]
        found = self._ask(lambda admin: admin.list_partition_offsets(dict.fromkeys(at, OffsetSpec.LATEST)))
        return {p: row.offset for p, row in found.items()}

    def _of(self, topic: str) -> list[TopicPartition]:
        if topic not in self._partitions:
            name = self._cluster.topic(topic)
            (row,) = self._ask(lambda admin: admin.describe_topics([name]))
            self._partitions[topic] = [TopicPartition(name, p["partition_index"]) for p in row["partitions"]]
        return self._partitions[topic]

    def _ask(self, question: Callable[[KafkaAdminClient], Any], seconds: float = 60.0) -> Any:
        end = time.monotonic() + seconds
        while True:
            try:
                if self._client is None:
                    self._client = KafkaAdminClient(**self._cluster.common(), bootstrap_timeout_ms=5_000)
                return question(self._client)
            except KafkaError:
                if time.monotonic() > end:
                    raise
                with contextlib.suppress(Exception):
                    if self._client is not None:
                        self._client.close()
                self._client = None
                time.sleep(0.2)


def each(kinds: Iterable[str], times: int) -> Iterator[str]:
    """The kinds in turn, so many in all."""
    names = list(kinds)
    for i in range(times):
        yield names[i % len(names)]
