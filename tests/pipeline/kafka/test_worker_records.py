"""Records that Kafka keeps and aiokafka does not read by itself."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("aiokafka")

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from pipeline.runtimes.kafka.faust_records import AnyRecords, read_any_header


def batch(compression: int, spoil: bool) -> bytes:
    """Five records; the third one's header is named b"\\xff\\xfe" if spoiled."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=compression, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=100_000,
    )  # fmt: skip
    for n in range(5):
        name = "zq" if n == 2 else "name"
        builder.append(n, timestamp=1_000 + n, key=b"k%d" % n, value=b"v" * n, headers=[(name, b"x"), ("y", None)])
    raw = bytes(builder.build())
    return raw.replace(b"zq", b"\xff\xfe") if spoil else raw


def read(kind: Any, raw: bytes) -> list[tuple[Any, ...]]:
    records, out = kind(raw), []
    while records.has_next():
        found = records.next_batch()
        out += [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in found]
        assert found.next_offset == 5
    return out


@pytest.mark.parametrize("compression", [0, 4])
def test_other_records_are_read_as_before(compression: int) -> None:
    raw = batch(compression, spoil=False)
    assert read(AnyRecords, raw + raw) == read(MemoryRecords, raw + raw)


def test_a_header_whose_name_is_not_utf8_is_spelled_out_and_the_rest_is_read() -> None:
    raw = batch(0, spoil=True)
    with pytest.raises(UnicodeDecodeError):
        read(MemoryRecords, raw)
    found = read(AnyRecords, raw)
    assert [row[0] for row in found] == [0, 1, 2, 3, 4]
    assert found[2] == (2, 1002, b"k2", b"vv", (("\\xff\\xfe", b"x"), ("y", None)))


def test_all_consumers_read_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    read_any_header()
    assert fetcher.MemoryRecords is AnyRecords
