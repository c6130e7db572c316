"""`rasd rejects`: inputs that could not be used: count them, look at one, try them again."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from pipeline.cli.context import (
    FAILED,
    Local,
    NotFound,
    broker_errors,
    brokers,
    complain,
    put,
    put_json,
    say,
    settings,
    table,
    the_log,
    warn,
)
from pipeline.cli.tail import style_of_stdout
from pipeline.errors import RasdError, Unusable
from pipeline.telemetry import escape

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pipeline.config import Config
    from pipeline.log import Message
    from pipeline.log.kafka.clients import Cluster
    from pipeline.log.kafka.producer import Producer, Written
    from pipeline.log.kafka.reader import KafkaLog
    from pipeline.log.sqlite import SqliteLog
    from pipeline.records import Reject

STATE = "rejects"  # stage name under which the log keeps what was redriven
FEED = "feed"  # stage of what a poll rejects (connectors.feedreader)
EXAMPLES = 3  # positions listed for each reason
_BATCH = 256
_POSITION = re.compile(r"(?:[0-9]{1,4}:)?[0-9]{1,12}")

Reason = Annotated[str | None, typer.Option("--reason", help="Only this reason.")]
StageName = Annotated[str | None, typer.Option("--stage", help="Only this stage.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@dataclass(frozen=True, slots=True)
class Held:
    """A reject with where it stands on its own topic, and its bytes there."""

    partition: int
    offset: int
    time: int | None
    value: bytes
    reject: Reject

    @property
    def at(self) -> str:
        return position(self.partition, self.offset)


def position(partition: int, offset: int) -> str:
    """ "17", or "2:17" in another partition than the first."""
    return f"{partition}:{offset}" if partition else str(offset)


def list_rejects(
    ctx: typer.Context, reason: Reason = None, stage: StageName = None, as_json: Json = False, local: Local = False
) -> None:
    """Count the rejects by stage and reason, and say where the first of each stand.

    \b
    Examples:
      rasd rejects list
      rasd rejects list --stage extract --json
    """
    groups: dict[tuple[str, str], list[Held]] = {}
    with _opened(ctx, local) as (log, back):
        for held in _held(log, _chosen(reason, stage)):
            groups.setdefault((held.reject.stage, held.reject.reason), []).append(held)
        done = {key: sum(h in back for h in held) for key, held in groups.items()}
    if as_json:
        put_json(
            [
                {
                    "stage": stage,
                    "reason": reason,
                    "count": len(held),
                    "redriven": done[stage, reason],
                    "retryable": held[0].reject.retryable,
                    "positions": [h.at for h in held],
                }
                for (stage, reason), held in groups.items()
            ]
        )
        return
    rows = [
        [
            stage,
            reason,
            len(held),
            done[stage, reason],
            " ".join(h.at for h in held[:EXAMPLES]) + (" …" if len(held) > EXAMPLES else ""),
            held[0].reject.error[:80],
        ]
        for (stage, reason), held in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]
    if not rows:
        say("no rejects")
        return
    for line in table(["stage", "reason", "count", "redriven", "at", "for example"], rows, right=(2, 3)):
        put(line)


def show(
    ctx: typer.Context,
    at: Annotated[str, typer.Argument(metavar="OFFSET", help="Where it stands on rejects: 17, or 2:17.")],
    as_json: Json = False,
    local: Local = False,
) -> None:
    """Show one reject: where it came from, what went wrong, and its bytes (escaped).

    \b
    Examples:
      rasd rejects show 17
    """
    from pipeline.cli.pretty import block

    with _opened(ctx, local) as (log, back):
        held = _at(log, at)
        redriven = held in back
    if as_json:
        import orjson

        from pipeline.wire import encode

        put_json({"at": held.at, "redriven": redriven, "reject": orjson.loads(encode(held.reject))})
        return
    for line in block(held.reject, style_of_stdout()):
        put(line)
    put(f"  again   {'redriven' if redriven else _obstacle(held.reject) or 'can be redriven'}")
    raw = _bytes(held.reject)
    put(f"  bytes   {len(raw):,}{' (cut)' if held.reject.truncated else ''}")
    put()
    put(escape(raw.decode("utf-8", "backslashreplace"), newlines=True))


def redrive(
    ctx: typer.Context,
    at: Annotated[list[str] | None, typer.Argument(metavar="OFFSET", help="Which: 17, or 2:17.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that can be.")] = False,
    reason: Reason = None,
    stage: StageName = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="For lines of an archive: as `rasd replay --field`."),
    ] = None,
    local: Local = False,
) -> None:
    """Put rejects back where they came from, each once, to be taken up by the next run, or by a worker.

    A message goes back to its topic. A line of an archive is read again and goes to articles; if it is still no
    article it stays where it is. May be stopped and repeated: what went back is remembered (on Kafka, killed between
    the two, a message goes back twice, which gives nothing new).

    \b
    Examples:
      rasd rejects redrive 17 18
      rasd rejects redrive --reason timeout
      rasd rejects redrive --all && rasd run --once
    """
    if bool(at) == bool(every or reason or stage):
        raise typer.BadParameter("name offsets, or --all, --reason or --stage", param_hint="OFFSET")
    parse = _parser(field or [])
    counts = {"redriven": 0, "already": 0, "still": 0, "refused": 0}
    with _opened(ctx, local, write=True) as (log, back):
        chosen = [_at(log, text) for text in at] if at else _held(log, _chosen(reason, stage))
        batch: list[Held] = []
        for held in chosen:
            batch.append(held)
            if len(batch) == _BATCH:
                _again(back, batch, parse, counts, loud=bool(at))
                batch = []
        _again(back, batch, parse, counts, loud=bool(at))
    words = {
        "redriven": "redriven",
        "already": "redriven before",
        "still": "still unusable",
        "refused": "cannot be redriven",
    }
    put(", ".join(f"{counts[key]} {text}" for key, text in words.items() if counts[key] or key == "redriven"))
    if at and counts["redriven"] + counts["already"] < len(at):
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class Input:
    """What goes back to a topic. time: event time in ms, None for the reject's own."""

    topic: str
    key: str | None
    value: bytes
    time: int | None


Parse = Callable[["Reject", bytes], Input]


def _again(back: Back, batch: list[Held], parse: Parse, counts: dict[str, int], *, loud: bool) -> None:
    """Puts back what can be, with the note that it was."""
    tell = complain if loud else warn
    with back.batch():
        for held in batch:
            if held in back:
                counts["already"] += 1
                continue
            if what := _obstacle(held.reject):
                counts["refused"] += 1
                tell(f"{held.at}: {what}")
                continue
            try:
                found = parse(held.reject, _bytes(held.reject))
            except RasdError as e:
                counts["still"] += 1
                tell(f"{held.at}: still unusable: {e}")
                continue
            back.put(held, found)
            counts["redriven"] += 1


def _parser(fields: list[str]) -> Parse:
    """Makes the input of a reject again. The parser raises RasdError where it is still unusable."""
    from connectors.sources.rows import Options, read_row
    from pipeline.cli.replay import read_fields
    from pipeline.records import Article
    from pipeline.topics import ARTICLES
    from pipeline.wire import encode

    options = Options(fields=read_fields(fields))

    def parse(reject: Reject, raw: bytes) -> Input:
        if reject.topic is not None:
            return Input(reject.topic, reject.key, raw, None)
        found = read_row(raw, options, reject.file or "", reject.line or 0, reject.offset or 0)
        if not isinstance(found, Article):
            raise Unusable(f"{found.reason}: {found.error}", reason=found.reason)
        time = int(found.published.timestamp() * 1000) if found.published else None
        return Input(ARTICLES.name, ARTICLES.key(found), encode(found), time)

    return parse


def _obstacle(reject: Reject) -> str | None:
    """Why it can never be redriven, if so."""
    from pipeline.topics import TOPICS

    if reject.stage == FEED:
        return "a feed's answer: the feed is polled again when it is due"
    if reject.truncated:
        return "only the beginning of its bytes was kept (truncated): read it from its source again"
    if reject.topic is None and reject.line is None:
        return "a whole file and no line of one: replay the file again"
    if reject.topic is not None and reject.topic not in TOPICS:
        return f"there is no topic {reject.topic!r}"
    try:
        _bytes(reject)
    except RasdError as e:
        return str(e)
    return None


def _bytes(reject: Reject) -> bytes:
    try:
        return base64.b64decode(reject.value, validate=True)
    except (binascii.Error, ValueError) as e:
        raise Unusable("its bytes are no base64", reason="bad-record") from e


# -- where it goes back to, and what remembers that --------------------------------------------------------------------


class Back(Protocol):
    """Takes inputs back into a log, and knows which rejects' were."""

    def __contains__(self, held: Held) -> bool: ...
    def batch(self) -> contextlib.AbstractContextManager[None]:
        """What is put within is durable when it is left, and so are the notes of it."""

    def put(self, held: Held, found: Input) -> None: ...


@contextmanager
def _opened(ctx: typer.Context, local: bool, *, write: bool = False) -> Iterator[tuple[SqliteLog | KafkaLog, Back]]:
    """The log and the way back into it, both closed when left."""
    cluster = brokers(ctx, local)
    if cluster is None:
        with the_log(ctx, readonly=not write) as log:
            yield log, LocalBack(log)
        return
    from pipeline.log.kafka.producer import Producer
    from pipeline.log.kafka.reader import KafkaLog

    with contextlib.ExitStack() as stack:
        stack.enter_context(broker_errors(cluster))
        producer = stack.enter_context(Producer(cluster)) if write else None
        yield stack.enter_context(KafkaLog(cluster)), KafkaBack(settings(ctx), cluster, producer)


class LocalBack:
    """The log of the data folder: input and note are one transaction."""

    def __init__(self, log: SqliteLog) -> None:
        self._log, self._state = log, log.state(STATE)

    def __contains__(self, held: Held) -> bool:
        return _key(held.partition, held.offset) in self._state

    def batch(self) -> contextlib.AbstractContextManager[None]:
        return self._log.transaction()

    def put(self, held: Held, found: Input) -> None:
        from pipeline.runtimes.turns import REJECTED, mark_of

        time = held.time if found.time is None else found.time
        partition, offset = self._log.append(found.topic, found.key, found.value, time)
        self._log.change(STATE, {_key(held.partition, held.offset): f"{found.topic}[{partition}]@{offset}".encode()})
        if held.reject.topic is not None:  # should it fail again, that is another reject
            self._log.change(REJECTED, {mark_of(held.reject): b""})


class KafkaBack:
    """Kafka: the input is acknowledged, then the note is. producer: None for one who only asks."""

    def __init__(self, config: Config, cluster: Cluster, producer: Producer | None) -> None:
        from pipeline.log.kafka.redriven import mark_of, redriven

        self._config, self._cluster, self._producer = config, cluster, producer
        self._mark_of, self._marks = mark_of, redriven(cluster)
        self._under_way: list[tuple[str, str, Future[Written]]] = []
        self._ready = False

    def __contains__(self, held: Held) -> bool:
        return self._mark_of(held.value) in self._marks

    @contextmanager
    def batch(self) -> Iterator[None]:
        from pipeline.log.kafka.redriven import note

        yield
        if self._producer is None or not self._under_way:
            return
        for mark, topic, written in self._under_way:
            note(self._producer, mark, topic, written.result())
        self._under_way.clear()
        self._producer.flush()

    def put(self, held: Held, found: Input) -> None:
        from pipeline.log.kafka.headers import schema_of
        from pipeline.log.kafka.redriven import make_topic

        assert self._producer is not None, "opened for writing"
        if not self._ready:
            make_topic(self._config, self._cluster)
            self._ready = True
        time = held.time if found.time is None else found.time
        schema = schema_of(found.value)
        sent = self._producer.send(found.topic, found.key, found.value, schema=schema, time=time)
        mark = self._mark_of(held.value)
        self._marks.add(mark)
        self._under_way.append((mark, found.topic, sent))


# -- reading the topic -----------------------------------------------------------------------------------------------


def _chosen(reason: str | None, stage: str | None) -> Callable[[Reject], bool]:
    return lambda r: (reason is None or r.reason == reason) and (stage is None or r.stage == stage)


def _held(log: SqliteLog | KafkaLog, wanted: Callable[[Reject], bool]) -> Iterator[Held]:
    from pipeline.topics import REJECTS

    for message in log.scan(REJECTS.name):
        try:
            held = _read(message)
        except RasdError as e:
            warn(f"{position(message.partition, message.offset)}: {e}")
            continue
        if wanted(held.reject):
            yield held


def _read(message: Message) -> Held:
    from pipeline.records import Reject
    from pipeline.wire import decode

    return Held(message.partition, message.offset, message.time, message.value, decode(Reject, message.value))


def _at(log: SqliteLog | KafkaLog, text: str) -> Held:
    """Raises: NotFound, typer.BadParameter."""
    from pipeline.topics import REJECTS

    if not _POSITION.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no offset such as 17 or 2:17", param_hint="OFFSET")
    partition, _, offset = text.rpartition(":")
    there = int(partition or 0) < log.topics().get(REJECTS.name, 0)
    found = log.read(REJECTS.name, int(partition or 0), int(offset), 1) if there else []
    if not found or found[0].offset != int(offset):
        raise NotFound(f"no reject at {text}")
    return _read(found[0])


def _key(partition: int, offset: int) -> str:
    return f"redriven:{partition}:{offset}"


def counted(log: SqliteLog) -> tuple[int, int]:
    """How many rejects there are, and how many of them may succeed later and were not redriven."""
    held = list(_held(log, lambda r: True))
    done = LocalBack(log)
    return len(held), sum(h.reject.retryable and h not in done for h in held)
