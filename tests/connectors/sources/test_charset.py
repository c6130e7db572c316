from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.charset import decode, without_controls
from tests.connectors.sources.samples import BODY, PARAGRAPHS

FRENCH = "<p>Les élèves étaient déjà rentrés à l'école quand la tempête a frappé</p>"
RUSSIAN = "<p>Трое мужчин были застрелены возле школы, сообщили жители города в воскресенье утром</p>"
PERSIAN = "<meta charset='windows-1256'><p>سه نفر در انفجار بمب کشته شدند</p>"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "windows-1256", "iso-8859-6"])
def test_undeclared_arabic_is_read(charset: str) -> None:
    text = f"<html><body><p>{PARAGRAPHS[1]}</p></body></html>"
    assert decode(text.encode(charset)) == text


@pytest.mark.parametrize(("text", "charset"), [(FRENCH, "windows-1252"), (RUSSIAN, "windows-1251")])
def test_other_undeclared_scripts_are_read(text: str, charset: str) -> None:
    assert decode(text.encode(charset)) == text


@pytest.mark.parametrize(
    "text",
    ['<?xml version="1.0" encoding="windows-1256"?><a>%s</a>', "<meta charset=windows-1256>%s",
     '<meta http-equiv="Content-Type" content="text/html; charset=windows-1256">%s'],
)  # fmt: skip
def test_a_declaration_is_believed(text: str) -> None:
    text %= "ميناء"
    assert decode(text.encode("windows-1256")) == text


def test_the_transports_word_goes_before_the_documents() -> None:
    assert decode("<meta charset=windows-1251>ميناء".encode("windows-1256"), "Windows-1256").endswith("ميناء")


@pytest.mark.parametrize("wrong", ["iso-8859-1", "windows-1252", "utf-8", "no-such-charset", "hex"])
def test_a_declaration_that_cannot_be_true_is_not_believed(wrong: str) -> None:
    text = f'<meta charset="{wrong}"><p>{BODY}</p>'
    assert decode(text.encode("windows-1256")) == text
    assert decode(text.encode(), "windows-1256") == text


def test_one_bad_byte_costs_one_character() -> None:
    before, after = BODY[:40], BODY[40:]
    assert decode(before.encode() + b"\xff" + after.encode()) == f"{before}\ufffd{after}"


def test_persian_is_read_where_it_is_declared() -> None:
    text = PERSIAN.replace("ی", "ي")  # the code page has no Persian yeh
    assert decode(text.encode("windows-1256")) == text


@given(st.binary(), st.sampled_from([None, "utf-8", "utf-16", "windows-1256", "nonsense", ""]))
def test_any_bytes_are_some_text(data: bytes, charset: str | None) -> None:
    assert isinstance(decode(data, charset), str)
    assert isinstance(decode(codecs.BOM_UTF16_LE + data, charset), str)


@pytest.mark.parametrize(
    ("markup", "clean"),
    [
        ("a\x00b\x1fc\ud800d\ufffee\x7ff", "abcdef"),
        ("a&#0;b&#x1;c&#xD800;d&#XFFFE;e&#55296f&#x110000;g", "abcdefg"),
        ("tab\tline\r\nend &amp; &#65; &#x628; &#99999999;", "tab\tline\r\nend &amp; &#65; &#x628; "),
    ],
)
def test_what_xml_forbids_is_taken_out(markup: str, clean: str) -> None:
    assert without_controls(markup) == clean


def test_a_passage_in_another_encoding_is_read_as_that() -> None:
    other = f"<p>{PARAGRAPHS[1]}</p>"
    whole = f"<p>{PARAGRAPHS[0]}</p>".encode() + other.encode("windows-1256") + f"<p>{PARAGRAPHS[2]}</p>".encode()
    assert decode(whole) == "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"\x00", b"a\x00b", b"a\x00" * 3 + b"\xff", b"<\x00", bytes(range(256)) * 9]
)
def test_zero_bytes_alone_make_no_utf_16(data: bytes) -> None:
    assert isinstance(decode(data), str)
