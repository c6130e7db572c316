"""Things that stand in a text in order, found again by where they begin."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Along(Generic[T]):
    """Things sorted by a word number; `between` costs a bisection and not a walk over the text."""

    __slots__ = ("_at", "_things")

    def __init__(self, things: Sequence[T], at: Callable[[T], int]) -> None:
        self._things = sorted(things, key=at)
        self._at = [at(thing) for thing in self._things]

    def __iter__(self) -> Iterator[T]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def between(self, first: int, last: int) -> list[T]:
        """Those that begin at `first` or behind it and before `last`."""
        return self._things[bisect_left(self._at, first) : bisect_left(self._at, last)]

    def before(self, last: int, most: int) -> list[T]:
        """The nearest `most` that begin before `last`, nearest first."""
        end = bisect_left(self._at, last)
        return self._things[max(0, end - most) : end][::-1]

    def behind(self, first: int, most: int) -> list[T]:
        """The nearest `most` that begin at `first` or behind it."""
        start = bisect_left(self._at, first)
        return self._things[start : start + most]
