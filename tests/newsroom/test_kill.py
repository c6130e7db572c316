"""Killed again and again during the simulated time, each time with requests in flight: nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.newsroom.cast import Plan
from tests.newsroom.runs import killed

pytestmark = pytest.mark.faults
SHORT, LONG = Plan(hosts=6, feeds=12, days=1.1, per_day=3.0), Plan()


def test_kills_with_requests_in_flight_lose_and_double_nothing(
    tmp_path: Path, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, wanted = (LONG, 20) if long_faults else (SHORT, 5)
    oracle, breaks = killed(plan, tmp_path, wanted)
    found = oracle.all()
    with capsys.disabled():
        print(f"\n{len(breaks)} SIGKILLs with requests in flight: {found['once'].numbers | found['announced'].numbers}")
    assert len(breaks) == wanted
    assert found["announced"].numbers["revisions announced"] > 50
    for name in ("announced", "served", "rechecked", "once", "caught", "robots", "rates"):
        assert found[name].faults == [], name
