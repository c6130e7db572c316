"""When an incident was, and whether that makes it news or background."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from processors.extract.context import Context
from processors.extract.dates import DAYS_BEFORE, Mention
from processors.extract.frames import TOLD, Frame
from processors.extract.merge import Told
from processors.extract.tolls import WINDOW_DAYS
from processors.text import COMMA, SPACE

NEWS_DAYS = 3  # an older incident is background
WEEK_DAYS = 6  # from the first day of a week that is named as a whole
LEAD_DAYS = 10  # but headline and lead are news whatever their tense
REACH = 45  # words of a sentence on either side of a frame
SPEECH = 14  # words from a verb of speech to the day on which it was said
ASIDE = 4  # words of an aside between a speaker and the day («..., رئيس الأركان، الأحد»)
_SAYING = frozenset(("asserts", "denies", "doubts", "accuses", "issues", "relays"))


def date_of(c: Context, f: Frame) -> tuple[Mention | None, bool]:
    """The time expression of the clause, else the nearest of the sentence; and whether it is the incident's own, not
    the day on which somebody spoke of it («أعلن الجيش الأحد أن ...»)."""
    low, high = c.r.bounds(f.at)
    near = {m.first: m for k in range(max(low, f.at - REACH), min(high, f.at + REACH)) if (m := c.dated.get(k))}
    eve = _day_before(c, f, list(near.values()))
    if eve is not None:
        return eve, True
    near = {k: m for k, m in near.items() if not _of_another(c, f, m)}
    earlier = of_another_day(c, f, list(near.values()))
    if earlier is not None:
        return earlier, True
    here = [m for m in near.values() if m.rule != DAYS_BEFORE]
    inner = [m for m in here if f.inner[0] <= m.first < f.inner[1]]
    own = [m for m in inner if not spoken(c, m, f.at)]
    others = [m for m in here if not spoken(c, m, f.at) and m.rule not in SO_FAR]
    headline = c.r.sentences[c.r.sentence[f.at]].headline
    later = resumed_day(c, f) if not (own or others or headline) else None
    if later is not None:
        return later, True
    for pool, firm in ((own, True), (others, True), (inner, False), (here, False)):
        points = [m for m in pool if m.kind == "point" or m.days <= WINDOW_DAYS]
        if not points and pool is own:
            points = [m for m in pool if m.kind in ("since", "window")]
        if points:
            return min(points, key=lambda m: abs(m.first - f.at)), firm
    return None, False


def _day_before(c: Context, f: Frame, near: Sequence[Mention]) -> Mention | None:
    """«قصف الجيش ... السبت، [غداة] اشتباكات ...»: the day before the one that the news is of."""
    words = range(f.at - 1, max(c.r.bounds(f.at)[0], f.at - EVE) - 1, -1)
    k = next((k for k in words if c.cue(k, "day_after")), None)
    if k is None or any(c.r.gap[j] > SPACE for j in range(k + 1, f.at + 1)):
        return None
    days = [m for m in near if m.kind == "point" and m.precision == "day" and m.rule != DAYS_BEFORE and m.first < k]
    if not days or days[-1].start is None or days[-1].end is None:
        return None
    back = dt.timedelta(days=1)
    try:
        return replace(days[-1], start=days[-1].start - back, end=days[-1].end - back, rule="day-before")
    except OverflowError:
        return None


EVE = 3  # words from «the day after» to what was
SO_FAR = ("month", "year-current")  # «هذا الشهر»: dates only what its own clause tells


def _of_another(c: Context, f: Frame, m: Mention) -> bool:
    """Whether a time expression behind the trigger tells of something else: what was the day before («غداة احتجاجات
    الجمعة»), what a new clause tells («..., وقد لقي ... الخميس»), or, of a year in the lead, what a relative clause
    does («اعتقال نائب ...، الذي ... محاولة الانقلاب عام 2016»)."""
    if _of_a_war(c, f, m) or _since_then(c, f, m):
        return True
    if m.first < f.at:
        return any(c.cue(k, "day_after") for k in range(m.last, f.at))
    between = range(f.trigger.last, m.first)
    if m.precision in ("week", "month", "year") and any(c.cue(k, "earlier_than") for k in between):
        return True
    if any(c.cue(k, "day_after") for k in between):
        return True
    if not f.inner[0] <= m.first < f.inner[1] and any(c.cue(k, "new_clause") for k in between):
        return True
    lead = c.r.sentence[f.at] < RESUMED
    return lead and m.precision == "year" and any(c.cue(k, "which") for k in between[1:])


def _of_a_war(c: Context, f: Frame, m: Mention) -> bool:
    """«في أكبر معركة في [الحرب المستمرة] منذ ثلاث سنوات»: how long the war has lasted that the event belongs to."""
    if m.kind not in ("since", "window"):
        return False
    low = max(c.r.bounds(m.first)[0], m.first - OF_WAR)
    return any(c.cue(k, "war") and k > f.at and c.hits.at("triggers", k) is None for k in range(low, m.first))


def _since_then(c: Context, f: Frame, m: Mention) -> bool:
    """«[للمرة الأولى منذ] الهدنة العام الماضي», «[أعنف] الغارات [منذ] حرب 2014»: the date of what a first or greatest
    one is counted from, unless the event itself is."""
    low = c.r.bounds(m.first)[0]
    if m.kind == "since":
        return f.at < m.first and _greatest(c, low, m.first)
    if m.first < f.at and any(c.cue(k, "block") for k in range(m.last, f.at)):
        return False  # «..., عندما [استهدفت] ...» goes on about it
    for k in range(m.first - 1, max(low, m.first - SINCE) - 1, -1):
        if c.r.gap[k + 1] > SPACE or c.hits.at("triggers", k) is f.trigger:
            return False
        if c.cue(k, "since"):
            return _greatest(c, low, k)
    return False


def _greatest(c: Context, low: int, since: int) -> bool:
    """Whether «the first», «the greatest» stands before word `since`."""
    return any(c.cue(k, "superlative") for k in range(max(low, since - GREATEST), since))


OF_WAR = 6  # words from a war to how long it has lasted
SINCE = 7  # words from «since» to the date of what it counts from
GREATEST = 10  # words from «the first», «the greatest» to «since»


def resumed_day(c: Context, f: Frame) -> Mention | None:
    """«ووقع الهجوم مساء السبت»: the day that one of the next sentences gives to what happened."""
    s = c.r.sentence[f.at]
    for n in range(s + 1, min(s + 1 + (RESUMED if s < RESUMED else 1), len(c.r.sentences))):
        sentence = c.r.sentences[n]
        for k in range(sentence.first, sentence.last):
            if c.cue(k, "happens") and any(c.cue(j, "resumed") for j in range(k + 1, min(k + HAPPENS, sentence.last))):
                days = [m for j in range(k, min(k + REACH, sentence.last)) if (m := c.dated.get(j))]
                return next((m for m in days if m.kind == "point" and m.precision in ("day", "days")
                             and m.rule != DAYS_BEFORE and not spoken(c, m, k)), None)  # fmt: skip
    return None


RESUMED = 3  # sentences behind a telling in the lead that may say when it was, behind others one
HAPPENS = 4  # words from «happened» to what did


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


def spoken(c: Context, m: Mention, trigger: int) -> bool:
    """Whether a day is that of a statement: a verb of speech stands before it, with neither a «that» nor the trigger or
    another verb of violence between."""
    low = max(c.r.bounds(m.first)[0], m.first - SPEECH)
    if _judged(c, m):
        return True
    for k in range(m.first - 1, low - 1, -1):
        if c.cue(k, "that", "that_they") or k == trigger:
            return False
        if c.r.gap[k + 1] >= COMMA and m.first - k > ASIDE:
            return False
        hit = c.hits.at("triggers", k) or c.hits.at("outcomes", k)
        if hit is not None and hit.entry.get("form") == "verb":
            return False
        verb = c.hits.at("sources", k)
        if c.cue(k, "claimed", "said_so") or (verb is not None and verb.entry.get("kind") in _SAYING):
            return True
    return False


def _judged(c: Context, m: Mention) -> bool:
    """«[أدانت] السعودية الهجوم على بلدة كذا، الأحد.»: a day set apart at the end of a sentence that condemns."""
    low, high = c.r.bounds(m.first)
    ends = m.last >= high or c.r.gap[m.last] > SPACE
    if m.precision not in ("day", "days") or c.r.gap[m.first] <= SPACE or m.first <= low or not ends:
        return False
    return any(c.cue(k, "judges") for k in range(low, min(low + OPENING, m.first)))


OPENING = 12  # words of a sentence, a dateline among them, in which its verb stands


def realis(c: Context, f: Frame, date: Mention | None, today: dt.date | None) -> str:
    """reported, or recap for what words or day make background; a frame that is not told as done keeps its own."""
    if f.realis not in TOLD:
        return f.realis
    if _asked(c, f):
        return "hypothetical"
    if f.aside:
        return "recap"
    if f.realis == "recap":
        recent = date is not None and date.end is not None and today is not None and (today - date.end).days <= 1
        short = date is not None and date.start is not None and date.end is not None and (
            date.end - date.start).days <= NEWS_DAYS  # fmt: skip
        return "reported" if recent and short and date is not None and date.kind == "point" else "recap"
    if _background(c, f, date):
        return "recap"
    if date is None or date.end is None or today is None:
        return "reported"
    if date.kind in ("since", "window") and (today - (date.start or today)).days > NEWS_DAYS:
        return "recap"
    lead = c.r.sentence[f.at] <= 1
    if date.precision == "week" and date.start is not None:
        return "recap" if (today - date.start).days > (LEAD_DAYS if lead else WEEK_DAYS) else "reported"
    if date.precision in ("year", "month") and (today - date.end).days <= NEWS_DAYS:
        return "recap" if date.start is not None and (today - date.start).days > NEWS_DAYS else "reported"
    if _wounding(c, f, [date]) is not None:
        return "reported"  # the death is the news
    return "recap" if (today - date.end).days > (LEAD_DAYS if lead else NEWS_DAYS) else "reported"


def _asked(c: Context, f: Frame) -> bool:
    """«بعد اشتباكات كذا: [هل] نشب الخلاف؟», «[من] يقاتل في ...؟»: a sentence of the body, a link mostly, that asks."""
    sentence = c.r.sentences[c.r.sentence[f.at]]
    if sentence.headline or "؟" not in c.r.text[c.r.ends[sentence.last - 1] : c.r.ends[sentence.last - 1] + 3]:
        return False
    return sentence.last - sentence.first <= ASKED and any(
        c.cue(k, "asks") for k in range(sentence.first, sentence.last))  # fmt: skip


ASKED = 16  # words of a question that stands alone


def _background(c: Context, f: Frame, date: Mention | None) -> bool:
    """«بعد انسحابه من ...», «منذ سيطرة ...», «عادة ما ...»; and what follows «منذ 13 آذار» in its sentence, undated."""
    taking = f.flags & {"transfer", "capture"} and f.trigger.entry.get("form") == "noun"
    if taking and any(c.cue(k, "after") for k in (f.at - 1, f.at - 2) if k >= 0):
        return True
    if date is not None and date.kind == "point":
        return False
    if any(c.cue(k, "habit") for k in range(f.inner[0], f.inner[1])):
        return True
    first = c.r.bounds(f.at)[0]
    if any(c.cue(k, "opinion") for k in range(first, min(first + 3, f.at))):
        return True
    low = max(c.r.bounds(f.at)[0], f.at - 80)
    return any(
        m.kind in ("since", "window") and m.days > NEWS_DAYS and m.first < f.at
        for k in range(low, f.at) if (m := c.dated.get(k))
    )  # fmt: skip


def dated(ordered: Sequence[tuple[Mention | None, bool]]) -> Mention | None:
    """The date of an incident from its tellings, the best first: its own before the days of statements, a day before a
    window."""
    known = [(m, m.start, m.end, firm) for m, firm in ordered if m is not None and m.start is not None
             and m.end is not None]  # fmt: skip
    own = [row for row in known if row[3]] or known
    if not own:
        return None
    first_end, last_start = min(end for _, _, end, _ in own), max(start for _, start, _, _ in own)
    apart = [(m, end) for m, start, end, _ in own if first_end < start or end < last_start]  # from another telling
    if apart:
        return min(apart, key=lambda row: row[1])[0]  # what came of it is told with its own day
    return min(own[:4], key=lambda row: (row[2] - row[1]).days)[0]


def shared(
    own: Sequence[tuple[int, Mention | None]], first: dt.date | None, last: dt.date | None
) -> list[Mention | None]:
    """The day of each incident: its own, else that of the nearest one told (rather before than behind) if that lies
    between `first` and `last`, the days that an undated incident may be of. own: (sentence, date), in text order."""
    days = [(s, m) for s, m in own if m is not None and m.start is not None and m.start == m.end]
    days = [(s, m) for s, m in days if first is not None and last is not None and first <= (m.start or first) <= last]
    return [m if m is not None or not days else min(days, key=lambda d: (abs(d[0] - s), d[0] > s))[1] for s, m in own]


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


def carry_on(c: Context, told: Sequence[Told]) -> None:
    """Makes recaps of undated tellings that go on about what a sentence of an earlier day told right before them:
    «وتبنى التنظيم الهجوم», «كما أصيب ...»."""
    for previous, t in pairwise(told):
        if t.realis != "reported" or t.date is not None or t.sentence - previous.sentence not in (0, 1):
            continue
        past = previous.realis == "recap" and previous.date is not None and previous.date.kind == "point"
        low = c.r.bounds(t.frame.at)[0]
        anaphoric = t.frame.trigger.definite or any(c.cue(k, "claimed") for k in range(low, t.frame.at)[-REACH:])
        if past and (anaphoric or c.r.words[low] in ("كما", "كذلك")) and (t.inherited or t.keys <= previous.keys):
            t.realis = "recap"
