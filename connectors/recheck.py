"""When a page is read again: after a failure, at the scheduled times after its publication, after a change.

Pure: times are seconds since 1970 and come in as arguments; what looks random is a hash of the page's key, so that a
replayed week asks at the same moments. docs/fetching.md tells the reasons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pipeline.config import seconds_of

#: Waits between the tries of a page that cannot be had just now; behind the last one the feed's text goes on.
RETRIES = (120.0, 600.0, 1_800.0, 7_200.0)
GIVE_UP = 10_800.0  # seconds that a page never read waits for its host to be there again; then the feed's text goes on
DAY = 86_400.0
LONGEST_WAIT = DAY  # a server may ask for more; nobody reads news a week late
SPREAD = 0.03  # of a span of time: what an outlet publishes at one moment is not all asked for at one moment again
WIDEST = 900.0  # seconds that a re-check may come late on purpose
MOST_EXTRA = 8  # re-checks beside the schedule: a page that shows its own clock changes at every reading
KEPT = 14 * DAY  # seconds that a page is remembered behind its last re-check: feeds list articles for days


def spans_of(setting: Sequence[str]) -> tuple[float, ...]:
    """`feeds.recheck` in seconds."""
    return tuple(map(seconds_of, setting))


def counted_from(published: float | None, seen: float) -> float:
    """The moment from which re-checks count: publication, but first sight for a page undated or dated ahead, and for
    one of today of which only the day is known (its time is midnight)."""
    if published is None or (not published % DAY and seen - published < DAY):
        return seen
    return min(published, seen)


def next_check(key: str, base: float, now: float, spans: Sequence[float]) -> float | None:
    """The first scheduled re-check that is still to come; None behind the last. Those missed are made up by none."""
    for span in spans:
        due = base + span + min(SPREAD * span, WIDEST) * fraction(key, span)
        if due > now:
            return due
    return None


def check_after_change(
    key: str, base: float, now: float, extra: int, spans: Sequence[float]
) -> tuple[float | None, bool]:
    """(time of the next re-check of a page just found changed, whether it is one beside the schedule).

    Who edits once edits again: it is read again after the shortest span, unless a scheduled re-check comes before.
    extra: how often that has happened already.
    """
    scheduled = next_check(key, base, now, spans)
    if not spans or extra >= MOST_EXTRA:
        return scheduled, False
    soon = now + spans[0]
    return (scheduled, False) if scheduled is not None and scheduled <= soon else (soon, True)


def retry_at(key: str, failures: int, now: float, after: float | None = None) -> float | None:
    """When to try again after so many failures in a row; None if that was enough.

    after: seconds that the server asked to wait.
    """
    if failures > len(RETRIES):
        return None
    wait = RETRIES[failures - 1] * (1 + fraction(key, failures) / 4)
    return now + max(wait, min(after or 0.0, LONGEST_WAIT))


def wait_until(key: str, until: float, since: float, base: float | None, spans: Sequence[float]) -> float | None:
    """When to read a page whose host is not to be asked before `until`; None if that is too long to wait.

    since: first sight. base: what re-checks count from, None for a page of which nothing went on yet.
    """
    last = since + GIVE_UP if base is None else base + (spans[-1] if spans else 0.0) + LONGEST_WAIT
    return until + WIDEST / 15 * fraction(key, until) if until <= last else None


def forget_at(base: float, now: float, spans: Sequence[float]) -> float:
    """When the memory of a page may go."""
    return max(now, base + (spans[-1] if spans else 0.0)) + KEPT


def fraction(key: str, salt: float) -> float:
    """A number in [0, 1) that is always the same for the same key and salt."""
    digest = hashlib.blake2b(f"{key}|{salt:g}".encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
