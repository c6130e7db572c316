"""Own English sentences through the whole extractor: their claims, and the fresh events that they tell.

`python -m tests.processors.english.test_sentences` prints what differs.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

import pytest

from pipeline.records import Event, Toll
from processors.extract.step import Extract, load
from tests.builders import unique
from tests.conftest import ROOT

SENTENCES = ROOT / "tests" / "golden" / "english" / "sentences.tsv"
PUBLISHED = dt.datetime(2021, 6, 16, 12, tzinfo=dt.UTC)
Row = tuple[str, str, str, str]


def rows() -> list[Row]:
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(c[0], c[1], c[2].strip(), c[3].strip()) for c in cells]


@cache
def extractor() -> Extract:
    return load()


def read(text: str) -> list[Event | Toll]:
    headline = text if not text.endswith((".", '"')) else None
    body = text if headline is None else "More details were not at hand. The story is developing."
    outcome = extractor()(unique(body, title=headline, language="en", published=PUBLISHED))
    return [r for r in outcome.outputs if isinstance(r, Event | Toll)]


def claim_faults(wanted: str, records: list[Event | Toll]) -> list[str]:
    if wanted == "?":
        return []
    got = [(c, isinstance(r, Toll)) for r in records for c in r.casualties]
    faults = []
    parts = [] if wanted == "-" else [w.split() for w in wanted.split(";")]
    for outcome, count, hedge, side, *marks in parts:
        match = next(
            (
                (c, total) for c, total in got
                if (c.outcome, str(c.count) if c.count is not None else "null", c.hedge) == (outcome, count, hedge)
                and (side == "?" or side in {s.coarse or s.id for s in c.group})
                and ("part" in marks) == (c.part_of is not None) and ("total" in marks) == total
            ),
            None,
        )  # fmt: skip
        if match is None:
            faults.append(f"no claim {outcome} {count} {hedge} {side} {marks}")
        else:
            got.remove(match)
    return faults + [f"extra claim {c.outcome} {c.count} {c.hedge} {[s.id for s in c.group]} total={t}" for c, t in got]


def event_faults(wanted: str, records: list[Event | Toll]) -> list[str]:
    if wanted == "?":
        return []
    events = [r for r in records if isinstance(r, Event) and r.realis == "reported"]
    if wanted == "-":
        return [f"extra event {e.sub_event_type}: {e.evidence[0].quote[:60]}" for e in events]
    want, _, day = wanted.partition(" on 2")
    want, _, attacker = want.partition(" by ")
    kind, _, place = want.partition(" @ ")
    faults = [] if len(events) == 1 else [f"{len(events)} events {[e.sub_event_type for e in events]}"]
    if not events:
        return faults
    e = events[0]
    if e.sub_event_type != kind:
        faults.append(f"type {e.sub_event_type} for {kind}")
    if place and not any(place.lower() in p.text.lower() or p.text.lower() in place.lower() for p in e.places[:1]):
        faults.append(f"places {[p.text for p in e.places]} for {place}")
    if attacker and attacker not in {a.coarse or a.id for a in e.actors if a.role != "target"}:
        faults.append(f"actors {[(a.role, a.id) for a in e.actors]} for {attacker}")
    if day and str(e.date.start) != "2" + day:
        faults.append(f"date {e.date.start} for 2{day}")
    return faults


@pytest.mark.parametrize(("name", "text", "claims", "events"), rows(), ids=[r[0] for r in rows()])
def test_a_sentence_yields_its_claims_and_its_event(name: str, text: str, claims: str, events: str) -> None:
    records = read(text)
    assert claim_faults(claims, records) + event_faults(events, records) == []


def test_there_are_a_hundred_sentences() -> None:
    assert len(rows()) >= 100


def main() -> None:
    bad = 0
    for name, text, claims, events in rows():
        records = read(text)
        faults = claim_faults(claims, records) + event_faults(events, records)
        bad += bool(faults)
        if faults:
            print(name, "|", text[:110], "\n     ", "; ".join(faults))
    print(len(rows()), "sentences,", bad, "differ")


if __name__ == "__main__":
    main()
