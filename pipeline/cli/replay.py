"""`rasd replay`: archived articles through the whole flow."""

from __future__ import annotations

import datetime as dt
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import put, put_json, say, settings, warn
from pipeline.errors import RasdError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from connectors.clean import Page
    from connectors.sources.archives import Archive, Options
    from pipeline.config import Config
    from pipeline.pool import Pool
    from pipeline.runtimes.embedded import Counts
    from pipeline.runtimes.kafka.replaying import Published
    from pipeline.runtimes.turns import Found, Source


class To(StrEnum):
    log = "log"
    kafka = "kafka"


def replay(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files or folders: WARC(.gz), JSONL(.gz/.zst), .txt, .html, feeds."),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="The packaged example archive, instead of a PATH.")
    ] = False,
    since: Annotated[str | None, typer.Option(help="Only articles published at or after this date or time.")] = None,
    until: Annotated[str | None, typer.Option(help="Only articles published before this date or time.")] = None,
    outlet: Annotated[list[str] | None, typer.Option(help="Only articles of this outlet (may be repeated).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many articles.")] = None,
    speed: Annotated[
        str | None, typer.Option(metavar="Nx", help="Replay N times as fast as it was published, e.g. 60x.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="Where the file calls an article's field by another name."),
    ] = None,
    published: Annotated[str | None, typer.Option(help="Publication time of texts that carry none.")] = None,
    language: Annotated[str | None, typer.Option(help="Language of texts that do not say (else recognised).")] = None,
    to: Annotated[
        To | None,
        typer.Option(
            help="Where to: Kafka, for the workers, or the local log. Default: kafka if kafka.servers is set."
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="With Kafka: end only when the workers have taken everything up.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Replay archived articles through dedupe, extraction and the sinks; or publish them to Kafka, where workers do it.

    The format follows from the file's suffix, compression from its content; folders are read in the order of their
    file names. The same archive gives the same bytes. An interrupted replay goes on where it stopped; one that was
    finished adds nothing when repeated: dedupe knows its articles.

    Examples:

      rasd replay archive.jsonl.gz

      rasd replay saved-pages/ notes/ --published 2018-03-17

      rasd replay rasd-data/archive/

      rasd replay dump.jsonl --field body=content --field published=date --speed 60x

      rasd replay archive.jsonl.gz --to kafka --wait
    """
    from connectors.sources.archives import Options

    begin, end = _moment("--since", since), _moment("--until", until)
    if begin and end and begin >= end:
        raise typer.BadParameter(f"{since} is not before {until}: nothing lies between", param_hint="--since")
    options = Options(
        since=begin,
        until=end,
        outlets=frozenset(outlet or ()),
        limit=limit,
        fields=read_fields(field or []),
        published=_moment("--published", published),
        language=language,
        max_bytes=settings(ctx).log.max_record_bytes,
    )
    config, archives, pace = settings(ctx), _archives(paths, example), _speed(speed)
    if (to or (To.kafka if config.kafka.servers else To.log)) is To.kafka:
        if not config.kafka.servers:
            raise typer.BadParameter("no broker is named: set RASD_KAFKA_SERVERS or kafka.servers", param_hint="--to")
        what, stopped, seconds = publish_archive(config, archives, options, pace, wait=wait)
        report_published(what, seconds, stopped, config, json)
    else:
        counts, stopped, seconds = run_archive(config, archives, options, pace)
        report(counts, seconds, stopped, config, json)


def _archives(paths: list[Path] | None, example: bool) -> list[Path]:
    """What is replayed. Raises: typer.BadParameter if it is not said, or said twice."""
    from pipeline.cli.demo import packaged_archive

    if bool(paths) == example:
        raise typer.BadParameter("name files or folders, or --example for the packaged archive", param_hint="PATH")
    return paths or [packaged_archive()]


def run_archive(
    config: Config,
    paths: list[Path],
    options: Options,
    speed: float | None = None,
    watch: Callable[[Counts], None] = lambda counts: None,
) -> tuple[Counts, bool, float]:
    """Replays an archive with a progress bar on a terminal. Returns the counts, whether it was stopped, the seconds."""
    from pipeline.runtimes.local import run_flow

    begin = time.monotonic()
    with _reading(config, paths, options, speed) as (source, look):

        def both(counts: Counts) -> None:
            look(counts.ended)
            watch(counts)

        counts, stopped = run_flow(config, lambda pool, stop: source(stop), watch=both)
    return counts, stopped, time.monotonic() - begin


def publish_archive(
    config: Config, paths: list[Path], options: Options, speed: float | None = None, *, wait: bool = False
) -> tuple[Published, bool, float]:
    """Publishes an archive to Kafka, with a progress bar on a terminal. Returns what was published, whether it was
    stopped, the seconds that publishing took, or with `wait` all of it."""
    from pipeline.runtimes.kafka.replaying import publish_source

    begin = time.monotonic()
    with _reading(config, paths, options, speed) as (source, look):
        published, stopped = publish_source(config, source, wait=wait, watch=lambda p: look(p.read))
    return published, stopped, time.monotonic() - begin


@contextmanager
def _reading(
    config: Config, paths: list[Path], options: Options, speed: float | None
) -> Iterator[tuple[Callable[[threading.Event], Source], Callable[[int], None]]]:
    """The archive as a source, made when told what stops it, and a function that shows how many articles are done."""
    from connectors.sources.archives import Archive
    from pipeline.runtimes.reading import reading_pool

    reading = reading_pool(config)
    clean = KillableClean(config, reading)
    archive = Archive(paths, options, clean)

    with closing(reading), _progress(archive) as (seen, look):

        def source(stop: threading.Event) -> Source:
            clean.stop = stop
            return _Watched(archive, seen, speed)

        yield source, look


class KillableClean:
    """`clean_page` in a child process, with the limits of the settings; ends early when stopped.

    pool: see `pipeline.runtimes.reading`. stop: of the flow that reads the archive, given before the first page is.
    """

    def __init__(self, config: Config, pool: Pool) -> None:
        self._config, self._pool = config, pool
        self.stop = threading.Event()

    @property
    def ahead(self) -> int:
        """Pages that may be under way: as many wait as are being cleaned, so that no process does."""
        return 2 * self._pool.processes

    def __call__(self, html: bytes, **about: Any) -> Page:
        return self.submit(html, **about)()

    def submit(self, html: bytes, **about: Any) -> Callable[[], Page]:
        """Begins with the page; what comes back waits for it, and raises what cleaning it raises, or Stopped.

        Raises: Unusable (reason "too-large").
        """
        from connectors.clean import clean_page
        from pipeline.errors import Unusable
        from pipeline.runtimes.reading import longest

        if len(html) > self._config.archive.max_page_bytes:
            raise Unusable(f"a page of {len(html):,} bytes", reason="too-large")
        clean = functools.partial(clean_page, **about)
        return functools.partial(self._wait, self._pool.submit(longest(self._config), clean, html))

    def _wait(self, future: Future[Page]) -> Page:
        from concurrent.futures import TimeoutError

        from pipeline.pool import result
        from pipeline.runtimes.turns import Stopped

        while True:
            try:
                return result(future, wait=0.2)
            except TimeoutError:
                if self.stop.is_set():
                    raise Stopped from None


class _Watched:
    """An archive as a source whose progress can be seen, and that keeps the pace of the news if asked to."""

    def __init__(self, archive: Archive, seen: dict[str, int], speed: float | None) -> None:
        self.archive, self.seen, self.speed = archive, seen, speed
        self.identity = archive.identity

    def read(self, skip: int = 0) -> Iterator[Found | None]:
        from pipeline.runtimes.local import paced

        return paced(self._seen(skip), self.speed) if self.speed else self._seen(skip)

    def _seen(self, skip: int) -> Iterator[Found]:
        for found in self.archive.read(skip):
            self.seen["bytes"] = found.bytes_done
            yield found


@contextmanager
def _progress(archive: Archive) -> Iterator[tuple[dict[str, int], Callable[[int], None]]]:
    """What was read so far, and a function that shows it: a bar with rate and time left, on a terminal only."""
    seen = {"bytes": 0}
    if not sys.stderr.isatty():
        yield seen, lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rate]:>6.0f}/s"),
        TimeRemainingColumn(),
    )
    begin = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4, transient=True) as bar:
        task = bar.add_task("articles", total=max(archive.total_bytes, 1), rate=0.0)

        def look(done: int) -> None:
            rate = done / max(time.monotonic() - begin, 1e-3)
            bar.update(task, completed=seen["bytes"], rate=rate, description=f"{done:,} articles")

        yield seen, look


def report(counts: Counts, seconds: float, stopped: bool, config: Config, as_json: bool) -> None:
    """Prints what became of every article, and where the results lie. Raises: RasdError if an article is missing."""
    if as_json:
        put_json(counts_as_dict(counts, seconds, stopped))
    else:
        for line in summary(counts, seconds):
            put(line)
        put(f"Kept in {config.data_dir}. Look: rasd --data {config.data_dir} tail events -o pretty")
    if counts.sink_rejects:
        warn(f"{counts.sink_rejects} messages could not be taken by a sink: rasd rejects list --stage sink")
    if stopped:
        say("stopped before the end; the same command goes on from here")
    elif counts.ended + counts.left != counts.read + counts.taken_up:
        raise RasdError(f"not every article is accounted for: {counts}", reason="miscounted")


def report_published(published: Published, seconds: float, stopped: bool, config: Config, as_json: bool) -> None:
    """Prints what was published."""
    if as_json:
        put_json(
            {
                "read": published.read,
                "published": published.articles,
                "rejects": dict(published.rejects),
                "known_rejects": published.known_rejects,
                "seconds": round(seconds, 3),
                "stopped": stopped,
            }
        )
    else:
        rate = published.read / max(seconds, 1e-3)
        put(f"{published.read:,} articles read: {seconds:.1f} s ({rate:,.0f}/s)")
        put(f"  {published.articles:>8,} published")
        put(f"  {published.rejects.total():>8,} reject{_kinds(published.rejects)}")
        if published.known_rejects:
            put(f"  {published.known_rejects:>8,} reject known from an earlier replay")
        put(f"On Kafka at {config.kafka.servers}. Look: rasd topics; rasd tail events -f -o pretty")
    if stopped:
        say("stopped before the end; the same command goes on from here")


def counts_as_dict(counts: Counts, seconds: float, stopped: bool) -> dict[str, Any]:
    return {
        "read": counts.read,
        "taken_up": counts.taken_up,
        "entries": counts.entries,
        "left": counts.left,
        "sink_rejects": counts.sink_rejects,
        "outputs": counts.outputs,
        "duplicates": dict(counts.duplicates),
        "rejects": dict(counts.rejects),
        "records": dict(counts.records),
        "seconds": round(seconds, 3),
        "stopped": stopped,
    }


def summary(counts: Counts, seconds: float) -> Iterator[str]:
    """Lines of text: what was read equals output + duplicate + reject."""

    earlier = f", and {counts.taken_up:,} taken up from other runs" if counts.taken_up else ""
    rate = counts.ended / max(seconds, 1e-3)
    yield f"{counts.read:,} articles read{earlier}: {seconds:.1f} s ({rate:,.0f}/s)"
    yield f"  {counts.outputs:>8,} output{_kinds(counts.records)}"
    yield f"  {counts.duplicates.total():>8,} duplicate{_kinds(counts.duplicates)}"
    yield f"  {counts.rejects.total():>8,} reject{_kinds(counts.rejects)}"
    if counts.left:
        yield f"  {counts.left:>8,} left to the process that runs the stages of this folder"


def _kinds(of: Mapping[str, int]) -> str:
    return "  (" + ", ".join(f"{n:,} {k.replace('_', ' ')}" for k, n in sorted(of.items())) + ")" if of else ""


def _moment(option: str, text: str | None) -> dt.datetime | None:
    """A date or time of the command line, UTC where it names no zone. Raises: typer.BadParameter."""
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no date (2018-03-17) or time (2018-03-17T12:00Z)", param_hint=option
        ) from None
    try:
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except OverflowError:
        raise typer.BadParameter(f"{text!r} lies outside the calendar", param_hint=option) from None


def _speed(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        speed = float(text.lower().removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"{text!r} is no speed such as 60x", param_hint="--speed")
    return speed


ARTICLE_FIELDS = (
    "id",
    "url",
    "outlet",
    "language",
    "title",
    "body",
    "summary",
    "author",
    "published",
    "updated",
    "fetched",
)


def read_fields(pairs: list[str]) -> dict[str, str]:
    """`FIELD=NAME` pairs of the command line. Raises: typer.BadParameter."""
    out = {}
    for pair in pairs:
        name, _, there = pair.partition("=")
        if name not in ARTICLE_FIELDS or not there:
            hint = ", ".join(ARTICLE_FIELDS)
            raise typer.BadParameter(f"{pair!r} is not FIELD=NAME with FIELD one of {hint}", param_hint="--field")
        out[name] = there
    return out
