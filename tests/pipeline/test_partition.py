"""Kafka's own test vectors, so that both runtimes put a key in the same partition."""

from __future__ import annotations

import pytest

from pipeline.log.partition import murmur2, partition_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
VECTORS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), VECTORS.items())
def test_murmur2_agrees_with_kafka(key: str, signed: int) -> None:
    assert murmur2(key.encode()) == signed & 0xFFFFFFFF


def test_keys_spread_over_all_partitions_and_stay_where_they_are() -> None:
    spread = [partition_of(f"article-{i}", 4) for i in range(1000)]
    assert {0, 1, 2, 3} == set(spread)
    assert min(spread.count(p) for p in range(4)) > 200
    assert spread == [partition_of(f"article-{i}", 4) for i in range(1000)]


def test_a_message_without_key_has_a_fixed_place() -> None:
    assert partition_of(None, 8) == 0
