"""Why a page holds no article: what it says in front of us, or what it lacks.

The wording stands in `data/boilerplate.tsv`; `docs/pages.md` tells the rules to readers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.boilerplate import boilerplate, fold, is_no_title
from connectors.sources.metadata import Stated
from pipeline.errors import Unusable

LONGEST = 400_000  # code points: four times the longest live report seen; above it is a data dump or an attack
STUB = 1_500  # code points: the longest beginning of a text that outlets give away
NOTICE = 900  # code points: the longest page that only tells that there is nothing to read
CAPTION_PAGE = 400  # code points: below this, words beside a film or pictures are captions
CAPTION = 150  # code points: of a page that says that it is an article beside its film
FEWEST_LETTERS = 60  # of a text without a full sentence that nothing says is an article
MANY_LINKS = 30
MANY_TEASERS = 8
SHORTEST_HEADLINE = 25  # code points; names of sections are shorter
FOLLOWING = 10  # lines behind the text in which an offer belongs to it
LONGEST_LINE = 300  # code points of a line that says such things
_LINKED = 0.6  # share of link text from which on a body is a list of links
_CUT = re.compile(r"(?:\.\.\.|…|\[…\]|\[\.\.\.\])\W*$")
_PARTS = re.compile(r" [|»–—-] ")
_ENDED = re.compile(r"""[.!?؟۔。…:][\s"'”’»)\]\u200e\u200f]*$""")


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a page.

    lines: its body. links: how many there are. linked: code points of lines that are nothing but a link. teasers: items
    of lists of other texts that stood on it. pictures: captions. shown: gives all lines of the page when asked.
    """

    lines: Sequence[str]
    stated: Stated
    links: int
    linked: int
    teasers: int
    pictures: int
    shown: Callable[[], Sequence[str]]


def refuse(look: Look) -> None:
    """Raises: Unusable (reason "paywall", "soft-404", "not-article", "no-text" or "too-large") if it is no article."""
    size = sum(map(len, look.lines))
    notice = _notice(look, size)
    if notice:
        raise notice
    if _is_list(look, size):
        raise Unusable("a page of links, not an article", reason="not-article")
    if _is_pictures(look, size):
        raise Unusable("a film or pictures, not a text", reason="not-article")
    if _is_stub(look, size):
        raise Unusable("only the beginning of the text, the rest is for subscribers", reason="paywall")
    if not size:
        raise Unusable("no article text on the page", reason="no-text")
    if size > LONGEST:
        raise Unusable(f"a text of {size} letters, {LONGEST} are allowed", reason="too-large")
    if not look.stated.is_article and size < FEWEST_LETTERS and not any(_ENDED.search(line) for line in look.lines):
        raise Unusable("a few words, not an article", reason="no-text")


def _notice(look: Look, size: int) -> Unusable | None:
    """The page says nothing but that there is nothing to read, or what it wants first."""
    if size > NOTICE:
        return None
    words = boilerplate()
    shown = look.lines or [line for line in look.shown() if len(line) > 1][:40]
    folded = [fold(line) for line in shown]
    title = fold(look.stated.title or "")
    for pattern, reason, what in (
        (words.lost, "soft-404", "says that what was asked for is not here"),
        (words.script, "no-text", "wants JavaScript to show anything"),
        (words.gate, "not-article", "wants something first, or is out of order"),
    ):
        if reason != "no-text" and (look.stated.is_article or look.stated.published) and not pattern.search(title):
            continue  # a report of a few words may tell of closed doors
        found = [line for line in folded if len(line) <= LONGEST_LINE * 2 and pattern.search(line)]
        said = sum(map(len, found))
        whole = said + sum(len(line) for line in folded if line not in found and not words.lines.fullmatch(line))
        enough = 0.4 if pattern.search(title) else 0.5
        if said > enough * whole or (
            pattern.search(title) and not look.stated.is_article and (said or size < FEWEST_LETTERS)
        ):
            return Unusable(f"a page that {what}", reason=reason)
    return None


def _is_list(look: Look, size: int) -> bool:
    stated = look.stated
    if stated.is_article and not (stated.is_list and look.teasers > 8 and not size):
        return False
    if not size:
        return look.links + look.teasers > MANY_LINKS or look.teasers >= 5
    if look.linked > _LINKED * size or (stated.is_list and look.linked > 0.3 * size):
        return True
    if look.teasers >= MANY_TEASERS and size < NOTICE and not stated.published and _names_a_place(stated):
        return True
    cut = sum(len(line) for line in look.lines if _CUT.search(line))
    if cut > 0.6 * size and len(look.lines) > 3:
        return True
    return (
        (stated.is_list or look.teasers >= MANY_TEASERS)
        and size < CAPTION_PAGE
        and not any(map(_ENDED.search, look.lines))
    )


def _names_a_place(stated: Stated) -> bool:
    """Whether the headline is a section's or the site's rather than an article's."""
    title = stated.title or ""
    longest = max(map(len, _PARTS.split(title)))
    return longest < SHORTEST_HEADLINE or is_no_title(title, stated.site_name)


def _is_pictures(look: Look, size: int) -> bool:
    gallery = any(boilerplate().gallery.search(fold(headline)) for headline in look.stated.headlines)
    if gallery and size < STUB and not any(map(_ENDED.search, look.lines)):
        return True
    if look.stated.is_article:
        return look.stated.is_media and size < CAPTION and not any(map(_ENDED.search, look.lines))
    return size < CAPTION_PAGE and (look.stated.is_media or (gallery and look.pictures > 4) or look.pictures > 7)


def _is_stub(look: Look, size: int) -> bool:
    """A text that ends where payment begins."""
    if not look.lines:
        return False
    last = look.lines[-1]
    cut = bool(_CUT.search(last)) or not _ENDED.search(last)
    if look.stated.is_free is False and (size < STUB * 0.6 or (size < STUB and cut)):
        return True
    if size >= STUB and not _CUT.search(last):
        return False
    words = boilerplate()
    shown = look.shown()
    behind = _behind(shown, last)
    if any(words.paywall.search(line) for line in behind):
        return size < STUB or cut
    if any(words.paywall.search(fold(line)) for line in shown if len(line) <= LONGEST_LINE):
        return size < STUB and (cut or size < STUB * 0.6)
    return size < STUB and bool(_CUT.search(last)) and any(words.offer.search(line) for line in behind)


def _behind(shown: Sequence[str], last: str) -> list[str]:
    """The short lines that follow the text, folded: where outlets say what the rest costs."""
    end = last[-40:]
    at = next((number for number in range(len(shown) - 1, -1, -1) if shown[number].endswith(end)), None)
    following = shown[at + 1 : at + 1 + FOLLOWING] if at is not None else shown
    return [fold(line) for line in following if len(line) <= LONGEST_LINE]
