"""Topics are made as the settings say, over and over, and what is wrong with them is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.errors import ConfigError, StorageError
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.door import Unreachable, admin
from pipeline.log.kafka.topics import check_topics, ensure_topics
from pipeline.topics import TOPICS
from tests.kafka.cluster import Cluster, free_ports
from tests.kafka.fixtures import config_on

pytestmark = pytest.mark.kafka
ConfigOf = Callable[..., Config]


def test_missing_topics_are_made_and_a_second_time_nothing_is(kafka_config: ConfigOf) -> None:
    config = kafka_config(kafka_partitions=3)
    assert {f.what.split(":")[0] for f in check_topics(config)} == {"is not there"}
    made = ensure_topics(config)
    names = [*map(cluster_of(config).topic, TOPICS), f"{config.kafka.prefix}dedupe-state-changelog"]
    assert [c.topic for c in made if c.did == "made"] == names
    assert all(c.detail == "3 partitions, 1 copy" for c in made)
    assert ensure_topics(config) == []
    assert check_topics(config) == []


def test_a_topic_is_as_the_settings_say(kafka_config: ConfigOf) -> None:
    config = kafka_config(kafka_partitions=3, kafka_retention_days=2, log_max_record_bytes=1_000_000)
    ensure_topics(config)
    found = _settings(config, "rasd.events")
    assert found["retention.ms"] == str(2 * 86_400_000)
    assert int(found["max.message.bytes"]) > 1_000_000
    assert (found["cleanup.policy"], found["compression.type"]) == ("delete", "producer")


def test_state_is_kept_for_ever_and_in_as_many_partitions_as_what_it_is_of(kafka_config: ConfigOf) -> None:
    config = kafka_config(kafka_partitions=3)
    ensure_topics(config)
    found = _settings(config, "rasd.dedupe-state-changelog")
    assert found["cleanup.policy"] == "compact"
    with admin(cluster_of(config)) as client:
        client.delete_topics([f"{config.kafka.prefix}dedupe-state-changelog"])
        _until(lambda: len(check_topics(config)) == 1)
    assert [c.detail for c in ensure_topics(kafka_config(kafka_partitions=5))] == ["3 partitions, 1 copy"]


def test_other_settings_are_carried_over_to_topics_that_are_there(kafka_config: ConfigOf) -> None:
    ensure_topics(kafka_config())
    later = kafka_config(kafka_retention_days=0, log_max_record_bytes=9_000_000)
    faults = check_topics(later)
    assert not any(f.lasting for f in faults)
    assert sum(f.grave for f in faults) == len(TOPICS) + 1  # of every topic, the largest message
    changes = ensure_topics(later)
    assert {c.did for c in changes} == {"altered"}
    assert "retention.ms 2592000000 → -1" in changes[0].detail
    _until(lambda: check_topics(later) == [])
    assert _settings(later, "rasd.rejects")["retention.ms"] == "-1"


def test_the_number_of_partitions_is_never_changed(kafka_config: ConfigOf) -> None:
    ensure_topics(kafka_config(kafka_partitions=2))
    other = kafka_config(kafka_partitions=4)
    assert ensure_topics(other) == []
    faults = check_topics(other)
    assert len(faults) == len(TOPICS)  # but not the changelog, which goes with what is there
    assert all(
        "has 2 partitions and should have 4 (kafka.partitions)" in f.what and f.grave and f.lasting for f in faults
    )


def test_two_that_make_them_at_once_do_not_disturb_each_other(kafka_config: ConfigOf) -> None:
    config = kafka_config()
    found: list[object] = []

    def ensure() -> None:
        try:
            found.append(len(ensure_topics(config)))
        except Exception as e:
            found.append(e)

    threads = [threading.Thread(target=ensure) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(n for n in found if isinstance(n, int)) == len(TOPICS) + 1, found


def test_more_copies_than_brokers_are_refused_in_the_brokers_words(kafka_config: ConfigOf) -> None:
    with pytest.raises(StorageError, match="replication factor of 9 cannot be reached"):
        ensure_topics(kafka_config(kafka_replication=9))


def test_more_copies_in_sync_than_copies_are_a_wrong_setting(kafka_config: ConfigOf) -> None:
    with pytest.raises(ConfigError, match="can never be met"):
        ensure_topics(kafka_config(kafka_min_insync=2))


@pytest.mark.parametrize(
    ("servers", "said"), [("127.0.0.1:1", "Connection refused"), ("no-such-host.invalid:9092", "not known")]
)
def test_brokers_that_are_not_there_are_said_within_seconds(servers: str, said: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match=said) as caught:
        ensure_topics(config_on(servers, "x.", tmp_path))
    assert caught.value.retryable
    assert time.monotonic() - began < 8


def test_brokers_that_start_meanwhile_are_waited_for(kafka_jars: Path, tmp_path: Path) -> None:
    [port] = free_ports(1)
    cluster = Cluster(kafka_jars, port=port)
    late = threading.Timer(1.0, cluster.start)
    late.start()
    try:
        assert ensure_topics(config_on(f"127.0.0.1:{port}", "x.", tmp_path), wait=60)
    finally:
        late.join()
        cluster.close()


def _settings(config: Config, topic: str) -> dict[str, str]:
    from kafka.admin import ConfigResource

    cluster = cluster_of(config)
    with admin(cluster) as client:
        name = cluster.topic(topic)
        rows = client.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")["topic"][name]
    return {key: row["value"] for key, row in rows.items()}


def _until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """What is altered reaches the broker's answers a moment later."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "in time"
        time.sleep(0.05)
