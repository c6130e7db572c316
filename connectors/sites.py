"""Which site an address belongs to: what one owner holds under a public suffix."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from connectors.urls import host_of

if TYPE_CHECKING:
    from tldextract import TLDExtract


def site_of(url: str | None) -> str | None:
    """The registrable domain of an address: `https://news.bbc.co.uk/x` → `bbc.co.uk`; the host itself where it has none
    (an IP address, `localhost`); None if it is no http(s) address.

    Blogs on one host service are sites of their own. The list of public suffixes is the one that ships with tldextract:
    no socket is opened, nothing is written.
    """
    host = host_of(url)
    if host is None:
        return None
    return _suffixes()(host).top_domain_under_public_suffix or host


def same_site(one: str | None, other: str | None) -> bool:
    """Whether one owner holds both addresses; False if either is none."""
    site = site_of(one)
    return site is not None and site == site_of(other)


@cache
def _suffixes() -> TLDExtract:
    """Loaded at the first address: reading the list takes a tenth of a second."""
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
