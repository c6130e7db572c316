"""`rasd topics`: what the log holds, and how far everyone has read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.context import put, put_json, size_words, table, the_log

if TYPE_CHECKING:
    from pipeline.log.sqlite import SqliteLog


def topics(ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the topics: messages, offsets, size, and the lag of each consumer.

    \b
    Examples:
      rasd topics
      rasd topics --json | jq '.[].consumers[] | select(.lag > 0)'
    """
    with the_log(ctx) as log:
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


def described(log: SqliteLog) -> list[dict[str, Any]]:
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
