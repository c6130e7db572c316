"""Sinks on a real broker: the files are those of the embedded run, whatever happens meanwhile."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import FencedInstanceIdError

from connectors.sinks import SINKS, Sink
from connectors.sinks.jsonl import JsonlSink
from pipeline import wire
from pipeline.config import Config, load
from pipeline.errors import RasdError, StorageError, StoragePaused
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.headers import schema_of
from pipeline.log.kafka.producer import Producer
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Record, Reject
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.sinking import run_sinks
from pipeline.runtimes.kafka.sinking_places import Kept, Shared
from pipeline.runtimes.kafka.sinking_turns import Sinking
from pipeline.topics import TOPICS
from tests.command import files, rasd, replayed, tables
from tests.kafka.fixtures import ConfigOf

pytestmark = pytest.mark.kafka
IDLE = 0.4


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an embedded run over the packaged archive."""
    data = tmp_path_factory.mktemp("embedded")
    replayed(data)
    return data


@pytest.fixture
def settings(kafka_config: ConfigOf, embedded: Path) -> Config:
    """A broker that holds what the embedded run has written, in one partition."""
    return filled(kafka_config(worker_health="", sinks_batch=16, run_pause_seconds=0.05), embedded)


def filled(config: Config, embedded: Path, partitions: int = 1) -> Config:
    cluster = cluster_of(config)
    make_topics(cluster, partitions)
    with closing(SqliteLog(embedded / "log.sqlite", readonly=True)) as log, Producer(cluster) as producer:
        for topic in ("rasd.unique", "rasd.verdicts", "rasd.events"):
            for m in log.scan(topic):
                producer.send(topic, m.key, m.value, schema=schema_of(m.value), time=m.time)
        producer.flush(20.0)
    return config


def make_topics(cluster: Cluster, partitions: int) -> None:
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    admin = KafkaAdminClient(**cluster.common())
    admin.create_topics([NewTopic(cluster.topic(t), partitions, 1) for t in TOPICS])
    admin.close()


def committed(config: Config, sink: str) -> dict[str, int]:
    """Offsets on the brokers, by our topic, partitions added up."""
    from kafka import KafkaAdminClient

    cluster = cluster_of(config)
    admin = KafkaAdminClient(**cluster.common())
    found: dict[str, int] = {}
    group = cluster.group(f"sink-{sink}")
    for at, offset in admin.list_group_offsets([group])[group].items():
        found[cluster.ours(at.topic)] = found.get(cluster.ours(at.topic), 0) + offset.offset
    admin.close()
    return found


def sizes(embedded: Path) -> dict[str, int]:
    with closing(SqliteLog(embedded / "log.sqlite", readonly=True)) as log:
        return {topic: sum(b.next for b in log.bounds(topic)) for topic in log.topics()}


def rows(data: Path) -> dict[str, Any]:
    """All tables but the one that names the file after the first record that came."""
    return {name: found for name, found in tables(data).items() if name != "sink"}


def environment(config: Config) -> dict[str, str]:
    wanted = {
        "RASD_KAFKA_SERVERS": config.kafka.servers,
        "RASD_KAFKA_PREFIX": config.kafka.prefix,
        "RASD_WORKER_HEALTH": "",
        "RASD_SINKS_BATCH": "16",
    }
    return {**os.environ, **wanted}


def test_files_are_those_of_the_embedded_run_and_the_group_stands_at_the_end(settings: Config, embedded: Path) -> None:
    counts = run_sinks(settings, ["jsonl", "sqlite"], until_idle=IDLE)
    assert files(settings.data_dir) == files(embedded)
    assert rows(settings.data_dir) == rows(embedded)
    there = sizes(embedded)
    assert counts["jsonl"].taken == there["rasd.events"]
    assert committed(settings, "jsonl") == {"rasd.events": there["rasd.events"]}
    assert committed(settings, "sqlite") == {t: there[t] for t in ("rasd.unique", "rasd.verdicts", "rasd.events")}


def test_several_partitions_give_the_same_lines_and_tables(kafka_config: ConfigOf, embedded: Path) -> None:
    config = filled(kafka_config(worker_health="", sinks_batch=7), embedded, partitions=3)
    run_sinks(config, ["jsonl", "sqlite"], until_idle=IDLE)
    ours, theirs = files(config.data_dir), files(embedded)
    assert {name: sorted(b.splitlines()) for name, b in ours.items()} == {
        name: sorted(b.splitlines()) for name, b in theirs.items()
    }
    assert rows(config.data_dir) == rows(embedded)


def test_nothing_is_written_twice_when_it_runs_again(settings: Config, embedded: Path) -> None:
    run_sinks(settings, ["jsonl"], until_idle=IDLE)
    assert run_sinks(settings, ["jsonl"], until_idle=IDLE)["jsonl"].taken == 0
    assert files(settings.data_dir) == files(embedded)


@pytest.mark.parametrize("sink", ["jsonl", "sqlite"])
def test_killed_before_and_after_commits_it_goes_on_where_it_stood(settings: Config, embedded: Path, sink: str) -> None:
    for moment, batch in (("before-commit", 0), ("before-commit", 1), ("after-commit", 0), ("before-commit", 0)):
        command = [sys.executable, "-m", "tests.pipeline.kafka.sink_victim"]
        command += [str(settings.data_dir), sink, moment, str(batch)]
        done = subprocess.run(command, env=environment(settings), capture_output=True, timeout=30, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    run_sinks(settings, [sink], until_idle=IDLE)
    if sink == "jsonl":
        assert files(settings.data_dir) == files(embedded)
    else:
        assert rows(settings.data_dir) == rows(embedded)


def test_the_command_ends_by_itself_and_prints_its_counts(settings: Config, embedded: Path) -> None:
    given = {k: v for k, v in environment(settings).items() if k.startswith("RASD_")}
    done = rasd("--data", settings.data_dir, "sink", "jsonl", "--until-idle", "0.4", "--json", **given)
    assert done.returncode == 0, done.stderr
    there = sizes(embedded)["rasd.events"]
    assert json.loads(done.stdout) == {"jsonl": {"taken": there, "rejects": 0, "behind": 0}}
    assert files(settings.data_dir) == files(embedded)


def test_asked_to_stop_it_ends_well_and_quickly(settings: Config) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "--data", str(settings.data_dir), "sink"]
    process = subprocess.Popen(command, env=environment(settings), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "read from" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=8)
    assert process.returncode == 0, said
    assert "jsonl: " in said


def test_a_second_process_of_the_same_folder_is_refused(settings: Config) -> None:
    import fcntl

    settings.data_dir.mkdir()
    with (settings.data_dir / "sink-jsonl.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="another rasd process writes the sink jsonl"):
            run_sinks(settings, ["jsonl"], until_idle=IDLE)


def test_what_it_cannot_read_becomes_a_reject_and_the_rest_is_written(settings: Config, embedded: Path) -> None:
    cluster = cluster_of(settings)
    with Producer(cluster) as producer:
        for value in (b"\xff\x00 no json", b"{}", b"null", b""):
            producer.send("rasd.events", "a\ud800b", value, schema=b"", time=5)
        producer.send("rasd.events", "k" * 5_000_000, b"{", schema=b"", time=5)
        producer.flush(20.0)
    counts = run_sinks(settings, ["jsonl"], until_idle=IDLE)
    assert counts["jsonl"].refused == 5
    assert files(settings.data_dir) == files(embedded)
    rejects = [wire.decode(Reject, value) for value in values_of(cluster, "rasd.rejects")]
    assert [(r.stage, r.topic, r.offset) for r in rejects] == [
        ("sink-jsonl", "rasd.events", sizes(embedded)["rasd.events"] + i) for i in range(5)
    ]
    assert {r.reason for r in rejects} <= {"bad-record", "bad-json", "wrong-schema"}


def values_of(cluster: Cluster, topic: str) -> Iterator[bytes]:
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(**cluster.consumer())
    at = TopicPartition(cluster.topic(topic), 0)
    consumer.assign([at])
    end = consumer.end_offsets([at])[at]
    while consumer.position(at) < end:
        for records in consumer.poll(500).values():
            yield from (r.value for r in records)
    consumer.close()


class FullDisk(JsonlSink):
    """The disk is full for the second and third flush."""

    flushes = 0

    def flush(self) -> Mapping[str, bytes]:
        FullDisk.flushes += 1
        changes = super().flush()
        if FullDisk.flushes in (2, 3):
            raise StoragePaused("the disk is full")
        return changes


def test_a_full_disk_is_waited_for_and_said_once(
    settings: Config, embedded: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(SINKS, "jsonl", lambda config: FullDisk(config.data_dir))
    run_sinks(settings, ["jsonl"], until_idle=IDLE)
    assert files(settings.data_dir) == files(embedded)
    said = [r.getMessage() for r in caplog.records if r.name == "rasd.sinks" and r.levelno == logging.WARNING]
    assert len([s for s in said if "paused: the disk is full" in s]) == 1
    assert len([s for s in said if "going on" in s]) == 1


def test_a_name_that_another_member_took_ends_it_in_plain_words(
    settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fenced(*_: Any) -> None:
        raise FencedInstanceIdError

    monkeypatch.setattr(Kept, "commit", fenced)
    with pytest.raises(RasdError, match="another process has the same name"):
        run_sinks(settings, ["jsonl"], until_idle=IDLE)


def test_records_deleted_before_they_were_read_are_told(settings: Config, caplog: pytest.LogCaptureFixture) -> None:
    from kafka import KafkaAdminClient, TopicPartition

    cluster = cluster_of(settings)
    admin = KafkaAdminClient(**cluster.common())
    admin.delete_records({TopicPartition(cluster.topic("rasd.events"), 0): 5})
    admin.close()
    counts = run_sinks(settings, ["jsonl"], until_idle=IDLE)
    assert counts["jsonl"].taken > 0
    assert "offsets 0 to 4 were deleted before they were read" in caplog.text


def test_topics_made_anew_are_not_mixed_with_what_was_read_before(settings: Config, kafka: str) -> None:
    from tests.kafka import fixtures

    run_sinks(settings, ["jsonl"], until_idle=IDLE)
    fixtures.forget(kafka, settings.kafka.prefix)
    make_topics(cluster_of(settings), 1)
    with pytest.raises(StorageError, match=r"made anew.*rasd sinks reset jsonl"):
        run_sinks(settings, ["jsonl"], until_idle=IDLE)


def test_a_sink_that_was_reset_writes_everything_anew(settings: Config, embedded: Path) -> None:
    run_sinks(settings, ["jsonl"], until_idle=IDLE)
    given = {k: v for k, v in environment(settings).items() if k.startswith("RASD_")}
    done = rasd("--data", settings.data_dir, "sinks", "reset", "jsonl", "--yes", **given)
    assert done.returncode == 0, done.stderr
    assert files(settings.data_dir) == {}
    assert committed(settings, "jsonl") == {}
    run_sinks(settings, ["jsonl"], until_idle=IDLE)
    assert files(settings.data_dir) == files(embedded)


def test_it_waits_for_brokers_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"RASD_KAFKA_SERVERS": "127.0.0.1:9", "RASD_WORKER_HEALTH": "", "RASD_RUN_PAUSE_SECONDS": "0.05"}
    threading.Timer(0.5, signal.raise_signal, [signal.SIGTERM]).start()
    run_sinks(load(data=tmp_path, environ=environ), ["jsonl"])
    assert caplog.text.count("sink-jsonl waits: ") == 1


class Counted(Sink):
    """Remembers whose flush took what; keeps no state, as PostgreSQL's sink."""

    name = "postgres"
    topics = ("rasd.events",)

    def __init__(self) -> None:
        self.held: list[bytes] = []
        self.taken: list[bytes] = []

    def resume(self, committed: Mapping[str, bytes]) -> None:
        self.held.clear()

    def write(self, record: Record, value: bytes) -> None:
        self.held.append(value)

    def flush(self) -> Mapping[str, bytes]:
        self.taken += self.held
        self.held.clear()
        return {}

    def close(self) -> None:
        self.held.clear()


def test_processes_that_share_a_sink_lose_nothing_when_one_comes_and_goes(
    kafka_config: ConfigOf, embedded: Path
) -> None:
    config = filled(kafka_config(worker_health="", sinks_batch=4, kafka_session_seconds=6), embedded, partitions=3)
    cluster = cluster_of(config)
    sinks: list[Counted] = []
    threads: list[threading.Thread] = []
    for i in range(2):
        sink = Counted()
        work = Sinking(
            config,
            cluster,
            sink,
            lambda s=sink, i=i: Shared(cluster, s.name, s.topics, f"n{i}"),
            Health("", "sink"),
            threading.Event(),
        )  # type: ignore[misc]
        sinks.append(sink)
        threads.append(threading.Thread(target=work.run, args=(1.0,), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    with closing(SqliteLog(embedded / "log.sqlite", readonly=True)) as log:
        everything = {m.value for m in log.scan("rasd.events")}
    assert set(sinks[0].taken) | set(sinks[1].taken) == everything
    assert committed(config, "postgres") == {"rasd.events": sizes(embedded)["rasd.events"]}
