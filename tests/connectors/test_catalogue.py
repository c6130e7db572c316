"""The packaged catalogue of feeds: valid, wide, and honest about what it rests on."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

import pytest

from connectors.feedlist import CATALOGUE, GROUPS, TABLE, WORLD, Feed, catalogue, same_feed, text_of
from connectors.urls import outlet_of

#: Countries of the region whose codes are easily mistaken for others: a typing error must not pass as a country.
COUNTRIES = (
    "AE BF BH BI CD CF CM DJ DZ EG ER ET IL IQ IR JO KE KW LB LY MA ML MR MZ NE NG OM PS QA RW SA SD SN SO SS SY TD TN"
    " TR TZ UG YE"
)


def test_names_and_addresses_are_unique() -> None:
    feeds = catalogue()  # the reader refuses doubles; this keeps the test true if it ever does not
    assert len({feed.name for feed in feeds}) == len({same_feed(feed.url) for feed in feeds}) == len(feeds)


def test_it_is_wide() -> None:
    feeds = catalogue()
    assert len(feeds) >= 150
    assert len({feed.country for feed in feeds} - {WORLD}) >= 20
    assert sum(feed.language == "ar" for feed in feeds) * 2 >= len(feeds)
    assert {feed.group for feed in feeds} == set(GROUPS)
    assert {feed.language for feed in feeds} == {"ar", "en"}


@pytest.mark.parametrize("country", ["SY", "IQ", "LB", "PS", "YE", "LY", "SD"])
def test_every_arab_country_at_war_has_several_outlets_in_arabic(country: str) -> None:
    own = [feed for feed in catalogue() if feed.country == country and feed.language == "ar"]
    assert len({outlet_of(feed.url) for feed in own}) >= 4
    assert len({feed.group for feed in own}) >= 3


@pytest.mark.parametrize("feed", catalogue(), ids=lambda feed: feed.name)
def test_an_entry_says_all_that_a_reader_of_its_figures_should_know(feed: Feed) -> None:
    assert feed.name.isascii()
    assert feed.name == feed.name.lower()
    assert feed.outlet
    assert feed.country in {WORLD, *COUNTRIES.split()}
    assert feed.notes
    assert feed.notes.endswith((".", ")"))
    assert len(feed.notes) <= 140
    assert feed.checked
    assert feed.enabled
    assert not (feed.group in ("party", "ministry") and feed.state is None)


def test_addresses_are_https_and_without_a_search_service_in_between() -> None:
    hosts = Counter(urlsplit(feed.url).hostname for feed in catalogue())
    assert all(feed.url.startswith("https://") for feed in catalogue())
    assert not any(host and host.endswith(("google.com", "bing.com", "feedburner.com")) for host in hosts)


def test_no_address_claims_a_poll_that_nobody_made() -> None:
    """Days of polls may be added later; until then the head of the file says that there were none."""
    assert "No address was polled" in text_of(CATALOGUE).split(f"[[{TABLE}]]")[0]
    assert {feed.checked for feed in catalogue()} == {"listed", "unverified"}


def test_parties_and_states_are_named_where_all_know_them() -> None:
    states = {feed.name: feed.state or "" for feed in catalogue()}
    known = {
        "sana-ar": "Syrian state",
        "aljazeera-ar": "Qatari",
        "alarabiya-ar": "Saudi",
        "skynews-ar": "Emirati",
        "rt-ar": "Russian state",
        "alalam": "Iranian state",
        "press-tv": "Iranian state",
        "aa-ar": "Turkish state",
        "almanar-ar": "Hezbollah",
        "almasirah": "Houthi",
        "saba-sanaa": "Houthi",
        "anf-ar": "PKK",
    }
    assert {name: word for name, word in known.items() if word not in states[name]} == {}
