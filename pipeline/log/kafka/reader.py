"""Reading from Kafka as from any log: by topic, partition and offset, outside of consumer groups.

- `written` is the message's timestamp, `time` stands in its header. `offset_at` can only search by time of writing.
- Offsets have gaps (transactions, compaction): messages say where they stand, counts by offsets are upper bounds.
- An offset that retention has removed reads on from the first message still kept.
- A message without a value (a deletion mark of somebody else's; we write none) has the value b"", so that a reader that
  decodes it rejects it and says so. A key that is no UTF-8 is shown with U+FFFD in place of what is not.
- Brokers that do not answer are an error after `seconds`, never a hang.
"""

from __future__ import annotations

import contextlib
import time as clock
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from pipeline.log import Bounds, Message
from pipeline.log.kafka.clients import Cluster
from pipeline.log.kafka.door import Unreachable, admin, named
from pipeline.log.kafka.headers import event_time
from pipeline.topics import TOPICS

FETCH_BYTES = 1_000_000  # of a partition per request; a larger message comes all the same, alone
FETCH_WAIT_MS = 50  # for which a broker may keep a request while nothing is new; another partition waits so long


@dataclass(slots=True)
class _View:
    """How far a partition was given out, and how far it was fetched; what lies between."""

    given: int
    fetched: int
    held: deque[Message] = field(default_factory=deque)


class KafkaLog:
    """See the module. One instance belongs to one thread; a context manager.

    seconds: for an answer of brokers that let us in. Raises: Unreachable; StorageError without kafka-python.
    """

    def __init__(self, cluster: Cluster, *, seconds: float = 8.0) -> None:
        self.cluster, self._seconds = cluster, seconds
        self._views: dict[Any, _View] = {}  # by TopicPartition
        self._current: Any = None  # the one that the client fetches
        self._partitions: dict[str, int] = {}
        self._open = contextlib.ExitStack()
        self._admin = self._open.enter_context(admin(cluster))
        from kafka import KafkaConsumer

        with self._answers():
            self._consumer = KafkaConsumer(
                **{
                    **cluster.consumer(),
                    "bootstrap_timeout_ms": self._ms(),
                    "request_timeout_ms": self._ms(),
                    "group_id": None,
                    "max_partition_fetch_bytes": FETCH_BYTES,
                    "fetch_max_wait_ms": FETCH_WAIT_MS,
                    "metrics_enabled": False,
                }
            )

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=1000)
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    # -- topics ------------------------------------------------------------------------------------------------------

    def topics(self) -> dict[str, int]:
        """Partitions by our topic name, of those of our topics that are there."""
        self._partitions = {row["name"]: len(row["partitions"]) for row in self._described() if row["partitions"]}
        return dict(sorted(self._partitions.items()))

    def identities(self) -> dict[str, str]:
        """By our topic name, what tells the topic from any other of that name: one made anew, one of other brokers."""
        return {row["name"]: str(row["topic_id"]) for row in self._described()}

    def _described(self) -> list[dict[str, Any]]:
        names = {self.cluster.topic(name): name for name in TOPICS}
        with self._answers():
            there = [t for t in self._admin.list_topics() if t in names]
            rows = self._admin.describe_topics(there) if there else []
        return [{**row, "name": names[row["name"]]} for row in rows]

    def bounds(self, topic: str) -> list[Bounds]:
        places = [self._place(topic, p) for p in range(self._count(topic, fresh=True))]
        if not places:
            return []
        with self._answers():
            first = self._consumer.beginning_offsets(places, timeout_ms=self._ms())
            end = self._consumer.end_offsets(places, timeout_ms=self._ms())
        sizes = self._sizes(topic)
        return [
            Bounds(p.partition, first[p], end[p], end[p] - first[p], sizes.get(p.partition, 0) if end[p] else 0)
            for p in places
        ]

    def first_offset(self, topic: str, partition: int) -> int:
        """Offset of the first message still kept; `next_offset` where there is none."""
        return self._offset(topic, partition, "beginning_offsets")

    def next_offset(self, topic: str, partition: int) -> int:
        return self._offset(topic, partition, "end_offsets")

    def offset_at(self, topic: str, partition: int, time: int) -> int:
        """Offset of the first message written at `time` (ms) or later, by its timestamp; `next_offset` if none."""
        if partition >= self._count(topic):
            return 0
        place = self._place(topic, partition)
        with self._answers():
            found = self._consumer.offsets_for_times({place: time}, timeout_ms=self._ms())[place]
        return self.next_offset(topic, partition) if found is None else int(found.offset)

    def consumers(self) -> list[tuple[str, str, int, int]]:
        """(consumer, topic, partition, next offset) of all groups of ours that have committed any."""
        from pipeline.log.kafka.groups import Groups

        with self._answers(), Groups(self.cluster, seconds=self._seconds) as groups:
            found = groups.all()
        return sorted((g.name, t, p, offset) for g in found for (t, p), offset in g.committed.items() if t in TOPICS)

    # -- messages ----------------------------------------------------------------------------------------------------

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Message]:
        """As `Log.read`; reading on where the last call ended costs no request but for what is not fetched yet."""
        if limit < 1 or partition >= self._count(topic):
            return []
        place = self._place(topic, partition)
        view = self._views.get(place)
        if view is None or view.given != offset:
            view = self._views[place] = _View(offset, offset)
            self._current = None
        out: list[Message] = []
        with self._answers():
            while len(out) < limit and (view.held or self._fetch(place, view)):
                message = view.held.popleft()
                if message.offset >= offset:
                    out.append(message)
        view.given = out[-1].offset + 1 if out else offset
        return out

    def scan(self, topic: str) -> Iterator[Message]:
        for partition in range(self._count(topic, fresh=True)):
            offset = 0
            while batch := self.read(topic, partition, offset, 256):
                yield from batch
                offset = batch[-1].offset + 1

    # -- inside ------------------------------------------------------------------------------------------------------

    def _fetch(self, place: Any, view: _View) -> bool:
        """Fetches what comes next of a partition; False at its end.

        The client is given one partition at a time: where one is paused with messages left over, 3.0.12 may forget to
        go on with it.
        """
        end = self._consumer.end_offsets([place], timeout_ms=self._ms())[place]
        if view.fetched >= end:
            return False
        if self._current != place:
            self._consumer.assign([place])
            self._consumer.seek(place, max(0, view.fetched))
            self._current = place
        deadline = clock.monotonic() + self._seconds
        while not view.held and view.fetched < end:
            for records in self._consumer.poll(200).values():
                view.held.extend(message_of(self.cluster, r) for r in records)
            at = self._consumer.position(place, timeout_ms=self._ms())
            if at is None or (at == view.fetched and clock.monotonic() > deadline):
                self._current = None
                raise self._unreachable(f"{place.topic}[{place.partition}]@{view.fetched} cannot be read")
            view.fetched = at
        return bool(view.held)

    def _offset(self, topic: str, partition: int, which: str) -> int:
        if partition >= self._count(topic):
            return 0
        place = self._place(topic, partition)
        with self._answers():
            return int(getattr(self._consumer, which)([place], timeout_ms=self._ms())[place])

    def _place(self, topic: str, partition: int) -> Any:
        from kafka import TopicPartition

        return TopicPartition(self.cluster.topic(topic), partition)

    def _count(self, topic: str, *, fresh: bool = False) -> int:
        """Partitions of a topic; asked again while it is not there, for it would be made by asking for its end."""
        if fresh or topic not in self._partitions:
            self.topics()
        return self._partitions.get(topic, 0)

    def _sizes(self, topic: str) -> dict[int, int]:
        """Bytes on disk by partition, as packed; empty where brokers do not tell."""
        from kafka.errors import KafkaError

        out: dict[int, int] = {}
        with contextlib.suppress(KafkaError):
            for broker in self._admin.describe_log_dirs([self.cluster.topic(topic)]):
                for folder in broker["log_dirs"]:
                    for row in folder["topics"]:
                        for part in row["partitions"]:
                            at = part["partition_index"]
                            out[at] = max(out.get(at, 0), part["partition_size"])
        return out

    def _ms(self) -> int:
        return int(self._seconds * 1000)

    @contextlib.contextmanager
    def _answers(self) -> Iterator[None]:
        """Turns what the client raises into StorageError."""
        from kafka.errors import KafkaError

        try:
            yield
        except (KafkaError, OSError) as e:
            raise self._unreachable(f"{type(e).__name__}: {e}") from e

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(f"{named(self.cluster)}: no answer: {why}", retryable=True)


def message_of(cluster: Cluster, record: Any) -> Message:
    """The message in a record of kafka-python."""
    return Message(
        topic=cluster.ours(record.topic),
        partition=record.partition,
        offset=record.offset,
        key=None if record.key is None else record.key.decode("utf-8", "replace"),
        value=record.value or b"",
        time=event_time(record.headers),
        written=record.timestamp,
    )
