"""`rasd config`: are the settings right, and what is in force?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.context import put, put_json, say, settings, table

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def check(ctx: typer.Context) -> None:
    """Read the settings file and the environment, and say what is wrong with them, files that are not there included.

    \b
    Examples:
      rasd config check
      rasd config check --config /etc/rasd.toml
    """
    from pipeline.config import check_files

    config = settings(ctx)
    check_files(config)
    say(f"{config.file or 'no settings file, the defaults and the environment'}: all right")


def show(ctx: typer.Context, as_json: Json = False) -> None:
    """Every setting: its value, where it comes from, its default, and what it is for.

    \b
    Examples:
      rasd config show
      RASD_RUN_BATCH=64 rasd config show --json
    """
    from pipeline.config import SETTINGS

    config = settings(ctx)
    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "value": "***" if row.secret and config.value(row.name) else config.value(row.name),
            "origin": config.origin(row.name),
            "default": row.default,
            "variable": row.variable,
            "doc": row.doc,
        }
        for row in SETTINGS.values()
    ]
    if as_json:
        put_json(rows)
        return
    for line in table(
        ["setting", "value", "from", "default", "what it is for"],
        [[r["name"], _words(r["value"]), r["origin"], _words(r["default"]), r["doc"]] for r in rows],
    ):
        put(line)


def _words(value: Any) -> str:
    """The value as the file would spell it."""
    import orjson

    return orjson.dumps(value).decode()
