"""Reading what a broker keeps, when a header's name is not UTF-8.

Kafka stores such a record, and kafka-python calls its batch corrupt: a consumer would meet it for ever, and its
partition would stand still. The name's bytes are spelled out here; for aiokafka `runtimes.kafka.faust_records` does it.
"""

from __future__ import annotations

from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch

from pipeline.log.kafka.headers import Spelled


def read_any_header() -> None:
    """From now on, all of kafka-python's consumers in this process read such records."""
    memory_records.DefaultRecordBatch = AnyBatch


class AnyBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch as the broker sent it."""

    _buffer: bytearray

    def _read_msg(self, *given: Any) -> Any:
        try:
            return super()._read_msg(*given)
        except UnicodeDecodeError:  # the place in the batch is moved on behind a record only
            self._buffer = Spelled(self._buffer)
            return super()._read_msg(*given)
