"""What `docker-compose up` starts, started here: every service by its own command and environment (`engine`)."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.cli.demo import packaged_archive
from pipeline.log.sqlite import SqliteLog
from tests.command import replayed
from tests.compose.composed import documented, environment, read_project, services
from tests.compose.engine import Container, Engine, properties_of
from tests.compose.test_files import expressions, metric_names
from tests.conftest import ROOT
from tests.kafka.fixtures import missing
from tests.postgres.server import programs

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]
BOUND = 90.0  # seconds from `up` to events on the topic and rows in the database
PATIENCE = 60.0  # seconds for anything later
TABLES = ("events", "tolls")


@pytest.fixture(scope="module")
def postgres_programs() -> Path:
    """The folder of PostgreSQL's server programs."""
    found = programs()
    if found is None:
        missing("no PostgreSQL server here (Debian: apt-get install postgresql)")
    assert found
    return found


@dataclass(frozen=True)
class Expected:
    """What the packaged archive yields without a broker: messages of the events' topic, ids of the sink's rows."""

    messages: set[bytes]
    rows: set[str]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    data = tmp_path_factory.mktemp("embedded")
    replayed(data, packaged_archive())
    log = SqliteLog(data / "log.sqlite", readonly=True)
    messages = {m.value for m in log.scan("rasd.events")}
    log.close()
    with closing(sqlite3.connect(data / "rasd.sqlite")) as db:
        return Expected(messages, {i for table in TABLES for (i,) in db.execute(f"SELECT id FROM {table}")})


#: What a deployment may add: here the right to poll this machine's own simulated outlets, and to do it often.
OVERRIDE = """
services:
  poller: &polite
    environment: {RASD_FETCH_ALLOW_PRIVATE: 127.0.0.0/8, RASD_FETCH_HOST_DELAY: "0.02"}
  fetcher: *polite
"""


@pytest.fixture(scope="module")
def engine(expected: Expected, kafka_jars: Path, postgres_programs: Path) -> Iterator[Engine]:
    """All services of a bare `docker-compose up --scale worker=2`, begun; feeds.toml in its folder is mounted, and
    empty at first."""
    with tempfile.TemporaryDirectory(prefix="rasd-compose-") as named:
        folder = Path(named)
        feeds, override = folder / "feeds.toml", folder / "override.yml"
        feeds.touch()
        override.write_text(OVERRIDE)
        read = read_project(more=[override], FEEDS=str(feeds))
        with Engine(read, folder, kafka_jars, postgres_programs, scale={"worker": 2}) as engine:
            engine.up()
            yield engine


def on_topic(servers: str) -> set[bytes]:
    """All that stands on the events' topic, read as a program of the host would."""
    from kafka import KafkaConsumer, TopicPartition

    topic = environment(services()["worker"])["RASD_KAFKA_PREFIX"] + "events"
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=None, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            return set()
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: set[bytes] = set()
        while any(consumer.position(p) < ends[p] for p in partitions):
            for messages in consumer.poll(500).values():
                found |= {m.value for m in messages}
        return found
    finally:
        consumer.close()


def rows(engine: Engine) -> set[str]:
    """Ids of the rows in PostgreSQL, asked for through the published port; none while there are no tables."""
    import psycopg

    password = (engine.folder / "volumes" / "secrets" / "postgres").read_text().strip()
    dsn = f"postgresql://rasd@{engine.address('postgres', 5432)}/rasd"
    try:
        with psycopg.connect(dsn, password=password) as db:
            return {str(i) for table in TABLES for (i,) in db.execute(f"SELECT id FROM rasd.{table}")}
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
        return set()


@contextmanager
def newsroom(folder: Path) -> Iterator[str]:
    """Simulated outlets on this machine; gives the list of their feeds."""
    words = ("newsroom", "--port", "0", "--feeds", "6", "--hosts", "2", "--calm", "--into", str(folder))
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 20
        while not (folder / "rasd.toml").exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        yield (folder / "feeds.toml").read_text("utf-8")
    finally:
        process.terminate()
        process.wait(10)


def spoil(engine: Engine) -> None:
    """Puts a message on the articles' topic that is none."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=engine.address("kafka", 29092))
    try:
        producer.send(environment(services()["worker"])["RASD_KAFKA_PREFIX"] + "articles", b"{", partition=0).get(20)
    finally:
        producer.close()


def until(engine: Engine, what: str, is_so: Callable[[], object], end: float | None = None) -> float:
    """Seconds since `up` at which it was so. Fails if a service fails before, or at `end` (else a minute from now)."""
    end = engine.seconds + PATIENCE if end is None else end
    while not is_so():
        engine.check()
        if engine.seconds > end:
            said = "\n".join(f"--- {c.name}\n{c.said()[-1500:]}" for c in engine.containers)
            pytest.fail(f"{what}: not within {end:.0f} s after up\n{said}")
        time.sleep(0.2)
    return engine.seconds


def metrics(container: Container) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{container.ports[8090]}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_events_stand_on_the_topic_and_in_the_database_within_90_seconds(engine: Engine, expected: Expected) -> None:
    until(engine, "topics", lambda: all(c.ended for c in engine.of("topics")), BOUND)
    host = engine.address("kafka", 29092)
    first = until(engine, "a first event", lambda: on_topic(host), BOUND)
    topic = until(engine, "all events on the topic", lambda: expected.messages <= on_topic(host), BOUND)
    database = until(engine, "all rows in PostgreSQL", lambda: expected.rows <= rows(engine), BOUND)
    print(f"\nafter up: first event {first:.1f} s, all {len(expected.messages)} on the topic {topic:.1f} s, ", end="")
    print(f"{len(expected.rows)} rows in PostgreSQL {database:.1f} s")
    assert on_topic(host) == expected.messages
    assert rows(engine) == expected.rows
    logs = (engine.folder / "volumes" / "kafka-data" / "data").glob("rasd.*/*.log")
    print(f"topics: {sum(p.stat().st_size for p in logs) / 1000:.0f} kB")


def test_the_next_up_replays_the_archive_again_and_adds_nothing(engine: Engine, expected: Expected) -> None:
    replay = engine.of("replay")[0]
    again = engine.execute(replay, "rasd", *replay.spec["command"])
    assert again.returncode == 0, again.stderr
    until(engine, "all taken", lambda: behind(engine) == 0)
    assert on_topic(engine.address("kafka", 29092)) == expected.messages
    assert rows(engine) == expected.rows


def behind(engine: Engine) -> int:
    """Messages that all consumer groups together have yet to take; a changelog is written, and read at starts only."""
    done = engine.execute(engine.of("worker")[0], "rasd", "offsets", "show", "--json")
    assert done.returncode == 0, done.stderr
    return sum(row["lag"] for row in json.loads(done.stdout) if not row["topic"].endswith("-changelog"))


def test_feeds_that_are_mounted_are_polled_and_end_as_rows(engine: Engine, expected: Expected) -> None:
    with newsroom(engine.folder / "newsroom") as feeds:
        (engine.folder / "feeds.toml").write_text(feeds)  # in place: the mount is of the file
        at = engine.seconds
        found = until(engine, "an event of a feed", lambda: rows(engine) - expected.rows)
    print(f"\nfirst row of a polled feed {found - at:.1f} s after its list was there")


def test_every_service_becomes_healthy_by_its_own_check(engine: Engine) -> None:
    asked = [c for c in engine.containers if c.spec.get("healthcheck")]
    at = until(engine, "health", lambda: all(c.healthy for c in asked))
    times = (f"{c.name} {c.started or 0:.1f} to {c.healthy or c.ended or 0:.1f}" for c in engine.containers)
    print(f"\nall healthy after {at:.1f} s; begun to healthy or ended: {', '.join(times)}")


def test_the_broker_tells_each_client_the_address_that_it_can_reach(engine: Engine) -> None:
    from kafka import KafkaAdminClient

    until(engine, "a healthy broker", lambda: engine.of("kafka")[0].healthy)
    for port in (9092, 29092):
        called = engine.address("kafka", port)
        admin = KafkaAdminClient(bootstrap_servers=called)
        try:
            told = admin.describe_cluster()
        finally:
            admin.close()
        assert [f"{b['host']}:{b['port']}" for b in told["brokers"]] == [called]


def test_every_metric_of_the_dashboards_is_one_that_a_running_service_shows(engine: Engine) -> None:
    asked = [c for c in engine.containers if c.spec.get("healthcheck") and 8090 in c.ports]
    until(engine, "health", lambda: all(c.healthy for c in asked))
    wanted = {(name, label) for e in expressions() for name in metric_names(e) for label in grouped_by(e)}
    wanted |= {(name, "") for e in expressions() for name in metric_names(e)}
    spoil(engine)  # the archive holds nothing that a worker would reject
    until(engine, "metrics of the dashboards", lambda: wanted <= shown(asked))


def grouped_by(expression: str) -> set[str]:
    """Labels of ours that an expression sums by: not those that Prometheus adds, or that are of histograms."""
    labels = {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
    return labels - {"service", "instance", "le"}


def shown(asked: list[Container]) -> set[tuple[str, str]]:
    """(metric, one of its labels or "") of all that these show."""
    found = set()
    for container in asked:
        for family in text_string_to_metric_families(metrics(container)):
            for sample in family.samples:
                for name in metric_names(sample.name):
                    found |= {(name, label) for label in ("", *sample.labels)}
    return found


def test_the_commands_of_the_page_work_in_their_containers(engine: Engine, expected: Expected) -> None:
    until(engine, "all rows in PostgreSQL", lambda: expected.rows <= rows(engine))
    calls = [
        [w for w in words[1:] if w not in ("-T", "-f", ">", "rasd.dump")]
        for words in documented()
        if words[0] == "exec"
    ]
    for sql in re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "deploying.md").read_text("utf-8"), re.DOTALL):
        calls.append(["postgres", "psql", "-U", "rasd", "-d", "rasd", "-v", "ON_ERROR_STOP=1", "-c", sql])
    assert len(calls) >= 8
    for service, *command in calls:
        done = engine.execute(engine.of(service)[0], *command)
        assert (done.returncode, bool(done.stdout)) == (0, True), (
            f"{command}\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )


def test_every_service_ends_with_0_within_its_grace_when_told_to(engine: Engine) -> None:
    asked = [c for c in engine.containers if c.spec.get("healthcheck")]
    until(engine, "health", lambda: all(c.healthy for c in asked))
    engine.check()
    last = ("postgres", "kafka")
    ended = {c.name: engine.stop(c) for c in asked if c.service not in last}
    ended |= {c.name: engine.stop(c) for name in last for c in engine.of(name)}
    print("\n" + ", ".join(f"{name} {seconds:.1f} s" for name, (_, seconds) in ended.items()))
    assert {name: code for name, (code, _) in ended.items() if code != 0} == {}


def test_names_of_variables_become_properties_as_the_image_makes_them() -> None:
    given = {"KAFKA_LOG_DIRS": "a", "KAFKA_A__B_C___D": "b", "KAFKA_HEAP_OPTS": "c", "CLUSTER_ID": "d"}
    assert properties_of(given) == {"log.dirs": "a", "a_b.c-d": "b"}
