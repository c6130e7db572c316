"""A stage's state on a broker's worker: RocksDB here, one database per partition, and its changelog on a topic.

Faust brings the database up to the changelog when a partition is assigned. Writing is ours: `table[key] = value`
writes at once and sends the changelog without waiting, so that a kill in between leaves state that nobody else can see.
Here both are known first (`stagework`), and values and the changelog's offset are written in one batch.

A database that cannot be opened or read to its end is deleted and recovered from the changelog, like one that is lost.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import faust
import rocksdict
from faust.stores.rocksdb import Store
from yarl import URL

from pipeline.errors import RasdError
from pipeline.runtimes.kafka.stage_engine import Stored

log = logging.getLogger("rasd.worker")
#: Small databases, many of them: one per partition.
OPTIONS = {"write_buffer_size": 16 << 20, "block_cache_size": 32 << 20, "max_open_files": 256}


#: Why a sound database may not open; in the words of RocksDB and the system.
_PASSING = ("lock", "no space", "permission", "too many open", "read-only")


class PartitionedStore(Store):
    """Faust's store, read and written a partition at a time."""

    def _open_for_partition(self, partition: int) -> Any:
        path = Path(self.partition_path(partition))
        mark = _mark(path)
        if mark.exists():
            shutil.rmtree(path, ignore_errors=True)
            mark.unlink()
        try:
            return super()._open_for_partition(partition)
        except Exception as e:
            if any(word in str(e).lower() for word in _PASSING):
                raise
            log.warning("the state in %s cannot be opened (%s): it is recovered from the changelog", path, e)
            shutil.rmtree(path)
            return super()._open_for_partition(partition)

    def apply_changelog_batch(self, *given: Any, **named: Any) -> None:
        """What recovery brings. Faust only logs what is raised here, and goes on asking a database that takes no more
        after its disk was full once; so its app crashes, and is begun anew."""
        try:
            super().apply_changelog_batch(*given, **named)
        except Exception as e:
            self._crashing = asyncio.ensure_future(self.app.crash(e))
            raise

    def partition(self, partition: int) -> StoredPartition:
        return StoredPartition(self._db_for_partition(partition), self.offset_key)


class StateTable(faust.Table[bytes, bytes]):
    """A table on `PartitionedStore`; keys and values are bytes as they are."""

    def _new_store(self) -> Any:
        return PartitionedStore(
            URL("rocksdb://"),
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            value_type=self.value_type,
            loop=self.loop,
            options=dict(OPTIONS),
        )


class StoredPartition(Stored):
    """The stored state of one partition, as it stands."""

    def __init__(self, db: rocksdict.Rdict, offset_key: bytes) -> None:
        self._db, self._offset_key = db, offset_key

    def put(self, changes: Mapping[str, bytes], offset: int) -> None:
        """Writes changes, and that the changelog is known up to `offset`: all or nothing. An empty value deletes.

        offset: -1 if the broker did not tell; what was known before stands then, and a little more is read again.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value:
                batch.put(key.encode(), value)
            else:
                batch.delete(key.encode())
        if offset >= 0:
            batch.put(self._offset_key, b"%d" % offset)
        self._db.write(batch)

    def __getitem__(self, key: str) -> bytes:
        value = self._db.get(key.encode())
        if value is None:
            raise KeyError(key)
        return cast(bytes, value)

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        """Raises: RasdError if the database is damaged; the next time it is opened it is empty."""
        last = None
        for last, value in self._db.items():
            if last != self._offset_key:
                yield cast(bytes, last).decode(), value
        if (why := self._fault(last)) is not None:
            path = Path(self._db.path())
            _mark(path).touch()
            self._db.close()  # else its lock is held for as long as anyone looks at the error
            raise RasdError(
                f"the state in {path} is damaged ({why}): it is recovered from the changelog", reason="state"
            )

    def _fault(self, last: object) -> str | None:
        """Why `last` is not the last key there is: rocksdict ends without a word at what RocksDB cannot read."""
        end = self._db.iter()
        end.seek_to_last()
        if end.valid():
            return None if end.key() == last else f"it cannot be read behind {last!r}"
        try:
            end.status()
        except Exception as e:
            return str(e)
        return None if last is None else "its last key cannot be read"

    def items(self) -> ItemsView[str, bytes]:
        return _Items(self)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.pairs())

    def __len__(self) -> int:
        return sum(1 for _ in self.pairs())


def _mark(path: Path) -> Path:
    """A file that says of a database that it is damaged."""
    return path.with_name(f"{path.name}.damaged")


class _Items(ItemsView[str, bytes]):
    """One pass over the database instead of a look-up for each key."""

    _mapping: StoredPartition

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return self._mapping.pairs()
