"""The flow in one table: stage, what it reads, the step, what it publishes, its state, where it runs.

A runtime interprets the table; a step knows nothing of it. Reading order is the flow's order.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline import wire
from pipeline.errors import RasdError, Unusable
from pipeline.records import Article, Coded, Outcome, Record, Unique, Verdict
from pipeline.topics import ARTICLES, TOPICS, UNIQUE, Topic


class View(Protocol):
    """A step's state: made from the durable mapping (`stored` stays live), told of every change."""

    def apply(self, changes: Mapping[str, bytes]) -> None:
        """Takes in what a step just changed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the flow.

    load: makes the step from the path of an imported gazetteer (or None); called once per process.
    view: makes the state's view; None for a stage without state.
    pooled: pure but heavy, so it runs in the pool of killable processes.
    """

    name: str
    reads: Topic
    load: Callable[[Path | None], Callable[..., Outcome]]
    view: Callable[[Mapping[str, bytes]], View] | None = None
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record could not be used: the part of a Reject that the step knows."""

    reason: str
    error: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What a stage made of one message: messages to publish (topic, key, bytes) and what it counts as.

    what: "output", or the verdict's name where it is a duplicate ("known" for a text already judged), or "reject".
    """

    outputs: tuple[tuple[str, str | None, bytes], ...] = ()
    changes: Mapping[str, bytes] | None = None
    what: str = "output"
    failure: Failure | None = None


def _load_dedupe(_: Path | None) -> Callable[..., Outcome]:
    from processors.dedupe.step import dedupe

    return dedupe


def _view_dedupe(stored: Mapping[str, bytes], window: dt.timedelta | None = None) -> View:
    from processors.dedupe.seen import PERIOD, Seen

    return Seen(stored, PERIOD if window is None else window)


def _load_extract(gazetteer: Path | None) -> Callable[..., Outcome]:
    from processors.extract.step import load

    return load(gazetteer)


FLOW: tuple[Stage, ...] = (
    Stage("dedupe", ARTICLES, _load_dedupe, view=_view_dedupe),
    Stage("extract", UNIQUE, _load_extract, pooled=True),
)


def flow_of(window: dt.timedelta) -> tuple[Stage, ...]:
    """The flow with the window of time within which texts are compared."""
    view = functools.partial(_view_dedupe, window=window)
    return tuple(dataclasses.replace(s, view=view) if s.view is _view_dedupe else s for s in FLOW)


MAX_TEXT = 2_000_000  # code points; news texts stay far below, and every rule of ours is linear up to here
_TOPIC_OF = {kind: topic for topic in TOPICS.values() for kind in topic.carries}


def make(stage: Stage, step: Callable[..., Outcome], value: bytes, view: View | None = None) -> Made:
    """Runs a stage's step on one message: never raises for what the message holds."""
    try:
        record: Record = wire.decode(stage.reads.carries[0], value)
        check(record)
        outcome = step(record) if view is None else step(record, view)
        outputs = tuple(_message(r) for r in outcome.outputs)
    except RasdError as e:
        return Made(what="reject", failure=Failure(e.reason, str(e), e.retryable))
    except Exception as e:  # a bug met by one record must not stop the others; the reject names it
        return Made(what="reject", failure=Failure("step-failed", f"{type(e).__name__}: {e}"))
    return Made(outputs, outcome.changes, _what(outcome))


def _message(record: Record) -> tuple[str, str | None, bytes]:
    """Raises: WireError if the step made a record that no reader of the topic would accept."""
    topic, value = _TOPIC_OF[type(record)], wire.encode(record)
    if isinstance(record, Coded):
        wire.decode(type(record), value)
    return topic.name, topic.key(record), value


def _what(outcome: Outcome) -> str:
    if not outcome.duplicate:
        return "output"
    return next((r.verdict for r in outcome.outputs if isinstance(r, Verdict)), "known")


def check(record: Record) -> None:
    """Bounds that types cannot say. Raises: Unusable."""
    article = record.article if isinstance(record, Unique) else record
    if isinstance(article, Article):
        if not article.id:
            raise Unusable("an article without an id", reason="bad-record")
        if len(article.body) + len(article.title or "") > MAX_TEXT:
            raise Unusable(f"text of more than {MAX_TEXT:,} characters", reason="too-large")
        if not article.body.strip() and not (article.title or "").strip():
            raise Unusable("an article without text", reason="no-text")


def loaded(stage: Stage, gazetteer: Path | None) -> Callable[..., Outcome]:
    """The step of a stage, made once per process."""
    return _once(stage.load, gazetteer)


@functools.cache
def _once(load: Callable[[Path | None], Callable[..., Outcome]], gazetteer: Path | None) -> Callable[..., Outcome]:
    """Keyed by the function: a stage that came to a child process by pickle is not equal to the one that it was."""
    return load(gazetteer)


def make_many(stage: Stage, gazetteer: Path | None, values: list[bytes]) -> list[Made]:
    """`make` over a chunk: what a child process runs."""
    step = loaded(stage, gazetteer)
    return [make(stage, step, value) for value in values]
