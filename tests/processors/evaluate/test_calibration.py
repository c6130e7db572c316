"""What bench/calibration.py computes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.calibration import bin_of, cases, fit, held_out, logistic, quality, reliability, support
from pipeline.records import Why
from processors.evaluate.tables import Judged
from tests.processors.evaluate.kit import actor, date, event, source


def judged(confidence: float, found: bool, strict: bool = False) -> Judged:
    return Judged(event(confidence=confidence), found=found, strict=strict)


def test_the_error_is_the_distance_of_share_and_confidence_over_bins() -> None:
    q = quality([0.8, 0.8, 0.8, 0.8, 0.5], [True, True, True, False, False])
    assert q.ece == pytest.approx((4 * 0.05 + 0.5) / 5)
    assert q.brier == pytest.approx((3 * 0.04 + 0.64 + 0.25) / 5)
    assert quality([1.0], [True]).loss == pytest.approx(0.0, abs=1e-5)


def test_a_confidence_of_one_falls_into_the_last_bin() -> None:
    assert [bin_of(c) for c in (0.0, 0.3, 0.95, 1.0)] == [0, 3, 9, 9]


def test_a_table_has_a_row_for_each_bin_that_holds_events() -> None:
    rows = list(reliability([judged(0.85, True, True), judged(0.81, False), judged(0.95, True)]))
    assert rows[2:] == [
        "| 0.8 to 0.9 | 2 | 0.83 | 1 (0.50) | 1 (0.50) |",
        "| 0.9 to 1.0 | 1 | 0.95 | 1 (1.00) | 0 (0.00) |",
    ]


def test_a_fit_without_a_slope_is_the_base_rate_and_a_good_signal_slopes_up() -> None:
    a, b = fit([0.0] * 4, [True, True, True, False])
    assert (logistic(a), b) == (pytest.approx(0.75, abs=1e-4), 0.0)
    a, b = fit([0, 0, 1, 1, 2, 2] * 5, [False, False, False, True, True, True] * 5)
    assert b > 1
    assert math.isclose(logistic(a + b), 0.5, abs_tol=0.1)


def test_a_document_is_judged_by_a_fit_on_the_others() -> None:
    found = [("a", judged(0.9, True)), ("b", judged(0.9, False)), ("b", judged(0.9, False)), ("c", judged(0.9, True))]
    said = held_out(found, lambda e: 0.0, lambda j: j.found)
    assert said == pytest.approx([1 / 3, 1.0, 1.0, 1 / 3], abs=1e-3)


def test_support_counts_what_speaks_for_an_event() -> None:
    bare = event(date=date(basis="published"), actors=(actor("attacker", "isis"),))
    assert support(bare) == 0
    told = {"event": (Why(rule="x"),) * 3}
    assert support(event(why=told, sources=(source("sohr"),))) == 5
    assert support(event(date=date(basis="published"), actors=(actor("participant", "isis"),))) == 1


def test_files_come_as_a_gold_and_its_records(tmp_path: Path) -> None:
    for files in (["r.jsonl"], ["g.json"], ["g.json", "h.json", "r.jsonl"]):
        with pytest.raises(SystemExit, match="give a GOLD"):
            cases(files)
