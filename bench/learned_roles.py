"""A second approach to who did what to whom, measured beside the rules: logistic regression over the same candidates.

    pip install scikit-learn
    python -m bench.learned_roles CORPUS.jsonl.gz

Every actor that an incident's sentences name is a candidate. Its features are binary: where it stands to the trigger
and in which clause, the cue words, verbs of speech and triggers around it, its clitics and flags, the incident's type,
and what the rules made of it (so it can only correct them). One model tells attackers, one targets; they are trained
on the annotated articles (bench/ant) by tenfold cross-validation over articles, so that no article is judged by a model
that has seen it. Prints the share of matched fresh events whose attacker and target are right, for rules and model.
What came of it: docs/decisions/0006-roles-by-rules.md.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.ant import SETS, annotated, articles
from bench.extract_eval import unique
from pipeline.cli.eval import read_gold
from pipeline.records import Actor, Event
from processors.evaluate.anchors import event_anchor, event_spans
from processors.evaluate.gold import GoldDocument, GoldEvent
from processors.evaluate.sides import NOBODY, event_answers, in_role, kin, known_ids, sides_right
from processors.extract import compose
from processors.extract.actors import Ids, Named
from processors.extract.context import Context
from processors.extract.frames import Frame
from processors.extract.merge import Incident
from processors.extract.step import load

FOLDS = 10
REACH = 40  # words on either side of a trigger
STRENGTH = 0.03  # inverse of the L2 penalty; 0.1 and 0.3 do worse
ATTACKER, TARGET = 0.4, 0.5  # probabilities; the best of nine pairs, which flatters the model
NEAREST = ((0, "0"), (2, "2"), (5, "5"), (12, "12"), (REACH, "far"))


@dataclass
class Case:
    """An incident with its candidates, and the gold event that it matches."""

    document: str
    event: Event
    candidates: dict[str, set[str]]  # actor id → features
    coarse: dict[str, str]
    gold: GoldEvent | None = None
    chances: dict[str, dict[str, float]] = field(default_factory=dict)  # role → actor id → probability


def position(n: Named, f: Frame) -> str:
    distance = n.first - f.trigger.last if n.first >= f.at else f.at - n.last
    side = "behind" if n.first >= f.at else "before"
    return side + next((name for limit, name in NEAREST if distance <= limit), "far")


def around(c: Context, n: Named) -> Iterator[str]:
    """What the words beside a name are."""
    spots = [("before", n.first - j, n.first - j + 1) for j in (1, 2, 3)] + [
        ("after", n.last + j, n.last + j) for j in (0, 1)
    ]
    for side, k, gap in spots:
        if not 0 <= k < len(c.r.words) or c.r.gap[gap] > 1:
            continue
        for file in ("sources", "triggers", "persons"):
            hit = c.hits.at(file, k)
            if hit is not None:
                yield f"{side} {file} {hit.entry.get('kind')}{hit.entry.get('form')}"
        yield from (f"{side} {kind}" for kind in c.hits.cues.get(k, {}))


def features(
    c: Context, ids: Ids, incident: Incident, event: Event, actor: str, named: dict[int, list[Named]]
) -> set[str]:
    said: set[str] = {a.role for a in event.actors if a.id == actor} or {"none"}
    out = {f"rules say {role}" for role in said} | {f"kind {ids.kind(actor)}", f"type {incident.type}"}
    out |= {f"rules say {role} {ids.kind(actor)}" for role in said} | {
        f"rules say {role} {incident.type}" for role in said
    }
    for told in incident.tellings:
        f = told.frame
        out |= {f"rule {r.rule} {r.role}" for r in told.roles if r.actor == actor}
        for n in named.get(f.at, []):
            where = position(n, f)
            inside = "in" if f.inner[0] <= n.first < f.inner[1] else "out"
            out |= {where, f"{where} {f.trigger.entry.get('form')}", f"{where} {inside}", f"clitic {n.prefix}"}
            out |= {f"flag {flag.partition(':')[0]}" for flag in n.flags} | {f"named {n.rule}"} | set(around(c, n))
            out |= {f"trigger {flag} {where[:6]}" for flag in f.flags}
    return out


def cases(rows: Sequence[dict[str, Any]]) -> list[Case]:
    """The incidents of articles, with their candidates."""
    found: list[Case] = []
    plain = compose._event

    def watched(c: Context, ids: Ids, envelope: compose.Envelope, incident: Incident, *rest: Any) -> Event:
        event = plain(c, ids, envelope, incident, *rest)
        near: dict[str, dict[int, list[Named]]] = {a.id: {} for a in event.actors}
        for told in incident.tellings:
            low, high = c.r.bounds(told.frame.at)
            for n in c.actors.between(max(low, told.frame.at - REACH), min(high, told.frame.at + REACH)):
                for actor in (n.id, *n.also):
                    near.setdefault(actor, {}).setdefault(told.frame.at, []).append(n)
        table = {actor: features(c, ids, incident, event, actor, where) for actor, where in near.items()}
        found.append(Case(envelope.unique.article.id, event, table, {a: ids.coarse(a) or a for a in near}))
        return event

    compose._event = watched  # type: ignore[assignment]
    try:
        extract = load()
        for row in rows:
            extract(unique(row))
    finally:
        compose._event = plain
    return found


def matched(found: Sequence[Case], documents: dict[str, GoldDocument]) -> list[Case]:
    """Cases that anchor on a fresh event of the gold with an accepted type."""
    out = []
    for case in found:
        gold = documents[case.document].events
        fits = [(event_anchor(g, event_spans(case.event)), g) for g in gold if case.event.sub_event_type in g.types]
        best = max(fits, key=lambda pair: pair[0], default=(0.0, None))
        if best[0] > 0 and best[1] is not None and not best[1].recap:
            case.gold = best[1]
            out.append(case)
    return out


def learn(found: Sequence[Case], role: str) -> None:
    """Chances of one role for all candidates, each by a model that has not seen its article."""
    from sklearn.feature_extraction import DictVectorizer  # type: ignore[import-not-found]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found]

    names = sorted({case.document for case in found})
    random.Random(1).shuffle(names)
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    for k in range(FOLDS):
        rows, answers = [], []
        for case in found:
            accepted = set((case.gold.attacker if role == "attacker" else case.gold.target) if case.gold else ())
            for actor, table in case.candidates.items():
                rows.append((dict.fromkeys(table, 1), fold[case.document] == k, case, actor))
                answers.append(bool(accepted) and (case.coarse[actor] in accepted or kin(case.coarse[actor], accepted)))
        shown = [i for i, row in enumerate(rows) if not row[1]]
        held = [i for i, row in enumerate(rows) if row[1]]
        table = DictVectorizer()
        model = LogisticRegression(C=STRENGTH, max_iter=500)
        model.fit(table.fit_transform([rows[i][0] for i in shown]), [answers[i] for i in shown])
        for i, chance in zip(held, model.predict_proba(table.transform([rows[i][0] for i in held]))[:, 1], strict=True):
            rows[i][2].chances.setdefault(role, {})[rows[i][3]] = float(chance)


def by_model(case: Case) -> list[Actor]:
    """The roles that the chances give."""
    a, t = case.chances.get("attacker", {}), case.chances.get("target", {})
    chosen = [("attacker", x) for x in sorted(a, key=lambda x: -a[x]) if a[x] >= ATTACKER and a[x] >= t[x] - 0.25][:2]
    chosen += [("target", x) for x in sorted(t, key=lambda x: -t[x]) if t[x] >= TARGET and t[x] > a[x] - 0.25][:3]
    return [Actor(role=role, id=x, coarse=case.coarse[x], name=x, kind="unknown", text=x, span=(0, 0))  # type: ignore[arg-type]
            for role, x in chosen]  # fmt: skip


def right(case: Case, actors: Sequence[Actor], known: frozenset[str]) -> tuple[bool, bool]:
    import dataclasses

    gold = case.gold
    assert gold is not None
    event = dataclasses.replace(case.event, actors=tuple(actors))
    attacker, target = event_answers(gold, event)
    return (sides_right(attacker, in_role(event, "attacker", gold), known),
            sides_right(target, in_role(event, "target", gold), known))  # fmt: skip


def main() -> None:
    import json
    import tempfile

    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("corpus", type=Path)
    a = p.parse_args()
    documents = annotated(SETS)
    rows = list(articles(a.corpus, documents))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gold.json"
        file.write_text(json.dumps(documents), encoding="utf-8")
        gold = read_gold(file, None)
    known = known_ids(gold)
    found = matched(cases(rows), {str(d.doc): d for d in gold})
    for role in ("attacker", "target"):
        learn(found, role)
    named = [c for c in found if c.gold is not None and c.gold.attacker]
    there = sum(any(x in NOBODY or x in c.gold.attacker or kin(x, c.gold.attacker) for x in c.coarse.values())
                for c in named if c.gold is not None)  # fmt: skip
    print(f"{len(found)} matched fresh events of {len(documents)} articles; "
          f"an accepted attacker is among the candidates of {there} of {len(named)}")  # fmt: skip
    for name, pick in (("rules", lambda c: list(c.event.actors)), ("model", by_model)):
        marks = [right(c, pick(c), known) for c in found]
        attacker, target, both = (sum(f(m) for m in marks) / len(marks) for f in (lambda m: m[0], lambda m: m[1], all))
        print(f"{name}: attacker {attacker:.3f}  target {target:.3f}  both {both:.3f}")


if __name__ == "__main__":
    main()
