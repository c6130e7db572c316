"""Snappy for kafka-python, which asks for python-snappy: cramjam does it, which Faust's client needs anyway."""

from __future__ import annotations

from types import SimpleNamespace


def use_cramjam() -> None:
    """From now on, all of kafka-python's clients in this process pack and unpack snappy."""
    from kafka import codec

    if codec.snappy is not None:
        return
    try:
        from cramjam import snappy
    except ImportError:  # `rasd doctor` says so
        return
    codec.snappy = SimpleNamespace(
        compress=lambda raw: bytes(snappy.compress_raw(raw)),
        decompress=lambda packed: bytes(snappy.decompress_raw(packed)),
    )
