"""Brokers of the tests themselves: started, killed, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.config import Config
from tests.kafka.cluster import Cluster, NotStarted

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.kafka


def test_the_shared_broker_is_reached_with_the_settings_of_the_test(
    kafka_config: Callable[..., Config], prefix: str
) -> None:
    config = kafka_config(kafka_partitions=2)
    assert _reached(config.kafka.servers)
    assert (config.kafka.prefix, config.kafka.partitions) == (prefix, 2)


def test_a_broker_that_is_killed_comes_back_on_its_port_and_folder(kafka_jars: Path) -> None:
    with Cluster(kafka_jars) as cluster:
        broker, servers = cluster.brokers[0], cluster.servers
        broker.kill()
        assert not _reached(servers)
        broker.start()
        assert cluster.servers == servers
        assert _reached(servers)
    assert not broker.running
    assert not cluster.folder.exists()


def test_a_port_that_is_taken_is_said(kafka_jars: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        cluster = Cluster(kafka_jars, port=taken.getsockname()[1])
        try:
            with pytest.raises(NotStarted, match="Address already in use"):
                cluster.start()
        finally:
            cluster.close()


def test_the_command_says_which_port_is_taken(kafka_jars: Path, kafka: str) -> None:
    port = kafka.rpartition(":")[2]
    words = [sys.executable, str(ROOT / "scripts/kafka"), "--port", port]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert said.stderr.splitlines()[-1] == f"kafka: somebody else listens on port {port}: take another --port"


def test_the_command_prints_its_servers_and_stops_clean(kafka_jars: Path) -> None:
    with _command() as (process, servers):
        assert _reached(servers)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not _reached(servers)


def test_no_broker_outlives_a_command_that_is_killed(kafka_jars: Path) -> None:
    with _command() as (process, servers):
        process.kill()
        process.wait(30)
        _until(lambda: not _reached(servers))


def test_a_missing_java_is_said_with_what_to_install(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, str(ROOT / "scripts/kafka")],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    assert "java is not installed" in said.stderr


@contextmanager
def _command() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/kafka")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=30)


def _reached(servers: str) -> bool:
    host, _, port = servers.partition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except OSError:
        return False
    return True


def _until(holds: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "in time"
        time.sleep(0.1)
