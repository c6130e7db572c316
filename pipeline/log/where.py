"""A place in a topic, as a person names it: its beginning, its end, an offset, so many before the end, a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """number: an offset; below zero so many messages before the end; None for the end. time: in ms, before all else."""

    number: int | None = 0
    time: int | None = None

    @property
    def last(self) -> int | None:
        """How many of the last messages are meant, over all partitions; None where it is no such place."""
        return -self.number if self.time is None and self.number is not None and self.number < 0 else None

    def offset(self, first: int, end: int, at: int) -> int:
        """The offset on a partition of that extent. at: the offset of `time` there."""
        if self.time is not None:
            return at
        if self.number is None:
            return end
        return min(max(first, self.number if self.number >= 0 else end + self.number), end)
