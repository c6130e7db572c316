"""Live ingestion beside the embedded runtime: sockets in a thread of their own, the log in the runtime's.

What the pollers and fetchers find waits in an outbox until a turn of the runtime has written it, in one transaction;
only then are they told, and only then do they remember that they have seen it. Entries go the other way: from the log
to the fetcher's frontier, and the offset is committed once the frontier has them. So a kill at any moment repeats at
most what was under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from connectors.clock import Clock, SystemClock
from pipeline import wire
from pipeline.errors import RasdError
from pipeline.flow import Failure
from pipeline.log import Message
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.turns import Reader, append_found, encoded, reject_of
from pipeline.topics import ENTRIES

if TYPE_CHECKING:
    from pipeline.runtimes.embedded import Embedded

log = logging.getLogger("rasd.live")
Found = Entry | Article | Reject
FETCH = "fetch"  # the consumer of the entries topic
COLLECT_AFTER = 50_000  # new objects; Python's own 700 is made for small programs
END_SECONDS = 4.0  # for what is under way to be finished when asked to stop, which may take five in all


class Fetches(Protocol):
    """The part of ingestion that takes entries."""

    async def take(self, entries: Sequence[Entry]) -> object:
        """Returns once they are durable on its side."""


class Ingest(Protocol):
    """What runs in the thread: everything with sockets. It ends by itself when it has nothing more to do, or soon
    after `stop` is set."""

    async def __call__(self, live: Live, stop: asyncio.Event) -> None: ...


@dataclass(slots=True)
class _Delivery:
    records: Sequence[Found]
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Batch:
    """Entries on their way to the frontier. bad: those of the messages that hold none, and why."""

    messages: list[Message]
    bad: list[tuple[Message, Failure]]
    taken: threading.Event = field(default_factory=threading.Event)


class Live:
    """Runs `ingest` in a thread. One use: `start`, then turns, then `close`.

    fetcher: set by `ingest` before anything else; entries wait in the log until it is. caught_up: no entry of the log
    is on its way to it.
    """

    def __init__(
        self,
        ingest: Ingest,
        *,
        clock: Clock | None = None,
        new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.fetcher: Fetches | None = None
        self.caught_up = False
        self.ready = threading.Event()  # something waits for the runtime
        self._ingest, self._new_loop = ingest, new_loop
        self._outbox: deque[_Delivery] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._taking: set[asyncio.Task[None]] = set()
        self._closing = False
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rasd-live", daemon=True)

    # -- in the thread of the sockets --------------------------------------------------------------------------------

    async def publish(self, records: Sequence[Found]) -> None:
        """Hands records to the log; returns once they are durable there."""
        if not records:
            return
        delivery = _Delivery(records, asyncio.get_running_loop().create_future())
        with self.clock.working():
            self._outbox.append(delivery)
            self.ready.set()
            await delivery.done

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._new_loop) as runner:
                runner.run(self._main())
        except BaseException as e:
            self._error = e
        finally:
            self._ended.set()
            self.ready.set()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._closing:  # asked to stop before there was a loop to tell it to
            self._stop.set()
        await self._ingest(self, self._stop)

    async def _take(self, batch: _Batch, entries: Sequence[Entry]) -> None:
        assert self.fetcher is not None
        with self.clock.working():
            try:
                await self.fetcher.take(entries)
            except asyncio.CancelledError:
                raise
            except BaseException as e:
                self._error = e
                if self._stop is not None:
                    self._stop.set()
                return
            batch.taken.set()
            self.ready.set()

    # -- in the runtime's thread -------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    @property
    def ended(self) -> bool:
        """True if nothing more will come. Raises: what ended it, if that was an error."""
        if self._error is not None:
            raise self._error
        return self._ended.is_set() and not self._outbox

    def deliveries(self, limit: int) -> list[_Delivery]:
        """What waits to be written, at least one delivery and about `limit` records."""
        out: list[_Delivery] = []
        size = 0
        while self._outbox and size < limit:
            out.append(self._outbox.popleft())
            size += len(out[-1].records)
        return out

    def acknowledge(self, deliveries: Sequence[_Delivery]) -> None:
        """Says that they are durable."""

        def tell() -> None:
            for delivery in deliveries:
                if not delivery.done.done():
                    delivery.done.set_result(None)

        if deliveries:
            self._in_loop(tell)

    def give(self, batch: _Batch, entries: Sequence[Entry]) -> None:
        """Hands entries to the fetcher; `batch.taken` is set once they are durable there."""

        def begin() -> None:
            task = asyncio.ensure_future(self._take(batch, entries))
            self._taking.add(task)  # the loop itself keeps only weak references to tasks
            task.add_done_callback(self._taking.discard)

        self._in_loop(begin)

    def close(self, turn: Callable[[], Any]) -> None:
        """Asks it to stop, lets `turn` write what is still delivered, and ends it for good after END_SECONDS."""
        if not self._thread.is_alive():
            return
        end = time.monotonic() + END_SECONDS
        self._closing = True
        if self._stop is not None:
            self._in_loop(self._stop.set)
        while not self._ended.is_set() and time.monotonic() < end:
            try:
                turn()
            except Exception as e:  # said already if it ended the run; here only the end is at stake
                log.warning("what was fetched last will be fetched again: %s", e)
                break
            self.ready.wait(0.05)
            self.ready.clear()
        self._in_loop(self._give_up)
        self._thread.join(timeout=END_SECONDS)
        if self._thread.is_alive():
            log.warning("the connections did not end in time")

    def _give_up(self) -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    def _in_loop(self, call: Callable[[], Any]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(call)


def rarely_collect() -> None:
    """Looks for cycles among what is new only, and more rarely: what was loaded at the start is never garbage, and
    looking through it for every few hundred requests was a tenth of the loop's time (bench/pages_fetch.md)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 100)


class LiveTurn:
    """Writes what live ingestion found, and hands it the entries that it or others wrote."""

    def __init__(self, runtime: Embedded, live: Live) -> None:
        self.runtime, self.live = runtime, live
        runtime.durably(self._register)
        self.reader = Reader(runtime, FETCH, ENTRIES)
        self.batch: _Batch | None = None
        live.start()

    def _register(self) -> None:
        with self.runtime.log.transaction():
            self.runtime.log.register(FETCH, ENTRIES.name)

    @property
    def done(self) -> bool:
        return self.live.ended and self.batch is None

    def turn(self) -> bool:
        ended = self.live.ended
        deliveries = self.live.deliveries(self.runtime.batch)
        if deliveries:
            self._write([record for d in deliveries for record in d.records])
        moved = bool(deliveries)
        if self.batch is not None and self.batch.taken.is_set():
            self._commit(self.batch)
            self.batch, moved = None, True
        # Before the acknowledgement, so that a simulated clock never sees a moment in which nothing is under way.
        if self.batch is None and self.live.fetcher is not None and not ended and not self.runtime.stop.is_set():
            moved = self._hand_over() or moved
        self.live.caught_up = self.batch is None and not self.reader.behind()
        self.live.acknowledge(deliveries)
        return moved

    def _write(self, records: Sequence[Found]) -> None:
        pairs = [encoded(record, self.runtime.max_bytes) for record in records]

        def write() -> None:
            with self.runtime.log.transaction():
                append_found(self.runtime.log, pairs)

        self.runtime.durably(write)
        self.runtime.count_found([record for record, _ in pairs])

    def _hand_over(self) -> bool:
        messages = self.reader.read(self.runtime.batch)
        if not messages:
            return False
        entries, bad = [], []
        for message in messages:
            try:
                entries.append(wire.decode(Entry, message.value))
            except RasdError as e:
                bad.append((message, Failure(e.reason, str(e), e.retryable)))
        self.batch = _Batch(messages, bad)
        self.live.give(self.batch, entries)
        return True

    def _commit(self, batch: _Batch) -> None:
        def write() -> None:
            with self.runtime.log.transaction():
                for message, failure in batch.bad:
                    self.runtime.reject(reject_of(message, FETCH, failure), message.time)
                self.reader.commit(batch.messages)

        self.runtime.durably(write)
        self.reader.done(batch.messages)

    def wait(self, seconds: float) -> None:
        """Until something waits to be written, or the time is over."""
        self.live.ready.wait(seconds)
        self.live.ready.clear()

    def close(self) -> None:
        self.live.close(self.turn)
