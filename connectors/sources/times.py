"""Points in time as archives, feeds and pages write them."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pipeline.errors import FileError

WORDS = Path(__file__).parents[1] / "data" / "dates.tsv"
EARLIEST, LATEST = 1970, 2100  # years outside are a machine's default or a typing error, never a news date
LONGEST = 120  # code points; nothing longer is a date
_ZERO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)  # what clocks and tables say where nothing was written
_SECONDS = (1e8, 4.2e9)  # 1973 to 2103 as seconds since 1970
_UNITS = (1, 1_000, 1_000_000)  # a second in seconds, milliseconds, microseconds
_PIVOT = 70  # a year of two digits from here on is of the last century (RFC 2822 says 50; no feed is that old)
_FARTHEST_ZONE = 14 * 60  # minutes

_KINDS = frozenset(("month", "weekday", "am", "pm", "zone", "other", "hijri"))
_TO_ASCII_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_FOLDED = str.maketrans(
    "أإآٱىیکةەı\u2212\u2013\u2014\u00a0\u202f،؛",
    "اااايي" + "كههi---  ,;",
    "\u0640\u200b\u200c\u200d\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff",
)
_NUMBER = re.compile(r"\d+(\.\d+)?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # as RFC 822 has them
_ASP_NET = re.compile(
    r"\\?/?Date\((\d{9,16})(?:[+-]\d{4})?\)\\?/?"
)  # milliseconds; the zone is that of the clock on the wall
_RFC_822 = re.compile(
    rf"(?:[A-Z][a-z]{{2}}, )?(\d{{1,2}}) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) "
    r"(?:GMT|([+-])(\d\d)([0-5]\d))"
)
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)[t ]?([01]\d|2[0-3])([0-5]\d)([0-5]\d)?(?:\.\d+)?")
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{4})(?!\d)")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2})(?::|\.|\s?h\s?)(\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?(?!\d)")
_MERIDIEM = re.compile(r"\b([ap])\.?\s?m\b\.?")
_AFTER_CLOCK = re.compile(r"\s*م(?![^\W\d_])")  # «م» behind a time is «مساء», behind a year «ميلادية»
_OFFSET = re.compile(r"(?:\b(?:gmt|utc|ut))?\s?([+-])(\d{1,2})(?::?([0-5]\d))?(?!\d)")
_JOINED = re.compile(r"(?<=\d)[-/](?=[^\W\d_])|(?<=[^\W\d_])[-/](?=\d)|(?<=\d):(?=\d\d:\d\d:\d\d)")
_UNKNOWN_ZONE = re.compile(r"\d [A-Z]{1,5}$")
_ZONE_BEFORE = re.compile(r"\b(?:gmt|utc|ut)$")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th|er|eme)\b")
_COMMENT = re.compile(r"\([^()]*\)")
_OTHER_CALENDAR = re.compile(r"\d{1,2}\s*#\s*,?\s*\d{4}(?:\s*#)?|#")
_DAY_OR_YEAR = re.compile(r"(?<!\d)\d{1,4}(?!\d)")
_LETTER = re.compile(r"[^\W\d_]")


def parse_time(value: str | float | None, *, latest: dt.datetime | None = None) -> dt.datetime | None:
    """The moment in UTC, whole seconds; None if it cannot be read, lies outside 1970 to 2100 or after `latest`.

    Reads ISO 8601, RFC 822 and their common misspellings, names of months, days, halves of the day and zones in the
    languages of `data/dates.tsv`, Arabic-Indic and Persian digits, seconds, milli- and microseconds since 1970,
    `20240131`, `20240131T101500Z`. A time without a zone, or with one that
    nobody knows, is UTC; a wrong weekday does not matter. Nothing is guessed:
    `03/04/2024`, a date without a year, and one of another calendar have no moment.
    """
    moment = _read(value)
    return None if moment and latest and moment > latest else moment


def _read(value: str | float | None) -> dt.datetime | None:
    if value is None or isinstance(value, bool):
        return None
    if not isinstance(value, str):
        return _epoch(value)
    if len(value) > 2 * LONGEST:
        return None
    value = value.strip()
    if found := _RFC_822.fullmatch(value):  # nine of ten dates in feeds: a tenth of the time
        return _rfc_822(found)
    if found := _ASP_NET.fullmatch(value):
        return _epoch(float(found[1]))
    if not value.isdigit():  # else the library takes seconds since 1970 for the year 1710
        with contextlib.suppress(ValueError):
            return _settle(dt.datetime.fromisoformat(value))
    folded = fold(value.translate(_TO_ASCII_DIGITS))
    moment = _tolerant(folded)
    if moment is None and _UNKNOWN_ZONE.search(value):  # off by hours, not lost
        moment = _tolerant(folded.rpartition(" ")[0])
    return moment


def _rfc_822(found: re.Match[str]) -> dt.datetime | None:
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    offset = int(hours or 0) * 60 + int(minutes or 0)
    clock = (int(hour), int(minute), min(int(second), 59))
    return _moment(int(year), _MONTHS.index(month) + 1, int(day), clock, -offset if sign == "-" else offset)


def fold(words: str) -> str:
    """The words in the form in which they are compared: see the head of `data/dates.tsv`."""
    words = words.translate(_FOLDED).casefold()
    if not words.isascii():
        words = "".join(c for c in unicodedata.normalize("NFKD", words) if not unicodedata.combining(c))
        words = words.translate(_FOLDED)
    return " ".join(words.split())


def _tolerant(text: str) -> dt.datetime | None:
    if len(text) > LONGEST:
        return None
    if _NUMBER.fullmatch(text) and not _COMPACT.fullmatch(text):
        return _epoch(float(text))
    if (found := _COMPACT.match(text)) and not text[found.end() :].strip(" z"):
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        return _moment(year, month, day, (hour, minute, second), 0)
    text = _MERIDIEM.sub(r"\1m", _ORDINAL.sub("", _COMMENT.sub(_opened, text)))
    text = _JOINED.sub(_parted, text)
    date, text = _numeric_date(text)
    clock, text = _clock(text)
    offset, text = _offset(text) if clock else (None, text)
    words = _Words(text)
    if not words.understood:
        return None
    if clock is not None:
        clock = _half(clock, words.half)
    date = date or _named_date(words)
    if date is None:
        return None
    return _moment(*date, clock or (0, 0, 0), words.zone if offset is None else offset)


def _opened(comment: re.Match[str]) -> str:
    """What brackets hold, if it is the month's other name: «آذار (مارس)»; remarks on the zone are dropped."""
    inside = comment[0][1:-1].strip()
    known = _known()[1].get(inside)
    return f" {inside} " if known and known[0] in ("month", "weekday", "am", "pm") else " "


def _parted(mark: re.Match[str]) -> str:
    return mark[0] if mark[0] == "-" and _ZONE_BEFORE.search(mark.string, 0, mark.start()) else " "


def _numeric_date(text: str) -> tuple[tuple[int, int, int] | None, str]:
    """Year, month and day in figures, and the text without them. Days and months that could change places are none."""
    if found := _YEAR_FIRST.search(text):
        date = (int(found[1]), int(found[3]), int(found[4]))
    elif found := _YEAR_LAST.search(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if first == second or second <= 12 < first or found[2] == ".":  # dots: day first wherever they are written
            date = (year, second, first)
        elif first <= 12 < second:
            date = (year, first, second)
        else:
            return None, text
    else:
        return None, text
    return date, f"{text[: found.start()]} {text[found.end() :]}"


def _clock(text: str) -> tuple[tuple[int, int, int] | None, str]:
    found = _CLOCK.search(text)
    if not found:
        return None, text
    clock = (int(found[1]), int(found[2]), min(int(found[3] or 0), 59))  # a leap second is the one before
    rest = text[found.end() :]
    if after := _AFTER_CLOCK.match(rest):
        rest = f" pm {rest[after.end() :]}"
    return clock, f"{text[: found.start()]} {rest}" if rest[:1] not in "+-" else f"{text[: found.start()]}{rest}"


def _offset(text: str) -> tuple[int | None, str]:
    """Minutes ahead of UTC where the text says it in figures, and the text without them."""
    found = _OFFSET.search(text)
    if not found:
        return None, text
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    return (-minutes if found[1] == "-" else minutes), f"{text[: found.start()]} {text[found.end() :]}"


def _half(clock: tuple[int, int, int], half: str | None) -> tuple[int, int, int]:
    hour, minute, second = clock
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    return hour, minute, second


@dataclass(slots=True)
class _Words:
    """What is left of a date when its figures are taken out. understood: whether every word of it is known."""

    text: str
    months: list[int] = field(default_factory=list)
    half: str | None = None
    zone: int = 0
    understood: bool = True

    def __post_init__(self) -> None:
        pattern, meanings = _known()
        listed: list[int] = []

        def take(found: re.Match[str]) -> str:
            kind, value = meanings[found[0]]
            if kind == "month":
                listed.append(value)
                return " @ "
            if kind in ("am", "pm"):
                self.half = self.half or kind
            elif kind == "zone":
                self.zone = self.zone or value
            return " # " if kind == "hijri" else " "

        self.text = _OTHER_CALENDAR.sub(" ", pattern.sub(take, self.text))
        self.months = listed
        self.understood = not _LETTER.search(self.text)


def _named_date(words: _Words) -> tuple[int, int, int] | None:
    """Year, month and day of a date whose month has a name."""
    months = set(words.months)
    if len(months) == 2 and words.months[0] == 3 and words.text.lstrip().startswith("@"):
        months = set(words.months[1:])  # French «mar.»: mardi
    if len(months) != 1:
        return None
    numbers = [found[0] for found in _DAY_OR_YEAR.finditer(words.text)]
    years = [number for number in numbers if len(number) == 4]
    days = [number for number in numbers if len(number) <= 2]
    if len(numbers) != 2:
        return None
    if len(years) == 1 and len(days) == 1:
        return int(years[0]), months.pop(), int(days[0])
    if len(days) == 2 and len(days[1]) == 2 and words.text.find("@") > words.text.find(days[0]):
        year = int(days[1])
        return year + (1900 if year >= _PIVOT else 2000), months.pop(), int(days[0])
    return None


def _moment(year: int, month: int, day: int, clock: tuple[int, int, int], offset: int) -> dt.datetime | None:
    hour, minute, second = clock
    if abs(offset) > _FARTHEST_ZONE or (hour == 24 and (minute or second)):
        return None
    try:
        moment = dt.datetime(year, month, day, hour % 24 if hour == 24 else hour, minute, second, tzinfo=dt.UTC)
        return _settle(moment + dt.timedelta(days=hour == 24, minutes=-offset))
    except (ValueError, OverflowError):
        return None


def _epoch(number: float) -> dt.datetime | None:
    if 19700101 <= number <= 21001231 and number == int(number):
        try:
            return _settle(dt.datetime.strptime(str(int(number)), "%Y%m%d"))
        except ValueError:
            return None
    for unit in _UNITS:
        if _SECONDS[0] * unit <= number <= _SECONDS[1] * unit and (unit == 1 or number > _SECONDS[1] * unit / 1_000):
            return _settle(dt.datetime.fromtimestamp(int(number / unit), dt.UTC))
    return None


def _settle(moment: dt.datetime) -> dt.datetime | None:
    try:
        moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except OverflowError:
        return None
    if not EARLIEST <= moment.year < LATEST or moment == _ZERO:
        return None
    return moment.replace(microsecond=0) if moment.microsecond else moment


@cache
def _known() -> tuple[re.Pattern[str], dict[str, tuple[str, int]]]:
    """A pattern of every known word, longest first, and what each means. Raises: FileError for a bad row."""
    meanings: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(WORDS.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 3 or cells[0] not in _KINDS or not cells[2]:
            raise FileError(WORDS, number, f"wants kind ({', '.join(sorted(_KINDS))}), value and word")
        try:
            value = 0 if cells[1] == "-" else int(cells[1])
        except ValueError as error:
            raise FileError(WORDS, number, f"{cells[1]!r} is no number") from error
        meanings.setdefault(fold(cells[2]), (cells[0], value))
    listed = "|".join(re.escape(word) for word in sorted(meanings, key=len, reverse=True))
    return re.compile(rf"(?<![^\W\d_])(?:{listed})(?![^\W\d_])"), meanings
