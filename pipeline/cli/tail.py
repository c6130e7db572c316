"""`rasd tail`: what stands on a topic, and what comes."""

from __future__ import annotations

import datetime as dt
import heapq
import re
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.context import flush, put, put_message, the_log, warn
from pipeline.errors import RasdError

if TYPE_CHECKING:
    from pipeline.cli.filters import Test
    from pipeline.cli.pretty import Style
    from pipeline.log import Message
    from pipeline.log.sqlite import SqliteLog
    from pipeline.records import Record

POLL_SECONDS = 0.3
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
            "Times are times of publication. Default: begin; with -f: end.",
        ),
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="FILTER", help="Only these, e.g. side=isis,killed>=5 (docs/cli.md)."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many.")] = None,
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
    """
    from pipeline.cli.filters import BadFilter, parse
    from pipeline.topics import topic_named

    try:
        name = topic_named(topic).name
        test = parse(filters) if filters else None
    except RasdError as e:
        hint = "--filter" if isinstance(e, BadFilter) else "TOPIC"
        raise typer.BadParameter(str(e), param_hint=hint) from e
    begin = _Where(start or ("end" if follow else "begin"))
    with the_log(ctx) as log:
        offsets = {p: begin.offset(log, name, p) for p in range(log.topics().get(name, 0))}
        show = Shower(output or (Output.pretty if sys.stdout.isatty() else Output.json), test, limit)
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

    def __init__(self, output: Output, test: Test | None, limit: int | None) -> None:
        self._output, self._test, self._left = output, test, limit
        self._style = style_of_stdout()

    def done(self) -> bool:
        return self._left == 0

    def __call__(self, message: Message) -> None:
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
            put_message(message.value.replace(b"\n", b" "))


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


class _Where:
    """Where to begin, parsed. Raises: typer.BadParameter."""

    def __init__(self, text: str) -> None:
        self._number: int | None = None
        self._time: int | None = None
        self._end = text == "end"
        if text == "begin":
            self._number = 0
        elif re.fullmatch(r"-?\d{1,12}", text):
            self._number = int(text)
        elif found := _AGO.fullmatch(text):
            self._time = int((time.time() - int(found[1]) * _SECONDS[found[2]]) * 1000)
        elif not self._end:
            self._time = milliseconds(text, "--from")

    def offset(self, log: SqliteLog, topic: str, partition: int) -> int:
        if self._end:
            return log.next_offset(topic, partition)
        if self._time is not None:
            return log.offset_at(topic, partition, self._time)
        number = self._number or 0
        return number if number >= 0 else max(0, log.next_offset(topic, partition) + number)


def milliseconds(text: str, option: str) -> int:
    """An ISO day or time (UTC where it names no zone) in ms since 1970. Raises: typer.BadParameter."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no offset, day (2017-05-16), time (2017-05-16T12:00) or age (2h, 30d)", param_hint=option
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)
