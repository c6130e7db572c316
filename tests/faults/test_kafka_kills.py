"""Fetcher, worker and sink killed with records in hand: nothing is lost, nothing stands twice in the sink."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.kafka_driver import Flow, Hit, each

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
KINDS = ("worker", "fetcher", "sink")


def test_killed_with_records_in_hand_nothing_is_lost_or_written_twice(
    tmp_path: Path, kafka: str, prefix: str, database: str, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, pages = (50, 10_000) if long_faults else (3, 240)
    hits: list[Hit] = []
    with Flow(tmp_path, kafka, prefix, pages=pages, database=database) as flow:
        flow.start(*KINDS)
        for number, kind in enumerate(each(KINDS, kills), 1):
            flow.portion(number, kills)
            hit = flow.hit(kind, signal.SIGKILL)
            hit.resumed = flow.resume(kind)
            hits.append(hit)
            with capsys.disabled():
                print(f"\n{number}: {kind} killed with {hit.waiting} waiting, {hit.requests} requests open;"
                      f" got on after {hit.resumed:.1f} s", end="")  # fmt: skip
        drained = flow.drain(600.0)
        compared = flow.compare()
    times = Counter(h.kind for h in hits)
    slowest = {kind: max(h.resumed or 0.0 for h in hits if h.kind == kind) for kind in times}
    with capsys.disabled():
        print(f"\nkills: {dict(times)}; slowest to get on: "
              + ", ".join(f"{k} {s:.1f} s" for k, s in slowest.items())
              + f"; drained {drained:.1f} s after the last; {compared}")  # fmt: skip
    compared.check()
    assert compared.articles == pages
    assert max(slowest.values()) < 30.0
    assert all(h.requests or any(h.waiting.values()) for h in hits)
    if long_faults:
        assert len(hits) == 50
        assert min(times[kind] for kind in KINDS) >= 10
