"""`rasd offsets`: how far the consumers of the log have read, and setting them to read elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from pipeline.cli.context import (
    Local,
    NotFound,
    broker_errors,
    brokers,
    put,
    put_json,
    say,
    settings,
    table,
    the_log,
)
from pipeline.cli.tail import place
from pipeline.errors import RasdError, StorageError
from pipeline.log.standing import Standing, standings

if TYPE_CHECKING:
    from pipeline.log.kafka.groups import Group, Groups
    from pipeline.log.sqlite import SqliteLog
    from pipeline.log.where import Where

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
SINK = "sink-"  # what the consumers of sinks begin with
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"))


def show(
    ctx: typer.Context,
    group: Annotated[str | None, typer.Argument(metavar="[GROUP]", help="Only this one.")] = None,
    as_json: Json = False,
    local: Local = False,
) -> None:
    """Show how far each consumer has read each partition, what waits for it, and for how long.

    Lag counts messages; WAITS is the age of the one that is read next. On Kafka every consumer group whose name begins
    with kafka.prefix is shown, with the member that reads the partition just now.

    \b
    Examples:
      rasd offsets show
      rasd offsets show extract --json | jq 'map(.lag) | add'
    """
    with _places(ctx, local) as places:
        rows = [s for s in places.standings(group) if group is None or s.consumer == group]
        if group is not None and not rows:
            raise _unknown(places, group)
    now = time.time()
    if as_json:
        put_json([_as_json(s, now) for s in rows])
    elif not rows:
        say("nobody has read anything yet")
    else:
        _put_rows(rows, now)


def reset(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(help="Which consumer: dedupe, extract, sink-postgres, or a group of yours.")],
    to: Annotated[
        str, typer.Option(metavar="WHERE", help="begin, end, an offset, -N (N before the end), a UTC time, or 2h ago.")
    ],
    topic: Annotated[
        list[str] | None, typer.Option(help="Only on this topic (may be repeated). Default: all that it has read.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be set.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    local: Local = False,
) -> None:
    """Let a consumer read again from an earlier place, or skip to a later one. It must not be at work.

    What comes of it depends on the consumer. dedupe: what was judged keeps its verdict, and nothing of it is published
    again. extract: codes the articles anew; the same program and lexicon give the same bytes, and sinks know them.
    sink-postgres: writes again what it has, which changes no row (file sinks: `rasd sinks reset`). fetch: pages that
    were fetched are not fetched again. A group of `rasd tail`: shows again. Skipping leaves out what is skipped.

    \b
    Examples:
      rasd offsets reset extract --to begin --dry-run
      rasd offsets reset desk --to 2h --yes
      rasd offsets reset sink-postgres --to begin --topic events
    """
    from pipeline.topics import topic_named

    where = place(to, "--to")
    try:
        names = {topic_named(name).name for name in topic or []}
    except RasdError as e:
        raise typer.BadParameter(str(e), param_hint="--topic") from e
    with _places(ctx, local) as places:
        places.check_free(group)
        moves = places.moves(group, names, where)
        if not moves:
            raise _unknown(places, group)
        _put_moves(moves)
        if dry_run or all(m.before == m.after for m in moves):
            return
        if not yes:
            typer.confirm(f"Set {group} so?", abort=True, err=True)
        places.move(group, moves)
    say(f"{group} goes on from there")


@dataclass(frozen=True, slots=True)
class Move:
    """Where a consumer stands on a partition, and where it shall stand. before: None where it has committed nothing."""

    topic: str
    partition: int
    before: int | None
    after: int
    first: int

    @property
    def again(self) -> int:
        """How many messages it reads again; below zero, how many it skips."""
        return max(self.first, self.before or 0) - self.after


class Places(Protocol):
    """The consumers of a log and where they stand."""

    def standings(self, only: str | None = None) -> list[Standing]: ...
    def names(self) -> list[str]: ...
    def check_free(self, consumer: str) -> None:
        """Raises: RasdError if it cannot be moved now."""

    def moves(self, consumer: str, topics: set[str], where: Where) -> list[Move]:
        """topics: none means all that it has read."""

    def move(self, consumer: str, moves: list[Move]) -> None: ...


@contextmanager
def _places(ctx: typer.Context, local: bool) -> Iterator[Places]:
    cluster = brokers(ctx, local)
    if cluster is None:
        with the_log(ctx) as log:
            yield LocalPlaces(log, ctx)
        return
    from pipeline.log.kafka.groups import Groups

    with broker_errors(cluster), Groups(cluster) as groups:
        yield KafkaPlaces(groups)


def _unknown(places: Places, group: str) -> NotFound:
    names = ", ".join(places.names())
    return NotFound(f"no consumer {group!r} has read anything; there {f'are {names}' if names else 'is none'}")


def _kept_by_sink(consumer: str) -> RasdError:
    sink = consumer.removeprefix(SINK)
    return RasdError(
        f"{consumer} keeps its place together with its files: `rasd sinks reset {sink}` begins it anew", reason="sink"
    )


# -- the log of the data folder ----------------------------------------------------------------------------------------


class LocalPlaces:
    """Consumers of the log without a broker."""

    def __init__(self, log: SqliteLog, ctx: typer.Context) -> None:
        self._log, self._ctx = log, ctx

    def standings(self, only: str | None = None) -> list[Standing]:
        return [s for s in standings(self._log) if only in (None, s.consumer)]

    def names(self) -> list[str]:
        return sorted({name for name, *_ in self._log.consumers()})

    def check_free(self, consumer: str) -> None:
        if consumer.startswith(SINK):
            raise _kept_by_sink(consumer)

    def moves(self, consumer: str, topics: set[str], where: Where) -> list[Move]:
        found = []
        for s in self.standings(consumer):
            if not topics or s.topic in topics:
                at = s.end if where.time is None else self._log.offset_at(s.topic, s.partition, where.time)
                found.append(Move(s.topic, s.partition, s.next, where.offset(s.first, s.end, at), s.first))
        return found

    def move(self, consumer: str, moves: list[Move]) -> None:
        from pipeline.runtimes.local import runner_lock

        data = settings(self._ctx).data_dir
        with the_log(self._ctx, readonly=False) as log, runner_lock(data) as alone:
            if not alone:
                raise StorageError(f"another rasd process runs the stages of {data}: stop it first", reason="in-use")
            with log.transaction():
                for m in moves:
                    log.commit(consumer, m.topic, m.partition, m.after, expected=m.before)


# -- Kafka -------------------------------------------------------------------------------------------------------------


class KafkaPlaces:
    """Consumer groups on the brokers."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._found: dict[str, Group] = {}

    def standings(self, only: str | None = None) -> list[Standing]:
        return self._groups.standings(only)

    def names(self) -> list[str]:
        return [g.name for g in self._groups.all()]

    def check_free(self, consumer: str) -> None:
        from pipeline.runtimes.kafka.sinking import SHARED

        if consumer.startswith(SINK) and consumer.removeprefix(SINK) not in SHARED:
            raise _kept_by_sink(consumer)
        self._groups.check_idle(self._group(consumer))

    def _group(self, consumer: str) -> Group:
        if consumer not in self._found:
            self._found[consumer] = self._groups.all(consumer)[0]
        return self._found[consumer]

    def moves(self, consumer: str, topics: set[str], where: Where) -> list[Move]:
        committed = self._group(consumer).committed
        names = topics or {topic for topic, _ in committed}
        found = []
        for name in sorted(names):
            extents = {p: extent for (_, p), extent in self._groups.extents({name}).items()}
            times = {} if where.time is None else self._groups.offsets_at(name, list(extents), where.time)
            for p, (first, end) in sorted(extents.items()):
                at = times.get(p, -1)
                after = where.offset(first, end, end if at < 0 else at)
                found.append(Move(name, p, committed.get((name, p)), after, first))
        return found

    def move(self, consumer: str, moves: list[Move]) -> None:
        self._groups.move(consumer, {(m.topic, m.partition): m.after for m in moves})


# -- showing -----------------------------------------------------------------------------------------------------------


def _put_rows(rows: list[Standing], now: float) -> None:
    cells = [
        [
            s.consumer,
            s.topic.removeprefix("rasd."),
            s.partition,
            "-" if s.next is None else s.next,
            s.end,
            s.lag,
            "" if s.waits is None else age_words(now - s.waits / 1000),
            s.member or "",
        ]
        for s in rows
    ]
    head = ["consumer", "topic", "partition", "committed", "end", "lag", "waits", "read by"]
    for line in table(head, cells, right=(2, 3, 4, 5, 6)):
        put(line)


def _as_json(s: Standing, now: float) -> dict[str, Any]:
    return {
        "consumer": s.consumer,
        "topic": s.topic,
        "partition": s.partition,
        "committed": s.next,
        "first": s.first,
        "end": s.end,
        "lag": s.lag,
        "waiting_since": None if s.waits is None else s.waits / 1000,
        "waiting_seconds": None if s.waits is None else round(max(0.0, now - s.waits / 1000), 3),
        "member": s.member,
    }


def _put_moves(moves: list[Move]) -> None:
    cells = [
        [
            m.topic.removeprefix("rasd."),
            m.partition,
            "-" if m.before is None else m.before,
            m.after,
            f"{m.again:,} again" if m.again > 0 else f"{-m.again:,} skipped" if m.again < 0 else "as it is",
        ]
        for m in moves
    ]
    for line in table(["topic", "partition", "from", "to", "messages"], cells, right=(1, 2, 3)):
        put(line)


def age_words(seconds: float) -> str:
    """90 → "1m30s", 7300 → "2h1m"."""
    left = max(0, int(seconds))
    words = []
    for size, unit in _UNITS:
        if left >= size:
            words.append(f"{left // size}{unit}")
            left %= size
    if not words or (len(words) == 1 and words[0].endswith("m")):
        words.append(f"{left}s")
    return "".join(words[:2])
