"""What the headers of an answer say of time: how long it is fresh, how long to stay away. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

Headers = Sequence[tuple[str, str]]

LONGEST = 366 * 86_400.0  # seconds; a server that says more means "for ever" or mistypes
_SANE_CLOCK = 86_400.0  # a Date further from ours than a day comes from a clock that is wrong
_MAX_AGE = re.compile(r"""(?:^|[\s,])max-age\s*=\s*["']?(\d{1,15})(?!\d)""", re.IGNORECASE)
_NO_STORE = re.compile(r"(?:^|[\s,])(?:no-cache|no-store)(?:$|[\s,=;])", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,15}(\.\d*)?")


def fresh_for(headers: Headers, now: float) -> float | None:
    """Seconds for which the server calls its answer fresh; None if it does not say.

    Cache-Control's max-age less Age counts; without it Expires, counted from a Date that is within a day of ours (from
    now, where there is none). `no-cache`, `no-store` and what is past already say how caches must check, not that the
    feed wants to be polled at once: None.
    """
    control = ",".join(_all(headers, "cache-control"))
    if _NO_STORE.search(control):
        return None
    if control and (stated := _MAX_AGE.search(control)):
        left = float(stated[1]) - _age(headers)
        return min(left, LONGEST) if left > 0 else None
    expires = _moment(_first(headers, "expires"))
    if expires is None:
        return None
    stated_now = _first(headers, "date")
    date = _moment(stated_now) if stated_now is not None else now
    if date is None or abs(date - now) > _SANE_CLOCK:
        return None
    left = expires - date
    return min(left, LONGEST) if left > 0 else None


def retry_after(headers: Headers, now: float) -> float | None:
    """Seconds that Retry-After asks for, as a number or as a date; None if it does not or cannot be read."""
    value = (_first(headers, "retry-after") or "").strip()
    if _NUMBER.fullmatch(value):
        return min(float(value), LONGEST)
    moment = _moment(value) if value else None
    return None if moment is None else min(max(0.0, moment - now), LONGEST)


def _all(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def _first(headers: Headers, name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _age(headers: Headers) -> float:
    value = (_first(headers, "age") or "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 16 else 0.0


def _moment(value: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date; None if it is none. Expires: 0 and -1 are none."""
    if not value or len(value) > 64:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
