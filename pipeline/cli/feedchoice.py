"""Which feeds a `rasd feeds` command is about: of the user's list or the catalogue, by name, address or kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.cli.context import NotFound, warn
from pipeline.errors import RasdError

if TYPE_CHECKING:
    from connectors.feedlist import Feed
    from connectors.feedstate import FeedReport
    from pipeline.config import Config


def own_feeds(config: Config, *, missing_is_empty: bool = False) -> list[Feed]:
    """The user's list. Raises: NotFound if there is none yet; FileError."""
    from connectors.feedlist import load_feeds

    path = Path(config.feeds.file)
    if not path.exists():
        if missing_is_empty:
            return []
        raise NotFound(f"no list of feeds yet ({path}): `rasd feeds add` makes one")
    return load_feeds(path)


def reports_of(config: Config) -> dict[str, FeedReport]:
    """What is remembered of each feed, by its address in the list; nothing, with a warning, if it cannot be read."""
    from connectors.feedstate import FILE, report

    try:
        return {one.url: one for one in report(config.data_dir / FILE)}
    except RasdError as e:
        warn(str(e))
        return {}


def state_of(feed: Feed, known: FeedReport | None) -> str:
    """One word: disabled, new, active, failing, retired or gone."""
    if not feed.enabled:
        return "disabled"
    if known is None:
        return "new"
    return "failing" if known.state == "active" and known.failing else known.state


def named_feed(target: str, config: Config) -> Feed | None:
    """The feed that is called so or has this address, in the user's list, else in the catalogue; None for another
    address. Raises: NotFound for an unknown name."""
    from connectors.feedlist import catalogue

    feeds = [*own_feeds(config, missing_is_empty=True), *catalogue()]
    try:
        return named(target, feeds)
    except NotFound:
        if is_address(target):
            return None
        raise


def named(target: str, feeds: Iterable[Feed]) -> Feed:
    import difflib

    from connectors.feedlist import same_feed

    feeds = list(feeds)
    for feed in feeds:
        if target in (feed.name, feed.url):
            return feed
    if is_address(target):
        for feed in feeds:
            if same_feed(feed.url) == same_feed(target):
                return feed
    close = difflib.get_close_matches(target, [feed.name for feed in feeds], n=1, cutoff=0.6)
    hint = f" (did you mean {close[0]}?)" if close else " (an address begins with https://)" if "." in target else ""
    raise NotFound(f"no feed {target!r}{hint}")


def is_address(target: str) -> bool:
    return "://" in target


class Filter:
    """Whether a feed is of these countries, languages and kinds."""

    def __init__(self, country: Iterable[str], language: Iterable[str], kind: Iterable[str]) -> None:
        self.countries, self.languages, self.kinds = frozenset(country), frozenset(language), frozenset(kind)

    @property
    def given(self) -> bool:
        return bool(self.countries or self.languages or self.kinds)

    def __call__(self, feed: Feed) -> bool:
        return (
            (not self.countries or feed.country in self.countries)
            and (not self.languages or feed.language in self.languages)
            and (not self.kinds or feed.kind in self.kinds or feed.group in self.kinds)
        )


def chosen(country: list[str] | None, language: list[str] | None, kind: list[str] | None) -> Filter:
    return Filter(map(country_code, country or ()), (word.lower() for word in language or ()), kind or ())


def country_code(text: str) -> str:
    from connectors.feedlist import WORLD

    if text.lower() == WORLD:
        return WORLD
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise typer.BadParameter(f"{text!r} is no code of two letters such as SY, nor {WORLD}", param_hint="--country")
    return text.upper()


def now() -> float:
    return dt.datetime.now(dt.UTC).timestamp()


def iso(moment: float | None) -> str | None:
    return None if moment is None else f"{dt.datetime.fromtimestamp(moment, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def age_words(seconds: float) -> str:
    """45 → "45 s", 7200 → "2 h"; rounded to one unit."""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
