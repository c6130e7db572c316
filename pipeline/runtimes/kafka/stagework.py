"""The work of one stage on a broker, whatever engine brings the messages.

A message is made (decoded and stepped) in the loop or in the pool, and what is under way stands in a window per
partition. It is settled strictly from its head, several at once, in this order: outputs sent and acknowledged → state's
changes on the changelog and acknowledged → state stored → the message may be committed. A kill in between
repeats work and loses none: the same message makes the same outputs until its changes are on the changelog, and from
then on it is known.

When partitions are taken away all that is under way is dropped, without a word to the broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pipeline import wire
from pipeline.errors import RasdError, Stalled
from pipeline.flow import Failure, Made, Stage, View, loaded, make, make_many
from pipeline.log.kafka.headers import TRACE, event_time, header, headers, schema_of
from pipeline.pool import Pool, result
from pipeline.runtimes.kafka.fitting_rejects import bounded_reject, encoded
from pipeline.runtimes.kafka.stage_engine import Engine, Incoming, Meter, Outgoing, Stored, TooLarge
from pipeline.runtimes.turns import CHUNK, Overlay, given_up
from pipeline.topics import REJECTS

log = logging.getLogger("rasd.worker")
HELD_BYTES = 64_000_000  # of messages under way in a stage, beyond which nothing more is taken
BREATH_SECONDS = 0.05  # a stage in the loop lets others run after so long
_TRACE = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class _Refused(RasdError):
    """What comes of the message at `offset` is more than the broker takes."""

    reason = "too-large"

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@contextlib.contextmanager
def _refused_by(rows: Sequence[tuple[int, object]]) -> Iterator[None]:
    """Says whose it is that is too large. rows: what is sent together, each with its message's offset."""
    try:
        yield
    except TooLarge as e:
        raise _Refused(str(e), rows[e.at][0]) from e


@dataclass(slots=True)
class _Flight:
    """Messages that are being made together; `made` stands from the end on."""

    messages: list[Incoming]
    made: list[Made] | None = None


@dataclass(slots=True)
class Tally:
    """What a stage made of its messages."""

    taken: int = 0
    settled: int = 0
    what: Counter[str] = field(default_factory=Counter)


class StageWork:
    """One stage, over the partitions that it was given. All methods are called in the loop.

    pool: for a stage that runs in processes. failed: resolved with the error that ends the work (a bug, damaged state,
    Displaced); whoever runs the engine watches it.
    """

    def __init__(
        self,
        stage: Stage,
        engine: Engine,
        *,
        pool: Pool | None = None,
        gazetteer: Path | None = None,
        batch: int = 256,
        window: int = 3,
        task_seconds: float = 20.0,
        max_bytes: int = 8_000_000,
        meter: Meter | None = None,
    ) -> None:
        self.stage, self.engine, self.pool, self.gazetteer = stage, engine, pool, gazetteer
        self.batch, self.task_seconds, self.max_bytes, self.meter = batch, task_seconds, max_bytes, meter
        processes = pool.processes if pool is not None else 1
        # Enough to keep all processes busy, and no more: what is under way is done again when partitions move.
        self.flights = window * processes if stage.pooled else window
        self.chunk = CHUNK if stage.pooled else batch
        self.room = self.flights * self.chunk + batch
        self.tally = Tally()
        self.parts: dict[int, _Part] = {}
        self.held = 0
        self.held_bytes = 0
        self.moved = time.monotonic()  # when something last came, was settled or was opened
        self.draining = False
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()

    # -- for the engine ----------------------------------------------------------------------------------------------

    def assign(self, partitions: Iterable[int]) -> None:
        """Begins with these partitions and no others."""
        self.revoke()
        self.parts = {p: _Part(self, p) for p in sorted(partitions)}
        for part in self.parts.values():
            part.start()

    def revoke(self) -> None:
        """Drops all that is under way."""
        gone, self.parts = self.parts, {}
        for part in gone.values():
            part.end()
        self.held = self.held_bytes = 0
        self._turn()

    async def take(self, message: Incoming) -> None:
        """Takes a message; waits while there is no room. A message of a partition that is not ours is dropped."""
        part = self.parts.get(message.partition)
        while (
            part is not None and part.live and not self.failed.done() and not (self._has_room() and not self.draining)
        ):
            self._changed.clear()
            await self._changed.wait()
            while part.heir is not None:
                part = part.heir
        if part is None or not part.live or self.failed.done() or message.offset <= part.last:
            return
        part.last = message.offset
        self.held += 1
        self.held_bytes += message.size
        self.tally.taken += 1
        self.moved = time.monotonic()
        part.put(message)

    async def ready(self) -> None:
        """Returns when the state of all partitions can be used."""
        await asyncio.gather(*(part.opened.wait() for part in self.parts.values()))

    def is_ready(self) -> bool:
        return all(part.opened.is_set() for part in self.parts.values())

    async def drain(self, seconds: float) -> None:
        """Takes nothing any more, begins nothing any more, and waits until what is being made is settled."""
        self.draining = True
        end = time.monotonic() + seconds
        for part in self.parts.values():
            part.forget_queue()
        while self.held and time.monotonic() < end and not self.failed.done():
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(0.0, end - time.monotonic()))

    # -- for its parts -----------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)
        self._turn()

    def let_go(self, messages: Collection[Incoming]) -> None:
        self.held -= len(messages)
        self.held_bytes -= sum(m.size for m in messages)
        self._turn()

    def note(self, batch: Sequence[tuple[Incoming, Made]]) -> None:
        """Counts what was settled."""
        self.moved, now = time.monotonic(), time.time()
        self.tally.settled += len(batch)
        for message, made in batch:
            self.tally.what[made.what] += 1
            if self.meter is None:
                continue
            self.meter.count("rasd_records_total", stage=self.stage.name, what=made.what)
            if made.failure is not None:
                self.meter.count("rasd_rejects_total", stage=self.stage.name, reason=made.failure.reason)
            if message.timestamp > 0:
                age = max(0.0, now - message.timestamp / 1000)
                self.meter.observe("rasd_freshness_seconds", age, stage=self.stage.name)

    def _has_room(self) -> bool:
        return self.held < self.room and (self.held == 0 or self.held_bytes < HELD_BYTES)

    def _turn(self) -> None:
        self._changed.set()


class _Part:
    """One partition of a stage: what waits, what is being made, what is made and waits to be settled."""

    def __init__(self, work: StageWork, partition: int) -> None:
        self.work, self.stage, self.partition = work, work.stage, partition
        self.live = True
        self.heir: _Part | None = None  # what goes on with this partition, of the same generation
        self.last = -1  # offset of the message last taken
        self.opened = asyncio.Event()
        self.overlay: Overlay | None = None
        self.view: View | None = None
        self.queue: deque[Incoming] = deque()
        self.flying: deque[_Flight] = deque()
        self.done: deque[tuple[Incoming, Made]] = deque()
        self.too_large: dict[int, str] = {}  # offsets whose outputs the broker does not take, and why
        self._changed = asyncio.Event()
        self._landed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._begin(self._run())

    def end(self) -> None:
        self.live = False
        for task in self._tasks:
            task.cancel()
        self.queue.clear()
        self.flying.clear()
        self.done.clear()
        self.view = self.overlay = None

    def put(self, message: Incoming) -> None:
        self.queue.append(message)
        self._changed.set()

    def forget_queue(self) -> None:
        """What waits is left to whoever has the partition next."""
        self.work.let_go(self.queue)
        self.queue.clear()

    def _begin(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._watched(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self, job: Awaitable[None]) -> None:
        try:
            await job
        except asyncio.CancelledError:
            raise
        except BaseException as e:
            if self.live:
                self.work.fail(e)

    async def _run(self) -> None:
        await self._open()
        self._begin(self._settle_all())
        while True:
            while not self.queue or len(self.flying) >= self.work.flights:
                self._changed.clear()
                await self._changed.wait()
            if self.stage.pooled:
                self._fly(self._next_chunk())
            else:
                await self._make_here()

    async def _open(self) -> None:
        """Loads the step, and builds the view in a thread: heartbeats go on."""
        if not self.stage.pooled:
            self.step = await asyncio.to_thread(loaded, self.stage, self.work.gazetteer)
        if self.stage.view is not None:
            self.overlay = Overlay(self.work.engine.stored(self.partition))
            self.view = await asyncio.to_thread(self.stage.view, self.overlay)
        self.work.moved = time.monotonic()
        self.opened.set()

    # -- making ------------------------------------------------------------------------------------------------------

    def _next_chunk(self) -> list[Incoming]:
        """Shared out evenly while little waits, so that no process idles."""
        processes = self.work.pool.processes if self.work.pool else 1
        size = min(self.work.chunk, max(1, -(-len(self.queue) // processes)))
        return [self.queue.popleft() for _ in range(min(size, len(self.queue)))]

    async def _make_here(self) -> None:
        """Makes a batch in the loop; its changes are seen by the next message."""
        flight = _Flight([])
        made: list[Made] = []
        begin = time.monotonic()
        while self.queue and len(made) < self.work.chunk and time.monotonic() - begin < BREATH_SECONDS:
            message = self.queue.popleft()
            one = self._make(message)
            if one.changes and self.view is not None and self.overlay is not None:
                self.overlay.put(one.changes)
                self.view.apply(one.changes)
            flight.messages.append(message)
            made.append(one)
        flight.made = made
        self.flying.append(flight)
        self._landed.set()
        await asyncio.sleep(0)

    def _make(self, message: Incoming) -> Made:
        made = self._refused(message)
        if made is None:
            made = make(self.stage, self.step, message.value or b"", self.view)
        return self._bounded(made)

    def _refused(self, message: Incoming) -> Made | None:
        """What cannot be a message of ours, seen without a look inside."""
        if message.offset in self.too_large:
            return _reject("too-large", self.too_large[message.offset])
        if message.value is None:
            return _reject("no-value", "a message without a value")
        if len(message.value) > self.work.max_bytes:
            return _reject(
                "too-large", f"a message of {len(message.value):,} bytes; the limit is {self.work.max_bytes:,}"
            )
        if message.key is not None and not _is_text(message.key):
            return _reject("bad-key", "the key is not UTF-8")
        return None

    def _bounded(self, made: Made) -> Made:
        """A reject instead of what no topic would take."""
        sizes = [len(value) for _, _, value in made.outputs] + [len(v) for v in (made.changes or {}).values()]
        if sizes and max(sizes) > self.work.max_bytes:
            return _reject("too-large", f"it makes a message of {max(sizes):,} bytes; the limit is less")
        return made

    def _fly(self, messages: list[Incoming]) -> None:
        flight = _Flight(messages)
        self.flying.append(flight)
        self._begin(self._make_in_pool(flight))

    async def _make_in_pool(self, flight: _Flight) -> None:
        refused = {m.offset: made for m in flight.messages if (made := self._refused(m)) is not None}
        values = [m.value or b"" for m in flight.messages if m.offset not in refused]
        found = iter(await self._many(values) if values else [])
        flight.made = [self._bounded(refused.get(m.offset) or next(found)) for m in flight.messages]
        self._landed.set()

    async def _many(self, values: list[bytes]) -> list[Made]:
        try:
            return await self._submit(values)
        except Stalled as e:
            log.warning("a chunk of %d articles %s; running each alone", len(values), e)
        out: list[Made] = []
        for value in values:
            try:
                out += await self._submit([value])
            except Stalled as e:
                out.append(given_up(e))
        return out

    async def _submit(self, values: list[bytes]) -> list[Made]:
        """Raises: Stalled."""
        if self.work.pool is None:
            raise RuntimeError(f"stage {self.stage.name} needs a pool")
        future = self.work.pool.submit(self.work.task_seconds, make_many, self.stage, self.work.gazetteer, values)
        with contextlib.suppress(Exception):  # `result` says what it came to
            await asyncio.wrap_future(future)
        return result(future, wait=0)

    # -- settling ----------------------------------------------------------------------------------------------------

    async def _settle_all(self) -> None:
        while True:
            while self.flying and (made := self.flying[0].made) is not None:
                flight = self.flying.popleft()
                self.done.extend(zip(flight.messages, made, strict=True))
                self._changed.set()
            if not self.done:
                self._landed.clear()
                await self._landed.wait()
                continue
            try:
                await self._settle(self._head())
            except _Refused as e:
                self._refuse(e)

    def _head(self) -> list[tuple[Incoming, Made]]:
        """What is settled next. No state is changed twice in it, so that sending it again after a failure ends the same
        wherever it is cut off."""
        out: list[tuple[Incoming, Made]] = []
        touched: set[str] = set()
        for message, made in self.done:
            keys = made.changes.keys() if made.changes else ()
            if len(out) >= self.work.batch or not touched.isdisjoint(keys):
                break
            touched.update(keys)
            out.append((message, made))
        return out

    async def _settle(self, batch: list[tuple[Incoming, Made]]) -> None:
        """Raises: _Refused, Displaced, MadeAnew."""
        outputs = [(m.offset, outgoing) for m, made in batch for outgoing in self._outgoing(m, made)]
        changes = [(m.offset, change) for m, made in batch for change in (made.changes or {}).items()]
        if outputs:
            with _refused_by(outputs):
                await self.work.engine.send([outgoing for _, outgoing in outputs])
        if changes and self.overlay is not None:
            changed = [change for _, change in changes]
            with _refused_by(changes):
                offset = await self.work.engine.log_changes(self.partition, changed)
            cast(Stored, self.overlay.stored).put(dict(changed), offset)
            self.overlay.settle(dict(changed))
        if not self.live:
            return  # moved away while the answer was on its way: `wait_for` swallows a cancellation then
        self.work.engine.ack(self.partition, batch[-1][0].offset + 1)
        for message, _ in batch:
            self.done.popleft()
            self.too_large.pop(message.offset, None)
        self.work.note(batch)
        self.work.let_go([message for message, _ in batch])

    def _outgoing(self, message: Incoming, made: Made) -> Iterable[Outgoing]:
        time_, trace = event_time(message.headers), _trace(message)
        for topic, key, value in made.outputs:
            yield Outgoing(topic, encoded(key), value, headers(schema_of(value), time_, trace))
        if made.failure is not None:
            reject = bounded_reject(message, self.stage.name, made.failure, self.work.max_bytes)
            value = wire.encode(reject)
            yield Outgoing(REJECTS.name, encoded(reject.key), value, headers(schema_of(value), time_, trace))

    def _refuse(self, refused: _Refused) -> None:
        """Begins again with all that is under way; the message whose output the broker does not take is a reject."""
        if refused.offset in self.too_large:
            raise refused  # not even the reject is taken
        self.too_large[refused.offset] = error = str(refused)
        log.warning("offset %d: %s; it is rejected", refused.offset, error)
        again = [m for m, _ in self.done] + [m for f in self.flying for m in f.messages] + list(self.queue)
        part = _Part(self.work, self.partition)
        part.too_large, part.last = self.too_large, self.last
        part.queue.extend(again)
        self.live = False
        self.heir = self.work.parts[self.partition] = part
        part.start()
        self.end()


def _reject(reason: str, error: str) -> Made:
    return Made(what="reject", failure=Failure(reason, error))


def _is_text(key: bytes) -> bool:
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _trace(message: Incoming) -> bytes | None:
    """The trace that the message belongs to, if it names a valid one."""
    value = header(message.headers, TRACE)
    return value if value is not None and _TRACE.fullmatch(value) else None
