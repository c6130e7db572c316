"""`rasd feeds test`: what a poll of a feed would see."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import FAILED, put, put_json, settings, size_words
from pipeline.cli.feedchoice import named_feed
from pipeline.cli.tail import style_of_stdout
from pipeline.errors import RasdError
from pipeline.telemetry import escape

if TYPE_CHECKING:
    from connectors.feedlist import Feed
    from connectors.responses import Kind, Response
    from connectors.sources.discovery import FoundFeed
    from connectors.sources.entries import ParsedFeed
    from connectors.sources.sitemaps import SitemapIndex
    from pipeline.cli.online import Online
    from pipeline.records import Entry

SHOWN = 5  # entries of a feed that are shown

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@dataclass(slots=True)
class Seen:
    """What one request for a feed brought.

    failure: why there is no answer of use. unusable: why the answer is no feed. offered: feeds that it names as a page.
    """

    url: str
    response: Response | None = None
    delay: float | None = None
    failure: str | None = None
    unusable: str | None = None
    feed: ParsedFeed | None = None
    index: SitemapIndex | None = None
    offered: list[FoundFeed] = field(default_factory=list)

    @property
    def moved_to(self) -> str | None:
        return self.response.moved_to if self.response else None

    @property
    def is_sitemap(self) -> bool:
        return self.index is not None or (self.feed is not None and "sitemap" in self.feed.dialect)


async def look(net: Online, url: str, kind: Kind) -> Seen:
    """Polls an address once, without validators and without remembering anything."""
    import datetime as dt

    from connectors.responses import FetchFailed
    from connectors.sources.discovery import find_feeds
    from connectors.sources.parse import parse_source
    from connectors.sources.sitemaps import SitemapIndex

    seen = Seen(url)
    try:
        seen.response = response = await net.get(url, kind)
        seen.delay = (await net.client.robots(response.url)).delay
    except FetchFailed as e:
        seen.failure = f"{e.reason}: {e}"
        return seen
    if response.status != 200:
        seen.failure = f"{response.url} answered {response.status} {response.reason}".rstrip()
        return seen
    parse = functools.partial(parse_source, latest=response.fetched + dt.timedelta(days=1))
    try:
        found = await net.read(parse, response.body, response.url, response.charset, kind)
    except RasdError as e:
        seen.unusable = f"{e.reason}: {e}"
        seen.offered = await net.read(find_feeds, response.body, response.url, response.charset)
        return seen
    if isinstance(found, SitemapIndex):
        seen.index = found
    else:
        seen.feed = found
    return seen


def try_feed(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="NAME|URL", help="Of your list, of the catalogue, or an address.")],
    entries: Annotated[int, typer.Option("--entries", "-n", min=0, help="How many entries to show.")] = SHOWN,
    as_json: Json = False,
) -> None:
    """Poll a feed once and show what `rasd run` would see; nothing is remembered. Exit code 1 if it is of no use.

    \b
    Examples:
      rasd feeds test sana-ar
      rasd feeds test https://paper.example/rss --json | jq .problems
    """
    from pipeline.cli.online import online

    config = settings(ctx)
    known = named_feed(target, config)
    url = known.url if known else target
    seen = online(config, lambda net: look(net, url, known.kind if known else "feed"))
    problems = list(_problems(seen, known))
    if as_json:
        put_json(_as_json(seen, problems))
    else:
        for line in _report(seen, problems, entries):
            put(line)
    if seen.feed is None and seen.index is None:
        raise typer.Exit(FAILED)


def _problems(seen: Seen, known: Feed | None) -> Iterator[str]:
    """What a person would want to know, the worst first."""
    if seen.failure:
        yield seen.failure
    if seen.unusable:
        yield f"not a feed ({seen.unusable})"
        if seen.offered:
            yield "it is a page that names feeds"
    if seen.moved_to and not seen.failure:
        yield f"moved for good: list it as {seen.moved_to}"
    if seen.feed is not None:
        yield from _problems_of_entries(seen.feed)
        if known is not None and known.kind == "feed" and seen.is_sitemap:
            yield 'it is a sitemap: note kind = "sitemap"'
    if seen.response is not None and (seen.feed or seen.index):
        if not _validators(seen.response):
            yield "no ETag and no Last-Modified: every poll reads it whole"
        if seen.response.url.startswith("http:"):
            yield "not encrypted (http)"


def _problems_of_entries(feed: ParsedFeed) -> Iterator[str]:
    count = len(feed.entries)
    if not count:
        yield "no entries"
        return
    for what, missing in (
        ("state no time", sum(e.published is None for e in feed.entries)),
        ("have no address of their own", sum(e.url is None for e in feed.entries)),
        ("have no title", sum(e.title is None for e in feed.entries)),
    ):
        if missing:
            yield f"{missing} of {count} entries {what}"
    if feed.skipped:
        yield f"{feed.skipped} entries beyond what is read, or unreadable"


def _validators(response: Response) -> dict[str, str]:
    found = {"etag": response.header("etag"), "last_modified": response.header("last-modified")}
    return {key: value for key, value in found.items() if value}


def _report(seen: Seen, problems: Sequence[str], entries: int) -> Iterator[str]:
    style = style_of_stdout()

    def row(name: str, value: object) -> str:
        return f"  {style.dim(f'{name:<10}')} {style.text(str(value))}"

    yield style.bold(escape(seen.url))
    if (response := seen.response) is not None:
        yield row("status", f"{response.status} {response.reason}".rstrip())
        for hop in response.hops:
            yield row("redirect", f"{hop.status} {hop.url} -> {hop.location}")
        yield row("type", response.header("content-type") or "not stated")
        yield row("size", f"{size_words(len(response.raw))} sent, {size_words(len(response.body))} unpacked")
        said = [f"{key.replace('_', '-')} {value}" for key, value in _validators(response).items()]
        yield row("validators", ", ".join(said) or "none")
        caching = [v for name in ("cache-control", "expires") if (v := response.header(name))]
        yield row("caching", "; ".join(caching) or "nothing said")
        yield row("robots", "allowed" + (f", {seen.delay:g} s between requests" if seen.delay else ""))
    if (feed := seen.feed) is not None:
        yield row("dialect", feed.dialect)
        about = [feed.title, feed.language, f"asks for {feed.ttl_seconds / 60:g} min" if feed.ttl_seconds else None]
        yield row("feed", ", ".join(word for word in about if word) or "no title")
        if feed.hub:
            yield row("hub", feed.hub)
        yield row("entries", _entries_words(feed))
        for entry in feed.entries[:entries]:
            day = f"{entry.published:%Y-%m-%d %H:%M}" if entry.published else "undated         "
            text = f"{len(entry.body):,} letters{' of summary' if entry.partial else ''}"
            yield f"    {day}  {style.text(entry.title or '(no title)')}"
            yield f"      {style.dim(text)}  {style.text(entry.url)}"
    if seen.index is not None:
        yield row("dialect", seen.index.dialect)
        yield row("sitemaps", len(seen.index.children))
        for child in seen.index.children[:entries]:
            yield f"    {style.text(child.url)}"
    for found in seen.offered:
        title = f"  {style.text(found.title)}" if found.title else ""
        yield row("names", found.url) + title
    for problem in problems:
        yield row("problem", problem)


def _entries_words(feed: ParsedFeed) -> str:
    times = sorted(entry.published for entry in feed.entries if entry.published)
    span = f", {times[0]:%Y-%m-%d %H:%M} to {times[-1]:%Y-%m-%d %H:%M} UTC" if times else ""
    partial = sum(entry.partial for entry in feed.entries)
    return f"{len(feed.entries)}{span}, {partial} with a summary only"


def _as_json(seen: Seen, problems: Sequence[str]) -> dict[str, Any]:
    response, feed = seen.response, seen.feed
    out: dict[str, Any] = {"url": seen.url, "ok": feed is not None or seen.index is not None, "problems": problems}
    if response is not None:
        out |= {
            "status": response.status,
            "address": response.url,
            "redirects": [asdict(hop) for hop in response.hops],
            "moved_to": seen.moved_to,
            "content_type": response.header("content-type"),
            "charset": response.charset,
            "bytes": len(response.raw),
            "unpacked": len(response.body),
            "validators": _validators(response),
            "cache_control": response.header("cache-control"),
            "robots_delay": seen.delay,
        }
    if feed is not None:
        out |= {
            "dialect": feed.dialect,
            "title": feed.title,
            "language": feed.language,
            "ttl_seconds": feed.ttl_seconds,
            "hub": feed.hub,
            "self_url": feed.self_url,
            "skipped": feed.skipped,
            "entries": [_entry_json(entry) for entry in feed.entries],
        }
    if seen.index is not None:
        out |= {"dialect": seen.index.dialect, "sitemaps": [child.url for child in seen.index.children]}
    if seen.offered:
        out["offered"] = [asdict(found) for found in seen.offered]
    return out


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "title": entry.title,
        "url": entry.url,
        "published": entry.published,
        "updated": entry.updated,
        "language": entry.language,
        "author": entry.author,
        "section": entry.section,
        "letters": len(entry.body),
        "partial": entry.partial,
    }
