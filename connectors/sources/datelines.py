"""The date that a reader sees between headline and text, for pages that state none to machines."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from connectors.boilerplate import fold
from connectors.sources.metadata import Exactness, exactness_of
from connectors.sources.times import parse_time

LONGEST = 80  # code points of a line that is a date and little more
BEFORE, AFTER = 3, 6  # lines above the headline (a section, a date) and below it in which a date belongs to it
_YEAR = re.compile(r"(?:19|20)\d\d|[١٢][٠٩][٠-٩]{2}")
_CHANGED = re.compile(r"تحديث|تعديل|updated|modified|edited")
_OTHER = re.compile(r"©|copyright|حقوق")


def shown_time(lines: Sequence[str], title: str | None, first: str) -> tuple[dt.datetime | None, Exactness]:
    """The first line around the headline (around the first line of the text, where the headline is not shown) that is
    a date, and how exactly it says it: its zone is never said. (None, "moment") if there is none.

    lines: of the page, as shown. A date of change, a date inside a sentence and a year of copyright are none.
    """
    marks = [fold(title)] if title else []
    at = next((n for n, line in enumerate(lines) if fold(line) in marks), None)
    if at is None:
        at = next((n for n, line in enumerate(lines) if line == first), None)
    if at is None:
        return None, "moment"
    for line in (*lines[at + 1 : at + 1 + AFTER], *reversed(lines[max(0, at - BEFORE) : at])):
        if line == first or len(line) > LONGEST or not _YEAR.search(line):
            continue
        folded = fold(line)
        if _CHANGED.search(folded) or _OTHER.search(folded):
            continue
        moment = parse_time(line)
        if moment is not None:
            return moment, "day" if exactness_of(line) == "day" else "local"
    return None, "moment"
