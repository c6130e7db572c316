"""Which rejects were put through again: notes in a small compacted topic beside the others, which is kept for ever.

A reject is known by its bytes, which say where its input stood: the same reject written twice is one, and an input that
is rejected again from its new place is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

from pipeline.errors import StorageError
from pipeline.log.kafka.door import admin
from pipeline.log.kafka.follow import Following
from pipeline.log.where import Where

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.log.kafka.clients import Cluster
    from pipeline.log.kafka.producer import Producer, Written

TOPIC = "rasd.redriven"
SCHEMA = b"rasd.redriven/1"
EXISTS, NO_SUCH = 36, 3  # https://kafka.apache.org/protocol#protocol_error_codes


def mark_of(value: bytes) -> str:
    """What tells a reject from all others, from its bytes on the topic."""
    return hashlib.blake2b(value, digest_size=16).hexdigest()


def redriven(cluster: Cluster) -> set[str]:
    """Marks of all rejects that were put through again. Raises: KafkaError."""
    with admin(cluster) as client:
        (row,) = client.describe_topics([cluster.topic(TOPIC)])
    return set(_marks(cluster)) if row["error_code"] != NO_SUCH else set()


def _marks(cluster: Cluster) -> Iterator[str]:
    with Following(cluster, TOPIC, Where()) as following:
        for batch in following.batches():
            yield from (record.key.decode("ascii", "replace") for record in batch if record.key)


def note(producer: Producer, mark: str, topic: str, at: Written) -> None:
    """Writes that the input of this reject stands at that place of a topic (by our name) now."""
    place = {"topic": topic, "partition": at[0], "offset": at[1]}
    producer.send(TOPIC, mark, orjson.dumps(place), schema=SCHEMA)


def make_topic(config: Config, cluster: Cluster) -> None:
    """Makes the topic of notes if it is not there. Raises: StorageError if brokers refuse."""
    settings = {"cleanup.policy": "compact", "min.insync.replicas": str(config.kafka.min_insync)}
    name = cluster.topic(TOPIC)
    new = {name: {"num_partitions": 1, "replication_factor": config.kafka.replication, "configs": settings}}
    with admin(cluster) as client:
        (row,) = client.create_topics(new, raise_errors=False)["topics"]
        if row["error_code"] not in (0, EXISTS):
            why = row["error_message"] or row["error_code"]
            raise StorageError(f"topic {name} could not be made: {why}", reason="kafka-refused")
        client.wait_for_topics([name])
