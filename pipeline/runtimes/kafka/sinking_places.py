"""Where a sink on Kafka stands: offsets, and what the sink itself keeps, either in a file of ours or on the brokers.

Sinks that write files keep both in one small database of the data folder, in one transaction: the offsets there are the
truth, and those on the brokers only follow them so that everybody can see how far behind the sink is. Such a sink has
all partitions and one process. A sink that keeps its state where it writes (PostgreSQL) shares the partitions out among
its processes, as consumer groups do, and what a kill leaves uncommitted is written again, which changes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    NonEmptyGroupError,
    RebalanceInProgressError,
    RetriableError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata

from pipeline.errors import StorageError
from pipeline.log.kafka.clients import Cluster
from pipeline.log.kafka.door import Unreachable, admin
from pipeline.log.kafka.identities import Identities, read_anew
from pipeline.log.sqlite import SqliteLog
from pipeline.runtimes.kafka.for_good import FOR_GOOD
from pipeline.runtimes.turns import consumer_of

log = logging.getLogger("rasd.sinks")
FILE = "sinks.sqlite"
ASK_SECONDS = 10.0  # a question to the brokers is asked again after so long
COMMIT_SECONDS = 5.0
METADATA_MS = 30_000  # until partitions and topics that were made meanwhile are noticed
Partitions = Mapping[TopicPartition, int]


class Places(Protocol):
    """Where a sink stands. Calls come from one thread."""

    @property
    def state(self) -> Mapping[str, bytes]:
        """What the sink has committed of its own; stays live."""

    @property
    def consumer(self) -> KafkaConsumer: ...

    def look(self) -> None:
        """Before each reading: sees whether topics were made anew. Raises: StorageError if what they hold may not be
        written to what the old ones have filled."""

    def taken_away(self) -> bool:
        """True once after partitions were given out anew: what was read before and is not written is another's."""

    def commit(self, following: Partitions, changes: Mapping[str, bytes]) -> None:
        """Everything before these offsets is done, and this changed. Raises: StoragePaused, with nothing kept."""

    def close(self) -> None:
        """Gives back what is held; says on the brokers how far it came."""


class Kept:
    """Offsets and state in `<data>/sinks.sqlite`; every partition is ours. Belongs to the thread that makes it.

    Raises: StorageError if another process does this sink's work, or the topics are others than those that the sink
    has read before; StoragePaused; kafka's RetriableError while brokers do not answer.
    """

    def __init__(self, cluster: Cluster, data: Path, sink: str, topics: Sequence[str]) -> None:
        self._cluster, self._data, self._name, self._topics = cluster, data, consumer_of(sink), topics
        self._stack = contextlib.ExitStack()
        try:
            self._stack.enter_context(_alone(data, self._name))
            found = topics_of(cluster, topics)
            self._store = SqliteLog(data / FILE, partitions={t: len(found[t].partitions) for t in topics})
            self._stack.callback(self._store.close)
            self._ids = {t: found[t].id for t in topics}
            self._identities = _identities(cluster, found)
            known = self._store.state(f"{self._name}/topics")
            if other := [t for t, id in self._ids.items() if known.get(t, id.encode()) != id.encode()]:
                raise self._foreign(other)
            self.state: Mapping[str, bytes] = self._store.state(self._name)
            self.consumer = KafkaConsumer(
                **cluster.consumer(), group_id=cluster.group(self._name), metadata_max_age_ms=METADATA_MS
            )
            self._stack.callback(self.consumer.close, timeout_ms=2_000)
            self._stored: dict[TopicPartition, int] = {}
            self.assign({TopicPartition(cluster.topic(t), p) for t in topics for p in found[t].partitions})
        except BaseException:
            self._stack.close()
            raise

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        """Takes all of these, each from where the sink stands."""
        first = self.consumer.beginning_offsets(list(partitions), timeout_ms=ASK_SECONDS * 1000)
        last = self.consumer.end_offsets(list(partitions), timeout_ms=ASK_SECONDS * 1000)
        self.consumer.assign(list(partitions))
        for topic in self._topics:
            stands = self._store.consumed(self._name, topic)
            for at in (p for p in partitions if p.topic == self._cluster.topic(topic)):
                start = self._stored[at] = stands.get(at.partition, 0)
                if start < first[at]:
                    log.warning("%s: %s", self._name, lost(at, start, first[at]))
                elif start > last[at]:
                    log.warning(
                        "%s: %s/%d ends at %d, before %d where we stand: the brokers lost what is between; all that"
                        " they have is read again, which changes nothing",
                        self._name, at.topic, at.partition, last[at], start,
                    )  # fmt: skip
                self.consumer.seek(at, start if first[at] <= start <= last[at] else first[at])

    def grow(self) -> None:
        """Takes partitions that the topics were given meanwhile."""
        have = self.consumer.assignment()
        more = {
            TopicPartition(self._cluster.topic(t), p)
            for t in self._topics
            for p in self.consumer.partitions_for_topic(self._cluster.topic(t)) or ()
        } - have
        if more:
            log.info("%s: %d more partitions", self._name, len(more))
            self.assign(have | more)

    def look(self) -> None:
        if other := self._identities.made_anew(self.consumer):
            raise self._foreign(sorted(map(self._cluster.ours, other)))

    def taken_away(self) -> bool:
        return False

    def commit(self, following: Partitions, changes: Mapping[str, bytes]) -> None:
        with self._store.transaction():
            for at, offset in following.items():
                topic, before = self._cluster.ours(at.topic), self._stored[at]
                self._store.commit(self._name, topic, at.partition, offset, expected=before)
            self._store.change(self._name, changes)
            self._store.change(f"{self._name}/topics", {t: id.encode() for t, id in self._ids.items()})
        self._stored.update(following)
        self.consumer.commit_async(_offsets(following))

    def close(self) -> None:
        with contextlib.suppress(KafkaError):  # the next commit says it
            self.consumer.commit(_offsets(self._stored), timeout_ms=1_000)
        self._stack.close()

    def _foreign(self, topics: Sequence[str]) -> StorageError:
        sink = self._name.removeprefix(consumer_of(""))
        return StorageError(
            f"{self._data}: what {sink} holds was read from other topics than those that are there now"
            f" ({', '.join(topics)} made anew): bring those back, or `rasd sinks reset {sink}`",
            reason="sink-foreign",
        )


class Shared:
    """Offsets on the brokers; partitions are shared out among the processes that do this sink's work.

    instance: a name that a process keeps over restarts, so that it gets its partitions back at once.
    """

    def __init__(self, cluster: Cluster, sink: str, topics: Sequence[str], instance: str) -> None:
        self._name = consumer_of(sink)
        self.state: Mapping[str, bytes] = {}
        self._identities = _identities(cluster, topics_of(cluster, topics))
        self.consumer = KafkaConsumer(
            **cluster.consumer(),
            group_id=cluster.group(self._name),
            group_instance_id=f"{cluster.group(self._name)}.{instance}",
            metadata_max_age_ms=METADATA_MS,
        )
        self._listener = _Listener()
        self.consumer.subscribe([cluster.topic(t) for t in topics], listener=self._listener)

    def look(self) -> None:
        if other := self._identities.made_anew(self.consumer):
            read_anew(self.consumer, other)
            log.warning(
                "%s: %s made anew: reading from the beginning. What the old ones held stays where it was written:"
                " `rasd sinks reset %s`",
                self._name, ", ".join(sorted(other)), self._name.removeprefix(consumer_of("")),
            )  # fmt: skip

    def taken_away(self) -> bool:
        moved, self._listener.moved = self._listener.moved, False
        return moved

    def commit(self, following: Partitions, changes: Mapping[str, bytes]) -> None:
        mine = {at: offset for at, offset in following.items() if at in self.consumer.assignment()}
        try:
            self.consumer.commit(_offsets(mine), timeout_ms=COMMIT_SECONDS * 1000)
        except (CommitFailedError, RebalanceInProgressError, IllegalGenerationError, UnknownMemberIdError):
            log.info("%s: the partitions were given out anew; some records are written again", self._name)
        except KafkaError as e:
            if isinstance(e, FOR_GOOD):
                raise
            log.warning("%s: offsets not committed (%s); the next commit does it", self._name, e)

    def close(self) -> None:
        self.consumer.close(timeout_ms=2_000)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Remembers that partitions were taken away. Called from inside `poll`, in the client's thread."""

    def __init__(self) -> None:
        self.moved = False

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.moved = True

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        log.debug("partitions: %s", ", ".join(f"{t}/{p}" for t, p in sorted(assigned)))


class Described:
    """A topic on the brokers: its id, which a topic made anew does not keep, and its partitions."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.id = str(row["topic_id"])
        self.partitions = sorted(p["partition_index"] for p in row["partitions"])


def _identities(cluster: Cluster, found: Mapping[str, Described]) -> Identities:
    return Identities({cluster.topic(topic): there.id for topic, there in found.items()})


def topics_of(cluster: Cluster, topics: Sequence[str]) -> dict[str, Described]:
    """Topics by our name.

    Raises: NoTopics if some are not there yet; NoBrokers; Unreachable where waiting cannot help (a wrong password).
    """
    try:
        with admin(cluster) as client:
            rows = client.describe_topics([cluster.topic(t) for t in topics])
    except Unreachable as e:
        if e.retryable:
            raise NoBrokers(str(e)) from e
        raise
    found = {cluster.ours(row["name"]): Described(row) for row in rows if not row["error_code"] and row["partitions"]}
    if missing := [t for t in topics if t not in found]:
        names = ", ".join(cluster.topic(t) for t in missing)
        raise NoTopics(f"the brokers have no topic {names} yet: `rasd topics create` makes it")
    return found


class NoBrokers(RetriableError):  # type: ignore[misc]
    """No broker can be reached just now."""


class NoTopics(RetriableError):  # type: ignore[misc]
    """A topic is not there yet."""


def lost(at: TopicPartition, stood: int, first: int) -> str:
    """Says that records were deleted before the sink had read them."""
    return (
        f"{at.topic}/{at.partition}: offsets {stood} to {first - 1} were deleted before they were read"
        " (kafka.retention_days); going on behind them"
    )


def forget(data: Path, sink: str) -> None:
    """Drops what a sink keeps in the data folder: it begins anew. Raises: StorageError while a process does it."""
    name = consumer_of(sink)
    if not (data / FILE).exists():
        return
    with _alone(data, name), contextlib.closing(SqliteLog(data / FILE)) as store, store.transaction():
        store.forget(name)
        store.change(f"{name}/topics", dict.fromkeys(store.state(f"{name}/topics"), b""))


def forget_group(cluster: Cluster, sink: str) -> None:
    """Deletes the sink's consumer group on the brokers. Raises: StorageError while it has members, Unreachable."""
    group = cluster.group(consumer_of(sink))
    with admin(cluster) as client:
        said = client.delete_groups([group]).get(group)
    if said == NonEmptyGroupError.__name__:
        raise StorageError(
            f"the consumer group {group} has members: stop them; one that was killed counts for"
            f" {cluster.session_seconds:g} s more",
            reason="in-use",
        )


@contextlib.contextmanager
def _alone(data: Path, name: str) -> Iterator[IO[str]]:
    """Holds the lock of one sink of the data folder. Raises: StorageError if another process has it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sink = name.removeprefix(consumer_of(""))
            raise StorageError(
                f"another rasd process writes the sink {sink} of {data}: stop it, or take another --data",
                reason="in-use",
            ) from None
        yield file


def _offsets(following: Partitions) -> dict[TopicPartition, OffsetAndMetadata]:
    return {at: OffsetAndMetadata(offset, "", -1) for at, offset in following.items()}
