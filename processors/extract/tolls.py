"""One incident or a running total? And what period a total covers, and which sums hold.

A claim is cumulative where its words say so: «منذ», «خلال 20 يوماً», «ارتفع إلى», a war's dead, a part of such a total.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pipeline.records import Period, Reconciliation
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.dates import Mention
from processors.extract.lexicons import Hit
from processors.extract.numbers import digits
from processors.text import COMMA, SENTENCE

WINDOW_DAYS = 3  # a longer window is a series, not an incident
MANY_DISPLACED = 100_000
MANY_HELD = 5000
MANY = 1500  # no single incident kills or displaces so many in a sentence about a war


def cumulative(c: Context, claims: Sequence[Claim]) -> list[str]:
    """Per claim the rule that makes it cumulative, "" for one incident's."""
    out: list[str] = []
    for i, claim in enumerate(claims):
        rule = ""
        if claim.part_of is not None and claim.part_of < i and out[claim.part_of]:
            rule = "part-of-total"
        elif claim.rule == "against" and i and out[i - 1]:
            rule = "against-total"
        else:
            known = any(not out[k] and claims[k].outcome == claim.outcome for k in range(i))
            known = known or (bool(i) and not out[i - 1] and _risen(c, claims[i - 1])
                              and c.r.sentence[claims[i - 1].at] == c.r.sentence[claim.at])  # fmt: skip
            rule = _own(c, claim, known) or _inherited(c, claims, out, i)
        out.append(rule)
    out = _repeated(c, claims, out)
    lasting = any(rule in ("window", "since") for rule in out)
    hurt = any(
        not rule and k.outcome in ("killed", "injured", "killed_or_injured")
        for k, rule in zip(claims, out, strict=True)
    )
    if lasting and not hurt:
        return [rule or ("lasting" if _fled(c, k) else "") for k, rule in zip(claims, out, strict=True)]
    return out


def _repeated(c: Context, claims: Sequence[Claim], out: Sequence[str]) -> list[str]:
    """The headline's number that the text calls a total further on is that total."""
    totals = {(k.outcome, k.count) for k, rule in zip(claims, out, strict=True) if rule in OWN_WORDS}
    return [
        rule
        or ("repeat" if (k.count or 0) >= REPEATED and (k.outcome, k.count) in totals and not _of_a_day(c, k) else "")
        for k, rule in zip(claims, out, strict=True)
    ]


OWN_WORDS = frozenset(("since", "window", "period", "results"))
REPEATED = 5  # a smaller number is often another's


def _of_a_day(c: Context, claim: Claim) -> bool:
    return any(
        (m := c.dated.get(k)) and m.kind == "point" and m.precision == "day" for k in range(*around(c, claim, 10))
    )


def _results(c: Context, claim: Claim) -> bool:
    """«في حصيلة لحوالي أسبوعين من العملية», «ومن بين نتائج العمليات»: what a campaign brought in all."""
    low, high = c.r.bounds(claim.at)
    for k in range(max(low, claim.first - 40), min(high, claim.last + 14)):
        if c.cue(k, "results") is not None and k < claim.first:
            return True
        if c.cue(k, "tally") is not None:
            near = range(k + 1, min(k + 5, high))
            if any(c.r.words[j] in LONG_UNITS and c.r.words[j - 1] != "منذ" for j in near):
                return True
    return False


def _own(c: Context, claim: Claim, known: bool) -> str:
    """known: an incident's claim of the same outcome stands before."""
    low, high = around(c, claim)
    for k in range(low, high):
        date = c.dated.get(k)
        if date is not None and date.first == k:
            if date.kind == "since" and not _today(date) and not _other_clause(c, claim, date):
                return "since"
            if date.kind == "window" and date.days > WINDOW_DAYS and not _other_clause(c, claim, date):
                return "window"
    start = claim.first if claim.rule == "tally" else claim.last  # «عدد الذين قتلوا منذ ... إلى 36»
    if any(c.cue(k, "since") and c.r.words[k + 1] != "ذلك" and not _today(c.dated.get(k))
           and not _parted(c, claim.last, k) for k in range(start, min(claim.last + 14, high - 1))):  # fmt: skip
        return "since"
    if _results(c, claim):
        return "results"
    if _risen(c, claim) and not (known and _the_dead(c, claim)):
        return "risen"
    if any(c.cue(k, "period") and not _other_words(c, claim, k) for k in range(low, high)):
        return "period"
    if _of_protests(c, claim):
        return "protests"
    if _months(c, low, high) or _of_a_month(c, claim, low, high):
        return "months"
    if _in_days(c, claim, high):
        return "window"
    near = range(max(low, claim.first - SO_FAR), min(high, claim.last + SO_FAR))
    if (claim.count or 0) >= MANY_SO_FAR and any(c.cue(k, "so_far") for k in near):
        return "so-far"
    if _years_long(c, claim) or _weeks_over(c, claim) or _of_all_since(c, claim) or _begun(c, claim, high):
        return "since"
    near = range(max(low, claim.first - 8), min(high, claim.last + 3))
    if any(c.cue(k, "war") and not _label(c, k, claim) for k in near) and (claim.count is None or claim.count >= 100):
        return "war"
    if claim.outcome == "captured" and (claim.count or 0) >= MANY_HELD:
        return "many"
    if claim.outcome == "killed" and claim.hedge == "thousands":
        return "many"
    if claim.count is not None and claim.count >= MANY and claim.outcome in HURT:
        return "many"
    if (claim.count or 0) >= MANY_FALLEN and any(
        c.cue(k, "during") and c.r.words[k + 1] in CAMPAIGNS for k in range(claim.last, min(claim.last + 14, high - 1))
    ):
        return "campaign"
    if any(c.cue(k, "since") and c.cue(k + 1, "war") for k in range(low, high - 1)):
        return "since-war"
    if claim.outcome == "displaced" and (claim.count or 0) >= MANY_DISPLACED:
        return "many"
    first = c.r.bounds(claim.at)[0]
    if any(c.cue(k, "recap") for k in range(first, min(first + 3, claim.at))) and not any(
        (m := c.dated.get(k)) and m.kind == "point" for k in range(low, high)
    ):
        return "background"
    if any(c.cue(k, "series") for k in range(claim.first, min(claim.last + 6, high))):
        return "series"
    return ""


MANY_FALLEN = 100
HURT = frozenset(("killed", "injured", "killed_or_injured", "neutralised"))
CAMPAIGNS = frozenset(("العمليه", "العمليات", "الحمله", "المعارك", "المعركه"))


def _label(c: Context, k: int, claim: Claim) -> bool:
    """«الحرب في سوريا: عشرات القتلى في ...»: whether word `k` stands in a headline's label."""
    return any(":" in c.r.text[c.r.ends[j - 1] : c.r.starts[j]] for j in range(k + 1, claim.first + 1))


def _years_long(c: Context, claim: Claim) -> bool:
    """«مقتل 800 شخص على مدار أربعة عقود», «على مدى ثلاثة أشهر»."""
    low, high = around(c, claim, 14)
    return any(
        c.cue(k, "over") is not None
        and any(c.r.words[j] in LONG_UNITS for j in range(k + 2, min(k + 5, high)))
        and not _parted(c, min(claim.last, k), max(claim.first, k))
        for k in range(low, high)
    )


def _in_days(c: Context, claim: Claim, high: int) -> bool:
    """«مقتل 140 مدنياً في 34 يوماً», «في أسبوعين من القصف»: right behind the people."""
    for k in range(claim.last, min(claim.last + 4, high - 1)):
        if c.r.gap[k] >= COMMA:
            return False
        if c.r.words[k] == "في":
            if c.r.words[k + 1] in LONG_UNITS:
                return c.r.words[k + 1].endswith(("ين", "ات"))
            number = c.hits.at("numbers", k + 1)
            end = number.last if number is not None else k + 2
            many = int(number.entry.get("value")) if number is not None else (digits(c.r.words[k + 1]) or 0)
            unit = c.r.words[end] if end < high else ""
            return (unit in LONG_UNITS or (unit in DAYS and many > WINDOW_DAYS)) and many > 1
    return False


SO_FAR = 3  # words between «حتى الآن» and the people
MANY_SO_FAR = 30  # fewer may be one incident's, whose dead are still counted
DAYS = frozenset(("يوما", "ايام", "يوم"))


def _weeks_over(c: Context, claim: Claim) -> bool:
    """«بعد ستة أسابيع شهدت خلالها الحدود احتجاجات راح ضحيتها 51»."""
    low = max(c.r.bounds(claim.at)[0], claim.first - 20)
    for k in range(low, claim.first):
        if c.r.words[k] in ("خلالها", "خلاله", "خلالهما"):
            return any((u := c.hits.at("units", j)) and u.entry.text in LONG_UNITS for j in range(max(low, k - 6), k))
    return False


LONG_UNITS = frozenset(
    (
        "اسبوع",
        "اسابيع",
        "اسبوعين",
        "شهرين",
        "عامين",
        "سنتين",
        "شهر",
        "اشهر",
        "شهور",
        "عام",
        "اعوام",
        "سنه",
        "سنوات",
        "عقود",
    )
)


def _of_all_since(c: Context, claim: Claim) -> bool:
    """«تصاعد التوتر منذ 30 آذار عندما بدأ ...، ما أسفر عن مقتل 118»: what came of all that since then."""
    low, high = c.r.bounds(claim.at)[0], claim.first
    came = next((k for k in range(high - 1, max(low, high - 5), -1) if c.r.words[k] in ("ما", "مما")), None)
    if came is None:
        return False
    dates = {m.first: m for k in range(max(low, came - 60), came) if (m := c.dated.get(k))}
    since = [m for m in dates.values() if m.kind == "since" and not _today(m)]
    return bool(since) and not any(m.kind == "point" and m.precision == "day" and m.first > since[-1].last
                                   for m in dates.values())  # fmt: skip


def _begun(c: Context, claim: Claim, high: int) -> bool:
    """«22 جندياً في عملية واسعة انطلقت في 9 شباط»: an operation that began on a day of the calendar."""
    for k in range(claim.last, min(claim.last + 14, high)):
        if c.r.gap[k] >= COMMA or c.hits.at("outcomes", k) is not None or c.cue(k, "block") is not None:
            return False
        if c.cue(k, "begun") is not None:
            date = next((m for j in (k + 1, k + 2, k + 3) if (m := c.dated.get(j))), None)
            return date is not None and date.basis == "text"
    return False


def _the_dead(c: Context, claim: Claim) -> bool:
    """«ارتفعت حصيلة القتلى إلى 25»: the people of the incident just told of, whom nothing else describes."""
    tally = _tally_before(c, claim)
    noun = c.hits.at("persons", tally.last) if tally is not None else None
    return noun is not None and noun.definite and claim.side_rule in PLAIN and (claim.count or MANY) <= FEW


PLAIN = ("", "person-noun", "same-people", "enemy-named")  # no side is named
FEW = 300  # the dead of one incident, whose toll may rise


def _tally_before(c: Context, claim: Claim) -> Hit | None:
    """«حصيلة», «عدد» in front of the claim, in its sentence."""
    low = max(c.r.bounds(claim.at)[0], claim.at - 45)
    words = (k for k in range(claim.at, low - 1, -1) if not c.r.words[k].startswith("الاجمالي"))
    return next((hit for k in words if (hit := c.cue(k, "number", "tally"))), None)


def _of_protests(c: Context, claim: Claim) -> bool:
    """«بلغت حصيلة ضحايا الاحتجاجات 11»: those of weeks."""
    tally = _tally_before(c, claim)
    if tally is None or not any(c.cue(k, "reach", "rise") for k in range(c.r.bounds(claim.at)[0], claim.last)):
        return False
    told = next((h for k in range(tally.last, tally.last + 4) if (h := c.hits.at("triggers", k))), None)
    return told is not None and "protest" in told.entry.flags and c.r.words[told.first].endswith("ات")


def _months(c: Context, low: int, high: int) -> bool:
    """«في كانون الأول 2016 ونيسان 2017»: two months or years joined."""
    near = sorted({m.first: m for k in range(low, high) if (m := c.dated.get(k))}.values(), key=lambda m: m.first)
    return any(
        a.rule.startswith(_LONG) and b.rule.startswith(_LONG) and a.kind == b.kind == "point"
        and "day" not in (a.precision, b.precision)
        and b.first - a.last <= 1 and c.r.words[a.last].startswith("و")
        for a, b in pairwise(near)
    )  # fmt: skip


def _of_a_month(c: Context, claim: Claim, low: int, high: int) -> bool:
    """«قتل 40 جندياً في شهر آذار»: a month's people, where no incident is told of."""
    first, last = c.r.bounds(claim.at)
    if last - first > BRIEF or not any(
        (m := c.dated.get(k))
        and m.kind == "point"
        and m.precision == "month"
        and not _other_clause(c, claim, m)
        and (unit := c.hits.at("times", m.first - 1))
        and unit.entry.get("value") == "month"
        for k in range(low, high)
    ):
        return False
    told = (h for k in range(first, last) if (h := c.hits.at("triggers", k)))
    days = any((m := c.dated.get(k)) and m.precision == "day" for k in range(low, high))
    return (claim.count or MANY) > 1 and not days and all("kill" in h.entry.flags for h in told)


BRIEF = 40  # words of a sentence that is looked through for incidents
_LONG = ("month", "year")  # rules of dates


def _fled(c: Context, claim: Claim) -> bool:
    """«نزوح مئات العائلات»: many who left their homes, on no day that is named."""
    many = claim.outcome == "displaced" and (
        (claim.count or 0) >= MANY_FLED or claim.hedge in ("hundreds", "thousands")
    )
    low, high = c.r.bounds(claim.at)
    dated = any((m := c.dated.get(k)) and m.kind == "point" and m.precision == "day" for k in range(low, high))
    return many and not dated and any(c.cue(k, "flight") for k in range(claim.first, claim.last))


MANY_FLED = 1000


def _other_words(c: Context, claim: Claim, k: int) -> bool:
    """Whether a new clause or more than one comma stands between word `k` and the claim."""
    low, high = (claim.last, k) if k >= claim.last else (k, claim.first)
    parted = any(c.cue(j, "block", "rise") for j in range(low, high))
    return parted or sum(c.r.gap[j] == COMMA for j in range(low + 1, high + 1)) > 1


def _today(date: Mention | None) -> bool:
    """«منذ صباح الثلاثاء»: a day's fighting, no series."""
    if date is None or date.start is None:
        return False
    return date.kind == "since" and date.days <= 1 and date.end is not None and (date.end - date.start).days <= 1


def around(c: Context, claim: Claim, reach: int = 22) -> tuple[int, int]:
    """Words of the claim's sentence near it."""
    low, high = c.r.bounds(claim.at)
    return max(low, claim.first - reach), min(high, claim.last + reach)


def _parted(c: Context, low: int, high: int) -> bool:
    """Whether more than one comma or a new clause stands between two words."""
    return sum(c.r.gap[k] == COMMA for k in range(low, high + 1)) > 2 or any(
        c.cue(k, "block", "rise") for k in range(low, high)
    )


def _other_clause(c: Context, claim: Claim, date: Mention) -> bool:
    """Whether two commas, a new clause or a rising total part the date from the claim."""
    low, high = sorted((claim.at, date.first))
    if any(c.cue(k, "rise") for k in range(low, high)) and date.first > claim.at:
        return True
    if date.first < claim.first and c.cue(claim.first - 1, "after"):
        return True  # «... منذ بدء المعركة إلى 88 بعد مقتل سبعة»
    if date.first > claim.last and any(_turns(c, k) for k in range(claim.last, date.first)):
        return True  # «قتل أربعة ... حيث يتظاهرون منذ ...»
    low = max(low, date.last - 1) if date.first < claim.first else low
    commas = sum(_comma(c, k) for k in range(low + 1, high + 1))
    return commas > 1 or (commas == 1 and any(c.cue(k, "block") for k in range(low + 1, high)))


def _turns(c: Context, k: int) -> bool:
    """«... حيث يتظاهرون منذ», «في اليمن الذي يشهد نزاعاً منذ»: another matter begins at word `k`."""
    return c.r.words[k] in MEANWHILE or (c.r.words[k] in LIVES and c.r.words[k - 1] in ("الذي", "التي"))


LIVES = frozenset(("تاتي", "ياتي", "يشهد", "تشهد", "يعيش", "تعيش", "يعاني", "تعاني", "يخوض", "تخوض"))
MEANWHILE = frozenset(("حيث", "بينما", "فيما"))


def _comma(c: Context, k: int) -> bool:
    """Whether a comma, and no bracket or quotation mark alone, stands before word `k`."""
    return c.r.gap[k] == COMMA and any(mark in c.r.text[c.r.ends[k - 1] : c.r.starts[k]] for mark in "،,؛;")


_RISES = ("rise",)


def _risen(c: Context, claim: Claim) -> bool:
    """«ارتفع إلى 605 عدد ...», «ارتفعت حصيلة ... إلى»; but not the rising toll of one named incident."""
    low = max(c.r.bounds(claim.at)[0], claim.at - 20)
    for k in range(claim.at - 1, low - 1, -1):
        if c.r.gap[k + 1] >= SENTENCE:
            return False
        if c.cue(k, "rise"):
            reach = any(c.cue(j, "reach") and c.r.words[j].startswith("ال") for j in range(k, claim.at))
            return reach and not _one_incident(c, k, claim)
    return False


def _one_incident(c: Context, start: int, claim: Claim) -> bool:
    """«ارتفع عدد قتلى تفجير ...»: a trigger right behind the tally's noun."""
    tally = next((k for k in range(start, min(claim.last + 8, len(c.r.words))) if c.cue(k, "number", "tally")), None)
    for k in range(tally + 1, min(tally + 5, len(c.r.words))) if tally is not None else ():
        hit = c.hits.at("triggers", k)
        if hit is not None and hit.entry.get("form") == "noun" and "kill" not in hit.entry.flags:
            return not hit.entry.text.endswith("ات")
    return _blamed_on_one(c, claim)


def _blamed_on_one(c: Context, claim: Claim) -> bool:
    """«ارتفع عدد القتلى إلى 7 جراء الغارة على ...»: the one incident stands right behind the number."""
    high = min(claim.last + 3, c.r.bounds(claim.at)[1])
    for k in range(claim.last, high):
        hit = c.hits.at("triggers", k)
        if hit is not None and hit.entry.get("form") == "noun" and "kill" not in hit.entry.flags:
            led = hit.prefix.startswith("ب") or c.cue(k - 1, "because") is not None or c.r.words[k - 1] == "في"
            one = not c.r.words[hit.first].endswith("ات") or c.cue(k - 1, "because") is not None
            return led and one and hit.entry.flags.isdisjoint(("protest", "clash"))
    return False


def _inherited(c: Context, claims: Sequence[Claim], out: Sequence[str], i: int) -> str:
    """A later number of the same sentence goes on counting the total, unless an incident of its own stands by it."""
    if not i or not out[i - 1]:
        return ""
    previous, claim = claims[i - 1], claims[i]
    if c.r.sentence[previous.at] != c.r.sentence[claim.at]:
        low, high = c.r.bounds(claim.at)
        also = c.r.words[low] in ("كما", "كذلك") and c.r.sentence[claim.at] - c.r.sentence[previous.at] == 1
        return "goes-on" if also and not any(k in c.dated for k in range(low, high)) else ""
    for k in range(previous.last, claim.at):
        hit = c.hits.at("triggers", k)
        if hit is not None and not hit.entry.flags & {"kill", "weak", "generic", "arrest"}:
            return ""
    date = next((c.dated[k] for k in range(claim.first, min(claim.last + 4, c.r.bounds(claim.at)[1]))
                 if k in c.dated), None)  # fmt: skip
    if date is not None and date.kind == "point" and date.precision == "day":
        return ""
    return "goes-on"


def period(c: Context, claim: Claim) -> Period:
    """The time that a total covers, from the nearest time expression around it."""
    low, high = around(c, claim)
    near = {c.dated[k].first: c.dated[k] for k in range(low, high) if k in c.dated}
    wide = [m for m in near.values() if m.kind in ("since", "window") or m.precision in ("month", "year")]
    if not wide:
        return Period()
    m = min(wide, key=lambda m: abs(m.first - claim.at))
    return Period(start=m.start, end=m.end, text=c.r.quote(m.first, m.last), span=c.r.span(m.first, m.last))


def reconciliations(counts: Sequence[int], fresh: Sequence[int]) -> tuple[Reconciliation, ...]:
    """Arithmetic that holds: two parts and their total, or before + plus = after with a fresh incident's number."""
    out: list[Reconciliation] = []
    distinct = sorted(set(counts))[-12:]
    for total in distinct:
        for i, a in enumerate(distinct):
            out.extend(
                Reconciliation(sum=(max(a, b), min(a, b)), total=total)
                for b in distinct[i + 1 :]
                if a + b == total and a > 1
            )
        out.extend(
            Reconciliation(before=before, plus=plus, after=total)
            for before in distinct
            for plus in sorted(set(fresh))
            if plus > 0 and before + plus == total and plus not in distinct
        )
    return tuple(out)
