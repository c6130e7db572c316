"""`rasd feeds`: the list of feeds that `rasd run` polls: look, add, remove, exchange."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import (
    FAILED,
    NotFound,
    complain,
    put,
    put_bytes,
    put_json,
    say,
    settings,
    table,
    warn,
)
from pipeline.cli.feedchoice import (
    age_words,
    chosen,
    country_code,
    is_address,
    iso,
    named,
    now,
    own_feeds,
    reports_of,
    state_of,
)
from pipeline.errors import FileError, RasdError

if TYPE_CHECKING:
    from connectors.feedlist import Feed
    from connectors.feedstate import FeedReport
    from connectors.opml import Fault, OpmlList
    from pipeline.cli.online import Online
    from pipeline.config import Config

STDIO = "-"
TOLD = 20  # faults named one by one

Country = Annotated[
    list[str] | None, typer.Option(metavar="XX", help="Two letters such as SY, or world; may be repeated.")
]
Language = Annotated[list[str] | None, typer.Option(metavar="XX", help="A code such as ar; may be repeated.")]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND",
        help="agency, broadcaster, newspaper, online, ngo, un, ministry, party, or a group of your own; feed, sitemap.",
    ),
]
Catalogue = Annotated[bool, typer.Option("--catalogue", help="The packaged catalogue instead of your list.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def list_feeds(
    ctx: typer.Context,
    from_catalogue: Catalogue = False,
    country: Country = None,
    language: Language = None,
    kind: Kind = None,
    as_json: Json = False,
) -> None:
    """List your feeds with their state, or those of the packaged catalogue.

    \b
    Examples:
      rasd feeds list
      rasd feeds list --catalogue --country SY --country IQ --language ar
      rasd feeds list --catalogue --json | jq '.[] | select(.state != null) | [.name, .state]'
    """
    from connectors.feedlist import catalogue

    wanted = chosen(country, language, kind)
    feeds = [feed for feed in (catalogue() if from_catalogue else own_feeds(settings(ctx))) if wanted(feed)]
    if not feeds:
        raise NotFound("no feed of that kind" if wanted.given else f"no feeds in {settings(ctx).feeds.file}")
    reports = {} if from_catalogue else reports_of(settings(ctx))
    if as_json:
        put_json([asdict(feed) | ({} if from_catalogue else _polling(feed, reports)) for feed in feeds])
    elif from_catalogue:
        _put_catalogue(feeds)
    else:
        _put_own(feeds, reports)


def _put_catalogue(feeds: Sequence[Feed]) -> None:
    rows = [(f.name, f.country, f.language, f.group, f.outlet, f.state) for f in feeds]
    for line in table(("name", "country", "lang", "kind", "outlet", "affiliation"), rows):
        put(line)
    say(f"{len(feeds)} feeds; `rasd feeds list --catalogue --json` has their addresses and notes")


def _put_own(feeds: Sequence[Feed], reports: dict[str, FeedReport]) -> None:
    at = now()
    rows = []
    for feed in feeds:
        known = reports.get(feed.url)
        last = age_words(at - known.last_success) if known and known.last_success else ""
        rows.append((feed.name, state_of(feed, known), last, feed.country, feed.language, feed.group, feed.outlet))
    for line in table(("name", "state", "last success", "country", "lang", "kind", "outlet"), rows, right=(2,)):
        put(line)


def _polling(feed: Feed, reports: dict[str, FeedReport]) -> dict[str, Any]:
    known = reports.get(feed.url)
    return {
        "polling": {
            "state": state_of(feed, known),
            "last_success": iso(known.last_success) if known else None,
            "next_poll": iso(known.next_poll) if known else None,
            "error": known.error if known and known.failing else None,
        }
    }


# -- adding ------------------------------------------------------------------------------------------------------------


def add(
    ctx: typer.Context,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="NAME|URL", help="Entries of the catalogue, or addresses.")
    ] = None,
    country: Country = None,
    language: Language = None,
    kind: Kind = None,
    name: Annotated[str | None, typer.Option(help="What to call the feed of an address.")] = None,
    outlet: Annotated[str | None, typer.Option(help="Who publishes the feed of an address.")] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Add addresses as they are, without asking for them.")
    ] = False,
) -> None:
    """Add feeds to your list: by name or all of a kind from the catalogue, or by address.

    An address is asked once: if it is a feed it is added; if it is a page that names one feed, that is added; if it
    names several, they are listed. With addresses, --country, --language and --kind are what is noted of the feed;
    without names or addresses they choose from the catalogue. What is in the list already stays as it is.

    \b
    Examples:
      rasd feeds add --country SY --country LB --language ar
      rasd feeds add aljazeera-ar sohr-ar wafa-ar
      rasd feeds add https://paper.example/ --country YE
    """
    from connectors.feedlist import catalogue

    config = settings(ctx)
    urls = [t for t in targets or () if is_address(t)]
    names = [t for t in targets or () if not is_address(t)]
    given = bool(country or language or kind)
    if not targets and not given:
        raise typer.BadParameter("name feeds or addresses, or choose with --country, --language, --kind")
    if (name or outlet) and len(urls) != 1:
        raise typer.BadParameter("goes with exactly one address", param_hint="--name" if name else "--outlet")
    if given and names:
        raise typer.BadParameter("choose by name or by these options, not both", param_hint="--country")
    if targets:
        feeds = [named(one, catalogue()) for one in names]
        if urls:
            noted = _noted(country, language, kind) | _checked_values({"name": name, "outlet": outlet})
            feeds += _from_addresses(config, urls, noted, unchecked=unchecked)
    else:
        wanted = chosen(country, language, kind)
        feeds = [feed for feed in catalogue() if wanted(feed)]
        if not feeds:
            raise NotFound("the catalogue has no feed of that kind")
    _add(config, feeds)


def _add(config: Config, feeds: Iterable[Feed]) -> None:
    """Adds those that are not there yet, under other names where theirs are taken."""
    from connectors.feedfile import add_feeds
    from connectors.feedlist import Names, same_feed

    path = Path(config.feeds.file)
    known = own_feeds(config, missing_is_empty=True)
    there = {same_feed(feed.url): feed.name for feed in known}
    names = Names(feed.name for feed in known)
    new = []
    for feed in feeds:
        key = same_feed(feed.url)
        if key in there:
            say(f"{there[key]} is in the list already: {feed.url}")
            continue
        if not feed.name or feed.name in names.taken:
            feed = replace(feed, name=names.make(feed.url))
        names.taken.add(feed.name)
        there[key] = feed.name
        new.append(feed)
    add_feeds(path, new)
    for feed in new:
        put(feed.name)
    say(f"{len(new)} added to {path}, which lists {len(known) + len(new)}")


def _noted(country: list[str] | None, language: list[str] | None, kind: list[str] | None) -> dict[str, Any]:
    """What the options say of an address that is added."""
    for option, values in (("--country", country), ("--language", language), ("--kind", kind)):
        if len(values or ()) > 1:
            raise typer.BadParameter("an address has one", param_hint=option)
    said = _first(kind)
    return _checked_values(
        {
            "country": country_code(country[0]) if country else None,
            "language": language[0].lower() if language else None,
            "kind" if said in ("feed", "sitemap") else "group": said,
        }
    )


def _first(values: list[str] | None) -> str | None:
    return values[0] if values else None


def _checked_values(values: dict[str, str | None]) -> dict[str, Any]:
    from connectors.feedlist import check_value

    checked = {}
    for key, value in values.items():
        if value is not None:
            try:
                checked[key] = check_value(key, value)
            except ValueError as e:
                raise typer.BadParameter(str(e), param_hint=f"--{'kind' if key == 'group' else key}") from e
    return checked


def _from_addresses(config: Config, urls: Sequence[str], noted: dict[str, Any], *, unchecked: bool) -> list[Feed]:
    from connectors.feedlist import Feed, check_value
    from pipeline.cli.online import online

    try:
        addresses = [check_value("url", url) for url in urls]
    except ValueError as e:
        raise typer.BadParameter(str(e), param_hint="URL") from e
    if unchecked:
        return [Feed(**({"url": url, "name": ""} | noted)) for url in addresses]

    async def ask(net: Online) -> list[Feed]:
        return [await _discovered(net, url, noted) for url in addresses]

    return online(config, ask)


async def _discovered(net: Online, url: str, noted: dict[str, Any]) -> Feed:
    """The feed at this address, or the one feed that the page there names. Raises: RasdError saying what to do."""
    from connectors.feedlist import Feed
    from pipeline.cli.feedpoll import look

    seen = await look(net, url, noted.get("kind", "feed"))
    if seen.feed is not None or seen.index is not None:
        kind = "sitemap" if seen.is_sitemap else "feed"
        title = seen.feed.title if seen.feed else None
        language = seen.feed.language if seen.feed else None
        learnt = {"outlet": _tidy(title), "language": _fits("language", language), "kind": kind}
        return Feed(**({"name": "", **learnt, "url": seen.moved_to or url} | noted))
    offered = [found for found in seen.offered if not found.comments]
    if len(offered) == 1:
        say(f"{url} is a page; its feed is {offered[0].url}")
        return await _discovered(net, offered[0].url, noted)
    if offered:
        listed = "\n".join(f"  {found.url}" + (f"  {found.title}" if found.title else "") for found in offered)
        put(listed_safely(listed))
        raise RasdError(f"{url} is a page that names {len(offered)} feeds: add the one you want", reason="several")
    hint = "; --unchecked adds an address as it is" if seen.failure else ""
    raise RasdError(f"{seen.failure or seen.unusable or 'no feed there'}{hint}", reason="no-feed")


def listed_safely(text: str) -> str:
    from pipeline.telemetry import escape

    return escape(text, newlines=True)


def _tidy(text: str | None) -> str | None:
    """A title of somebody else's as an outlet's name; None if it cannot be one."""
    return _fits("outlet", " ".join((text or "").split())[:100])


def _fits(key: str, value: str | None) -> str | None:
    from connectors.feedlist import check_value

    try:
        return check_value(key, value) if value else None
    except ValueError:
        return None


# -- removing and exchanging -------------------------------------------------------------------------------------------


def remove(
    ctx: typer.Context,
    targets: Annotated[list[str], typer.Argument(metavar="NAME|URL", help="As `rasd feeds list` shows them.")],
) -> None:
    """Take feeds off your list; comments around them stay. What was fetched stays as well.

    \b
    Examples:
      rasd feeds remove rt-ar
      rasd feeds remove https://paper.example/rss
    """
    from connectors.feedfile import remove_feeds

    config = settings(ctx)
    feeds = own_feeds(config)
    gone = {named(target, feeds).name for target in targets}
    remove_feeds(Path(config.feeds.file), gone)
    say(f"{len(gone)} removed, {len(feeds) - len(gone)} left in {config.feeds.file}")


def import_opml(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An OPML file; - reads standard input.")],
) -> None:
    """Add the feeds of an OPML file, as feed readers export it, to your list.

    Folders become groups. Feeds that the list has already stay as they are there. What cannot be used is told on
    stderr, the rest is imported, and the exit code is 1.

    \b
    Example:
      rasd feeds import subscriptions.opml
    """
    from connectors.opml import LARGEST, read_opml

    config = settings(ctx)
    with sys.stdin.buffer if file == STDIO else Path(file).open("rb") as source:
        data = source.read(LARGEST + 1)
    where = "<stdin>" if file == STDIO else file
    found = read_opml(data, where, (feed.name for feed in own_feeds(config, missing_is_empty=True)))
    if not found.feeds and not found.faults:
        raise NotFound(f"{where}: no feeds in it")
    _tell(where, found)
    _add(config, found.feeds)
    if found.faults:
        raise typer.Exit(FAILED)


def _tell(where: str, found: OpmlList) -> None:
    def tell(faults: Sequence[Fault], loud: Callable[[str], None]) -> None:
        for fault in faults[:TOLD]:
            loud(str(FileError(where, fault.line, fault.what)))
        if len(faults) > TOLD:
            loud(f"{where}: {len(faults) - TOLD:,} more like these")

    tell(found.faults, complain)
    tell(found.twice, warn)


def export_opml(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; standard output if none is named.")] = STDIO,
    from_catalogue: Catalogue = False,
    country: Country = None,
    language: Language = None,
    kind: Kind = None,
) -> None:
    """Write your feeds as OPML, for feed readers or another machine; `rasd feeds import` reads all of it again.

    \b
    Examples:
      rasd feeds export feeds.opml
      rasd feeds export --catalogue --country SD > sudan.opml
    """
    from connectors.feedfile import write_whole
    from connectors.feedlist import catalogue
    from connectors.opml import write_opml

    wanted = chosen(country, language, kind)
    feeds = [feed for feed in (catalogue() if from_catalogue else own_feeds(settings(ctx))) if wanted(feed)]
    if not feeds:
        raise NotFound("no feed of that kind")
    data = write_opml(feeds)
    if file == STDIO:
        put_bytes(data.rstrip(b"\n"))
        return
    write_whole(Path(file), data)
    say(f"{len(feeds)} feeds written to {file}")
