"""Which feed is polled next: the one due first, with limits for what is in flight to one host and to all slow ones."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Literal

Lane = Literal["proven", "unproven", "slow"]

SLOW_SECONDS = 5.0  # a host whose last poll took longer shares a few places with its like
_SHARES: dict[Lane, int] = {"proven": 1, "unproven": 2, "slow": 4}  # each lane has limit // share places


@dataclass(frozen=True, slots=True)
class Turn:
    """A feed whose time has come, and the place that it holds until `done`."""

    url: str
    host: str
    lane: Lane
    due: float


class DueQueue:
    """Feeds by due time. limit: polls in flight altogether; host_limit: of one host.

    Hosts that were slow the last time hold at most a quarter of the places, those not yet heard of half: however many
    of them hang, the others go on.
    """

    def __init__(self, limit: int, host_limit: int) -> None:
        self._host_limit = host_limit
        self._places: dict[Lane, int] = {lane: max(1, limit // share) for lane, share in _SHARES.items()}
        self._limit = max(1, limit)
        self._heap: list[tuple[float, int, str, str]] = []
        self._order = itertools.count()
        self._waiting: dict[str, deque[tuple[float, str]]] = defaultdict(deque)  # by host, for a place
        self._blocked: dict[Lane, dict[str, None]] = {lane: {} for lane in _SHARES}  # hosts waiting for their lane
        self._freed: deque[str] = deque()  # hosts to look at again
        self._lanes: dict[str, Lane] = {}
        self._by_host: dict[str, int] = defaultdict(int)
        self._by_lane: dict[Lane, int] = dict.fromkeys(_SHARES, 0)
        self.in_flight = 0

    def add(self, url: str, host: str, due: float) -> None:
        heapq.heappush(self._heap, (due, next(self._order), url, host))

    def next(self, now: float) -> Turn | None:
        """A feed that is due and may be polled now; its place is taken until `done`."""
        if self.in_flight >= self._limit:
            return None
        while self._freed:
            host = self._freed.popleft()
            if self._waiting.get(host) and self._has_room(host):
                due, url = self._waiting[host].popleft()
                if self._waiting[host]:
                    self._freed.append(host)
                else:
                    del self._waiting[host]
                return self._take(url, host, due)
        while self._heap and self._heap[0][0] <= now:
            due, _, url, host = heapq.heappop(self._heap)
            if not self._waiting.get(host) and self._has_room(host):
                return self._take(url, host, due)
            self._waiting[host].append((due, url))
        return None

    def done(self, turn: Turn, seconds: float) -> None:
        """Gives the place back. seconds: that the poll took."""
        self.in_flight -= 1
        self._by_lane[turn.lane] -= 1
        self._by_host[turn.host] -= 1
        if not self._by_host[turn.host]:
            del self._by_host[turn.host]
        self._lanes[turn.host] = "slow" if seconds > SLOW_SECONDS else "proven"
        self._freed.append(turn.host)
        blocked = self._blocked[turn.lane]
        if blocked:
            host = next(iter(blocked))
            del blocked[host]
            self._freed.append(host)

    def soonest(self) -> float | None:
        """When the next feed becomes due; None if none does, whatever waits for a place."""
        return self._heap[0][0] if self._heap else None

    @property
    def idle(self) -> bool:
        """Nothing is due at any time, nothing waits and nothing is under way."""
        return not (self._heap or self._waiting or self.in_flight)

    def _has_room(self, host: str) -> bool:
        lane = self._lane(host)
        if self._by_host.get(host, 0) >= self._host_limit:
            return False
        if self._by_lane[lane] >= self._places[lane]:
            self._blocked[lane][host] = None
            return False
        return True

    def _take(self, url: str, host: str, due: float) -> Turn:
        turn = Turn(url, host, self._lane(host), due)
        self.in_flight += 1
        self._by_host[host] += 1
        self._by_lane[turn.lane] += 1
        return turn

    def _lane(self, host: str) -> Lane:
        return self._lanes.get(host, "unproven")
