from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.urls import canonical_url, host_of, outlet_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.net", "http://example.net/"),
        ("  https://example.net/a \n", "https://example.net/a"),
        ("HTTPS://Www.Example.NET:443/A", "https://www.example.net/A"),
        ("http://example.net.:80/a", "http://example.net/a"),
        ("http://example.net:8080/a", "http://example.net:8080/a"),
        ("http://reader:secret@example.net/a", "http://example.net/a"),
        ("http://example.net/a#part", "http://example.net/a"),
        ("http://example.net/a?", "http://example.net/a"),
        ("http://example.net/a/../b/./c", "http://example.net/b/c"),
        ("http://example.net/a/", "http://example.net/a/"),
        ("http://example.net/?b=2&a=1", "http://example.net/?b=2&a=1"),
        ("http://example.net/?a=1&&b=", "http://example.net/?a=1&b="),
        ("http://example.net/?q=a+b", "http://example.net/?q=a%20b"),
        ("http://example.net/?utm_source=x&id=7&fbclid=y&UTM_Medium=z", "http://example.net/?id=7"),
        ("http://example.net/?id=7&amp;utm_source=x", "http://example.net/?id=7"),
        ("http://example.net/?id=7?utm_source=x&utm_medium=y", "http://example.net/?id=7"),
        ("http://example.net/?q=a?b=1", "http://example.net/?q=a?b=1"),
        ("https://www.dw.com/ar/a-7?maca=ar-rss", "https://www.dw.com/ar/a-7"),
        ("http://example.net/a/..amp", "http://example.net/a/..amp"),
        ("http://example.net/?utm%5Fsource=x", "http://example.net/"),
        ("http://example.net/?s=7", "http://example.net/?s=7"),
        ("https://twitter.com/a/status/1?s=20&t=x", "https://twitter.com/a/status/1"),
        ("http://example.net/خبر", "http://example.net/%D8%AE%D8%A8%D8%B1"),
        ("http://example.net/%d8%ae%d8%a8%d8%b1", "http://example.net/%D8%AE%D8%A8%D8%B1"),
        ("http://example.net/%7Euser/%41", "http://example.net/~user/A"),
        ("http://example.net/a%2Fb", "http://example.net/a%2Fb"),
        ("http://example.net/100%", "http://example.net/100%25"),
        ("http://example.net/a b|c", "http://example.net/a%20b%7Cc"),
        ("http://مثال.إختبار/", "http://xn--mgbh0fb.xn--kgbechtv/"),
        ("http://xn--mgbh0fb.xn--kgbechtv/", "http://xn--mgbh0fb.xn--kgbechtv/"),
        ("https://m.example.net/a", "https://www.example.net/a"),
        ("https://mobile.example.co.uk/a", "https://www.example.co.uk/a"),
        ("https://m.arabic.example.net/a", "https://arabic.example.net/a"),
        ("https://m.net/a", "https://m.net/a"),
        ("https://amp.example.net/a", "https://www.example.net/a"),
        ("https://example.net/a/amp/", "https://example.net/a"),
        ("https://example.net/a.amp", "https://example.net/a"),
        ("https://example.net/a?amp=1", "https://example.net/a"),
        ("https://example.net/amp", "https://example.net/amp"),
        ("https://example.net/?outputType=amp", "https://example.net/"),
        ("https://www.google.com/amp/s/www.example.net/a/amp", "https://www.example.net/a"),
        ("https://www-example-net.cdn.ampproject.org/c/s/www.example.net/a", "https://www.example.net/a"),
        ("https://[2001:DB8::1]/a", "https://[2001:db8::1]/a"),
    ],
)
def test_two_spellings_of_one_address_agree(url: str, expected: str) -> None:
    assert canonical_url(url) == expected
    assert canonical_url(expected) == expected


@pytest.mark.parametrize(
    "url",
    [None, "", " ", "news", "/a", "//example.net/a", "ftp://example.net/", "javascript:alert(1)",
     "mailto:a@example.net", "http://", "http://.", "http://a b/", "http://[::1", "http://256.256.256.256/", "http://example.net/\ud800",
     "http://example.net/" + "a" * 10_000, "data:text/html,x"],
)  # fmt: skip
def test_what_is_no_web_address_has_none(url: str | None) -> None:
    assert canonical_url(url) is None
    assert host_of(url) is None
    assert outlet_of(url) is None


@given(st.one_of(st.text(), st.text("%/?&=+#.:@aA4m1amp;w\u0628\\", max_size=60).map("http://m.example.net/".__add__)))
@example("http://m.m.m.example.net/amp/amp.amp.amp")
@example("https://www.google.com/amp/s/www.google.com/amp/s/www.google.com/amp/s/a.example/")
@example("http://example.net/?amp;amp;a=1")
@example("http://example.net/?&amp;amp;a=1&amp;")
def test_canonical_addresses_are_their_own_canonical_address(url: str) -> None:
    once = canonical_url(url)
    assert once is None or canonical_url(once) == once


@pytest.mark.parametrize(
    ("url", "host", "outlet"),
    [
        ("https://WWW.Example.net:8443/a", "www.example.net", "example.net"),
        ("https://m.example.net/a", "m.example.net", "example.net"),
        ("https://arabic.example.net./", "arabic.example.net", "arabic.example.net"),
    ],
)
def test_hosts_and_outlets(url: str, host: str, outlet: str) -> None:
    assert host_of(url) == host
    assert outlet_of(url) == outlet
