"""Records as a person reads them: a block of short lines each, safe for a terminal and for right-to-left text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from pipeline.records import (
    Article,
    Claim,
    Coding,
    Entry,
    Event,
    EventDate,
    Period,
    Place,
    Record,
    Reject,
    Retraction,
    Source,
    Toll,
    Unique,
    Verdict,
)
from pipeline.telemetry import escape

_HEDGES = {
    "exact": "",
    "at_least": "at least ",
    "at_most": "at most ",
    "more_than": "more than ",
    "less_than": "less than ",
    "about": "about ",
}
_FIRST_STRONG, _POP = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class Style:
    """How to show: isolate = wrap outside text in bidi isolates (on a terminal), colour = use ANSI colours."""

    isolate: bool = False
    colour: bool = False

    def text(self, raw: str | None) -> str:
        """Text from outside, escaped; an Arabic name does not reorder the line around it."""
        return self.isolated(escape(raw or ""))

    def isolated(self, shown: str) -> str:
        """What was escaped (and painted) already, likewise kept from reordering the line around it."""
        return f"{_FIRST_STRONG}{shown}{_POP}" if self.isolate and not shown.isascii() else shown

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def bold(self, text: str) -> str:
        return self.paint(text, "1")

    def dim(self, text: str) -> str:
        return self.paint(text, "2")


def block(record: Record, style: Style) -> Iterator[str]:
    """The lines of one record; the first names it, the others are indented."""
    match record:
        case Event():
            yield from _event(record, style)
        case Toll():
            yield from _toll(record, style)
        case Coding():
            found = f"{len(record.event_ids)} events, {len(record.toll_ids)} totals"
            yield style.dim(f"coding  {record.article_id} revision {record.revision}: ") + style.text(
                f"nothing coded ({record.reason or 'no reason given'})" if record.abstained else found
            )
        case Unique():
            yield from _article(record.article, style)
            yield from _verdict(record.verdict, style, "  ")
        case Article():
            yield from _article(record, style)
        case Entry():
            yield from _entry(record, style)
        case Verdict():
            yield from _verdict(record, style, "")
        case Retraction():
            yield f"retracted  {style.text(record.id)} of article {style.text(record.article_id)}"
        case Reject():
            yield from _reject(record, style)
        case _:
            assert_never(record)


def _event(e: Event, style: Style) -> Iterator[str]:
    yield (
        f"{style.bold(date_words(e.date))}  {style.bold(e.sub_event_type)} ({e.event_type})"
        f"  {e.realis}, confidence {e.confidence:.2f}"
    )
    yield from _row("where", (place_words(p, style) for p in e.places), style)
    yield from _row("who", (f"{a.role} {_side(a.text, a.id, style)}" for a in e.actors), style)
    if e.civilian_targeting:
        yield from _row("against", ("civilians",), style)
    yield from _claims(e.casualties, e.sources, style)
    yield from _tail(e, style)


def _toll(t: Toll, style: Style) -> Iterator[str]:
    yield f"{style.bold(period_words(t.period, style))}  {style.bold('Running total')}  confidence {t.confidence:.2f}"
    yield from _row("where", (place_words(p, style) for p in t.places), style)
    yield from _claims(t.casualties, t.sources, style)
    sums = []
    for r in t.reconciles:
        if r.sum is not None:
            sums.append(f"{' + '.join(map(str, r.sum))} = {r.total}")
        if r.before is not None or r.after is not None:
            sums.append(f"{r.before} + {r.plus} = {r.after}")
    yield from _row("sums", sums, style)
    yield from _tail(t, style)


def _tail(record: Event | Toll, style: Style) -> Iterator[str]:
    yield from _row("says", (source_words(s, style) for s in record.sources), style)
    for evidence in record.evidence:
        yield from _row("quote", (f"«{style.text(evidence.quote)}»",), style)
    said = " ".join(filter(None, [record.outlet, f"{record.published:%Y-%m-%d %H:%M} UTC" if record.published else ""]))
    yield from _row("from", (style.text(said), style.text(record.url)), style)
    yield from _row("id", (style.text(record.id),), style)


def _claims(claims: tuple[Claim, ...], sources: tuple[Source, ...], style: Style) -> Iterator[str]:
    for claim in claims:
        yield from _row("claim", (claim_words(claim, sources, style),), style)


def _article(a: Article, style: Style) -> Iterator[str]:
    yield from _story(a, style)
    yield from _row("id", (style.text(a.id),), style)


def _entry(e: Entry, style: Style) -> Iterator[str]:
    yield from _story(e, style)
    yield from _row("feed", (style.text(e.feed),), style)
    yield from _row("guid", (style.text(e.source_id),), style)


def _story(a: Article | Entry, style: Style) -> Iterator[str]:
    day = f"{a.published:%Y-%m-%d %H:%M} UTC" if a.published else "undated"
    yield f"{style.bold(day)}  {style.text(a.title or '(no title)')}"
    first = a.body.strip().split("\n", 1)[0]
    yield from _row("text", (style.text(first[:160] + ("…" if len(first) > 160 else "")),), style)
    partial = "only a summary" if a.partial else ""
    yield from _row("from", (style.text(a.outlet), style.text(a.url), a.language or "language unknown", partial), style)


def _verdict(v: Verdict, style: Style, indent: str) -> Iterator[str]:
    yield f"{indent}{verdict_words(v, style)}"
    if not indent:
        yield from _row("id", (style.text(v.article_id),), style)


def verdict_words(v: Verdict, style: Style) -> str:
    """`syndicated of 1a2b: revision 1, 92% of this in that, 80% of that in this, credited to afp, joins 3c4d`."""
    of = f" {'beside' if v.verdict == 'unique' else 'of'} {style.text(v.of)}" if v.of else ""
    words = [f"{v.verdict.replace('_', ' ')}{of}: revision {v.revision}"]
    if v.similarity is not None and v.contained is None:
        words.append(f"{v.similarity:.0%} alike")
    if v.contained is not None:
        words.append(f"{v.contained:.0%} of this in that")
    if v.contains is not None:
        words.append(f"{v.contains:.0%} of that in this")
    if v.origin:
        words.append(f"credited to {style.text(v.origin)}")
    if v.reused:
        words.append(_counted(len(v.reused), "passage", "reused"))
    if v.merges:
        words.append(f"joins {' and '.join(style.text(c) for c in v.merges)} to its cluster")
    if v.changed:
        words.append(_counted(len(v.changed), "passage", "changed"))
    return ", ".join(words)


def _counted(n: int, what: str, how: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'} {how}"


def _reject(r: Reject, style: Style) -> Iterator[str]:
    yield f"{style.bold(style.text(r.reason))}  at {style.text(r.stage)}{' (may succeed later)' if r.retryable else ''}"
    yield from _row("error", (style.text(r.error),), style)
    yield from _row("at", (reject_place(r, style),), style)


def reject_place(r: Reject, style: Style) -> str:
    """`file:line`, or `topic[partition]@offset`."""
    if r.file is not None:
        return style.text(r.file) + (f":{r.line}" if r.line is not None else f" byte {r.offset}" if r.offset else "")
    return f"{style.text(r.topic)}[{r.partition}]@{r.offset}"


def _row(name: str, values: Iterable[str], style: Style) -> Iterator[str]:
    shown = "; ".join(v for v in values if v)
    if shown:
        yield f"  {style.dim(f'{name:<7}')} {shown}"


# -- parts -----------------------------------------------------------------------------------------------------------


def date_words(d: EventDate) -> str:
    if d.start is None:
        return "undated"
    days = d.start.isoformat() + (f"..{d.end.isoformat()}" if d.end and d.end != d.start else "")
    return days + ("" if d.precision == "day" else f" ({d.precision})")


def period_words(p: Period, style: Style) -> str:
    if p.start is None and p.end is None:
        return style.text(p.text) or "no period given"
    return f"{p.start or '?'}..{p.end or '?'}"


def place_words(p: Place, style: Style) -> str:
    known = ", ".join(dict.fromkeys(v for v in (p.name, p.admin1, p.country) if v))
    return style.text(p.text) + (f" ({style.text(known)})" if known else "")


def _side(text: str | None, id: str, style: Style) -> str:
    return f"{style.text(text)} ({style.text(id)})" if text else style.text(id)


def source_words(s: Source, style: Style) -> str:
    return style.text(s.name) + ("" if s.stance == "asserts" else f" ({s.stance})")


def claim_words(claim: Claim, sources: tuple[Source, ...], style: Style) -> str:
    """`killed at least 46 combatants of داعش (isis), says …`; parts and secondary claims say so."""
    words = [claim.outcome.replace("_", " "), _number_words(claim)]
    if claim.unit != "person":
        words.append("households")
    if claim.category != "unknown":
        words.append(f"({claim.category.replace('_', ' ')})")
    if claim.group:
        words.append("of " + " and ".join(_side(s.text, s.id, style) for s in claim.group))
    text = " ".join(words)
    said = [source_words(sources[i], style) for i in claim.sources if 0 <= i < len(sources)]
    if said:
        text += f", says {' and '.join(said)}"
    if claim.part_of is not None:
        text += f" [part of claim {claim.part_of + 1}]"
    elif not claim.primary:
        text += " [another count]"
    return text


def _number_words(claim: Claim) -> str:
    if claim.count is not None and claim.hedge in _HEDGES:
        return f"{_HEDGES[claim.hedge]}{claim.count}"
    if claim.low is not None:
        return f"{claim.low} to {claim.high}" if claim.high is not None else f"at least {claim.low}"
    if claim.high is not None:
        return f"at most {claim.high}"
    return "an unstated number" if claim.hedge in (*_HEDGES, "unspecified") else claim.hedge
