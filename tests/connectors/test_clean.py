from __future__ import annotations

import contextlib
import datetime as dt
import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.clean import Page, clean_fragment, clean_page
from pipeline.errors import Unusable
from tests.connectors.sources.samples import BODY, INDEX, PARAGRAPHS, TITLE, page


def paragraphs(*texts: str) -> str:
    return "".join(f"<p>{text}</p>" for text in texts)


def linked(**data: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(data, ensure_ascii=False)}</script>'


def test_an_article_page_gives_its_article_and_nothing_else() -> None:
    assert clean_page(page().encode(), "https://example.net/news/7") == Page(
        title=TITLE,
        body=BODY,
        author="سلمى ع.",
        published=dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC),
        updated=dt.datetime(2024, 3, 10, 7, 0, tzinfo=dt.UTC),
        language="ar",
        canonical_url="https://www.example.net/news/7",
        outlet="example.net",
        site_name="وكالة المثال",
    )


@pytest.mark.parametrize("declared", ["windows-1256", "iso-8859-1", None])
def test_a_page_in_windows_1256_is_read_whatever_it_declares(declared: str | None) -> None:
    found = clean_page(page(declared).encode("windows-1256"))
    assert (found.title, found.body) == (TITLE, BODY)


def test_one_bad_byte_does_not_garble_the_page() -> None:
    data = page().encode()
    cut = data.index(PARAGRAPHS[1].encode()) + len("وقال".encode())
    found = clean_page(data[:cut] + b"\xff" + data[cut:])
    assert found.title == TITLE
    assert found.body == BODY.replace("وقال", "وقال\ufffd", 1)


def test_without_json_ld_the_meta_elements_speak() -> None:
    head = """<meta property="article:published_time" content="2024-03-10T06:30:00Z">
      <meta property="article:modified_time" content="2024-03-10T07:00:00Z"><meta name="author" content="عمر">"""
    found = clean_page(page(head=head, linked_data=False).encode())
    assert (found.title, found.author) == (TITLE, "عمر")
    assert found.published == dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)
    assert found.updated == dt.datetime(2024, 3, 10, 7, 0, tzinfo=dt.UTC)


def test_a_time_element_of_the_article_dates_it_but_one_in_a_list_does_not() -> None:
    listed = '<ul><li><time datetime="2020-01-01">خبر قديم</time></li></ul>'
    own = '<time datetime="2024-03-10T06:30:00Z">10 آذار</time>'
    text = paragraphs(*PARAGRAPHS)
    assert clean_page(page(body=listed + text, linked_data=False).encode()).published is None
    found = clean_page(page(body=listed + own + text, linked_data=False).encode())
    assert found.published == dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)


def test_a_broken_json_ld_script_does_not_hide_the_next() -> None:
    head = '<script type="application/ld+json">{"@type": "NewsArticle", "headline": </script>'
    assert clean_page(page(head=head).encode()).author == "سلمى ع."
    head += linked(**{"@type": ["Thing", "ReportageNewsArticle"], "headline": "عنوان &quot;آخر&quot;", "author": "هند"})
    found = clean_page(page(head=head, linked_data=False).encode())
    assert (found.title, found.author) == ('عنوان "آخر"', "هند")


def test_characters_that_no_text_may_hold_are_dropped() -> None:
    head = r"""<script type="application/ld+json">{"@type": "NewsArticle", "headline": "a\ud800b\u0000c",
      "author": "x\udfffy", "articleBody": "one \ud800 two"}</script>"""
    found = clean_page(page(head=head, body="<p>a&#xD800;&#0;b</p>", linked_data=False).encode())
    assert (found.title, found.author) == ("abc", "xy")
    found.body.encode()
    assert "\x00" not in found.body


def test_a_shortened_headline_is_made_whole() -> None:
    head = linked(**{"@type": "NewsArticle", "headline": TITLE[:25] + "..."})
    assert clean_page(page(head=head, linked_data=False).encode()).title == TITLE


def test_the_headline_is_not_the_first_paragraph() -> None:
    found = clean_page(page(body=paragraphs(f" {TITLE} ", *PARAGRAPHS)).encode())
    assert found.body == BODY


def test_navigation_is_no_text_even_where_there_is_little_else() -> None:
    short = "جملة واحدة فقط عن الحادثة."
    assert clean_page(page(body=paragraphs(short)).encode()).body == short


@pytest.mark.parametrize("start", [b"%PDF-1.4\n", b"\x89PNG\r\n", b"{\\rtf1\\ansi ", b""])
def test_a_file_of_another_kind_is_no_page(start: bytes) -> None:
    filling = b"Some words that look like a text. " * 20 if start[:1] in b"%{" and start else bytes(range(256)) * 20
    with pytest.raises(Unusable) as raised:
        clean_page(start + filling)
    assert raised.value.reason == "no-text"


def test_lines_of_preformatted_text_stand_on_lines_of_their_own() -> None:
    assert clean_page(page(body="<pre>" + "\n".join(PARAGRAPHS) + "</pre>").encode()).body == BODY


def test_a_label_inside_a_sentence_stays() -> None:
    prose = "للمزيد من الحذر أغلقت البلدية المدارس القريبة من السوق حتى إشعار آخر، بحسب رئيسها الذي زار المكان."
    found = clean_page(page(body=paragraphs(*PARAGRAPHS, prose)).encode())
    assert found.body.endswith(prose)


@pytest.mark.parametrize(
    "noise",
    ["عدد المشاهدات: 1,532", "2.5 ألف مشاهدة", "١٥٣ مشاهدة", "Views: 12k", "شارك على فيسبوك", "جميع الحقوق محفوظة",
     "اقرأ أيضاً: هدوء حذر في الريف الشرقي"],
)  # fmt: skip
def test_counters_and_share_lines_go(noise: str) -> None:
    assert clean_page(page(body=paragraphs(PARAGRAPHS[0], noise, *PARAGRAPHS[1:])).encode()).body == BODY


@pytest.mark.parametrize(
    "related",
    [
        "<p>اقرأ أيضا <a href='/x'>هدوء حذر في الريف الشرقي بعد ليلة صاخبة</a></p>",
        "<p><a href='/x'>اقرأ أيضا: هدوء حذر في الريف الشرقي بعد ليلة صاخبة</a></p>",
        "<div><b>شاهد أيضاً</b></div><div><a href='/x'>هدوء حذر في الريف الشرقي بعد ليلة صاخبة</a></div>",
        "<p>[اقرأ أيضاً: <a href='/x'>هدوء حذر في الريف الشرقي بعد ليلة صاخبة</a>]</p>",
        "<p>• اقرأ أيضاً: هدوء حذر في الريف الشرقي بعد ليلة صاخبة</p>",
        "<p><em>اقرأ أيضاً | <a href='/x'>هدوء حذر في الريف الشرقي</a></em></p>",
        "<p><a href='/x'>اقرأ أيضاً.. هدوء حذر في الريف الشرقي</a></p>",
        "<blockquote><p>اقرأ أيضاً</p><p><a href='/x'>هدوء حذر في الريف الشرقي</a></p></blockquote>",
        "<section><h4>مقالات ذات صلة</h4><p><a href='/x'>هدوء حذر</a></p><p><a href='/y'>طقس</a></p></section>",
    ],
)
def test_links_to_other_texts_go_with_their_label(related: str) -> None:
    text = paragraphs(PARAGRAPHS[0]) + related + paragraphs(*PARAGRAPHS[1:])
    assert clean_page(page(body=text).encode()).body == BODY


def test_the_text_tells_the_language_better_than_the_template() -> None:
    assert clean_page(page().replace("ar-SY", "en-US").encode()).language == "ar"


@pytest.mark.parametrize(
    ("stated", "url", "canonical"),
    [
        ("https://www.example.net/news/7", None, "https://www.example.net/news/7"),
        ("https://www.example.net/news/7", "https://m.example.net/n?id=7", "https://www.example.net/news/7"),
        ("https://www.example.net/", "https://www.example.net/news/7", "https://www.example.net/news/7"),
        ("https://other.example.org/news/9", "https://www.example.net/news/7", "https://www.example.net/news/7"),
        ("/news/7", "https://www.example.net/news/7?fbclid=1", "https://www.example.net/news/7"),
        ("/news/7", "https://www.example.net/n?id=7", "https://www.example.net/news/7"),
        ("http://[", "https://www.example.net/news/7", "https://www.example.net/news/7"),
    ],
)
def test_a_page_may_name_its_address_but_no_other_sites(stated: str, url: str | None, canonical: str) -> None:
    data = page().replace("https://www.example.net/news/7?utm_source=x", stated).encode()
    assert clean_page(data, url).canonical_url == canonical


def test_an_article_body_in_json_ld_stands_in_for_a_page_without_text() -> None:
    head = linked(**{"@type": "NewsArticle", "headline": TITLE, "articleBody": BODY * 2})
    assert clean_page(page(head=head, body="<div id='app'></div>", linked_data=False).encode()).body.startswith(BODY)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no-text"),
        (b"<html></html>", "no-text"),
        (b"\x00" * 100, "no-text"),
        (page(body="").encode(), "no-text"),
        (INDEX.encode(), "not-article"),
        (b"x" * 2_000_001, "too-large"),
        (b"<b>x</b>" * 150_000, "too-large"),
    ],
)
def test_a_page_without_article_is_unusable(data: bytes, reason: str) -> None:
    with pytest.raises(Unusable) as raised:
        clean_page(data)
    assert raised.value.reason == reason
    assert pickle.loads(pickle.dumps(raised.value)).reason == reason


@pytest.mark.parametrize("tag", ["aside", "dialog", "noscript", "menu"])
def test_a_text_that_stands_where_none_should_is_found_where_there_is_no_other(tag: str) -> None:
    body = f"<{tag}><h1>{TITLE}</h1>{paragraphs(*PARAGRAPHS)}</{tag}>"
    text = f"<html><head><title>{TITLE}</title></head><body>{body}</body></html>"
    assert clean_page(text.encode()).body == BODY


@pytest.mark.parametrize(
    "text", ["تم منع الوصول إلى البلدة من جهة الشرق حتى إشعار آخر.", "لم يتم العثور على المحتوى الذي بثته القناة أمس."]
)
def test_a_report_of_one_sentence_may_tell_of_closed_doors(text: str) -> None:
    assert clean_page(page(body=paragraphs(text)).encode()).body == text


def test_a_report_of_one_sentence_beside_a_film_is_a_report() -> None:
    film = linked(**{"@type": "VideoObject", "name": "x"})
    text = "جملة واحدة فقط عن الحادثة التي صورت."
    assert clean_page(page(head=film, body=paragraphs(text)).encode()).body == text


def test_cleaner_and_page_cross_process_borders() -> None:
    assert pickle.loads(pickle.dumps(clean_page)) is clean_page
    found = clean_page(page().encode())
    assert pickle.loads(pickle.dumps(found)) == found


def test_cleaning_twice_gives_the_same() -> None:
    assert len({clean_page(page().encode()) for _ in range(5)}) == 1


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text("<>/apdivh1\"'=& \u0628{}[]:,", max_size=200).map(str.encode)))
def test_garbage_is_a_page_or_unusable(data: bytes) -> None:
    with contextlib.suppress(Unusable):
        assert clean_page(data).body


@pytest.mark.parametrize(
    ("fragment", "text"),
    [
        ("", ""),
        ("نص بلا وسوم", "نص بلا وسوم"),
        ("<p>أول<br>ثان</p><p>ثالث <b>و</b> رابع</p>", "أول\nثان\nثالث و رابع"),
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("<script>x()</script><style>p{}</style>نص", "نص"),
        (f"<h1>{TITLE}</h1><p>نص</p>", "نص"),
        ("<p>نص</p><p>اقرأ أيضاً: <a href='/x'>خبر آخر</a></p>", "نص"),
        ("<p>نص</p><p>The post عنوان appeared first on وكالة.</p>", "نص"),
    ],
)
def test_fragments_become_paragraphs(fragment: str, text: str) -> None:
    assert clean_fragment(fragment, TITLE) == text


def test_empty_cells_of_a_table_that_lays_a_page_out_leave_no_trace() -> None:
    first = "قال سكان من بلدة الزيتون إن الطريق إلى المدينة أعيد فتحه صباح الأحد بعد ثلاثة أيام من القصف المتواصل."
    second = "وأضافوا أن قافلة من عشر شاحنات محملة بالطحين والأدوية وصلت إلى الفرن الآلي وسط البلدة قبل الظهر."
    rows = f"<tr><td></td><td>{first}</td><td></td></tr><tr><td></td><td>{second}</td><td></td></tr>"
    page = clean_page(f"<html><body><h1>فتح طريق الزيتون</h1><table>{rows}</table></body></html>".encode())
    assert page.body == f"{first}\n{second}"
