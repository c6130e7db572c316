"""Asked to stop with records in hand, every process ends well within 8 seconds and the next one goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.kafka_driver import Flow, Hit, each

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
KINDS = ("worker", "fetcher", "sink")


def test_asked_to_stop_they_end_well_and_soon_and_nothing_is_lost(
    tmp_path: Path, kafka: str, prefix: str, database: str, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    stops, pages = (20, 2_000) if long_faults else (3, 240)
    hits: list[Hit] = []
    with Flow(tmp_path, kafka, prefix, pages=pages, database=database) as flow:
        flow.start(*KINDS)
        for number, kind in enumerate(each(KINDS, stops), 1):
            flow.portion(number, stops)
            hits.append(flow.hit(kind, signal.SIGTERM))
            hits[-1].resumed = flow.resume(kind)
        flow.drain(600.0)
        compared = flow.compare()
    slowest = {kind: max(h.took for h in hits if h.kind == kind) for kind in KINDS}
    with capsys.disabled():
        print(f"\n{len(hits)} stops, all with exit code 0; slowest: "
              + ", ".join(f"{k} {s:.1f} s" for k, s in slowest.items()) + f"; {compared}")  # fmt: skip
    compared.check()
    assert compared.articles == pages
    assert len(hits) == stops
    assert max(slowest.values()) < 8.0
