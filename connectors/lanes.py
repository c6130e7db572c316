"""Who gets the next free connection: hosts that answer slowly share a few, so that they cannot hold up the others."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

SLOW = 2.0  # seconds; news sites answer in a tenth of it
#: While others wait, a request that is no slow host's gives way after this many times what answers usually take. A
#: quick host taken for a slow one loses little: it is asked once more, and is quick again after two quick answers.
PATIENCE = 8.0
SHORTEST_PATIENCE = 0.25  # seconds; below this a busy loop of ours would look like a slow host
FIRST_PATIENCE = 1.0  # seconds, until enough answers have come to know what is usual
_ENOUGH = 10
_WEIGHT = 0.02  # of the newest answer in what answers usually take

_STRIDE = 40_503  # 2**16 divided by the golden ratio: multiples of it are spread evenly over any queue

PROVEN, UNKNOWN, SLUGGISH = range(3)
#: Largest part of all connections that each lane may use.
SHARES = (1.0, 0.75, 0.125)


@dataclass(slots=True, eq=False)
class Place:
    """A connection's worth of the limit. cut: called when the place is wanted more urgently by others; the holder
    then leaves it, and asks for another one as the slow host that it seems to be."""

    lane: int
    since: float
    cut: Callable[[], None] | None = field(default=None)
    was_cut: bool = False


class Lanes:
    """A limit on what is under way at once, with a share for each kind of host.

    Hosts that have proved to be quick may use all of it; those never asked before, most; slow ones, an eighth. So a
    quick host waits only for other quick hosts, and for these not long: one that has stopped answering gives way.
    A free place goes to the lane that uses least of its share.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._shares = tuple(max(1, int(places * share)) for share in SHARES)
        self._waiting: tuple[deque[asyncio.Future[Place]], ...] = tuple(deque() for _ in SHARES)
        self._inside: tuple[dict[Place, None], ...] = tuple({} for _ in SHARES)  # in the order of coming
        self._usual, self._answers = 0.0, 0
        self._draws = 0
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, seconds: float | None) -> Place:
        """A place for a host whose answers take `seconds` (None: not known yet)."""
        lane = UNKNOWN if seconds is None else SLUGGISH if seconds > SLOW else PROVEN
        if self._free and len(self._inside[lane]) < self._shares[lane] and not self._waiting[lane]:
            return self._take(lane)
        place: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(place)
        self._watch()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # given just now, to somebody who has gone
                self.leave(place.result())
            raise

    def leave(self, place: Place, *, answered: float | None = None) -> None:
        """answered: seconds that the answer took, if there was one."""
        del self._inside[place.lane][place]
        self._free += 1
        if answered is not None and answered < SLOW:
            self._answers += 1
            self._usual += max(_WEIGHT, 1 / self._answers) * (answered - self._usual)
        self._give()

    @property
    def patience(self) -> float:
        """Seconds after which a request gives way if others wait."""
        if self._answers < _ENOUGH:
            return FIRST_PATIENCE
        return min(SLOW, max(SHORTEST_PATIENCE, PATIENCE * self._usual))

    def _take(self, lane: int) -> Place:
        place = Place(lane, asyncio.get_running_loop().time())
        self._free -= 1
        self._inside[lane][place] = None
        return place

    def _give(self) -> None:
        while self._free:
            lanes = [n for n, row in enumerate(self._waiting) if row and len(self._inside[n]) < self._shares[n]]
            if not lanes:
                return
            lane = min(lanes, key=lambda n: len(self._inside[n]) / self._shares[n])
            row = self._waiting[lane]
            if lane == UNKNOWN:  # in no order, else two hundred dead hosts at the head of a list would all come first
                self._draws += 1
                row.rotate(self._draws * _STRIDE % len(row))
            place = row.popleft()
            if not place.done():
                place.set_result(self._take(lane))

    # -- making those give way who take long --------------------------------------------------------------------------

    def _watch(self) -> None:
        """Sets the timer to the moment when the oldest request in the way of somebody has been patient enough with."""
        if self._timer is not None:
            return
        oldest = self._in_the_way()
        if oldest is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(oldest.since + self.patience, self._relieve)

    def _in_the_way(self) -> Place | None:
        """The oldest request that somebody waits for who is not slow himself."""
        in_the_way: list[Place] = []
        for lane in (PROVEN, UNKNOWN):
            if any(not place.done() for place in self._waiting[lane]):
                full = len(self._inside[lane]) >= self._shares[lane]
                for other in (lane,) if full else (PROVEN, UNKNOWN):
                    in_the_way += itertools.islice(self._inside[other], 1)
        return min(in_the_way, key=lambda place: place.since, default=None)

    def _relieve(self) -> None:
        self._timer = None
        place = self._in_the_way()
        if place is None:
            return
        now = asyncio.get_running_loop().time()
        if place.since + self.patience <= now:
            place.was_cut = True
            if place.cut is not None:
                place.cut()
            # It leaves by itself in a moment; until then it stands last, so that the next one is looked at.
            inside = self._inside[place.lane]
            del inside[place]
            place.since = now + SLOW
            inside[place] = None
        self._watch()
