from __future__ import annotations

import datetime as dt

import pytest

from connectors.deadends import dead_end, is_front, refresh_target
from connectors.responses import Response

ASKED = "https://example.com/news/1"


def response(url: str = ASKED, body: bytes = b"<html><body>text", **headers: str) -> Response:
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(
        url=url, status=200, headers=given, raw=body, body=body, fetched=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (ASKED, None),
        ("https://example.com/news/1?utm_source=rss", None),
        ("https://www.example.com/2026/03/news-1.html", None),
        ("https://other.example/story/5", None),
        ("https://example.com/?p=77", None),
        ("https://example.com", "soft-404"),
        ("https://example.com/index.php", "soft-404"),
        ("https://example.com/ar/", "soft-404"),
        ("https://other.example/", "soft-404"),
        ("https://example.com/404.html", "soft-404"),
        ("https://login.example.com/auth?return=/news/1", "login"),
        ("https://example.com/wp-login.php?redirect_to=x", "login"),
        ("https://example.com/en/subscribe", "paywall"),
        ("https://consent.example.com/v2/collectConsent?session=1", "consent"),
    ],
)
def test_where_an_answer_came_from_says_whether_it_can_be_the_article(url: str, reason: str | None) -> None:
    assert dead_end(ASKED, response(url)) == reason


def test_an_address_that_was_asked_for_with_such_a_word_is_an_article() -> None:
    asked = "https://example.com/subscribe/news/1"
    assert dead_end(asked, response(asked + "/story")) is None
    assert dead_end("https://example.com/login", response("https://example.com/login")) is None


@pytest.mark.parametrize(
    ("said", "body", "dead"),
    [
        ("text/html; charset=windows-1256", b"<p>text", False),
        ("application/xhtml+xml", b"<html>", False),
        ("", b"<html>", False),
        ("html", b"<html>", False),
        ("application/pdf", b"<html>", True),
        ("video/mp4", b"", True),
        ("application/octet-stream", b"", True),
        ("text/html", b"%PDF-1.7 ...", True),
        ("text/html", b"\x89PNG\r\n", True),
        ("text/html", b"\x00\x00\x00\x18ftypmp42", True),
    ],
)
def test_what_is_no_page_is_known_by_its_type_and_by_its_first_bytes(said: str, body: bytes, dead: bool) -> None:
    answer = response(body=body, Content_Type=said) if said else response(body=body)
    assert dead_end(ASKED, answer) == ("media-type" if dead else None)


@pytest.mark.parametrize(
    ("url", "front"),
    [
        ("https://example.com/", True),
        ("https://example.com/ar", True),
        ("https://example.com/home.html", True),
        ("https://example.com/?p=1", False),
        ("https://example.com/index.php?id=5", False),
        ("https://example.com/ar/news", False),
        ("https://example.com/arabic-poetry", False),
    ],
)
def test_front_pages_are_told_from_articles(url: str, front: bool) -> None:
    assert is_front(url) is front


@pytest.mark.parametrize(
    ("meta", "to"),
    [
        ('<meta http-equiv="refresh" content="0;url=https://example.com/real">', "https://example.com/real"),
        ("<META HTTP-EQUIV=Refresh CONTENT='3; URL=/real?a=1&amp;b=2'>", "https://example.com/real?a=1&b=2"),
        ('<meta http-equiv="refresh" content="300">', None),
        ('<meta http-equiv="refresh" content="300;url=/later">', None),
        ('<meta http-equiv="refresh" content="0;url=/news/1#top">', None),
        ('<meta http-equiv="refresh" content="0;url=javascript:alert(1)">', None),
        ('<meta http-equiv="refresh" content="0;url=http://[">', None),
        ("<p>refresh</p>", None),
    ],
)
def test_a_page_that_only_sends_its_reader_on_says_where(meta: str, to: str | None) -> None:
    assert refresh_target(response(body=f"<html><head>{meta}</head></html>".encode())) == to


def test_a_page_with_text_of_its_own_sends_nobody_on() -> None:
    meta = b'<meta http-equiv="refresh" content="0;url=/real">'
    assert refresh_target(response(body=meta + b"<p>text</p>" * 1_000)) is None


def test_markup_made_to_be_slow_is_not() -> None:
    assert refresh_target(response(body=(b"<meta http-equiv=refresh content=" * 250)[:8_000])) is None
