"""Two texts side by side: how much of each stands in the other, which passages they share, which numbers differ."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.dedupe.marks import I64, U64, shingles
from processors.dedupe.words import DATE, U32, WORD, classes

COVER = 3  # words in a row that two texts must share before they count as shared: pairs are shared by all news
ANCHOR = 5  # words in a row that tie one place of a text to one place of another
BRIDGE = 4  # changed words over which a passage goes on: a new date, a dropped «also»
NEAR = 4  # words around shared ones within which a number is in a shared context
Mask = npt.NDArray[np.bool_]


def share(mask: Mask) -> float:
    """How many of the flags are set, 0..1; 0 of none."""
    return int(np.count_nonzero(mask)) / len(mask) if len(mask) else 0.0


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two texts share. new, old: one flag a word, true where the word stands in a run of shared words."""

    new: Mask
    old: Mask

    @property
    def contained(self) -> float:
        """Share of the new text that stands in the old one."""
        return share(self.new)

    @property
    def contains(self) -> float:
        """Share of the old text that stands in the new one."""
        return share(self.old)


@dataclass(frozen=True, slots=True)
class Run:
    """A shared passage: words start:end of the new text, words old_start:old_end of the old one."""

    start: int
    end: int
    old_start: int
    old_end: int


@dataclass(frozen=True, slots=True)
class Slots:
    """Numbers and dates in what two texts share: how many there are, how many differ, and whether a date does.

    Means over both texts, so that a number that stands in one text alone counts half.
    """

    count: float
    changed: float
    dates: float

    @property
    def share(self) -> float:
        return self.changed / self.count if self.count else 0.0


def overlap(new: U32, old: U32) -> Overlap:
    """Words of each text inside COVER words in a row that the other has too, wherever they stand there."""
    a, b = shingles(new, COVER), shingles(old, COVER)
    return Overlap(_spread(_among(a, np.sort(b)), len(new)), _spread(_among(b, np.sort(a)), len(old)))


def _among(values: U64, ranked: U64) -> Mask:
    """Which values stand in a sorted array; `np.isin` without what it does for large ones."""
    if not len(ranked):
        return np.zeros(len(values), np.bool_)
    return np.equal(ranked.take(ranked.searchsorted(values), mode="clip"), values)


def _spread(begins: Mask, length: int) -> Mask:
    out = np.zeros(length, np.bool_)
    for k in range(COVER):
        out[k : k + len(begins)] |= begins
    return out


def runs(new: U32, old: U32, shortest: int, bridge: int = BRIDGE) -> Iterator[Run]:
    """Shared passages of at least `shortest` words, in the order of the new text; a passage goes on over at most
    `bridge` changed words."""
    a, b = shingles(new, ANCHOR), shingles(old, ANCHOR)
    if not len(a) or not len(b):
        return
    order = np.argsort(b, kind="stable")
    ranked = b[order]
    where = ranked.searchsorted(a)
    hit = np.flatnonzero(ranked.take(where, mode="clip") == a)
    if not len(hit):
        return
    at = order[where[hit]]
    # a break where the places in the two texts do not go on side by side, but for a few changed words
    step, jump = np.diff(hit), np.diff(at)
    longest = bridge + ANCHOR
    near = (step <= longest) & (jump >= 1) & (jump <= longest) & (abs(step - jump) <= bridge)
    edges = [0, *(np.flatnonzero(~near) + 1).tolist(), len(hit)]
    for first, last in itertools.pairwise(edges):
        start, end = int(hit[first]), int(hit[last - 1]) + ANCHOR
        if end - start >= shortest:
            yield Run(start, end, int(at[first]), int(at[last - 1]) + ANCHOR)


def slots(new: U32, old: U32, shared: Overlap) -> Slots:
    """Numbers and words of dates around shared words, and how many of them the other text does not have at all."""
    count = changed = dates = 0.0
    for numbers, others, mask in ((new, old, shared.new), (old, new, shared.old)):
        kinds = classes(numbers)
        found = numbers[(kinds != WORD) & _around(mask)]
        differing = found[~_among(found, np.sort(others))]
        count += len(found) / 2
        changed += len(differing) / 2
        dates += int(np.count_nonzero(classes(differing) == DATE)) / 2
    return Slots(count, changed, dates)


def _around(mask: Mask) -> Mask:
    """The mask, grown by NEAR words to either side."""
    at = np.arange(len(mask))
    return within(mask, np.maximum(at - NEAR, 0), np.minimum(at + NEAR + 1, len(mask))) > 0


def within(mask: Mask, starts: I64, ends: I64) -> I64:
    """How many of the words start:end are set, for each pair of starts and ends."""
    sums = np.zeros(len(mask) + 1, np.int64)
    np.cumsum(mask, out=sums[1:])
    return np.asarray(sums[ends] - sums[starts], np.int64)


def differing(shared: Mask) -> list[tuple[int, int]]:
    """Runs of words (start, end) that are not shared."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], shared, [True])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
