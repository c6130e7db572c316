"""Consumer groups on the brokers: where each stands, who works in it, and how it is set to stand elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.errors import RasdError
from pipeline.log.kafka.door import TRY_SECONDS, admin
from pipeline.log.standing import Standing

if TYPE_CHECKING:
    from pipeline.log.kafka.clients import Cluster

LOOK_SECONDS = 3.0  # for the times of the messages that wait; what is not known by then stays unknown
COORDINATOR_SECONDS = 20.0  # for a broker to look after a group
T = TypeVar("T")
_IDLE = ("Empty", "Dead")


class GroupBusy(RasdError):
    """The group has members at work: its offsets are theirs."""

    reason = "group-busy"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of ours. state: as Kafka calls it (Stable, Empty, ...). members: readers by (our topic, partition)."""

    name: str
    state: str
    size: int
    members: Mapping[tuple[str, int], str]
    committed: Mapping[tuple[str, int], int]


class Groups:
    """The groups whose names begin with the cluster's prefix, by our names. A context manager.

    seconds: for brokers that do not answer. Raises: Unreachable, StorageError.
    """

    def __init__(self, cluster: Cluster, *, seconds: float = TRY_SECONDS) -> None:
        self._cluster, self._seconds = cluster, seconds
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._admin = self._stack.enter_context(admin(self._cluster, self._seconds))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    def all(self, only: str | None = None) -> list[Group]:
        """Sorted by name. only: that one alone, whether it is there or not."""
        if only is None:
            listed = [row["group_id"] for row in self._admin.list_groups()]
            names = sorted(n for n in listed if n.startswith(self._cluster.prefix))
        else:
            names = [self._cluster.group(only)]
        if not names:
            return []
        described = self._asked(lambda: _without_errors(self._admin.describe_groups(names)))
        committed = self._asked(lambda: self._admin.list_group_offsets(names))
        return [self._group(n, described.get(n, {}), committed.get(n, {})) for n in names]

    def _group(self, name: str, described: Mapping[str, Any], committed: Mapping[Any, Any]) -> Group:
        members = described.get("members") or []
        readers = {}
        for member in members:
            host = member["client_host"].removeprefix("/")
            for topic, partition in _assigned(member["member_assignment"]):
                if self._is_read(topic):
                    readers[self._cluster.ours(topic), partition] = f"{member['client_id']} at {host}"
        return Group(
            name=name.removeprefix(self._cluster.prefix),
            state=described.get("group_state") or "Dead",
            size=len(members),
            members=readers,
            committed={
                (self._cluster.ours(at.topic), at.partition): there.offset
                for at, there in committed.items()
                if self._is_read(at.topic) and there.offset >= 0
            },
        )

    def _is_read(self, topic: str) -> bool:
        """Ours, and none of a changelog: Faust reads that outside of its group's offsets, and nothing of it waits."""
        return topic.startswith(self._cluster.prefix) and not topic.endswith("-changelog")

    def standings(self, only: str | None = None) -> list[Standing]:
        """Where the groups stand on every partition that they have read or are reading."""
        groups = self.all(only)
        extents = self.extents({topic for g in groups for topic, _ in (*g.committed, *g.members)})
        found = [
            Standing(
                g.name, topic, partition, g.committed.get((topic, partition)), *extents[topic, partition],
                member=g.members.get((topic, partition)),
            )
            for g in groups
            for topic, partition in sorted({*g.committed, *g.members})
            if (topic, partition) in extents  # a topic may be gone that was read
        ]  # fmt: skip
        return self._with_times(found)

    def extents(self, topics: set[str]) -> dict[tuple[str, int], tuple[int, int]]:
        """The first offset and the next one to be written, by our topic and partition; topics that are not there are
        left out."""
        from kafka import TopicPartition
        from kafka.admin import OffsetSpec

        there = set(self._admin.list_topics())
        names = [n for n in (self._cluster.topic(t) for t in topics) if n in there]
        rows = self._admin.describe_topics(names) if names else []
        at = [TopicPartition(row["name"], p["partition_index"]) for row in rows for p in row["partitions"]]
        if not at:
            return {}
        first = self._admin.list_partition_offsets(dict.fromkeys(at, OffsetSpec.EARLIEST))
        end = self._admin.list_partition_offsets(dict.fromkeys(at, OffsetSpec.LATEST))
        return {(self._cluster.ours(p.topic), p.partition): (first[p].offset, end[p].offset) for p in at}

    def offsets_at(self, topic: str, partitions: list[int], time_ms: int) -> dict[int, int]:
        """Offset of the first message written at that time or later, by partition; -1 where there is none."""
        from kafka import TopicPartition

        asked = {TopicPartition(self._cluster.topic(topic), p): max(0, time_ms) for p in partitions}
        return {at.partition: found.offset for at, found in self._admin.list_partition_offsets(asked).items()}

    def move(self, group: str, to: Mapping[tuple[str, int], int]) -> None:
        """Commits these offsets in the group's name. Raises: GroupBusy, RasdError naming partitions that refused."""
        from kafka import TopicPartition
        from kafka.errors import NoError
        from kafka.structs import OffsetAndMetadata

        offsets = {
            TopicPartition(self._cluster.topic(topic), partition): OffsetAndMetadata(offset, "", None)
            for (topic, partition), offset in to.items()
        }
        self.check_idle(self.all(group)[0])
        results = self._asked(lambda: self._admin.alter_group_offsets(self._cluster.group(group), offsets))
        refused = {f"{at.topic}[{at.partition}]: {e.__name__}" for at, e in results.items() if e is not NoError}
        if refused:
            raise GroupBusy(f"group {group} was not moved everywhere; {', '.join(sorted(refused))}")

    @staticmethod
    def check_idle(group: Group) -> None:
        """Raises: GroupBusy if anybody works in it."""
        if group.state not in _IDLE:
            who = ", ".join(sorted(set(group.members.values()))) or group.state.lower()
            raise GroupBusy(f"group {group.name} has {group.size} at work ({who}): stop them first")

    def _asked(self, ask: Callable[[], T]) -> T:
        """Asks again while no broker looks after the group: when brokers have just started. Raises: KafkaError."""
        from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

        end = time.monotonic() + COORDINATOR_SECONDS
        while True:
            try:
                return ask()
            except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def _with_times(self, found: list[Standing]) -> list[Standing]:
        """When the messages that wait were written."""
        wanted = {(s.topic, s.partition, s.following) for s in found if s.lag}
        times = dict(self._times(wanted)) if wanted else {}
        return [replace(s, waits=times.get((s.topic, s.partition, s.following))) for s in found]

    def _times(self, wanted: set[tuple[str, int, int]]) -> Iterator[tuple[tuple[str, int, int], int]]:
        """Reads one message a place; several groups at different places of a partition take a round each."""
        from kafka import KafkaConsumer, TopicPartition

        rounds: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
        seen: dict[tuple[str, int], int] = defaultdict(int)
        for topic, partition, offset in sorted(wanted):
            rounds[seen[topic, partition]].append((topic, partition, offset))
            seen[topic, partition] += 1
        # One byte is below every message: the broker then sends one batch of a partition, whatever its size.
        little = {**self._cluster.consumer(), "max_partition_fetch_bytes": 1, "metrics_enabled": False}
        end = time.monotonic() + LOOK_SECONDS
        consumer = KafkaConsumer(**little)
        try:
            for places in rounds.values():
                left = {TopicPartition(self._cluster.topic(t), p): (t, p, offset) for t, p, offset in places}
                consumer.assign(list(left))
                consumer.resume(*left)  # what was paused in the round before
                for at, place in left.items():
                    consumer.seek(at, place[2])
                while left and time.monotonic() < end:
                    for at, records in consumer.poll(200).items():
                        if at in left:
                            consumer.pause(at)
                            yield left.pop(at), records[0].timestamp
        finally:
            consumer.close(autocommit=False)


def _without_errors(described: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Raises: CoordinatorNotAvailableError where a broker did not tell of a group, other than that there is none."""
    from kafka.errors import CoordinatorNotAvailableError

    for name, row in described.items():
        if row.get("error") and row.get("group_state") != "Dead":
            raise CoordinatorNotAvailableError(f"{name}: {row['error']}")
    return described


def _assigned(assignment: Any) -> Iterator[tuple[str, int]]:
    """Topics and partitions of a member; none where its client writes them in a form of its own."""
    if isinstance(assignment, Mapping):
        for row in assignment.get("assigned_partitions") or ():
            for partition in row["partitions"]:
                yield row["topic"], partition
