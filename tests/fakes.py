"""Stand-ins for the outer parts of the flow. Everything is at module level: children of the pool import it by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.flow import FLOW, Stage
from pipeline.records import Article, Coding, Extractor, Outcome, Record, Reject, Unique
from pipeline.topics import UNIQUE

READER = Extractor(name="fake", version="1", lexicon="0")
CODING = Coding(article_id="", revision=1, generation=1, abstained=True, reason="fake", extractor=READER)


@dataclass(frozen=True)
class Item:
    position: int
    record: Article | Reject


class ListSource:
    """A source over a list; remembers from where it was read."""

    def __init__(self, records: Sequence[Article | Reject], identity: str = "list") -> None:
        self.records, self.identity = records, identity
        self.skips: list[int] = []

    def read(self, skip: int = 0) -> Iterator[Item]:
        self.skips.append(skip)
        for i, record in enumerate(self.records[skip:], skip + 1):
            yield Item(i, record)


class MemorySink:
    """Keeps what it is given; what was not flushed is forgotten on resume. `trouble` is raised by the next flushes."""

    name = "memory"

    def __init__(self, topics: tuple[str, ...] = ("rasd.events",)) -> None:
        self.topics = topics
        self.kept: list[bytes] = []
        self.buffer: list[bytes] = []
        self.trouble: list[Exception] = []
        self.resumed = 0

    def resume(self, committed: Mapping[str, bytes]) -> None:
        self.resumed += 1
        self.buffer.clear()
        del self.kept[int(committed.get("length", b"0")) :]

    def write(self, record: Record, value: bytes) -> None:
        self.buffer.append(value)

    def flush(self) -> Mapping[str, bytes]:
        if self.trouble:
            raise self.trouble.pop(0)
        self.kept += self.buffer
        self.buffer.clear()
        return {"length": b"%d" % len(self.kept)}

    def close(self) -> None:
        self.buffer.clear()


def read_one(unique: Unique) -> Outcome:
    """A coding per article; some texts misbehave on purpose."""
    body = unique.article.body
    if body.startswith("raise"):
        raise ValueError("a bug met by this text")
    if body.startswith("blunder"):
        return Outcome((replace(CODING, article_id=None),))  # type: ignore[arg-type]
    if body.startswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if body.startswith("hang"):
        time.sleep(60)
    if body.startswith("slow"):
        time.sleep(0.02)
    return Outcome((replace(CODING, article_id=unique.article.id, revision=unique.verdict.revision),))


def load_read_one(_: Path | None) -> Callable[..., Outcome]:
    return read_one


#: The real flow with a stand-in for extraction.
FAKE_FLOW = (FLOW[0], Stage("extract", UNIQUE, load_read_one, pooled=True))
