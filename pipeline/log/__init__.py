"""The log: topics of ordered messages, consumer offsets and step state behind one interface.

`SqliteLog` (`pipeline.log.sqlite`) is the log without a broker. What reads or writes the log from outside the runtimes
(connectors, commands) asks for the `Log` protocol only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message as stored.

    time: event time in milliseconds since 1970 (publication of the article it speaks of), None if unknown.
    written: wall-clock time of writing in milliseconds; never part of the payload.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    time: int | None
    written: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """A partition's extent: the first offset still kept, the next one to be written, and what lies between."""

    partition: int
    first: int
    next: int
    messages: int
    size: int


class Log(Protocol):
    """What a reader of the log needs, whatever keeps it."""

    def bounds(self, topic: str) -> list[Bounds]:
        """One entry per partition. Size in bytes of keys and values."""

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Message]:
        """At most `limit` messages from `offset` on, in order; offsets may have gaps where the log was trimmed."""

    def offset_at(self, topic: str, partition: int, time: int) -> int:
        """Offset of the first message whose event time (else writing time) is `time` (ms) or later; `next` if none."""

    def scan(self, topic: str) -> Iterator[Message]:
        """All messages of a topic, partition by partition."""
