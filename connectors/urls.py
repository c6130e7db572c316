"""Addresses: one spelling for one page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import can_ada

from pipeline.errors import FileError

TRACKING = Path(__file__).parent / "data" / "tracking.tsv"
LONGEST = 8_192  # code points; a longer one is an embedded document or an attack
_UNWRAPPINGS = 3  # an AMP cache inside an AMP cache inside a viewer: no real address nests deeper

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
#: What browsers leave bare in a path or a query although RFC 3986 wants it escaped.
_BARE = {ord(c): f"%{ord(c):02X}" for c in "\"<>`{}|^[]\\'"}
_MOBILE = ("m.", "mobile.", "amp.")
_SECOND_LEVEL = frozenset(("co", "com", "net", "org", "gov", "edu", "ac"))
_IN_CACHE = re.compile(r"/[a-z]/(s/)?(.+)")
_IN_VIEWER = re.compile(r"/amp/(s/)?(.+)")


def canonical_url(url: str | None) -> str | None:
    """The one spelling of this page's address; None if it is no http(s) address. Never raises.

    Lower-case host without trailing dot, without default port, credentials, fragment and tracking parameters
    (`data/tracking.tsv`); other parameters keep their order. International hosts become Punycode, other letters
    UTF-8 percent escapes; unreserved characters stand bare. AMP caches and `/amp` endings are undone, and `m.`,
    `mobile.`, `amp.` hosts become the main host. The scheme and a trailing slash stay as they are.
    Applying it twice changes nothing.
    """
    if not url:
        return None
    for _ in range(_UNWRAPPINGS):
        parsed = _parse(url)
        if parsed is None:
            return None
        inner = _inside_amp_cache(parsed)
        if inner is None:
            return _spell(parsed)
        url = inner
    return None


def host_of(url: str | None) -> str | None:
    """The host in lower case (Punycode), without port and trailing dot; None if it is no http(s) address."""
    parsed = _parse(url) if url else None
    return _host(parsed) if parsed else None


def outlet_of(url: str | None) -> str | None:
    """The outlet that an address belongs to: its host without `www.`, `m.` and their like."""
    parsed = _parse(url) if url else None
    host = _host(parsed) if parsed else None
    return _main_host(host).removeprefix("www.") if host else None


def _parse(url: str) -> can_ada.URL | None:
    if len(url) > LONGEST:
        return None
    try:
        parsed = can_ada.parse(url)
    except (ValueError, TypeError):  # TypeError: a lone surrogate has no UTF-8 form
        return None
    if parsed.protocol not in ("http:", "https:") or not _host(parsed) or ".." in parsed.hostname:
        return None
    return parsed


def _spell(parsed: can_ada.URL) -> str | None:
    host = _main_host(_host(parsed))
    path, query = parsed.pathname, parsed.search
    path = _escapes(path)
    while True:
        shorter = path.rstrip("/") if path.endswith("/amp/") else path
        if shorter.endswith("/amp") and shorter.count("/") > 1:
            path = shorter[:-4]
        elif path.endswith(".amp") and len(path) > 5 and path[-5] not in "/.":
            path = path[:-4]
        else:
            break
    if query:
        query = _query(_escapes(query[1:]), host)
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.protocol}//{host}{port}{path}{query}"


def _query(query: str, host: str) -> str:
    if "+" in query:
        query = query.replace("+", "%20")
    names, prefixes, hosted = _tracking()

    def tracks(pair: str) -> bool:
        lowered = pair.lower()
        name = lowered.partition("=")[0]
        if name in names or lowered in names or (name and name.startswith(prefixes)):
            return True
        return any(name == own and (host == of or host.endswith("." + of)) for own, of in hosted)

    kept = []
    for pair in query.split("&"):
        while pair.startswith("amp;"):  # an address cut out of HTML without unescaping
            pair = pair[4:]
        parts = pair.split("?")
        while parts and tracks(parts[-1]):  # put behind a whole address with a second question mark
            parts.pop()
        if pair := "?".join(parts):
            kept.append(pair)
    return "?" + "&".join(kept) if kept else ""


def _escapes(text: str) -> str:
    if "%" in text:
        text = _ESCAPE.sub(_escape, text)
    return text if text.isalnum() else text.translate(_BARE)


def _escape(found: re.Match[str]) -> str:
    digits = found[1]
    if digits is None:
        return "%25"
    char = chr(int(digits, 16))
    return char if char in _UNRESERVED else f"%{digits.upper()}"


def _host(parsed: can_ada.URL) -> str:
    return parsed.hostname.rstrip(".")


def _main_host(host: str) -> str:
    """`m.example.com` → `www.example.com`, `m.arabic.example.com` → `arabic.example.com`."""
    if not host.startswith(_MOBILE):
        return host
    while host.startswith(_MOBILE) and "." in host.partition(".")[2]:
        host = host.partition(".")[2]
    labels = host.split(".")
    whole = len(labels) == 2 or (len(labels) == 3 and labels[1] in _SECOND_LEVEL and len(labels[2]) == 2)
    return f"www.{host}" if whole and not host.startswith(_MOBILE) else host


def _inside_amp_cache(parsed: can_ada.URL) -> str | None:
    """The address that an AMP cache or viewer shows."""
    host, path = _host(parsed), parsed.pathname
    if host.endswith(".cdn.ampproject.org"):
        found = _IN_CACHE.fullmatch(path)
    elif host in ("www.google.com", "google.com"):
        found = _IN_VIEWER.fullmatch(path)
    else:
        return None
    if not found or "." not in found[2].partition("/")[0]:
        return None
    return f"{'https' if found[1] else 'http'}://{found[2]}{parsed.search}"


@cache
def _tracking() -> tuple[frozenset[str], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Exact names and `name=value` pairs, prefixes, and names that track on one host only."""
    names, prefixes, hosted = set(), [], []
    for number, line in enumerate(TRACKING.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 3 or not cells[0] or not cells[1]:
            raise FileError(TRACKING, number, "wants three columns: parameter, host or *, who sets it")
        parameter, host, _ = cells
        if host != "*":
            hosted.append((parameter.lower(), host))
        elif parameter.endswith("*"):
            prefixes.append(parameter[:-1].lower())
        else:
            names.add(parameter.lower())
    return frozenset(names), tuple(prefixes), tuple(hosted)
