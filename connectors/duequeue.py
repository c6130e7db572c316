"""Which feed is polled next: the one due first, with limits for what is in flight to one host and to all slow ones."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
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
        self._limit, self._host_limit = max(1, limit), max(1, host_limit)
        self._places: dict[Lane, int] = {lane: max(1, limit // share) for lane, share in _SHARES.items()}
        self._heap: list[tuple[float, int, str, str]] = []
        self._order = itertools.count()
        self._waiting: dict[str, deque[tuple[float, str]]] = {}  # due feeds, by host
        # Hosts with feeds waiting and fewer polls in flight than they may have, in the order of becoming so.
        self._ready: dict[Lane, dict[str, None]] = {lane: {} for lane in _SHARES}
        self._lanes: dict[str, Lane] = {}
        self._by_host: dict[str, int] = {}
        self._by_lane: dict[Lane, int] = dict.fromkeys(_SHARES, 0)
        self.in_flight = 0

    def add(self, url: str, host: str, due: float) -> None:
        heapq.heappush(self._heap, (due, next(self._order), url, host))

    def next(self, now: float) -> Turn | None:
        """A feed that is due and may be polled now; its place is taken until `done`."""
        while self._heap and self._heap[0][0] <= now:
            due, _, url, host = heapq.heappop(self._heap)
            self._waiting.setdefault(host, deque()).append((due, url))
            self._offer(host)
        if self.in_flight >= self._limit:
            return None
        heads = [
            (self._waiting[host][0][0], lane, host)
            for lane, hosts in self._ready.items()
            if self._by_lane[lane] < self._places[lane]
            for host in itertools.islice(hosts, 1)
        ]
        if not heads:
            return None
        _, lane, host = min(heads)
        return self._take(lane, host)

    def done(self, turn: Turn, seconds: float) -> None:
        """Gives the place back. seconds: that the poll took."""
        self.in_flight -= 1
        self._by_lane[turn.lane] -= 1
        left = self._by_host.pop(turn.host) - 1
        if left:
            self._by_host[turn.host] = left
        self._ready[self._lane(turn.host)].pop(turn.host, None)
        self._lanes[turn.host] = "slow" if seconds > SLOW_SECONDS else "proven"
        self._offer(turn.host)

    def soonest(self) -> float | None:
        """When the next feed becomes due; None if none does, whatever waits for a place."""
        return self._heap[0][0] if self._heap else None

    @property
    def idle(self) -> bool:
        """Nothing is due at any time, nothing waits and nothing is under way."""
        return not (self._heap or self._waiting or self.in_flight)

    def _offer(self, host: str) -> None:
        if host in self._waiting and self._by_host.get(host, 0) < self._host_limit:
            self._ready[self._lane(host)].setdefault(host)

    def _take(self, lane: Lane, host: str) -> Turn:
        del self._ready[lane][host]
        waiting = self._waiting[host]
        due, url = waiting.popleft()
        if not waiting:
            del self._waiting[host]
        self.in_flight += 1
        self._by_host[host] = self._by_host.get(host, 0) + 1
        self._by_lane[lane] += 1
        self._offer(host)
        return Turn(url, host, lane, due)

    def _lane(self, host: str) -> Lane:
        return self._lanes.get(host, "unproven")
