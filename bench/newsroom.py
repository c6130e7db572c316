"""The simulated week of bench/newsroom.md: the live runtime over a newsroom on loopback, then the same, killed.

    python -m bench.newsroom [--feeds 200] [--hosts 60] [--days 7] [--kills 20] [--seed 1] [--json]

Exit code 1 if the oracle finds a single fault. `--kills 0` leaves out the second run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from connectors.newsroom.cast import Plan
from tests.newsroom.oracle import Oracle
from tests.newsroom.runs import killed, undisturbed

MOST_FAULTS = 20  # of a kind that are printed
LEAST_304 = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.newsroom", description=__doc__)
    parser.add_argument("--feeds", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=60)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--per-day", type=float, default=Plan().per_day, help="stories of a feed a day, on average")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    plan = Plan(feeds=given.feeds, hosts=given.hosts, days=given.days, seed=given.seed, per_day=given.per_day)
    report = {}
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        (Path(folder) / "calm").mkdir()
        report["undisturbed"] = judged(undisturbed(plan, Path(folder) / "calm"), time.monotonic() - begin)
    if given.kills:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.monotonic()
            oracle, breaks = killed(plan, Path(folder), given.kills)
            report[f"killed {len(breaks)} times"] = judged(oracle, time.monotonic() - begin)
    if given.json:
        print(json.dumps(report, indent=1))
    else:
        for run, figures in report.items():
            print(f"\n{run}")
            for name, value in figures.items():
                print(f"  {name:<72} {value:.3f}" if isinstance(value, float) else f"  {name:<72} {value}")
    sys.exit(any(figures["faults"] for figures in report.values()))


def judged(oracle: Oracle, seconds: float) -> dict[str, float | int]:
    """All numbers of a run, with its faults counted and the first of each kind told on stderr."""
    figures: dict[str, float | int] = {"seconds": seconds}
    faults = 0
    for kind, finding in oracle.all().items():
        faults += len(finding.faults)
        for fault in finding.faults[:MOST_FAULTS]:
            print(f"{kind}: {fault}", file=sys.stderr)
        figures |= {f"{kind}: {name}": value for name, value in finding.numbers.items()}
    figures |= {f"rejects: {reason}": n for reason, n in oracle.store.rejects.items()}
    share = figures["unchanged: share answered 304"]
    if share < LEAST_304:
        faults += 1
        print(f"unchanged: only {share:.1%} of unchanged polls were answered 304", file=sys.stderr)
    return figures | {"faults": faults}


if __name__ == "__main__":
    main()
