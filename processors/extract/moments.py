"""When a frame's incident was: which of the time expressions around it are its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from processors.extract.context import Context
from processors.extract.dates import DAYS_BEFORE, Mention
from processors.extract.frames import Frame
from processors.extract.tolls import WINDOW_DAYS
from processors.extract.when import of_another_day
from processors.text import COMMA

REACH = 45  # words to either side of a trigger
SPEECH = 14  # words from a speech verb to the day on which it was said
ASIDE = 4  # words of an aside between a speaker and the day («..., رئيس الأركان، الأحد»)
_SAYING = frozenset(("asserts", "denies", "doubts", "accuses", "issues", "relays"))
_THAT = frozenset(("ان", "بان", "انه", "انها", "انهم", "بانه", "بانها", "وان"))


def moment(c: Context, f: Frame) -> tuple[Mention | None, bool]:
    """The time expression of a frame's clause, else the nearest of its sentence; and whether it is the incident's own,
    not the day on which somebody spoke of it («أعلن الجيش الأحد أن ...»)."""
    low, high = c.r.bounds(f.at)
    here = {m.first: m for k in range(max(low, f.at - REACH), min(high, f.at + REACH)) if (m := c.dated.get(k))}
    earlier = of_another_day(c, f, list(here.values()))
    if earlier is not None:
        return earlier, True
    here = {k: m for k, m in here.items() if m.rule != DAYS_BEFORE}
    inner = [m for m in here.values() if f.inner[0] <= m.first < f.inner[1]]
    own = [m for m in inner if not spoken(c, m, f.at)]
    others = [m for m in here.values() if not spoken(c, m, f.at)]
    for pool, firm in ((own, True), (others, True), (inner, False), (list(here.values()), False)):
        points = [m for m in pool if m.kind == "point" or m.days <= WINDOW_DAYS]
        if not points and pool is own:
            points = [m for m in pool if m.kind in ("since", "window")]
        if points:
            return min(points, key=lambda m: abs(m.first - f.at)), firm
    return None, False


def spoken(c: Context, m: Mention, trigger: int) -> bool:
    """Whether a day is that of a statement: a verb of speech stands before it, with neither a «that» nor the trigger or
    another verb of violence between."""
    low = max(c.r.bounds(m.first)[0], m.first - SPEECH)
    for k in range(m.first - 1, low - 1, -1):
        if c.r.words[k] in _THAT or c.cue(k, "that_they") or k == trigger:
            return False
        if c.r.gap[k + 1] >= COMMA and m.first - k > ASIDE:
            return False
        hit = c.hits.at("triggers", k) or c.hits.at("outcomes", k)
        if hit is not None and hit.entry.get("form") == "verb":
            return False
        verb = c.hits.at("sources", k)
        if verb is not None and verb.entry.get("kind") in _SAYING:
            return True
    return False


def dated(ordered: Sequence[tuple[Mention | None, bool]]) -> Mention | None:
    """The date of an incident from its tellings, the best first: its own before the days of statements, a day before a
    window."""
    known = [(m, firm) for m, firm in ordered if m is not None and m.start is not None and m.end is not None]
    own = [m for m, firm in known if firm] or [m for m, _ in known]
    return min(own[:4], key=lambda m: (m.end - m.start).days if m.end and m.start else 9999, default=None)


def shared(
    own: Sequence[tuple[int, Mention | None]], first: dt.date | None, last: dt.date | None
) -> list[Mention | None]:
    """The day of each incident: its own, else that of the nearest one told (rather before than behind) if that lies
    between `first` and `last`, the days that an undated incident may be of. own: (sentence, date), in text order."""
    days = [(s, m) for s, m in own if m is not None and m.start is not None and m.start == m.end]
    days = [(s, m) for s, m in days if first is not None and last is not None and first <= (m.start or first) <= last]
    return [m if m is not None or not days else min(days, key=lambda d: (abs(d[0] - s), d[0] > s))[1] for s, m in own]
