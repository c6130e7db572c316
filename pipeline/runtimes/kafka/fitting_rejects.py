"""Rejects that fit into a message, whatever they hold."""

from __future__ import annotations

import base64
import dataclasses

from pipeline import wire
from pipeline.flow import Failure
from pipeline.log import Message
from pipeline.log.kafka.headers import event_time
from pipeline.records import Reject
from pipeline.runtimes.kafka.stage_engine import Incoming
from pipeline.runtimes.turns import reject_of

LONGEST_KEY = 200  # characters of a key that is kept with a message that must be cut


def bounded_reject(message: Incoming, stage: str, failure: Failure, max_bytes: int) -> Reject:
    """The reject of a message, cut until it fits."""
    key = None if message.key is None else message.key.decode("utf-8", "backslashreplace")
    whole = Message(
        message.topic, message.partition, message.offset, key, message.value or b"", event_time(message.headers), 0
    )
    return fitted(reject_of(whole, stage, failure), max_bytes)


def fitted(reject: Reject, max_bytes: int) -> Reject:
    """The reject, cut until it fits into a message together with its key."""
    key = reject.key
    if _size(reject) > max_bytes:
        key = key if key is None or len(key) <= LONGEST_KEY else None
        value = base64.b64decode(reject.value or "")
        spare = max_bytes - _size(dataclasses.replace(reject, key=key, value="", truncated=True))
        kept = base64.b64encode(value[: max(0, spare) * 3 // 4 - 3 if spare > 4 else 0]).decode()
        reject = dataclasses.replace(reject, key=key, value=kept, truncated=True)
    return reject


def _size(reject: Reject) -> int:
    return len(wire.encode(reject)) + len(encoded(reject.key) or b"")


def encoded(key: str | None) -> bytes | None:
    """A key as bytes; lone surrogates are spelled out."""
    return None if key is None else key.encode("utf-8", "backslashreplace")
