"""A stage's state on a broker's worker: RocksDB here, one database per partition, and its changelog on a topic.

Faust brings the database up to the changelog when a partition is assigned. Writing is ours: `table[key] = value`
writes at once and sends the changelog without waiting, so that a kill in between leaves state that nobody else can see.
Here both are known first (`stagework`), and values and the changelog's offset are written in one batch.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from typing import Any, cast

import faust
import rocksdict
from faust.stores.rocksdb import Store
from yarl import URL

from pipeline.runtimes.kafka.stagework import Stored

#: Small databases, many of them: one per partition.
OPTIONS = {"write_buffer_size": 16 << 20, "block_cache_size": 32 << 20, "max_open_files": 256}


class PartitionedStore(Store):
    """Faust's store, read and written a partition at a time."""

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
        for key, value in self._db.items():
            if key != self._offset_key:
                yield cast(bytes, key).decode(), value

    def items(self) -> ItemsView[str, bytes]:
        return _Items(self)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.pairs())

    def __len__(self) -> int:
        return sum(1 for _ in self.pairs())


class _Items(ItemsView[str, bytes]):
    """One pass over the database instead of a look-up for each key."""

    _mapping: StoredPartition

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return self._mapping.pairs()
