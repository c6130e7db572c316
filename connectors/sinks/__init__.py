"""Sinks: where records end up as files. A registry of names and one contract.

Messages are delivered at least once; each sink makes the effect exactly once. A runner reads a batch of a sink's topics
and calls `write` for each message, then `flush`, then commits what `flush` returned together with the offsets, in one
transaction, and only then writes again. It may be killed anywhere: on the next start it calls `resume` with what was
committed and delivers everything behind the committed offsets again. At the end the files are the same as if nothing
had happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from connectors.sinks import jsonl, sqlite
from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.sqlite import SqliteSink
from pipeline.records import Record


class Sink(Protocol):
    """What keeps records outside the log. Calls come one at a time, from any thread.

    name: in the registry, and the name under which the runner keeps offsets and state.
    topics: names of the topics it reads; each batch is read in this order.
    """

    @property
    def name(self) -> str: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    def resume(self, committed: Mapping[str, bytes]) -> None:
        """Brings the files back to the committed state; called at the start and after a failed write.

        `committed` is the sink's durable state and stays live: later reads see what the runner has committed since.
        Raises: StorageError if files and state cannot belong together; StoragePaused or OSError to try again later.
        """

    def write(self, record: Record, value: bytes) -> None:
        """Takes one message, decoded and as it was sent; touches no file before `flush`."""

    def flush(self) -> Mapping[str, bytes]:
        """Makes everything written durable; returns the state to commit with the offsets (empty value: delete the key).

        Raises: StoragePaused or OSError (disk full, file locked): call `resume` and write the batch again. Until a
        `resume` has succeeded, every further `flush` raises StoragePaused and touches nothing.
        """

    def close(self) -> None:
        """Gives files back; what was not flushed is forgotten."""


#: Sinks by name; the argument is the data folder.
SINKS: dict[str, Callable[[Path], Sink]] = {"jsonl": JsonlSink, "sqlite": SqliteSink}

#: What each sink keeps in the data folder; removed when it is made anew.
KEEPS: dict[str, tuple[str, ...]] = {
    "jsonl": ("events",),
    "sqlite": ("rasd.sqlite", "rasd.sqlite-wal", "rasd.sqlite-shm"),
}

#: What a sink's files are worth, in a few words, by the data folder and the committed state. Raise StorageError where
#: `resume` would, and touch nothing.
CHECKS: dict[str, Callable[[Path, Mapping[str, bytes]], str]] = {"jsonl": jsonl.check, "sqlite": sqlite.check}
