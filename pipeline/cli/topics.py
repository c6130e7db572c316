"""`rasd topics`: what the log holds, and how far everyone has read; and the topics of brokers, made."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import FAILED, Local, complain, log_of, put, put_json, settings, size_words, table, warn

if TYPE_CHECKING:
    from pipeline.log.kafka.reader import KafkaLog
    from pipeline.log.sqlite import SqliteLog


def topics(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False, local: Local = False
) -> None:
    """List the topics: messages, offsets, size, and the lag of each consumer. On Kafka the size is that on disk.

    \b
    Examples:
      rasd topics
      rasd topics --json | jq '.[].consumers[] | select(.lag > 0)'
    """
    if ctx.invoked_subcommand:
        return
    with log_of(ctx, local=local) as log:
        rows = described(log)
    if as_json:
        put_json(rows)
        return
    cells = []
    for row in rows:
        lags = ", ".join(f"{c['name']} {c['lag']} behind" if c["lag"] else c["name"] for c in row["consumers"])
        cells.append(
            [
                row["topic"].removeprefix("rasd."),
                row["partitions"],
                row["messages"],
                size_words(row["size"]),
                " ".join(f"{b['first']}..{b['next']}" for b in row["bounds"][:4])
                + (" …" if len(row["bounds"]) > 4 else ""),
                lags,
                row["about"],
            ]
        )
    for line in table(
        ["topic", "partitions", "messages", "size", "offsets", "consumers", "about"], cells, right=(1, 2, 3)
    ):
        put(line)


def create(
    ctx: typer.Context,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", help="How long to wait for the brokers.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Make the topics on Kafka that are missing, and set the others as the settings say. May run again at any time.

    Exit code 1 if a topic has another number of partitions than kafka.partitions: that is never changed.

    \b
    Examples:
      rasd topics create --wait 60
    """
    from pipeline.log.kafka.topics import check_topics, ensure_topics

    config = settings(ctx)
    changes = ensure_topics(config, wait)
    faults = [fault for fault in check_topics(config) if fault.lasting]
    if as_json:
        put_json({"changes": [asdict(c) for c in changes], "faults": [asdict(f) for f in faults]})
    else:
        for change in changes:
            put(f"{change.did} {change.topic}: {change.detail}")
        if not changes:
            put("all topics are there")
    for fault in faults:
        (complain if fault.grave else warn)(f"{fault.topic} {fault.what}")
    if any(fault.grave for fault in faults):
        raise typer.Exit(FAILED)


def described(log: SqliteLog | KafkaLog) -> list[dict[str, Any]]:
    """One entry a topic; a consumer's lag counts the messages from where it stands to the end."""
    from pipeline.topics import TOPICS

    consumers: dict[str, dict[str, dict[int, int]]] = {}
    for name, topic, partition, following in log.consumers():
        consumers.setdefault(topic, {}).setdefault(name, {})[partition] = following
    rows = []
    present = log.topics()
    for topic in [*TOPICS, *(t for t in present if t not in TOPICS)]:
        bounds = log.bounds(topic)
        rows.append(
            {
                "topic": topic,
                "about": TOPICS[topic].about if topic in TOPICS else "",
                "partitions": present.get(topic, 0),
                "messages": sum(b.messages for b in bounds),
                "size": sum(b.size for b in bounds),
                "bounds": [{"partition": b.partition, "first": b.first, "next": b.next} for b in bounds],
                "consumers": [
                    {
                        "name": name,
                        "next": [at.get(b.partition, 0) for b in bounds],
                        "lag": sum(b.next - max(b.first, min(at.get(b.partition, 0), b.next)) for b in bounds),
                    }
                    for name, at in sorted(consumers.get(topic, {}).items())
                ],
            }
        )
    return rows
