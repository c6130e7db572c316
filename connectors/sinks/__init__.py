"""Sinks: where records end up, as files or in a database. A registry of names and one contract.

Messages are delivered at least once; each sink makes the effect exactly once. A runner reads a batch of a sink's topics
and calls `write` for each message, then `flush`, then commits what `flush` returned together with the offsets, in one
transaction, and only then writes again. It may be killed anywhere: on the next start it calls `resume` with what was
committed and delivers everything behind the committed offsets again. At the end the files are the same as if nothing
had happened.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from connectors.sinks import jsonl, sqlite
from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.sqlite import SqliteSink
from pipeline.config import Config
from pipeline.errors import StorageError
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What a sink keeps, in words for a person, and how to remove it all."""

    names: tuple[str, ...]
    remove: Callable[[], None]


def _files(config: Config, *names: str) -> Kept:
    """Files and folders of the data folder, those that are there."""
    paths = [config.data_dir / name for name in names if (config.data_dir / name).exists()]

    def remove() -> None:
        for path in paths:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return Kept(tuple(map(str, paths)), remove)


def _postgres(config: Config) -> Sink:
    with _installed():
        from connectors.sinks.postgres import PostgresSink
        from connectors.sinks.postgres_server import target_of
    return PostgresSink(target_of(config))


def _postgres_check(config: Config, committed: Mapping[str, bytes]) -> str:
    with _installed():
        from connectors.sinks.postgres import check
        from connectors.sinks.postgres_server import target_of
    return check(target_of(config), committed)


def _postgres_kept(config: Config) -> Kept:
    with _installed():
        from connectors.sinks.postgres import kept, remove
        from connectors.sinks.postgres_server import target_of
    target = target_of(config)
    return Kept(kept(target), lambda: remove(target))


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    """Raises: StorageError naming the extra where psycopg is not there."""
    try:
        yield
    except ImportError as e:
        raise StorageError(
            f"the postgres sink needs psycopg ({e}): pip install 'rasd[postgres]'", reason="missing-package"
        ) from e


#: Sinks by name, made from the settings.
SINKS: dict[str, Callable[[Config], Sink]] = {
    "jsonl": lambda config: JsonlSink(config.data_dir),
    "sqlite": lambda config: SqliteSink(config.data_dir),
    "postgres": _postgres,
}

#: What each sink keeps; removed when it is made anew. Raises where the sink would.
KEEPS: dict[str, Callable[[Config], Kept]] = {
    "jsonl": lambda config: _files(config, "events"),
    "sqlite": lambda config: _files(config, "rasd.sqlite", "rasd.sqlite-wal", "rasd.sqlite-shm"),
    "postgres": _postgres_kept,
}

#: What a sink's output is worth, in a few words, by the settings and the committed state. Raise StorageError where
#: `resume` would, and touch nothing.
CHECKS: dict[str, Callable[[Config, Mapping[str, bytes]], str]] = {
    "jsonl": lambda config, committed: jsonl.check(config.data_dir, committed),
    "sqlite": lambda config, committed: sqlite.check(config.data_dir, committed),
    "postgres": _postgres_check,
}
