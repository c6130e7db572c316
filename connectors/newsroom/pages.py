"""Article pages as five content systems build them: the text among menus, related links, counters and scripts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from connectors.newsroom.prose import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one page shows. Times are UTC. views: its counter. feeds: addresses of the house's feeds."""

    address: str
    amp: str | None
    outlet: str
    language: str
    headline: str
    paragraphs: tuple[str, ...]
    author: str
    section: str
    published: dt.datetime
    updated: dt.datetime
    views: int
    related: tuple[tuple[str, str], ...]
    feeds: tuple[str, ...]


def page(template: str, shown: Shown) -> str:
    """The HTML of an article page. template: a key of TEMPLATES."""
    return TEMPLATES[template](shown)


def amp_page(shown: Shown) -> str:
    """The light twin of an article page; it names the article's own address."""
    return (
        f'<!doctype html><html amp lang="{shown.language}"><head><meta charset="utf-8"><title>{escape(shown.headline)}'
        f'</title><link rel="canonical" href="{escape(shown.address)}">{_linked_data(shown, whole=False)}</head><body>'
        f"<article><h1>{escape(shown.headline)}</h1>{_paragraphs(shown)}</article></body></html>"
    )


def front_page(outlet: str, language: str, feeds: tuple[str, ...], latest: tuple[tuple[str, str], ...]) -> str:
    """The list of the latest headlines, which also announces the feeds."""
    found = "".join(
        f'<link rel="alternate" type="application/rss+xml" title="{escape(outlet)}" href="{escape(f)}">' for f in feeds
    )
    items = "".join(f'<li class="teaser"><a href="{escape(a)}">{escape(h)}</a></li>' for a, h in latest)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(outlet)}</title>'
        f'<meta property="og:type" content="website">{found}</head><body>{_menu(language)}<main><ul>{items}</ul></main>'
        f"{_footer(outlet, language)}</body></html>"
    )


def plain_page(title: str, said: str) -> str:
    """An error page."""
    return (
        f"<!doctype html><html><head><title>{escape(title)}</title></head><body><h1>{escape(said)}</h1></body></html>"
    )


def _blog(shown: Shown) -> str:
    return f"""<!doctype html>
<html lang="{shown.language}" dir="{_direction(shown)}"><head><meta charset="utf-8">
<title>{escape(shown.headline)} - {escape(shown.outlet)}</title>
<link rel="canonical" href="{escape(shown.address)}">{_amp_link(shown)}
<meta property="og:title" content="{escape(shown.headline)}">
<meta property="og:site_name" content="{escape(shown.outlet)}">
<meta property="og:type" content="article"><meta property="og:url" content="{escape(shown.address)}">
{_linked_data(shown, whole=False)}<script>var q=q||[];q.push("view");</script></head>
<body class="single">{_menu(shown.language)}<main><article class="post hentry"><header>
<h1 class="entry-title">{escape(shown.headline)}</h1><span class="byline">{escape(shown.author)}</span>
<time class="published" datetime="{shown.published.isoformat()}">{shown.published:%d/%m/%Y}</time></header>
<div class="entry-content">{_paragraphs(shown)}</div>
<div class="views">{_counter(shown)}</div></article>{_related(shown)}</main>{_footer(shown.outlet, shown.language)}
</body></html>"""


def _portal(shown: Shown) -> str:
    paragraphs = [f"<p>{escape(p)}</p>" for p in shown.paragraphs]
    paragraphs.insert(2, _related(shown))
    return f"""<!doctype html>
<html lang="{shown.language}" dir="{_direction(shown)}"><head><meta charset="utf-8">
<title>{escape(shown.headline)}</title>
<link rel="canonical" href="{escape(shown.address)}">{_amp_link(shown)}
<meta property="og:title" content="{escape(shown.headline)}">
<meta property="og:site_name" content="{escape(shown.outlet)}">
<meta property="article:published_time" content="{shown.published.isoformat()}">
<meta property="article:modified_time" content="{shown.updated.isoformat()}">
<meta name="author" content="{escape(shown.author)}"></head><body>
<div id="top">{_menu(shown.language)}</div><div class="news-details"><h1>{escape(shown.headline)}</h1>
<div class="info"><span>{escape(shown.author)}</span> <span>{_counter(shown)}</span></div>
<div class="article-body">{"".join(paragraphs)}</div></div>
<div class="side"><ul>{"".join(f'<li><a href="{escape(a)}">{escape(h)}</a></li>' for a, h in shown.related)}</ul></div>
{_footer(shown.outlet, shown.language)}</body></html>"""


def _fields(shown: Shown) -> str:
    return f"""<!doctype html>
<html lang="{shown.language}" dir="{_direction(shown)}"><head><meta charset="utf-8">
<title>{escape(shown.headline)} | {escape(shown.outlet)}</title><link rel="canonical" href="{escape(shown.address)}">
{_amp_link(shown)}<meta name="dcterms.title" content="{escape(shown.headline)}">
<meta name="dcterms.date" content="{shown.published.isoformat()}">
<meta name="dcterms.modified" content="{shown.updated.isoformat()}">
<meta property="og:site_name" content="{escape(shown.outlet)}"></head>
<body>{_menu(shown.language)}<section id="content"><article class="node node-article">
<h1 class="page-title">{escape(shown.headline)}</h1>
<div class="field field-name-field-author"><div class="field-item">{escape(shown.author)}</div></div>
<div class="field field-name-body field-type-text-with-summary"><div class="field-items"><div class="field-item even">
{_paragraphs(shown)}</div></div></div></article></section>
<aside><div class="counter">{_counter(shown)}</div>{_related(shown)}</aside>
{_footer(shown.outlet, shown.language)}</body></html>"""


def _tables(shown: Shown) -> str:
    text = "<br><br>".join(escape(p) for p in shown.paragraphs)
    return f"""<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<html dir="{_direction(shown)}"><head><meta http-equiv="Content-Type" content="text/html; charset={_charset(shown)}">
<title>{escape(shown.headline)}</title><meta name="date" content="{shown.published.isoformat()}">
<meta name="last-modified" content="{shown.updated.isoformat()}"></head>
<body bgcolor="#ffffff"><table width="100%"><tr><td>{_menu(shown.language)}</td></tr></table>
<table width="760"><tr><td valign="top"><h1>{escape(shown.headline)}</h1></td></tr>
<tr><td class="text"><p>{text}</p></td></tr><tr><td>{_counter(shown)}</td></tr></table>
{_footer(shown.outlet, shown.language)}</body></html>"""


def _data(shown: Shown) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(shown.headline)}</title>
<link rel="canonical" href="{escape(shown.address)}">{_amp_link(shown)}{_linked_data(shown, whole=True)}
<meta name="viewport" content="width=device-width"></head><body><div id="app"><nav>{_menu(shown.language)}</nav>
<div class="story"><h1 itemprop="headline">{escape(shown.headline)}</h1><div class="story__body">
{_paragraphs(shown)}</div></div>{_related(shown)}</div>
<script>window.__STATE__={{"views":{shown.views}}}</script></body></html>"""


TEMPLATES: dict[str, Callable[[Shown], str]] = {
    "blog": _blog,
    "portal": _portal,
    "fields": _fields,
    "tables": _tables,
    "data": _data,
}


def charset_of(template: str, language: str) -> str:
    """The encoding that pages of this template are sent in."""
    return "windows-1256" if template == "tables" and language == "ar" else "utf-8"


def _charset(shown: Shown) -> str:
    return charset_of("tables", shown.language)


def _direction(shown: Shown) -> str:
    return "rtl" if shown.language == "ar" else "ltr"


def _paragraphs(shown: Shown) -> str:
    return "\n".join(f"<p>{escape(p)}</p>" for p in shown.paragraphs)


def _amp_link(shown: Shown) -> str:
    return f'<link rel="amphtml" href="{escape(shown.amp)}">' if shown.amp else ""


def _menu(language: str) -> str:
    items = "".join(f'<li><a href="/?s={i}">{w}</a></li>' for i, w in enumerate(words(language, "menu")))
    return f'<nav><ul class="menu">{items}</ul></nav>'


def _counter(shown: Shown) -> str:
    return words(shown.language, "counter")[0].replace("{n}", str(shown.views))


def _related(shown: Shown) -> str:
    if not shown.related:
        return ""
    links = "".join(f'<li><a href="{escape(a)}">{escape(h)}</a></li>' for a, h in shown.related)
    return f'<div class="related"><h4>{words(shown.language, "related")[0]}</h4><ul>{links}</ul></div>'


def _footer(outlet: str, language: str) -> str:
    return f"<footer><p>{words(language, 'footer')[0]} {escape(outlet)}</p></footer>"


def _linked_data(shown: Shown, *, whole: bool) -> str:
    said: dict[str, object] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": shown.headline,
        "datePublished": shown.published.isoformat(),
        "dateModified": shown.updated.isoformat(),
        "inLanguage": shown.language,
        "articleSection": shown.section,
        "author": {"@type": "Person", "name": shown.author},
        "publisher": {"@type": "Organization", "name": shown.outlet},
        "mainEntityOfPage": shown.address,
    }
    if whole:
        said["articleBody"] = "\n".join(shown.paragraphs)
    text = json.dumps(said, ensure_ascii=False).replace("</", "<\\/")
    return f'<script type="application/ld+json">{text}</script>'
