"""Answers that are no article although they say 200: a front page, a login, a film. No parsing, so nothing to fear."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from connectors.responses import Response
from connectors.urls import canonical_url
from pipeline.errors import FileError

DEAD_ENDS = Path(__file__).parent / "data" / "dead_ends.tsv"
REFRESH_BYTES = 8_192  # a page that only sends its reader on has no more
REFRESH_SECONDS = 10  # a longer wait is an article that renews itself

_PAGES = ("text/html", "application/xhtml+xml", "text/plain", "text/xml", "application/xml")
#: How files begin that are no pages, whatever their server calls them.
_FILES = (
    *(b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"RIFF", b"ID3", b"OggS"),
    *(b"\xd0\xcf\x11\xe0", b"Rar!", b"7z\xbc\xaf"),
    *(b"\x00\x00\x00" + size + b"ftyp" for size in (b"\x14", b"\x18", b"\x1c", b"\x20")),
)
_META = re.compile(rb"<meta\b[^<>]{0,500}>", re.IGNORECASE)
_REFRESH = re.compile(
    rb"""http-equiv\s*=\s*["']?\s*refresh\b[^<>]*?content\s*=\s*["']?\s*(\d{1,4})(?:\.\d*)?\s*[;,]\s*(?:url\s*=\s*)?["']?([^"'<>]{1,2000})""",
    re.IGNORECASE,
)


def dead_end(asked: str, response: Response) -> str | None:
    """Why a complete answer of status 200 holds no article, None if it may hold one.

    asked: the address that was asked for. Gives media-type, soft-404, login, consent, paywall or forbidden.
    """
    if not _may_be_page(response):
        return "media-type"
    wanted, given = canonical_url(asked), canonical_url(response.url)
    if given is None or given == wanted:
        return None
    if is_front(given) and not (wanted and is_front(wanted)):
        return "soft-404"
    return _wall(given, wanted or "")


def is_front(canonical: str) -> bool:
    """Whether an address is that of a whole site or of one of its languages, where no single article stands."""
    parts = urlsplit(canonical)
    path = parts.path.strip("/").lower()
    if not path:
        return not parts.query
    return "/" not in path and not parts.query and _name(path) in _words()[0]


def refresh_target(response: Response) -> str | None:
    """Where a page that only sends its reader on sends them: an absolute address, another than its own."""
    if len(response.body) > REFRESH_BYTES:
        return None
    for meta in _META.findall(response.body):
        if found := _REFRESH.search(meta):
            if int(found[1]) > REFRESH_SECONDS:
                return None
            try:
                to = urljoin(response.url, found[2].decode("utf-8", "replace").strip().replace("&amp;", "&"))
            except ValueError:
                return None
            canonical = canonical_url(to)
            return to if canonical and canonical != canonical_url(response.url) else None
    return None


def _may_be_page(response: Response) -> bool:
    said = (response.header("content-type") or "").partition(";")[0].strip().lower()
    if said and not said.startswith(_PAGES) and "/" in said:
        return False
    return not response.body.startswith(_FILES)


def _wall(given: str, wanted: str) -> str | None:
    """The reason of the first word of a wall in the address given that does not stand in the address wanted."""
    _, walls = _words()
    before = set(_parts(wanted))
    return next((walls[part] for part in _parts(given) if part in walls and part not in before), None)


def _parts(canonical: str) -> list[str]:
    parts = urlsplit(canonical)
    return [*(parts.hostname or "").split(".")[:-1], *map(_name, parts.path.lower().split("/"))]


def _name(segment: str) -> str:
    return segment.partition(".")[0]


@cache
def _words() -> tuple[frozenset[str], dict[str, str]]:
    """Paths of front pages; words of walls with their reasons."""
    fronts, walls = set(), {}
    for number, line in enumerate(DEAD_ENDS.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 3 or cells[0] not in ("front", "wall"):
            raise FileError(DEAD_ENDS, number, "wants three columns: front or wall, word, reason")
        if cells[0] == "front":
            fronts.add(cells[1])
        else:
            walls[cells[1]] = cells[2]
    return frozenset(fronts), walls
