"""The pages of the bench: every layout gives its text to the word, every page without article its reason."""

from __future__ import annotations

import datetime as dt

import pytest

from bench.pages import SavedPage, article_pages, other_pages, real_size
from connectors.clean import clean_page
from connectors.markup import parse_page
from connectors.parts import join_parts
from pipeline.errors import Unusable


@pytest.mark.parametrize("page", article_pages(), ids=lambda page: page.name)
def test_an_article_comes_out_to_the_word_whatever_it_is_built_of(page: SavedPage) -> None:
    found = clean_page(page.html, page.url)
    assert found.title == page.title
    assert found.body.split() == page.text.split()
    assert found.language == page.name[-2:]
    assert found.canonical_url == page.url


@pytest.mark.parametrize("page", other_pages(), ids=lambda page: page.name)
def test_a_page_without_article_is_refused_with_its_reason(page: SavedPage) -> None:
    with pytest.raises(Unusable) as raised:
        clean_page(page.html, page.url)
    assert raised.value.reason == page.reason


def test_paragraphs_list_items_and_rows_stand_on_lines_of_their_own() -> None:
    pages = {page.name: page for page in article_pages()}
    for name in (
        "wordpress-ar",
        "lists-en",
        "quotes-ar",
        "subheadings-en",
        "live_blog-ar",
        "line_breaks-ar",
        "tables-en",
    ):
        found = clean_page(pages[name].html, pages[name].url)
        assert found.body.split("\n") == pages[name].text.split("\n")
    assert "Tell Anab | 10 | 12" in clean_page(pages["data_table-en"].html).body.split("\n")


def test_pages_of_real_weight_come_out_to_the_word() -> None:
    for page in real_size(10):
        assert 90_000 < len(page.html) < 275_000
        found = clean_page(page.html, page.url)
        assert found.body.split() == page.text.split()
        assert found.published in (None, dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC))


_POST = "قال شهود إن القصف على الحي رقم {} استمر ساعتين وإن فرق الإسعاف لم تصل إلا مع حلول الليل."


def _parts(element: str, *, heading: str = "<h3>الخبر {}</h3>") -> str:
    posts = [element.format(heading.format(n) + f"<p>{_POST.format(n)}</p>") for n in range(4)]
    return f"<html><body><h1>تطورات الحرب يوماً بيوم</h1><div>{''.join(posts)}</div></body></html>"


@pytest.mark.parametrize(
    "element",
    ['<div class="post"><div>10:30</div>{}</div>', '<article class="entry">{}</article>',
     '<section class="live-post"><div class="post-body">{}</div></section>',
     '<div class="article-text">{}</div><div class="ad">إعلان</div>'],
)  # fmt: skip
def test_equal_parts_of_one_text_all_belong_to_it(element: str) -> None:
    lines = clean_page(_parts(element).encode()).body.split("\n")
    assert [line for line in lines if len(line) > 9] == [_POST.format(n) for n in range(4)]
    assert [line for line in lines if line.startswith("الخبر")] == [f"الخبر {n}" for n in range(4)]


@pytest.mark.parametrize("heading", ["<h1>خبر آخر رقم {}</h1>", '<h2><a href="/n/{}">خبر آخر</a></h2>'])
def test_neighbours_with_headlines_of_their_own_stay_apart(heading: str) -> None:
    tree = parse_page(_parts('<article class="post">{}</article>', heading=heading))
    join_parts(tree, frozenset())
    assert len(tree.findall(".//article[@class='post']")) == 4
