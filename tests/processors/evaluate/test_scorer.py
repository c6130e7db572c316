"""The numbers of the development corpus's own scorer, over what is extracted and over what careless readers say."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from pipeline import wire
from pipeline.cli.eval import read_gold
from pipeline.records import EVENT_TYPE_OF, Claim, Event, Hedge, Realis, Side, Span, SubEventType, Toll
from processors.evaluate.gold import GoldClaim, GoldDocument, GoldEvent
from tests.command import rasd
from tests.processors.evaluate.kit import actor, claim, date, event, place, quoted, source, toll

pytestmark = pytest.mark.shared
SETS = [("gold_seeds.json", "seeds.articles.jsonl"), ("gold_dev_en.json", "dev_en.articles.jsonl")]


@pytest.mark.parametrize(("gold", "articles"), SETS)
def test_what_is_extracted_scores_the_same(shared: Path, tmp_path: Path, gold: str, articles: str) -> None:
    read = shared / "eval" / articles
    done = rasd("extract", read)
    assert done.returncode == 0, done.stderr
    records = tmp_path / "records.jsonl"
    records.write_text(done.stdout, encoding="utf-8")
    ours, theirs = both(shared, shared / "eval" / gold, records, read)
    assert ours == theirs


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("gold", "articles"), SETS)
def test_what_a_careless_reader_says_scores_the_same(
    shared: Path, tmp_path: Path, gold: str, articles: str, seed: int
) -> None:
    path, read = shared / "eval" / gold, shared / "eval" / articles
    records = tmp_path / "records.jsonl"
    reader = Careless(seed / 20, random.Random(seed))
    said = [r for d in read_gold(path) for r in reader.read(d)]
    records.write_bytes(b"".join(wire.encode(r) + b"\n" for r in said))
    ours, theirs = both(shared, path, records, read)
    assert ours == theirs
    assert min(ours[table]["tp"] for table in ("events_found", "claims_found")) >= 5


def both(shared: Path, gold: Path, records: Path, articles: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `rasd eval` prints, and what the scorer does."""
    ours = rasd("eval", gold, records, "--articles", articles, "--json")
    assert ours.returncode == 0, ours.stderr
    scorer = [sys.executable, shared / "eval" / "score.py", gold, records, "--json", f"--articles={articles}"]
    theirs = subprocess.run(scorer, capture_output=True, text=True, check=True)
    return json.loads(ours.stdout), json.loads(theirs.stdout)


class Careless:
    """Reads what the gold says; errs in about this share of all it does."""

    def __init__(self, share: float, dice: random.Random) -> None:
        self._share, self._dice = share, dice

    def read(self, document: GoldDocument) -> Iterator[Event | Toll]:
        claims = {c.id: c for c in document.tolls}
        told = []
        for gold in document.events:
            if self._errs():
                continue
            here = [claims.pop(id) for id in gold.tolls if id in claims and not self._errs()]
            made = self._event(document, gold, self._claims(here))
            told.append(made)
            if self._errs():
                told.append(dataclasses.replace(made, places=made.places[::-1], casualties=()))
            if self._errs() and len(told) > 1:
                told[-2] = dataclasses.replace(told[-2], evidence=(*told[-2].evidence, *made.evidence))
        yield from told
        rest = [c for c in claims.values() if not self._errs()]
        if rest:
            yield toll(*self._claims(rest), doc=document.id)

    def _errs(self) -> bool:
        return self._dice.random() < self._share

    def _or(self, right: Any, wrong: Callable[[], Any]) -> Any:
        return wrong() if self._errs() else right

    def _span(self, span: Span) -> Span:
        start = self._or(span[0], lambda: max(0, span[0] + self._dice.randint(-60, 60)))
        return start, max(start + 1, self._or(span[1], lambda: span[1] + self._dice.randint(-60, 200)))

    def _event(self, document: GoldDocument, gold: GoldEvent, claims: list[Claim]) -> Event:
        others = [e for e in document.events if e.types]
        other = self._dice.choice(others)
        types = list(EVENT_TYPE_OF)
        spans = [self._span(s) for s in (cast(Span, gold.span), *(gold.mentions or ()))][: self._dice.randint(1, 9)]
        kind = self._or(self._dice.choice(gold.types), lambda: self._dice.choice(types))
        start = self._or(gold.start, lambda: gold.start + dt.timedelta(self._dice.randint(-3, 3)))
        end = self._or(gold.end, lambda: start + dt.timedelta(self._dice.randint(0, 3)))
        basis = self._dice.choice(("text", "relative", "published"))
        places = self._or(gold.places, lambda: other.places)
        mutual = gold.mutual and self._dice.random() < 0.5
        return event(
            doc=document.id,
            realis=self._or("recap" if gold.recap else "reported", lambda: self._dice.choice(get_args(Realis))),
            sub_event_type=cast(SubEventType, kind),
            date=self._or(date(start, max(start, end), basis=basis), lambda: date(None)),
            places=tuple(place(self._or(p.names[0], lambda: "مكان"), p.lat, p.lon) for p in places),
            actors=(
                *(actor("participant" if mutual else "attacker", a) for a in self._sides(gold.attacker)),
                *(actor("participant" if mutual else "target", a) for a in self._sides(gold.target)),
            ),
            sources=tuple(
                source(self._or(s, lambda: None), self._or("asserts", lambda: "denies"), s)
                for s in (*gold.sources, *gold.denied_by)
            ),
            evidence=quoted(*spans),
            casualties=tuple(claims),
        )  # fmt: skip

    def _sides(self, accepted: tuple[str, ...]) -> tuple[str, ...]:
        some = accepted[: self._dice.randint(1, 3)]
        return cast(
            tuple[str, ...], self._or(some, lambda: self._dice.choice(((), ("russia",), ("usa", "isis", "ypg"))))
        )

    def _claims(self, gold: list[GoldClaim]) -> list[Claim]:
        number = {c.id: k for k, c in enumerate(gold)}
        return [self._claim(c, number.get(c.part_of or "")) for c in gold]

    def _claim(self, gold: GoldClaim, whole: int | None) -> Claim:
        made = claim(
            self._span(cast(Span, gold.span)),
            *[self._span(m) for m in gold.mentions or ()],
            outcome=gold.outcome,
            count=self._or(gold.count, lambda: self._dice.choice((None, 1, 2, 5))),
            hedge=self._or(gold.qualifier, lambda: self._dice.choice(get_args(Hedge))),
            part_of=self._or(whole, lambda: self._dice.choice((None, 0, 1, 9))),
        )
        return dataclasses.replace(made, group=tuple(Side(id=id) for id in self._sides(gold.group)))
