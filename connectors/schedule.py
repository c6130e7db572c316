"""When a feed is polled next, and why: pure decisions from what is remembered of it and the answer to a poll.

No clock, no I/O. All times are seconds since 1970 and all spans seconds. docs/polling.md tells the rules in words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Literal

import msgspec

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

JITTER = 0.1  # a wait is drawn out by up to this share, so that feeds polled together drift apart
SHARE_OF_GAP = 0.25  # of the usual time between two items: news is seen after an eighth of it on average
SHARE_OF_WINDOW = 0.5  # of the time that a feed's window of entries spans: one poll may fail and nothing is missed
HARDLY = 0.2 / DAY  # items a second
FIRST_GUESS = 12 / DAY  # items a second of a feed whose entries state no times
MEMORY_SLOW, MEMORY_FAST = DAY, 4 * HOUR  # how long the two estimates of the rate look back
PUSHED = 4.0  # a feed whose hub pushes is polled so many times less often
MISSED_PUSHES = 2  # polls in a row that find what no push brought, after which the hub is not relied on

BACKOFF_CAP = 6 * HOUR
LONGEST_RETRY_AFTER = DAY  # a server that asks for more is asked again after a day all the same
#: Wait after the first failure of that kind, doubled at every further one. Others: the feed's shortest interval.
FIRST_WAIT = {
    "status-401": HOUR,
    "status-403": HOUR,
    "status-451": HOUR,
    "status-429": 15 * MINUTE,
    "forbidden-address": HOUR,
    "bad-url": HOUR,
    "robots": DAY,  # robots.txt is remembered that long
}
PASSING = ("status-429", "robots-unread")  # besides 5xx and no answer: say nothing of where the feed is
MISSING = ("status-404",)
MISSING_SHARE = 0.5  # of feeds.retire_days: a feed that is not there is given up sooner than one that stumbles
FEWEST_FAILURES = 5  # in a row, before a feed is retired: a machine that sleeps polls rarely
RETIRED_WAIT, GONE_WAIT = 7 * DAY, 30 * DAY

PATIENCE_WITH_MOVED = 3  # failures that may pass, before a feed that moved is looked for at its old address
CONFIRMATIONS = 2  # polls at which a permanent redirect led to a feed before the new address is kept
#: Conditional answers "unchanged" before the feed is read in full once, by how often its validators proved true.
TRUST = (8, 24, 48)
SILENT_TRUST = 24  # the same for trusted validators of a feed that is silent for long
SILENCE = 5.0  # times its usual gap
LONGEST_VALIDATOR = 1_024  # code points; a longer one is sent by nobody but an attacker


@dataclass(frozen=True, slots=True)
class Bounds:
    """Shortest and longest wait between two polls of a feed that works."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A sitemap that an index names. modified: its lastmod as stated at its last poll. parent: the index within the
    index that names it, "" for the feed itself."""

    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    modified: float | None = None
    parent: str = ""
    since_full: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One feed at one hub.

    state: "asked" until the hub has verified, "ending" once it was asked to stop. path: of the callback. secret: of the
    HMAC. asked: when the hub was asked last. lease, until: its length, and its end. pushes: contents taken in. missed:
    polls in a row that found entries which no push had brought. tries: requests in a row without success.
    """

    hub: str
    topic: str
    path: str = field(repr=False)
    secret: str = field(repr=False)
    state: Literal["asked", "verified", "denied", "ending"] = "asked"
    asked: float = 0.0
    lease: float = 0.0
    until: float = 0.0
    pushes: int = 0
    last_push: float | None = None
    missed: int = 0
    tries: int = 0

    def stands(self, now: float) -> bool:
        """Whether pushes are to be expected."""
        return self.state == "verified" and now < self.until


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All that is remembered of a feed.

    url: as listed. address: where it has moved for good. moving_to, moving_polls: a permanent redirect not yet
    confirmed. source: address that the body of `body_hash` came from, with whose validators the next request is sent.
    stale: why validators are not used. since_full: answers "unchanged" since the feed was last read in full.
    rate_slow, rate_fast: items a second. shown: entries at the last reading. oldest: of the times that they state.
    wants: the interval the feed itself asks for. failing: failures in a row; failing_for: seconds of
    polling that they cover (a machine that sleeps covers none). failing_as: their kind, "mixed" where they differ.
    rejected: reason → when a reject for it was last published. hub_offered, topic: the WebSub hub that the feed names,
    and the address it is known by there.
    """

    url: str
    state: Literal["active", "retired", "gone"] = "active"
    state_reason: str | None = None
    address: str | None = None
    moving_to: str | None = None
    moving_polls: int = 0
    source: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    stale: str | None = None
    trust: int = 0
    since_full: int = 0
    body_hash: str | None = None
    first_poll: float | None = None
    last_poll: float | None = None
    last_success: float | None = None
    last_change: float | None = None
    next_poll: float | None = None
    interval: float | None = None
    why: str | None = None
    polls: int = 0
    unmodified: int = 0
    same: int = 0
    changed: int = 0
    entries: int = 0
    edited: int = 0
    overruns: int = 0
    rate_slow: float | None = None
    rate_fast: float | None = None
    shown: int = 0
    oldest: float | None = None
    wants: float | None = None
    failures: dict[str, int] = {}
    failing: int = 0
    failing_since: float | None = None
    failing_for: float = 0.0
    failing_as: str | None = None
    error: str | None = None
    rejected: dict[str, float] = {}
    children: dict[str, Child] = {}
    hub_offered: str | None = None
    topic: str | None = None
    hub: Subscription | None = None

    def but(self, **changes: Any) -> History:
        """The same with these changes. (A struct, and not a dataclass, because every poll makes several.)"""
        return msgspec.structs.replace(self, **changes)

    @property
    def asked_at(self) -> str:
        """The address to poll."""
        return self.address or self.url

    @property
    def rate(self) -> float | None:
        """Items a second, by the livelier of two estimates."""
        rates = [r for r in (self.rate_slow, self.rate_fast) if r is not None]
        return max(rates) if rates else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a body held. times: of its entries, as far as they state any, in any order."""

    new: int
    edited: int
    shown: int
    times: tuple[float, ...] = ()
    wants: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmodified:
    """304. url: of the last request, behind redirects. reading: of the sitemaps behind an index that is unchanged."""

    url: str
    fresh: float | None = None
    moved_to: str | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """200 with a body that is a feed. reading: None if the body is the one known already."""

    url: str
    body_hash: str
    etag: str | None = None
    last_modified: str | None = None
    fresh: float | None = None
    moved_to: str | None = None
    conditional: bool = False
    reading: Reading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No feed was had. reason: a stable slug; of a status `status-404`. network: nothing answered at all. ours: it is
    our own doing (a full disk, a pause we keep), so that nothing is held against the feed."""

    reason: str
    error: str
    after: float | None = None
    network: bool = False
    ours: bool = False


Answer = Unmodified | Full | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """When the feed is polled next, why in a person's words, and all that is to be remembered of it from now on.

    The rest says what this answer changed: drop_validators why they are no longer used, retired, gone and revived why,
    moved_to the address kept from now on ("" = back to the listed one).
    """

    when: float
    why: str
    history: History
    drop_validators: str | None = None
    retired: str | None = None
    gone: str | None = None
    revived: bool = False
    moved_to: str | None = None


# -- what is asked ----------------------------------------------------------------------------------------------------


def question(history: History, now: float) -> dict[str, str]:
    """The headers of a conditional request, to the letter as they were received; empty if the feed is to be read in
    full: because nothing is known, because its validators proved stale, or to see whether they still tell the truth."""
    if history.stale or history.body_hash is None or _to_be_checked(history, now):
        return {}
    return validators(history.etag, history.last_modified)


def validators(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """The headers that ask for a body only if it has changed."""
    stated = (("If-None-Match", etag), ("If-Modified-Since", last_modified))
    return {name: value for name, value in stated if value}


def sendable(value: str | None) -> str | None:
    """A validator to the letter, or None if it cannot be sent back as it was received."""
    fit = value and len(value) <= LONGEST_VALIDATOR and value.isascii() and value.isprintable()
    return value if fit else None


def _to_be_checked(history: History, now: float) -> bool:
    enough = TRUST[min(history.trust, len(TRUST) - 1)]
    if history.since_full >= enough:
        return True
    if history.since_full < SILENT_TRUST or not history.rate_slow or history.last_change is None:
        return False
    return now - history.last_change > SILENCE / history.rate_slow


# -- what the answer means --------------------------------------------------------------------------------------------


def next_poll(
    history: History, answer: Answer, now: float, bounds: Bounds, *, retire: float = 14 * DAY, online: bool = True
) -> Decision:
    """What to do after this answer. retire: seconds of nothing but failure after which a feed is given up.
    online: whether any other host answers; if not, a failure of the network says nothing of the feed."""
    since = 0.0 if history.last_poll is None else max(0.0, now - history.last_poll)
    first = now if history.first_poll is None else history.first_poll
    polled = history.but(polls=history.polls + 1, first_poll=first, last_poll=now)
    if isinstance(answer, Failed):
        # A machine that slept or was off between two polls did not see the feed fail meanwhile.
        seen = min(since, 2 * (history.interval or 0.0))
        return _after_failure(polled, answer, now, bounds, retire, online, seen)
    return _after_success(polled, answer, now, bounds)


def _after_success(history: History, answer: Unmodified | Full, now: float, bounds: Bounds) -> Decision:
    elapsed = 0.0 if history.last_success is None else max(0.0, now - history.last_success)
    revived = history.state != "active"
    history = history.but(state="active", state_reason=None, last_success=now,
        failing=0, failing_since=None, failing_for=0.0, failing_as=None, error=None,
    )  # fmt: skip
    dropped = None
    if isinstance(answer, Unmodified):
        history = history.but(unmodified=history.unmodified + 1, since_full=history.since_full + 1)
        history = _behind(history, answer.reading, now, elapsed)
    else:
        history, dropped = _read(history, answer, now, elapsed)
    history, moved = _moved(_without_push(history, answer, now), answer)
    wait, why = interval(history, bounds, now, answer.fresh)
    if revived:
        why = f"it works again; {why}"
    when = now + drawn_out(wait, bounds, history)
    history = history.but(next_poll=when, interval=wait, why=why)
    return Decision(when=when, why=why, history=history, drop_validators=dropped, revived=revived, moved_to=moved)


def _behind(history: History, reading: Reading | None, now: float, elapsed: float) -> History:
    """The history after an unchanged index behind which something may have changed."""
    if reading is None or reading.new + reading.edited == 0:
        return _counted(history, 0, elapsed)
    return _published(history.but(last_change=now), reading, now, elapsed)


def _read(history: History, answer: Full, now: float, elapsed: float) -> tuple[History, str | None]:
    """The history after a body, and why its validators are no longer used, if so."""
    before, reading = history, answer.reading
    same_marks = (
        (answer.etag or answer.last_modified) is not None
        and answer.etag == before.etag
        and answer.last_modified == before.last_modified
    )
    dropped, checked = None, before.since_full > 0 and not answer.conditional
    if reading is None:
        history = _counted(history.but(same=history.same + 1), 0, elapsed)
    else:
        history = _published(history.but(changed=history.changed + 1), reading, now, elapsed)
    altered = reading is not None and reading.new + reading.edited > 0
    if altered:
        history = history.but(last_change=now)
    if checked and altered and same_marks:
        dropped = "it was called unchanged under the same validators though its entries had changed"
    elif (checked and not altered) or (altered and not same_marks and before.body_hash is not None):
        history = history.but(trust=history.trust + 1)  # "unchanged" was true, or they move when the feed does
    history = history.but(body_hash=answer.body_hash, source=answer.url, since_full=0,
        etag=answer.etag, last_modified=answer.last_modified, stale=dropped or history.stale,
    )  # fmt: skip
    return history, dropped


def _moved(history: History, answer: Unmodified | Full) -> tuple[History, str | None]:
    """Takes note of a permanent redirect: kept once it has led to a feed at `CONFIRMATIONS` polls."""
    to = answer.moved_to
    if to is None or to == history.asked_at:
        return history.but(moving_to=None, moving_polls=0), None
    polls = history.moving_polls + 1 if to == history.moving_to else 1
    if polls < CONFIRMATIONS:
        return history.but(moving_to=to, moving_polls=polls), None
    address = None if to == history.url else to
    return history.but(address=address, moving_to=None, moving_polls=0), to


def _without_push(history: History, answer: Unmodified | Full, now: float) -> History:
    """Counts polls in a row that found entries which the hub should have pushed."""
    hub, reading = history.hub, answer.reading
    if hub is None or not hub.stands(now) or reading is None or reading.new == 0:
        return history
    return history.but(hub=replace(hub, missed=hub.missed + 1))


# -- how often --------------------------------------------------------------------------------------------------------


def interval(history: History, bounds: Bounds, now: float, fresh: float | None = None) -> tuple[float, str]:
    """The wait until the next poll before jitter, within the bounds, and the reason."""
    low, high = bounds.low, max(bounds.low, bounds.high)
    rate = history.rate
    if rate is None or rate < HARDLY:
        wait, why = high, "it hardly publishes"
    else:
        wait, why = SHARE_OF_GAP / rate, f"about {_count(rate * DAY)} items a day"
    if history.hub is not None and history.hub.stands(now) and history.hub.missed < MISSED_PUSHES:
        wait, why = wait * PUSHED, f"its hub pushes; {why}"
    for asked, who in ((history.wants, "the feed itself asks"), (fresh, "the server asks by its cache headers")):
        if asked is not None and asked > wait:
            wait, why = min(asked, high), f"{who} for {spell(asked)}"
    full = _turnover(history, now)
    if full is not None and full < wait:
        wait, why = full, f"it shows {history.shown} entries only, which are soon others"
    if wait < low:
        return low, f"{why}; not more often than every {spell(low)}"
    if wait > high:
        return high, f"{why}; at least every {spell(high)}"
    return wait, why


def drawn_out(wait: float, bounds: Bounds, history: History) -> float:
    """The wait with its share of jitter: the same for the same feed and number of polls, never beyond the upper bound,
    and never less than the wait unless that is the upper bound itself."""
    share = JITTER * chance(history.url, history.polls)
    if wait >= bounds.high:
        return bounds.high * (1 - share) if bounds.low < bounds.high else wait
    return min(wait * (1 + share), bounds.high)


def chance(url: str, poll: int) -> float:
    """A number in [0, 1) that looks random and depends on the feed's address and the number of the poll alone."""
    digest = blake2b(f"{poll} {url}".encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / float(1 << 48)


def _turnover(history: History, now: float) -> float | None:
    """Longest wait at which no entry is missed if it goes on publishing as it does; None if nothing is known.

    Its window is full of others after as many items as it shows, or after as long as it took to fill it.
    """
    if history.shown < 2:
        return None
    full = history.shown / history.rate if history.rate else math.inf
    if history.oldest is not None:
        full = min(full, now - history.oldest)
    return None if full == math.inf else full * SHARE_OF_WINDOW


def _published(history: History, reading: Reading, now: float, elapsed: float) -> History:
    """What a reading tells of the feed's publishing."""
    times = sorted(t for t in reading.times if t <= now + HOUR)
    first = history.rate_slow is None
    history = history.but(entries=history.entries + reading.new, edited=history.edited + reading.edited,
        shown=reading.shown, oldest=times[0] if times else None, wants=reading.wants,
    )  # fmt: skip
    if first:
        rate = _stated_rate(times, now) if times else FIRST_GUESS
        return history.but(rate_slow=rate, rate_fast=rate)
    if reading.new >= reading.shown > 1:  # not one known entry left: some may have come and gone in between
        history = history.but(overruns=history.overruns + 1)
    return _counted(history, reading.new, elapsed)


def _stated_rate(times: list[float], now: float) -> float:
    """Items a second by the times that the entries state, of the last two weeks."""
    recent = [t for t in times if t > now - 14 * DAY]
    if len(recent) < 2:
        return len(recent) / (14 * DAY)
    return len(recent) / max(now - recent[0], HOUR)


def _counted(history: History, new: int, elapsed: float) -> History:
    """Both estimates of the rate after `elapsed` seconds that brought `new` items."""
    if elapsed <= 0 or history.rate_slow is None or history.rate_fast is None:
        return history
    seen = new / elapsed
    return history.but(
        rate_slow=_blend(history.rate_slow, seen, elapsed / MEMORY_SLOW),
        rate_fast=_blend(history.rate_fast, seen, elapsed / MEMORY_FAST),
    )


def _blend(old: float, seen: float, age: float) -> float:
    kept = math.exp(-age)
    return old * kept + seen * (1 - kept)


# -- when it fails ----------------------------------------------------------------------------------------------------


def _after_failure(
    history: History, answer: Failed, now: float, bounds: Bounds, retire: float, online: bool, seen: float
) -> Decision:
    if answer.ours or (answer.network and not online):
        return _not_its_fault(history, answer, now, bounds)
    failures = {**history.failures, answer.reason: history.failures.get(answer.reason, 0) + 1}
    history = history.but(failures=failures, error=answer.error, moving_to=None, moving_polls=0)
    passing = answer.network or answer.reason in PASSING or answer.reason.startswith("status-5")
    if history.address is not None and (not passing or history.failing + 1 >= PATIENCE_WITH_MOVED):
        return _move_undone(history, answer, now, bounds)
    first = history.failing == 0
    history = history.but(
        failing=history.failing + 1,
        failing_since=now if history.failing_since is None else history.failing_since,
        failing_for=0.0 if first else history.failing_for + seen,
        failing_as=answer.reason if first or history.failing_as == answer.reason else "mixed",
    )
    if answer.reason == "status-410":
        return _given_up(history, "gone", "the server says that it is gone for good (410)", GONE_WAIT, now)
    if history.state != "active":
        wait = GONE_WAIT if history.state == "gone" else RETIRED_WAIT
        return _given_up(history, history.state, history.state_reason or answer.error, wait, now)
    patience = retire * (MISSING_SHARE if history.failing_as in MISSING else 1.0)
    if history.failing >= FEWEST_FAILURES and history.failing_for >= patience:
        why = f"nothing but failure for {spell(history.failing_for)}, {history.failing} polls; last: {answer.error}"
        return _given_up(history, "retired", why, RETIRED_WAIT, now)
    wait = backoff(history.failing, answer.reason, bounds)
    why = f"failed {history.failing} times in a row" if history.failing > 1 else "failed"
    why = f"{why}: {answer.error}"
    if answer.after is not None and answer.after > wait:
        wait = min(answer.after, LONGEST_RETRY_AFTER)
        why += f"; it asks to wait {spell(answer.after)}"
    when = now + wait * (1 + JITTER * chance(history.url, history.polls))
    return Decision(when=when, why=why, history=history.but(next_poll=when, interval=wait, why=why))


def backoff(failing: int, reason: str, bounds: Bounds) -> float:
    """The wait after so many failures in a row: doubled at each, up to `BACKOFF_CAP` (or the kind's own first wait)."""
    first = max(bounds.low, FIRST_WAIT.get(reason, MINUTE))
    doubled: float = first * 2.0 ** min(failing - 1, 40)
    return min(doubled, max(BACKOFF_CAP, first))


def _move_undone(history: History, answer: Failed, now: float, bounds: Bounds) -> Decision:
    """The address that it had moved to fails: back to the listed one, whose validators are not known."""
    why = f"it had moved to {history.address}, which fails ({answer.error}): back to the listed address"
    wait = min(bounds.low, MINUTE)
    if answer.after is not None:
        wait = max(wait, min(answer.after, LONGEST_RETRY_AFTER))
    when = now + wait
    history = history.but(address=None, etag=None, last_modified=None, body_hash=None, source=None, since_full=0,
        next_poll=when, interval=wait, why=why,
    )  # fmt: skip
    return Decision(when=when, why=why, history=history, moved_to="")


def _not_its_fault(history: History, answer: Failed, now: float, bounds: Bounds) -> Decision:
    """No host answers, so that it is our own network, or the trouble is ours in another way."""
    reason = answer.reason if answer.ours else "offline"
    failures = {**history.failures, reason: history.failures.get(reason, 0) + 1}
    why = answer.error if answer.ours else f"no host answers, so it is our own network ({answer.error})"
    wait = max(bounds.low, min(answer.after or 0.0, LONGEST_RETRY_AFTER))
    when = now + wait * (1 + JITTER * chance(history.url, history.polls))
    history = history.but(failures=failures, error=why, next_poll=when, interval=wait, why=why)
    return Decision(when=when, why=why, history=history)


def after_push(history: History, reading: Reading, now: float) -> History:
    """What is remembered once a hub's push was read. It says nothing of when to poll, and a push may hold only what is
    new, so that neither validators nor what the feed shows are touched."""
    if history.hub is None:
        return history
    hub = replace(history.hub, pushes=history.hub.pushes + 1, last_push=now, missed=0)
    elapsed = 0.0 if history.last_success is None else max(0.0, now - history.last_success)
    history = history.but(
        hub=hub,
        entries=history.entries + reading.new,
        edited=history.edited + reading.edited,
        last_change=now if reading.new + reading.edited else history.last_change,
    )
    if elapsed <= 0:
        return history
    return _counted(history, reading.new, elapsed).but(last_success=now)


def _given_up(
    history: History, state: Literal["active", "retired", "gone"], why: str, wait: float, now: float
) -> Decision:
    """Retired or gone: asked again after a long while only."""
    new = history.state != state
    when = now + wait * (1 + JITTER * chance(history.url, history.polls))
    says = f"{why}; asked again after {spell(wait)}"
    history = history.but(state=state, state_reason=why, next_poll=when, interval=wait, why=says)
    return Decision(
        when=when,
        why=says,
        history=history,
        retired=why if new and state == "retired" else None,
        gone=why if new and state == "gone" else None,
    )


# -- words ------------------------------------------------------------------------------------------------------------


def spell(seconds: float) -> str:
    """A span for a person: 45 seconds, 10 minutes, 3 hours, 2 days."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= unit * 0.995:
            return _units(seconds / unit, name)
    return _units(seconds, "second")


def _units(number: float, name: str) -> str:
    shown = _count(number)
    return f"{shown} {name}" if shown == "1" else f"{shown} {name}s"


def _count(number: float) -> str:
    return f"{number:.0f}" if number >= 10 or abs(number - round(number)) < 0.05 else f"{number:.1f}"
