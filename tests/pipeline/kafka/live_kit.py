"""The poller and the fetcher as processes on a broker, and what they left on its topics."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.log.kafka.clients import cluster_of
from tests.conftest import ROOT
from tests.faults.kafka_site import ALLOWED
from tests.waiting import until


class Process:
    """`rasd WORDS` at work; killed at the end if it still is. errors: what it has said so far."""

    def __init__(self, data: Path, environment: Mapping[str, str], *words: str) -> None:
        data.parent.mkdir(parents=True, exist_ok=True)
        self._said = data.parent / f"{data.name}.stderr"
        command = [sys.executable, "-m", "pipeline.cli", "--data", str(data), *words]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RASD_")}
        given = {**inherited, **ALLOWED, "RASD_WORKER_HEALTH": "127.0.0.1:0", **environment}
        with self._said.open("ab") as said:
            self._popen = subprocess.Popen(command, cwd=ROOT, env=given, stderr=said)

    @property
    def errors(self) -> str:
        return self._said.read_text("utf-8")

    def kill(self) -> None:
        os.kill(self._popen.pid, signal.SIGKILL)
        assert self._popen.wait(10) == -signal.SIGKILL

    def terminate(self) -> float:
        """Seconds that it took to end well when asked to."""
        begin = time.monotonic()
        self._popen.send_signal(signal.SIGTERM)
        assert self._popen.wait(20) == 0, self.errors
        return time.monotonic() - begin

    def wait(self, seconds: float = 60.0) -> int:
        return self._popen.wait(seconds)

    def until(self, true: Callable[[], bool], seconds: float = 30.0) -> None:
        """Waits for something while it runs."""
        until(true, seconds, lambda: self.errors, check=self._check)

    def _check(self) -> None:
        assert self._popen.poll() is None, f"ended with {self._popen.poll()}: {self.errors}"

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait(10)


def read(config: Config, topic: str) -> list[Any]:
    """All messages of a topic (our name), as kafka-python gives them, partition by partition."""
    from kafka import KafkaConsumer, TopicPartition

    cluster = cluster_of(config)
    name = cluster.topic(topic)
    consumer = KafkaConsumer(**cluster.consumer())
    try:
        partitions = [TopicPartition(name, n) for n in sorted(consumer.partitions_for_topic(name) or ())]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        found: list[Any] = []
        end = time.monotonic() + 30
        while any(consumer.position(at) < ends[at] for at in partitions):
            assert time.monotonic() < end, "the topic could not be read"
            found += [record for records in consumer.poll(timeout_ms=200).values() for record in records]
        return sorted(found, key=lambda r: (r.partition, r.offset))
    finally:
        consumer.close(timeout_ms=1000)


def committed(config: Config, topic: str, group: str) -> dict[int, int | None]:
    """Offsets that a group (our name) has committed, by partition."""
    from kafka import KafkaConsumer, TopicPartition

    cluster = cluster_of(config)
    name = cluster.topic(topic)
    consumer = KafkaConsumer(**cluster.consumer(), group_id=cluster.group(group))
    try:
        partitions = sorted(consumer.partitions_for_topic(name) or ())
        return {n: consumer.committed(TopicPartition(name, n)) for n in partitions}
    finally:
        consumer.close(timeout_ms=1000)
