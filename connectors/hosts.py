"""How hosts behave while pages are read of them: who may have another request, who counts as down.

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


class Hosts:
    """places: readings under way in all. per_host: of one host that answers well."""

    def __init__(self, places: int, per_host: int) -> None:
        self._doubtful = max(1, int(places * DOUBTFUL))
        self._per_host = per_host
        self._known: OrderedDict[str, _Host] = OrderedDict()
        self._doubted = 0  # places that doubtful hosts hold

    def may(self, host: str, busy: int) -> bool:
        """Whether another page of this host may be read now, with `busy` of it under way."""
        state = self._known.get(host)
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
            state.down_until = max(state.down_until, now + min(wait, LONGEST_WAIT))

    def rest(self, host: str, until: float) -> None:
        """It asked to be left alone for longer than a request waits."""
        state = self._at(host)
        state.down_until = max(state.down_until, until)

    def down_until(self, host: str) -> float:
        """Before this time asking it again would only cost a place: it did not answer lately, or asked for a rest."""
        state = self._known.get(host)
        return state.down_until if state is not None else 0.0

    def _at(self, host: str) -> _Host:
        state = self._known.get(host)
        if state is None:
            state = self._known[host] = _Host()
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(host)
        return state
