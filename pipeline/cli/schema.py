"""`rasd schema`: the records as JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.context import put, put_bytes, say, table


def schema(
    record: Annotated[str | None, typer.Argument(help="Name of a record; none: list them.")] = None,
    every: Annotated[
        Path | None, typer.Option("--all", metavar="DIR", help="Write the schemas of all records into this folder.")
    ] = None,
) -> None:
    """Print the JSON Schema (draft 2020-12) of a record.

    \b
    Examples:
      rasd schema
      rasd schema event > event.schema.json
      rasd schema --all schemas/
    """
    from pipeline.schemas import schema_text
    from pipeline.wire import RECORDS, schema_name

    if every is not None:
        every.mkdir(parents=True, exist_ok=True)
        for name in RECORDS:
            (every / f"{name}.json").write_bytes(schema_text(name))
        say(f"{len(RECORDS)} schemas written to {every}")
    elif record is None:
        rows = [[name, schema_name(kind), (kind.__doc__ or "").split("\n")[0]] for name, kind in RECORDS.items()]
        for line in table(["record", "schema", "about"], rows):
            put(line)
    elif record.lower() in RECORDS:
        put_bytes(schema_text(record.lower()).rstrip(b"\n"))
    else:
        raise typer.BadParameter(f"no record {record!r}; there are {', '.join(RECORDS)}", param_hint="RECORD")
