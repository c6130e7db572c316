"""Addresses as feeds write them: relative, without scheme, broken over lines, escaped twice, or of the front page."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin, urlsplit

from connectors.urls import LONGEST, canonical_url

_BREAKS = re.compile(r"[\t\r\n]+\s*")
#: White space, marks of direction and joiners, which editors of Arabic put beside an address unseen.
_EDGES = " \t\r\n\f\v\xa0\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"
#: A site that a template put in front of an address that was whole.
_TWICE = re.compile(r"^https?:/*[^/?#]*(?=https?://)|^(https?://[^/?#]+)/?(?=\1/)", re.IGNORECASE)
_NO_SCHEME = re.compile(r"www\.[\w.-]{3,}(?:[/?#:]|$)")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FRONT = re.compile(r"/?(?:(?:index|default|home)(?:\.\w{2,5})?|[a-z]{2}(?:-[a-z]{2})?)?/?", re.IGNORECASE)


def absolute(said: str | None, *bases: str | None) -> str | None:
    """The address made absolute against the first base that makes it an http(s) address; None if none does.

    White space and unseen marks around it, line breaks in it and a site put in front of a whole address are dropped,
    blanks escaped, `&amp;` undone however often it was escaped.
    """
    if not said or len(said) > LONGEST:
        return None
    said = _BREAKS.sub("", said.strip(_EDGES))
    while "&amp;" in said:
        said = said.replace("&amp;", "&")
    if "&#" in said:
        said = html.unescape(said)
    if " " in said and "/" not in said:
        return None  # words
    said = _TWICE.sub("", said.replace(" ", "%20"))
    if _NO_SCHEME.match(said):
        said = f"http://{said}"
    if _ABSOLUTE.match(said):
        return said if canonical_url(said) else None
    for base in bases:
        try:
            joined = urljoin(base, said) if base else ""
        except ValueError:
            continue
        if canonical_url(joined):
            return joined
    if said.startswith("//") and canonical_url(f"https:{said}"):
        return f"https:{said}"
    return None


def is_front(url: str) -> bool:
    """Whether the address is a site's front page, in whatever language, and so no article's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return not parts.query and _FRONT.fullmatch(parts.path) is not None
