"""Marks of a text: a sample of its word shingles that any two texts with a common passage share.

Winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003): of every WINDOW shingles in a row, the one with the least hash
is kept. Two texts with GUARANTEED words in a row in common share at least one mark, wherever the passage stands.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.dedupe.words import U32

SHINGLE, WINDOW = 6, 8
GUARANTEED = SHINGLE + WINDOW - 1  # words
MARK_BITS = 36
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9), np.uint64(27), np.uint64(0x94D049BB133111EB), np.uint64(31))


def shingles(numbers: U32, size: int) -> U64:
    """One hash per `size` words in a row, shape (n - size + 1,), or (0,)."""
    count = len(numbers) - size + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    words = numbers.astype(np.uint64)
    value = words[:count].copy()
    for k in range(1, size):
        value *= _FACTOR
        value += words[k : k + count]
    # the finaliser of SplitMix64 (Steele, Lea and Flood, 2014): sums of products alone sort badly
    value ^= value >> _MIX[0]
    value *= _MIX[1]
    value ^= value >> _MIX[2]
    value *= _MIX[3]
    value ^= value >> _MIX[4]
    return value


def marks_of(numbers: U32) -> tuple[U64, I64]:
    """Marks (MARK_BITS each) and the word at which each one's shingle begins, by position; every mark once."""
    values = shingles(numbers, SHINGLE) >> np.uint64(64 - MARK_BITS)
    if not len(values):
        return values, np.empty(0, np.int64)
    width = min(WINDOW, len(values))
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    at = windows.argmin(axis=1) + np.arange(len(windows))
    at = at[np.append(True, at[1:] != at[:-1])]  # windows move on, so their least ones do
    first: dict[int, int] = {}
    for mark, place in zip(values[at].tolist(), at.tolist(), strict=True):
        first.setdefault(mark, place)
    return np.fromiter(first, np.uint64, len(first)), np.fromiter(first.values(), np.int64, len(first))
