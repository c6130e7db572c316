"""`rasd poller`: asks feeds when they are due and writes what they announce to Kafka, until stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.context import put_json, say, settings


def poller(
    ctx: typer.Context,
    feeds: Annotated[Path | None, typer.Option(help="The list of feeds, instead of the setting feeds.file.")] = None,
    wait_for_feeds: Annotated[
        bool, typer.Option("--wait-for-feeds", help="Wait for a list that is not there or faulty.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Poll each feed once, then end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON when it ends.")] = False,
) -> None:
    """Poll the feeds and write new and edited entries to Kafka, until stopped (Ctrl-C or SIGTERM). `rasd fetcher` reads
    them there.

    An edited list counts at once.

    Examples:

      rasd poller --feeds feeds.toml

      rasd poller --once --json
    """
    from pipeline.log.kafka.clients import cluster_of, need_library

    config = settings(ctx)
    cluster = cluster_of(config)
    need_library()
    from pipeline.runtimes.kafka.polling import how_it_goes, run_poller
    from pipeline.runtimes.local import stop_on_signals

    file = feeds or Path(config.feeds.file)
    say(f"polling {file} into {cluster.topic('rasd.entries')} at {', '.join(cluster.servers)}; stop with Ctrl-C")
    with stop_on_signals() as stop:
        counts = run_poller(config, file, stop, once=once, wait=wait_for_feeds)
    if json:
        put_json(dict(sorted(counts.items())))
    else:
        say(how_it_goes(counts))
