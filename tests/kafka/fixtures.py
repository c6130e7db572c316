"""What tests on a broker share; tests/conftest.py gives it to all of them.

kafka: the servers of a broker for the whole session. prefix: what this test's topics begin with; they are deleted
after it. kafka_config, kafka_environment: settings for both. kafka_jars: for a test that starts brokers of its own
(`with Cluster(kafka_jars, nodes=3) as cluster`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.config import Config, load
from tests.kafka.cluster import Cluster
from tests.kafka.jars import NoKafka, jars

REQUIRED = "RASD_REQUIRE_SERVERS"  # "1": a server that cannot be had is a failure; CI says so
ConfigOf = Callable[..., Config]


def missing(reason: str) -> None:
    """Skips the test with the reason, or fails it where servers are required."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    """The folder of Apache Kafka's jars."""
    try:
        return jars()
    except NoKafka as e:
        missing(str(e))
        raise AssertionError("not reached") from e


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """host:port of a broker that all tests of this run share; RASD_TEST_KAFKA names one that runs already."""
    if given := os.environ.get("RASD_TEST_KAFKA"):
        yield given
        return
    with Cluster(request.getfixturevalue("kafka_jars")) as cluster:
        yield cluster.servers


@pytest.fixture
def prefix(kafka: str) -> Iterator[str]:
    """What names of topics and groups of this test begin with; they are deleted afterwards."""
    mine = f"test-{secrets.token_hex(4)}."
    yield mine
    forget(kafka, mine)


@pytest.fixture
def kafka_environment(kafka: str, prefix: str) -> dict[str, str]:
    """The same settings for a process of its own: `{**os.environ, **kafka_environment}`."""
    return environment_on(kafka, prefix)


@pytest.fixture
def kafka_config(kafka: str, prefix: str, tmp_path: Path) -> ConfigOf:
    """A function that gives settings for the broker; keywords name others: kafka_config(kafka_partitions=2)."""
    return lambda **settings: config_on(kafka, prefix, tmp_path / "data", **settings)


def environment_on(servers: str, prefix: str) -> dict[str, str]:
    """Processes of a test answer about their health at any port that is free: there may be several."""
    return {"RASD_KAFKA_SERVERS": servers, "RASD_KAFKA_PREFIX": prefix, "RASD_WORKER_HEALTH": "127.0.0.1:0"}


def config_on(servers: str, prefix: str, data: Path, **settings: object) -> Config:
    """settings: `section_key=value`, as environment variables name them, in lower case: kafka_partitions=2."""
    others = {f"RASD_{name.upper()}": str(value) for name, value in settings.items()}
    return load(data=data, environ={**environment_on(servers, prefix), **others})


def forget(servers: str, prefix: str) -> None:
    """Deletes all topics and consumer groups whose names begin with the prefix."""
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=servers.split(","), client_id="rasd-tests")
    try:
        if topics := [t for t in admin.list_topics() if t.startswith(prefix)]:
            admin.delete_topics(topics, raise_errors=False)  # the test may have deleted some just now
        groups = [g for found in admin.list_groups() if (g := _name(found)).startswith(prefix)]
        if groups:
            admin.delete_groups(groups)
    finally:
        admin.close()


def _name(group: object) -> str:
    return str(group["group_id"] if isinstance(group, dict) else group[0] if isinstance(group, tuple) else group)
