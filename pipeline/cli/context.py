"""What the options shared by all commands come to: the settings, the log, and how to speak to whoever called."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import RasdError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.log.kafka.clients import Cluster
    from pipeline.log.kafka.reader import KafkaLog
    from pipeline.log.sqlite import SqliteLog

Local = Annotated[
    bool, typer.Option("--local", help="The log of the data folder, although kafka.servers names brokers.")
]

OK, FAILED, USAGE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 130


class NotFound(RasdError):
    """What was asked for is not there: exit code 3."""

    reason = "not-found"


@dataclass(slots=True)
class Context:
    """The shared options as given; the settings are read when first asked for."""

    data: Path | None = None
    config: Path | None = None
    verbosity: int = 0
    settings: Config | None = None


def of(ctx: typer.Context) -> Context:
    root = ctx.find_root()
    if not isinstance(root.obj, Context):
        root.obj = Context()
    return root.obj


def settings(ctx: typer.Context) -> Config:
    """The settings in force. Raises: ConfigError."""
    from pipeline import config

    context = of(ctx)
    if context.settings is None:
        context.settings = config.load(context.config, data=context.data)
    return context.settings


def open_log(ctx: typer.Context, readonly: bool = True) -> SqliteLog:
    """The log of the data folder; close it after use, or use `the_log`. Raises: StorageError, StoragePaused."""
    from pipeline.log.sqlite import SqliteLog

    config = settings(ctx)
    return SqliteLog(
        config.log_file,
        partitions=config.log.partitions,
        readonly=readonly,
        synchronous=config.log.synchronous.upper(),
    )


@contextmanager
def the_log(ctx: typer.Context, readonly: bool = True) -> Iterator[SqliteLog]:
    """`open_log`, closed when left."""
    log = open_log(ctx, readonly)
    try:
        yield log
    finally:
        log.close()


def brokers(ctx: typer.Context, local: bool = False) -> Cluster | None:
    """The cluster whose topics are the log; None where that is the one of the data folder. Raises: ConfigError,
    StorageError if Kafka's client is not installed."""
    config = settings(ctx)
    if local or not config.kafka.servers:
        return None
    from pipeline.log.kafka.clients import cluster_of, need_library

    need_library()
    return cluster_of(config)


@contextmanager
def broker_errors(cluster: Cluster) -> Iterator[None]:
    """What Kafka's client raises becomes one line that names the brokers. Raises: RasdError."""
    from kafka.errors import KafkaError, RetriableError

    servers = ",".join(cluster.servers)
    try:
        yield
    except RetriableError as e:
        raise RasdError(f"Kafka at {servers} does not answer: {e}", reason="no-broker") from e
    except KafkaError as e:
        raise RasdError(f"Kafka at {servers}: {e}", reason="broker") from e


@contextmanager
def log_of(ctx: typer.Context, *, local: bool = False) -> Iterator[SqliteLog | KafkaLog]:
    """The log that a command looks at, closed when left: on Kafka where kafka.servers is set, unless `local`."""
    cluster = brokers(ctx, local)
    if cluster is None:
        with the_log(ctx) as log:
            yield log
        return
    from pipeline.log.kafka.reader import KafkaLog

    with broker_errors(cluster), KafkaLog(cluster) as on_kafka:
        yield on_kafka


def only_local(ctx: typer.Context, local: bool, instead: str) -> None:
    """For a command that knows the log of the data folder only. Raises: RasdError where the log is on Kafka."""
    if settings(ctx).kafka.servers and not local:
        raise RasdError(
            f"kafka.servers is set, and this command works on the log of the data folder: {instead}"
            " (--local works on the data folder all the same)",
            reason="on-kafka",
        )


# -- speaking: data to stdout, everything else to stderr -------------------------------------------------------------


def say(text: str) -> None:
    """One line for the person at the terminal, on stderr; not for pipes. Silent with -q."""
    from pipeline.telemetry import logger

    logger("cli").info("%s", text)


def warn(text: str) -> None:
    from pipeline.telemetry import logger

    logger("cli").warning("%s", text)


def complain(text: str) -> None:
    from pipeline.telemetry import logger

    logger("cli").error("%s", text)


def put(text: str = "") -> None:
    """One line of data on stdout; what its encoding lacks is spelled out."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    put_bytes(text.encode(encoding, "backslashreplace"))


def put_json(value: Any) -> None:
    """A value as JSON on stdout, UTF-8 whatever the terminal speaks."""
    import orjson

    put_message(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def put_message(json: bytes) -> None:
    """JSON as it was sent; on a terminal the same JSON with everything escaped that a terminal would obey."""
    from pipeline.telemetry import escape_json

    put_bytes(escape_json(json) if sys.stdout.isatty() else json)


def put_bytes(line: bytes) -> None:
    """One line of raw bytes on stdout, shown at once on a terminal (else see `flush`). Ctrl-C waits for its end: who
    reads a pipe gets whole lines."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        sys.stdout.buffer.write(line + b"\n")
        if sys.stdout.isatty():
            sys.stdout.flush()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def flush() -> None:
    sys.stdout.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = ()) -> Iterator[str]:
    """Lines of a table, columns as wide as their longest cell; `right`: columns of numbers. Cells are escaped."""
    from pipeline.telemetry import escape

    cells = [[escape("" if c is None else str(c)) for c in row] for row in rows]
    widths = [max(_width(r[i]) for r in [list(head), *cells]) for i in range(len(head))]
    numbers = set(right)
    for row in [[h.upper() for h in head], *cells]:
        padded = []
        for i, cell in enumerate(row):
            gap = " " * (widths[i] - _width(cell))
            padded.append(gap + cell if i in numbers else cell + gap)
        yield "  ".join(padded).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal, as near as the standard library knows: marks take none, wide letters two."""
    import unicodedata

    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def size_words(n: int) -> str:
    """1536 → "1.5 kB" (of 1000)."""
    value = float(n)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")
