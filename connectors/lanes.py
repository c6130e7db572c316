"""Who gets the next free connection: hosts that answer slowly share a few, so that they cannot hold up the others."""

from __future__ import annotations

import asyncio
from collections import deque

SLOW = 2.0  # seconds; news sites answer in a tenth of it
PROVEN, UNKNOWN, SLUGGISH = range(3)
#: Largest part of all connections that each lane may use.
SHARES = (1.0, 0.5, 0.125)


class Lanes:
    """A limit on what is under way at once, with a share for each kind of host.

    Hosts that have proved to be quick may use all of it; those never asked before, half; slow ones, an eighth. So a
    quick host waits only for other quick hosts. A free place goes to the lane that uses least of its share.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._shares = tuple(max(1, int(places * share)) for share in SHARES)
        self._used = [0] * len(SHARES)
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = tuple(deque() for _ in SHARES)

    async def enter(self, seconds: float | None) -> int:
        """Takes a place for a host whose answers take `seconds` (None: not known yet); returns the lane to leave."""
        lane = UNKNOWN if seconds is None else SLUGGISH if seconds > SLOW else PROVEN
        if self._free and self._used[lane] < self._shares[lane] and not self._waiting[lane]:
            self._take(lane)
            return lane
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # given just now, to somebody who has gone
                self.leave(lane)
            raise
        return lane

    def leave(self, lane: int) -> None:
        self._free += 1
        self._used[lane] -= 1
        self._give()

    def _take(self, lane: int) -> None:
        self._free -= 1
        self._used[lane] += 1

    def _give(self) -> None:
        while self._free:
            lanes = [n for n, waiting in enumerate(self._waiting) if waiting and self._used[n] < self._shares[n]]
            if not lanes:
                return
            lane = min(lanes, key=lambda n: self._used[n] / self._shares[n])
            place = self._waiting[lane].popleft()
            if not place.done():
                self._take(lane)
                place.set_result(None)
