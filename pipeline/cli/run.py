"""`rasd run`: polls the feeds and runs all stages, until stopped."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import of, put_json, say, settings, warn
from pipeline.cli.online import listed_feeds, pages_json

if TYPE_CHECKING:
    from connectors.feedlist import Feed
    from pipeline.config import Config
    from pipeline.pool import Pool
    from pipeline.runtimes.embedded import Counts
    from pipeline.runtimes.ingest import Ingest
    from pipeline.runtimes.live import Live


def run(
    ctx: typer.Context,
    feeds: Annotated[Path | None, typer.Option(help="The list of feeds, instead of the setting feeds.file.")] = None,
    poll: Annotated[bool, typer.Option("--poll/--no-poll", help="Whether to poll feeds at all.")] = True,
    once: Annotated[bool, typer.Option("--once", help="Poll each feed once; end when all have caught up.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON when it ends.")] = False,
) -> None:
    """Poll the feeds, fetch what they announce and run all stages until stopped (Ctrl-C or SIGTERM: the batch under way
    is finished first).

    Without a list of feeds it runs the stages alone. It also takes up whatever another `rasd replay` or `rasd rejects
    redrive` of the same folder adds to the log.

    Examples:

      rasd feeds add --country SY && rasd run

      rasd run --once --json

      rasd run --no-poll --once --data archive-2018
    """
    from pipeline.runtimes.local import run_flow

    config = settings(ctx)
    if config.kafka.servers:
        warn("kafka.servers is set, and this runs without: on Kafka run `rasd poller`, `fetcher`, `worker` and `sink`")
    listed = listed_feeds(config, feeds) if poll else []
    say(f"{_what(listed)} over {config.data_dir}; stop with Ctrl-C")
    begin = time.monotonic()
    quiet = of(ctx).verbosity < 0
    with _source(config, listed, once) as (source, ingest), _display(ingest, quiet=quiet) as watch:
        counts, stopped = run_flow(config, source, follow=not once, watch=watch)
    seconds = time.monotonic() - begin
    if json:
        put_json(_as_dict(counts, seconds, stopped, ingest))
    else:
        for line in _summary(counts, seconds, ingest):
            say(line)


def _what(listed: list[Feed]) -> str:
    return f"polling {len(listed):,} feeds and running all stages" if listed else "running all stages"


@contextmanager
def _source(
    config: Config, listed: list[Feed], once: bool
) -> Iterator[tuple[Callable[[Pool, threading.Event], Live] | None, Ingest | None]]:
    """What makes the live source, and what it will run; neither without feeds."""
    if not listed:
        yield None, None
        return
    from connectors.clock import SystemClock
    from pipeline.runtimes.ingest import Ingest, new_loop
    from pipeline.runtimes.live import Live, rarely_collect
    from pipeline.runtimes.reading import reading_pool

    with ExitStack() as stack:
        reading = reading_pool(config)
        stack.callback(reading.close)
        rarely_collect()
        ingest = Ingest(config, listed, reading, SystemClock(), once=once)
        yield lambda pool, stop: Live(ingest, new_loop=new_loop), ingest


# -- what is seen while it runs ---------------------------------------------------------------------------------------


@contextmanager
def _display(ingest: Ingest | None, *, quiet: bool) -> Iterator[Callable[[Counts], None]]:
    """A function that shows how things stand: lines that renew themselves, on a terminal only, and not with -q."""
    if ingest is None or quiet or not sys.stderr.isatty():
        yield lambda counts: None
        return
    from rich.console import Console
    from rich.live import Live as Lines
    from rich.text import Text

    from pipeline.telemetry import speaking_through

    shown = 0.0
    with (
        Lines(console=Console(stderr=True), auto_refresh=False, transient=True) as lines,
        speaking_through(sys.stderr),  # which is the display's own while it stands
    ):

        def look(counts: Counts) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= 0.5:
                shown = now
                lines.update(Text("\n".join(status(counts, ingest))), refresh=True)

        yield look


def status(counts: Counts, ingest: Ingest) -> Iterator[str]:
    """How things stand, in three lines."""
    polls = ingest.poller.counts if ingest.poller else {}
    answered = polls.get("polls", 0) - polls.get("failed", 0)
    share = f"{polls.get('unmodified', 0) / answered:.0%} not modified" if answered else "none answered yet"
    yield f"feeds     {polls.get('polls', 0):,} polls, {share}, {polls.get('failed', 0):,} failed"
    if ingest.fetcher is not None:
        pages = ingest.fetcher.counts
        yield (
            f"pages     {pages.requests:,} read, {pages.unchanged:,} unchanged, {pages.failures.total():,} failed;"
            f" {counts.entries:,} entries announced"
        )
    yield (
        f"articles  {counts.read - counts.source_rejects:,} in: {counts.outputs:,} read, "
        f"{counts.duplicates.total():,} repeat others, {counts.rejects.total():,} rejects; "
        f"{counts.records['event']:,} events, {counts.records['toll']:,} tolls"
    )


def _summary(counts: Counts, seconds: float, ingest: Ingest | None) -> Iterator[str]:
    from pipeline.cli.replay import summary

    if ingest is not None:
        yield from list(status(counts, ingest))[:-1]
    yield from summary(counts, seconds)


def _as_dict(counts: Counts, seconds: float, stopped: bool, ingest: Ingest | None) -> dict[str, Any]:
    from pipeline.cli.replay import counts_as_dict

    out = counts_as_dict(counts, seconds, stopped)
    if ingest is not None and ingest.poller is not None and ingest.fetcher is not None:
        out["polls"] = dict(sorted(ingest.poller.counts.items()))
        out["pages"] = pages_json(ingest.fetcher.counts)
    return out
