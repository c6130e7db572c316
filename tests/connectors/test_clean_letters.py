"""What stands on the page stands in the body, to the letter: no normal form, no mark and no joiner is changed."""

from __future__ import annotations

import pytest

from connectors.clean import clean_fragment, clean_page
from tests.connectors.sources.samples import PARAGRAPHS, page

REST = "، وبقية الجملة كما هي هنا."
LETTERS = {
    "tatweel": "قـــال الشـاهـد إن الحـــريق امتد إلى الســوق",
    "presentation forms": "\ufed7\ufe8e\ufedd \ufe8d\ufedf\ufee8\ufe8e\ufec3\ufed6 \ufdf2 \ufdfa \ufefb",
    "marks of direction": "\u200fقال\u200f (AFP)\u200e إن \u202bالعدد\u202c 12\u200e-\u200e15 \u2067x\u2069\u061c",
    "zero width": "می\u200cشود و كلمة\u200dمتصلة و\u200bفاصل وx\u2060y",
    "mixed digits": "قتل ١٢ شخصاً و15 جريحاً و۱۸ مفقوداً على بعد 10\u066b5 كم من 1\u066c234",
    "vowel signs in any order": "قُتِلَ مُحَمَّدٌ \u0628\u0651\u064e \u0628\u064e\u0651",
    "letters made of two": "\u0627\u0653 \u0627\u0654 e\u0301 é آ أ",
    "soft hyphens": "كلمة\u00adمقطوعة word\u00adbreak",
    "quotes and signs": "قال: «نعم» “yes” ‘no’ … — – ٪ ؟ ؛ §",
    "letters of other languages": "گفت پلیس چهار ژ ڤ ێ ۆ ڕ ں ہ",
}
SHAPES = {
    "a paragraph": "<p>{}</p>",
    "a list": "<ul><li>{}</li></ul>",
    "a quote": "<blockquote><p>{}</p></blockquote>",
    "a heading": "<h2>{}</h2>",
    "a cell": "<table><tr><td>{}</td></tr></table>",
}


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_letters_stay_as_the_page_has_them(letters: str, shape: str) -> None:
    body = f"<p>{PARAGRAPHS[0]}</p>{shape.format(letters + REST)}<p>{PARAGRAPHS[1]}</p>"
    assert letters + REST in clean_page(page(body=body).encode()).body.split("\n")


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS)
def test_letters_stay_around_links_bold_words_and_breaks(letters: str) -> None:
    inline = f"<p>{PARAGRAPHS[0]}</p><p><b>{letters}</b>، وبقية <a href='/x'>الجملة</a> كما <span>هي</span> هنا.</p>"
    assert letters + REST in clean_page(page(body=f"{inline}<p>{PARAGRAPHS[1]}</p>").encode()).body.split("\n")
    broken = f"{PARAGRAPHS[0]}<br><br>{letters}{REST}<br>{PARAGRAPHS[1]}"
    assert letters + REST in clean_page(page(body=broken).encode()).body.split("\n")


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS)
def test_letters_of_feeds_stay_too(letters: str) -> None:
    assert clean_fragment(f"<p>{letters}{REST}</p>") == letters + REST
    assert clean_fragment(letters + REST) == letters + REST


def test_letters_written_as_references_are_letters() -> None:
    body = (
        f"<p>{PARAGRAPHS[0]}</p><p>می&zwnj;شود &#x200F;(12)&rlm; &laquo;نعم&raquo; &amp; لا.</p><p>{PARAGRAPHS[1]}</p>"
    )
    assert "می\u200cشود \u200f(12)\u200f «نعم» & لا." in clean_page(page(body=body).encode()).body
