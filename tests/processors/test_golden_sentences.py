"""What the extractor makes of the golden sentences: each slot that an item fills in is one question.

    python -m tests.processors.test_golden_sentences                  # the table of pass rates
    python -m tests.processors.test_golden_sentences --failures NAME  # the wrong answers of one construction (or "all")
    python -m tests.processors.test_golden_sentences --write-floors   # after a gain: the ratchet moves up

The format of the items, and what counts as right, is told in tests/golden/sentences/README.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from pipeline import wire
from processors.extract.step import load
from tests.builders import unique
from tests.conftest import ROOT

SENTENCES = ROOT / "tests" / "golden" / "sentences"
FLOORS = SENTENCES / "floors.json"
ITEMS_AT_LEAST = 420
EVENT_WIDTH, CLAIM_WIDTH = 240, 160  # code points: a longer span points at nothing in particular
AT_LEAST = {
    "planned": 30, "hypothetical": 30, "denied": 30, "negated": 30, "non-conflict": 40, "event-types": 125,
    "numbers-words": 20, "duals": 15, "implied-one": 10, "vague": 12, "ranges": 8, "hedges": 20, "digits": 10,
    "number-negatives": 25, "dates": 30, "places": 30, "roles": 40, "part-of": 15, "lists": 8, "headline": 8,
    "sums": 8, "attribution": 20, "belligerent-claims": 8, "cumulative": 20, "recap": 18, "zero-casualty": 12,
    "labels": 15, "capitals": 8, "wounds-and-graves": 8, "swaps-and-evacuations": 8, "neutralised": 5, "names": 8,
    "spelling": 10, "active-or-passive": 10, "joint-numbers": 7, "passages": 20,
}  # fmt: skip
PER_TYPE = 5
TYPES = set(
    """Armed clash|Government regains territory|Non-state actor overtakes territory|Air/drone strike
    |Shelling/artillery/missile attack|Suicide bomb|Remote explosive/landmine/IED|Grenade|Chemical weapon|Attack
    |Abduction/forced disappearance|Sexual violence|Peaceful protest|Protest with intervention
    |Excessive force against protesters|Violent demonstration|Mob violence|Agreement|Arrests|Change to group/activity
    |Disrupted weapons use|Headquarters or base established|Looting/property destruction
    |Non-violent transfer of territory|Other""".replace("\n    ", "").split("|")
)
OUTCOMES = {"killed", "injured", "captured", "missing", "displaced", "released", "neutralised", "killed_or_injured"}
HEDGES = {"exact", "at_least", "at_most", "more_than", "less_than", "about", "dozens", "hundreds", "thousands",
          "unspecified"}  # fmt: skip
REALIS = {"reported", "recap", "planned", "hypothetical", "denied"}
ITEM_KEYS = {"id", "construction", "published", "outlet", "title", "body", "claims", "events", "note"}
CLAIM_KEYS = {"quote", "outcome", "count", "hedge", "low", "high", "side", "side_all", "category", "part_of", "scope",
              "optional"}  # fmt: skip
EVENT_KEYS = {"quote", "types", "realis", "start", "end", "places", "not_places", "attacker", "attacker_all", "target",
              "sources", "denied_by", "optional"}  # fmt: skip
NOBODY = {None, "", "unknown", "unidentified", "unidentified_armed_group", "police_unidentified"}
FAMILIES = [
    set(line.split())
    for line in """syrian_regime pro_regime_militia iran_militia iraqi_militia hezbollah
    iran iran_militia
    syrian_opposition turkey_backed_opposition hts
    turkey turkey_backed_opposition
    hts al_qaeda
    sdf ypg
    ypg pkk
    usa uk france us_coalition
    hamas islamic_jihad palestinian_factions
    saudi_coalition saudi_arabia uae
    yemen_gov stc
    iraq_gov iraq_pmf
    iraq_gov peshmerga
    iraq_pmf iraqi_militia iran_militia
    libya_gna libyan_militia
    libya_lna libyan_militia
    somalia_gov amisom
    isis sinai_militants
    civilians journalists health_workers aid_workers prisoners protesters
    ethnic_militia unidentified_armed_group yemen_tribes""".splitlines()
]  # ids of which one may stand beside an accepted other without being wrong

Item = dict[str, Any]
Record = dict[str, Any]
Span = tuple[int, int]


class Answer(NamedTuple):
    """One slot of one item: what was asked, whether it came out right, and what came out."""

    slot: str
    right: bool
    got: str


@cache
def items() -> tuple[Item, ...]:
    return tuple(
        json.loads(line)
        for path in sorted(SENTENCES.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    )


def text_of(item: Item) -> str:
    """The reading text that offsets count in."""
    return f"{item['title']}\n\n{item['body']}" if item["title"] else str(item["body"])


@cache
def answers() -> dict[str, list[Answer]]:
    """Every item read once, in the order of the files."""
    extract = load()
    found: dict[str, list[Answer]] = {}
    for item in items():
        published = dt.datetime.fromisoformat(item["published"])
        outcome = extract(unique(item["body"], title=item["title"], published=published, outlet=item["outlet"]))
        records = [orjson.loads(wire.encode(record)) for record in outcome.outputs]
        found[item["id"]] = list(_answers(item, [r for r in records if r["kind"] != "coding"]))
    return found


def _answers(item: Item, records: Sequence[Record]) -> Iterator[Answer]:
    if "claims" in item:
        yield from _claims(item, records)
    if "events" in item:
        yield from _events(item, records)


# ---- claims


def _claims(item: Item, records: Sequence[Record]) -> Iterator[Answer]:
    gold, text = item["claims"], text_of(item)
    said = _said(records)
    spans = [_place(text, g["quote"]) for g in gold]
    told = [(c, span) for c in said for span in _spans(c)]
    found = _pairs(len(gold), len(told), lambda i, j: _claim_weight(gold[i], spans[i], *told[j]))
    pairs = {i: told[j][0] for i, j in found.items()}
    for i, g in enumerate(gold):
        c = pairs.get(i)
        if c is None:
            if not g.get("optional"):
                near = [_told(x) for x, span in told if _anchored(spans[i], span, CLAIM_WIDTH)]
                yield Answer("claim found", False, f"{g['quote']} -> {near or 'nothing'}")
            continue
        yield Answer("claim found", True, "")
        yield from _claim_slots(g, c)
        if "part_of" in g and (known := _part(g, c, pairs)) is not None:
            yield Answer("claim part_of", known, f"{g['quote']} -> part of {c['part_of']}")
    extra = [_told(c) for c in said if not any(c is one for one in pairs.values())]
    yield Answer("no extra claim", not extra, f"{extra}")


def _said(records: Sequence[Record]) -> list[Record]:
    """Claims of what is said to have happened; one that stands in two records of a kind is one."""
    found, seen = [], set()
    for record in records:
        if record["kind"] == "event" and record["realis"] not in ("reported", "recap"):
            continue
        scope = "cumulative" if record["kind"] == "toll" else "incident"
        for claim in record["casualties"]:
            key = (tuple(claim["span"]), claim["outcome"], claim["count"], scope)
            if key not in seen:
                seen.add(key)
                found.append(claim | {"scope": scope, "record": record})
    return found


def _claim_weight(gold: Item, at: Span, claim: Record, span: Span) -> float:
    """0 for another claim. Where the numbers agree, any overlap will do: the victims' words may lie on either side."""
    if claim["outcome"] not in _several(gold["outcome"]) or claim["count"] != gold.get("count", claim["count"]):
        return 0.0
    covered = _anchored(at, span, CLAIM_WIDTH, 0 if gold.get("count") is not None else 0.5)
    if not covered:
        return 0.0
    return 10 * covered + 3 * (claim["scope"] in _several(gold["scope"])) + (claim["hedge"] == gold.get("hedge"))


def _claim_slots(gold: Item, claim: Record) -> Iterator[Answer]:
    quote, group = gold["quote"], _ids(claim["group"])
    if "hedge" in gold:
        yield Answer("claim hedge", claim["hedge"] == gold["hedge"], f"{quote} -> {claim['hedge']}")
    for bound in ("low", "high"):
        if bound in gold:
            right = claim[bound] == gold[bound]
            yield Answer("claim bounds", right, f"{quote} -> {bound} {claim[bound]}")
    if "side" in gold or "side_all" in gold:
        every = gold.get("side_all", [])
        accepted = {*gold.get("side", []), *(a for part in every for a in part)}
        right = _accepted(accepted, group) and all(set(part) & group for part in every)
        yield Answer("claim side", right, f"{quote} -> {sorted(group)}")
    if "category" in gold:
        right = claim["category"] in _several(gold["category"])
        yield Answer("claim category", right, f"{quote} -> {claim['category']}")
    yield Answer("claim scope", claim["scope"] in _several(gold["scope"]), f"{quote} -> {claim['scope']}")


def _part(gold: Item, claim: Record, pairs: dict[int, Record]) -> bool | None:
    """Whether the claim hangs on the right whole; None where the whole is missed or kept in another record."""
    if gold["part_of"] is None:
        return claim["part_of"] is None
    if gold["part_of"] not in pairs:
        return None
    whole = pairs[gold["part_of"]]
    if whole["record"] is not claim["record"]:
        return None if "cumulative" in (whole["scope"], claim["scope"]) else False
    if claim["part_of"] is None:
        return False
    named = claim["record"]["casualties"][claim["part_of"]]
    return bool((named["outcome"], named["count"]) == (whole["outcome"], whole["count"]))


def _told(claim: Record) -> str:
    return f"{claim['outcome']} {claim['count']} {claim['hedge']} at {claim['span']}"


def _spans(claim: Record) -> list[Span]:
    return [(a, b) for a, b in [claim["span"], *claim["mentions"]]]


# ---- events


def _events(item: Item, records: Sequence[Record]) -> Iterator[Answer]:
    gold, text = item["events"], text_of(item)
    told = [r for r in records if r["kind"] == "event" and r["realis"] in ("reported", "recap")]
    spans = [_place(text, g["quote"]) for g in gold]

    def near(i: int, j: int) -> float:
        found = [(e["start"], e["end"]) for e in told[j]["evidence"]]
        return max((_anchored(spans[i], s, EVENT_WIDTH) for s in found), default=0.0)

    def weight(i: int, j: int) -> float:
        covered = near(i, j)
        right_type = told[j]["sub_event_type"] in gold[i]["types"]
        right_realis = told[j]["realis"] in _several(gold[i]["realis"])
        right_place = "places" in gold[i] and _placed(gold[i]["places"], told[j]["places"])
        return covered and 100 * right_type + 10 * right_realis + 5 * right_place + covered

    pairs = _pairs(len(gold), len(told), weight)
    for i, g in enumerate(gold):
        if i not in pairs:
            if not g.get("optional"):
                name = "event found" if "reported" in _several(g["realis"]) else "recap found"
                yield Answer(name, False, f"{g['quote']} -> {[_named(r) for r in told] or 'nothing'}")
            continue
        event = told[pairs[i]]
        yield Answer("event found" if "reported" in _several(g["realis"]) else "recap found", True, "")
        group = [event, *(r for j, r in enumerate(told) if j not in pairs.values() and _twin(g, r, near(i, j)))]
        yield from _event_slots(g, event, group)
    extra = [
        _named(r)
        for j, r in enumerate(told)
        if r["realis"] == "reported"
        and j not in pairs.values()
        and not any(_twin(g, r, near(i, j)) for i, g in enumerate(gold))
    ]
    yield Answer("no extra event", not extra, f"{extra}")


def _event_slots(gold: Item, event: Record, group: Sequence[Record]) -> Iterator[Answer]:
    quote, realis = gold["quote"], _several(gold["realis"])
    yield Answer("event type", event["sub_event_type"] in gold["types"], f"{quote} -> {event['sub_event_type']}")
    yield Answer("event realis", event["realis"] in realis, f"{quote} -> {event['realis']}")
    if "start" in gold:
        date = event["date"]
        yield Answer("event date", _dated(gold, date), f"{quote} -> {date['start']}..{date['end']} ({date['text']})")
    places = [p["text"] for r in group for p in r["places"]]
    if "places" in gold:
        yield Answer("event place", _placed(gold["places"], event["places"]), f"{quote} -> {places}")
        if len(gold["places"]) > 1:
            every = all(any(_same_name(n, p) for n in names for p in places) for names in gold["places"])
            yield Answer("event place list", every, f"{quote} -> {places}")
    if "not_places" in gold:
        wrong = [p for p in places if any(_words(p) == _words(n) for n in gold["not_places"])]
        yield Answer("event not place", not wrong, f"{quote} -> {wrong}")
    mutual = set(gold.get("attacker", [])) & set(gold.get("target", []))
    for role in ("attacker", "target"):
        if role in gold:
            ids = _ids(a for a in event["actors"] if a["role"] == role or (mutual and a["role"] == "participant"))
            accepted = {*gold[role], *(gold["attacker"] + gold["target"] if mutual else ())}
            right = _accepted(accepted, ids) if accepted else not ids - NOBODY
            right = right and all(set(part) & ids for part in gold.get(f"{role}_all", []))
            yield Answer(f"event {role}", right, f"{quote} -> {sorted(ids)}")
    if "sources" in gold:
        speakers = [s for s in event["sources"] if s["stance"] != "denies"]
        right = any(
            s["id"] == x or _same_name(x, s["text"] or "") or _same_name(x, s["name"] or "")
            for s in speakers
            for x in gold["sources"]
        )
        yield Answer("event source", right, f"{quote} -> {[s['text'] for s in speakers]}")
    if gold.get("denied_by"):
        deniers = [s["id"] for s in event["sources"] if s["stance"] == "denies"]
        yield Answer("event denied_by", bool({*deniers} & {*gold["denied_by"]}), f"{quote} -> {deniers}")


def _twin(gold: Item, record: Record, covered: float) -> bool:
    """One record for each place of a list is as good as one record with the list."""
    places = gold.get("places", [])
    return bool(covered) and len(places) > 1 and record["sub_event_type"] in gold["types"] and _placed(
        places, record["places"][:1])  # fmt: skip


def _placed(gold: Sequence[Sequence[str]], places: Sequence[Record]) -> bool:
    """One of the first places is right, and they are not strewn about."""
    first = [p["text"] for p in places[: len(gold)]]
    return len(places) <= 2 * len(gold) + 2 and any(_same_name(n, p) for names in gold for n in names for p in first)


def _dated(gold: Item, date: Record) -> bool:
    """The ranges meet, and the found one is no wider (by a day, where it quotes a date)."""
    if date["start"] is None:
        return False
    a, b = (dt.date.fromisoformat(gold[k]) for k in ("start", "end"))
    start, end = dt.date.fromisoformat(date["start"]), dt.date.fromisoformat(date["end"] or date["start"])
    return start <= b and end >= a and end - start <= b - a + dt.timedelta(days=bool(date["text"]))


def _named(event: Record) -> str:
    return f"{event['sub_event_type']} ({event['realis']}): {event['evidence'][0]['quote'][:70]}"


# ---- what both share


def _pairs(golds: int, founds: int, weight: Any) -> dict[int, int]:
    """Gold to found, one to one, the surest pairs first."""
    ranked = sorted(((weight(i, j), -i, -j) for i in range(golds) for j in range(founds)), reverse=True)
    pairs: dict[int, int] = {}
    for w, i, j in ranked:
        if w > 0 and -i not in pairs and -j not in pairs.values():
            pairs[-i] = -j
    return pairs


def _anchored(gold: Span, found: Span, width: int, least: float = 0.5) -> float:
    """The share of the gold quote that a span covers, if it points there at all. least: share of the shorter one."""
    (a, b), (s, e) = gold, found
    both = min(b, e) - max(a, s)
    if both <= 0 or both < least * min(b - a, e - s) or e - s > max(width, 2 * (b - a)):
        return 0.0
    return both / (b - a)


def _place(text: str, quote: str) -> Span:
    start = text.index(quote)
    return start, start + len(quote)


def _several(one: Any) -> list[Any]:
    return one if isinstance(one, list) else [one]


def _ids(actors: Iterable[Record]) -> set[str]:
    return {a["coarse"] or a["id"] for a in actors} - {None, ""}


def _accepted(accepted: set[str], got: set[str]) -> bool:
    """An accepted id is there, and none that is neither accepted nor of its family."""
    strangers = {
        a for a in got - accepted - NOBODY if not any(a in family and family & accepted for family in FAMILIES)
    }
    return bool(accepted & got) and not strangers


def _words(name: str) -> list[str]:
    bare = "".join(c for c in unicodedata.normalize("NFKC", name) if not unicodedata.combining(c) and c != "ـ")
    return re.findall(r"\w+", bare.translate(str.maketrans("أإآٱىةؤئ", "اااايهوي")).lower())


def _same_name(gold: str, found: str) -> bool:
    """One name holds the other as whole words, clitics aside."""
    g, f = _words(gold), _words(found)
    if not g or not f or len(f) > len(g) + 4:
        return False
    long, short = (f, g) if len(f) >= len(g) else (g, f)
    return any(
        all(_same_word(a, b) for a, b in zip(long[i:], short, strict=False))
        for i in range(len(long) - len(short) + 1)
    )  # fmt: skip


def _same_word(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    return a == b or (len(short) > 2 and re.fullmatch(f"[وف]?[بلك]?(?:ال|ل)?{re.escape(short)}", long) is not None)


# ---- the tables


def passed() -> dict[str, tuple[int, int]]:
    """construction: (items with every slot right, items)"""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for item in items():
        counts[item["construction"]][0] += all(a.right for a in answers()[item["id"]])
        counts[item["construction"]][1] += 1
    return {name: (right, of) for name, (right, of) in sorted(counts.items())}


def table() -> str:
    """Pass rates of items per construction, then of slots over all constructions."""
    lines = [f"{name:24}{right:5}/{of:<5}{right / of:7.3f}" for name, (right, of) in passed().items()]
    total = [sum(column) for column in zip(*passed().values(), strict=True)]
    lines.append(f"{'all items':24}{total[0]:5}/{total[1]:<5}{total[0] / total[1]:7.3f}\n")
    slots: dict[str, Counter[bool]] = defaultdict(Counter)
    for given in answers().values():
        for a in given:
            slots[a.slot][a.right] += 1
    for name, c in sorted(slots.items()):
        lines.append(f"{name:24}{c[True]:5}/{c.total():<5}{c[True] / c.total():7.3f}")
    return "\n".join(lines)


def failures(construction: str) -> Iterator[str]:
    for item in items():
        if construction in ("all", item["construction"]):
            wrong = [a for a in answers()[item["id"]] if not a.right]
            if wrong:
                yield f"{item['id']}  {text_of(item)!r}"
                yield from (f"    {a.slot}: {a.got}" for a in wrong)


# ---- the tests


def test_the_set_is_large_and_covers_every_construction() -> None:
    counts = Counter(item["construction"] for item in items())
    assert sum(counts.values()) >= ITEMS_AT_LEAST
    assert {name for name, least in AT_LEAST.items() if counts[name] < least} == set()
    types = Counter(e["types"][0] for item in items() for e in item.get("events", []))
    assert {name for name in TYPES if types[name] < PER_TYPE} == set()


def test_ids_are_unique_and_named_after_their_construction() -> None:
    ids = [item["id"] for item in items()]
    assert len(ids) == len(set(ids))
    assert [i["id"] for i in items() if re.fullmatch(re.escape(i["construction"]) + r"-\d{3}", i["id"]) is None] == []


def test_no_sentence_is_written_twice() -> None:
    texts = Counter(text_of(item) for item in items())
    assert [t for t, n in texts.items() if n > 1] == []


@pytest.mark.parametrize("item", items(), ids=lambda item: item["id"])
def test_an_item_keeps_the_format(item: Item) -> None:
    assert set(item) <= ITEM_KEYS
    assert {"id", "construction", "published", "outlet", "title", "body", "note"} <= set(item)
    assert "claims" in item or "events" in item, "an item that asks nothing"
    dt.datetime.fromisoformat(item["published"])
    claims, events = item.get("claims", []), item.get("events", [])
    assert [f["quote"] for f in claims + events if text_of(item).count(f["quote"]) != 1] == []
    for index, claim in enumerate(claims):
        assert set(claim) <= CLAIM_KEYS
        assert set(_several(claim["outcome"])) <= OUTCOMES
        assert claim.get("hedge", "exact") in HEDGES
        assert set(_several(claim["scope"])) <= {"incident", "cumulative"}
        assert claim.get("part_of") is None or claim["part_of"] in set(range(len(claims))) - {index}
    for event in events:
        assert set(event) <= EVENT_KEYS
        assert event["types"]
        assert set(event["types"]) <= TYPES
        assert set(_several(event["realis"])) <= REALIS
        assert event.get("start", "") <= event.get("end", "")


def test_no_construction_falls_below_its_floor() -> None:
    print(f"\n{table()}")
    floors = json.loads(FLOORS.read_text(encoding="utf-8"))
    rates = {name: right / of for name, (right, of) in passed().items()}
    assert set(floors) == set(rates), "new constructions need --write-floors"
    assert {name: (rates[name], floor) for name, floor in floors.items() if rates[name] < floor} == {}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-floors", action="store_true", help="record the pass rates of now")
    parser.add_argument("--failures", metavar="NAME", help="a construction, or all")
    given = parser.parse_args(argv)
    if given.failures:
        print("\n".join(failures(given.failures)))
        return
    print(table())
    if given.write_floors:
        write_floors(FLOORS)


def write_floors(path: Path) -> None:
    floors = {name: int(1000 * right / of) / 1000 for name, (right, of) in passed().items()}
    path.write_text(json.dumps(floors, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
