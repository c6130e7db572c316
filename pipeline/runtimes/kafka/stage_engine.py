"""What the work of a stage and the engine that carries its messages say to each other."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import RasdError


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as the broker gives it; topic by our name. timestamp: in ms."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = 0

    @property
    def size(self) -> int:
        """Bytes that it holds, about."""
        return len(self.value or b"") + len(self.key or b"") + sum(len(v or b"") for _, v in self.headers)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent; topic by our name. Without a key it goes to partition 0."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class TooLarge(RasdError):
    """The broker does not take a message of this size. at: its place among those sent together."""

    reason = "too-large"

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


class Displaced(RasdError):
    """Others may have this worker's partitions by now: it must join its group again before it writes on."""

    reason = "displaced"


class MadeAnew(RasdError):
    """A topic is another than it was, under the same name: its offsets, and state with it, are others."""

    reason = "made-anew"


class Stored(Mapping[str, bytes]):
    """The stored state of one partition."""

    @abc.abstractmethod
    def put(self, changes: Mapping[str, bytes], offset: int) -> None:
        """Stores changes, and with them that the changelog is known up to `offset`."""


class Engine(Protocol):
    """What carries messages for a stage."""

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Returns when all are acknowledged by all copies in sync; waits while brokers are away. Raises: TooLarge."""

    async def log_changes(self, partition: int, changes: Sequence[tuple[str, bytes]]) -> int:
        """Sends state's changes to the changelog; offset of the last one, acknowledged. Raises: Displaced,
        MadeAnew."""

    def stored(self, partition: int) -> Stored: ...

    def ack(self, partition: int, following: int) -> None:
        """All before offset `following` may be committed."""


class Meter(Protocol):
    """Where a stage counts; `Health` is one."""

    def count(self, name: str, n: float = 1, **labels: object) -> None: ...
    def gauge(self, name: str, value: float, **labels: object) -> None: ...
    def observe(self, name: str, seconds: float, **labels: object) -> None: ...
