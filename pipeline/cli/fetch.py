"""`rasd fetch`: one article through the whole chain, from the socket to its events."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import brokers, put, put_json, say, settings, size_words, the_log, warn
from pipeline.cli.tail import put_block, style_of_stdout
from pipeline.errors import RasdError, Unusable

if TYPE_CHECKING:
    from connectors.responses import Response
    from pipeline.cli.online import Online
    from pipeline.config import Config
    from pipeline.records import Article, Entry

HEAD = 600  # code points of the text that are shown
ACKNOWLEDGED_SECONDS = 30.0  # for brokers to take an article


@dataclass(frozen=True, slots=True)
class Fetched:
    """An article with the answer that it was read from; `instead` says why it is the feed's text and not the page's."""

    article: Article
    response: Response | None
    instead: str | None = None


def fetch(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of an article.")],
    feed: Annotated[
        str | None,
        typer.Option(metavar="NAME|URL", help="Join what this feed says of it; its text stands in if the page fails."),
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="Keep the raw answer in the archive, and hand the article to the flow."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Fetch one article and show what becomes of it: its fields, the beginning of its text, the events in it.

    Nothing is compared with other articles and nothing is remembered, unless --save is given.

    \b
    Examples:
      rasd fetch https://paper.example/2026/03/14/strike
      rasd fetch https://paper.example/2026/03/14/strike --feed https://paper.example/rss
      rasd fetch https://paper.example/2026/03/14/strike --json | jq '.records[] | select(.kind == "event")'
    """
    from pipeline.cli.extract import event_reader
    from pipeline.cli.online import online
    from pipeline.wire import encode

    config = settings(ctx)
    found = online(config, lambda net: _fetched(net, url, feed, save=save))
    if found.instead:
        warn(f"the feed's text stands in for the page ({found.instead})")
    if save:
        _hand_on(ctx, config, found.article)
    records = event_reader(ctx)(found.article)
    if as_json:
        import orjson

        put_json(
            {
                "response": found.response and _response_json(found.response),
                "instead": found.instead,
                "article": orjson.loads(encode(found.article)),
                "records": [orjson.loads(value) for _, value in records],
            }
        )
        return
    _show(found)
    _show_records([value for _, value in records])


# -- fetching ----------------------------------------------------------------------------------------------------------


async def _fetched(net: Online, url: str, feed: str | None, *, save: bool) -> Fetched:
    """Raises: RasdError whose text begins with the reason."""
    from connectors.sources.pages import entry_article

    entry = await _entry(net, url, feed) if feed else None
    try:
        return await _page(net, url, entry, save=save)
    except RasdError as e:
        why = f"{e.reason}: {e}"
        if entry is None or not entry.body.strip():
            raise RasdError(why, reason=e.reason) from e
        return Fetched(entry_article(entry), None, why)


async def _page(net: Online, url: str, entry: Entry | None, *, save: bool) -> Fetched:
    from connectors.clean import clean_page
    from connectors.deadends import dead_end, refresh_target
    from connectors.sources.pages import page_article
    from connectors.warc import WarcWriter
    from pipeline.runtimes.ingest import ARCHIVE

    response = _good(await net.get(url, "page"))
    if (to := refresh_target(response)) is not None:
        response = _good(await net.get(to, "page"))
    archive = None
    if save:
        writer = WarcWriter(net.config.data_dir / ARCHIVE, net.config.warc, clock=net.clock)
        try:
            archive = await writer.keep(response, "page", entry)
        finally:
            await writer.close()
    if reason := dead_end(url, response):
        raise Unusable(f"{response.url} is no article", reason=reason)
    try:
        page = await net.read(clean_page, response.body, response.url, response.charset)
    except RasdError as e:
        raise Unusable(f"{response.url}: {e}", reason=e.reason) from e
    return Fetched(page_article(page, response.url, response.fetched, archive, entry), response)


def _good(response: Response) -> Response:
    if response.status == 200:
        return response
    reason = {404: "not-found", 410: "gone", 429: "rate-limited"}.get(response.status, "status")
    raise Unusable(f"{response.url} answered {response.status} {response.reason}".rstrip(), reason=reason)


async def _entry(net: Online, url: str, target: str) -> Entry:
    """What the feed says of this article, as `rasd run` would hand it on. Raises: RasdError."""
    from connectors.feedlist import Feed
    from connectors.urls import canonical_url
    from pipeline.cli.feedchoice import named_feed
    from pipeline.cli.feedpoll import look

    feed = named_feed(target, net.config) or Feed(url=target, name="")
    seen = await look(net, feed.url, feed.kind)
    if seen.feed is None or seen.response is None:
        raise RasdError(seen.failure or seen.unusable or f"{feed.url}: a list of sitemaps", reason="no-feed")
    wanted = canonical_url(url)
    for entry in seen.feed.entries:
        if wanted is not None and canonical_url(entry.url) == wanted:
            return replace(
                entry,
                feed=feed.url,
                outlet=feed.outlet or entry.outlet,
                language=entry.language or feed.language,
                seen=seen.response.fetched,
            )
    raise Unusable(f"{feed.url} does not announce {url} now", reason="not-announced")


def _hand_on(ctx: typer.Context, config: Config, article: Article) -> None:
    from pipeline.records import Reject
    from pipeline.runtimes.turns import append_found, encoded

    record, value = encoded(article, config.log.max_record_bytes)
    if (cluster := brokers(ctx)) is not None:
        from pipeline.log.kafka.producer import Producer

        with Producer(cluster) as producer:
            producer.send_records([(record, value)])
            producer.flush(ACKNOWLEDGED_SECONDS)
    else:
        with the_log(ctx, readonly=False) as log, log.transaction():
            append_found(log, [(record, value)])
    if isinstance(record, Reject):
        warn(f"it went to rejects: {record.error}")
    elif cluster is not None:
        say(f"handed to the workers on {config.kafka.servers}")
    else:
        say(f"handed to the next run of {config.data_dir}")


# -- showing -----------------------------------------------------------------------------------------------------------


def _response_json(response: Response) -> dict[str, Any]:
    return {
        "status": response.status,
        "url": response.url,
        "redirects": [asdict(hop) for hop in response.hops],
        "content_type": response.header("content-type"),
        "charset": response.charset,
        "bytes": len(response.raw),
        "unpacked": len(response.body),
        "fetched": response.fetched,
    }


def _show(found: Fetched) -> None:
    from pipeline.cli.pretty import block

    style = style_of_stdout()
    article, response = found.article, found.response
    for line in block(article, style):
        put(line)
    rows: list[tuple[str, object]] = [
        ("page", article.canonical_url),
        ("by", article.author),
        ("section", article.section),
        ("dated by", article.published_basis),
        ("updated", f"{article.updated:%Y-%m-%d %H:%M} UTC" if article.updated else None),
        ("hash", article.content_hash),
    ]
    if response is not None:
        rows += [("redirect", f"{hop.status} {hop.url} -> {hop.location}") for hop in response.hops]
        sizes = f"{size_words(len(response.raw))} sent, {size_words(len(response.body))} unpacked"
        rows.append(("answer", f"{response.status}, {response.header('content-type') or 'no type'}, {sizes}"))
    if article.archive is not None:
        rows.append(("archive", f"{article.archive.file} at {article.archive.offset}"))
    for name, value in rows:
        if value:
            put(f"  {style.dim(f'{name:<8}')} {style.text(str(value))}")
    put()
    for paragraph in article.body[:HEAD].split("\n"):
        put(f"  {style.text(paragraph)}")
    if len(article.body) > HEAD:
        put(f"  {style.dim(f'... {len(article.body):,} letters in all')}")
    put()


def _show_records(values: list[bytes]) -> None:
    from pipeline.wire import decode_coded

    style = style_of_stdout()
    for value in values:
        put_block(decode_coded(value), style)
