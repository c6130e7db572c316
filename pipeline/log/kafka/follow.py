"""One topic of the brokers read as it grows: by a reader of its own, or by a member of a consumer group."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import RasdError
from pipeline.log.kafka.door import Unreachable, named, trouble
from pipeline.log.kafka.groups import GroupBusy, Groups
from pipeline.log.kafka.identities import Identities, read_anew
from pipeline.log.kafka.joining import poll
from pipeline.log.where import Where

if TYPE_CHECKING:
    from kafka import KafkaConsumer, TopicPartition
    from kafka.admin import KafkaAdminClient
    from kafka.consumer.fetcher import ConsumerRecord

    from pipeline.log.kafka.clients import Cluster

log = logging.getLogger("rasd.kafka")
POLL_SECONDS = 0.5  # the longest wait in one poll; a message ends it at once
LOOK_SECONDS = 2.0  # between two looks at whether the brokers are there, and at the topic's partitions
PATIENCE_SECONDS = 30.0  # for brokers that went away, where nobody follows
BOOT_SECONDS = 3.0
REQUEST_MS = 5000  # for an answer, when it is looked whether brokers are there
HELD_BYTES = 4_000_000  # of a partition that waits for the others, so that messages come in the order of writing


class Following:
    """Reads a topic (by our name) from `where` on. A context manager; not for use by several threads.

    follow: goes on with what is written later; else ends at what was there at the start.
    group: shares the partitions with the other members of that group; `commit` says how far it came. `where` is only
    for partitions of which the group has committed nothing.
    Raises: RasdError where the topic is not there (with `follow` it is waited for); Unreachable at the start where no
    broker answers. Brokers that go away later are waited for; that is said once.
    """

    def __init__(
        self, cluster: Cluster, topic: str, where: Where, *, group: str | None = None, follow: bool = False
    ) -> None:
        self._cluster, self._where, self._follow = cluster, where, follow
        self._name, self._topic, self._group = cluster.topic(topic), topic, group
        self._admin, self._consumer = _clients(cluster, group)
        self._held: dict[TopicPartition, deque[ConsumerRecord]] = {}
        self._held_bytes: dict[TopicPartition, int] = {}
        self._at: dict[TopicPartition, int] = {}  # behind what was taken
        self._ends: dict[TopicPartition, int] = {}  # of what was there at the start
        self._skip = 0
        self._done: dict[TopicPartition, int] = {}  # behind what was given out
        self._away: float | None = None
        self._looked = time.monotonic()
        self._identities = Identities()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._consumer.close(autocommit=False, timeout_ms=2000)
        self._admin.close()

    def batches(self) -> Iterator[list[ConsumerRecord]]:
        """What there is, in the order of writing over all partitions (in a group within a partition only), then what
        comes, as soon as it comes. Batches may be empty."""
        from kafka.errors import KafkaError

        self._begin()
        while True:
            if self._identities.made_anew(self._consumer):
                self._begin_anew()
            try:
                self._take(poll(self._consumer, POLL_SECONDS))
            except KafkaError as e:
                self._troubled(e)
            yield self._ready()
            if not self._follow and self._caught_up():
                return
            if time.monotonic() - self._looked > LOOK_SECONDS:
                self._look_after()

    def commit(self, shown: Mapping[int, int]) -> None:
        """Says for the group that everything before these offsets, by partition, was dealt with. What cannot be
        committed just now is committed with the next; if another member has the partition by then, it comes again."""
        from kafka import TopicPartition
        from kafka.errors import KafkaError
        from kafka.structs import OffsetAndMetadata

        self._done |= {TopicPartition(self._name, p): offset for p, offset in shown.items()}
        ours = self._consumer.assignment()
        self._done = {at: offset for at, offset in self._done.items() if at in ours}
        if not self._done:
            return
        try:
            self._consumer.commit(
                {at: OffsetAndMetadata(offset, "", -1) for at, offset in self._done.items()}, timeout_ms=REQUEST_MS
            )
        except KafkaError as e:
            log.debug("not committed: %s", e)
        else:
            self._done.clear()

    # -- beginning -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        partitions, where = self._partitions(), self._where
        if not partitions:
            if not self._follow:
                raise RasdError(
                    f"there is no topic {self._name!r} on the brokers (`rasd topics create` makes it)",
                    reason="no-topic",
                )
            log.warning("there is no topic %s yet; waiting for it", self._name)
            where = Where()
            while not partitions:
                time.sleep(0.5)
                with self._patience():
                    partitions = self._partitions()
        ends, starts = self._extent(partitions, where)
        if self._group is not None:
            self._begin_group(starts)
            self._ends = ends
            return
        if where.last is not None:
            self._skip = max(0, sum(ends[at] - starts[at] for at in ends) - where.last)
        self._ends = ends
        self._assign(starts)

    def _extent(
        self, partitions: list[int], where: Where
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """The ends of the partitions, and where to begin on each."""
        from kafka import TopicPartition

        ours = [TopicPartition(self._name, p) for p in partitions]
        first, ends = self._consumer.beginning_offsets(ours), self._consumer.end_offsets(ours)
        found = {} if where.time is None else self._consumer.offsets_for_times(dict.fromkeys(ours, max(0, where.time)))
        times = ends | {at: row.offset for at, row in found.items() if row is not None}
        return ends, {at: where.offset(first[at], ends[at], times[at]) for at in ours}

    def _begin_group(self, starts: Mapping[TopicPartition, int]) -> None:
        """Commits where the group begins before it reads: else it would forget that when stopped early."""
        assert self._group is not None
        with Groups(self._cluster) as groups:
            known = groups.all(self._group)[0].committed
            new = {
                (self._topic, at.partition): n for at, n in starts.items() if (self._topic, at.partition) not in known
            }
            if new:
                with contextlib.suppress(GroupBusy):  # then a member that works already has done it
                    groups.move(self._group, new)
        self._consumer.subscribe([self._name])

    def _assign(self, starts: Mapping[TopicPartition, int]) -> None:
        self._at |= starts
        self._consumer.assign(sorted(self._at))
        for at, offset in self._at.items():
            self._held.setdefault(at, deque())
            self._held_bytes.setdefault(at, 0)
            self._consumer.seek(at, offset)

    # -- what comes ------------------------------------------------------------------------------------------------

    def _take(self, polled: Mapping[TopicPartition, list[ConsumerRecord]]) -> None:
        for at, records in polled.items():
            if self._away is not None:
                self._back()
            self._held.setdefault(at, deque()).extend(records)
            self._held_bytes[at] = self._held_bytes.get(at, 0) + sum(len(r.value or b"") for r in records)
            self._at[at] = records[-1].offset + 1
            if self._group is None and self._held_bytes[at] > HELD_BYTES:
                self._consumer.pause(at)

    def _ready(self) -> list[ConsumerRecord]:
        """What can be given out: while a partition is still behind, nothing that it may have something older than."""
        out: list[ConsumerRecord] = []
        while self._group is not None or not any(
            not self._held[at] and self._at[at] < end for at, end in self._ends.items()
        ):
            heads = [(held[0].timestamp, at) for at, held in self._held.items() if held]
            if not heads:
                break
            _, at = min(heads)
            record = self._held[at].popleft()
            if not self._held[at]:
                self._held_bytes[at] = 0
                if self._group is None:
                    self._consumer.resume(at)
            if self._follow or record.offset < self._ends.get(at, 0):
                out.append(record)
        skipped = min(self._skip, len(out))
        self._skip -= skipped
        return out[skipped:]

    def _caught_up(self) -> bool:
        if self._group is None:
            return all(self._at[at] >= end for at, end in self._ends.items())
        ours = self._consumer.assignment()
        if not ours:
            if self._consumer.group_metadata().state != "<stable>":
                return False
            log.warning("the other members of group %s read all partitions of %s", self._group, self._name)
            return True
        return all((self._consumer.position(at, timeout_ms=1000) or 0) >= self._ends.get(at, 0) for at in ours)

    # -- looking after the topic and the brokers -------------------------------------------------------------------

    def _look_after(self) -> None:
        from kafka import TopicPartition

        self._looked = time.monotonic()
        with self._patience():
            there = [TopicPartition(self._name, p) for p in self._partitions()]
            if self._group is not None:
                return  # the group sees to it
            if not there:
                if self._at:
                    log.warning("topic %s is gone; waiting for it to be made again", self._name)
                self._forget()
            elif new := [at for at in there if at not in self._at]:
                self._assign(dict.fromkeys(new, 0))
            if not self._follow:
                self._end_earlier()

    def _begin_anew(self) -> None:
        """The topic is another one: offsets of the old one mean nothing there."""
        log.warning("topic %s was made anew; reading from its beginning", self._name)
        self._at = dict.fromkeys(self._at, 0)
        self._ends.clear()
        self._done.clear()
        read_anew(self._consumer, {self._name})

    def _forget(self) -> None:
        """Nothing of the topic is there any more; should it come back, it begins anew."""
        self._at.clear()
        self._ends.clear()
        self._identities = Identities()
        self._consumer.unsubscribe()

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        """Brokers that do not answer within are waited for."""
        from kafka.errors import KafkaError

        try:
            yield
        except KafkaError as e:
            self._troubled(e)
        else:
            if self._away is not None:
                self._back()

    def _end_earlier(self) -> None:
        """Where the partitions are shorter by now, or their last offsets hold no messages, there is nothing to wait
        for."""
        ends = self._consumer.end_offsets(list(self._ends), timeout_ms=REQUEST_MS)
        for at in self._ends:
            self._ends[at] = min(self._ends[at], ends[at])
            if not self._held[at]:
                self._at[at] = max(self._at[at], self._consumer.position(at, timeout_ms=1000) or 0)

    def _partitions(self) -> list[int]:
        """The topic's partitions; none if it is not there. Raises: KafkaError, RasdError if it may not be read."""
        from kafka.errors import NoError, TopicAuthorizationFailedError, for_code

        (row,) = self._admin.describe_topics([self._name])
        error = for_code(row["error_code"])
        if error is TopicAuthorizationFailedError:
            raise RasdError(f"topic {self._name!r} may not be read by this user", reason="no-access")
        return sorted(p["partition_index"] for p in row["partitions"]) if error is NoError else []

    def _troubled(self, e: Exception) -> None:
        from kafka.errors import AuthorizationError

        if isinstance(e, AuthorizationError):
            raise RasdError(f"topic {self._name!r} may not be read by this user: {e}", reason="no-access") from e
        now = time.monotonic()
        if self._away is None:
            self._away = now
            log.warning("Kafka does not answer (%s); waiting for it", type(e).__name__)
        elif not self._follow and now - self._away > PATIENCE_SECONDS:
            raise RasdError(f"Kafka has not answered for {PATIENCE_SECONDS:.0f} s: {e}", reason="no-broker") from e

    def _back(self) -> None:
        self._away = None
        log.warning("Kafka answers again, going on")


def _clients(cluster: Cluster, group: str | None) -> tuple[KafkaAdminClient, KafkaConsumer]:
    """Raises: Unreachable saying why."""
    from kafka import KafkaConsumer
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    shared = {"bootstrap_timeout_ms": int(BOOT_SECONDS * 1000)}
    own: dict[str, Any] = {**cluster.consumer(), **shared, "metrics_enabled": False, "metadata_max_age_ms": 2000}
    if group is not None:
        own |= {"group_id": cluster.group(group)}
    try:
        admin = KafkaAdminClient(**cluster.common(), **shared, request_timeout_ms=REQUEST_MS)
        return admin, KafkaConsumer(**own)
    except (KafkaError, OSError, ValueError) as e:
        raise trouble(cluster) or Unreachable(f"{named(cluster)}: {e}", retryable=True) from e
