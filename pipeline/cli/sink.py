"""`rasd sink`: keeps outputs up to date with the topics of a broker."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.context import put_json, settings


def sink(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which ones; else those of sinks.enabled.")
    ] = None,
    until_idle: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="SECONDS", help="End when nothing came for so long and nothing is left."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON when it ends.")] = False,
) -> None:
    """Write what is on the topics of a Kafka cluster to files or a database, until stopped.

    Each sink is a consumer group (`sink-NAME`) that commits after it has written for good. jsonl and sqlite have one
    process each; of postgres as many may run as there are partitions, each with a worker.instance of its own.

    Examples:

      rasd sink postgres

      rasd sink jsonl sqlite --until-idle 5
    """
    from pipeline.config import SINKS
    from pipeline.log.kafka.clients import cluster_of, need_library

    config = settings(ctx)
    wanted = list(dict.fromkeys(names or config.sinks.enabled))
    if unknown := [name for name in wanted if name not in SINKS]:
        raise typer.BadParameter(f"no sink {unknown[0]!r}; there are {', '.join(SINKS)}", param_hint="NAME")
    cluster_of(config)
    need_library()
    from pipeline.runtimes.kafka.sinking import run_sinks

    counts = run_sinks(config, wanted, until_idle=until_idle)
    if json:
        put_json({name: _as_dict(c) for name, c in counts.items()})


def _as_dict(counts: Any) -> dict[str, int]:
    return {"taken": counts.taken, "rejects": counts.refused, "behind": counts.behind}
