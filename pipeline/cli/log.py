"""`rasd log`: keeping the log small."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.context import Local, only_local, put, size_words, the_log
from pipeline.cli.tail import milliseconds
from pipeline.errors import RasdError

if TYPE_CHECKING:
    from pipeline.log.sqlite import SqliteLog

_AGE = re.compile(r"(\d{1,5})([dhw])")
_SECONDS = {"h": 3600, "d": 86400, "w": 604800}


def trim(
    ctx: typer.Context,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Delete what was published before this day or time (UTC).")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="AGE", help="Keep what was published within this age: 30d, 12h, 8w.")
    ] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Only this topic (may be repeated).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Also give the space back to the disk (needs as much again meanwhile).")
    ] = False,
    local: Local = False,
) -> None:
    """Delete old messages that every consumer of their topic has read.

    Age counts from the publication of the article that a message speaks of; where nobody knows it, from writing.
    Outputs and what deduplication remembers are not touched.

    \b
    Examples:
      rasd log trim --keep 30d --dry-run
      rasd log trim --before 2018-01-01 --topic articles --vacuum
    """
    from pipeline.topics import topic_named

    only_local(ctx, local, "on Kafka kafka.retention_days says how long messages are kept (`rasd topics create`)")
    limit = _limit(before, keep)
    try:
        names = [topic_named(name).name for name in topic or []]
    except RasdError as e:
        raise typer.BadParameter(str(e), param_hint="--topic") from e
    with the_log(ctx, readonly=dry_run) as log:
        before_bytes = sum(f.stat().st_size for f in log.path.parent.glob(log.path.name + "*"))
        total = 0
        for name in names or list(log.topics()):
            deleted = _old(log, name, limit) if dry_run else _trim(log, name, limit)
            total += deleted
            put(f"{name.removeprefix('rasd.')}: {deleted} message{'' if deleted == 1 else 's'}")
        put(f"{'would delete' if dry_run else 'deleted'} {total} in all")
        if vacuum and not dry_run:
            log.compact()
            after = sum(f.stat().st_size for f in log.path.parent.glob(log.path.name + "*"))
            put(f"the log takes {size_words(after)}, before {size_words(before_bytes)}")


def _trim(log: SqliteLog, topic: str, before: int) -> int:
    with log.transaction():
        return log.trim(topic, before)


def _old(log: SqliteLog, topic: str, before: int) -> int:
    """How many messages `trim` would delete."""
    passed: dict[int, int] = {}
    for _, name, partition, following in log.consumers():
        if name == topic:
            passed[partition] = min(following, passed.get(partition, following))
    return sum(
        1
        for m in log.scan(topic)
        if (m.written if m.time is None else m.time) < before and m.offset < passed.get(m.partition, m.offset + 1)
    )


def _limit(before: str | None, keep: str | None) -> int:
    if (before is None) == (keep is None):
        raise typer.BadParameter("name one of --before and --keep", param_hint="--before/--keep")
    if before is not None:
        return milliseconds(before, "--before")
    age = _AGE.fullmatch(keep or "")
    if age is None:
        raise typer.BadParameter(f"{keep!r} is no age such as 30d, 12h or 8w", param_hint="--keep")
    return int((time.time() - int(age[1]) * _SECONDS[age[2]]) * 1000)
