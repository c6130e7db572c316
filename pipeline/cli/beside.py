"""Two texts side by side, or one under the other: what both have is marked, and what differs inside that."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.cli.pretty import Style
from pipeline.records import Article
from pipeline.telemetry import escape

if TYPE_CHECKING:
    from processors.dedupe.compare import Mask
    from processors.dedupe.seen import Revision
    from processors.dedupe.words import Words

NARROW = 100  # columns of a terminal, below which two texts stand one under the other
PLAIN, SHARED, DIFFERING = 0, 1, 2
_COLOURS = {SHARED: "32", DIFFERING: "4;33"}
_BRACKETS = {PLAIN: ("", ""), SHARED: ("[", "]"), DIFFERING: ("{", "}")}
_BETWEEN = " | "
_WORD = re.compile(r"[^ \t\r]+")


@dataclass(frozen=True, slots=True)
class Marked:
    """Where text of one kind stands, code points of the reading text, end exclusive."""

    start: int
    end: int
    kind: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of two texts. short: its article's id as it is shown; kept: None where the log was trimmed; marks are then
    those of the words remembered."""

    article: str
    short: str
    revision: Revision
    kept: Article | None
    marks: Sequence[Marked] = ()

    @property
    def head(self) -> str:
        """Whose text it is, not escaped."""
        r = self.revision
        name = f"{self.short} revision {r.verdict.revision}"
        return ", ".join(filter(None, [name, r.outlet, day_words(r.published)]))

    def as_json(self) -> dict[str, Any]:
        return {
            "article": self.article,
            "revision": self.revision.verdict.revision,
            "outlet": self.revision.outlet,
            "published": time_words(self.revision.published),
            "title": self.kept and self.kept.title,
            "text": self.kept and self.kept.text,
            "shared": self._spans(SHARED),
            "differing": self._spans(DIFFERING),
        }

    def _spans(self, kind: int) -> list[tuple[int, int]]:
        return [(m.start, m.end) for m in self.marks if m.kind == kind]


@dataclass(frozen=True, slots=True)
class Compared:
    """Two texts. contained, contains: None where the words of one are not known. passages: what both have
    in one order, as (start, end, start there, end there)."""

    new: Side
    old: Side
    contained: float | None
    contains: float | None
    passages: Sequence[tuple[int, int, int, int]]

    def as_json(self) -> dict[str, Any]:
        return {
            "new": self.new.as_json(),
            "old": self.old.as_json(),
            "contained": self.contained,
            "contains": self.contains,
            "passages": [{"start": a, "end": b, "of_start": c, "of_end": d} for a, b, c, d in self.passages],
        }


def compare(new: Side, old: Side, a: Words, b: Words) -> Compared:
    """Marks what the new text, of words `a`, and the old one, of words `b`, share."""
    from processors.dedupe.compare import overlap, runs

    shared = overlap(a.numbers, b.numbers)
    found = list(runs(a.numbers, b.numbers, 1))
    known = (new.kept or len(a)) and (old.kept or len(b))
    every = new.article == old.article or new.revision.verdict.verdict == "near_duplicate"
    return Compared(
        replace(new, marks=list(_marks(a, shared.new, [(r.start, r.end) for r in found], every))),
        replace(old, marks=list(_marks(b, shared.old, [(r.old_start, r.old_end) for r in found], every))),
        round(shared.contained, 4) if known else None,
        round(shared.contains, 4) if known else None,
        [(*_span(a, r.start, r.end), *_span(b, r.old_start, r.old_end)) for r in found],
    )


def _marks(words: Words, shared: Mask, passages: Iterable[tuple[int, int]], every: bool) -> Iterator[Marked]:
    """Words that both texts have, and those inside a shared passage that the other has not; every such word, where the
    texts are all but the same."""
    import numpy as np

    inside = np.full(len(words), every)
    for start, end in passages:
        inside[start:end] = True
    kinds = np.where(shared, SHARED, np.where(inside, DIFFERING, PLAIN))
    edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    for start, end in itertools.pairwise(edges):
        if start < end and kinds[start] != PLAIN:
            yield Marked(*_span(words, start, end), int(kinds[start]))


def _span(words: Words, start: int, end: int) -> tuple[int, int]:
    """Where the words start:end stand, code points."""
    return int(words.starts[start]), int(words.ends[end - 1])


# -- as lines ----------------------------------------------------------------------------------------------------------


def side_by_side(pair: Compared, style: Style, columns: int) -> Iterator[str]:
    """Both texts in the columns of a terminal; one under the other where it is narrow or one is no longer kept."""
    new, old = pair.new, pair.old
    shares = ""
    if pair.contained is not None and pair.contains is not None:
        shares = f"{pair.contained:.0%} of this in that, {pair.contains:.0%} of that in this; "
    yield shares + ("coloured: shared, underlined: differing" if style.colour else "[shared] {differing}")
    if new.kept and old.kept and new.kept.title != old.kept.title and new.article == old.article:
        yield "the headlines differ"
    yield ""
    if columns < NARROW or new.kept is None or old.kept is None:
        yield from under(new, style, columns)
        yield ""
        yield from under(old, style, columns)
        return
    width = (columns - len(_BETWEEN)) // 2
    yield from _rows(_wrapped(new.head, (), width, style), _wrapped(old.head, (), width, style), width, style)
    yield f"{'-' * width}{_BETWEEN}{'-' * width}"
    left = _wrapped(new.kept.text, new.marks, width, style)
    right = _wrapped(old.kept.text, old.marks, width, style)
    anchors = _anchors(pair.passages, new.kept.text, old.kept.text)
    for (a, b), (to_a, to_b) in itertools.pairwise([(0, 0), *anchors, (len(left), len(right))]):
        yield from _rows(left[a:to_a], right[b:to_b], width, style)


def under(side: Side, style: Style, columns: int) -> Iterator[str]:
    """One text under its head, as wide as the terminal."""
    yield style.bold(style.isolated(escape(side.head)))
    if side.kept is None:
        yield "(its text is no longer kept)"
        return
    for line in itertools.chain(*_wrapped(side.kept.text, side.marks, columns, style)):
        yield style.isolated(line.shown)


def _anchors(passages: Iterable[tuple[int, int, int, int]], new: str, old: str) -> list[tuple[int, int]]:
    """Paragraphs of both texts that begin on one row: the heaviest chain of those that shared passages pair."""
    begins, old_begins = ([0, *(m.end() for m in re.finditer("\n", text))] for text in (new, old))
    weights: dict[tuple[int, int], int] = {}
    for start, end, old_start, old_end in passages:
        a, last_a = (bisect_right(begins, at) - 1 for at in (start, end - 1))
        b, last_b = (bisect_right(old_begins, at) - 1 for at in (old_start, old_end - 1))
        count = last_a - a + 1 if last_a - a == last_b - b else 1
        for k in range(count):
            weights[a + k, b + k] = weights.get((a + k, b + k), 0) + (end - start) // count + 1
    # chains by where they end in the old text; of those that end later only better ones are of use
    ends: list[int] = []
    chains: list[_Chain] = []
    for (a, b), weight in sorted(weights.items(), key=lambda item: (item[0][0], -item[0][1])):
        at = bisect_left(ends, b)
        before = chains[at - 1] if at else None
        chain = _Chain((before.weight if before else 0) + weight, a, b, before)
        useless = at
        while useless < len(chains) and chains[useless].rank < chain.rank:
            useless += 1
        if useless > at or at == len(ends) or ends[at] > b:
            ends[at:useless] = [b]
            chains[at:useless] = [chain]
    out = []
    link = chains[-1] if chains else None
    while link:
        out.append((link.a, link.b))
        link = link.before
    return out[::-1]


class _Chain(NamedTuple):
    """Pairs of paragraphs, the last one and the chain before it."""

    weight: int
    a: int
    b: int
    before: _Chain | None

    @property
    def rank(self) -> tuple[int, int, int]:
        """The heaviest is best, of equals the one that ends first."""
        return self.weight, -self.a, -self.b


@dataclass(frozen=True, slots=True)
class _Line:
    """Escaped and painted, with its columns on a terminal."""

    shown: str
    width: int


_Paragraph = list[_Line]
_Piece = tuple[str, int]  # escaped text, kind


def _rows(left: Iterable[_Paragraph], right: Iterable[_Paragraph], width: int, style: Style) -> Iterator[str]:
    lines = itertools.zip_longest(itertools.chain(*left), itertools.chain(*right), fillvalue=_Line("", 0))
    for a, b in lines:
        yield f"{style.isolated(a.shown)}{' ' * (width - a.width)}{_BETWEEN}{style.isolated(b.shown)}".rstrip(" ")


def _wrapped(text: str, marks: Sequence[Marked], width: int, style: Style) -> list[_Paragraph]:
    """Lines of whole words, at most `width` columns each."""
    kinds = bytearray(len(text))  # of each code point
    for mark in marks:
        kinds[mark.start : mark.end] = bytes([mark.kind]) * (mark.end - mark.start)
    out = []
    at = 0
    for paragraph in text.split("\n"):
        words = (_pieces(text, kinds, at + m.start(), at + m.end(), style) for m in _WORD.finditer(paragraph))
        out.append(list(_lines(words, width, style)))
        at += len(paragraph) + 1
    return out


def _pieces(text: str, kinds: bytearray, start: int, end: int, style: Style) -> list[_Piece]:
    """A word, cut where the kind changes; without colours in brackets where that begins and ends."""
    out = []
    for kind, places in itertools.groupby(range(start, end), key=kinds.__getitem__):
        a, *_ = run = list(places)
        b = run[-1] + 1
        piece = escape(text[a:b])
        if not style.colour:
            opens, closes = _BRACKETS[kind]
            begins, stops = a == 0 or kinds[a - 1] != kind, b == len(kinds) or kinds[b] != kind
            piece = (opens if begins else "") + piece + (closes if stops else "")
        out.append((piece, kind))
    return out


def _lines(words: Iterable[list[_Piece]], width: int, style: Style) -> Iterator[_Line]:
    """At least one; a word longer than a line is broken anywhere."""
    line: list[_Piece] = []
    used = 0
    for word in words:
        size = sum(_cells(text) for text, _ in word)
        if line and used + 1 + size > width:
            yield _painted(line, used, style)
            line, used = [], 0
        if line:
            line.append((" ", word[0][1] if word[0][1] == line[-1][1] else PLAIN))
            used += 1
        for piece in word if size <= width else ((letter, kind) for text, kind in word for letter in text):
            cells = _cells(piece[0])
            if used + cells > width:
                yield _painted(line, used, style)
                line, used = [], 0
            line.append(piece)
            used += cells
    yield _painted(line, used, style)


def _painted(pieces: list[_Piece], width: int, style: Style) -> _Line:
    parts = []
    for kind, found in itertools.groupby(pieces, key=lambda piece: piece[1]):
        part = "".join(text for text, _ in found)
        parts.append(style.paint(part, _COLOURS[kind]) if kind in _COLOURS else part)
    return _Line("".join(parts), width)


def _cells(text: str) -> int:
    from rich.cells import cell_len  # takes long to load

    return cell_len(text)


# -- times -------------------------------------------------------------------------------------------------------------


def time_words(seconds: int | None) -> str | None:
    """As the records have it."""
    return None if seconds is None else f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def day_words(seconds: int | None) -> str:
    return "undated" if seconds is None else f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"
