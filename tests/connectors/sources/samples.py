"""Pages, rows and feeds written for these tests; the places in them are invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TITLE = "أربعة قتلى في قصف على سوق الزيتون"
PARAGRAPHS = (
    "أعلن مجلس بلدة الزيتون أن القصف الذي طال السوق صباح الأحد أوقع أربعة قتلى بينهم طفلان، والبحث عن ناجين مستمر.",
    "وقال ناطق باسم فوج الإطفاء إن مسيرة أطلقت صاروخين على المبنى، وإن النيران أتت على ست متاجر قبل أن تخمد.",
    "ولم تتبن أي جهة الهجوم حتى المساء، بينما طالب الأهالي بفتح تحقيق عاجل في ما جرى.",
)
BODY = "\n".join(PARAGRAPHS)


def row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A row of a foreign archive; a change to None takes the key away."""
    whole = {
        "id": f"zz-{number}",
        "url": f"https://www.example.net/news/{number}",
        "outlet": "zaytoun",
        "title": f"{TITLE} {number}",
        "published": f"2024-03-{number % 28 + 1:02}T09:30:00+03:00",
        "author": "سلمى",
        "text": BODY,
    } | changes
    return {key: value for key, value in whole.items() if value is not None}


def line(number: int = 1, **changes: Any) -> bytes:
    return json.dumps(row(number, **changes), ensure_ascii=False).encode()


def write_rows(path: Path, *lines: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(one + b"\n" for one in lines))
    return path


LINKED_DATA = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebSite", "name": "وكالة المثال"},
        {
            "@type": "NewsArticle",
            "headline": TITLE,
            "datePublished": "2024-03-10T09:30:00+03:00",
            "dateModified": "2024-03-10T10:00:00+03:00",
            "author": [{"@type": "Person", "name": "سلمى ع."}],
            "inLanguage": "ar-SY",
        },
    ],
}


def page(charset: str | None = "utf-8", head: str = "", body: str | None = None, linked_data: bool = True) -> str:
    """An article page with navigation, counters and links to other texts around its three paragraphs."""
    declared = f'<meta charset="{charset}">' if charset else ""
    script = f'<script type="application/ld+json">{json.dumps(LINKED_DATA, ensure_ascii=False)}</script>'
    article = f"""
      <p>عدد المشاهدات: 1532</p>
      <p>{PARAGRAPHS[0]}</p>
      <p><strong>اقرأ أيضاً:</strong> <a href="/x">هدوء حذر في الريف الشرقي بعد ليلة صاخبة</a></p>
      <p>{PARAGRAPHS[1]}</p>
      <h3>اقرأ أيضا</h3>
      <ul><li><a href="/1">خبر آخر لا صلة له بالحادث</a></li><li><a href="/2">حالة الطقس في عطلة الأسبوع</a></li></ul>
      <p>{PARAGRAPHS[2]}</p>
      <div>مواضيع ذات صلة</div><div><a href="/3">مباراة القمة تنتهي بالتعادل بعد وقت إضافي</a></div>"""
    return f"""<!DOCTYPE html><html lang="en"><head>{declared}<title>{TITLE} | وكالة المثال</title>
      <meta property="og:title" content="{TITLE} | وكالة المثال">
      <meta property="og:site_name" content="وكالة المثال">
      <link rel="canonical" href="https://www.example.net/news/7?utm_source=x">
      {script if linked_data else ""}{head}</head>
      <body><nav><ul><li><a href="/">الرئيسية</a></li><li><a href="/s">رياضة</a></li></ul></nav>
      <article><h1>{TITLE}</h1>{article if body is None else body}</article>
      <footer>جميع الحقوق محفوظة 2024</footer></body></html>"""


INDEX = (
    "<html><head><title>آخر الأخبار</title></head><body><main>"
    + "".join(f'<div><h2><a href="/{n}">عنوان الخبر رقم {n} عن أحداث متفرقة</a></h2></div>' for n in range(40))
    + "</main></body></html>"
)

RSS = f"""<?xml version="1.0" encoding="%s"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>وكالة المثال</title><link>https://example.net/</link><language>en-US</language>
<item><title>{TITLE}</title><link>https://example.net/news/7?utm_medium=rss</link><guid>guid-7</guid>
<pubDate>Sun, 10 Mar 2024 09:30:00 +0300</pubDate><dc:creator>سلمى</dc:creator>
<description>ملخص لا يتعدى سطراً</description>
<content:encoded><![CDATA[<p>{PARAGRAPHS[0]}</p><p>{PARAGRAPHS[1]}<br/>{PARAGRAPHS[2]}</p>]]></content:encoded></item>
<item><title>خبر ثان من المدينة</title><link>/news/8</link>
<description>&lt;b&gt;ملخص قصير&lt;/b&gt; عن الحادثة</description></item>
</channel></rss>"""
