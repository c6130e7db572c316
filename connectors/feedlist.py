"""The list of feeds: a TOML file that a person keeps, and the packaged catalogue in the same form.

docs/feedlist.md tells what each key means. Editing the file: `connectors.feedfile`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import can_ada

from connectors.urls import canonical_url, outlet_of
from pipeline.errors import FileError

CATALOGUE = Path(__file__).parent / "data" / "feeds.toml"
TABLE = "feed"  # `[[feed]]`
WORLD = "world"  # the country of those who report on many
#: The groups of the catalogue; a list of one's own may have others.
GROUPS = ("agency", "broadcaster", "newspaper", "online", "ngo", "un", "ministry", "party")
#: Bounds of the settings feeds.min_minutes and feeds.max_minutes, which a feed's own replace.
MIN_MINUTES, MAX_MINUTES = (0.05, 1440.0), (1.0, 10_080.0)
LONGEST = 2_000  # code points of any text in the list

Kind = Literal["feed", "sitemap"]
Text = Literal["full", "summary"]

# What a terminal would obey or XML cannot hold: controls, separators, lone surrogates, non-characters.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"\w[\w.-]{0,99}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_COUNTRY = re.compile(rf"[A-Z]{{2}}|{WORLD}")
_CHECKED = re.compile(r"unverified|listed|\d{4}-\d\d-\d\d")
_WORDS = re.compile(r"[^\W_]+")
#: Parts of a feed's address that tell nothing of what it is.
_NOISE = frozenset(("www", "feed", "feeds", "rss", "rss2", "atom", "xml", "index", "php", "aspx", "html", "default"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed or sitemap to poll.

    url: as written; `same_feed` tells whether two are one. name: a handle, unique in its list. outlet: who publishes.
    language: ISO 639 code. country: ISO 3166-1 alpha-2 of the outlet's subject, or "world". group: kind of outlet, or
    the folders of an OPML file joined by "/". state: the state or party that owns, funds or speaks through it.
    text: whether entries hold the whole article. home: the outlet's site. checked: "unverified", "listed" (stands in
    public collections of feeds), or the day of the last poll that is known to have worked.
    min_minutes, max_minutes: bounds of the time between two polls; None: those of the settings.
    """

    url: str
    name: str
    outlet: str | None = None
    kind: Kind = "feed"
    language: str | None = None
    country: str | None = None
    group: str | None = None
    state: str | None = None
    notes: str | None = None
    text: Text | None = None
    home: str | None = None
    checked: str | None = None
    min_minutes: float | None = None
    max_minutes: float | None = None
    enabled: bool = True


def load_feeds(path: Path) -> list[Feed]:
    """The feeds of a list, in its order; names that are not given are made from the addresses.

    Raises: FileError, `file:line: what`, for anything that is not as docs/feedlist.md says.
    """
    return read_feeds(text_of(path), path)


@cache
def catalogue() -> tuple[Feed, ...]:
    """The packaged list."""
    return tuple(load_feeds(CATALOGUE))


def read_feeds(text: str, path: Path) -> list[Feed]:
    """The feeds of a list that was read already; `path` is for what errors say. Raises: FileError."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        said = str(e)
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
        line = int(at[1]) if at and at[1] else text.rstrip("\n").count("\n") + 1
        raise FileError(path, line, f"not TOML: {said[: at.start()] if at else said}") from e
    except RecursionError as e:
        raise FileError(path, None, "not a list of feeds: nested too deep") from e
    lines = Lines(text)
    for key in content:
        if key != TABLE:
            raise FileError(path, lines.of_key(None, key), f"unknown key {key}; a list holds [[{TABLE}]] tables only")
    tables = content.get(TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise FileError(path, lines.of_key(None, TABLE), f"{TABLE} must be tables, each under [[{TABLE}]]")
    return _feeds(tables, path, lines)


def check_value(key: str, value: object) -> Any:
    """The value of a feed's key in its type, blanks around it gone. Raises: ValueError saying what it must be."""
    return _CHECKS[key](value)


def same_feed(url: str) -> str:
    """What two spellings of one feed's address have in common: scheme, final slash, tracking parameters set aside."""
    spelt = canonical_url(url) or url
    return spelt.partition("://")[2].rstrip("/") or spelt


class Names:
    """Makes handles of addresses, each other than those that are taken: `https://www.a.example/world/rss.xml` →
    `a-example-world`, then `a-example-world-2`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)
        self._counted: dict[str, int] = {}

    def make(self, url: str) -> str:
        """A new handle, which is taken from now on."""
        host = (outlet_of(url) or "feed").removeprefix("feeds.").removeprefix("rss.")
        path = (canonical_url(url) or "").partition("://")[2].partition("/")[2].partition("?")[0]
        words = [word for word in _WORDS.findall(path.lower()) if word not in _NOISE and not word.isdigit()]
        stem = name = "-".join([*_WORDS.findall(host), *words])[:60].rstrip("-")
        while name in self.taken:
            self._counted[stem] = self._counted.get(stem, 1) + 1
            name = f"{stem}-{self._counted[stem]}"
        self.taken.add(name)
        return name


def text_of(path: Path) -> str:
    """Raises: FileError if the file cannot be read as UTF-8."""
    try:
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except FileNotFoundError as e:
        raise FileError(path, None, "no such file") from e
    except OSError as e:
        raise FileError(path, None, f"cannot be read: {e.strerror or e}") from e
    except UnicodeDecodeError as e:
        raise FileError(path, e.object[: e.start].count(b"\n") + 1, "is not UTF-8") from e


# -- tables to feeds ---------------------------------------------------------------------------------------------------


def _feeds(tables: list[dict[str, Any]], path: Path, lines: Lines) -> list[Feed]:
    feeds: list[Feed] = []
    urls: dict[str, int] = {}
    names: dict[str, int] = {}
    made = Names(name for table in tables if isinstance(name := table.get("name"), str))
    for number, table in enumerate(tables):

        def fault(key: str | None, what: str, number: int = number) -> FileError:
            return FileError(path, lines.of_key(number, key), what)

        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in _CHECKS:
                raise fault(key, f"unknown key {key}{_meant(key, _CHECKS)}")
            try:
                values[key] = check_value(key, value)
            except ValueError as e:
                raise fault(key, f"{key} {e}") from e
        if "url" not in values:
            raise fault(None, "a feed without url")
        if "name" not in values:
            values["name"] = made.make(values["url"])
        feed = Feed(**values)
        if feed.min_minutes and feed.max_minutes and feed.min_minutes > feed.max_minutes:
            raise fault("min_minutes", "min_minutes is more than max_minutes")
        for key, known, seen in (("url", same_feed(feed.url), urls), ("name", feed.name, names)):
            if known in seen:
                first = lines.of_key(seen[known], key)
                raise fault(key, f"the same {key} as in line {first}: {values[key]}")
            seen[known] = number
        feeds.append(feed)
    return feeds


def _meant(word: str, known: Iterable[str]) -> str:
    words = list(known)
    if close := difflib.get_close_matches(word, words, n=1, cutoff=0.6):
        return f" (did you mean {close[0]}?)"
    return f" (there are {', '.join(words)})"


def _line(value: object) -> str | None:
    """One line of text, blanks folded; None where nothing is left."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    text = " ".join(value.split())
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} letters")
    if _UNFIT.search(text):
        raise ValueError("holds a control character")
    return text or None


def _filled(value: object) -> str:
    text = _line(value)
    if text is None:
        raise ValueError("is empty")
    return text


def _address(value: object) -> str:
    text = _filled(value)
    if " " in text or canonical_url(text) is None:
        raise ValueError(f"is no http(s) address: {text[:200]}")
    parsed = can_ada.parse(text)
    if parsed.username or parsed.password:
        raise ValueError("holds a user name or password, which would end up in logs and exports")
    return text


def _group(value: object) -> str | None:
    text = _line(value)
    if text is None:
        return None
    parts = [part.strip() for part in text.split("/")]
    if not all(parts):
        raise ValueError("has an empty part between slashes")
    return "/".join(parts)


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _filled(value)
        if not pattern.fullmatch(text):
            raise ValueError(f"must be {what}, not {text[:60]!r}")
        return text

    return check


def _one_of(*words: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in words:
            raise ValueError(f"must be {' or '.join(words)}, not {str(value)[:60]!r}")
        return str(value)

    return check


def _minutes(low: float, high: float) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("must be a number of minutes")
        if not low <= value <= high:
            raise ValueError(f"must lie between {low:g} and {high:g}")
        return float(value)

    return check


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "name": _matching(_NAME, "letters, digits, '-', '_' and '.'"),
    "url": _address,
    "outlet": _line,
    "kind": _one_of("feed", "sitemap"),
    "language": _matching(_LANGUAGE, "an ISO 639 code such as ar"),
    "country": _matching(_COUNTRY, f"an ISO 3166 code such as SY, or {WORLD}"),
    "group": _group,
    "state": _line,
    "text": _one_of("full", "summary"),
    "notes": _line,
    "home": _address,
    "checked": _matching(_CHECKED, "unverified, listed or a day such as 2026-01-31"),
    "min_minutes": _minutes(*MIN_MINUTES),
    "max_minutes": _minutes(*MAX_MINUTES),
    "enabled": _switch,
}
#: The keys of a feed's table, in the order in which they are written.
KEYS = tuple(_CHECKS)


# -- where things stand in the file ------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'" r"|#[^\n]*", re.DOTALL
)
_TABLE_HEADER = re.compile(rf"[ \t]*\[\[[ \t]*[\"']?{TABLE}[\"']?[ \t]*\]\]")
_KEY = re.compile(r"[ \t]*[\"']?([\w-]+)[\"']?[ \t]*[=.]")


class Lines:
    """Which line (from 1) of a valid TOML text a feed's table and its keys stand on; tomllib does not tell.

    heads: lines of the `[[feed]]` headers. bare: the lines with comments and strings of several lines blanked out.
    """

    def __init__(self, text: str) -> None:
        self.bare = _TOKEN.sub(_blanked, text.replace("\r\n", "\n")).split("\n")
        self.heads = [number for number, line in enumerate(self.bare, 1) if _TABLE_HEADER.match(line)]

    def of_key(self, table: int | None, key: str | None) -> int | None:
        """Of a key of the table of that number (from 0), or of its header where the key is not found; table None:
        of a key outside the tables."""
        for number, name in self._keys(table):
            if name == key:
                return number
        if table is not None and table < len(self.heads):
            return self.heads[table]
        return next(self._anywhere(key), None)

    def _keys(self, table: int | None) -> Iterator[tuple[int, str]]:
        if table is not None and table >= len(self.heads):
            return
        start = 0 if table is None else self.heads[table]
        for number, line in enumerate(self.bare[start:], start + 1):
            if _TABLE_HEADER.match(line):
                return
            if found := _KEY.match(line):
                yield number, found[1]

    def _anywhere(self, key: str | None) -> Iterator[int]:
        """Lines where the word stands at all, the nearest to a place that there is."""
        for number, line in enumerate(self.bare, 1):
            if re.search(rf"(?<!\w){re.escape(key or TABLE)}(?!\w)", line):
                yield number


def _blanked(token: re.Match[str]) -> str:
    """A comment, or a string of several lines, without its letters; other strings stay, they may be keys."""
    text = token[0]
    if text.startswith("#"):
        return ""
    return "''" + "\n''" * text.count("\n") if text.startswith(('"""', "'''")) else text
