"""`rasd worker`: runs stages of the flow on Kafka."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline.cli.context import FAILED, USAGE, flush, put_json, say, settings

if TYPE_CHECKING:
    from pipeline.runtimes.kafka.worker import Done


def worker(
    ctx: typer.Context,
    stages: Annotated[
        str, typer.Option("--stages", metavar="NAMES", help="Stages to run, separated by commas; all if not given.")
    ] = "",
    until_idle: Annotated[
        float | None,
        typer.Option("--until-idle", metavar="SECONDS", min=0.1, help="End when nothing came for so long."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON when it ends.")] = False,
) -> None:
    """Run stages of the flow on Kafka (setting kafka.servers) until stopped.

    Start as many as there are partitions, at most: they share them. Ctrl-C or SIGTERM finishes what is under way; a
    second one ends at once, and nothing is lost.

    Examples:

      rasd topics create && rasd worker

      rasd worker --stages extract

      rasd worker --until-idle 5 --json
    """
    from pipeline.errors import ConfigError, RasdError

    config = settings(ctx)
    names = [name.strip() for name in stages.split(",") if name.strip()]
    try:
        from pipeline.runtimes.kafka.worker import run_worker
    except ImportError as e:
        raise RasdError(f"the worker needs {e.name}: pip install 'rasd[kafka]'", reason="not-installed") from e
    try:
        done = run_worker(config, names, until_idle=until_idle)
    except RasdError as e:
        from pipeline.cli.context import complain

        complain(str(e))
        _end(USAGE if isinstance(e, ConfigError) else FAILED)
    if json:
        put_json(_as_dict(done))
    for name, what in done.what.items():
        counted = ", ".join(f"{n:,} {kind}" for kind, n in sorted(what.items())) or "nothing"
        say(f"{name}: {counted}")
    _end(0)


def _as_dict(done: Done) -> dict[str, object]:
    return {
        "seconds": round(done.seconds, 3),
        "stages": {name: dict(sorted(what.items())) for name, what in done.what.items()},
        "begun_anew": done.crashes,
        "clean": done.clean,
    }


def _end(code: int) -> NoReturn:
    """Ends the process although a thread of a library may still wait for a broker that is away."""
    flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(code)
