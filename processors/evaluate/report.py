"""Scores as lines for a reader, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from processors.evaluate.tables import ERRORS, Error, Share, Sheet, Tally

Intervals = Mapping[str, tuple[float, float] | None]
_NAMES = 16  # columns of a row's name


def as_json(scores: Sheet, intervals: Intervals, *, quotes: bool) -> dict[str, Any]:
    """Every number of the report; measures rounded to three places. quotes: whether evidence was compared."""
    out: dict[str, Any] = {"documents": scores.documents}
    out |= {name: _table(tally) for name, tally in scores.tables.items()}
    out["leaks"] = {
        "of": scores.leaks.of,
        "leaked": scores.leaks.part,
        "rate": round(scores.leaks.value or 0.0, 3),
    }
    out["slots"] = {name: _share(share) for name, share in scores.slots.items()}
    out["slots_recap"] = {name: _share(share) for name, share in scores.recap_slots.items()}
    out["role_precision"] = _share(scores.roles)
    out["false_alarms"] = {
        "documents_without_news": scores.quiet.of,
        "with_fresh_records": scores.quiet.part,
        "fresh_records": scores.quiet_records,
    }
    out["ci95"] = dict(intervals)
    if quotes:
        out["spans"] = {"of": scores.quotes.of, "bad": scores.quotes.part}
    return out


def errors_as_json(errors: Iterable[Error]) -> list[dict[str, Any]]:
    """Errors by kind, in the order of ERRORS."""
    return [
        {
            "kind": kind,
            "count": len(found),
            "examples": [
                {"doc": e.document, "item": e.item, "quote": e.quote, "wanted": e.wanted, "said": e.said} for e in found
            ],
        }
        for kind, found in by_kind(errors).items()
    ]


def lines(scores: Sheet, intervals: Intervals, *, quotes: bool) -> Iterator[str]:
    """The tables for a reader."""
    yield f"{'':{_NAMES}}   F1  95%           P      R   right  wrong  missed  of"
    for name, tally in scores.tables.items():
        low, high = intervals.get(name) or (0.0, 0.0)
        yield (
            f"{name:{_NAMES}}{tally.f1:.3f}  {low:.2f}-{high:.2f}  {tally.precision:.3f}  {tally.recall:.3f}"
            f"  {tally.right:5}  {tally.wrong:5}  {tally.missed:6}  {tally.hit + tally.missed}"
        )
    yield ""
    for name, shares in (("slots", scores.slots), ("slots_recap", scores.recap_slots)):
        said = [f"{slot} {share.part}/{share.of}" for slot, share in shares.items() if share.of]
        yield from _wrapped(name, said or ["none"])
    yield f"{'role_precision':{_NAMES}}{scores.roles.part}/{scores.roles.of}"
    yield (f"{'leaks':{_NAMES}}{scores.leaks.part} of {scores.leaks.of} recaps and running totals came out as news")
    yield (
        f"{'false alarms':{_NAMES}}{scores.quiet.part} of {scores.quiet.of} documents without news,"
        f" {scores.quiet_records} records"
    )
    if quotes:
        yield f"{'spans':{_NAMES}}{scores.quotes.part} of {scores.quotes.of} evidence spans differ from their quote"


def error_lines(errors: Sequence[Error], *, most: int | None) -> Iterator[str]:
    """Kinds with their counts, then examples: `most` of each kind, None for all."""
    kinds = by_kind(errors)
    for kind, found in kinds.items():
        yield f"{len(found):5}  {kind:{_NAMES}}{ERRORS[kind]}"
    for kind, found in kinds.items():
        shown = found if most is None else found[:most]
        more = f", the first {len(shown)}" if len(shown) < len(found) else ""
        yield ""
        yield f"{kind} ({len(found)}{more})"
        for error in shown:
            yield f"  {error.document}  {error.item}"
            if error.quote:
                yield f"    gold: «{error.quote}»"
            if error.wanted:
                yield f"    want: {error.wanted}"
            if error.said:
                yield f"    said: {error.said}"


def by_kind(errors: Iterable[Error]) -> dict[str, list[Error]]:
    """Kinds that occur, in the order of ERRORS."""
    found: dict[str, list[Error]] = {kind: [] for kind in ERRORS}
    for error in errors:
        found[error.kind].append(error)
    return {kind: some for kind, some in found.items() if some}


def _wrapped(name: str, cells: Sequence[str], width: int = 110) -> Iterator[str]:
    row = f"{name:{_NAMES}}"
    for cell in cells:
        if len(row) + len(cell) > width:
            yield row.rstrip()
            row = " " * _NAMES
        row += cell + "  "
    yield row.rstrip()


def _table(tally: Tally) -> dict[str, Any]:
    return {
        "p": round(tally.precision, 3),
        "r": round(tally.recall, 3),
        "f1": round(tally.f1, 3),
        "tp": tally.right,
        "fp": tally.wrong,
        "fn": tally.missed,
        "required": tally.hit + tally.missed,
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "right": share.part,
        "of": share.of,
        "accuracy": None if share.value is None else round(share.value, 3),
    }
