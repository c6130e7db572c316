"""JSON Schemas of the records, generated from the record classes; the files beside this one are shipped."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.records import Record
from pipeline.wire import RECORDS, schema_name

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BASE = "https://rasd.example/schemas/"


def schema_of(name: str) -> dict[str, Any]:
    """The schema of the record of that name ("event"); KeyError if there is none."""
    kind: type[Record] = RECORDS[name]
    body = msgspec.json.schema(kind, ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "$id": f"{BASE}{schema_name(kind)}.json", "title": schema_name(kind), **body}


def schema_text(name: str) -> bytes:
    """The schema as the shipped file spells it."""
    return msgspec.json.format(msgspec.json.encode(schema_of(name)), indent=2) + b"\n"
