"""`rasd tail`: what stands on a topic, and what comes."""

from __future__ import annotations

import datetime as dt
import heapq
import re
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import Local, broker_errors, brokers, flush, put, put_message, the_log, warn
from pipeline.errors import RasdError
from pipeline.log.where import Where

if TYPE_CHECKING:
    from pipeline.cli.filters import Test
    from pipeline.cli.pretty import Style
    from pipeline.log import Message
    from pipeline.log.kafka.clients import Cluster
    from pipeline.log.kafka.headers import Headers
    from pipeline.log.sqlite import SqliteLog
    from pipeline.records import Record

POLL_SECONDS = 0.3
FETCH = "fetch"  # the group of the fetcher
_CHUNK = 64
_AGO = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Output(StrEnum):
    pretty = "pretty"
    json = "json"


def tail(
    topic: Annotated[str, typer.Argument(help="entries, articles, verdicts, unique, events or rejects.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more; end with Ctrl-C.")] = False,
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Default: pretty on a terminal, json in a pipe.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WHERE",
            help="begin, end, an offset, -N for the last N, a UTC time (2017-05-16, 2017-05-16T12:00), or 2h, 30d ago. "
            "Times are times of publication; on Kafka, of writing. Default: begin; with -f: end.",
        ),
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="FILTER", help="Only these, e.g. side=isis,killed>=5 (docs/cli.md)."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many.")] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Kafka: read as a member of this consumer group. Members share the messages, and it goes on where it "
            "stopped; killed between showing and saying so, it shows the last ones again (at least once).",
        ),
    ] = None,
    headers: Annotated[
        bool, typer.Option("--headers", help="JSON with key, partition, offset, times and headers around each message.")
    ] = False,
    local: Local = False,
    *,
    ctx: typer.Context,
) -> None:
    """Show the messages of a topic, and with -f what is being written.

    \b
    Examples:
      rasd tail events -f
      rasd tail events --filter 'side=isis,killed>=5,country=SY' -n 10
      rasd tail events --from 2017-05-01 -o json | jq .sub_event_type
      rasd tail rejects --from=-3
      rasd tail events -f --group desk       (Kafka: goes on where it stopped)
    """
    from pipeline.cli.filters import BadFilter, parse
    from pipeline.topics import topic_named

    try:
        name = topic_named(topic).name
        test = parse(filters) if filters else None
    except RasdError as e:
        hint = "--filter" if isinstance(e, BadFilter) else "TOPIC"
        raise typer.BadParameter(str(e), param_hint=hint) from e
    where = place(start or ("end" if follow else "begin"), "--from")
    if headers and output is Output.pretty:
        raise typer.BadParameter("shows JSON; leave out -o pretty", param_hint="--headers")
    pretty_at_first = sys.stdout.isatty() and not headers
    show = Shower(output or (Output.pretty if pretty_at_first else Output.json), test, limit, envelope=headers)
    cluster = brokers(ctx, local)
    if group is not None:
        _check_group(group, cluster)
    if cluster is None:
        _tail_local(ctx, name, where, show, follow=follow)
    else:
        with broker_errors(cluster):
            _tail_kafka(cluster, name, where, show, follow=follow, group=group)


def _tail_local(ctx: typer.Context, name: str, where: Where, show: Shower, *, follow: bool) -> None:
    with the_log(ctx) as log:
        offsets = {p: _start(log, name, p, where) for p in range(log.topics().get(name, 0))}
        if where.last is not None and len(offsets) > 1:
            ends = {p: log.next_offset(name, p) for p in offsets}
            last = deque(((m.partition, m.offset) for m in _merged(log, name, offsets)), maxlen=where.last)
            offsets = {p: min((o for q, o in last if q == p), default=end) for p, end in ends.items()}
        while True:
            for message in _merged(log, name, offsets):
                offsets[message.partition] = message.offset + 1
                show(message)
                if show.done():
                    break
            flush()
            if not follow or show.done():
                break
            time.sleep(POLL_SECONDS)
            for p in range(log.topics().get(name, 0)):  # the topic may only have been made now
                offsets.setdefault(p, 0)


def _start(log: SqliteLog, topic: str, partition: int, where: Where) -> int:
    first, end = log.first_offset(topic, partition), log.next_offset(topic, partition)
    return where.offset(first, end, end if where.time is None else log.offset_at(topic, partition, where.time))


def _tail_kafka(cluster: Cluster, name: str, where: Where, show: Shower, *, follow: bool, group: str | None) -> None:
    from pipeline.log.kafka.follow import Following
    from pipeline.log.kafka.reader import message_of

    with Following(cluster, name, where, follow=follow, group=group) as following:
        for batch in following.batches():
            shown: dict[int, int] = {}
            for record in batch:
                show(message_of(cluster, record), record.headers)
                shown[record.partition] = record.offset + 1
                if show.done():
                    break
            if batch:
                flush()
            if group is not None:
                following.commit(shown)
            if show.done():
                return


def _check_group(group: str, cluster: Cluster | None) -> None:
    """Raises: typer.BadParameter where a tail must not be a member of that group."""
    from pipeline.checks import topic_prefix
    from pipeline.flow import FLOW

    if cluster is None:
        raise typer.BadParameter("there are consumer groups on Kafka only (kafka.servers)", param_hint="--group")
    if not group or topic_prefix(group):
        raise typer.BadParameter("may hold letters, digits, dots, hyphens and underscores only", param_hint="--group")
    if group in (FETCH, *(stage.name for stage in FLOW)) or group.startswith("sink-"):
        raise typer.BadParameter(f"{group} does the work of the flow; take another name", param_hint="--group")


def _merged(log: SqliteLog, topic: str, offsets: dict[int, int]) -> Iterator[Message]:
    """What stands behind these offsets, in the order of writing over all partitions."""
    parts = [_partition(log, topic, p, offset) for p, offset in sorted(offsets.items())]
    return heapq.merge(*parts, key=lambda m: m.written) if len(parts) > 1 else iter(*parts) if parts else iter(())


def _partition(log: SqliteLog, topic: str, partition: int, offset: int) -> Iterator[Message]:
    while batch := log.read(topic, partition, offset, _CHUNK):
        yield from batch
        offset = batch[-1].offset + 1


class Shower:
    """Prints messages that pass the filter, up to the limit."""

    def __init__(self, output: Output, test: Test | None, limit: int | None, *, envelope: bool = False) -> None:
        self._output, self._test, self._left, self._envelope = output, test, limit, envelope
        self._style = style_of_stdout()

    def done(self) -> bool:
        return self._left == 0

    def __call__(self, message: Message, headers: Headers = ()) -> None:
        record = None
        if self._test is not None or self._output is Output.pretty:
            try:
                record = decoded(message)
            except RasdError as e:
                warn(f"{message.topic}[{message.partition}]@{message.offset}: {e}")
                return
            if self._test is not None and not self._test(record):
                return
        if self._left is not None:
            self._left -= 1
        if record is not None and self._output is Output.pretty:
            put_block(record, self._style)
        else:
            put_message(_enveloped(message, headers) if self._envelope else message.value.replace(b"\n", b" "))


def _enveloped(message: Message, headers: Headers) -> bytes:
    """The message as JSON with what stands around it; a value that is no JSON as a text."""
    import orjson

    try:
        orjson.loads(message.value)
        value: Any = orjson.Fragment(message.value.replace(b"\n", b" "))
    except ValueError:
        value = message.value.decode("utf-8", "backslashreplace")
    around: Mapping[str, Any] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "key": message.key,
        "time": message.time,
        "written": message.written,
        "headers": {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in headers},
        "value": value,
    }
    return orjson.dumps(around)


def put_block(record: Record, style: Style) -> None:
    from pipeline.cli.pretty import block

    for line in block(record, style):
        put(line)
    put()


def style_of_stdout() -> Style:
    """Bidi isolates only on a terminal; colour there too, unless NO_COLOR says no."""
    from pipeline.cli.pretty import Style
    from pipeline.telemetry import colour_wanted

    return Style(isolate=sys.stdout.isatty(), colour=colour_wanted(sys.stdout))


def decoded(message: Message) -> Record:
    """The record of a message, by its topic. Raises: WireError."""
    from pipeline import wire
    from pipeline.topics import EVENTS, TOPICS

    if message.topic == EVENTS.name:
        return wire.decode_coded(message.value)
    kind: type[Record] = TOPICS[message.topic].carries[0]
    return wire.decode(kind, message.value)


def place(text: str, option: str) -> Where:
    """Raises: typer.BadParameter."""
    if text in ("begin", "end"):
        return Where(number=0 if text == "begin" else None)
    if re.fullmatch(r"-?\d{1,12}", text):
        return Where(number=int(text))
    if found := _AGO.fullmatch(text):
        return Where(time=max(0, int((time.time() - int(found[1]) * _SECONDS[found[2]]) * 1000)))
    return Where(time=milliseconds(text, option))


def milliseconds(text: str, option: str) -> int:
    """An ISO day or time (UTC where it names no zone) in ms since 1970. Raises: typer.BadParameter."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no offset, day (2017-05-16), time (2017-05-16T12:00) or age (2h, 30d)", param_hint=option
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)
