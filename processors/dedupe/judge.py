"""What one text is to another: the same story told again, a follow-up that takes over paragraphs, or nothing.

Shares are of words in shared runs (compare.py). The thresholds were set on edited and unrelated pairs; bench/dedupe.md
has what they do there and on pairs that they were not set on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from processors.dedupe.compare import Mask, Overlap, Slots, differing, overlap, share, slots
from processors.dedupe.words import U32

LEAD = 30  # words at the head of a story, which tell what it is about
LEAD_SHARED = 0.5  # of a lead, to say that the other text tells it too
HALF = 0.5  # of one of two texts that open alike, at least, in a copy
MOST = 0.7  # of both texts of one outlet; of a text whose head was cut off
OWN_LEAD = 0.65  # of a lead, in texts of one outlet: it puts a new sentence over its own report of yesterday
RETOUCHED = 6  # words of its lead in a row that differ, at most, where single words were changed
AGED = 0.75  # of a text that comes hours later
ALL = 0.9  # of a text that stands whole in another: under other paragraphs, or in a longer version of one outlet
OLD = 48 * 3600  # s; by then half a text of that kind is the statement that its author always makes
LATER = 12 * 3600  # s; by then a text that says much more is a new report
SHORT = 25  # words; below, a pair has to agree nearly word for word
BRIEF, BRIEF_LEAD = 0.6, 0.4  # of a short text (its headline counts), and of the lead of the long one that it cuts
SAME = 0.9  # of both texts, to be near duplicates
NEW_WORDS = 0.05  # of a text that stand nowhere in the other one, at most, in a near duplicate
NEXT_ISSUE = 18 * 3600  # s between two bulletins of a daily series, at least


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts compared. apart: seconds between their publication, None where unknown; one_outlet: both are of one
    outlet, which takes over paragraphs of its own older reports. Of a text with formulas, the words outside them; told:
    which words of the whole new text the old one has."""

    new: U32
    old: U32
    shared: Overlap
    told: Mask
    apart: float | None
    one_outlet: bool

    @property
    def best(self) -> float:
        """The larger of the two shares."""
        return max(self.shared.contained, self.shared.contains)

    @property
    def least(self) -> float:
        return min(self.shared.contained, self.shared.contains)

    @property
    def lengths(self) -> tuple[int, int]:
        return len(self.new), len(self.old)

    def after(self, seconds: float) -> bool:
        return self.apart is not None and abs(self.apart) >= seconds


def pair(new: U32, old: U32, apart: float | None, one_outlet: bool, formula: Mask | None = None) -> Pair:
    """Compares two texts. formula: one flag a word of the new text, true where it is one that many unrelated texts have
    (a footer, a template); such words count on neither side."""
    shared = overlap(new, old)
    told = shared.new
    if formula is not None and formula.any():
        new_kept, old_kept = ~formula, ~_of_formula(new, old, formula)
        shared = Overlap(shared.new & new_kept, shared.old & old_kept)
        if min(np.count_nonzero(new_kept), np.count_nonzero(old_kept)) >= SHORT:
            new, old = new[new_kept], old[old_kept]
            shared = Overlap(shared.new[new_kept], shared.old[old_kept])
    return Pair(new, old, shared, told, apart, one_outlet)


def _of_formula(new: U32, old: U32, formula: Mask) -> Mask:
    """The words of the old text that stand in the new one's formula."""
    return overlap(np.where(formula, new, np.uint32(0)), old).old


def _same_story(p: Pair) -> bool:
    s = p.shared
    if p.lengths[0] < SHORT and p.lengths[1] >= 2 * SHORT:  # the first lines of a story under a headline of their own
        return s.contained >= BRIEF and _lead(s.old) >= (LEAD_SHARED if p.after(LATER) else BRIEF_LEAD)
    if min(p.lengths) < SHORT:
        return p.least >= SAME
    opens, opened = _lead(s.new) >= LEAD_SHARED, _lead(s.old) >= LEAD_SHARED
    if p.one_outlet:
        longer = s.contains >= ALL and s.contained >= HALF
        own = _lead(s.new) >= OWN_LEAD or _longest(differing(s.new[:LEAD])) <= RETOUCHED
        return own and (p.least >= MOST or s.contained >= ALL or longer)
    if p.after(LATER):
        return (opens or opened) and (p.least >= MOST or s.contained >= (ALL if p.after(OLD) else AGED))
    if opens and opened:
        return p.best >= HALF
    if opens:  # its head stands further down in the old text
        return s.contained >= MOST
    if opened:  # a story under another head, or a whole one under or behind another
        return s.contains >= ALL or (s.contains >= MOST and s.contained >= HALF)
    return p.best >= ALL


def _longest(parts: Sequence[tuple[int, int]]) -> int:
    return max((end - start for start, end in parts), default=0)


def _lead(mask: Mask) -> float:
    return share(mask[:LEAD])


def _other_issue(p: Pair, found: Slots) -> bool:
    """Whether the two are issues of one series: the words of a template with other numbers and another date."""
    if found.share < 0.5 or found.changed < 1:
        return False
    if p.after(NEXT_ISSUE) or found.dates >= 1:
        return True
    return found.changed >= 3 or (found.changed >= 2 and _scattered(p, found))


def _scattered(p: Pair, found: Slots) -> bool:
    """Whether more than its numbers differs in what two texts share: names, places."""
    inside = [(a, b) for a, b in differing(p.shared.new) if a > 0 and b < len(p.shared.new)]
    return len(inside) > found.changed + 1


Kind = Literal["near_duplicate", "syndicated"]


def kind(p: Pair) -> Kind | None:
    """How the new text repeats the old one; None where it tells another story."""
    if not _same_story(p):
        return None
    found = slots(p.new, p.old, p.shared)
    if _other_issue(p, found):
        return None
    return "near_duplicate" if _nothing_new(p, found) else "syndicated"


def _nothing_new(p: Pair, found: Slots) -> bool:
    fresh = sum(end - start for start, end in differing(p.shared.new))
    return p.least >= SAME and not found.changed and fresh <= max(4, NEW_WORDS * p.lengths[0])
