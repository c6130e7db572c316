"""Waiting for what other processes do, with a bound and a word about what was missing."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    true: Callable[[], object],
    seconds: float = 60.0,
    why: Callable[[], str] = lambda: "what was waited for did not come",
    *,
    check: Callable[[], object] = lambda: None,
    every: float = 0.02,
) -> None:
    """Returns when it is true. check: raises if it can no longer become true. Raises: AssertionError with `why()`."""
    end = time.monotonic() + seconds
    while not true():
        check()
        assert time.monotonic() < end, why()
        time.sleep(every)
