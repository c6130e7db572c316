"""Bytes to records and back: strict at the door, stdlib types inside."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
import orjson

from pipeline.errors import WireError
from pipeline.records import Article, Coded, Coding, Entry, Event, Record, Reject, Retraction, Toll, Unique, Verdict

R = TypeVar("R", bound=Record)

#: Records by the name that `rasd schema` and the topics page use.
RECORDS: dict[str, type[Record]] = {
    "entry": Entry,
    "article": Article,
    "verdict": Verdict,
    "unique": Unique,
    "event": Event,
    "toll": Toll,
    "coding": Coding,
    "retraction": Retraction,
    "reject": Reject,
}
_KINDS: dict[str, type[Coded]] = {"event": Event, "toll": Toll, "coding": Coding}
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
QUOTED = 200  # characters of an error's text that are kept
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


class _Envelope(msgspec.Struct):
    """The two fields that say what a message is."""

    schema: str
    kind: str | None = None


def encode(record: Record) -> bytes:
    """The record as one line of UTF-8 JSON; equal records give equal bytes.

    Raises: WireError if a text holds a lone surrogate (it has no UTF-8 form).
    """
    try:
        return orjson.dumps(record, option=_OPTIONS)
    except orjson.JSONEncodeError as e:
        raise WireError(f"{type(record).__name__} has no UTF-8 form: {e}", reason="bad-text") from e


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in RECORDS.values()}
_envelope = msgspec.json.Decoder(_Envelope)


def decode(kind: type[R], value: bytes) -> R:
    """The record of type `kind` in `value`; unknown fields are ignored.

    Raises: WireError (reason bad-json, wrong-schema, bad-record or bad-text) naming the field at fault.
    """
    try:
        record: R = _decoders[kind].decode(value)
    except msgspec.ValidationError as e:
        raise _explain(kind, value, e) from e
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise WireError(f"not JSON: {_short(e)}", reason="bad-json") from e
    except RecursionError as e:
        raise WireError("not JSON that we read: nested too deep", reason="bad-json") from e
    if b"u0000" in value and _NUL.search(value):
        raise WireError("holds the NUL character", reason="bad-text")
    return record


def decode_coded(value: bytes) -> Event | Toll | Coding:
    """A message of topic `events`, by its `kind`. Raises: WireError."""
    try:
        kind = _envelope.decode(value).kind
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise WireError(f"not a coded record: {_short(e)}", reason="bad-record") from e
    if kind not in _KINDS:
        raise WireError(f"kind {_short(repr(kind))} is none of {', '.join(_KINDS)}", reason="wrong-schema")
    return decode(_KINDS[kind], value)


def _explain(kind: type[R], value: bytes, error: msgspec.ValidationError) -> WireError:
    expected = schema_name(kind)
    try:
        got: str | None = _envelope.decode(value).schema
    except (msgspec.MsgspecError, RecursionError):
        got = None
    if got is not None and got != expected:
        return WireError(f"schema {_short(repr(got))}, this version reads {expected!r}", reason="wrong-schema")
    return WireError(f"{expected}: {_short(error)}", reason="bad-record")


def _short(error: object) -> str:
    """An error's text without the whole value that it may quote."""
    text = str(error)
    return text if len(text) <= QUOTED else f"{text[: QUOTED // 2]} … {text[-QUOTED // 2 :]}"


def schema_name(kind: type[R]) -> str:
    """`rasd.article/1` for Article, and so on."""
    return str(kind.__dataclass_fields__["schema"].default)
