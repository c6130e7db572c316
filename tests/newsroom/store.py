"""What the data folder of a run holds at the end."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipeline.log.sqlite import SqliteLog

TOKEN = re.compile(r"NR(\d\d-\d{4})-(\d+)([PFS])")


@dataclass(frozen=True, slots=True)
class Arrived:
    """One article of the log. tokens: what its text shows: story key, revision, where it was written."""

    id: str
    content: str
    url: str | None
    partial: bool
    tokens: frozenset[tuple[str, int, str]]
    title: str | None
    body: str
    published: float | None
    language: str | None


@dataclass(slots=True)
class Store:
    """What the data folder holds at the end."""

    articles: list[Arrived]
    verdicts: list[tuple[str, int, str]]
    rejects: Counter[str]
    rows: dict[str, int]

    @classmethod
    def read(cls, data: Path) -> Store:
        log = SqliteLog(data / "log.sqlite", readonly=True)
        articles = [_arrived(orjson.loads(m.value)) for m in log.scan("rasd.articles")]
        verdicts = [_verdict(orjson.loads(m.value)) for m in log.scan("rasd.verdicts")]
        rejects = Counter(str(orjson.loads(m.value)["reason"]) for m in log.scan("rasd.rejects"))
        log.close()
        rows = {}
        if (data / "rasd.sqlite").exists():
            with closing(sqlite3.connect(data / "rasd.sqlite")) as db:
                for table in ("articles", "verdicts"):
                    rows[table] = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return cls(articles, verdicts, rejects, rows)

    @property
    def tokens(self) -> set[tuple[str, int, str]]:
        return {token for article in self.articles for token in article.tokens}


def _verdict(verdict: dict[str, Any]) -> tuple[str, int, str]:
    return verdict["article_id"], verdict["revision"], verdict["verdict"]


def _arrived(article: dict[str, Any]) -> Arrived:
    found = frozenset((key, int(n), where) for key, n, where in TOKEN.findall(article["body"]))
    said = article["published"]
    return Arrived(
        id=article["id"],
        content=article["content_hash"],
        url=article["url"],
        partial=article["partial"],
        tokens=found,
        title=article["title"],
        body=article["body"],
        published=dt.datetime.fromisoformat(said).timestamp() if said else None,
        language=article["language"],
    )
