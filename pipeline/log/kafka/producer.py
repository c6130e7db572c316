"""Writing to Kafka: nothing is dropped, order is kept within a partition, and trouble of the brokers is waited out.

kafka-python's own producer gives a batch up when its delivery timeout is over, when the broker answers with an error
that it does not repeat by itself ("unknown server error" of a broker that is just going down), and when its sequence
numbers no longer fit; it then goes on with the later batches of the partition, or fails all of them. So:

- the delivery timeout is endless: as long as an error can be repeated, the same batch is sent again under the same
  sequence number, and the broker drops what it has already. One batch per partition is under way at a time.
- on any other failure the connection is closed from within the failure's callback, before its thread sends anything
  else, and everything not yet acknowledged is sent again in order over a new one. What was written but not acknowledged
  by then stands twice: readers know repeated records (at least once).
- a record is stamped with the time when it is given to a connection, so that one that brokers refuse for its time
  (4.0: an hour ahead of theirs) goes out once our clock is right.
- a record that brokers will never take (too large) fails alone, and so does everything where waiting cannot help (no
  such topic, no permission).
"""

from __future__ import annotations

import logging
import threading
import time as clock
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

from pipeline.errors import RasdError, StorageError, StoragePaused, Unusable
from pipeline.log.kafka.clients import Cluster, need_library
from pipeline.log.kafka.door import Unreachable, admin, named
from pipeline.log.kafka.headers import headers, schema_of
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.turns import Stopped, addressed

log = logging.getLogger("rasd.kafka")
Written = tuple[int, int]

SILENCE_SECONDS = 10.0  # without any acknowledgement before that is said
AGAIN_SECONDS = 1.0  # between two tries to connect
CONNECT_SECONDS = 5.0  # for one of them
END_SECONDS = 1.5  # for a connection's thread to end
MISSING_SECONDS = 3.0  # for which a topic just made may not be known to every broker
BATCH_BYTES = 128 * 1024  # of a partition, packed together: bench/kafka_producer.py
LINGER_MS = 5
OVERHEAD = 200  # bytes that a message takes besides its key and value, about: headers, framing


@dataclass(slots=True, eq=False)
class _Record:
    number: int
    topic: str
    key: bytes | None
    value: bytes
    partition: int | None
    headers: list[tuple[str, bytes]]
    future: Future[Written] = field(default_factory=Future)

    @property
    def size(self) -> int:
        return len(self.value) + len(self.key or b"") + OVERHEAD


class Producer:
    """See the module. For use by any number of threads; `send` keeps the order of one.

    buffer_bytes: of records under way; beyond them `send` waits. stop: ends a `send` or `flush` that waits.
    Nothing is connected before the first record.
    """

    def __init__(
        self, cluster: Cluster, *, stop: threading.Event | None = None, buffer_bytes: int = 32_000_000
    ) -> None:
        self.cluster, self.buffer_bytes = cluster, buffer_bytes
        self._stop = stop or threading.Event()
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)  # told when bytes have become free
        self._work = threading.Condition(self._lock)  # told when there is something for the keeper
        self._under_way: dict[int, _Record] = {}  # in the order of sending
        self._pending: deque[_Record] = deque()  # of these, what the connection was not given yet
        self._bytes = self._count = self._connections = 0
        self._kafka: Any = None
        self._broken: list[Any] = []
        self._known: set[str] = set()  # topics whose partitions the connection knows, so that it does not wait for them
        self._fault: StorageError | None = None
        self._refused: Exception | None = None
        self._closed = self._said = False
        self._heard, self._said_at = clock.monotonic(), 0.0
        self._missing_since: float | None = None
        self._failures = 0  # since the last acknowledgement
        self._why = ""  # the last of them
        self._ended = threading.Event()
        need_library()
        self._keeper = threading.Thread(target=self._keep, name="rasd-kafka-producer", daemon=True)
        self._keeper.start()

    # -- for callers -------------------------------------------------------------------------------------------------

    def send(
        self,
        topic: str,
        key: str | None,
        value: bytes,
        *,
        schema: bytes,
        time: int | None = None,
        trace: bytes | None = None,
        partition: int | None = None,
    ) -> Future[Written]:
        """Hands one message over, to the partition of its key (without a key: 0). The future gives (partition, offset)
        once every copy in sync has the message; the offset is -1 where the broker had it already.

        topic: our name. time: event time in ms. The future raises Unusable if brokers refuse this message for good,
        StoragePaused if the producer was closed before the acknowledgement.
        Raises: Stopped if it must wait for room and `stop` is set; StorageError where waiting cannot help.
        """
        record = _Record(
            number=0,
            topic=self.cluster.topic(topic),
            key=None if key is None else key.encode("utf-8", "surrogatepass"),
            value=value,
            partition=0 if partition is None and key is None else partition,
            headers=headers(schema, time, trace),
        )
        record.future.set_running_or_notify_cancel()  # it cannot be called back any more
        with self._lock:
            self._wait_for_room(record.size)
            if not self._under_way:
                self._heard = clock.monotonic()
            self._count += 1
            record.number = self._count
            self._under_way[record.number] = record
            self._bytes += record.size
            if self._kafka is not None and not self._pending and record.topic in self._known:
                self._hand(record)
            else:
                self._pending.append(record)
                self._work.notify()
        return record.future

    def send_records(
        self, pairs: Iterable[tuple[Entry | Article | Reject, bytes]], trace: bytes | None = None
    ) -> list[Future[Written]]:
        """Sends what a source found, as `pipeline.runtimes.turns.encoded` gives it, each to its topic."""
        out = []
        for record, value in pairs:
            topic, key, time = addressed(record)
            out.append(self.send(topic.name, key, value, schema=schema_of(value), time=time, trace=trace))
        return out

    def flush(self, seconds: float | None = None) -> None:
        """Returns once everything sent so far is acknowledged.

        Raises: StoragePaused if that took longer than `seconds`; without `seconds`, Stopped if `stop` is set before.
        What a message raised that was refused for good since the last flush, and StorageError as `send` does.
        """
        end = None if seconds is None else clock.monotonic() + seconds
        with self._lock:
            waiting = [r.future for r in self._under_way.values()]
        for future in waiting:
            while True:
                left = 0.2 if end is None else min(0.2, max(0.0, end - clock.monotonic()))
                try:
                    future.exception(left)
                    break
                except TimeoutError:
                    if end is None and self._stop.is_set():
                        raise Stopped from None
                    if end is not None and clock.monotonic() >= end:
                        raise StoragePaused(f"{named(self.cluster)}: no acknowledgement within {seconds:g} s") from None
        with self._lock:
            refused, self._refused = self._refused, None
        if self._fault is not None:
            raise self._fault
        if refused is not None:
            raise refused

    def close(self, seconds: float = 5.0) -> None:
        """Waits for acknowledgements for so long at most; what is still under way then fails with StoragePaused."""
        try:
            self.flush(seconds)
        except StoragePaused as e:
            log.warning("closing: %s", e)
        except RasdError:
            pass  # the futures tell it
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._ended.set()
            left = self._drop_all()
            self._work.notify()
            self._room.notify_all()
        for record in left:
            record.future.set_exception(StoragePaused(f"{named(self.cluster)}: closed before the acknowledgement"))
        self._keeper.join(END_SECONDS + 0.5)

    def under_way(self) -> tuple[int, int]:
        """Messages not acknowledged yet, and their bytes."""
        with self._lock:
            return len(self._under_way), self._bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close(0.5 if kind else 5.0)

    # -- inside, under the lock --------------------------------------------------------------------------------------

    def _wait_for_room(self, size: int) -> None:
        while True:
            if self._fault is not None:
                raise self._fault
            if self._closed:
                raise StorageError(f"{named(self.cluster)}: the producer is closed", reason="closed")
            if not self._under_way or self._bytes + size <= self.buffer_bytes:
                return
            if self._stop.is_set():
                raise Stopped
            self._room.wait(0.2)

    def _hand(self, record: _Record) -> None:
        from kafka.errors import KafkaError

        connection = self._connections
        try:
            future = self._kafka.send(
                record.topic,
                value=record.value,
                key=record.key,
                headers=record.headers,
                partition=record.partition,
                timestamp_ms=int(clock.time() * 1000),
            )
        except (KafkaError, ValueError) as e:
            if _is_for_good(e):
                record.future.set_exception(self._refuse(record, e))
            else:
                self._failed(connection, record, e)
        else:
            future.add_callback(partial(self._acknowledged, record))
            future.add_errback(partial(self._failed, connection, record))

    def _settle(self, record: _Record) -> bool:
        """Takes the record off what is under way; False if it was not there any more."""
        if self._under_way.pop(record.number, None) is None:
            return False
        self._bytes -= record.size
        if not self._under_way or self._bytes <= self.buffer_bytes * 3 // 4:
            self._room.notify_all()
        return True

    def _refuse(self, record: _Record, error: Exception) -> Unusable:
        """Takes off what brokers will never take."""
        refused = Unusable(f"refused by the brokers: {error}", reason=_reason(error))
        self._refused = self._refused or refused
        self._settle(record)
        return refused

    def _drop_all(self) -> list[_Record]:
        left = list(self._under_way.values())
        self._under_way.clear()
        self._pending.clear()
        self._bytes = 0
        return left

    def _break(self) -> None:
        """Ends the connection before its thread sends anything else; what is under way waits for the next one."""
        if self._kafka is not None:
            self._kafka._sender.force_close()  # close() would wait for what can no longer be sent, and give up half-way
            self._broken.append(self._kafka)
        self._kafka = None
        self._connections += 1
        self._known.clear()
        self._pending = deque(self._under_way.values())
        self._work.notify()

    # -- called by the connection's thread ---------------------------------------------------------------------------

    def _acknowledged(self, record: _Record, metadata: Any) -> None:
        with self._lock:
            self._heard = clock.monotonic()
            self._failures, self._why = 0, ""
            ours = self._settle(record)
        if ours:
            record.future.set_result((metadata.partition, metadata.offset))

    def _failed(self, connection: int, record: _Record, error: Exception) -> None:
        refused: RasdError | None = None
        with self._lock:
            if connection != self._connections:
                return  # it is under way again already
            if _is_for_good(error):
                refused = self._refuse(record, error)
            else:
                log.debug("sending again: %s: %s", type(error).__name__, error)
                self._failures, self._why = self._failures + 1, _in_words(error)
            self._break()
        if refused is not None:
            record.future.set_exception(refused)
        elif (fault := _fault(error, named(self.cluster))) is not None:
            self._give_up(fault)

    def _give_up(self, fault: StorageError) -> None:
        with self._lock:
            self._fault = fault
            left = self._drop_all()
            self._room.notify_all()
        for record in left:
            record.future.set_exception(fault)

    # -- the keeper: connects, learns topics, hands over what waits --------------------------------------------------

    def _keep(self) -> None:
        try:
            self._keep_on()
        except Exception as e:  # else whoever waits for an acknowledgement would wait for ever
            log.debug("the producer cannot go on", exc_info=True)
            self._give_up(StorageError(f"{named(self.cluster)}: {type(e).__name__}: {e}", reason="broken"))

    def _keep_on(self) -> None:
        while True:
            with self._lock:
                if not (self._closed or self._pending or self._broken):
                    self._work.wait(1.0)
                broken, self._broken = self._broken, []
                closed = self._closed
                if closed and self._kafka is not None:
                    broken.append(self._kafka)
                    self._kafka = None
                topics = {r.topic for r in self._pending} - self._known
                needed = bool(self._pending)
            for kafka in broken:
                _end(kafka)
            if closed:
                return
            self._watch()
            if needed and self._failures > 1:
                self._ended.wait(AGAIN_SECONDS)
            if needed and not self._ready(topics):
                self._ended.wait(AGAIN_SECONDS)

    def _ready(self, topics: set[str]) -> bool:
        """Connects if need be, and hands over what waits; False if that has to be tried again."""
        from kafka.errors import KafkaError

        try:
            with self._lock:
                kafka, connection = self._kafka, self._connections
            if topics and not self._are_there(topics):
                return False
            if kafka is None:
                kafka = self._connect()
            for topic in topics:
                kafka.partitions_for(topic)
        except (KafkaError, StorageError, OSError) as e:
            self._could_not(kafka, e)
            return False
        with self._lock:
            if connection != self._connections or self._closed:
                self._broken.append(kafka)
                return False
            self._kafka = kafka
            self._known |= topics
            while self._pending and self._pending[0].topic in self._known and connection == self._connections:
                record = self._pending.popleft()
                if record.number in self._under_way:
                    self._hand(record)
            return connection == self._connections

    def _connect(self) -> Any:
        from kafka import KafkaProducer

        return KafkaProducer(
            **self.cluster.producer(),
            bootstrap_timeout_ms=CONNECT_SECONDS * 1000,
            max_block_ms=CONNECT_SECONDS * 1000,
            delivery_timeout_ms=float("inf"),
            batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            metrics_enabled=False,
        )

    def _could_not(self, kafka: Any, error: Exception) -> None:
        if kafka is not None and kafka is not self._kafka:
            _end(kafka)
        if (fault := _fault(error, named(self.cluster))) is not None:
            self._give_up(fault)
        else:
            log.debug("%s: %s", type(error).__name__, error)
            self._say_silent()

    def _are_there(self, topics: set[str]) -> bool:
        """Whether the topics exist; gives up if they do not for a while. Asked beforehand, for the client's own asking
        (3.0.12) makes a topic wherever brokers allow that, whatever `allow_auto_create_topics` says."""
        with admin(self.cluster) as client:
            missing = topics - set(client.list_topics())
        if not missing:
            self._missing_since = None
            return True
        self._missing_since = self._missing_since or clock.monotonic()
        if clock.monotonic() - self._missing_since > MISSING_SECONDS:
            names = ", ".join(sorted(missing))
            self._give_up(
                StorageError(f"{named(self.cluster)}: no topic {names}: run `rasd topics create`", reason="no-topic")
            )
        return False

    def _watch(self) -> None:
        with self._lock:
            silent = bool(self._under_way) and clock.monotonic() - self._heard > SILENCE_SECONDS
        if silent:
            self._say_silent()
        elif self._said and self._heard > self._said_at:
            self._said = False
            log.warning("%s: acknowledged again, going on", named(self.cluster))

    def _say_silent(self) -> None:
        if not self._said:
            self._said, self._said_at = True, clock.monotonic()
            why = f" ({self._why})" if self._why else ""
            log.warning("%s: no acknowledgement%s. Nothing is lost; waiting and trying again", named(self.cluster), why)


def _end(kafka: Any) -> None:
    """Ends a connection whose unacknowledged messages somebody else looks after."""
    kafka._sender.force_close()
    kafka._sender.join(END_SECONDS)
    kafka._closed = True  # else close() waits for what was just given up
    kafka.close(timeout=0)


def _is_for_good(error: Exception) -> bool:
    """True for what is wrong with the one message."""
    from kafka import errors

    return not _is_of_time(error) and isinstance(
        error,
        errors.MessageSizeTooLargeError | errors.RecordListTooLargeError | errors.InvalidRecordError | ValueError,
    )


def _reason(error: Exception) -> str:
    from kafka import errors

    large = isinstance(error, errors.MessageSizeTooLargeError | errors.RecordListTooLargeError)
    return "too-large" if large else "refused"


def _is_of_time(error: Exception) -> bool:
    """True for a time that brokers do not accept; of a batch of several they say it in the words of another error."""
    from kafka import errors

    refused = isinstance(error, errors.InvalidRecordError) and "timestamp" in str(error).lower()
    return refused or isinstance(error, errors.InvalidTimestampError)


def _in_words(error: Exception) -> str:
    if _is_of_time(error):
        return "brokers refuse our time: is this machine's clock right?"
    return type(error).__name__


def _fault(error: Exception, servers: str) -> StorageError | None:
    """What waiting cannot mend, in words."""
    from kafka import errors

    if isinstance(error, StorageError):
        return None if isinstance(error, Unreachable) and error.retryable else error
    if isinstance(
        error,
        errors.AuthorizationError
        | errors.SaslAuthenticationFailedError
        | errors.UnsupportedSaslMechanismError
        | errors.UnsupportedVersionError
        | errors.InvalidTopicError
        | errors.PolicyViolationError,
    ):
        return StorageError(f"{servers}: {type(error).__name__}: {error}", reason="kafka-refused")
    return None
