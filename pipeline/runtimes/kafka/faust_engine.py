"""Faust as the engine of one stage: it joins the group, recovers state from its changelog, brings the messages.

What Faust does not do here, each for a reason found in its source or measured (docs/decisions/0013):
- acknowledge and commit: its list of acknowledged offsets survives a rebalance, and from a group's first offset on it
  commits past a gap; here the offset to commit is the one behind what was settled last, per partition and generation;
- send: see `worker_sender`; write state: see `state`;
- decode: an exception in an agent drops its message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import faust
from faust.transport.consumer import Consumer
from faust.types import TP
from yarl import URL

from pipeline.flow import Stage
from pipeline.log.kafka.clients import HEADROOM, Cluster
from pipeline.runtimes.kafka.faust_records import read_any_header
from pipeline.runtimes.kafka.stage_engine import Displaced, Incoming, MadeAnew, Outgoing, Stored
from pipeline.runtimes.kafka.stagework import StageWork
from pipeline.runtimes.kafka.state import PartitionedStore, StateTable
from pipeline.runtimes.kafka.state_changelog import TABLE
from pipeline.runtimes.kafka.succession import Succession
from pipeline.runtimes.kafka.worker_sender import Sender, connection

log = logging.getLogger("rasd.worker")
COMMIT_SECONDS = 0.5
BUFFER = 64  # messages that Faust holds between its fetcher and us
STOP_SECONDS = 1.5  # that Faust may take to close
LAST_COMMIT_SECONDS = 0.7
TICK_SECONDS = 0.2
INSIST_SECONDS = 0.25
#: Part of a session after which a loop that stood still no longer trusts its assignment: heartbeats are sent every
#: quarter, so the broker may have heard the last one a quarter before.
PATIENCE = 0.7


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine works. instance: the member's name over restarts. folder: for its state."""

    instance: str
    folder: Path


async def _none() -> Sequence[str]:
    return ()


class FaustEngine:
    """One stage as a Faust app, from one start to one end; after a crash a new one is made.

    `work` is set right after construction, since each needs the other. made_anew: asks the brokers which of the stage's
    topics are others by now. from_the_first: what the group has committed is
    of a topic that is no more; its first assignment begins at the first messages there are.
    """

    work: StageWork

    def __init__(
        self,
        cluster: Cluster,
        stage: Stage,
        place: Place,
        *,
        made_anew: Callable[[], Awaitable[Sequence[str]]] = _none,
        from_the_first: bool = False,
    ) -> None:
        read_any_header()
        self.cluster, self.stage, self.made_anew = cluster, stage, made_anew
        self.sender = Sender(cluster)
        self.source = cluster.topic(stage.reads.name)
        self.succession = Succession(cluster, self.source)
        self.commits = self.rebalances = 0
        self._from_the_first = from_the_first
        self._joined = 0
        self._settled: dict[int, int] = {}  # partition → offset to commit
        self._committed: dict[int, int] = {}
        self._generation: int | None = None
        self._logged: dict[int, int] = {}  # partition → offset of our last change on the changelog
        self._least: dict[int, int] = {}  # partition → an offset that its changelog is known to have had
        self._ticked = time.monotonic()
        self._taking = False  # a message waits for room
        self._tasks: list[asyncio.Task[None]] = []
        self.app = faust_app(cluster, stage, place)
        self.app.agent(self.app.topic(self.source, acks=False), name=stage.name)(self._agent)
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_rebalance_complete.connect(self._rebalanced)
        self.table: StateTable | None = None
        if stage.view is not None:
            self.table = StateTable(self.app, name=TABLE, key_type=bytes, value_type=bytes)
            self.app.tables.add(self.table)

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns when Faust has started; partitions are assigned later."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(job()) for job in (self._commit_often, self._watch_the_clock, self._insist)]
        await self.app.start()

    async def stop(self) -> None:
        """Ends within seconds, whatever brokers do. What was settled is committed if they let us."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(Exception):  # what is not committed comes again
            await asyncio.wait_for(self._commit(), LAST_COMMIT_SECONDS)
        self.work.revoke()
        await self.sender.abandon()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.app.stop(), STOP_SECONDS)

    def forget(self) -> None:
        """Commits nothing any more: offsets are of a topic that is no more."""
        self._generation = None
        self.work.revoke()
        self._settled.clear()

    def crash(self) -> BaseException | None:
        """Why Faust has ended by itself, if it has."""
        if self.app.crashed:
            return self.app.crash_reason or RuntimeError("crashed")
        return RuntimeError("stopped") if self.app.should_stop else None

    def lag(self) -> dict[int, int]:
        """Messages of each partition that are still to be settled, as far as it is known."""
        out = {}
        for partition in self.work.parts:
            with contextlib.suppress(Exception):  # the consumer is between two assignments
                highwater = self.app.consumer.highwater(TP(self.source, partition))
                if highwater is not None and partition in self._settled:
                    out[partition] = max(0, highwater - self._settled[partition])
        return out

    def caught_up(self) -> bool:
        """Whether the brokers have told how long the partitions are, and all of it was taken."""
        try:
            ends = {p: self.app.consumer.highwater(TP(self.source, p)) for p in self.work.parts}
        except Exception:  # the consumer is between two assignments
            return False
        return all(end is not None and (self.succession.following(p) or 0) >= end for p, end in ends.items())

    # -- what StageWork asks for -------------------------------------------------------------------------------------

    async def send(self, messages: Sequence[Outgoing]) -> None:
        await self.sender.send(messages)

    async def log_changes(self, partition: int, changes: Sequence[tuple[str, bytes]]) -> int:
        """Raises: Displaced if others may have the partition by now, or have written to its changelog; MadeAnew if the
        changelog is another by now: changes to state that it does not have are taken back from it."""
        if self.table is None:
            raise RuntimeError(f"stage {self.stage.name} has no state")
        self._trust(partition)
        topic = self.table.changelog_topic.get_topic_name()
        try:
            last = await asyncio.wait_for(
                self.sender.log_changes(topic, partition, changes), self.cluster.session_seconds * PATIENCE
            )
        except TimeoutError as e:
            raise Displaced("the changelog could not be written for longer than a session") from e
        self._trust(partition)
        if 0 <= last <= self._least.get(partition, -1):
            if not await self.made_anew():
                raise Displaced(f"brokers have lost the end of the changelog of partition {partition}")
            await self.sender.log_changes(topic, partition, [(key, b"") for key, _ in changes])
            raise MadeAnew(f"{topic} was deleted and made anew")
        before = self._logged.pop(partition, None)
        if before is not None and last - before > len(changes) and not self.sender.repeated:
            raise Displaced(f"another worker has written to the changelog of partition {partition}")
        if last >= 0:  # else the broker had it already, from an attempt whose answer was lost
            self._logged[partition] = self._least[partition] = last
        return last

    def stored(self, partition: int) -> Stored:
        if self.table is None:
            raise RuntimeError(f"stage {self.stage.name} has no state")
        return cast(PartitionedStore, self.table.data).partition(partition)

    def ack(self, partition: int, following: int) -> None:
        self._settled[partition] = following

    def _trust(self, partition: int) -> None:
        """Raises: Displaced."""
        if time.monotonic() - self._ticked > self.cluster.session_seconds * PATIENCE:
            raise Displaced("this process stood still for longer than its session")
        if self._generation != self.app.consumer_generation_id or partition not in self.work.parts:
            raise Displaced(f"partition {partition} is being given out anew")

    # -- what Faust calls --------------------------------------------------------------------------------------------

    async def _agent(self, stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            if message.generation_id != self._generation:
                continue  # taken from the broker before partitions moved: it comes again
            if not await self.succession.follows(self.app.consumer, message.partition, message.offset):
                continue
            if message.generation_id != self._generation:
                continue
            incoming = Incoming(
                self.stage.reads.name,
                message.partition,
                message.offset,
                message.key,
                message.value,
                tuple(message.headers or ()),
                int((message.timestamp or 0) * 1000),
            )
            self._taking = True
            try:
                await self.work.take(incoming)
            finally:
                self._taking = False

    async def _revoked(self, *_: Any, **__: Any) -> None:
        """What was settled may still be committed; the rest is dropped."""
        self._generation = None
        self.succession.end()
        self.work.revoke()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._commit(), LAST_COMMIT_SECONDS)
        self._settled.clear()
        self._committed.clear()
        self._logged.clear()

    async def _rebalanced(self, *_: Any, **__: Any) -> None:
        """State is recovered; messages come next."""
        generation = self.app.consumer_generation_id
        mine = sorted(tp.partition for tp in self.app.consumer.assignment() if tp.topic == self.source)
        self._joined += 1
        if self._joined == 1 and (self._from_the_first or not mine):
            self._join_again()
        self._settled.clear()
        self._committed.clear()
        self._logged.clear()
        try:
            await self.succession.begin(self.app.consumer, mine, from_the_first=self._from_the_first)
        except Exception as e:
            self.work.fail(e)
            return
        if generation != self.app.consumer_generation_id:
            return  # and again
        if self._from_the_first and self._joined > 1 and mine:
            self._from_the_first = False
            self._settled = {p: self.succession.following(p) or 0 for p in mine}  # committed in place of what is there
        if self.table is not None:
            self._least = {p: self._recovered(self.table, p) for p in mine}
        self.rebalances += 1
        self._generation = generation
        log.info("%s: partitions %s", self.stage.name, ", ".join(map(str, mine)) or "none")
        self.work.assign(mine)

    @staticmethod
    def _recovered(table: StateTable, partition: int) -> int:
        """Offset on the changelog up to which state is recovered; -1 if there is none."""
        at = table.data.persisted_offset(TP(table.changelog_topic.get_topic_name(), partition))
        return -1 if at is None else at

    def _join_again(self) -> None:
        """Has partitions given out anew, if this is the member that the group's leader was before it was begun anew.

        A static member that comes back is given what it had, without a rebalance, and nobody compares that with the
        topic any more: a group that joined while the topic was away would have no partitions for good.
        """
        thread = cast(Any, self.app.consumer)._thread
        thread.thread_loop.call_soon_threadsafe(thread._ensure_consumer()._coordinator.request_rejoin)

    # -- by the clock ------------------------------------------------------------------------------------------------

    async def _commit_often(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            try:
                await self._commit()
            except Exception as e:
                self.work.fail(e)
                return

    async def _insist(self) -> None:
        while True:
            await asyncio.sleep(INSIST_SECONDS)
            try:
                if self._generation is not None:
                    await self.succession.insist(self.app.consumer, waiting=not self._taking)
            except Exception as e:
                self.work.fail(e)
                return

    async def _commit(self) -> None:
        """Commits what was settled since; a commit that fails crashes Faust, which begins anew."""
        new = {p: offset for p, offset in self._settled.items() if self._committed.get(p) != offset}
        if not new:
            return
        consumer = cast(Consumer, self.app.consumer)
        done = await consumer._commit_offsets({TP(self.source, p): offset for p, offset in new.items()})
        if done:
            self.commits += 1
            self._committed.update(new)

    async def _watch_the_clock(self) -> None:
        """Sees that the process stood still (stopped, swapped out, asleep): others may have its partitions."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            gap, self._ticked = now - self._ticked, now
            if gap > self.cluster.session_seconds * PATIENCE:
                self._generation = None
                self.work.fail(Displaced(f"this process stood still for {gap:.0f} s"))


def faust_app(cluster: Cluster, stage: Stage, place: Place) -> faust.App:
    """The app of a stage: its group, its limits, nothing of Faust's own web, topics and discovery."""
    session = cluster.session_seconds
    return faust.App(
        cluster.group(stage.name),
        broker=[URL(f"kafka://{server}") for server in cluster.servers],
        broker_client_id="rasd",
        broker_credentials=_credentials(cluster),
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
        broker_request_timeout=max(30.0, session * 2),
        broker_rebalance_timeout=max(20.0, session * 2),
        broker_max_poll_interval=3600.0,
        broker_commit_interval=60.0,  # nothing to commit: we do
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=place.instance,
        consumer_max_fetch_size=cluster.max_bytes + HEADROOM,
        consumer_metadata_max_age_ms=30_000,
        producer_max_request_size=cluster.max_bytes + HEADROOM,
        producer_acks=-1,
        stream_buffer_maxsize=BUFFER,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        datadir=str(place.folder / stage.name),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        autodiscover=False,
        table_standby_replicas=0,
    )


def _credentials(cluster: Cluster) -> Any:
    """Faust's words for how to log in; None where nothing is needed."""
    from faust.auth import SASLCredentials, SSLCredentials

    found = connection(cluster)
    context = found.get("ssl_context")
    if "sasl_mechanism" in found:
        return SASLCredentials(
            username=found["sasl_plain_username"],
            password=found["sasl_plain_password"],
            ssl_context=context,
            mechanism=found["sasl_mechanism"],
        )
    return SSLCredentials(context) if context is not None else None
