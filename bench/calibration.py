"""How far `confidence` can be believed: of the events told with 0.8, are 80% right?

    python -m bench.calibration GOLD.json RECORDS.jsonl... [GOLD.json RECORDS.jsonl...] [--fit]

Right = `rasd eval` finds the event in the gold, of an accepted type and as news; strict = with date, place, attacker
and target right as well. Counted are events told as news, less those that the gold leaves open. Prints a reliability
table, the expected calibration error and the Brier score, for all events and for those that hold claims. With --fit:
one-line models of what a record has to speak for it, each judged on documents that it was not fitted on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.eval import read_gold, read_records
from pipeline.records import Event
from processors.evaluate.scoring import score
from processors.evaluate.tables import Judged

BINS = 10
RIDGE = 0.5  # pulls slopes towards 0: a few dozen events cannot carry steep ones
Case = tuple[str, Judged]  # document, event
Model = Callable[[Event], float]  # what stands in for x in p = 1 / (1 + exp(-(a + b x)))
Verdict = Callable[[Judged], bool]

VERDICTS: dict[str, Verdict] = {"right": lambda j: j.found, "strict": lambda j: j.strict}


def tellings(event: Event) -> int:
    return len(event.why.get("event", ()))


#: What may speak for an event, read off the record.
SIGNALS: dict[str, Callable[[Event], bool]] = {
    "date in words": lambda e: e.date.basis != "published",
    "told twice": lambda e: tellings(e) > 1,
    "told thrice": lambda e: tellings(e) > 2,
    "a source": lambda e: bool(e.sources),
    "both sides": lambda e: (
        {a.role for a in e.actors} >= {"attacker", "target"} or any(a.role == "participant" for a in e.actors)
    ),
    "a claim": lambda e: bool(e.casualties),
    "a place": lambda e: bool(e.places),
}
SUPPORT = ("date in words", "told twice", "told thrice", "a source", "both sides")


def support(event: Event) -> int:
    """How many of SUPPORT speak for it."""
    return sum(SIGNALS[name](event) for name in SUPPORT)


MODELS: dict[str, Model] = {
    "the base rate": lambda e: 0.0,
    "confidence": lambda e: 10 * (e.confidence - 0.8),
    "date, tellings": lambda e: sum(SIGNALS[name](e) for name in SUPPORT[:3]),
    "support": support,
}


@dataclass(frozen=True, slots=True)
class Quality:
    """ece: mean distance of share and confidence over bins. brier: mean squared error. loss: mean log loss."""

    ece: float
    brier: float
    loss: float


def cases(files: Sequence[str]) -> list[Case]:
    """Judged events of every gold with the records behind it."""
    golds = [k for k, name in enumerate(files) if name.endswith(".json")]
    if not golds or golds[0] != 0 or any(b - a < 2 for a, b in zip(golds, [*golds[1:], len(files)], strict=True)):
        raise SystemExit("give a GOLD.json, then its RECORDS.jsonl")
    found: list[Case] = []
    for first, end in zip(golds, [*golds[1:], len(files)], strict=True):
        gold = read_gold(Path(files[first]))
        records = [r for name in files[first + 1 : end] for r in read_records(name)]
        for document, sheet in zip(gold, score(gold, records), strict=True):
            found += [(document.id, j) for j in sheet.judged]
    return found


def quality(said: Sequence[float], right: Sequence[bool]) -> Quality:
    pairs = list(zip(said, right, strict=True))
    by_bin: dict[int, list[tuple[float, bool]]] = {}
    for p, y in pairs:
        by_bin.setdefault(bin_of(p), []).append((p, y))
    return Quality(
        ece=sum(abs(sum(p - y for p, y in some)) for some in by_bin.values()) / len(pairs),
        brier=sum((p - y) ** 2 for p, y in pairs) / len(pairs),
        loss=-sum(math.log(min(max(p if y else 1 - p, 1e-6), 1.0)) for p, y in pairs) / len(pairs),
    )


def bin_of(confidence: float) -> int:
    return min(BINS - 1, int(confidence * BINS + 1e-9))


def reliability(judged: Iterable[Judged]) -> Iterator[str]:
    """A Markdown table: bin, events, mean confidence, share right, share strict."""
    by_bin: dict[int, list[Judged]] = {}
    for j in judged:
        by_bin.setdefault(bin_of(j.event.confidence), []).append(j)
    yield "| confidence | events | mean | right | strict |"
    yield "|---|---|---|---|---|"
    for k, some in sorted(by_bin.items()):
        mean = sum(j.event.confidence for j in some) / len(some)
        shares = [f"{sum(map(v, some))} ({sum(map(v, some)) / len(some):.2f})" for v in VERDICTS.values()]
        yield f"| {k / BINS:.1f} to {(k + 1) / BINS:.1f} | {len(some)} | {mean:.2f} | {' | '.join(shares)} |"


# -- fitting -----------------------------------------------------------------------------------------------------------


def fit(xs: Sequence[float], ys: Sequence[bool]) -> tuple[float, float]:
    """(a, b) of p = 1 / (1 + exp(-(a + b x))): logistic regression by Newton's method, ridge on b."""
    a = b = 0.0
    for _ in range(100):
        ps = [logistic(a + b * x) for x in xs]
        ws = [p * (1 - p) for p in ps]
        to_a = sum(y - p for y, p in zip(ys, ps, strict=True))
        to_b = sum((y - p) * x for y, p, x in zip(ys, ps, xs, strict=True)) - RIDGE * b
        aa = sum(ws) + 1e-6
        ab = sum(w * x for w, x in zip(ws, xs, strict=True))
        bb = sum(w * x * x for w, x in zip(ws, xs, strict=True)) + RIDGE
        scale = aa * bb - ab * ab
        step_a, step_b = (to_a * bb - to_b * ab) / scale, (to_b * aa - to_a * ab) / scale
        a, b = a + step_a, b + step_b
        if abs(step_a) + abs(step_b) < 1e-9:
            break
    return a, b


def logistic(z: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))


def held_out(found: Sequence[Case], model: Model, verdict: Verdict) -> list[float]:
    """What the model says of each event when fitted on all other documents."""
    said = {}
    for left_out in {document for document, _ in found}:
        rest = [j for document, j in found if document != left_out]
        a, b = fit([model(j.event) for j in rest], [verdict(j) for j in rest])
        said[left_out] = (a, b)
    return [logistic(said[document][0] + said[document][1] * model(j.event)) for document, j in found]


def fits(found: Sequence[Case]) -> Iterator[str]:
    """Markdown tables: the models judged on documents left out, the signals one by one, and support step by step."""
    for name, verdict in VERDICTS.items():
        right = [verdict(j) for _, j in found]
        yield f"\n| chance of {name}, from | a | b | ECE | Brier | log loss |\n|---|---|---|---|---|---|"
        as_is = quality([j.event.confidence for _, j in found], right)
        yield f"| confidence as it stands | | | {as_is.ece:.3f} | {as_is.brier:.4f} | {as_is.loss:.3f} |"
        for label, model in MODELS.items():
            a, b = fit([model(j.event) for _, j in found], right)
            q = quality(held_out(found, model, verdict), right)
            yield f"| {label} | {a:.2f} | {b:.2f} | {q.ece:.3f} | {q.brier:.4f} | {q.loss:.3f} |"
    yield "\n| signal | with it: events, right, strict | without |\n|---|---|---|"
    for name, signal in SIGNALS.items():
        sides = [[j for _, j in found if signal(j.event) is has] for has in (True, False)]
        yield f"| {name} | {' | '.join(_shares(side) for side in sides)} |"
    yield "\n| support | events, right, strict |\n|---|---|"
    for k in range(len(SUPPORT) + 1):
        yield f"| {k} | {_shares([j for _, j in found if support(j.event) == k])} |"


def _shares(some: Sequence[Judged]) -> str:
    if not some:
        return "0"
    return f"{len(some)}, " + ", ".join(f"{sum(map(v, some)) / len(some):.2f}" for v in VERDICTS.values())


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+", metavar="FILE")
    p.add_argument("--fit", action="store_true")
    a = p.parse_args()
    found = cases(a.files)
    for title, some in (
        ("All events told as news", [j for _, j in found]),
        ("Events that hold claims", [j for _, j in found if j.event.casualties]),
    ):
        print(f"### {title} ({len(some)})\n")
        if not some:
            continue
        print("\n".join(reliability(some)), "\n")
        for name, verdict in VERDICTS.items():
            q = quality([j.event.confidence for j in some], [verdict(j) for j in some])
            print(f"{name}: expected calibration error {q.ece:.3f}, Brier {q.brier:.4f}, log loss {q.loss:.3f}  ")
        print()
    if a.fit and found:
        print("### Models, each document judged by a fit on the others")
        print("\n".join(fits(found)))


if __name__ == "__main__":
    main()
