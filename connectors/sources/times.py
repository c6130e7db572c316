"""Points in time as archives, feeds and pages write them."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime

EARLIEST, LATEST = 1970, 2100  # years outside are a machine's default or a typing error, never a news date
_SECONDS = (1e8, 4.2e9)  # 1973 to 2103 as seconds since 1970
_MILLISECONDS = (1e11, 4.2e12)
_TO_ASCII_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_DIGITS = re.compile(r"\d+(\.\d+)?")
_ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})"
    r"(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?(?:\s*\([^)]*\))?",
    re.IGNORECASE,
)


def parse_time(value: str | float | None, *, latest: dt.datetime | None = None) -> dt.datetime | None:
    """The moment in UTC, whole seconds; None if it cannot be read, lies outside 1970 to 2100 or after `latest`.

    Reads ISO 8601 and its common misspellings, RFC 822, seconds or milliseconds since 1970, `20240131`,
    Arabic-Indic digits. A time without a zone is UTC. `03/04/2024` is not guessed at.
    """
    moment = _read(value)
    return None if moment and latest and moment > latest else moment


def _read(value: str | float | None) -> dt.datetime | None:
    if value is None or isinstance(value, bool):
        return None
    if not isinstance(value, str):
        return _epoch(value)
    try:
        return _settle(dt.datetime.fromisoformat(value))
    except ValueError:
        return _tolerant(value.strip().translate(_TO_ASCII_DIGITS))


def _tolerant(text: str) -> dt.datetime | None:
    if len(text) > 100:  # nothing that long is a date, and parsers of dates are not made for it
        return None
    if _DIGITS.fullmatch(text):
        return _epoch(float(text))
    if found := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, zone = found.groups()
        zone = (zone or "").upper()
        offset = zone if zone[:1] in ("+", "-") else "+0000"
        iso = (
            f"{year}-{int(month):02}-{int(day):02}T{int(hour or 0):02}:{minute or '00'}:{second or '00'}"
            f"{offset[:3]}:{offset[-2:]}"
        )
        try:
            return _settle(dt.datetime.fromisoformat(iso))
        except ValueError:
            return None
    for midnight in ("", " 00:00:00"):
        try:
            return _settle(parsedate_to_datetime(text + midnight))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _epoch(number: float) -> dt.datetime | None:
    if 19700101 <= number <= 21001231 and number == int(number):
        try:
            return _settle(dt.datetime.strptime(str(int(number)), "%Y%m%d"))
        except ValueError:
            return None
    if _MILLISECONDS[0] <= number <= _MILLISECONDS[1]:
        number /= 1000
    if not _SECONDS[0] <= number <= _SECONDS[1]:
        return None
    return _settle(dt.datetime.fromtimestamp(int(number), dt.UTC))


def _settle(moment: dt.datetime) -> dt.datetime | None:
    try:
        moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except OverflowError:
        return None
    if not EARLIEST <= moment.year < LATEST:
        return None
    return moment.replace(microsecond=0) if moment.microsecond else moment
