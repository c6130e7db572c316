"""Passages taken over from older articles: what they tell is background, and their numbers are no news."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from pipeline.records import Unique
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.frames import Frame

OLD = dt.timedelta(hours=24)  # wire copy of the day is news
Spans = Sequence[tuple[int, int]]  # of code points of the article's text


def old_passages(unique: Unique) -> list[tuple[int, int]]:
    """Spans that first appeared at least a day before the article."""
    published = unique.article.published
    return [
        (p.start, p.end) for p in unique.verdict.reused
        if p.first_published is None or published is None or published - p.first_published >= OLD
    ]  # fmt: skip


def taken_over(c: Context, first: int, last: int, old: Spans) -> bool:
    """Whether the words `first:last` stand in one of the spans."""
    start, end = c.r.span(first, last)
    return any(a <= start and end <= b for a, b in old)


def rehomed(
    c: Context, homes: Mapping[int, int], found: Sequence[Frame], claims: Sequence[Claim], old: Spans
) -> dict[int, int]:
    """Claim → frame, where no claim of an old passage hangs on a frame outside: it goes to the nearest frame of such a
    passage, or is left out."""
    if not old:
        return dict(homes)
    inside = [k for k, f in enumerate(found) if taken_over(c, f.trigger.first, f.trigger.last, old)]
    out: dict[int, int] = {}
    for i, home in homes.items():
        if home in inside or not taken_over(c, claims[i].at, claims[i].at + 1, old):
            out[i] = home
        elif inside:
            out[i] = min(inside, key=lambda k: abs(found[k].at - claims[i].at))
    return out
