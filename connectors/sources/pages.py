"""A page and the feed entry that led to it become one article: who is believed in what.

The whole table of precedence, with its exceptions, stands in `docs/pages.md`. Everything here is pure: the live fetcher
and a replay of its archive make the same article of the same bytes.
"""

from __future__ import annotations

import datetime as dt

from connectors.boilerplate import is_no_name, is_no_title
from connectors.clean import Page
from connectors.language import language_of
from connectors.sites import same_site, site_of
from connectors.sources.rows import Basis, Options, make_article
from connectors.urls import canonical_url, outlet_of
from pipeline.errors import Unusable
from pipeline.records import Archived, Article, Entry

EARLIEST = dt.datetime(1995, 1, 1, tzinfo=dt.UTC)  # before news stood on the web: a template's or a machine's default
AHEAD = dt.timedelta(days=2)  # a clock or zone may be wrong by a day; what is dated later still is a mistake
WIDEST_ZONE = dt.timedelta(hours=14)  # the furthest that local time is from UTC
MISSED = 0.5  # a page's text below this share of the feed's whole text: most of the page was not found
ZONE_STEP = dt.timedelta(minutes=15)  # zones differ by whole quarters of an hour
_PLAIN = Options()


def page_article(
    page: Page, response_url: str, fetched: dt.datetime | None, archive: Archived | None, entry: Entry | None
) -> Article:
    """The article of a fetched page.

    response_url: the address that answered. fetched: when, UTC. entry: what a feed said of it, None if no feed did.
    """
    canonical = page.canonical_url or canonical_url(response_url)
    published, basis = _published(page, entry, fetched)
    updated = _updated(published, fetched, page.updated, entry.updated if entry else None)
    return make_article(
        _PLAIN,
        source_id=entry.source_id if entry else None,
        url=response_url,
        canonical=canonical,
        outlet=_outlet(entry, canonical) or page.outlet,
        feed=entry.feed if entry else None,
        language=page.language or (entry.language if entry else None),
        title=_title(page, entry),
        body=_body(page, entry),
        author=_author(page, entry),
        section=page.section or (entry.section if entry else None),
        published=published,
        basis=basis,
        updated=updated,
        fetched=fetched,
        archive=archive,
    )


def entry_article(entry: Entry, url: str | None = None) -> Article:
    """The article that the feed itself holds, for where no page is to be had: `partial` unless it is the whole text.

    url: the address that the entry's own was found to lead to, if it was asked at all: it gives the same article id as
    the page would. Raises: Unusable (reason "no-text") for an entry without title and text.
    """
    title = (entry.title or "").strip()
    if not entry.body.strip() and not title:
        raise Unusable("an entry without title and text", reason="no-text")
    published = entry.published if _sane(entry.published, entry.seen) else None
    canonical = canonical_url(url) or canonical_url(entry.url)
    return make_article(
        _PLAIN,
        source_id=entry.source_id,
        url=url or entry.url,
        canonical=canonical,
        outlet=_outlet(entry, canonical) or outlet_of(canonical) or entry.outlet,
        feed=entry.feed,
        language=language_of(entry.body or title) or entry.language,
        title=title or None,
        body=entry.body,
        partial=entry.partial or not entry.body.strip(),
        author=entry.author,
        section=entry.section,
        published=published,
        basis="feed",
        updated=_updated(published, entry.seen, entry.updated),
        fetched=entry.seen,
        archive=entry.archive,
    )


def _published(page: Page, entry: Entry | None, fetched: dt.datetime | None) -> tuple[dt.datetime | None, Basis]:
    """The page's time, unless it is impossible, or the feed knows the same time more exactly."""
    fed = entry.published if entry and _sane(entry.published, fetched) else None
    said = page.published
    if said is None or not _sane(said, fetched):
        return fed, "feed"
    if fed is None:
        return said, "page"
    if fetched is not None and said > fetched >= fed:
        return fed, "feed"  # read before it was published: the page means another zone than it says
    if page.published_to == "day" and said - WIDEST_ZONE <= fed < said + dt.timedelta(days=1) + WIDEST_ZONE:
        return fed, "feed"
    if page.published_to == "local" and abs(fed - said) <= WIDEST_ZONE and not (fed - said) % ZONE_STEP:
        return fed, "feed"
    return said, "page"


def _updated(
    published: dt.datetime | None, fetched: dt.datetime | None, *said: dt.datetime | None
) -> dt.datetime | None:
    """The first that is a possible time and not before the publication."""
    for moment in said:
        if moment and _sane(moment, fetched) and (published is None or moment >= published):
            return moment
    return None


def _sane(moment: dt.datetime | None, fetched: dt.datetime | None) -> bool:
    return moment is not None and moment >= EARLIEST and (fetched is None or moment <= fetched + AHEAD)


def _body(page: Page, entry: Entry | None) -> str:
    """The page's text, unless the feed gives the whole text and the page shows but a fraction of it (a stub)."""
    if entry and not entry.partial and len(page.body) < MISSED * len(entry.body):
        return entry.body
    return page.body


def _title(page: Page, entry: Entry | None) -> str | None:
    said = page.title
    if entry and entry.title and is_no_title(said, page.site_name, page.outlet, entry.outlet):
        return entry.title
    return said


def _author(page: Page, entry: Entry | None) -> str | None:
    fed = entry.author if entry else None
    if page.author and (not fed or not is_no_name(page.author, page.site_name, page.outlet)):
        return page.author
    return fed


def _outlet(entry: Entry | None, canonical: str | None) -> str | None:
    """The short name that the list of feeds gives, if the page is the feed's own and not one that it collected."""
    if not entry or not entry.outlet:
        return None
    if canonical is None or same_site(entry.feed, canonical):
        return entry.outlet
    owner = (site_of(canonical) or "").partition(".")[0]
    return entry.outlet if entry.outlet.casefold() == owner else None
