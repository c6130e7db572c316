"""Pages made to hurt whoever reads them. Every one is below the size limit unless its name says otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable

ROOM = 1_900_000  # bytes; a page may have 2,000,000
LEAD = "<p>At least four people were killed when shells struck the market of Zaytoun on Sunday, officials said.</p>"
TEXT = LEAD + "".join(
    f"<p>Witness number {n} said the fire went on for {n + 10} minutes before it stopped.</p>" for n in range(9)
)
#: What must come out of a page whose traps stand beside a whole article.
BODY = "At least four people were killed when shells struck the market of Zaytoun on Sunday, officials said."


def _page(body: str = "", head: str = "") -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Shells strike the market of Zaytoun</title>'
        f"{head}</head><body>{body}</body></html>"
    )


def _filled(piece: str, room: int = ROOM) -> str:
    return piece * (room // len(piece.encode()))


def _script(data: str) -> str:
    return f'<script type="application/ld+json">{data}</script>'


def _article(head: str = "", before: str = "", after: str = "") -> str:
    return _page(f"{before}<article><h1>Shells strike the market of Zaytoun</h1>{TEXT}</article>{after}", head)


PAGES: dict[str, Callable[[], str]] = {
    # deep
    "deep divs": lambda: _page("<div>" * 350_000 + "x"),
    "deep divs of 6 MB": lambda: _page("<div>" * 1_200_000 + "x"),
    "deep spans around a text": lambda: _article(before="<span>" * 100_000),
    "deep tables": lambda: _page("<table><tr><td>" * 120_000 + "x"),
    "deep lists": lambda: _page("<ul><li>" * 200_000 + "x"),
    "deep quotes": lambda: _page("<blockquote>" * 150_000 + "x"),
    "deep bold": lambda: _page("<b><i><u>" * 200_000 + "x"),
    "deep links": lambda: _page('<a href="/x"><p>' * 110_000 + "x"),
    "deep forms": lambda: _page("<form><div>" * 150_000 + "x"),
    "deep fonts in 250 levels": lambda: _page(_filled("<font>" * 240 + "x" + "</font>" * 240, 600_000)),
    # wide
    "a million siblings": lambda: _page("<b>" * 600_000),
    "wide paragraphs": lambda: _page(_filled("<p>ab")),
    "wide paragraphs, below the limit of elements": lambda: _page("<p>a short line of words</p>" * 60_000),
    "wide divs, below the limit of elements": lambda: _page("<div>a short line</div>" * 80_000),
    "wide links": lambda: _page("".join(f'<a href="/{n}">a headline of words {n}</a>' for n in range(40_000))),
    "wide links of many makes": lambda: _page(
        "".join(f'<a class="c{n}" href="/{n}">a headline {n}</a>' for n in range(35_000))
    ),
    "wide list": lambda: _page(f"<ul>{'<li>one more thing here</li>' * 60_000}</ul>"),
    "wide table": lambda: _page(f"<table>{('<tr>' + '<td>1</td>' * 20 + '</tr>') * 4_000}</table>"),
    "one row of cells": lambda: _page(f"<table><tr>{'<td>1</td>' * 90_000}</tr></table>"),
    "cells that span": lambda: _page(
        f"<table>{'<tr><td rowspan=100 colspan=100>word</td><td rowspan=100>x</td></tr>' * 20_000}</table>"
    ),
    "wide forms": lambda: _page("<form><input></form>" * 40_000),
    "wide scripts": lambda: _article(after="<script>x</script>" * 90_000),
    "wide structured data": lambda: _article(head=_script('{"@type":"Thing"}') * 25_000),
    "wide comments": lambda: _article(after="<!-- x -->" * 180_000),
    "one comment": lambda: _article(after="<!--" + "-" * ROOM),
    "wide breaks": lambda: _page("a few words<br>" * 90_000),
    "wide headings": lambda: _page("<h1>Shells strike</h1>" * 80_000),
    "wide headings and times": lambda: _page('<h1>a</h1><time datetime="2024">b</time>' * 40_000),
    "wide articles": lambda: _page("<article><p>A sentence of some words.</p></article>" * 30_000),
    "articles in articles": lambda: _page("<article>" * 90_000 + TEXT),
    "wide labels": lambda: _page('<p>Read also</p><p><a href="/x">another text</a></p>' * 25_000),
    "wide labels without links": lambda: _page("<div>Read also</div>" * 80_000),
    "labels inside each other": lambda: _page("<div>Read also " * 60_000),
    "wide options": lambda: _article(after=f"<select>{'<option>x' * 90_000}</select>"),
    "wide figures": lambda: _page("<figure><figcaption>x</figcaption><table></table></figure>" * 25_000),
    "wide times": lambda: _article(after='<time datetime="x">y</time>' * 60_000),
    "wide metas": lambda: _article(head='<meta name="author" content="x">' * 55_000),
    "wide canonical links": lambda: _article(head='<link rel="canonical" href="https://other.example.org/">' * 30_000),
    "wide quotes": lambda: _page("<blockquote>x<p>y</p></blockquote>" * 30_000),
    "wide definition lists": lambda: _page("<dl><dt>x<dd>y</dl>" * 30_000),
    "wide spans": lambda: _page("<p>" + "<span>word </span>" * 90_000),
    # attributes
    "one element of many attributes": lambda: _page(f"<p {' '.join(f'a{n}=1' for n in range(200_000))}>x</p>"),
    "one long attribute": lambda: _article(before=f'<div class="{"x " * 900_000}">'),
    "long classes": lambda: _page(_filled(f'<div class="{"share nav " * 200}">word</div>')),
    "long styles": lambda: _page(_filled(f'<div style="{"display:" * 250}">word</div>')),
    "long ids": lambda: _page(_filled(f'<div id="{"comment-" * 300}">word</div>')),
    # text
    "entities": lambda: _page(f"<p>{_filled('&amp;')}</p>"),
    "numeric entities": lambda: _page(f"<p>{_filled('&#1575;')}</p>"),
    "unknown entities": lambda: _page(f"<p>{_filled('&unknown;')}</p>"),
    "entities without end": lambda: _page(f"<p>{_filled('&#x1')}</p>"),
    "NULs": lambda: _article(before="\x00" * 500_000),
    "NULs inside": lambda: _article().replace("e", "e\x00"),
    "one word": lambda: _page(f"<p>{'x' * ROOM}</p>"),
    "one line of Arabic": lambda: _page(f"<p>{'كلمة ' * 200_000}</p>"),
    "white space": lambda: _page(f"<p>{' ' * ROOM}</p>"),
    "line ends": lambda: _page("<p>" + "\n" * ROOM + "</p>"),
    "marks upon marks": lambda: _page("<p>ا" + "\u064e\u0651" * 400_000 + "</p>"),
    "dots": lambda: _page(f"<p>{'.' * ROOM}</p>"),
    "dashes": lambda: _page(f"<p>{'- ' * 900_000}</p>"),
    "numbers": lambda: _page(f"<p>{'1,' * 900_000}</p>"),
    "lines that look like boilerplate": lambda: _page(_filled("<p>home > > > > > > > > > > > > > > > > > > > > a</p>")),
    "lines of share names": lambda: _page(
        _filled("<p>facebook twitter facebook twitter facebook twitter facebook !</p>")
    ),
    "lines of subscriptions": lambda: _page(_filled(f"<p>{'subscribe to sign up ' * 12}</p>")),
    "lines of cookies": lambda: _page(_filled(f"<p>{'we use we our site partners ' * 10}</p>")),
    "lines of rights": lambda: _page(_filled(f"<p>{'كل كل كل جميع ' * 20}</p>")),
    # unfinished
    "a tag that never ends": lambda: _article(after="<div " + "x" * ROOM),
    "an attribute that never ends": lambda: _article(after='<div class="' + "x" * ROOM),
    "tags that never end": lambda: _page(_filled("<a <b <i ")),
    "ends without beginnings": lambda: _page(_filled("</div></p></table>")),
    "only opening brackets": lambda: _page("<" * ROOM),
    "wrongly nested": lambda: _page(_filled("<b><p><i></b></p></i>", 700_000)),
    "tables without rows": lambda: _page(_filled("<table><p>x<td>", 500_000)),
    "script that never ends": lambda: _article(after="<script>" + "var x;" * 300_000),
    "title that never ends": lambda: "<html><head><title>" + "x " * 900_000,
    "doctype": lambda: "<!DOCTYPE html " + "[<!ENTITY a 'b'>" * 100_000 + "]>" + TEXT,
    "entity declarations": lambda: (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY b{n} "&a;&a;&a;">' for n in range(9)) + f"]>{TEXT}"
    ),
    # stated
    "a title of a megabyte": lambda: _page(TEXT, f"<title>{'x - ' * 400_000}</title>"),
    "a heading of a megabyte": lambda: _page(f"<h1>{'word | ' * 250_000}</h1>{TEXT}"),
    "an author of a megabyte": lambda: _article(head=f'<meta name="author" content="{"a@b, " * 300_000}">'),
    "a date of a megabyte": lambda: _article(head=f'<meta name="date" content="{"2024-01-01 " * 150_000}">'),
    "a date of digits": lambda: _article(head=f'<meta name="date" content="{"1" * 1_000_000}">'),
    "a language of a megabyte": lambda: _article(head=f'<meta property="og:locale" content="{"a" * 1_500_000}">'),
    "an address of a megabyte": lambda: _article(head=f'<link rel="canonical" href="https://{"a." * 700_000}">'),
    "a site's name of spaces": lambda: _article(head=f'<meta property="og:title" content="a{" " * 1_500_000}|">'),
    "structured data of nested lists": lambda: _article(head=_script("[" * 240_000 + "]" * 240_000)),
    "structured data of nested objects": lambda: _article(head=_script('{"@graph":' * 45_000 + "1" + "}" * 45_000)),
    "structured data 300 deep": lambda: _article(head=_script('{"@graph":[' * 300 + "1" + "]}" * 300)),
    "structured data of many nodes": lambda: _article(head=_script(json.dumps([[{"@type": "X"}] * 500] * 60)) * 3),
    "structured data, lists of lists": lambda: _article(head=_script(json.dumps([[[1] * 400] * 400]))),
    "structured data with a long number": lambda: _article(head=_script('{"a":' + "9" * 400_000 + "}")),
    "structured data, names in names": lambda: _article(
        head=_script('{"@type":"NewsArticle","author":' + '{"name":[' * 450 + '"x"' + "]}" * 450 + "}")
    ),
    "structured data, a huge body": lambda: _article(
        head=_script(json.dumps({"@type": "NewsArticle", "articleBody": "<p" * 200_000}))
    ),
    "structured data, a body of tags": lambda: _article(
        head=_script(json.dumps({"@type": "NewsArticle", "articleBody": "<" * 240_000 + "</"}))
    ),
    "structured data, many authors": lambda: _article(
        head=_script(json.dumps({"@type": "NewsArticle", "author": [{"name": f"a{n}"} for n in range(20_000)]}))
    ),
    "structured data, kinds without end": lambda: _article(head=_script(json.dumps({"@type": ["x" * 30] * 12_000}))),
    "structured data that never ends": lambda: _article(head='<script type="application/ld+json">{"a":"' + "x" * ROOM),
}


#: Where the traps stand in front of the article and swallow it, or the parser ends at them: refused, for want of text.
SWALLOWED = ("deep spans around a text", "structured data that never ends")
#: Those that take more than half a second each; the rest is quick.
SLOW = frozenset(
    name
    for name in PAGES
    if name.startswith(("wide ", "cells", "one row", "lines of ", "lines that look"))
    and name not in ("wide comments", "wide scripts", "wide structured data", "wide links")
)


def hostile(name: str) -> bytes:
    return PAGES[name]().encode("utf-8", "surrogatepass")
