"""Reading what a broker keeps, when a header's name is not UTF-8.

Kafka stores such a record, and aiokafka raises where it decodes the name: the consumer would meet the same record for
ever, and its partition would stand still. Such a batch is read once more here, with the name's bytes spelled out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from pipeline.log.kafka.headers import Spelled


def read_any_header() -> None:
    """From now on, all of aiokafka's consumers in this process read such records."""
    fetcher.MemoryRecords = AnyRecords


class AnyRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """Batches as the broker sent them."""

    def next_batch(self, *limits: int) -> Any:
        raw = self._next_slice
        batch = super().next_batch(*limits)
        return batch if batch is None else _Batch(batch, bytes(raw))


class _Batch:
    """A batch, read by aiokafka's fast reader as far as that goes."""

    def __init__(self, batch: Any, raw: bytes) -> None:
        self._batch, self._raw = batch, raw
        self._records = self._read()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        return self._records

    def __next__(self) -> Any:
        return next(self._records)

    def _read(self) -> Iterator[Any]:
        last = -1
        try:
            for record in self._batch:
                last = record.offset
                yield record
        except UnicodeDecodeError:
            batch = _DefaultRecordBatchPy(self._raw)
            batch._maybe_uncompress()
            batch._buffer = Spelled(batch._buffer)
            yield from (record for record in batch if record.offset > last)
