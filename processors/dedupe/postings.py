"""Which texts have a mark: sorted arrays that grow by merging, as in a log-structured merge tree.

A posting is one number of 64 bits: the mark above, the text's number below, so that the postings of a mark stand
together in the order of arrival. All answers depend on the postings alone, never on how they lie in segments: a view
rebuilt after a restart answers as the one that it replaces.
"""

from __future__ import annotations

import numpy as np

from processors.dedupe.marks import I64, MARK_BITS, U64

TEXT_BITS = 64 - MARK_BITS
_SHIFT = np.uint64(TEXT_BITS)
_TEXT = np.uint64((1 << TEXT_BITS) - 1)
TAIL = 1 << 14  # postings kept in a dictionary before they become a segment
LONGEST = 1 << 24  # postings of a segment that is merged no further (128 MB)


class Postings:
    """Marks → numbers of the texts that have them, in the order of arrival."""

    def __init__(self) -> None:
        self._segments: list[U64] = []
        self._tail: dict[int, list[int]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting + sum(map(len, self._segments))

    def add(self, marks: U64, text: int) -> None:
        """Marks of one text; `text` is higher than every number before."""
        for mark in marks.tolist():
            self._tail.setdefault(mark, []).append(text)
        self._waiting += len(marks)
        if self._waiting >= TAIL:
            flat = [mark << TEXT_BITS | t for mark, texts in self._tail.items() for t in texts]
            self._push(np.sort(np.array(flat, np.uint64)))
            self._tail, self._waiting = {}, 0

    def fill(self, marks: U64, texts: U64) -> None:
        """Many texts at once, in the order of arrival; only into empty postings."""
        every = marks << _SHIFT | texts
        for start in range(0, len(every), LONGEST):
            self._segments.append(np.sort(every[start : start + LONGEST]))

    def _push(self, segment: U64) -> None:
        self._segments.append(segment)
        while len(self._segments) > 1:
            *_, last, new = self._segments
            if len(last) > 2 * len(new) or len(last) + len(new) > LONGEST:
                return
            self._segments[-2:] = [np.sort(np.concatenate((last, new)), kind="stable")]

    def forget(self, floor: int) -> None:
        """Drops texts below `floor` from segments that are mostly made of them."""
        for i, segment in enumerate(self._segments):
            keep = (segment & _TEXT) >= floor
            if np.count_nonzero(keep) * 2 < len(segment):
                self._segments[i] = segment[keep]
        self._segments = [s for s in self._segments if len(s)]

    def find(self, marks: U64, floor: int, at_most: int) -> tuple[I64, I64, I64]:
        """How many texts from `floor` on have each mark; and of each the first `at_most`: index of the mark, text."""
        order = np.argsort(marks)  # sorted questions are answered faster: neighbours lie in one page of memory
        marks = marks[order]
        count = np.zeros(len(marks), np.int64)
        who, texts = [], []
        low = marks << _SHIFT | np.uint64(floor)
        for segment in self._segments:
            start = segment.searchsorted(low)
            hit = np.flatnonzero(segment.take(start, mode="clip") >> _SHIFT == marks)
            if not len(hit):
                continue
            begin = start[hit]
            found = segment.searchsorted(marks[hit] << _SHIFT | _TEXT, side="right") - begin
            taken = np.minimum(found, np.maximum(at_most - count[hit], 0))
            count[hit] += found
            who.append(np.repeat(hit, taken))
            within = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
            texts.append((segment[np.repeat(begin, taken) + within] & _TEXT).astype(np.int64))
        tail = self._tail
        for i, mark in enumerate(marks.tolist()):
            if mark in tail:
                waiting = tail[mark]
                live = [t for t in waiting if t >= floor]
                room = max(at_most - int(count[i]), 0)
                count[i] += len(live)
                if live and room:
                    who.append(np.full(len(live[:room]), i))
                    texts.append(np.array(live[:room], np.int64))
        counted = np.empty_like(count)
        counted[order] = count
        if not who:
            return counted, np.empty(0, np.int64), np.empty(0, np.int64)
        return counted, order[np.concatenate(who)], np.concatenate(texts)
