"""Articles put on the topic by a test itself, and what dedupe and extraction say of them when nothing goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from connectors.sources.rows import Options, read_row
from pipeline import wire
from pipeline.log.kafka.clients import Cluster
from pipeline.log.kafka.headers import schema_of
from pipeline.log.kafka.producer import Producer
from pipeline.records import Article
from pipeline.topics import ARTICLES
from tests.generate import rows


def articles(n: int, seed: int = 0) -> list[Article]:
    """Of `tests.generate.rows`: with copies and revisions among them."""
    return [article(row) for row in rows(n, seed)]


def article(row: dict[str, Any]) -> Article:
    found = read_row(json.dumps(row, ensure_ascii=False).encode(), Options(), "given.jsonl", 1, 0)
    assert isinstance(found, Article)
    return found


def near_copies(n: int, seed: int = 0) -> list[Article]:
    """New articles elsewhere, each like one of `articles(n, seed)` but for a line at its end."""
    out = []
    for i, row in enumerate(rows(n, seed)):
        body = f"{row['body']}\n\nنقلت الخبر وكالات."
        out.append(
            article({**row, "id": f"n{i}", "url": f"https://near.example.net/{i}", "outlet": "near", "body": body})
        )
    return out


def publish(cluster: Cluster, given: Iterable[Article]) -> int:
    """Puts them on the topic, each to its language's partition; returns when all are acknowledged."""
    with Producer(cluster) as producer:
        sent = []
        for one in given:
            value = wire.encode(one)
            sent.append(producer.send(ARTICLES.name, ARTICLES.key(one), value, schema=schema_of(value)))
        for future in sent:
            future.result(60)
    return len(sent)
