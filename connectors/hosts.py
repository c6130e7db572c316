"""How hosts behave while pages are read of them: who may have another request, who is waited for, who counts as down.

Pure: no clock, no socket. A host that has not yet shown that it answers gets one reading at a time, and all of these
together only a share of the places, so that two hundred dead hosts cannot hold up the others.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

KNOWN = 20_000  # hosts that are remembered; the longest unheard of goes first
DOUBTFUL = 0.75  # share of all places that hosts may hold together that have not yet answered well
SLOW_SECONDS = 10.0  # a reading that holds its place longer makes its host doubtful
DOWN_AFTER = 3  # requests in a row without an answer
FIRST_WAIT, LONGEST_WAIT = 60.0, 3_600.0  # seconds until a host that is down is asked again; doubled each time


@dataclass(slots=True)
class _Host:
    proven: bool = False
    failures: int = 0
    down_until: float = 0.0
    wait_until: float = 0.0


class Hosts:
    """places: readings under way in all. per_host: of one host that answers well."""

    def __init__(self, places: int, per_host: int) -> None:
        self._doubtful = max(1, int(places * DOUBTFUL))
        self._per_host = per_host
        self._known: OrderedDict[str, _Host] = OrderedDict()
        self._waiting: dict[str, float] = {}
        self._doubted = 0  # places that doubtful hosts hold

    def may(self, host: str, busy: int, now: float) -> bool:
        """Whether another page of this host may be read now, with `busy` of it under way."""
        state = self._known.get(host)
        if state is not None and state.wait_until > now:
            return False
        if state is not None and state.proven:
            return busy < self._per_host
        return busy < 1 and self._doubted < self._doubtful

    def began(self, host: str) -> bool:
        """A reading begins; returns whether the host is doubtful, to be handed to `ended`."""
        doubtful = not self._at(host).proven
        self._doubted += doubtful
        return doubtful

    def ended(self, doubtful: bool) -> None:
        self._doubted -= doubtful

    def answered(self, host: str, seconds: float) -> None:
        """There was an answer, of whatever status."""
        state = self._at(host)
        state.failures, state.down_until, state.proven = 0, 0.0, seconds < SLOW_SECONDS

    def failed(self, host: str, now: float) -> None:
        """There was none."""
        state = self._at(host)
        state.failures, state.proven = state.failures + 1, False
        if state.failures >= DOWN_AFTER:
            wait = FIRST_WAIT * 2.0 ** min(state.failures - DOWN_AFTER, 10)
            state.down_until = now + min(wait, LONGEST_WAIT)

    def wait(self, host: str, until: float) -> None:
        """The host asked to be left alone."""
        self._at(host).wait_until = until
        self._waiting[host] = until

    def is_down(self, host: str, now: float) -> bool:
        """Whether it did not answer lately, so that asking it again now would only cost a place."""
        state = self._known.get(host)
        return state is not None and state.down_until > now

    def next_end_of_wait(self, now: float) -> float | None:
        """When the first host may be asked again that asked to be left alone."""
        self._waiting = {host: until for host, until in self._waiting.items() if until > now}
        return min(self._waiting.values(), default=None)

    def _at(self, host: str) -> _Host:
        state = self._known.get(host)
        if state is None:
            state = self._known[host] = _Host()
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(host)
        return state
