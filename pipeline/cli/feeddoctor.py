"""`rasd feeds doctor` and `revive`: how the feeds of the list have fared, and another chance for those given up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import FAILED, NotFound, put, put_json, say, settings, table
from pipeline.cli.feedchoice import age_words, iso, named, now, own_feeds, reports_of, state_of
from pipeline.cli.tail import style_of_stdout
from pipeline.errors import RasdError
from pipeline.telemetry import escape

if TYPE_CHECKING:
    from connectors.feedlist import Feed
    from connectors.feedstate import FeedReport

TROUBLE = 3  # failures in a row from which on a feed is in trouble; one or two happen to every server

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def doctor(
    ctx: typer.Context,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="NAME|URL", help="Only these feeds of your list.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how each feed of your list has fared: last success, interval, 304 answers, items a day, failures and why.

    Exit code 1 if a feed is in trouble: retired, gone, or failing three times in a row or more.

    \b
    Examples:
      rasd feeds doctor
      rasd feeds doctor --json | jq '.[] | select(.trouble) | [.name, .state, .error]'
    """
    config = settings(ctx)
    feeds = own_feeds(config)
    if targets:
        feeds = [named(target, feeds) for target in targets]
    reports = reports_of(config)
    if as_json:
        put_json([_fared_json(feed, reports.get(feed.url)) for feed in feeds])
    else:
        _put_fared(feeds, reports)
    if any(in_trouble(feed, reports.get(feed.url)) for feed in feeds):
        raise typer.Exit(FAILED)


def revive(
    ctx: typer.Context,
    targets: Annotated[list[str], typer.Argument(metavar="NAME|URL", help="Feeds of your list.")],
) -> None:
    """Poll feeds again that were retired or are gone: at the next run, with a clean slate. Not while one is running.

    \b
    Example:
      rasd feeds revive wafa-ar && rasd run
    """
    from connectors.feedstate import FILE, FeedState
    from pipeline.runtimes.local import runner_lock

    config = settings(ctx)
    feeds = [named(target, own_feeds(config)) for target in targets]
    known = reports_of(config)
    if unknown := [feed.name for feed in feeds if feed.url not in known]:
        raise NotFound(f"never polled yet: {', '.join(unknown)}")
    with runner_lock(config.data_dir) as alone:
        if not alone:
            raise RasdError(f"a run of {config.data_dir} is under way: stop it first", reason="running")
        state = FeedState(config.data_dir / FILE)
        try:
            for feed in feeds:
                state.revive(feed.url)
        finally:
            state.close()
    say(f"{len(feeds)} will be polled at once when `rasd run` starts")


def in_trouble(feed: Feed, known: FeedReport | None) -> bool:
    return feed.enabled and known is not None and (known.state in ("retired", "gone") or known.failing >= TROUBLE)


def _put_fared(feeds: Sequence[Feed], reports: dict[str, FeedReport]) -> None:
    head = ("name", "state", "last success", "every", "next poll", "304", "items/day", "failures")
    rows = [_fared(feed, reports.get(feed.url)) for feed in feeds]
    for line in table(head, rows, right=range(2, 8)):
        put(line)
    style = style_of_stdout()
    for feed in feeds:
        for remark in _remarks(feed, reports.get(feed.url)):
            put(f"{style.bold(escape(feed.name))}: {style.text(remark)}")
    unlisted = len(reports.keys() - {feed.url for feed in feeds})
    polled = sum(feed.url in reports for feed in feeds)
    more = f"; {unlisted} feeds are remembered that are not shown here" if unlisted else ""
    say(f"{len(feeds)} feeds, {polled} polled so far{more}")


def _fared(feed: Feed, known: FeedReport | None) -> tuple[object, ...]:
    if known is None:
        return (feed.name, state_of(feed, known), *[""] * 6)
    at = now()
    return (
        feed.name,
        state_of(feed, known),
        age_words(at - known.last_success) if known.last_success else "never",
        age_words(known.interval) if known.interval else "",
        _next_words(known.next_poll, at) if feed.enabled else "",
        "" if known.not_modified is None else f"{known.not_modified:.0%}",
        "" if known.items_a_day is None else f"{known.items_a_day:.1f}",
        sum(known.failures.values()) or "",
    )


def _next_words(next_poll: float | None, at: float) -> str:
    """None: at once, as after `rasd feeds revive`."""
    return "now" if next_poll is None or next_poll <= at else age_words(next_poll - at)


def _remarks(feed: Feed, known: FeedReport | None) -> Iterator[str]:
    """What a person should know beside the numbers."""
    if known is None:
        return
    if known.state in ("retired", "gone"):
        yield f"{known.state}: {known.reason or 'no reason given'} (`rasd feeds revive {feed.name}` polls it again)"
    if known.failing:
        since = f" for {age_words(now() - known.failing_since)}" if known.failing_since else ""
        yield f"failing{since}, {_times(known.failing)}: {known.error or 'no reason given'}"
    if known.failures and (known.failing or known.state in ("retired", "gone")):
        counted = sorted(known.failures.items(), key=lambda pair: (-pair[1], pair[0]))
        yield "failures ever: " + ", ".join(f"{reason} {count}" for reason, count in counted)
    if known.address != feed.url:
        yield f"has moved for good: list it as {known.address}"
    if known.validators.startswith("stale"):
        yield f"its validators are not used ({known.validators})"
    if known.overruns:
        yield f"{known.overruns} polls found nothing known left: items may have been missed between them"
    if known.hub_state in ("denied",):
        yield f"its hub refused a subscription: {known.hub}"


def _times(failures: int) -> str:
    return "once" if failures == 1 else f"{failures} times in a row"


_TIMES = ("first_poll", "last_poll", "last_success", "last_change", "next_poll", "failing_since")


def _fared_json(feed: Feed, known: FeedReport | None) -> dict[str, Any]:
    out: dict[str, Any] = {"name": feed.name, "url": feed.url, "outlet": feed.outlet}
    if known is not None:
        out |= asdict(known) | {key: iso(getattr(known, key)) for key in _TIMES}
    return out | {
        "state": state_of(feed, known),
        "enabled": feed.enabled,
        "trouble": in_trouble(feed, known),
        "remarks": list(_remarks(feed, known)),
    }
