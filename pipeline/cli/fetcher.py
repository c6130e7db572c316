"""`rasd fetcher`: reads entries off Kafka, fetches their pages and writes articles to Kafka, until stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.context import put_json, say, settings
from pipeline.cli.online import pages_json


def fetcher(
    ctx: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="End when every entry of the topic is taken and no page is due.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON when it ends.")] = False,
) -> None:
    """Fetch the pages that entries on Kafka announce, and write their articles to Kafka, until stopped (Ctrl-C or
    SIGTERM).

    Several fetchers, each with a data folder of its own, share the hosts among them.

    Examples:

      rasd fetcher --data fetcher-1

      rasd fetcher --once --json
    """
    from pipeline.log.kafka.clients import cluster_of, need_library

    config = settings(ctx)
    cluster = cluster_of(config)
    need_library()
    from pipeline.runtimes.kafka.fetching import how_it_goes, run_fetcher
    from pipeline.runtimes.local import stop_on_signals

    say(
        f"fetching what {cluster.topic('rasd.entries')} at {', '.join(cluster.servers)} announces, over"
        f" {config.data_dir}; stop with Ctrl-C"
    )
    with stop_on_signals() as stop:
        done = run_fetcher(config, stop, once=once)
    if json:
        rejects = done.rejects + done.pages.rejects.total()
        put_json({"entries": done.entries, "rejects": rejects, "pages": pages_json(done.pages)})
    else:
        say(how_it_goes(done))
