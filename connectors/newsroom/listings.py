"""Feeds and sitemaps as outlets write them: every dialect from the same list of items."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from html import escape

from connectors.newsroom.prose import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """link: as the feed gives it. address: the article's own. whole: its paragraphs, where the feed gives them."""

    link: str
    address: str
    guid: str | None
    headline: str
    summary: str
    whole: tuple[str, ...]
    author: str
    section: str
    published: dt.datetime
    updated: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A feed at one moment. dates: usual, iso, arabic or none. ttl: minutes. built: when it claims to be written."""

    title: str
    home: str
    address: str
    language: str
    dates: str
    charset: str
    ttl: int | None
    built: dt.datetime | None
    items: Sequence[Item]


def write(dialect: str, listing: Listing) -> str:
    """The document. dialect: a key of DIALECTS."""
    return DIALECTS[dialect](listing)


def sitemap_index(children: Sequence[tuple[str, dt.datetime]]) -> str:
    """An index of sitemaps with the time that each last changed."""
    rows = "".join(
        f"<sitemap><loc>{escape(a)}</loc><lastmod>{at.isoformat()}</lastmod></sitemap>\n" for a, at in children
    )
    return f'{_head("utf-8")}<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</sitemapindex>'


def sitemap(items: Sequence[Item]) -> str:
    """A sitemap without titles: addresses and the time of their last change."""
    rows = "".join(f"<url><loc>{escape(i.link)}</loc><lastmod>{i.updated.isoformat()}</lastmod></url>\n" for i in items)
    return f'{_head("utf-8")}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>'


def _head(charset: str) -> str:
    declared = f' encoding="{charset}"' if charset else ""
    return f'<?xml version="1.0"{declared}?>\n'


def _when(listing: Listing, at: dt.datetime) -> str:
    if listing.dates == "iso":
        return at.isoformat()
    if listing.dates == "arabic":
        return f"{at.day} {words('ar', 'month')[at.month - 1]} {at.year} {at:%H:%M:%S} +0000"
    return format_datetime(at, usegmt=True)


def _rss(listing: Listing, *, full: bool = False) -> str:
    rows = []
    for i in listing.items:
        guid = ""
        if i.guid is not None:
            link = "true" if i.guid == i.address else "false"
            guid = f'<guid isPermaLink="{link}">{escape(i.guid)}</guid>'
        date = f"<pubDate>{_when(listing, i.published)}</pubDate>" if listing.dates != "none" else ""
        whole = f"<content:encoded><![CDATA[{_html(i)}]]></content:encoded>" if full else ""
        rows.append(
            f"<item><title>{escape(i.headline)}</title><link>{escape(i.link)}</link>{guid}{date}"
            f"<dc:creator>{escape(i.author)}</dc:creator><category>{escape(i.section)}</category>"
            f"<description>{escape(i.summary)}</description>{whole}</item>\n"
        )
    ttl = f"<ttl>{listing.ttl}</ttl>" if listing.ttl else ""
    built = f"<lastBuildDate>{format_datetime(listing.built, usegmt=True)}</lastBuildDate>" if listing.built else ""
    return (
        f'{_head(listing.charset)}<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>{escape(listing.title)}</title>'
        f"<link>{escape(listing.home)}</link><language>{listing.language}</language>{ttl}{built}\n"
        f"{''.join(rows)}</channel></rss>"
    )


def _rdf(listing: Listing) -> str:
    order = "".join(f'<rdf:li rdf:resource="{escape(i.link)}"/>' for i in listing.items)
    rows = []
    for i in listing.items:
        date = f"<dc:date>{i.published.isoformat()}</dc:date>" if listing.dates != "none" else ""
        rows.append(
            f'<item rdf:about="{escape(i.guid or i.link)}"><title>{escape(i.headline)}</title>'
            f"<link>{escape(i.link)}</link><description>{escape(i.summary)}</description>{date}"
            f"<dc:creator>{escape(i.author)}</dc:creator></item>\n"
        )
    return (
        f'{_head(listing.charset)}<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<channel rdf:about="{escape(listing.address)}"><title>{escape(listing.title)}</title>'
        f"<link>{escape(listing.home)}</link><description>{escape(listing.title)}</description>"
        f"<dc:language>{listing.language}</dc:language><items><rdf:Seq>{order}</rdf:Seq></items></channel>\n"
        f"{''.join(rows)}</rdf:RDF>"
    )


def _atom(listing: Listing, *, full: bool = False) -> str:
    rows = []
    for i in listing.items:
        whole = f'<content type="html">{escape(_html(i))}</content>' if full else ""
        rows.append(
            f"<entry><id>{escape(i.guid or i.address)}</id><title>{escape(i.headline)}</title>"
            f'<link rel="alternate" href="{escape(i.link)}"/><published>{i.published.isoformat()}</published>'
            f"<updated>{i.updated.isoformat()}</updated><author><name>{escape(i.author)}</name></author>"
            f"<summary>{escape(i.summary)}</summary>{whole}</entry>\n"
        )
    newest = max((i.updated for i in listing.items), default=None)
    updated = f"<updated>{(listing.built or newest or dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).isoformat()}</updated>"
    return (
        f'{_head(listing.charset)}<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{listing.language}">'
        f"<id>{escape(listing.address)}</id><title>{escape(listing.title)}</title>{updated}"
        f'<link rel="self" href="{escape(listing.address)}"/><link href="{escape(listing.home)}"/>\n'
        f"{''.join(rows)}</feed>"
    )


def _json(listing: Listing) -> str:
    items = []
    for i in listing.items:
        item: dict[str, object] = {
            "id": i.guid or i.address,
            "url": i.link,
            "title": i.headline,
            "summary": i.summary,
            "authors": [{"name": i.author}],
            "tags": [i.section],
        }
        if listing.dates != "none":
            item |= {"date_published": i.published.isoformat(), "date_modified": i.updated.isoformat()}
        items.append(item)
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": listing.title,
        "home_page_url": listing.home,
        "feed_url": listing.address,
        "language": listing.language,
        "items": items,
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def _news(listing: Listing) -> str:
    rows = []
    for i in listing.items:
        date = (
            f"<news:publication_date>{i.published.isoformat()}</news:publication_date>"
            if listing.dates != "none"
            else ""
        )
        rows.append(
            f"<url><loc>{escape(i.link)}</loc><lastmod>{i.updated.isoformat()}</lastmod><news:news><news:publication>"
            f"<news:name>{escape(listing.title)}</news:name><news:language>{listing.language}</news:language>"
            f"</news:publication>{date}<news:title>{escape(i.headline)}</news:title></news:news></url>\n"
        )
    return (
        f'{_head("utf-8")}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        f'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">\n{"".join(rows)}</urlset>'
    )


def _html(item: Item) -> str:
    return "".join(f"<p>{escape(p)}</p>" for p in item.whole)


DIALECTS: dict[str, Callable[[Listing], str]] = {
    "rss": _rss,
    "rss-full": lambda listing: _rss(listing, full=True),
    "atom": _atom,
    "atom-full": lambda listing: _atom(listing, full=True),
    "rdf": _rdf,
    "json": _json,
    "news": _news,
    "news-gz": _news,
}
