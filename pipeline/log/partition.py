"""Kafka's partitioner, so that the embedded log and a broker order messages alike."""

from __future__ import annotations

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bit, as in Kafka's `org.apache.kafka.common.utils.Utils.murmur2` (unsigned here)."""
    h = (_SEED ^ len(data)) & _MASK
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_of(key: str | None, partitions: int) -> int:
    """The partition for a key; messages without a key go to partition 0, so that order stays deterministic."""
    if partitions == 1 or key is None:
        return 0
    return (murmur2(key.encode("utf-8")) & 0x7FFFFFFF) % partitions
