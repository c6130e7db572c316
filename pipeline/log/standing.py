"""Where the consumers of a log stand: what they have read, what waits, and since when it waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.log.sqlite import SqliteLog


@dataclass(frozen=True, slots=True)
class Standing:
    """A consumer on one partition. Names are ours (`extract`, `rasd.unique`).

    next: the offset that it committed, None where it has committed none. first, end: the extent of the partition.
    waits: when the message that it reads next was written, in ms; None where none waits, or nobody knows.
    member: who of a group reads the partition just now.
    """

    consumer: str
    topic: str
    partition: int
    next: int | None
    first: int
    end: int
    waits: int | None = None
    member: str | None = None

    @property
    def following(self) -> int:
        """The offset that it reads next."""
        return min(max(self.first, self.next or 0), self.end)

    @property
    def lag(self) -> int:
        return self.end - self.following


def standings(log: SqliteLog) -> list[Standing]:
    """All consumers of the log without a broker."""
    found = []
    for consumer, topic, partition, following in log.consumers():
        first, end = log.first_offset(topic, partition), log.next_offset(topic, partition)
        waiting = log.read(topic, partition, following, 1)
        found.append(
            Standing(consumer, topic, partition, following, first, end, waits=waiting[0].written if waiting else None)
        )
    return found
