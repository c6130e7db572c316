"""Topics with records of the golden set, and commands that look at them, in this process or in one of their own."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient

from pipeline import wire
from pipeline.config import Config, load
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.headers import schema_of
from pipeline.log.kafka.producer import Producer
from pipeline.records import Record
from pipeline.topics import TOPICS
from tests.pipeline.cli.kit import Result, rasd, time_of

Environment = Mapping[str, str]


def settings(environment: Environment) -> Config:
    return load(environ=environment)


def make_topics(environment: Environment, partitions: int = 1, names: Iterable[str] = TOPICS) -> None:
    cluster = cluster_of(settings(environment))
    with _admin(environment) as admin:
        new = {cluster.topic(n): {"num_partitions": partitions, "replication_factor": 1} for n in names}
        admin.create_topics(new)
        admin.wait_for_topics(list(new))


def add_partitions(environment: Environment, topic: str, total: int) -> None:
    with _admin(environment) as admin:
        admin.create_partitions({cluster_of(settings(environment)).topic(topic): total})


def delete_topic(environment: Environment, topic: str) -> None:
    with _admin(environment) as admin:
        admin.delete_topics([cluster_of(settings(environment)).topic(topic)])


@contextmanager
def _admin(environment: Environment) -> Iterator[Any]:
    admin = KafkaAdminClient(**cluster_of(settings(environment)).common())
    try:
        yield admin
    finally:
        admin.close()


def send(environment: Environment, *records: Record) -> None:
    """Writes records to their topics, each acknowledged before the next, so that times of writing differ."""
    with Producer(cluster_of(settings(environment))) as producer:
        for record in records:
            topic = next(t for t in TOPICS.values() if type(record) in t.carries)
            value = wire.encode(record)
            producer.send(topic.name, topic.key(record), value, schema=schema_of(value), time=time_of(record)).result(
                30
            )
            time.sleep(0.002)


def send_bytes(environment: Environment, topic: str, *values: bytes, partition: int = 0) -> None:
    with Producer(cluster_of(settings(environment))) as producer:
        sent = [producer.send(topic, None, v, schema=b"", partition=partition) for v in values]
        for one in sent:
            one.result(30)


def call(environment: Environment, *words: object, **more: Any) -> Result:
    """The command line in this process, on the broker."""
    return rasd(*words, env=dict(environment), **more)


class Running:
    """A command in a process of its own; its lines are taken as they come, each with the time it came at."""

    def __init__(self, environment: Environment, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        self._lines: queue.Queue[tuple[float, bytes]] = queue.Queue()
        self._told: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put((time.time(), line.rstrip(b"\n")))

    def _listen(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self._told.append(line)

    def line(self, seconds: float = 60.0) -> tuple[float, bytes]:
        """The next line and when it came. Raises: AssertionError with what the command told, if none comes in time."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            code = self.process.poll()
            raise AssertionError(f"no line within {seconds:.0f} s (exit code {code}): {self.told()}") from None

    def lines(self, count: int, seconds: float = 60.0) -> list[bytes]:
        end = time.monotonic() + seconds
        return [self.line(max(0.0, end - time.monotonic()))[1] for _ in range(count)]

    def told(self) -> str:
        return b"".join(self._told).decode()

    def more(self) -> list[bytes]:
        """What else has come by now."""
        found = []
        while not self._lines.empty():
            found.append(self._lines.get()[1])
        return found

    def end(self, signal: int, seconds: float = 15.0) -> int:
        self.process.send_signal(signal)
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(5)
        return code


@contextmanager
def running(environment: Environment, *words: str) -> Iterator[Running]:
    command = Running(environment, *words)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait(15)
