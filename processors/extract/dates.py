"""Dates: absolute ones with every calendar's month names, words relative to publication, windows of hours and days.

Relative words resolve against the day of publication in the outlet's local time; without one they stay unresolved.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.records import EventDate
from processors.extract.lexicons import Hit, Hits
from processors.extract.numbers import Quantity
from processors.text import COMMA, SPACE, Reading

Precision = Literal["day", "days", "week", "month", "year", "unknown"]
EARLIEST = 1800  # a four-digit number below is no year
A_FEW = (2, 7)  # «قبل أيام»
FARTHEST = 300 * 366  # days: «قبل 65 مليون سنة» is no date


@dataclass(frozen=True, slots=True)
class Mention:
    """A time expression in words `first:last`.

    kind: point, window («خلال 24 ساعة»), since («منذ»), history (a war's years); start/end None if unresolved.
    """

    first: int
    last: int
    start: dt.date | None
    end: dt.date | None
    precision: Precision
    basis: Literal["text", "relative"]
    kind: Literal["point", "window", "since"]
    rule: str
    days: int = 0  # length of a window

    def dated(self, r: Reading) -> EventDate:
        """As the record's field."""
        if self.start is None:
            return EventDate(precision="unknown", basis=self.basis, text=r.quote(self.first, self.last),
                             span=r.span(self.first, self.last))  # fmt: skip
        return EventDate(start=self.start, end=self.end, precision=self.precision, basis=self.basis,
                         text=r.quote(self.first, self.last), span=r.span(self.first, self.last))  # fmt: skip


def dates(r: Reading, hits: Hits, numbers: dict[int, Quantity], today: dt.date | None) -> list[Mention]:
    """Time expressions in text order. numbers: quantities by the word of their core; today: day of publication."""
    found: list[Mention] = []
    seeds = {h.first for h in hits.of("months")} | {h.first for h in hits.of("times")}
    seeds |= {q.core for q in numbers.values() if q.count is not None}
    end = -1
    for i in sorted(seeds):
        if i < end:
            continue
        readings = (m for rule in RULES if (m := rule(r, hits, numbers, i, today)) is not None)
        mention = _same_day(r, hits, i, found) or next(readings, None)
        if mention is not None:
            mention = _same_year(r, hits, mention, found)
            found.append(_with_since(r, hits, mention, today))
            end = found[-1].last
    return found


def _same_day(r: Reading, hits: Hits, i: int, found: Sequence[Mention]) -> Mention | None:
    """«اليوم ذاته», «ذات اليوم»: the day named last."""
    first = _time(hits, i, "day", "same")
    if first is None or first.last >= len(r.words) or r.gap[first.last] > SPACE:
        return None
    second = _time(hits, first.last, "day", "same")
    if second is None or second.entry.get("kind") == first.entry.get("kind"):
        return None
    known = next((m for m in reversed(found) if m.precision == "day" and m.start is not None), None)
    if known is None:
        return None
    return replace(known, first=i, last=second.last, basis="relative", kind="point", rule="same-day", days=0)


def _same_year(r: Reading, hits: Hits, m: Mention, found: Sequence[Mention]) -> Mention:
    """«في تموز/يوليو [من العام نفسه]»: a day or month of the year named last."""
    if m.rule != "month-name" or m.start is None or m.end is None or not _near(r, m.last + 1, SPACE):
        return m
    unit = _time(hits, m.last + 1, "unit_the", "same") if r.words[m.last] == "من" else None
    other = _time(hits, unit.last, "unit_the", "same") if unit is not None and _near(r, unit.last, SPACE) else None
    if unit is None or other is None or unit.entry.get("kind") == other.entry.get("kind"):
        return m
    named = unit if unit.entry.get("kind") == "unit_the" else other
    known = next((x for x in reversed(found) if x.kind == "point" and x.start is not None), None)
    if named.entry.get("value") != "year" or known is None or known.start is None:
        return m
    try:
        start, end = m.start.replace(year=known.start.year), m.end.replace(year=known.start.year)
    except ValueError:
        return m
    return replace(m, last=other.last, start=start, end=end, rule="same-year")


def _time(hits: Hits, i: int, *kinds: str) -> Hit | None:
    hit = hits.at("times", i)
    return hit if hit is not None and hit.entry.get("kind") in kinds else None


def _near(r: Reading, i: int, reach: int = 1) -> bool:
    """Whether word `i` exists and continues the words before it (a comma or slash allowed with reach 1)."""
    return i < len(r.words) and r.gap[i] <= reach


def _absolute(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«16 آذار (مارس) 2018», «آذار/مارس الماضي», «16-20 آذار»."""
    day: int | None = None
    k = i
    q = numbers.get(i)
    if q is not None and q.core == i and q.count is not None and 1 <= q.count <= 31:
        day, k = q.count, q.last_core
    elif (ordinal := _time(hits, i, "ordinal")) is not None and r.words[ordinal.last : ordinal.last + 1] == ("من",):
        day, k = int(ordinal.entry.get("value")), ordinal.last
    if day is not None:
        for filler in ("من", "شهر"):
            k += _near(r, k) and r.words[k] == filler
    if not _near(r, k):
        return None
    month = hits.at("months", k)
    if month is None or _father(r, month) or hits.cue(k - 1, ("topic",)) is not None:
        return _same_month(r, hits, i, k, day, today)
    number = int(month.entry.get("month"))
    k = month.last
    if _near(r, k):  # the same month in another calendar: «آذار / مارس»
        twin = hits.at("months", k)
        if twin is not None and int(twin.entry.get("month")) == number:
            k = twin.last
    year: int | None = None
    rule = "month-name"
    back = _time(hits, k, "past", "current", "future") if _near(r, k) else None
    if back is not None:
        k = back.last
        rule = "month-" + back.entry.get("kind")
    j = k
    while _near(r, j) and r.words[j] in ("من", "العام", "عام", "سنه", "الجاري", "للعام", "لعام") and j - k < 3:
        j += 1
    if _near(r, j) and r.words[j].isdigit() and len(r.words[j]) == 4 and EARLIEST <= int(r.words[j]) <= 2100:
        year, k = int(r.words[j]), j + 1
    elif j - k >= 1 and _near(r, j) and (past := _time(hits, j, "past", "current")) is not None and today:
        year, k = today.year - (past.entry.get("kind") == "past"), past.last
    if "beside" in month.entry.flags and day is None and back is None and year is None and not _month_before(r, month):
        return None
    if year is None and today is not None:
        year = _year_of(day, number, back.entry.get("kind") if back else "", today)
    basis: Literal["text", "relative"] = "text"
    first = i
    while first and r.ends[first - 1] == r.starts[first] and r.words[first - 1] in ("ال", "لل", "ب"):
        first -= 1
    if year is None:
        return Mention(first, k, None, None, "unknown", "relative", "point", rule)
    last_day = calendar.monthrange(year, number)[1]
    if day is not None and day > last_day:
        return None
    start = dt.date(year, number, day or 1)
    end = start if day else dt.date(year, number, last_day)
    opened = _range_start(r, numbers, first) if day else None
    if opened is not None and day is not None and opened[1] < day:
        begin = dt.date(year, number, opened[1])
        return Mention(opened[0], k, begin, end, "days", "text", "window", "day-range", (end - begin).days)
    return Mention(first, k, start, end, "day" if day else "month", basis, "point", rule)


def _month_before(r: Reading, month: Hit) -> bool:
    """«شهر [ماي]», «حزيران/[جوان]»: a word that is a name too stands behind «month» or another month's name."""
    k = month.first - 1
    return k >= 0 and r.gap[k + 1] <= COMMA and (r.words[k] in ("شهر", "وشهر", "لشهر", "بشهر"))


def _father(r: Reading, month: Hit) -> bool:
    """«أب», «باب» and the town «إب» are no August: the madda tells («آب», «بآب»)."""
    raw = r.quote(month.first, month.last)
    return month.entry.text == "اب" and (bool(month.prefix.strip("وف")) or "أ" in raw or "إ" in raw) and "آ" not in raw


def _numeric(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«3/9/2018», «3-9-2018», «2018/9/3»: day before month."""
    if i + 2 >= len(r.words) or not all(w.isdigit() and len(w) <= 4 for w in r.words[i : i + 3]):
        return None
    parts = r.text[r.starts[i] : r.ends[i + 2]]
    if not any(parts == mark.join(r.words[i : i + 3]) for mark in "/-"):
        return None
    a, b, c = (int(w) for w in r.words[i : i + 3])
    day, month, year = (c, b, a) if a > 31 else (a, b, c)
    try:
        date = dt.date(year, month, day)
    except ValueError:
        return None
    if not EARLIEST <= year <= 2100:
        return None
    return Mention(i, i + 3, date, date, "day", "text", "point", "numeric")


def _part_of_month(
    r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None
) -> Mention | None:
    """«أواخر آب الماضي», «منتصف الشهر الماضي», «مطلع أيار»: ten days of a month."""
    edge = _time(hits, i, "begin", "middle", "end")
    if edge is None or not _near(r, edge.last, SPACE):
        return None
    k = edge.last + (r.words[edge.last] == "شهر")
    if not _near(r, k, SPACE):
        return None
    whole = _absolute(r, hits, numbers, k, today) or _past_unit(r, hits, numbers, k, today)
    if whole is None and (year := _numbered_year(r, hits, numbers, k, today)) is not None:
        return _edge_of_year(i, year, edge.entry.get("kind"))
    if whole is None or whole.precision != "month" or whole.start is None:
        return None
    first = whole.start.replace(day=1)
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    kind = edge.entry.get("kind")
    start, end = {"begin": (first, first.replace(day=10)), "middle": (first.replace(day=10), first.replace(day=20)),
                  "end": (first.replace(day=20), last)}[kind]  # fmt: skip
    return Mention(i, whole.last, start, end, "days", whole.basis, "point", f"month-{kind}")


def _numbered_year(
    r: Reading, hits: Hits, numbers: dict[int, Quantity], k: int, today: dt.date | None
) -> Mention | None:
    """«أوائل [عام 2018]», «مطلع [2018]»: a year behind the word that tells its part."""
    named = r.words[k] in ("عام", "العام", "سنه")
    at = k + named
    if not _near(r, at, SPACE) or not (r.words[at].isdigit() and len(r.words[at]) == 4):
        return None
    if not EARLIEST <= int(r.words[at]) <= 2100:
        return None
    year = int(r.words[at])
    return Mention(k, at + 1, dt.date(year, 1, 1), dt.date(year, 12, 31), "year", "text", "point", "year")


EDGES = {"begin": (1, 3), "middle": (5, 8), "end": (10, 12)}  # months of the parts of a year


def _edge_of_year(i: int, year: Mention, part: str) -> Mention:
    """A part of a year, from word `i` on."""
    assert year.start is not None
    low, high = EDGES[part]
    first = dt.date(year.start.year, low, 1)
    last = dt.date(first.year, high, calendar.monthrange(first.year, high)[1])
    return Mention(i, year.last, first, last, "month", year.basis, "point", "year-edge")


def _same_month(r: Reading, hits: Hits, i: int, k: int, day: int | None, today: dt.date | None) -> Mention | None:
    """«الـ 8 من الشهر ذاته», «5 من الشهر الجاري»: the month of publication, or the one before."""
    if day is None or r.words[k] not in ("الشهر", "الشهرالجاري") or not _near(r, k + 1, SPACE):
        return None
    tense = _time(hits, k + 1, "same", "current", "past")
    if tense is None:
        return None
    first = i - 1 if i and r.words[i - 1] == "ال" else i
    if today is None:
        return Mention(first, tense.last, None, None, "unknown", "relative", "point", "same-month")
    base = today
    if tense.entry.get("kind") == "past" or (tense.entry.get("kind") == "same" and day > today.day):
        base = today.replace(day=1) - dt.timedelta(days=1)
    try:
        date = base.replace(day=day)
    except ValueError:
        return None
    return Mention(first, tense.last, date, date, "day", "text", "point", "same-month")


def _range_start(r: Reading, numbers: dict[int, Quantity], first: int) -> tuple[int, int] | None:
    """«13 وحتى [29 آذار]», «بين 13 و[29 آذار]»: (first word, day) of the day that opens a range."""
    k = first - 1
    while k >= 0 and r.words[k] in ("ال", "وال", "وحتي", "حتي", "الي", "و") and first - k < 4:
        k -= 1
    joined = r.words[k + 1 : first]
    opened = set(joined) & {"وحتي", "حتي", "الي", "و", "وال"}
    q = numbers.get(k)
    if not opened or q is None or q.count is None or not 1 <= q.count <= 31 or q.last_core != k + 1:
        return None
    before = r.words[k - 1] if k else ""
    start = k - 1 if before == "ال" else k
    return start, q.count


def _year_of(day: int | None, month: int, tense: str, today: dt.date) -> int:
    """The latest such month not after today; «المقبل» the next."""
    if tense == "future":
        return today.year + (month <= today.month)
    if tense == "past" and day is None and month == today.month:
        return today.year - 1
    later = (month, day or 1) > (today.month, today.day)
    return today.year - 1 if later else today.year


def _year(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«عام 2014», «في 2014»."""
    word = r.words[i]
    if not (word.isdigit() and len(word) == 4 and EARLIEST <= int(word) <= 2100):
        return None
    span = _years(r, i)
    if span is not None:
        return span
    before = r.words[i - 1] if i else ""
    if before not in ("عام", "العام", "سنه", "في", "منذ", "لعام", "للعام", "بعام", "وعام", "نهايه", "بدايه", "حرب"):
        return None
    year = int(word)
    first = i - 1 if before in ("عام", "العام", "سنه", "لعام", "للعام", "وعام") else i
    return Mention(first, i + 1, dt.date(year, 1, 1), dt.date(year, 12, 31), "year", "text", "point", "year")


def _years(r: Reading, i: int) -> Mention | None:
    """«بين 2011 و2017», «بين عامي 2011 و2017», «من 2011 إلى 2017»: the years from one to the other."""
    k = i - 1
    while k > 0 and r.words[k] in ("عامي", "عام", "سنتي", "العامين") and i - k < 3:
        k -= 1
    if k < 0 or r.words[k] not in ("بين", "من") or r.gap[i] > SPACE:
        return None
    j = i + 1
    while j < len(r.words) and j - i < 4 and r.gap[j] <= SPACE and r.words[j] in ("و", "الي", "حتي", "وعام", "عام"):
        j += 1
    if j >= len(r.words) or r.gap[j] > SPACE or (r.words[k] == "من" and j == i + 1):
        return None
    year = r.words[j].removeprefix("و")
    if not (year.isdigit() and len(year) == 4 and int(r.words[i]) < int(year) <= 2100):
        return None
    start, end = dt.date(int(r.words[i]), 1, 1), dt.date(int(year), 12, 31)
    return Mention(k, j + 1, start, end, "year", "text", "point", "years")


def _weekday(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«الجمعة», «يوم الجمعة الماضي», «ليل الخميس», «أمس الخميس», «اليوم الأحد»."""
    k, part, named = i, "", _time(hits, i, "part")
    if named is not None:
        part, k = named.entry.get("value"), named.last
        if not _near(r, k, SPACE):
            return None
    shift = _time(hits, k, "day")
    offset = int(shift.entry.get("value")) if shift is not None else None
    if shift is not None:
        k = shift.last
    elif k < len(r.words) and r.words[k] in ("يوم", "ويوم", "مساء", "صباح", "بيوم", "نهار", "ليوم"):
        k += 1
    day = _time(hits, k, "weekday") if k == i or _near(r, k, SPACE) else None
    if day is not None:
        k = day.last
        into = _time(hits, k, "weekday") if part in ("night", "eve") and _near(r, k, COMMA) else None
        if into is not None and (int(into.entry.get("value")) - int(day.entry.get("value"))) % 7 == 1:
            part, k = "night", into.last  # «ليل الخميس الجمعة»
    tense = _time(hits, k, "past", "future") if day is not None and _near(r, k, SPACE) else None
    if tense is not None:
        k = tense.last
    if day is None and (shift is None or (not part and offset == 0 and not _bare_today(r, hits, i))):
        return None
    if today is None:
        return Mention(i, k, None, None, "unknown", "relative", "point", "relative-unresolved")
    if offset is not None:
        date, rule = today + dt.timedelta(days=offset), "yesterday" if offset == -1 else "day-word"
        if day is not None and offset <= 0:
            date = _written(date, int(day.entry.get("value")))
    else:
        assert day is not None
        weekday = int(day.entry.get("value"))
        date, rule = latest(weekday, today, tense.entry.get("kind") if tense else ""), "weekday-past"
    start = end = date
    if part == "eve":
        start, end = (date - dt.timedelta(days=1),) * 2
        rule += "-eve"
    elif part == "night":
        end = min(date + dt.timedelta(days=1), max(today, date))
        rule += "-night"
    kind: Literal["point", "since"] = "point"
    return Mention(i, k, start, end, "day" if start == end else "days", "relative", kind, rule)


def _written(date: dt.date, weekday: int) -> dt.date:
    """«اليوم الجمعة» in what went online on Saturday, after midnight: the weekday is that of the writing."""
    before = date - dt.timedelta(days=1)
    return before if before.weekday() == weekday else date


def _bare_today(r: Reading, hits: Hits, i: int) -> bool:
    """«اليوم», but not «اليوم الذي ماتت فيه», «اليوم التالي», «اليوم الثاني»."""
    if _near(r, i + 1, SPACE) and (_time(hits, i + 1, "ordinal") or hits.cue(i + 1, ("which_day",))):
        return False
    return r.words[i] in ("اليوم",) and (i == 0 or r.words[i - 1] not in ("حتي", "الي", "منذ", "لليوم", "هذا"))


def latest(weekday: int, today: dt.date, tense: str = "") -> dt.date:
    """The latest such weekday not after today («الماضي»: before today; «المقبل»: after it)."""
    back = (today.weekday() - weekday) % 7
    if tense == "past" and back == 0:
        back = 7
    if tense == "future":
        return today + dt.timedelta(days=7 - back if back else 7)
    return today - dt.timedelta(days=back)


def _last_night(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    hit = _time(hits, i, "lastnight")
    if hit is None:
        return None
    if today is None:
        return Mention(i, hit.last, None, None, "unknown", "relative", "point", "relative-unresolved")
    return Mention(i, hit.last, today - dt.timedelta(days=1), today, "days", "relative", "point", "last-night")


_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25, "decade": 3652.5}


def _length(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int) -> tuple[int, float | None, str] | None:
    """A length of time from word `i`: (word after it, number of units or None, unit)."""
    k = i
    while k < len(r.words) and r.words[k] in ("نحو", "حوالي", "قرابه", "اكثر", "من", "ال", "اقل", "زهاء") and k - i < 3:
        k += 1
    the = _time(hits, k, "unit_the")
    if the is not None:
        value = the.entry.get("value")
        count: float | None = 2.0 if value.startswith("2") else None
        k = the.last
        while k < len(r.words) and r.words[k] == "ال":
            k += 1
        q = numbers.get(k)
        if q is not None and q.count is not None and count is None:
            return q.last_core, float(q.count), value.lstrip("2")
        return k, count, value.lstrip("2")
    q = numbers.get(k)
    count = None
    if q is not None and q.core == k:
        if q.count is None and q.hedge != "unspecified":
            return None
        count, k = float(q.count) if q.count is not None else None, q.last_core
    unit = _time(hits, k, "unit") if k < len(r.words) else None
    if unit is None:
        return None
    value = unit.entry.get("value")
    if value.startswith("2"):
        return unit.last, 2.0, value[1:]
    singular = r.words[unit.first] in ("يوم", "شهر", "عام", "سنه", "اسبوع", "ساعه")
    return unit.last, count if count is not None else (1.0 if singular else None), value


def _ago(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«قبل أيام», «قبل نحو 72 ساعة», «قبل شهرين»."""
    cue = _time(hits, i, "ago")
    if cue is None:
        return None
    length = _length(r, hits, numbers, cue.last)
    if length is None:
        return None
    k, count, unit = length
    if k < len(r.words) and (r.words[k].startswith("من ") or r.words[k] in ("من", "علي")):
        return None
    if today is None:
        return Mention(i, k, None, None, "unknown", "relative", "point", "ago-unresolved")
    days = _DAYS[unit]
    low, high = (count, count) if count is not None else A_FEW
    if high * days > FARTHEST:
        return None
    start, end = _back(today, high * days), _back(today, low * days)
    if count is not None and unit in ("week", "month", "year", "decade"):
        slack = dt.timedelta(days=max(1, round(days * count * 0.12)))
        start, end = start - slack, min(end + slack, today)
    elif unit == "hour" and count is not None:
        start = start - dt.timedelta(days=1) if count >= 24 else start
    return Mention(i, k, start, end, "day" if start == end else "days", "relative", "point", "ago")


def _days_before(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«بعد ثلاثة أيام من مقتل ...»: when that was, counted back from the news."""
    cue = _time(hits, i, "later")
    length = _length(r, hits, numbers, cue.last) if cue is not None else None
    if length is None:
        return None
    k, count, unit = length
    if not _near(r, k, SPACE) or r.words[k] not in ("من", "علي", "عن") or unit == "hour":
        return None
    if today is None:
        return Mention(i, k, None, None, "unknown", "relative", "point", DAYS_BEFORE)
    days = _DAYS[unit]
    low, high = (count, count) if count is not None else A_FEW
    if high * days > FARTHEST:
        return None
    slack = 1 if unit == "day" else max(1, round(days * high * 0.12))
    return Mention(i, k, _back(today, high * days + slack), _back(today, low * days), "days", "relative", "point",
                   DAYS_BEFORE, round(high * days))  # fmt: skip


DAYS_BEFORE = "days-before"  # the rule of a date that is an earlier incident's, counted from the article's own


def _back(today: dt.date, days: float) -> dt.date:
    return dt.date.fromordinal(max(1, today.toordinal() - round(days)))


def _window(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«خلال الساعات الـ 24 الماضية», «خلال 20 يوماً», «في اليومين الماضيين»."""
    cue = _time(hits, i, "during", "since")
    start_at = cue.last if cue is not None else i
    if cue is None and not (i and r.words[i - 1] in ("في", "وفي") and _time(hits, i, "unit_the") is not None):
        return None
    length = _length(r, hits, numbers, start_at)
    if length is None:
        return None
    k, count, unit = length
    tense = _time(hits, k, "past", "current") if _near(r, k, SPACE) else None
    if tense is not None:
        k = tense.last
    since = cue is not None and cue.entry.get("kind") == "since"
    if cue is None and tense is None:
        return None
    several = r.words[start_at] in ("السنوات", "الاعوام", "الاشهر", "الشهور", "الاسابيع")
    if count is None and unit in ("week", "month", "year") and not several:
        kind: Literal["point", "window", "since"] = "since" if since else "window" if cue is not None else "point"
        return _calendar_unit(i, k, unit, tense, today, kind)
    few = count if count is not None else float(A_FEW[1] if unit == "day" else 1 if unit == "hour" else 6)
    if few * _DAYS[unit] > FARTHEST:
        return None
    days = max(1, round(few * _DAYS[unit]))
    if count is None and unit == "hour":
        days = 1
    if today is None:
        return Mention(i, k, None, None, "unknown", "relative", "since" if since else "window", "window", days)
    start = _back(today, days)
    return Mention(i, k, start, today, "days", "relative", "since" if since else "window", "window", days)


def _calendar_unit(
    i: int, k: int, unit: str, tense: Hit | None, today: dt.date | None, kind: Literal["point", "window", "since"]
) -> Mention:
    if today is None:
        return Mention(i, k, None, None, "unknown", "relative", kind, "calendar-unit")
    past = tense is not None and tense.entry.get("kind") == "past"
    if unit == "week":  # news weeks begin on Sunday or Monday
        if past:
            start = today - dt.timedelta(days=7 + (today.weekday() + 1) % 7)
            end = min(start + dt.timedelta(days=7), today - dt.timedelta(days=1))
            return Mention(i, k, start, end, "week", "relative", kind, "week", 7)
        start = today - dt.timedelta(days=today.weekday() + 1)
        return Mention(i, k, start, today, "week", "relative", kind, "week", 7)
    if unit == "month":
        month_end = today.replace(day=1) - dt.timedelta(days=1) if past else today
        return Mention(i, k, month_end.replace(day=1), month_end, "month", "relative", kind, "month", 30)
    year = today.year - past
    return Mention(i, k, dt.date(year, 1, 1), dt.date(year, 12, 31) if past else today, "year", "relative", kind,
                   "year-past" if past else "year-current", 365)  # fmt: skip


def _past_unit(r: Reading, hits: Hits, numbers: dict[int, Quantity], i: int, today: dt.date | None) -> Mention | None:
    """«الشهر الماضي», «العام الجاري», «نهاية العام الماضي»."""
    k = i
    edge = _time(hits, i, "begin", "middle", "end")
    if edge is not None:
        k = edge.last
    this = _time(hits, k, "current") if r.words[k : k + 1] == ("هذا",) else None
    if this is not None:  # «في وقت سابق من هذا الشهر»
        unit = _time(hits, this.last, "unit_the") if _near(r, this.last, SPACE) else None
        if unit is None or unit.entry.get("value") not in ("week", "month", "year") or _later(r, i):
            return None
        return _calendar_unit(i, unit.last, unit.entry.get("value"), this, today, "point")
    unit = _time(hits, k, "unit_the")
    if edge is not None and unit is not None and unit.entry.get("value") == "week":
        return _part_of_week(r, hits, i, edge.entry.get("kind"), unit.last, today)
    if unit is None or unit.entry.get("value") not in ("week", "month", "year") or not _near(r, unit.last, SPACE):
        if edge is not None and unit is not None and unit.entry.get("value") in ("month", "year"):
            return _calendar_unit(i, unit.last, unit.entry.get("value"), None, today, "point")
        return None
    tense = _time(hits, unit.last, "past", "current")
    if tense is None:
        named = len(r.words[unit.last]) == 4 and r.words[unit.last].isdigit()
        lasting = edge is not None and not named
        return _calendar_unit(i, unit.last, unit.entry.get("value"), None, today, "point") if lasting else None
    mention = _calendar_unit(i, tense.last, unit.entry.get("value"), tense, today, "point")
    if edge is not None and mention.start is not None and mention.precision == "year":
        return _edge_of_year(i, mention, edge.entry.get("kind"))
    return mention


def _later(r: Reading, i: int) -> bool:
    """«في وقت لاحق [هذا الأسبوع]», «لاحقاً من [هذا الشهر]»: what is still to come."""
    return any(k >= 0 and r.words[k] in ("لاحق", "لاحقا") for k in (i - 1, i - 2))


def _part_of_week(r: Reading, hits: Hits, i: int, part: str, k: int, today: dt.date | None) -> Mention | None:
    """«نهاية الأسبوع» (Friday to Sunday), «مطلع الأسبوع» (Saturday, for the weekend is called so too, to Tuesday),
    «منتصف الأسبوع»: the latest that has begun; of a week said to be past or this one, but for its end, all. Word `k`
    stands behind «الأسبوع»."""
    tense = _time(hits, k, "past", "current", "future") if _near(r, k, SPACE) else None
    kind = tense.entry.get("kind") if tense is not None else ""
    last = tense.last if tense is not None else k
    if kind == "future":
        return None
    if kind and (kind, part) != ("past", "end"):
        return _calendar_unit(i, last, "week", tense, today, "point")
    if today is None:
        return Mention(i, last, None, None, "unknown", "relative", "point", "week-part")
    opens, days = {"begin": (5, 3), "middle": (1, 2), "end": (4, 2)}[part]
    start = today - dt.timedelta(days=(today.weekday() - opens) % 7)
    if kind == "past" and (today - start).days <= days:
        start -= dt.timedelta(days=7)
    end = min(start + dt.timedelta(days=days), today)
    return Mention(i, last, start, end, "day" if start == end else "days", "relative", "point", "week-part")


def _with_since(r: Reading, hits: Hits, m: Mention, today: dt.date | None) -> Mention:
    """A date after «منذ» begins a period that lasts; «وحتى» ends it."""
    k = m.first - 1
    while k > 0 and r.words[k] in ("يوم", "ال", "شهر", "بدايه", "مطلع", "ليل", "مساء") and m.first - k <= 3:
        k -= 1
    if m.kind != "point" or k < 0 or _time(hits, k, "since") is None or r.gap[k + 1] > SPACE:
        return m
    return Mention(k, m.last, m.start, today if m.start else None, "days" if m.start else "unknown", m.basis, "since",
                   "since-" + m.rule, (today - m.start).days if today and m.start else 0)  # fmt: skip


RULES = (_numeric, _part_of_month, _absolute, _ago, _days_before, _window, _last_night, _past_unit, _weekday, _year)
