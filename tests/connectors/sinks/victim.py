"""A process to be killed: feeds a sink from where it stands, with state and offset in a real log.

python -m tests.connectors.sinks.victim jsonl DATA
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from connectors.sinks import SINKS
from pipeline.config import load
from pipeline.log.sqlite import SqliteLog
from tests.connectors.sinks.builders import Message, coded, event, message, toll, unique

BATCH = 5


def messages() -> list[Message]:
    """150 articles of up to three revisions, over ten days."""
    out: list[Message] = []
    for n in range(300):
        article, revision = f"a{n % 150}", 1 + n // 150
        day = dt.date(2018, 3, 1) + dt.timedelta(days=n % 10)
        out.append(message(unique(article, revision)))
        records = [event(f"{article}-{k}", article, revision, day=day) for k in range(n % 4)]
        out += coded(*records, toll(f"{article}-t", article, revision, end=day), generation=n % 3)
    return out


def main(kind: str, data: Path, environ: Mapping[str, str] = os.environ) -> None:
    log = SqliteLog(data / "log.sqlite")
    sink = SINKS[kind](load(data=data, environ=environ))
    sink.resume(log.state(kind))
    position = log.state("position")
    mine = [m for m in messages() if m[0] in sink.topics]
    print("begun", flush=True)
    while (offset := int(position.get("offset", b"0"))) < len(mine):
        part = mine[offset : offset + BATCH]
        for _, record, value in part:
            sink.write(record, value)
        changes = sink.flush()
        with log.transaction():
            log.change(kind, changes)
            log.change("position", {"offset": b"%d" % (offset + len(part))})
    sink.close()
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
