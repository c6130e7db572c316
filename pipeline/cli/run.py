"""`rasd run`: all stages, until stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.context import say, settings


def run(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End when every stage has caught up.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON when it ends.")] = False,
) -> None:
    """Run all stages over the data folder's log until stopped (Ctrl-C or SIGTERM: the batch is finished first).

    It takes up whatever another `rasd replay` or `rasd rejects redrive` of the same folder adds to the log.

    Examples:

      rasd run

      rasd run --once --data archive-2018
    """
    import time

    from pipeline.cli.replay import counts_as_dict, summary
    from pipeline.runtimes.local import run_flow

    config = settings(ctx)
    say(f"running all stages over {config.data_dir}; stop with Ctrl-C")
    begin = time.monotonic()
    counts, stopped = run_flow(config, follow=not once)
    seconds = time.monotonic() - begin
    if json:
        from pipeline.cli.context import put_json

        put_json(counts_as_dict(counts, seconds, stopped))
    else:
        for line in summary(counts, seconds):
            say(line)
