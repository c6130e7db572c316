"""A stage's state as its changelog holds it: the newest value of each key, read from the brokers by anybody."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline.log.kafka.door import admin
from pipeline.log.kafka.follow import Following
from pipeline.log.where import Where
from pipeline.topics import PREFIX

if TYPE_CHECKING:
    from pipeline.log import Message
    from pipeline.log.kafka.clients import Cluster
    from pipeline.log.kafka.reader import KafkaLog

NO_SUCH = 3  # https://kafka.apache.org/protocol#protocol_error_codes


class Remembered:
    """Messages and state on the brokers, as `SqliteLog` gives them to those who look at both."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log
        self._state: dict[str, Changelog] = {}

    def scan(self, topic: str) -> Iterator[Message]:
        return self._log.scan(topic)

    def state(self, stage: str) -> Changelog:
        if stage not in self._state:
            self._state[stage] = Changelog(self._log.cluster, stage)
        return self._state[stage]


class Changelog(Mapping[str, bytes]):
    """As it was when first asked for. Holds places, not values: every pass and every look-up reads the topic.

    Raises: Unreachable, StorageError. Empty where no worker has made the topic yet.
    """

    def __init__(self, cluster: Cluster, stage: str) -> None:
        self._cluster = cluster
        self._topic = f"{PREFIX}{stage}-state-changelog"  # as pipeline.runtimes.kafka.state_changelog names it
        self._places: dict[str, tuple[int, int]] = {}
        for key, value, place in self._read() if self._there() else ():
            if value:
                self._places[key] = place
            else:
                self._places.pop(key, None)

    def _there(self) -> bool:
        with admin(self._cluster) as client:
            (row,) = client.describe_topics([self._cluster.topic(self._topic)])
        return bool(row["error_code"] != NO_SUCH)

    def _read(self) -> Iterator[tuple[str, bytes, tuple[int, int]]]:
        with Following(self._cluster, self._topic, Where()) as following:
            for batch in following.batches():
                for record in batch:
                    if record.key is not None:
                        yield record.key.decode(), record.value or b"", (record.partition, record.offset)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """The newest values, in one pass."""
        yield from ((key, value) for key, value, place in self._read() if self._places.get(key) == place)

    def items(self) -> ItemsView[str, bytes]:
        return _Rows(self)

    def __getitem__(self, key: str) -> bytes:
        place = self._places[key]
        return next(value for _, value, found in self._read() if found == place)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class _Rows(ItemsView[str, bytes]):
    _mapping: Changelog

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return self._mapping.rows()
