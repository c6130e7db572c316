"""Dates in English: «March 5», «late on Tuesday», «two days ago», «last month», «since 2011», «past 24 hours»."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import replace
from typing import Literal

from processors.extract.dates import EARLIEST, Mention, latest
from processors.extract.lexicons import Hit, Hits
from processors.extract.numbers import Quantity
from processors.text import COMMA, LINE, SPACE, Reading

_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25, "decade": 3652.5}
_A_FEW = {"hour": 12, "day": 7, "week": 6, "month": 6, "year": 5, "decade": 3}
_YEAR_BEFORE = frozenset(
    ["in", "since", "during", "of", "late", "early", "mid", "from", "until", "by", "for", "end", "beginning"]
)
_PARTS = frozenset(["night", "evening", "morning", "afternoon"])
STAMP_WORDS = 8  # a full date this near to the start of a line is the page's date stamp


def dates(r: Reading, hits: Hits, numbers: dict[int, Quantity], today: dt.date | None) -> list[Mention]:
    """Time expressions in text order. numbers: quantities by the word of their core; today: day of publication."""
    found: list[Mention] = []
    seeds = {h.first for h in hits.of("months")} | {h.first for h in hits.of("times")} | numbers.keys()
    seeds |= {i for i, w in enumerate(r.words) if len(w) == 4 and w.isdigit()}
    end = -1
    for i in sorted(seeds):
        if i < end:
            continue
        for rule in RULES:
            mention = rule(r, hits, numbers, i, today)
            if mention is not None:
                found.append(_since(r, hits, mention, today))
                end = mention.last
                break
    return found


def stamp(r: Reading, m: Mention, today: dt.date | None) -> bool:
    """Whether a date is the page's own stamp («Tuesday 26 April 2016 21:41» at the head of a line)."""
    first = r.bounds(m.first)[0]
    at_head = m.first - first <= STAMP_WORDS and (first == 0 or r.gap[first] >= LINE)
    dated = m.rule.startswith("day-year") and today is not None and m.start is not None
    return at_head and dated and today is not None and m.start is not None and 0 <= (today - m.start).days <= 1


def _time(hits: Hits, i: int, *kinds: str) -> Hit | None:
    hit = hits.at("times", i)
    return hit if hit is not None and hit.entry.get("kind") in kinds else None


def _near(r: Reading, i: int, reach: int = SPACE) -> bool:
    return i < len(r.words) and r.gap[i] <= reach


def _word(r: Reading, i: int) -> str:
    return r.words[i] if 0 <= i < len(r.words) else ""


def _day_number(r: Reading, numbers: dict[int, Quantity], i: int) -> tuple[int, int] | None:
    """(day, word after it) of «5», «05», «5th»."""
    if not 0 <= i < len(r.words):
        return None
    word = r.words[i]
    if not word.isdigit() or len(word) > 2 or not 1 <= int(word) <= 31:
        return None
    k = i + 1
    if _word(r, k) in ("st", "nd", "rd", "th") and r.starts[k] == r.ends[i]:
        k += 1
    return int(word), k


def _absolute(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«March 5, 2016», «5 March», «in late March», «last August», «August last year»."""
    if (
        _time(hits, i, "weekday") is not None
        and _near(r, i + 1, COMMA)
        and (hits.at("months", i + 1) is not None or _day_number(r, numbers, i + 1) is not None)
    ):
        date = _absolute(r, hits, numbers, i + 1, today)
        return replace(date, first=i) if date is not None else None
    month = hits.at("months", i)
    first, k, day = i, i, None
    if month is None:
        opened = _day_number(r, numbers, i)
        if opened is None:
            return None
        day, k = opened
        k += _word(r, k) == "of"
        month = hits.at("months", k) if _near(r, k) else None
        if month is None:
            return None
        k = month.last
    else:
        k = month.last
        behind = _day_number(r, numbers, k) if _near(r, k) else None
        if behind is not None and not (_near(r, behind[1]) and hits.at("months", behind[1]) is not None):
            day, k = behind
    lead = _word(r, first - 1)
    if (
        "word" in month.entry.flags
        and day is None
        and lead not in ("in", "since", "last", "late", "early", "mid", "of", "until", "this", "during", "by")
    ):
        return None
    if day is None and len(_word(r, month.first)) <= 3 and month.entry.text != "may":
        return None
    number = int(month.entry.get("month"))
    year, rule = None, "month-name"
    back = _time(hits, first - 1, "past") if first and r.gap[first] == SPACE else None
    if back is not None:
        first -= 1
    tail = _word(r, k)
    if len(tail) == 4 and tail.isdigit() and EARLIEST <= int(tail) <= 2100 and _near(r, k, COMMA):
        year, k, rule = int(tail), k + 1, "day-year" if day else "month-year"
    elif tail in ("last", "this") and _word(r, k + 1) == "year" and today is not None and _near(r, k):
        year, k = today.year - (tail == "last"), k + 2
    if year is None and today is not None:
        year = today.year - ((number, day or 1) > (today.month, today.day))
        if back is not None and day is None and number == today.month:
            year -= 1
    if first and day is not None and (_time(hits, first - 1, "weekday") is not None) and _near(r, first, COMMA):
        first -= 1
    if year is None:
        return Mention(first, k, None, None, "unknown", "relative", "point", rule)
    last_day = calendar.monthrange(year, number)[1]
    if day is not None and day > last_day:
        return None
    start = dt.date(year, number, day or 1)
    end = start if day else dt.date(year, number, last_day)
    if day is None and today is not None and start <= today < end:
        end = today
    if day is None and lead in ("late", "early", "mid"):
        start, end = _third(start, end, lead)
        first = first - 1
    return Mention(first, k, start, end, "day" if day else "month", "text", "point", rule)


def _third(start: dt.date, end: dt.date, part: str) -> tuple[dt.date, dt.date]:
    days = (end - start).days
    if part == "late":
        return start + dt.timedelta(days=days * 2 // 3 - 1 if days > 3 else 0), end
    if part == "early":
        return start, start + dt.timedelta(days=days // 3 + 1)
    return start + dt.timedelta(days=days // 4), end - dt.timedelta(days=days // 4)


def _numeric(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«06-08-2013», «2016/04/26»: words that hang together by dashes or slashes; masked, the day only if it is sure."""
    parts = r.words[i : i + 3]
    if len(parts) < 3 or not all(p.isdigit() for p in parts) or not all(_near(r, i + k, COMMA) for k in (1, 2)):
        return None
    if any(r.text[r.ends[k] : r.starts[k + 1]] not in ("-", "/") for k in (i, i + 1)):
        return None
    a, b, c = map(int, parts)
    year, one, two = (a, c, b) if a > 31 else (c, a, b)
    if not EARLIEST <= year <= 2100:
        return None
    for month, day in ((two, one), (one, two)):
        try:
            date = dt.date(year, month, day)
        except ValueError:
            continue
        if today is None or 0 <= (today - date).days <= 400:
            return Mention(i, i + 3, date, date, "day", "text", "point", "day-year-digits")
    return None


def _year(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«in 2015», «in late 2016»."""
    word = _word(r, i)
    if len(word) != 4 or not word.isdigit() or not EARLIEST <= int(word) <= 2100:
        return None
    lead = _word(r, i - 1)
    if lead not in _YEAR_BEFORE or not _near(r, i):
        return None
    after = hits.at("persons", i + 1) if _near(r, i + 1) else None
    if after is not None:
        return None
    year = int(word)
    start, end = dt.date(year, 1, 1), dt.date(year, 12, 31)
    first = i
    if lead in ("late", "early", "mid"):
        start, end = _third(start, end, lead)
        first = i - 1
    return Mention(first, i + 1, start, end, "year", "text", "point", "year")


def _weekday(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«Tuesday», «late on Tuesday», «last Friday», «Sunday night»; «today», «yesterday», «last night»."""
    day = _time(hits, i, "weekday", "day", "lastnight", "daybefore")
    if day is None:
        return None
    kind, first, k = day.entry.get("kind"), i, day.last
    if kind == "weekday" and day.entry.text in ("sun", "sat", "wed", "mon") and not _word(r, k).isdigit():
        return None
    part = _word(r, k) if _near(r, k) and _word(r, k) in _PARTS else ""
    k += bool(part)
    lead = _word(r, first - 1)
    if lead == "on":
        first -= 1
    tense = {"last": "past", "next": "future", "coming": "future", "this": ""}.get(lead, "")
    first -= lead in ("last", "next", "this")
    if today is None:
        return Mention(first, k, None, None, "unknown", "relative", "point", "relative-unresolved")
    if kind == "lastnight":
        return Mention(first, k, today - dt.timedelta(days=1), today, "days", "relative", "point", "last-night")
    if kind == "daybefore":
        start, end = today - dt.timedelta(days=2), today - dt.timedelta(days=1)
        return Mention(first, k, start, end, "days", "relative", "point", "day-before")
    value = int(day.entry.get("value"))
    date = latest(value, today, tense) if kind == "weekday" else today + dt.timedelta(days=value)
    rule = "weekday-past" if kind == "weekday" else "day-word"
    return Mention(first, k, date, date, "day", "relative", "point", rule)


def _unit(hits: Hits, k: int) -> str:
    unit = _time(hits, k, "unit")
    return unit.entry.get("value") if unit is not None else ""


def _relative(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«last month», «earlier this week», «in the past 24 hours», «in recent weeks», «over three years»."""
    tense = _time(hits, i, "past", "current", "recent")
    ago = _ago(r, hits, numbers, i, today)
    if ago is not None:
        return ago
    cue, k, count = tense, i, None
    lead = _word(r, i - 1)
    if tense is not None:
        k = tense.last
    q = numbers.get(k)
    if q is not None and q.core == k:
        if q.count is None and not q.vague:
            return None
        count, k = q.count if q.count is not None else 0, q.last_core
    unit = _unit(hits, k) if _near(r, k) else ""
    if not unit or (cue is None and count is None):
        return None
    k += 1
    first = i
    if cue is None:
        if lead not in ("for", "within", "over", "during", "than", "after", "in") or (lead == "in" and unit != "hour"):
            return None
        if _word(r, i - 1) == "after":
            return None
        kind = "window"
    else:
        kind = cue.entry.get("kind")
    if today is None:
        return Mention(first, k, None, None, "unknown", "relative", "point", "relative-unresolved")
    if unit == "weekend":
        end = latest(6, today, "past" if kind == "past" else "")
        return Mention(first, k, end - dt.timedelta(days=2), end, "days", "relative", "point", "weekend")
    if count is None and kind in ("past", "current") and unit in ("week", "month", "year"):
        ranged = lead in ("during", "over", "within", "throughout") or _word(r, i - 1) == "the"
        if kind == "past" and ranged:
            days = round(_DAYS[unit])
            return Mention(
                first, k, today - dt.timedelta(days=days), today, "days", "relative", "window", "window", days
            )
        return _calendar(first, k, unit, kind == "past", today)
    if kind == "current" and count is None:
        return None
    number = count if count else _A_FEW[unit]
    days = max(1, round(number * _DAYS[unit]))
    if days > 300 * 366:
        return None
    start = dt.date.fromordinal(max(1, today.toordinal() - days))
    return Mention(first, k, start, today, "days", "relative", "window", "window", days)


def _calendar(first: int, k: int, unit: str, past: bool, today: dt.date) -> Mention:
    if unit == "week":
        start = today - dt.timedelta(days=today.weekday() + (7 if past else 0) + 1)
        return Mention(
            first, k, start, min(start + dt.timedelta(days=7), today), "week", "relative", "point", "week", 7
        )
    if unit == "month":
        end = today.replace(day=1) - dt.timedelta(days=1) if past else today
        return Mention(first, k, end.replace(day=1), end, "month", "relative", "point", "month", 30)
    year = today.year - past
    return Mention(first, k, dt.date(year, 1, 1), dt.date(year, 12, 31) if past else today, "year", "relative", "point",
                   "year-past" if past else "year-current", 365)  # fmt: skip


def _ago(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«two days ago», «a week earlier», «several months ago»."""
    k, count = i, None
    q = numbers.get(i)
    if q is not None and q.core == i:
        k, count = q.last_core, q.count
    elif _word(r, i - 1) in ("a", "an", "one") and _unit(hits, i):
        count = 1
    else:
        return None
    unit = _unit(hits, k) if _near(r, k) else ""
    if not unit or unit == "weekend" or _time(hits, k + 1, "ago") is None or not _near(r, k + 1):
        return None
    last = k + 2
    if r.words[k + 1] in ("before", "prior", "earlier") and unit in ("hour", "day") and count is None:
        return None
    first = i - 1 if q is None else i
    if today is None:
        return Mention(first, last, None, None, "unknown", "relative", "point", "ago-unresolved")
    low, high = (count, count) if count is not None else (2, _A_FEW[unit])
    if high * _DAYS[unit] > 300 * 366:
        return None
    start, end = (dt.date.fromordinal(max(1, today.toordinal() - round(n * _DAYS[unit]))) for n in (high, low))
    if unit in ("week", "month", "year", "decade"):
        slack = dt.timedelta(days=max(1, min(round(high * _DAYS[unit] * 0.12), 400)))
        start, end = max(start - slack, dt.date.min + slack), min(end + slack, today)
    return Mention(first, last, start, end, "day" if start == end else "days", "relative", "point", "ago")


def _since(r: Reading, hits: Hits, m: Mention, today: dt.date | None) -> Mention:
    """A date behind «since» begins a period that lasts."""
    for back in (1, 2, 3, 4):
        k = m.first - back
        if k < 0 or r.gap[k + 1] > SPACE:
            return m
        cue = _time(hits, k, "since")
        if cue is not None and m.kind == "point" and m.first - cue.last <= 1:
            kind: Literal["since"] = "since"
            return replace(m, first=k, kind=kind, end=today if m.start else None, rule="since-" + m.rule,
                           precision="days" if m.start else "unknown",
                           days=max(0, (today - m.start).days) if today and m.start else 0)  # fmt: skip
    return m


RULES = (_numeric, _absolute, _relative, _weekday, _year)
