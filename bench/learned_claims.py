"""A second approach to casualty claims and events, measured beside the rules: linear models over plain candidates.

    pip install scikit-learn
    python -m bench.learned_claims CORPUS.jsonl.gz [--before RECORDS] [--extra GOLD ARTICLES] [--test GOLD ARTICLES]

Candidates are found without the rules' frames: every number that is no date, every noun for people without a number,
every word for what befalls people without either (claims); every trigger word (events). Features are binary: words and
lexicon classes around a candidate, what its sentence holds, what kinds of words its article has. Logistic regression
says what befell them (or that it is no claim), whether it is a running total, and whose people they are; of triggers,
whether they tell news, of what type, and who did it to whom (date and place are the nearest ones).

Compared are the rules; the models alone; the rules gated (without what the models find most unlikely); the rules judged
by a second regression over the models' chances and the rules' reasons; and what it clears of rules and models together.
Trained on bench/ant/dev.jsonl: tenfold cross-validation over articles there, all of it for the other sets. --before:
what `rasd extract` of an older commit said of the articles of dev, before their errors were read; without it the judge
trusts the rules too much, and their row of dev tells of articles that they were written for. --extra: more articles to
train the models on, not the judge. --test: more sets to score. Prints F1 with 95% intervals (bootstrap over documents)
and the difference to the rules over the same draws. What came of it: docs/decisions/0008-claims-by-rules.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from bench.ant import annotated, articles
from bench.extract_eval import rows as rows_of
from bench.extract_eval import unique
from pipeline.cli.eval import draws, read_gold, read_records
from pipeline.records import (
    EVENT_TYPE_OF,
    Actor,
    Claim,
    Event,
    EventDate,
    Evidence,
    Extractor,
    Outcomes,
    Period,
    Side,
    Span,
    Toll,
)
from processors.evaluate.anchors import claim_anchor, event_anchor, event_spans
from processors.evaluate.gold import GoldClaim, GoldDocument, GoldEvent, place_of
from processors.evaluate.pairing import best_pairs
from processors.evaluate.scoring import score
from processors.evaluate.tables import Sheet, intervals, total
from processors.extract import places as where
from processors.extract import step
from processors.extract.actors import Ids, Named
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.numbers import quantities

FOLDS = 10
TABLES = ("claims_found", "claims_exact", "events_found", "events_strict")
NONE = ""
NOBODY = Extractor(name="learned-claims", version="0", lexicon="")
Features = dict[str, float]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is set by hand: inverse L2 penalties and probabilities, chosen on the training articles."""

    claims: float = 0.3
    sides: float = 0.1
    events: float = 0.1
    judge: float = 0.3
    claim: float = 0.5  # a claim over it is one
    drop: float = 0.05  # a claim of the rules under it is none
    doubtful: float = 0.15  # a claim over it is put before the judge
    event: float = 0.8  # a trigger over it tells news
    drop_event: float = 0.15
    attacker: float = 0.4
    target: float = 0.35


SET = Numbers()


# ---- texts


@dataclass
class Text:
    """An article as the step reads it, and what the rules make of it."""

    id: str
    c: Context
    ids: Ids
    scenes: Along[where.Found]
    today: dt.date | None
    records: list[Event | Toll] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)


def read_texts(rows: Iterable[Mapping[str, Any]]) -> list[Text]:
    """Articles with the rules' records; one that the step closes unread (no word of harm) has no text."""
    found: list[Text] = []
    caught: list[tuple[Any, ...]] = []
    plain = step.tellings  # type: ignore[attr-defined]

    def watched(*given: Any) -> Any:
        caught.append(given)
        return plain(*given)

    step.tellings = watched  # type: ignore[assignment,attr-defined]
    try:
        extract = step.load()
        for row in rows:
            caught.clear()
            outcome = extract(unique(dict(row)))
            if caught:
                c, ids, scenes, _, _, _, today, *_ = caught[0]
                records = [r for r in outcome.outputs if isinstance(r, Event | Toll)]
                found.append(Text(str(row["id"]), c, ids, scenes, today, records))
    finally:
        step.tellings = plain  # type: ignore[attr-defined]
    return found


def stem(word: str) -> str:
    """A word without conjunction and article."""
    for head in ("وال", "بال", "فال", "كال", "ال", "لل", "و"):
        if word.startswith(head) and len(word) - len(head) > 2:
            return word[len(head) :]
    return word


# ---- candidates


@dataclass(frozen=True, slots=True)
class View:
    """What a model thinks of a candidate: outcome → probability (NONE for no claim), that of a running total, whose."""

    chances: dict[str, float]
    running: float
    side: str

    @property
    def chance(self) -> float:
        return 1 - self.chances[NONE]

    @property
    def outcome(self) -> str:
        return max((o for o in self.chances if o), key=lambda o: self.chances[o])


@dataclass
class Candidate:
    """Words that may state a claim."""

    kind: str
    first: int
    last: int
    at: int
    count: int | None
    hedge: str
    low: int | None = None
    high: int | None = None
    features: Features = field(default_factory=dict)
    sides: dict[str, Features] = field(default_factory=dict)
    answer: str = NONE
    gold: GoldClaim | None = None
    view: View | None = None


def candidates(c: Context) -> list[Candidate]:
    """Numbers that are no dates, people without a number, fates without people; in text order."""
    found: list[Candidate] = []
    covered: set[int] = set()
    for q in quantities(c.r, c.hits):
        if any(k in c.dated for k in range(q.core, q.last_core)):
            continue
        high = c.r.bounds(q.core)[1]
        noun = next((h for k in range(q.last, min(q.last + 3, high)) if (h := c.hits.at("persons", k))), None)
        last = max(q.last, noun.last if noun else 0)
        found.append(
            Candidate("vague" if q.vague else "number", q.first, last, q.core, q.count, q.hedge, q.low, q.high)
        )
        covered.update(range(q.first, last))
    for h in c.hits.of("persons"):
        if h.first in covered:
            continue
        count = {"singular": 1, "dual": 2}.get(h.entry.form)
        found.append(Candidate(h.entry.form, h.first, h.last, h.first, count, "exact" if count else "unspecified"))
        covered.update(range(h.first, h.last))
    for h in c.hits.of("outcomes"):
        high = c.r.bounds(h.first)[1]
        if not any(k in covered for k in range(h.first, min(h.last + 3, high))):
            found.append(Candidate("fate", h.first, min(h.last + 3, high), h.first, 1, "exact"))
    return sorted(found, key=lambda x: (x.at, x.kind))


SIZES = ((0, "0"), (1, "1"), (2, "2"), (10, "few"), (100, "tens"), (1000, "hundreds"))
NEAREST = ((1, "1"), (2, "2"), (4, "4"), (8, "8"), (16, "16"))


def size(count: int | None) -> str:
    return "none" if count is None else next((name for most, name in SIZES if count <= most), "thousands")


def away(distance: int) -> str:
    return next((name for most, name in NEAREST if distance <= most), "far")


def beside(c: Context, first: int, last: int) -> Iterator[str]:
    """Words and lexicon classes around the words `first:last`, within their sentence."""
    low, high = c.r.bounds(first)
    before, behind = range(first - 1, max(low, first - 12) - 1, -1), range(last, min(high, last + 12))
    for side, order in (("before", before), ("behind", behind)):
        seen: set[str] = set()
        for n, k in enumerate(order, 1):
            word = "#" if c.r.words[k][0].isdigit() else stem(c.r.words[k])
            if n <= 3:
                yield f"{side} {n} {word}"
            if n <= 8:
                yield f"{side} {word}"
            for told in classes(c, k):
                if told not in seen:
                    seen.add(told)
                    yield f"{side} {away(n)} {told}"
                    yield f"{side} {told}"
        if not order:
            yield f"{side} edge"


def classes(c: Context, k: int) -> Iterator[str]:
    """What the lexicon knows of the word at `k`."""
    for file, columns in TOLD.items():
        hit = c.hits.at(file, k)
        if hit is not None:
            yield file
            yield from (f"{file} {column} {hit.entry.get(column)}" for column in columns if hit.entry.get(column))
    yield from (f"cue {kind}" for kind in c.hits.cues.get(k, ()))
    if k in c.named:
        n = c.named[k]
        yield "actor"
        yield f"actor {n.rule}"
    if k in c.dated:
        yield f"date {c.dated[k].kind}"


TOLD = {
    "outcomes": ("outcome", "voice"), "triggers": ("type", "form"), "persons": ("category", "outcome"), "units": (),
    "sources": ("kind",),
}  # fmt: skip


def setting(t: Text, k: int) -> Iterator[str]:
    """What the sentence of word `k` and the article hold."""
    c = t.c
    low, high = c.r.bounds(k)
    of = c.r.sentence[k]
    yield "headline" if c.r.sentences[of].headline else f"paragraph {min(c.r.sentences[of].paragraph, 6)}"
    for j in range(low, high):
        known = (told for told in classes(c, j) if told.startswith(("cue", "date", "triggers t", "outcomes o")))
        yield from (f"sentence {told}" for told in known)
        m = c.dated.get(j)
        if m is not None and m.end is not None and t.today is not None:
            yield f"sentence {'old' if (t.today - m.end).days > 7 else 'new'} {m.precision}"
    if c.r.sentences[of].skip:
        yield "furniture"
    yield f"country {c.country}"


def topics(t: Text) -> list[str]:
    """The article's kinds of words, where it has two or more of a kind."""
    c = t.c
    counts: Counter[str] = Counter()
    for file, column in (("triggers", "type"), ("outcomes", "outcome"), ("cues", "kind")):
        counts.update(f"article {file} {h.entry.get(column)}" for h in c.hits.of(file))
    counts.update(f"article actor {t.ids.kind(n.id)}" for n in c.actors)
    return [name for name, times in counts.items() if times > 1] + [
        f"{name} many" for name, n in counts.items() if n > 4
    ]


def describe(t: Text) -> None:
    """Fills the candidates of a text with their features."""
    c = t.c
    of_article = topics(t)
    t.candidates = candidates(c)
    counts = Counter(x.count for x in t.candidates if x.kind == "number")
    for i, x in enumerate(t.candidates):
        low, high = c.r.bounds(x.at)
        noun = next((h for k in range(x.first, x.last) if (h := c.hits.at("persons", k))), None)
        told = {f"kind {x.kind}", f"size {size(x.count)}", f"hedge {x.hedge}", f"{x.kind} {size(x.count)}"}
        if noun is not None:
            told |= {f"noun {column} {noun.entry.get(column)}" for column in ("singular", "category", "outcome")}
            told |= {f"form {noun.entry.form}", f"noun prefix {noun.prefix}", f"noun suffix {noun.suffix}"}
            told.add(f"{x.kind} {noun.definite} {noun.entry.form}")
        if x.kind == "fate":
            told.add(f"word {stem(c.r.words[x.at])}")
            told |= {f"own {name}" for name in classes(c, x.at)}
        if x.count is not None and counts[x.count] > 1:
            told.add("told again")
        around = set(beside(c, x.first, x.last))
        told |= around | {f"{x.kind} {name}" for name in around if "outcomes" in name or "cue" in name}
        for side, j in (("last", i - 1), ("next", i + 1)):
            if 0 <= j < len(t.candidates) and low <= t.candidates[j].at < high:
                other = t.candidates[j]
                told.add(f"{side} candidate {other.kind} {away(abs(other.at - x.at))}")
        told |= set(setting(t, x.at)) | set(of_article)
        x.features = dict.fromkeys(told, 1.0)
        x.sides = sides(t, x)


def sides(t: Text, x: Candidate) -> dict[str, Features]:
    """Whose people they may be: actors of the sentence and the last ones before it, the noun's own, and civilians."""
    c = t.c
    low, high = c.r.bounds(x.at)
    noun = next((h for k in range(x.first, x.last) if (h := c.hits.at("persons", k))), None)
    people = f"{noun.entry.get('singular')}" if noun else x.kind
    group = noun.entry.get("category") if noun else "nobody"
    out = {side: {side, f"{side} {group}", f"{side} {people}"} for side in NAMELESS}
    own = (noun.entry.get("side") or "").rstrip("?") if noun else ""
    if own and own != "same":
        out.setdefault(own, set()).update({"own", f"own {group}"})
    near: list[Named] = [*c.actors.between(low, high), *c.actors.before(low, 3)]
    for n in near:
        inside = low <= n.first < high
        distance = away(min(abs(n.first - x.last), abs(x.first - n.last)))
        place = ("behind" if n.first >= x.first else "before") + distance if inside else "earlier"
        before = next(iter(c.hits.cues.get(n.first - 1, ())), "") if n.first else ""
        for actor in (n.id, *n.also):
            kind = t.ids.kind(actor)
            told = {f"at {place}", f"at {place} {group}", f"kind {kind} {group}", f"at {place} {kind}"}
            told |= {f"{n.rule} {place}", f"clitic {n.prefix} {place}", f"cue {before} {place}", f"weak {n.weak}"}
            told |= {f"flag {flag.partition(':')[0]}" for flag in n.flags}
            if not any(abs(m.first - x.first) < abs(n.first - x.first) for m in near):
                told |= {"nearest", f"nearest {group}"}
            out.setdefault(actor, set()).update(told)
    some = any(a not in NAMELESS and "at earlier" not in told for a, told in out.items())
    return {
        actor: dict.fromkeys(told | {f"{actor if actor in NAMELESS else 'named'}, others {some}"}, 1.0)
        for actor, told in out.items()
    }


NAMELESS = ("civilians", "unidentified_armed_group")


def answer(t: Text, gold: GoldDocument) -> None:
    """Which candidates state the claims of the gold, one each."""
    worth = [[worth_of(t, x, g) for x in t.candidates] for g in gold.tolls]
    if not worth or not t.candidates:
        return
    for i, j in best_pairs(worth):
        if worth[i][j] > 0:
            t.candidates[j].gold, t.candidates[j].answer = gold.tolls[i], gold.tolls[i].outcome


def worth_of(t: Text, x: Candidate, g: GoldClaim) -> float:
    """0 where the candidate is not at the claim or has another number; numbers before people before fates."""
    covered = claim_anchor(g, t.c.r.span(x.first, x.last)) if g.count == x.count else 0.0
    return 100 + 3 * ORDER.get(x.kind, 2) + covered if covered else 0.0


ORDER = {"number": 3, "vague": 3, "fate": 1}


@dataclass
class Trigger:
    """A word that may tell of an event."""

    first: int
    last: int
    features: Features
    own: str  # the lexicon's type for it
    actors: dict[str, tuple[Named, Features]] = field(default_factory=dict)
    answer: str = NONE
    gold: GoldEvent | None = None
    fresh: float = 0.0  # probability of news
    type: str = ""
    roles: dict[str, dict[str, float]] = field(default_factory=dict)  # role → actor → probability


def window(c: Context, x: Trigger) -> tuple[int, int]:
    """Words of its sentence around a trigger: what stands for its clause."""
    low, high = c.r.bounds(x.first)
    return max(low, x.first - 7), min(high, x.last + 14)


def triggers(t: Text) -> list[Trigger]:
    c = t.c
    of_article = topics(t)
    hits = {h.first: h for file in ("outcomes", "triggers") for h in c.hits.of(file)}
    found = []
    for k, h in sorted(hits.items()):
        low, high = c.r.bounds(k)
        own = h.entry.get("type") or f"outcome {h.entry.get('outcome')}"
        form = f"{h.entry.get('form')}{h.entry.get('voice')}"
        told = {f"own {own}", f"word {stem(c.r.words[k])}", f"form {form}", f"prefix {h.prefix}"}
        told |= {f"flag {flag}" for flag in h.entry.flags} | set(beside(c, h.first, h.last)) | set(setting(t, k))
        told |= set(of_article) | {f"own {own} {name}" for name in of_article}
        x = Trigger(h.first, h.last, dict.fromkeys(told, 1.0), own)
        for n in c.actors.between(max(low, k - 40), min(high, k + 40)):
            side = ("behind" if n.first >= k else "before") + away(abs(n.first - k))
            kind = t.ids.kind(n.id)
            role = {side, f"{side} {own}", f"{side} {form}", f"clitic {n.prefix} {side[:6]}", f"rule {n.rule}"}
            role |= {f"kind {kind}", f"kind {kind} {side[:6]}", f"kind {kind} {own}"}
            role |= {f"flag {flag.partition(':')[0]}" for flag in n.flags}
            role |= {f"by {name}" for name in beside(c, n.first, n.last) if " 1 " in name or " 2 " in name}
            for actor in (n.id, *n.also):
                if actor not in x.actors or abs(x.actors[actor][0].first - k) > abs(n.first - k):
                    x.actors[actor] = (n, dict.fromkeys(role, 1.0))
        found.append(x)
    return found


def answer_events(t: Text, gold: GoldDocument) -> None:
    """The event of the gold in whose words a trigger stands; of several the one of its type, then the shortest."""
    for x in t.triggers:
        start, end = t.c.r.span(x.first, x.last)
        fits = [(x.own in g.types, -(b - a), g) for g in gold.events for a, b in place_of(g) if a <= start and end <= b]
        if fits:
            x.gold = max(fits, key=lambda f: f[:2])[2]
            x.answer = "recap" if x.gold.recap and not x.gold.recap_any else "fresh"


# ---- models


RARE = 3  # a feature of fewer rows is no feature


class Linear:
    """Logistic regression over named features; classes that it never saw have no chance."""

    def __init__(self, strength: float) -> None:
        from sklearn.feature_extraction import DictVectorizer  # type: ignore[import-not-found]
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found]

        self._table = DictVectorizer()
        self._model = LogisticRegression(C=strength, max_iter=400)
        self._known: frozenset[str] = frozenset()
        self._only: Any = None

    def fit(self, rows: Sequence[Features], answers: Sequence[Any], weights: Sequence[float] | None = None) -> Linear:
        if len(set(answers)) < 2:
            self._only = answers[0] if answers else NONE
            return self
        times = Counter(name for row in rows for name in row)
        self._known = frozenset(name for name, n in times.items() if n >= RARE)
        self._model.fit(self._table.fit_transform(self._cut(rows)), list(answers), sample_weight=weights)
        return self

    def _cut(self, rows: Sequence[Features]) -> list[Features]:
        return [{name: value for name, value in row.items() if name in self._known} for row in rows]

    def chances(self, rows: Sequence[Features]) -> list[dict[Any, float]]:
        if not rows:
            return []
        if self._only is not None:
            return [{self._only: 1.0} for _ in rows]
        names = list(self._model.classes_)
        return [
            dict(zip(names, map(float, row), strict=True))
            for row in self._model.predict_proba(self._table.transform(self._cut(rows)))
        ]


@dataclass(frozen=True, slots=True)
class Claims:
    """Models of claims: what befell them, whether it is a running total, whose people."""

    outcome: Linear
    running: Linear
    side: Linear


@dataclass(frozen=True, slots=True)
class Events:
    """Models of events; those of type and roles know nothing of the rules."""

    news: Linear
    type: Linear
    roles: dict[str, Linear]


def fit_claims(texts: Sequence[Text]) -> Claims:
    """On texts that have their answers."""
    xs = [x for t in texts for x in t.candidates]
    weights = [0.5 if x.gold is not None and x.gold.optional else 1.0 for x in xs]
    told = [(t, x, x.gold) for t in texts for x in t.candidates if x.gold is not None]
    whose = [(x.sides[actor], accepts(g.group, actor, t.ids)) for t, x, g in told for actor in x.sides]
    return Claims(
        Linear(SET.claims).fit([x.features for x in xs], [x.answer for x in xs], weights),
        Linear(SET.claims).fit([x.features for _, x, _ in told], [g.running for _, _, g in told]),
        Linear(SET.sides).fit([f for f, _ in whose], [well for _, well in whose]),
    )


def fit_events(texts: Sequence[Text]) -> Events:
    """On texts that have their answers."""
    xs = [x for t in texts for x in t.triggers]
    told = [(t, x, x.gold) for t in texts for x in t.triggers if x.gold is not None]
    roles = {}
    for role in ("attacker", "target"):
        pairs = [(f, accepts(getattr(g, role), actor, t.ids)) for t, x, g in told for actor, (_, f) in x.actors.items()]
        roles[role] = Linear(SET.sides).fit([f for f, _ in pairs], [well for _, well in pairs])
    return Events(
        Linear(SET.events).fit([x.features for x in xs], [x.answer for x in xs]),
        Linear(SET.events).fit(
            [x.features for _, x, _ in told], [x.own if x.own in g.types else g.types[0] for _, x, g in told]
        ),
        roles,
    )


def accepts(group: Sequence[str], actor: str, ids: Ids) -> bool:
    return ids.near(actor) in group or actor in group


def apply_claims(models: Claims, texts: Sequence[Text]) -> None:
    """Fills what the candidates' models say."""
    for t in texts:
        rows = [x.features for x in t.candidates]
        told = zip(t.candidates, models.outcome.chances(rows), models.running.chances(rows), strict=True)
        for x, chances, running in told:
            fits = models.side.chances([x.sides[actor] for actor in x.sides])
            side = max(zip(x.sides, fits, strict=True), key=lambda pair: pair[1].get(True, 0.0))[0]
            x.view = View(chances, running.get(True, 0.0), side)


def apply_events(models: Events, texts: Sequence[Text]) -> None:
    """Fills what the triggers' models say."""
    for t in texts:
        told = models.news.chances([x.features for x in t.triggers])
        types = models.type.chances([x.features for x in t.triggers])
        for x, chances, kinds in zip(t.triggers, told, types, strict=True):
            x.fresh = chances.get("fresh", 0.0)
            x.type = str(max(kinds, key=lambda name: kinds[name]))
            features = [f for _, f in x.actors.values()]
            for role, model in models.roles.items():
                x.roles[role] = {a: p.get(True, 0.0) for a, p in zip(x.actors, model.chances(features), strict=True)}


# ---- records


def sure(x: Candidate) -> View:
    assert x.view is not None, "no model was applied"
    return x.view


def claim_of(t: Text, x: Candidate) -> Claim:
    span, side = t.c.r.span(x.first, x.last), sure(x).side
    return Claim(outcome=cast(Outcomes, sure(x).outcome), count=x.count, hedge=cast(Any, x.hedge), low=x.low,
                 high=x.high, group=(Side(id=side, coarse=t.ids.coarse(side), span=span),), span=span)  # fmt: skip


def chosen(t: Text, least: float) -> list[Candidate]:
    """The likelier ones of those that would say the same at one place."""
    kept: list[Candidate] = []
    for x in sorted(t.candidates, key=lambda x: -sure(x).chance):
        if sure(x).chance < least:
            break
        same = (y for y in kept if y.count == x.count and sure(y).outcome == sure(x).outcome)
        if not any(abs(y.at - x.at) <= SAME and t.c.r.sentence[y.at] == t.c.r.sentence[x.at] for y in same):
            kept.append(x)
    return kept


SAME = 5  # words between two candidates of one claim


def carried(t: Text, claims: Sequence[Claim], totals: Sequence[Claim]) -> list[Event | Toll]:
    """Claims on a record that tells no event, and running totals on a toll, so that nothing but claims counts."""
    shared: dict[str, Any] = {"id": "", "article_id": t.id, "revision": 1, "evidence": (), "confidence": 0.5}
    shared["extractor"] = NOBODY
    out: list[Event | Toll] = []
    if claims:
        out.append(Event(**shared, realis="planned", event_type="Battles", sub_event_type="Armed clash",
                         date=EventDate(), casualties=tuple(claims)))  # fmt: skip
    if totals:
        out.append(Toll(**shared, period=Period(), casualties=tuple(totals)))
    return out


def claims_of(t: Text) -> list[Event | Toll]:
    """The claims of the models alone."""
    found = chosen(t, SET.claim)
    return carried(t, [claim_of(t, x) for x in found if sure(x).running < 0.5],
                   [claim_of(t, x) for x in found if sure(x).running >= 0.5])  # fmt: skip


def events_of(t: Text) -> list[Event]:
    """Fresh triggers, those of one type and no other place taken together."""
    c = t.c
    groups: list[tuple[list[Trigger], list[where.Found]]] = []
    for x in t.triggers:
        if x.fresh < SET.event or x.type not in EVENT_TYPE_OF:
            continue
        low, high = c.r.bounds(x.first)
        near = t.scenes.between(max(low, x.first - 25), min(high, x.last + 25))
        here = sorted(near, key=lambda p: abs(p.first - x.first))[:2]
        keys = {p.key(c.r) for p in here}
        mates = [
            g for g in groups if g[0][0].type == x.type and (not here or not g[1] or keys & {p.key(c.r) for p in g[1]})
        ]
        if mates:
            known = {p.key(c.r) for p in mates[0][1]}
            mates[0][0].append(x)
            mates[0][1].extend(p for p in here if p.key(c.r) not in known)
        else:
            groups.append(([x], here))
    return [event_of(t, xs, scenes) for xs, scenes in groups]


def event_of(t: Text, xs: Sequence[Trigger], scenes: Sequence[where.Found]) -> Event:
    """The record of triggers: nearest date and places, likeliest sides."""
    c = t.c
    scenes = scenes or t.scenes.before(xs[0].first, 1) or list(t.scenes)[:1]
    spoken = (c.dated.get(k) for x in xs for k in range(*c.r.bounds(x.first)))
    day = next((m for m in spoken if m is not None and m.kind == "point" and m.start), None)
    date = EventDate(start=t.today and t.today - dt.timedelta(days=1), end=t.today)
    evidence = []
    for x in sorted(xs, key=lambda x: -x.fresh)[:4]:
        start, end = c.r.span(*window(c, x))
        end = min(end, start + CLAUSE)
        evidence.append(Evidence(start=start, end=end, quote=c.r.folded.raw[start:end]))
    kind = cast(Any, xs[0].type)
    return Event(
        id="", article_id=t.id, revision=1, event_type=EVENT_TYPE_OF[kind], sub_event_type=kind,
        date=day.dated(c.r) if day else date,
        places=tuple(where.record(c.r, p) for p in where.ranked(list(scenes))[:3]),
        actors=tuple(sides_of(t, xs)), evidence=tuple(evidence), confidence=0.5, extractor=NOBODY,
    )  # fmt: skip


CLAUSE = 180  # code points of evidence


def sides_of(t: Text, xs: Sequence[Trigger]) -> Iterator[Actor]:
    """Up to two likely actors a role."""
    taken: set[str] = set()
    for role, least in (("attacker", SET.attacker), ("target", SET.target)):
        chances: dict[str, float] = {}
        for x in xs:
            for actor, p in x.roles[role].items():
                chances[actor] = max(p, chances.get(actor, 0.0))
        likely = sorted((a for a, p in chances.items() if p >= least and a not in taken), key=lambda a: -chances[a])
        for actor in likely[:2]:
            taken.add(actor)
            n = next(x.actors[actor][0] for x in xs if actor in x.actors)
            yield Actor(role=cast(Any, role), id=actor, coarse=t.ids.coarse(actor), kind=cast(Any, t.ids.kind(actor)),
                        text=t.c.r.quote(n.first, n.last), span=t.c.r.span(n.first, n.last))  # fmt: skip


# ---- rules and models together


@dataclass
class Doubt:
    """A claim at one place, or an event, that rules or models read: may it stand?

    record: number among the rules' records of its text, None for what only the models read. alone: what the models
    make of it, who do not know what the rules say. chance: what the judge says, who knows both.
    """

    record: int | None
    claim: Claim | None
    running: bool
    alone: float
    features: Features
    right: bool = False
    chance: float = 0.0


def meets(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def logit(p: float) -> float:
    return math.log(max(p, 0.001) / max(1 - p, 0.001))


def doubts(t: Text) -> list[Doubt]:
    """The rules' claims, mention by mention, and their news; then what the models take for claims and the rules not."""
    out: list[Doubt] = []
    places = [(x, t.c.r.span(x.first, x.last)) for x in t.candidates]
    for k, record in enumerate(t.records):
        for claim in record.casualties:
            whys = {w.rule for w in record.why.get("casualties", ())}
            for span in (claim.span, *claim.mentions):
                there = [x for x, at in places if x.count == claim.count and meets(at, span)]
                alone = max((sure(x).chance for x in there), default=0.5)
                told = {"rules", f"rules {claim.outcome}", f"rules {size(claim.count)}", f"there {bool(there)}"}
                told |= {f"rules {x.kind}" for x in there} | {
                    f"agree {sure(x).outcome == claim.outcome}" for x in there
                }
                told |= {f"why {why}" for why in whys}
                one = dataclasses.replace(claim, span=span, mentions=(), part_of=None)
                out.append(
                    Doubt(
                        k,
                        one,
                        isinstance(record, Toll),
                        alone,
                        dict.fromkeys(told, 1.0) | {"rules logit": logit(alone)},
                    )
                )
        if isinstance(record, Event) and record.realis == "reported":
            spans = event_spans(record)
            fresh = [x.fresh for x in t.triggers if any(meets(t.c.r.span(x.first, x.last), s) for s in spans)]
            alone = max(fresh, default=0.5)
            told = {"event", f"event {record.sub_event_type}", f"event sure {record.confidence:.1f}"}
            out.append(Doubt(k, None, False, alone, dict.fromkeys(told, 1.0) | {"event logit": logit(alone)}))
    said = [d.claim for d in out if d.claim is not None]
    for x in chosen(t, SET.doubtful):
        claim = claim_of(t, x)
        if not any(meets(claim.span, c.span) and claim.outcome == c.outcome for c in said):
            beside_one = any(meets(claim.span, c.span) for c in said)
            told = {"models", f"models {claim.outcome}", f"models {size(claim.count)}", f"models {x.kind}"}
            features = dict.fromkeys(told | {f"beside {beside_one}"}, 1.0) | {"models logit": logit(sure(x).chance)}
            out.append(Doubt(None, claim, sure(x).running >= 0.5, sure(x).chance, features))
    return out


def judge(t: Text, gold: GoldDocument) -> None:
    """Which doubts the gold clears."""
    for d in t.doubts:
        if d.claim is not None:
            same = [g for g in gold.tolls if g.outcome == d.claim.outcome and g.count == d.claim.count]
            d.right = any(claim_anchor(g, d.claim.span) > 0 for g in same)
        elif d.record is not None:
            event = cast(Event, t.records[d.record])
            alike = [g for g in gold.events if event.sub_event_type in g.types and (g.recap_any or not g.recap)]
            d.right = any(event_anchor(g, event_spans(event)) > 0 for g in alike)


def settled(t: Text, stands: Callable[[Doubt], bool]) -> list[Event | Toll]:
    """Records of what stands: claims as rules or models have them, events that fall told as no news."""
    out: list[Event | Toll] = []
    for k, record in enumerate(t.records):
        mine = [d for d in t.doubts if d.record == k]
        claims = tuple(d.claim for d in mine if d.claim is not None and stands(d))
        record = dataclasses.replace(record, casualties=claims)
        if isinstance(record, Event) and any(d.claim is None and not stands(d) for d in mine):
            record = dataclasses.replace(record, realis="planned")
        out.append(record)
    more = [d for d in t.doubts if d.record is None and stands(d)]
    added = [[d.claim for d in more if d.claim and d.running == running] for running in (False, True)]
    return [*out, *carried(t, *added)]


def gate(d: Doubt) -> bool:
    """The rules' own, but for what the models find most unlikely."""
    return d.record is not None and d.alone >= (SET.drop if d.claim is not None else SET.drop_event)


# ---- the run


@dataclass
class Corpus:
    """A set of articles with its gold."""

    name: str
    gold: list[GoldDocument]
    texts: list[Text]


def of_project(name: str, corpus: Path) -> Corpus:
    documents = annotated([name])
    rows = list(articles(corpus, documents))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gold.json"
        file.write_text(json.dumps(documents), encoding="utf-8")
        gold = read_gold(file, None)
    return Corpus(name, gold, read_texts(rows))


def of_files(gold: Path, articles_file: Path) -> Corpus:
    rows = list(rows_of(articles_file))
    reading = {str(r["id"]): f"{r['title']}\n\n{r['body']}" if r.get("title") else str(r["body"]) for r in rows}
    return Corpus(gold.stem, read_gold(gold, reading), read_texts(rows))


def prepare(sets: Sequence[Corpus]) -> None:
    """Candidates, features and answers of all texts."""
    for one in sets:
        gold = {d.id: d for d in one.gold}
        for t in one.texts:
            describe(t)
            t.triggers = triggers(t)
            answer(t, gold[t.id])
            answer_events(t, gold[t.id])


def learned(train: Corpus, extra: Sequence[Corpus], tests: Sequence[Corpus]) -> None:
    """Models and judge applied everywhere, to each training article by those that have not seen it."""
    names = sorted({d.id for d in train.gold})
    random.Random(1).shuffle(names)
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    parts: list[tuple[list[Text], list[Text]]] = [
        ([t for t in train.texts if fold[t.id] != k], [t for t in train.texts if fold[t.id] == k]) for k in range(FOLDS)
    ]
    parts.append((train.texts, [t for one in tests for t in one.texts]))
    more = [t for one in extra for t in one.texts]
    for shown, judged in parts:
        apply_claims(fit_claims(shown + more), judged)
        apply_events(fit_events(shown + more), judged)
    gold = {d.id: d for one in (train, *tests) for d in one.gold}
    for _, judged in parts:
        for t in judged:
            t.doubts = doubts(t)
            judge(t, gold[t.id])
    for shown, judged in parts:
        known = [d for t in shown for d in t.doubts]
        model = Linear(SET.judge).fit([d.features for d in known], [d.right for d in known])
        asked = [d for t in judged for d in t.doubts]
        for d, chances in zip(asked, model.chances([d.features for d in asked]), strict=True):
            d.chance = chances.get(True, 0.0)


def ways(texts: Sequence[Text]) -> dict[str, list[Event | Toll]]:
    """Records by every approach."""
    return {
        "rules": [r for t in texts for r in t.records],
        "models": [r for t in texts for r in (*claims_of(t), *events_of(t))],
        "rules, gated": [r for t in texts for r in settled(t, gate)],
        "rules, judged": [r for t in texts for r in settled(t, lambda d: d.record is not None and d.chance >= 0.5)],
        "rules and models, judged": [r for t in texts for r in settled(t, lambda d: d.chance >= 0.5)],
    }


def shown(one: Corpus) -> Iterator[str]:
    """The table of a set."""
    required = [g for d in one.gold for g in d.tolls if not g.optional]
    found = {x.gold.id for t in one.texts for x in t.candidates if x.gold is not None}
    yield (f"{one.name}: {len(one.gold)} articles; {len(required)} claims required, "
           f"{sum(g.id in found for g in required)} of them with a candidate of their number")  # fmt: skip
    said = ways(one.texts)
    plain = score(one.gold, said["rules"])
    for name, records in said.items():
        sheets = score(one.gold, records)
        scores, spread = total(sheets), intervals(sheets, draws(len(sheets)))
        yield f"  {name}"
        for table in TABLES:
            tally, (low, high) = scores.tables[table], spread[table] or (0.0, 0.0)
            line = (
                f"    {table:13} {tally.f1:.3f} [{low:.2f}, {high:.2f}]  P {tally.precision:.2f}  R {tally.recall:.2f}"
            )
            yield line if name == "rules" else f"{line}  {against(plain, sheets, table)}"


def against(plain: Sequence[Sheet], sheets: Sequence[Sheet], table: str) -> str:
    """How much better than the rules, with the middle 95% of the differences over the same draws of documents."""

    def gain(draw: Iterable[int]) -> float:
        one, other = (total([s[k] for k in draw]).tables[table].f1 for s in (plain, sheets))
        return other - one

    drawn = sorted(gain(draw) for draw in draws(len(plain)))
    tail = len(drawn) // 40
    return f"{gain(range(len(plain))):+.3f} [{drawn[tail]:+.3f}, {drawn[-tail - 1]:+.3f}] to the rules"


def curve(train: Corpus) -> Iterator[str]:
    """Claims that models find which were trained on some of the articles, in the rest of them."""
    texts = random.Random(3).sample(train.texts, len(train.texts))
    for size in CURVE:
        shown, judged = texts[:size], texts[size:]
        apply_claims(fit_claims(shown), judged)
        of = {t.id for t in judged}
        scores = total(score([d for d in train.gold if d.id in of], [r for t in judged for r in claims_of(t)]))
        yield f"models of {size} articles: " + "  ".join(f"{k} {scores.tables[k].f1:.3f}" for k in TABLES[:2])


CURVE = (25, 50, 75)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("corpus", type=Path)
    p.add_argument("--extra", nargs=2, type=Path, action="append", default=[], metavar=("GOLD", "ARTICLES"))
    p.add_argument("--test", nargs=2, type=Path, action="append", default=[], metavar=("GOLD", "ARTICLES"))
    p.add_argument(
        "--before", type=Path, metavar="RECORDS", help="the rules' records of dev before its errors were read"
    )
    a = p.parse_args()
    train, held = of_project("dev", a.corpus), of_project("held", a.corpus)
    if a.before is not None:
        said = read_records(str(a.before))
        for t in train.texts:
            t.records = [r for r in said if r.article_id == t.id]
    extra = [of_files(*pair) for pair in a.extra]
    tests = [held, *(of_files(*pair) for pair in a.test)]
    prepare([train, *extra, *tests])
    learned(train, extra, tests)
    for one in (train, *tests):
        print("\n".join(shown(one)), flush=True)
    print("\n".join(curve(train)))


if __name__ == "__main__":
    main()
