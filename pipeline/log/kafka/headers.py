"""What stands in a message's headers: what kind of record it is, its event time, and the trace that it belongs to.

Payloads hold no wall-clock time, so that they replay to the same bytes; the time of writing is the message's own
timestamp (CreateTime). The trace follows W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

Headers = Sequence[tuple[str, bytes]]

CONTENT_TYPE = ("content-type", b"application/json")
SCHEMA, EVENT_TIME, TRACE = "rasd-schema", "rasd-event-time", "traceparent"
_NAMED = re.compile(rb'"schema":"([a-z./0-9]{1,60})"')


def headers(schema: bytes, time: int | None, trace: bytes | None = None) -> list[tuple[str, bytes]]:
    """Headers of a new message.

    schema: as `rasd.article/1`. time: event time in ms since 1970. trace: the `traceparent` of the message that this
    one was made from; None begins a trace.
    """
    out = [CONTENT_TYPE, (SCHEMA, schema), (TRACE, trace or new_trace())]
    if time is not None:
        out.append((EVENT_TIME, b"%d" % time))
    return out


def schema_of(value: bytes) -> bytes:
    """The schema that a record of ours names, such as `rasd.event/1`, read off its first bytes; empty if none."""
    found = _NAMED.search(value, 0, 200)
    return found[1] if found else b""


def new_trace() -> bytes:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00".encode()


def header(found: Iterable[tuple[str, bytes | None]] | None, name: str) -> bytes | None:
    """The header's value, the last one if it stands there twice."""
    value = None
    for key, this in found or ():
        if key == name and this is not None:
            value = this
    return value


def event_time(found: Iterable[tuple[str, bytes | None]] | None) -> int | None:
    """Event time in ms; None where there is none, or no number."""
    value = header(found, EVENT_TIME)
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


class Spelled(bytearray):
    """Bytes that decode whatever they are: what is no UTF-8 is spelled out."""

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return Spelled(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self).decode(encoding, "backslashreplace")
