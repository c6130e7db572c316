"""`rasd sinks`: looking after the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.context import put, settings, the_log, warn
from pipeline.errors import StorageError

if TYPE_CHECKING:
    from connectors.sinks import Kept
    from pipeline.config import Config


def reset(
    ctx: typer.Context,
    sink: Annotated[str, typer.Argument(metavar="SINK", help="jsonl, sqlite or postgres.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove what a sink has written, and write it anew from the log at the next run.

    What was trimmed from the log cannot be written again. Needed when files were removed or changed by hand, or after
    the log was lost.

    \b
    Example:
      rasd sinks reset jsonl && rasd run --once
    """
    from connectors.sinks import KEEPS
    from pipeline.runtimes.local import runner_lock
    from pipeline.runtimes.turns import consumer_of

    if sink not in KEEPS:
        raise typer.BadParameter(f"there are {', '.join(KEEPS)}", param_hint="SINK")
    config = settings(ctx)
    data = config.data_dir
    kept = KEEPS[sink](config)
    if not yes:
        typer.confirm(f"Remove {', '.join(kept.names) or 'nothing'} and write {sink} anew?", abort=True, err=True)
    if config.kafka.servers:
        _reset_on_kafka(config, sink, kept)
        return
    with the_log(ctx, readonly=False) as log, runner_lock(data) as alone:
        if not alone:
            raise StorageError(f"another rasd process runs the stages of {data}: stop it first", reason="in-use")
        trimmed = [topic for topic in log.topics() if any(b.first > 0 for b in log.bounds(topic))]
        with log.transaction():
            log.forget(consumer_of(sink))
        kept.remove()
    if trimmed:
        warn(f"the log was trimmed ({', '.join(trimmed)}): only what it still holds comes back")
    put(f"{sink} is empty now; `rasd run --once` writes it anew")


def _reset_on_kafka(config: Config, sink: str, kept: Kept) -> None:
    from pipeline.log.kafka.clients import cluster_of, need_library

    need_library()
    from pipeline.runtimes.kafka.sinking_places import forget, forget_group

    forget_group(cluster_of(config), sink)
    forget(config.data_dir, sink)
    kept.remove()
    put(f"{sink} is empty now; `rasd sink {sink}` writes it anew from what the topics still hold")
