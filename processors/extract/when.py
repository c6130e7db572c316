"""When an incident was, and whether that makes it news or background."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from processors.extract.context import Context
from processors.extract.dates import DAYS_BEFORE, Mention
from processors.extract.frames import TOLD, Frame
from processors.extract.tolls import WINDOW_DAYS
from processors.text import SPACE

NEWS_DAYS = 3  # an older incident is background
LEAD_DAYS = 10  # but headline and lead are news whatever their tense
REACH = 45  # words of a sentence on either side of a frame


def date_of(c: Context, f: Frame) -> Mention | None:
    """The time expression of the clause, else the nearest of the sentence."""
    low, high = c.r.bounds(f.at)
    near = {m.first: m for k in range(max(low, f.at - REACH), min(high, f.at + REACH)) if (m := c.dated.get(k))}
    earlier = of_another_day(c, f, list(near.values()))
    if earlier is not None:
        return earlier
    here = [m for m in near.values() if m.rule != DAYS_BEFORE]
    inner = [m for m in here if f.inner[0] <= m.first < f.inner[1]]
    points = [m for m in inner or here if m.kind == "point" or m.days <= WINDOW_DAYS]
    if not points:
        points = [m for m in inner if m.kind in ("since", "window")]
    if not points:
        return None
    done = [m for m in points if not _of_saying(c, f, m)]
    done = done or [m for m in here if m.kind == "point" and m.first > f.at]
    return min(done or points, key=lambda m: abs(m.first - f.at))


def of_another_day(c: Context, f: Frame, near: Sequence[Mention]) -> Mention | None:
    """The day of what was «three days before» the news, and of the wounding of somebody who died. near: in order."""
    before = next((m for m in near if _told_behind(c, m, f.at)), None)
    return _counted_back(before, near) if before is not None else _wounding(c, f, near)


def _told_behind(c: Context, m: Mention, at: int) -> bool:
    """«بعد ثلاثة أيام من [مقتل ...]»: whether word `at` tells what was so long before."""
    if m.rule != DAYS_BEFORE or not 0 <= at - m.last <= BEHIND:
        return False
    return not any(c.r.gap[k] > SPACE or c.cue(k, "block") for k in range(m.last + 1, at))


def _counted_back(before: Mention, near: Sequence[Mention]) -> Mention:
    """«... في نيسان 2017، بعد ثلاثة أيام من هجوم»: counted from the day that the sentence names, else from the news."""
    named = [m for m in near if m.first < before.first and m.kind == "point" and m.rule != DAYS_BEFORE]
    if not named or named[-1].start is None or named[-1].end is None:
        return before
    start, end, back = named[-1].start, named[-1].end, dt.timedelta(days=before.days)
    try:
        return replace(before, start=start - back, end=end - back, precision=named[-1].precision)
    except OverflowError:
        return before


BEHIND = 14  # words between «three days after» and what was before


def _wounding(c: Context, f: Frame, here: Sequence[Mention]) -> Mention | None:
    """«توفي متأثراً بجراح أصيب بها قبل شهرين»: a death from wounds is dated to the wounding."""
    died = next((k for k in range(f.at, min(f.at + REACH, c.r.bounds(f.at)[1])) if c.cue(k, "wounds")), None)
    if died is None:
        return None
    return next((m for m in here if m.first > died and m.kind == "point" and m.start is not None), None)


def _of_saying(c: Context, f: Frame, m: Mention) -> bool:
    """«أعلن مصدر أمني الأحد مقتل ...»: the day on which it was said, not the day on which it was."""
    if m.first > f.at or m.kind != "point":
        return False
    low = c.r.bounds(f.at)[0]
    for k in range(m.first - 1, max(low, m.first - SPEAKER) - 1, -1):
        if c.hits.at("triggers", k) is not None or c.hits.at("outcomes", k) is not None:
            return False
        hit = c.hits.at("sources", k)
        if c.cue(k, "claimed") or (hit is not None and hit.entry.get("kind") == "asserts"):
            return True
    return False


SPEAKER = 8  # words between the verb of saying and its day


def realis(c: Context, f: Frame, date: Mention | None, today: dt.date | None) -> str:
    """reported, or recap for what words or day make background; a frame that is not told as done keeps its own."""
    if f.realis not in TOLD:
        return f.realis
    if f.aside:
        return "recap"
    if f.realis == "recap":
        recent = date is not None and date.end is not None and today is not None and (today - date.end).days <= 1
        return "reported" if recent and date is not None and date.kind == "point" else "recap"
    if _background(c, f, date):
        return "recap"
    if date is None or date.end is None or today is None:
        return "reported"
    if date.kind in ("since", "window") and (today - (date.start or today)).days > NEWS_DAYS:
        return "recap"
    if date.precision == "week" and date.start is not None and (today - date.start).days > 6:
        return "recap"
    if date.precision in ("year", "month") and (today - date.end).days <= NEWS_DAYS:
        return "recap" if date.start is not None and (today - date.start).days > NEWS_DAYS else "reported"
    if _wounding(c, f, [date]) is not None:
        return "reported"  # the death is the news
    lead = c.r.sentence[f.at] <= 1
    return "recap" if (today - date.end).days > (LEAD_DAYS if lead else NEWS_DAYS) else "reported"


def _background(c: Context, f: Frame, date: Mention | None) -> bool:
    """«بعد انسحابه من ...», «منذ سيطرة ...», «عادة ما ...»; and what follows «منذ 13 آذار» in its sentence, undated."""
    taking = f.flags & {"transfer", "capture"} and f.trigger.entry.get("form") == "noun"
    if taking and any(c.cue(k, "after") for k in (f.at - 1, f.at - 2) if k >= 0):
        return True
    if date is not None and date.kind == "point":
        return False
    if any(c.cue(k, "habit") for k in range(f.inner[0], f.inner[1])):
        return True
    low = max(c.r.bounds(f.at)[0], f.at - 80)
    return any(
        m.kind in ("since", "window") and m.days > NEWS_DAYS and m.first < f.at
        for k in range(low, f.at) if (m := c.dated.get(k))
    )  # fmt: skip


def day_of_article(c: Context, last: int, today: dt.date | None) -> Mention | None:
    """The one recent day named before word `last` or in the first sentences; None for none or several."""
    if today is None:
        return None
    lead = next((s.first for s in c.r.sentences[LEAD_SENTENCES:]), len(c.r.words))
    recent: dict[dt.date, Mention] = {}
    for k in (*range(min(lead, FAR)), *range(max(0, lead, last - FAR), last)):
        m = c.dated.get(k)
        if m is None or m.start is None or m.kind != "point" or m.precision != "day" or m.rule == DAYS_BEFORE:
            continue
        if 0 <= (today - m.start).days <= 1:
            recent.setdefault(m.start, m)
    return next(iter(recent.values())) if len(recent) == 1 else None


LEAD_SENTENCES = 3  # the headline and two more
FAR = 400  # words that are looked through
