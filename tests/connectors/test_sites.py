from __future__ import annotations

import pytest

from connectors.sites import same_site, site_of


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://news.bbc.co.uk/x", "bbc.co.uk"),
        ("https://www.moi.gov.iq/", "moi.gov.iq"),
        ("https://arabic.example.com:8080/", "example.com"),
        ("https://one.blogspot.com/p", "one.blogspot.com"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("http://localhost/", "localhost"),
        ("https://xn--mgbh0fb.xn--kgbechtv/", "xn--mgbh0fb.xn--kgbechtv"),
        ("ftp://example.com/", None),
        ("", None),
        (None, None),
    ],
)
def test_a_site_is_what_one_owner_holds_under_a_public_suffix(url: str | None, site: str | None) -> None:
    assert site_of(url) == site


def test_hosts_of_one_owner_are_one_site_and_neighbours_are_not() -> None:
    assert same_site("https://m.example.co.uk/1", "https://www.example.co.uk/2")
    assert not same_site("https://a.co.uk/", "https://b.co.uk/")
    assert not same_site("https://one.blogspot.com/", "https://two.blogspot.com/")
    assert not same_site(None, None)
