# ruff: noqa: E501 - markup reads better unbroken
"""News pages as outlets build them, invented and deterministic: the same number gives the same bytes.

`article_pages()` are pages of every layout here, in Arabic and English, each with the text that a reader would call the
article; `other_pages()` are pages that hold none, each with the reason why; `real_size(n)` are pages as heavy as real
ones (100 to 265 kB) for measuring speed, which the fetching bench serves as well.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from html import escape

SITE = "https://www.example.net"
_PLACES = {
    "ar": ("الزيتون", "تل العنب", "خان الرمان", "وادي التين", "عين الكروم", "دير النخل", "كفر اللوز", "بئر السدر"),
    "en": ("Zaytoun", "Tell Anab", "Khan Rumman", "Wadi Teen", "Ain Kurum", "Deir Nakhl", "Kafr Lawz", "Bir Sidr"),
}
_SENTENCES = {
    "ar": (
        "قال ناطق باسم المجلس المحلي في {a} إن {n} أشخاص قتلوا في القصف الذي طال السوق القديم صباح الأحد.",
        "وأضاف أن فرق الإسعاف نقلت {m} جريحاً إلى مستشفى {b}، وأن حالة {k} منهم حرجة.",
        "وذكر شهود أن الطائرات حلقت فوق {b} نحو {m} دقيقة قبل أن تلقي أولى قذائفها على الأطراف الشرقية.",
        "ولم تعلن أي جهة مسؤوليتها عن الهجوم حتى ساعة إعداد هذا التقرير، وفق ما أفاد مراسلنا في {a}.",
        "وكانت الطريق بين {a} و{b} قد أغلقت قبل {k} أيام بعد اشتباكات استمرت حتى الفجر.",
        "وتقول منظمات الإغاثة إن {m} عائلة غادرت بيوتها منذ مطلع الشهر باتجاه مخيم قرب {b}.",
        "من جهته نفى قائد القوة المشتركة أن تكون قواته قد استهدفت أحياء سكنية في {a}.",
        "وطالب الأهالي بفتح تحقيق مستقل في ما جرى، وبممر آمن لإجلاء {m} من المرضى وكبار السن.",
    ),
    "en": (
        "At least {n} people were killed when shells struck the old market of {a} on Sunday morning, officials said.",
        "Ambulance crews took {m} of the wounded to the hospital in {b}, where {k} remained in critical condition.",
        "Witnesses said aircraft had circled above {b} for {m} minutes before the first bombs fell on its outskirts.",
        "No group had claimed responsibility for the attack by nightfall, our correspondent in {a} reported.",
        "The road between {a} and {b} was closed {k} days earlier after clashes that lasted until dawn.",
        "Relief agencies said {m} families had left their homes since the start of the month for a camp near {b}.",
        "The commander of the joint force denied that his troops had targeted residential districts of {a}.",
        "Residents called for an independent inquiry and for a safe passage for {m} patients and elderly people.",
    ),
}
_TITLES = {
    "ar": "قتلى وجرحى في قصف على سوق {a} وإغلاق طريق {b}",
    "en": "Shelling of {a} market leaves dead and wounded as {b} road is closed",
}
#: Everything around the text. `links` are headlines of other articles.
_WORDS = {
    "ar": {
        "site": "وكالة المثال", "author": "سلمى الخطيب", "home": "الرئيسية", "sport": "رياضة", "related": "اقرأ أيضاً",
        "watch": "شاهد", "most": "الأكثر قراءة", "share": "شارك عبر فيسبوك", "views": "عدد المشاهدات 1,234",
        "follow": "تابعونا على تلغرام", "rights": "جميع الحقوق محفوظة © 2024", "tags": "كلمات مفتاحية",
        "news": "اشترك في نشرتنا البريدية ليصلك كل جديد", "mail": "أدخل بريدك الإلكتروني", "send": "اشترك الآن",
        "cookie": "نستخدم ملفات تعريف الارتباط لتحسين تجربتك على موقعنا. بمواصلة التصفح فإنك توافق على سياسة الخصوصية.",
        "accept": "موافق", "app": "حمّل تطبيق وكالة المثال واحصل على آخر الأخبار", "credit": "تصوير: رامي الحسن - أ ف ب",
        "ad": "إعلان", "comments": "التعليقات", "comment": "الله يرحم الجميع ويصبر أهلهم على هذا المصاب الأليم",
        "bio": "صحفية تكتب عن شؤون المنطقة منذ عشر سنوات، ولها كتابان في أدب الرحلة وجوائز عدة.",
        "minutes": "مدة القراءة: 3 دقائق", "listen": "استمع إلى المقال", "updated": "آخر تحديث: 10 آذار 2024 - 10:00",
        "date": "الأحد 10 آذار 2024 - 09:30", "section": "سوريا", "font": "حجم الخط", "print": "طباعة", "copy": "نسخ الرابط",
        "sub": "للاطلاع على كامل المحتوى وأرشيفنا اشترك الآن وادعم الصحافة المستقلة", "live": "تغطية مباشرة",
        "quote": "لم يبق لنا في هذه المدينة سوى الحجارة وأسماء من رحلوا",
        "google": "تابعوا آخر أخبارنا عبر Google News", "caption": "آثار الدمار في السوق القديم",
    },
    "en": {
        "site": "Example Wire", "author": "Salma Khatib", "home": "Home", "sport": "Sport", "related": "Read also",
        "watch": "Watch", "most": "Most read", "share": "Share on Facebook", "views": "1,234 views",
        "follow": "Follow us on Telegram", "rights": "© 2024 Example Wire. All rights reserved.", "tags": "Tags",
        "news": "Sign up for our newsletter and never miss a story", "mail": "Your email address", "send": "Sign up",
        "cookie": "We use cookies to improve your experience. By continuing to browse you agree to our privacy policy.",
        "accept": "Accept", "app": "Download the Example Wire app for breaking news", "credit": "Photo: Rami Hassan/AFP",
        "ad": "Advertisement", "comments": "Comments", "comment": "So sad to hear this, my thoughts are with them all",
        "bio": "Salma has covered the region for ten years and is the author of two travel books and many awards.",
        "minutes": "3 min read", "listen": "Listen to this article", "updated": "Last updated: 10 March 2024 10:00",
        "date": "Sunday 10 March 2024 09:30", "section": "Middle East", "font": "Font size", "print": "Print", "copy": "Copy link",
        "sub": "Support independent journalism: subscribe now for full access to our archive", "live": "Live updates",
        "quote": "Nothing is left to us in this town but stones and the names of those who are gone",
        "google": "Follow our latest stories on Google News", "caption": "Ruins in the old market",
    },
}  # fmt: skip
_LINKS = {
    "ar": ("هدوء حذر في الريف الشرقي بعد ليلة صاخبة", "منتخب الناشئين يعود بالكأس من العاصمة", "أسعار الخضار تتراجع في أسواق الجملة",
           "افتتاح معرض الكتاب بمشاركة مئتي دار", "وزير الطاقة يعد بتحسن التغذية قبل الصيف", "حالة الطقس في عطلة نهاية الأسبوع"),
    "en": ("Uneasy calm in the eastern countryside after a noisy night", "Youth team brings the cup home from the capital",
           "Vegetable prices fall in wholesale markets", "Book fair opens with two hundred publishers",
           "Energy minister promises better supply before summer", "Weather for the coming weekend"),
}  # fmt: skip


@dataclass(frozen=True)
class Story:
    """What was written: its headline and paragraphs, in one language. w: the words around it."""

    number: int
    language: str
    title: str
    paragraphs: tuple[str, ...]

    @property
    def w(self) -> dict[str, str]:
        return _WORDS[self.language]

    @property
    def links(self) -> tuple[str, ...]:
        return _LINKS[self.language]

    @property
    def url(self) -> str:
        return f"{SITE}/{self.language}/news/{self.number}"


@dataclass(frozen=True)
class SavedPage:
    """name: layout and language. text: the article as a reader sees it, empty where there is none. reason: of the
    reject that a page without article must become."""

    name: str
    url: str
    html: bytes
    title: str = ""
    text: str = ""
    reason: str = ""


def story(number: int, language: str, paragraphs: int = 8, sentences: int = 3) -> Story:
    chance = random.Random(f"{number} {language}")
    places = _PLACES[language]

    def fill(form: str) -> str:
        a, b = chance.sample(places, 2)
        return form.format(a=a, b=b, n=chance.randint(3, 40), m=chance.randint(11, 90), k=chance.randint(3, 9))

    deck: list[str] = []
    texts = []
    for _ in range(paragraphs):
        chosen = []
        for _ in range(sentences):
            if not deck:
                deck = chance.sample(_SENTENCES[language], len(_SENTENCES[language]))
            chosen.append(fill(deck.pop()))
        texts.append(" ".join(chosen))
    return Story(number, language, fill(_TITLES[language]), tuple(texts))


# -- parts -----------------------------------------------------------------------------------------------------------


def ps(paragraphs: tuple[str, ...], attributes: str = "") -> str:
    return "\n".join(f"<p{attributes}>{escape(text, quote=False)}</p>" for text in paragraphs)


def linked(s: Story, **more: object) -> str:
    data = {
        "@context": "https://schema.org", "@type": "NewsArticle", "headline": s.title, "url": s.url,
        "datePublished": "2024-03-10T09:30:00+03:00", "dateModified": "2024-03-10T10:00:00+03:00",
        "author": {"@type": "Person", "name": s.w["author"]}, "articleSection": s.w["section"],
        "publisher": {"@type": "Organization", "name": s.w["site"]}, "inLanguage": s.language,
    }  # fmt: skip
    return f'<script type="application/ld+json">{json.dumps(data | more, ensure_ascii=False)}</script>'


def meta(s: Story) -> str:
    return (
        f'<meta property="og:title" content="{escape(s.title)}"><meta property="og:site_name" content="{s.w["site"]}">'
        f'<meta property="og:url" content="{s.url}"><meta property="og:type" content="article">'
        f'<meta property="article:published_time" content="2024-03-10T06:30:00Z">'
        f'<meta name="author" content="{s.w["author"]}"><meta property="article:section" content="{s.w["section"]}">'
    )


def nav(s: Story) -> str:
    items = "".join(f'<li><a href="/s/{n}">{name}</a></li>' for n, name in enumerate((s.w["home"], s.w["sport"])))
    return f'<nav class="menu"><ul>{items}</ul></nav>'


def related(s: Story, label: str | None = None, tag: str = "h4") -> str:
    items = "".join(f'<li><a href="/r/{n}">{text}</a></li>' for n, text in enumerate(s.links[:4]))
    return f'<div class="box-{s.number}"><{tag}>{label or s.w["related"]}</{tag}><ul>{items}</ul></div>'


def inline_related(s: Story) -> str:
    return f'<p><strong>{s.w["related"]}:</strong> <a href="/r/9">{s.links[0]}</a></p>'


def share(s: Story) -> str:
    return f'<div class="x-{s.number}"><p>{s.w["share"]}</p><p>{s.w["copy"]}</p><p>{s.w["print"]}</p><p>{s.w["font"]}</p></div>'


def footer(s: Story) -> str:
    return f'<div class="bottom-{s.number}"><p>{s.w["rights"]}</p><p>{s.w["follow"]}</p></div>'


def cookie(s: Story) -> str:
    return f'<div id="cc-{s.number}"><p>{s.w["cookie"]}</p><button>{s.w["accept"]}</button></div>'


def newsletter(s: Story) -> str:
    return f'<div class="nl"><p>{s.w["news"]}</p><input placeholder="{s.w["mail"]}"><p>{s.w["send"]}</p></div>'


def document(s: Story, body: str, head: str | None = None, attributes: str = "") -> str:
    direction = ' dir="rtl"' if s.language == "ar" else ""
    head = meta(s) + linked(s) if head is None else head
    return (
        f'<!DOCTYPE html>\n<html lang="{s.language}"{direction}{attributes}><head><meta charset="utf-8">'
        f'<title>{escape(s.title)} | {s.w["site"]}</title>{head}<link rel="canonical" href="{s.url}">'
        f"<script>window.dataLayer=[];</script><style>p{{margin:0}}</style></head><body>{body}</body></html>"
    )


# -- layouts: each gives the page and, where it is not title and paragraphs alone, the text --------------------------

Layout = Callable[[Story], str | tuple[str, str]]
LAYOUTS: dict[str, Layout] = {}


def layout(build: Layout) -> Layout:
    LAYOUTS[build.__name__] = build
    return build


@layout
def wordpress(s: Story) -> str:
    w = s.w
    return document(s, f"""<div id="page" class="site"><header id="masthead">{nav(s)}</header><div id="content"><main id="main">
      <article id="post-{s.number}" class="post type-post status-publish hentry"><header class="entry-header">
      <h1 class="entry-title">{s.title}</h1><div class="entry-meta"><span class="posted-on">{w["date"]}</span>
      <span class="byline">{w["author"]}</span></div></header><div class="entry-content">{ps(s.paragraphs)}
      <div class="sharedaddy sd-sharing-enabled"><h3 class="sd-title">{w["share"]}</h3></div>
      <div id="jp-relatedposts" class="jp-relatedposts"><h3>{w["related"]}</h3>{related(s)}</div></div>
      <footer class="entry-footer"><span class="tags-links">{w["tags"]}: <a href="/t/1">{s.links[0]}</a></span></footer></article>
      <div id="comments" class="comments-area"><h2>{w["comments"]}</h2><ol class="comment-list"><li class="comment"><p>{w["comment"]}</p>
      </li></ol></div></main></div><aside class="widget-area"><h2>{w["most"]}</h2>{related(s)}</aside>
      <footer>{footer(s)}</footer></div>""")  # fmt: skip


@layout
def drupal(s: Story) -> str:
    w = s.w
    return document(s, f"""<div class="dialog-off-canvas-main-canvas"><header role="banner">{nav(s)}</header><main role="main">
      <div class="region region-content"><h1 class="page-header"><span>{s.title}</span></h1>
      <article role="article" class="node node--type-article node--view-mode-full"><div class="node__meta">{w["date"]}</div>
      <div class="field field--name-field-image"><img src="/i.jpg"><div class="image-credit">{w["credit"]}</div></div>
      <div class="clearfix text-formatted field field--name-body field--type-text-with-summary">{ps(s.paragraphs)}</div>
      <div class="field field--name-field-tags"><div class="field__label">{w["tags"]}</div><div><a href="/t/1">{s.links[5]}</a></div>
      </div></article></div></main>{cookie(s)}<footer role="contentinfo">{footer(s)}</footer></div>""", head=meta(s))  # fmt: skip


@layout
def arc(s: Story) -> str:
    middle = len(s.paragraphs) // 2
    links = "".join(
        f'<p class="interstitial-link b1x">[<a href="/r/{n}">{text}</a>]</p>' for n, text in enumerate(s.links[:2])
    )
    body = (
        ps(s.paragraphs[:middle], ' class="c-paragraph b1"') + links + ps(s.paragraphs[middle:], ' class="c-paragraph"')
    )
    return document(s, f"""<div id="fusion-app"><div class="b-header">{nav(s)}</div><section role="main"><h1 class="c-heading">{s.title}</h1>
      <div class="b-byline">{s.w["author"]}</div><article class="article-body-wrapper b-article-body">{body}</article>
      <div class="b-more">{related(s, s.w["most"])}</div></section>{footer(s)}</div>
      <script>Fusion.globalContent={{"a":"{"x" * 500}"}}</script>""")  # fmt: skip


@layout
def amp(s: Story) -> str:
    return document(s, f"""<amp-sidebar id="sb">{nav(s)}</amp-sidebar><article class="amp-wp-article">
      <header class="amp-wp-article-header"><h1 class="amp-wp-title">{s.title}</h1></header>
      <figure class="amp-wp-article-featured-image"><amp-img src="/i.jpg"></amp-img><figcaption>{s.w["credit"]}</figcaption></figure>
      <div class="amp-wp-article-content">{ps(s.paragraphs)}</div><div class="amp-wp-meta">{s.w["tags"]}: {s.links[1]}</div></article>
      <amp-ad width="300">{s.w["ad"]}</amp-ad><footer class="amp-wp-footer">{footer(s)}</footer>""", attributes=" amp")  # fmt: skip


@layout
def tables(s: Story) -> str:
    text = "<br><br>\n".join(s.paragraphs)
    side = "<br>".join(f'<a href="/r/{n}"><font size="2">{t}</font></a>' for n, t in enumerate(s.links))
    return document(s, f"""<table width="100%"><tr><td colspan="3"><a href="/"><img src="/logo.gif"></a></td></tr><tr>
      <td width="150" valign="top">{side}</td><td valign="top"><table><tr><td><font size="5"><b>{s.title}</b></font></td></tr>
      <tr><td><font color="gray">{s.w["date"]}</font></td></tr><tr><td><div align="justify"><font size="3">{text}</font></div></td></tr>
      <tr><td>{s.w["views"]}</td></tr></table></td><td valign="top">{side}</td></tr><tr><td colspan="3">{s.w["rights"]}</td></tr></table>""",
      head="")  # fmt: skip


@layout
def div_soup(s: Story) -> str:
    body = "".join(
        f'<div class="css-{n}x9"><div class="css-a{n}">{text}</div></div>' for n, text in enumerate(s.paragraphs)
    )
    cards = "".join(f'<div class="css-k"><div><a href="/r/{n}">{t}</a></div></div>' for n, t in enumerate(s.links))
    return document(s, f"""<div class="css-0"><div class="css-1">{cards}</div><div class="css-2"><div class="css-3">{s.title}</div>
      <div class="css-4">{s.w["author"]}</div><div class="css-5">{body}</div><div class="css-6">{cards}</div></div>
      <div class="css-7">{s.w["rights"]}</div></div>""")  # fmt: skip


@layout
def linked_data_only(s: Story) -> str:
    return document(s, f'<div id="root"></div><noscript>{s.w["site"]}</noscript>', meta(s) + linked(s, articleBody="\n\n".join(s.paragraphs)))  # fmt: skip


@layout
def heading_outside(s: Story) -> str:
    return document(s, f"""<header>{nav(s)}<h1>{s.title}</h1><p class="standfirst-{s.number}">{s.w["date"]}</p></header>
      <div class="wrap"><article>{ps(s.paragraphs)}</article><aside>{related(s)}</aside></div>{footer(s)}""", head=meta(s))  # fmt: skip


@layout
def line_breaks(s: Story) -> str:
    text = "<br /><br />\n".join(s.paragraphs)
    return document(s, f"""{nav(s)}<div id="newsDetails"><h1>{s.title}</h1><div class="newsText">{text}<br />{s.w["views"]}</div></div>
      <div class="latest">{related(s, s.w["most"])}</div>{footer(s)}""")  # fmt: skip


@layout
def infinite_scroll(s: Story) -> str:
    second = story(s.number + 5000, s.language)
    return document(s, f"""{nav(s)}<main><article class="article" data-url="{s.url}"><h1>{s.title}</h1>{ps(s.paragraphs)}</article>
      <div class="infinite-scroll-next"><article class="article" data-url="{second.url}"><h1>{second.title}</h1>{ps(second.paragraphs)}
      </article></div></main>{footer(s)}""")  # fmt: skip


@layout
def second_article(s: Story) -> str:
    second = story(s.number + 6000, s.language)
    return document(s, f"""{nav(s)}<main><div class="story-wrap"><article><h1>{s.title}</h1><div>{ps(s.paragraphs)}</div></article></div>
      <div class="story-wrap"><article><h1>{second.title}</h1><div>{ps(second.paragraphs)}</div></article></div></main>{footer(s)}""")  # fmt: skip


@layout
def related_in_the_middle(s: Story) -> str:
    third = len(s.paragraphs) // 3
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-body">{ps(s.paragraphs[:third])}{inline_related(s)}
      {ps(s.paragraphs[third : 2 * third])}{related(s)}{ps(s.paragraphs[2 * third :])}
      <p>{s.w["watch"]}: <a href="/v/1">{s.links[3]}</a></p></div></article>{footer(s)}""")  # fmt: skip


@layout
def live_blog(s: Story) -> tuple[str, str]:
    heads = [f"{s.links[n % 6][:24].strip()} {n}" for n in range(len(s.paragraphs))]
    posts = "".join(
        f'<div class="live-post" id="post{n}"><time datetime="2024-03-10T{20 - n:02}:00:00Z">{20 - n:02}:00</time><h2>{head}</h2><p>{text}</p>'
        f'<div class="live-share"><a href="#">{s.w["share"]}</a></div></div>'
        for n, (head, text) in enumerate(zip(heads, s.paragraphs, strict=True))
    )
    page = document(s, f"""{nav(s)}<main><h1>{s.title}</h1><p>{s.w["live"]}</p><div class="live-blog-body">{posts}</div></main>{footer(s)}""",
                    meta(s) + linked(s, **{"@type": "LiveBlogPosting"}))  # fmt: skip
    return page, "\n".join(f"{head}\n{text}" for head, text in zip(heads, s.paragraphs, strict=True))


@layout
def lists(s: Story) -> tuple[str, str]:
    points = s.paragraphs[1:4]
    page = document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="content-body">{ps(s.paragraphs[:1])}
      <ul>{"".join(f"<li>{text}</li>" for text in points)}</ul>{ps(s.paragraphs[4:])}</div></article>{footer(s)}""")  # fmt: skip
    return page, "\n".join(s.paragraphs)


@layout
def quotes(s: Story) -> tuple[str, str]:
    page = document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article__content">{ps(s.paragraphs[:2])}
      <blockquote><p>{s.w["quote"]}</p></blockquote>{ps(s.paragraphs[2:])}</div>{share(s)}</article>{footer(s)}""")  # fmt: skip
    return page, "\n".join([*s.paragraphs[:2], s.w["quote"], *s.paragraphs[2:]])


@layout
def data_table(s: Story) -> tuple[str, str]:
    places = _PLACES[s.language][:4]
    rows = "".join(f"<tr><td>{place}</td><td>{n * 7 + 3}</td><td>{n + 11}</td></tr>" for n, place in enumerate(places))
    page = document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-text">{ps(s.paragraphs[:3])}
      <table class="figures"><tbody>{rows}</tbody></table>{ps(s.paragraphs[3:])}</div></article>{footer(s)}""")  # fmt: skip
    cells = "\n".join(f"{place} | {n * 7 + 3} | {n + 11}" for n, place in enumerate(places))
    return page, "\n".join([*s.paragraphs[:3], cells, *s.paragraphs[3:]])


@layout
def aspnet(s: Story) -> str:
    return document(s, f"""<form method="post" action="./news.aspx?id={s.number}" id="aspnetForm">
      <input type="hidden" name="__VIEWSTATE" value="{"A1b2" * 500}">{nav(s)}<div id="ctl00_Main"><h1 id="ctl00_lblTitle">{s.title}</h1>
      <span id="ctl00_lblDate">{s.w["date"]}</span><div id="ctl00_divBody">{ps(s.paragraphs)}</div><span>{s.w["views"]}</span></div>
      {related(s)}{footer(s)}</form>""", head="")  # fmt: skip


@layout
def text_blocks(s: Story) -> str:
    blocks = "".join(
        f'<div data-component="text-block" class="ssrcss-{n}"><div><p>{t}</p></div></div>'
        for n, t in enumerate(s.paragraphs)
    )
    return document(s, f"""{nav(s)}<main id="main-content"><article><header><h1 id="main-heading">{s.title}</h1><div>{s.w["date"]}</div></header>
      <div data-component="image-block"><figure><img><figcaption>{s.w["caption"]}</figcaption></figure></div>{blocks}
      <section data-component="links-block">{related(s)}</section><section data-component="topic-list"><h2>{s.w["tags"]}</h2>
      <ul><li><a href="/t">{s.links[1]}</a></li></ul></section></article></main>{footer(s)}""")  # fmt: skip


@layout
def next_js(s: Story) -> str:
    state = json.dumps({"props": {"pageProps": {"body": s.paragraphs, "title": s.title}}}, ensure_ascii=False)
    return document(s, f"""<div id="__next"><div>{nav(s)}</div><div class="sc-1"><h1 class="sc-2">{s.title}</h1><div class="sc-3 body">
      {ps(s.paragraphs, ' class="sc-4"')}</div>{newsletter(s)}{related(s)}</div>{footer(s)}</div>
      <script id="__NEXT_DATA__" type="application/json">{state}</script>""")  # fmt: skip


@layout
def boxes_everywhere(s: Story) -> str:
    return document(s, f"""{cookie(s)}<div class="app-box"><p>{s.w["app"]}</p></div>{nav(s)}<div class="single"><h1>{s.title}</h1>{share(s)}
      <p>{s.w["minutes"]}</p><p>{s.w["listen"]}</p>{ps(s.paragraphs[:2])}{newsletter(s)}{ps(s.paragraphs[2:5])}<p>{s.w["ad"]}</p>
      {ps(s.paragraphs[5:])}<p>{s.w["follow"]}</p><p>{s.w["google"]}</p><p>{s.w["views"]}</p>{share(s)}</div>{footer(s)}""")  # fmt: skip


@layout
def elementor(s: Story) -> str:
    return document(s, f"""<div class="elementor elementor-7"><section class="elementor-section"><div class="elementor-widget-theme-post-title">
      <h1 class="elementor-heading-title">{s.title}</h1></div><div class="elementor-element elementor-widget elementor-widget-theme-post-content">
      <div class="elementor-widget-container">{ps(s.paragraphs)}</div></div><div class="elementor-widget elementor-share-buttons">{s.w["share"]}
      </div><div class="elementor-widget elementor-widget-posts">{related(s)}</div></section></div>{footer(s)}""")  # fmt: skip


@layout
def teasers_with_summaries(s: Story) -> str:
    side = "".join(
        f'<div class="teaser"><h3><a href="/r/{n}">{t}</a></h3><p>{t}. {s.w["bio"]}</p></div>'
        for n, t in enumerate(s.links)
    )
    return document(s, f"""{nav(s)}<div class="columns"><div class="col-side">{side}</div><section class="story"><h1>{s.title}</h1>
      {ps(s.paragraphs)}</section><div class="col-side">{side}</div></div>{footer(s)}""")  # fmt: skip


@layout
def figures(s: Story) -> str:
    figure = f'<figure class="wp-block-image"><img src="/i.jpg"><figcaption>{s.w["caption"]}. {s.w["credit"]}</figcaption></figure>'
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="post-content">{figure}{ps(s.paragraphs[:3])}{figure}
      <p>{s.w["credit"]}</p>{ps(s.paragraphs[3:])}</div></article>{footer(s)}""")  # fmt: skip


@layout
def subscription_at_the_end(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-body">{ps(s.paragraphs)}
      <div class="promo-{s.number}"><p>{s.w["sub"]}</p><a href="/subscribe">{s.w["send"]}</a></div></div></article>{footer(s)}""",
      meta(s) + linked(s, isAccessibleForFree=False))  # fmt: skip


@layout
def dateline(s: Story) -> tuple[str, str]:
    place = _PLACES[s.language][0]
    lead = f"{place} ({s.w['site']}) - {s.paragraphs[0]}"
    by = f"{s.w['author']} - {place}"
    page = document(s, f"""{nav(s)}<div class="news-single"><h1>{s.title}</h1><div class="text"><p>{by}</p><p>{lead}</p>
      {ps(s.paragraphs[1:])}</div></div>{related(s)}{footer(s)}""")  # fmt: skip
    return page, "\n".join([by, lead, *s.paragraphs[1:]])


@layout
def joomla(s: Story) -> str:
    return document(s, f"""<div id="wrapper"><div class="moduletable">{related(s, s.w["most"])}</div><div class="item-page" itemscope>
      <h2 itemprop="headline">{s.title}</h2><dl class="article-info"><dt>{s.w["section"]}</dt><dd class="published">{s.w["date"]}</dd>
      <dd class="hits">{s.w["views"]}</dd></dl><div itemprop="articleBody">{ps(s.paragraphs)}</div><ul class="pager pagenav">
      <li><a href="/prev">{s.links[2]}</a></li></ul></div><div class="footer">{footer(s)}</div></div>""", head="")  # fmt: skip


@layout
def blogger(s: Story) -> str:
    body = "".join(
        f'<div dir="rtl"><span style="font-size: large;">{t}</span></div><div><br /></div>' for t in s.paragraphs
    )
    return document(s, f"""<div class="main section" id="main"><div class="widget Blog"><div class="blog-posts hfeed"><div class="post hentry">
      <h3 class="post-title entry-title">{s.title}</h3><div class="post-body entry-content">{body}</div><div class="post-footer">
      {s.w["author"]} {s.w["date"]}</div></div><div class="comments" id="comments"><p>{s.w["comment"]}</p></div></div></div></div>
      <div id="sidebar-right-1">{related(s)}</div>""", head=f'<meta property="og:title" content="{s.title}">')  # fmt: skip


@layout
def cards_before(s: Story) -> str:
    cards = "".join(
        f'<article class="card"><h3><a href="/r/{n}">{t}</a></h3><p>{t}</p></article>' for n, t in enumerate(s.links)
    )
    return document(s, f"""{nav(s)}<section class="ticker">{cards}</section><main><h1>{s.title}</h1><div class="article-page-content">
      {ps(s.paragraphs)}</div></main><section>{cards}</section>{footer(s)}""")  # fmt: skip


@layout
def bare_text(s: Story) -> str:
    body = "".join(f"<span>{t}</span><br/>" for t in s.paragraphs)
    return document(s, f"""<div id="top">{nav(s)}</div><div id="mainArea"><h2>{s.title}</h2><div id="body_{s.number}">{body}</div></div>
      <div id="bot">{s.w["rights"]}</div>""", head="")  # fmt: skip


@layout
def subheadings(s: Story) -> tuple[str, str]:
    heads = (s.links[0][:22].strip(), s.links[1][:22].strip())
    page = document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-body">{ps(s.paragraphs[:3])}<h2>{heads[0]}</h2>
      {ps(s.paragraphs[3:6])}<h2>{heads[1]}</h2>{ps(s.paragraphs[6:])}</div><div class="tags"><span>{s.w["tags"]}</span>
      <a href="/t/1">{s.links[3]}</a> <a href="/t/2">{s.links[4]}</a></div></article>{footer(s)}""")  # fmt: skip
    return page, "\n".join([*s.paragraphs[:3], heads[0], *s.paragraphs[3:6], heads[1], *s.paragraphs[6:]])


@layout
def brief(s: Story) -> tuple[str, str]:
    text = s.paragraphs[0].split(". ")[0] + "."
    page = document(s, f"""{cookie(s)}{nav(s)}<article><h1>{s.title}</h1><div class="entry-content"><p>{text}</p></div>{share(s)}</article>
      <div class="wide">{related(s, s.w["most"])}{related(s)}</div>{footer(s)}""")  # fmt: skip
    return page, text


@layout
def author_box(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><header><h1>{s.title}</h1></header><div class="td-post-content">{ps(s.paragraphs)}
      </div><div class="author-box"><h4>{s.w["author"]}</h4><p>{s.w["bio"]}</p></div>{related(s)}</article><div class="comments">
      <h3>{s.w["comments"]}</h3><p>{s.w["comment"]}</p></div>{footer(s)}""")  # fmt: skip


@layout
def inline_links(s: Story) -> tuple[str, str]:
    texts = [f'{t} <a href="/r/{n}">{s.links[n % 6]}</a>, {s.w["author"]}.' for n, t in enumerate(s.paragraphs)]
    page = document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="body">{"".join(f"<p>{t}</p>" for t in texts)}</div></article>
      {footer(s)}""")  # fmt: skip
    return page, "\n".join(f"{t} {s.links[n % 6]}, {s.w['author']}." for n, t in enumerate(s.paragraphs))


@layout
def linked_headline(s: Story) -> str:
    return document(s, f"""{nav(s)}<div class="posts"><div class="post"><h2 class="title"><a href="{s.url}">{s.title}</a></h2>
      <small>{s.w["date"]} {s.w["author"]}</small><div class="entry">{ps(s.paragraphs)}</div><p class="postmetadata">{s.w["tags"]}:
      <a href="/t/1">{s.links[2]}</a></p></div></div><div id="side"><ul>{"".join(f'<li><a href="/r/{n}">{t}</a></li>' for n, t in enumerate(s.links))}
      </ul></div>{footer(s)}""")  # fmt: skip


@layout
def section_for_each_paragraph(s: Story) -> str:
    body = "".join(
        f'<section class="block block--text"><div class="rich"><p>{t}</p></div></section>' for t in s.paragraphs
    )
    return document(s, f"""{cookie(s)}{nav(s)}<main><header class="hero"><h1>{s.title}</h1></header>{body}
      <section class="block block--promo">{newsletter(s)}</section></main>{footer(s)}""")  # fmt: skip


@layout
def one_paragraph(s: Story) -> tuple[str, str]:
    text = " ".join(s.paragraphs)
    return document(
        s, f'{nav(s)}<div class="c1"><h1>{s.title}</h1><p class="c2">{text}</p></div>{related(s)}{footer(s)}', ""
    ), text


@layout
def key_points(s: Story) -> tuple[str, str]:
    points = [t.split(". ")[0][:110] + "." for t in s.paragraphs[:3]]
    page = document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-body"><ul class="points">{"".join(f"<li>{t}</li>" for t in points)}</ul>
      {ps(s.paragraphs)}</div></article>{footer(s)}""")  # fmt: skip
    return page, "\n".join([*points, *s.paragraphs])


@layout
def film_with_text(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="video"><video src="/v.mp4"></video></div>
      <div class="post-content">{ps(s.paragraphs)}</div></article>{footer(s)}""", meta(s) + linked(s)
      + '<script type="application/ld+json">{"@type":"VideoObject","name":"x"}</script>')  # fmt: skip


@layout
def prose_about_the_web(s: Story) -> tuple[str, str]:
    more = {
        "ar": ("شاهد عيان من أهالي البلدة قال إن الصفحة غير موجودة على موقع البلدية منذ صباح اليوم.",
               "وأعلنت الوزارة أنها تستخدم ملفات تعريف الارتباط في موقعها الجديد، وأن الخدمة للمشتركين فيها مجانية تماماً.",
               "المزيد من القوات وصل إلى البلدة مساء أمس قادماً من العاصمة بحسب المصدر نفسه."),
        "en": ("Watch towers around the town were manned again, and the council said its page was not found on the web.",
               "The ministry said it used cookies on the new site, and that the service would be free for subscribers too.",
               "More from the same source: reinforcements had reached the town from the capital the evening before."),
    }[s.language]  # fmt: skip
    texts = (*s.paragraphs[:2], *more, *s.paragraphs[2:])
    return document(
        s, f'{nav(s)}<article><h1>{s.title}</h1><div class="text">{ps(texts)}</div></article>{footer(s)}'
    ), "\n".join(texts)


@layout
def short_with_an_account(s: Story) -> tuple[str, str]:
    texts = (s.paragraphs[0], s.paragraphs[1][:-1] + "…")
    account = {"ar": "تسجيل الدخول", "en": "Sign in or register"}[s.language]
    page = document(s, f"""<div class="top"><a href="/login">{account}</a></div>{nav(s)}<article><h1>{s.title}</h1><div class="text">{ps(texts)}</div>
      </article>{related(s)}{footer(s)}""")  # fmt: skip
    return page, "\n".join(texts)


@layout
def printed_twice(s: Story) -> str:
    return document(s, f"""{nav(s)}<div class="article-details"><h1>{s.title}</h1><div class="article-text">{ps(s.paragraphs)}</div></div>
      <div class="print-version" style="display:none"><h1>{s.title}</h1>{ps(s.paragraphs)}</div>{footer(s)}""")  # fmt: skip


@layout
def cards_with_summaries(s: Story) -> str:
    second = story(s.number + 7000, s.language)
    cards = "".join(
        f'<div class="c-card"><a href="/r/{n}"><img></a><div><h3><a href="/r/{n}">{s.links[n]}</a></h3><p>{t[:170]}</p><span>{s.w["date"]}</span></div></div>'
        for n, t in enumerate(second.paragraphs[:6])
    )
    return document(s, f"""{nav(s)}<div class="grid"><div class="g8"><h1>{s.title}</h1><div class="details">{ps(s.paragraphs)}</div></div>
      <div class="g4">{cards}</div></div>{footer(s)}""", head=meta(s))  # fmt: skip


@layout
def spans_and_breaks(s: Story) -> str:
    body = "".join(f'<span style="font-size:18px"><span dir="rtl">{t}</span></span><br><br>' for t in s.paragraphs)
    return document(s, f"""{nav(s)}<div class="ar_news_view"><span class="ttl">{s.title}</span><br><i>{s.w["date"]}</i><br>{body}
      <b>{s.w["views"]}</b></div><div class="lst">{related(s, s.w["most"])}</div><center>{s.w["rights"]}</center>""", head="")  # fmt: skip


@layout
def interview(s: Story) -> tuple[str, str]:
    asked = {"ar": "كيف تصفون ما حدث في البلدة؟", "en": "How would you describe what happened in the town?"}[s.language]
    body = "".join(f"<p><strong>{asked} {n}</strong></p><p>{t}</p>" for n, t in enumerate(s.paragraphs))
    page = document(
        s, f'{nav(s)}<article><h1>{s.title}</h1><div class="entry-content">{body}{share(s)}</div></article>{footer(s)}'
    )
    return page, "\n".join(f"{asked} {n}\n{t}" for n, t in enumerate(s.paragraphs))


@layout
def labels_of_all_kinds(s: Story) -> str:
    label, links = s.w["related"], s.links
    forms = (
        f"<p>[{label}: <a href='/r'>{links[1]}</a>]</p>", f"<p><a href='/r'>{label}.. {links[2]}</a></p>",
        f"<p><em>{label} | <a href='/r'>{links[3]}</a></em></p>", f"<p>• {label}: {links[5]}</p>",
        f"<blockquote><p>{label}</p><p><a href='/r'>{links[4]}</a></p></blockquote>",
        f"<div><span>{s.w['watch']}</span><a href='/v'>{links[0]}</a></div>",
    )  # fmt: skip
    body = "".join(f"{form}<p>{text}</p>" for form, text in zip(forms, s.paragraphs[1:7], strict=True))
    first = f"<p>{s.paragraphs[0]}<br><b>{label}:</b> <a href='/r'>{links[0]}</a></p>"
    return document(
        s,
        f'{nav(s)}<article><h1>{s.title}</h1><div class="text">{first}{body}{ps(s.paragraphs[7:])}</div></article>{footer(s)}',
    )


@layout
def old_markup(s: Story) -> str:
    return f"<TITLE>{s.title}</TITLE><LINK REL=canonical HREF={s.url}><H1>{s.title}</H1><P>{'<P>'.join(s.paragraphs)}<HR><A HREF=/>{s.w['home']}</A>"


@layout
def headings_for_paragraphs(s: Story) -> str:
    body = "".join(f"<h3>{text}</h3>" for text in s.paragraphs)
    return document(s, f'{nav(s)}<h1>{s.title}</h1><div class="content">{body}</div>{related(s)}{footer(s)}', "")


@layout
def blocks_of_a_builder(s: Story) -> str:
    cards = "".join(
        f'<div class="td-module"><h3><a href="/r/{n}">{text}</a></h3><div class="td-excerpt">{s.paragraphs[n][:120]}...</div></div>'
        for n, text in enumerate(s.links)
    )
    return document(s, f"""{nav(s)}<div class="td-container"><div class="tdb-block-inner"><p>{s.paragraphs[0]}</p></div>
      <div class="tdb-block-inner">{ps(s.paragraphs[1:])}</div></div><div class="td-trending">{cards}</div>{footer(s)}""")  # fmt: skip


# -- pages without an article ----------------------------------------------------------------------------------------

_MESSAGES = {
    "ar": {
        "paywall": "هذا المحتوى للمشتركين فقط. اشترك الآن لقراءة المقال كاملاً", "paywall2": "لمتابعة القراءة يرجى تسجيل الدخول أو الاشتراك",
        "lost": "عذراً، الصفحة التي تبحث عنها غير موجودة", "lost2": "ربما تم نقل الصفحة أو حذفها. يمكنك العودة إلى الصفحة الرئيسية.",
        "script": "يرجى تفعيل جافا سكريبت في متصفحك لعرض هذه الصفحة", "login": "تسجيل الدخول", "password": "كلمة المرور",
        "forgot": "هل نسيت كلمة المرور؟ ليس لديك حساب؟ أنشئ حساباً جديداً", "results": "نتائج البحث عن: قصف", "video": "فيديو",
        "consent": "نحن وشركاؤنا نخزن المعلومات على جهازك و/أو نصل إليها، مثل ملفات تعريف الارتباط، ونعالج البيانات الشخصية. "
                   "يمكنك قبول خياراتك أو إدارتها بالنقر أدناه، بما في ذلك حقك في الاعتراض.",
        "gallery": "بالصور", "tag": "وسم: الزيتون", "robot": "جارٍ التحقق من أنك لست روبوتاً. يرجى الانتظار.",
        "down": "الموقع قيد الصيانة، نعود إليكم قريباً",
    },
    "en": {
        "paywall": "This article is for subscribers only. Subscribe to continue reading", "paywall2": "Log in or subscribe to keep reading",
        "lost": "Page not found", "lost2": "The page you are looking for may have been moved or deleted. Return to the home page.",
        "script": "Please enable JavaScript in your browser to view this page", "login": "Log in", "password": "Password",
        "forgot": "Forgot your password? No account yet? Create an account", "results": "Search results for: shelling", "video": "Video",
        "consent": "We and our partners store and/or access information on a device, such as cookies, and process personal data. "
                   "You may accept or manage your choices by clicking below, including your right to object.",
        "gallery": "In pictures", "tag": "Tag: Zaytoun", "robot": "Checking that you are not a robot. Please wait a moment.",
        "down": "The site is under maintenance, we will be back soon",
    },
}  # fmt: skip
OTHERS: dict[str, tuple[str, Layout]] = {}


def other(reason: str) -> Callable[[Layout], Layout]:
    def keep(build: Layout) -> Layout:
        OTHERS[build.__name__] = (reason, build)
        return build

    return keep


def _said(s: Story, key: str) -> str:
    return _MESSAGES[s.language][key]


def _teasers(s: Story, n: int, summary: bool = False) -> str:
    text = f"<p>{s.paragraphs[0][:110]}...</p>" if summary else ""
    return "".join(
        f'<div class="item"><h2><a href="/r/{i}">{s.links[i % 6]} {i}</a></h2>{text}<span>{s.w["date"]}</span></div>'
        for i in range(n)
    )


@other("paywall")
def paywall_stub(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-body"><p>{s.paragraphs[0]}</p>
      <div class="pw"><p>{_said(s, "paywall")}</p></div></div></article>{footer(s)}""")  # fmt: skip


@other("paywall")
def paywall_marked(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-body"><p>{s.paragraphs[0]}</p><p>{s.paragraphs[1][:90]}...</p>
      </div></article>{footer(s)}""", meta(s) + linked(s, isAccessibleForFree="False"))  # fmt: skip


@other("paywall")
def paywall_cut(s: Story) -> str:
    return document(s, f"""{nav(s)}<main><h1>{s.title}</h1><div><p>{s.paragraphs[0][:140]}…</p></div><div class="x"><h3>{_said(s, "paywall2")}</h3>
      <p>{s.w["sub"]}</p></div></main>{related(s)}{footer(s)}""", head=meta(s))  # fmt: skip


@other("paywall")
def paywall_fade(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="fade"><p>{s.paragraphs[0]}</p><p>{s.paragraphs[1][:60]}</p></div>
      <section class="offer"><h2>{_said(s, "paywall")}</h2><ul><li>1 $</li><li>9 $</li></ul></section></article>{footer(s)}""")  # fmt: skip


@other("not-article")
def front_page(s: Story) -> str:
    blocks = "".join(
        f"<section><h2>{name}</h2>{_teasers(s, 12)}</section>" for name in (s.w["section"], s.w["sport"], s.w["most"])
    )
    return document(
        replace(s, title=s.w["site"]),
        f"{nav(s)}<main>{blocks}</main>{footer(s)}",
        '<meta property="og:type" content="website">',
    )


@other("not-article")
def section_page(s: Story) -> str:
    return document(replace(s, title=s.w["section"]), f"{nav(s)}<main><h1>{s.w['section']}</h1>{_teasers(s, 20, summary=True)}</main>{footer(s)}",
                    '<script type="application/ld+json">{"@type":"CollectionPage","name":"x"}</script>')  # fmt: skip


@other("not-article")
def section_without_marks(s: Story) -> str:
    return document(
        replace(s, title=s.w["section"]),
        f"{nav(s)}<div><h1>{s.w['section']}</h1>{_teasers(s, 15, summary=True)}</div>{footer(s)}",
        "",
    )


@other("not-article")
def search_page(s: Story) -> str:
    return document(replace(s, title=_said(s, "results")), f"""{nav(s)}<form action="/search"><input name="q" value="x"></form>
      <main><h1>{_said(s, "results")}</h1>{_teasers(s, 10, summary=True)}</main>{footer(s)}""", "")  # fmt: skip


@other("not-article")
def tag_page(s: Story) -> str:
    return document(
        replace(s, title=_said(s, "tag")),
        f"{nav(s)}<div><h1>{_said(s, 'tag')}</h1>{_teasers(s, 8)}</div>{footer(s)}",
        "",
    )


@other("not-article")
def video_page(s: Story) -> str:
    return document(s, f"""{nav(s)}<main><h1>{s.title}</h1><div class="player"><video src="/v.mp4"></video></div><p>{_said(s, "video")} 02:13</p>
      {related(s)}</main>{footer(s)}""", meta(s).replace('content="article"', 'content="video.other"')
      + '<script type="application/ld+json">{"@type":"VideoObject","name":"x","duration":"PT2M13S"}</script>')  # fmt: skip


@other("not-article")
def photo_gallery(s: Story) -> str:
    shots = "".join(
        f'<figure><img src="/{n}.jpg"><figcaption>{s.w["caption"]} {n}. {s.w["credit"]}</figcaption></figure>'
        for n in range(12)
    )
    return document(s, f"{nav(s)}<main><h1>{_said(s, 'gallery')}: {s.title}</h1><div class='gallery'>{shots}</div></main>{footer(s)}",
                    '<script type="application/ld+json">{"@type":"ImageGallery","name":"x"}</script>')  # fmt: skip


@other("soft-404")
def soft_404(s: Story) -> str:
    return document(replace(s, title=f"404 - {_said(s, 'lost')}"), f"""{nav(s)}<main><h1>404</h1><p>{_said(s, "lost")}</p><p>{_said(s, "lost2")}</p>
      {related(s, s.w["most"])}</main>{footer(s)}""", "")  # fmt: skip


@other("soft-404")
def soft_404_plain(s: Story) -> str:
    return document(
        replace(s, title=s.w["site"]),
        f"{nav(s)}<div><h2>{_said(s, 'lost')}</h2><p>{_said(s, 'lost2')}</p></div>{footer(s)}",
        "",
    )


@other("not-article")
def login_page(s: Story) -> str:
    return document(replace(s, title=_said(s, "login")), f"""{nav(s)}<main><h1>{_said(s, "login")}</h1><form method="post"><label>{s.w["mail"]}</label>
      <input name="user"><label>{_said(s, "password")}</label><input type="password"><button>{_said(s, "login")}</button></form>
      <p>{_said(s, "forgot")}</p></main>{footer(s)}""", "")  # fmt: skip


@other("not-article")
def consent_page(s: Story) -> str:
    return document(replace(s, title=s.w["site"]), f"""<div class="con-wizard"><h1>{s.w["site"]}</h1><p>{_said(s, "consent")}</p><p>{s.w["cookie"]}</p>
      <form><button>{s.w["accept"]}</button></form></div>""", "")  # fmt: skip


@other("no-text")
def script_page(s: Story) -> str:
    return document(
        s,
        f'<noscript>{_said(s, "script")}</noscript><div id="app"><p>{_said(s, "script")}</p></div><script src="/a.js"></script>',
        "",
    )


@other("not-article")
def robot_page(s: Story) -> str:
    return document(
        replace(s, title="Just a moment..."),
        f'<div class="main-wrapper"><h1>example.net</h1><p>{_said(s, "robot")}</p></div>',
        "",
    )


@other("not-article")
def maintenance_page(s: Story) -> str:
    return document(replace(s, title=s.w["site"]), f"<div><h1>{s.w['site']}</h1><p>{_said(s, 'down')}</p></div>", "")


@other("not-article")
def headlines_only(s: Story) -> str:
    items = "".join(
        f'<div class="n"><a href="/r/{n}"><img></a><a href="/r/{n}">{s.links[n % 6]} {n}</a></div>' for n in range(24)
    )
    return document(replace(s, title=s.w["sport"]), f"{nav(s)}<div class='all'>{items}</div>{footer(s)}", "")


@other("not-article")
def author_page(s: Story) -> str:
    return document(replace(s, title=s.w["author"]), f"""{nav(s)}<main><h1>{s.w["author"]}</h1><p>{s.w["bio"]}</p>{_teasers(s, 14)}</main>{footer(s)}""",
                    '<meta property="og:type" content="profile">')  # fmt: skip


@other("not-article")
def teasers_in_paragraphs(s: Story) -> str:
    items = "".join(
        f'<li><p><a href="/r/{n}">{s.links[n % 6]} {n}</a></p><p>{s.paragraphs[n % 8][:150]}…</p></li>'
        for n in range(16)
    )
    return document(
        replace(s, title=s.w["section"]),
        f"{nav(s)}<h1>{s.w['section']}</h1><ul class='archive'>{items}</ul>{footer(s)}",
        "",
    )


@other("paywall")
def paywall_overlay(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="article-body"><p>{s.paragraphs[0]}</p></div></article>{related(s)}
      <div class="overlay-wall"><h3>{_said(s, "paywall2")}</h3></div>{footer(s)}""", head=meta(s))  # fmt: skip


@other("not-article")
def front_page_with_a_lead(s: Story) -> str:
    blocks = "".join(f'<div class="b b{n}"><h3><a href="/n/{n}">{s.links[n % 6]} {n}</a></h3></div>' for n in range(30))
    lead = f'<div class="lead"><h2><a href="/r/77">{s.links[0]}</a></h2><p>{s.paragraphs[0]}</p></div>'
    return document(replace(s, title=s.w["site"]), f"{nav(s)}<main>{lead}{blocks}</main>{footer(s)}",
                    '<script type="application/ld+json">{"@graph":[{"@type":"WebSite","name":"x"},{"@type":"Organization"}]}</script>')  # fmt: skip


@other("not-article")
def section_with_an_introduction(s: Story) -> str:
    items = "".join(
        f'<article><a href="/n/{n}"><img></a><h3><a href="/n/{n}">{s.links[n % 6]} {n}</a></h3><p class="d">{s.paragraphs[n % 8][:200]}</p></article>'
        for n in range(12)
    )
    return document(replace(s, title=s.w["section"]), f"""{nav(s)}<main><h1>{s.w["section"]}</h1><p>{s.w["bio"]}</p>{items}
      <div class="pagination"><a>1</a><a href="?p=2">2</a></div></main>{footer(s)}""", "")  # fmt: skip


@other("paywall")
def paywall_marked_in_a_part(s: Story) -> str:
    part = {"@type": "WebPageElement", "isAccessibleForFree": "False", "cssSelector": ".paywall"}
    return document(s, f'{nav(s)}<article><h1>{s.title}</h1><div class="b"><p>{s.paragraphs[0]}</p></div></article>{footer(s)}',
                    meta(s) + linked(s, hasPart=part))  # fmt: skip


@other("paywall")
def paywall_with_prices(s: Story) -> str:
    return document(s, f"""{nav(s)}<article><h1>{s.title}</h1><div class="b"><p>{s.paragraphs[0]}</p></div><div class="sub-wall">
      <h2>{_said(s, "paywall")}</h2><p>{s.w["sub"]} 1 $ {s.w["bio"] * 3}</p><ul><li>{s.w["send"]}</li></ul></div></article>
      {related(s)}{footer(s)}""")  # fmt: skip


@other("not-article")
def gallery_in_divs(s: Story) -> str:
    slides = "".join(
        f'<div class="slide"><img src="/{n}.jpg"><div class="cap">{s.w["caption"]} {n}</div></div>' for n in range(14)
    )
    return document(s, f"""{nav(s)}<main><h1>{_said(s, "gallery")}: {s.title}</h1><div class="slides">{slides}</div></main>{footer(s)}""",
                    meta(s))  # fmt: skip


@other("not-article")
def security_check(s: Story) -> str:
    return """<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head><body><div class="main-wrapper">
      <h1>www.example.net</h1><h2>Verifying you are human. This may take a few seconds.</h2><div>www.example.net needs to review the
      security of your connection before proceeding.</div><noscript>Enable JavaScript and cookies to continue</noscript></div></body></html>"""


@other("soft-404")
def servers_own_404(s: Story) -> str:
    return """<!DOCTYPE HTML><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1><p>The requested URL /x was not
      found on this server.</p><hr><address>Server at example.net Port 80</address></body></html>"""


@other("no-text")
def still_loading(s: Story) -> str:
    return document(s, '<div id="app"><div class="loader">Loading...</div></div><script src="/a.js"></script>')


# -- what is asked for -----------------------------------------------------------------------------------------------


@cache
def article_pages() -> tuple[SavedPage, ...]:
    """One page of every layout in each language."""
    return tuple(
        _article(name, build, story(n * 10 + k, language))
        for n, (name, build) in enumerate(LAYOUTS.items())
        for k, language in enumerate(("ar", "en"))
    )


def _article(name: str, build: Layout, s: Story) -> SavedPage:
    built = build(s)
    page, text = built if isinstance(built, tuple) else (built, "\n".join(s.paragraphs))
    return SavedPage(f"{name}-{s.language}", s.url, page.encode(), s.title, text)


@cache
def other_pages() -> tuple[SavedPage, ...]:
    """One page of every kind that is no article, in each language."""
    pages = []
    for n, (name, (reason, build)) in enumerate(OTHERS.items()):
        for k, language in enumerate(("ar", "en")):
            s = story(3000 + n * 10 + k, language)
            pages.append(SavedPage(f"{name}-{language}", s.url, str(build(s)).encode(), reason=reason))
    return tuple(pages)


_HEAVY = (
    "wordpress",
    "drupal",
    "arc",
    "text_blocks",
    "next_js",
    "elementor",
    "figures",
    "author_box",
    "div_soup",
    "subheadings",
)


def real_size(count: int) -> Iterator[SavedPage]:
    """`count` pages of 100 to 265 kB: scripts, styles, navigation and boxes around an article of 3,000 to 6,000 letters."""
    for n in range(count):
        chance = random.Random(n)
        language = "ar" if n % 2 else "en"
        s = story(10_000 + n, language, paragraphs=chance.randint(10, 16), sentences=chance.randint(3, 4))
        name = _HEAVY[n % len(_HEAVY)]
        page = _article(name, LAYOUTS[name], s)
        yield replace(page, html=_heavier(page.html.decode(), s, chance, chance.randint(100_000, 265_000)).encode())


def _heavier(page: str, s: Story, chance: random.Random, size: int) -> str:
    """About half of the weight becomes scripts and styles, the rest navigation and boxes with links."""
    room = size - len(page.encode())
    script = "".join(
        f"var v{i}=function(a,b){{return a[{i}]+b.x{chance.randint(0, 999)}}};" for i in range(room // 110)
    )
    menu = "".join(
        f'<li class="menu-item menu-item-{i}"><a href="/section/{i}" class="link link--nav" data-track="nav-{i}"><span class="icon i-{i}">'
        f"</span>{s.links[i % 6]}</a></li>"
        for i in range(room // 900)
    )
    boxes = "".join(
        f'<div class="card card--{i}" data-id="{i}"><a class="card__link" href="/news/{i}"><picture><source srcset="/img/{i}-640.webp 640w">'
        f'<img class="card__image" loading="lazy" src="/img/{i}.jpg" alt=""></picture><div class="card__text"><h3 class="card__title">'
        f'{s.links[i % 6]} {i}</h3><time class="card__time" datetime="2024-03-0{i % 9 + 1}">{i % 9 + 1}</time></div></a></div>'
        for i in range(room // 1800)
    )
    style = "".join(f".c{i}{{margin:{i}px;padding:0 {i % 7}px}}" for i in range(room // 250))
    page = page.replace("</head>", f"<style>{style}</style></head>", 1)
    page = page.replace("<body>", f'<body><div class="mega-menu"><nav><ul>{menu}</ul></nav></div>', 1)
    return page.replace("</body>", f'<aside class="rail">{boxes}</aside><script>{script}</script></body>', 1)
