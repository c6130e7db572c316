from __future__ import annotations

import pytest

from connectors import recheck
from connectors.recheck import check_after_change, counted_from, forget_at, next_check, retry_at, spans_of

HOUR = 3_600.0
SPANS = spans_of(("1h", "6h", "24h", "3d"))
KEY = "https://example.com/a"


def test_the_setting_is_read_in_seconds() -> None:
    assert SPANS == (HOUR, 6 * HOUR, 24 * HOUR, 72 * HOUR)


@pytest.mark.parametrize(
    ("age", "next_span"),
    [(0.0, HOUR), (0.99 * HOUR, HOUR), (1.1 * HOUR, 6 * HOUR), (7 * HOUR, 24 * HOUR), (30 * HOUR, 72 * HOUR)],
)
def test_the_next_recheck_is_the_first_scheduled_one_to_come(age: float, next_span: float) -> None:
    due = next_check(KEY, 1e9, 1e9 + age, SPANS)
    assert due is not None
    assert next_span <= due - 1e9 <= next_span + min(recheck.SPREAD * next_span, recheck.WIDEST)


def test_behind_the_last_span_a_page_is_read_no_more() -> None:
    assert next_check(KEY, 1e9, 1e9 + 73 * HOUR, SPANS) is None
    assert next_check(KEY, 1e9, 1e9, ()) is None


def test_rechecks_missed_while_nothing_ran_are_made_up_by_one_reading() -> None:
    late = 1e9 + 20 * HOUR  # two are past
    due = next_check(KEY, 1e9, late, SPANS)
    assert due is not None
    assert due >= 1e9 + 24 * HOUR


def test_pages_of_one_moment_are_not_all_due_at_one_moment_again() -> None:
    due = {next_check(f"https://example.com/{i}", 1e9, 1e9, SPANS) for i in range(100)}
    assert len(due) > 90
    assert due == {next_check(f"https://example.com/{i}", 1e9, 1e9, SPANS) for i in range(100)}


def test_an_undated_page_and_one_dated_ahead_count_from_first_sight() -> None:
    assert counted_from(None, 500.0) == 500.0
    assert counted_from(900.0, 500.0) == 500.0
    assert counted_from(100.0, 500.0) == 100.0


def test_a_page_of_which_only_the_day_is_known_counts_from_first_sight_on_that_day() -> None:
    midnight = 20_000 * recheck.DAY
    assert counted_from(midnight, midnight + 15 * HOUR) == midnight + 15 * HOUR
    assert counted_from(midnight, midnight + 30 * HOUR) == midnight


def test_a_changed_page_is_read_again_within_the_hour() -> None:
    now = 1e9 + 8 * HOUR
    assert check_after_change(KEY, 1e9, now, 0, SPANS) == (now + HOUR, True)


def test_a_scheduled_recheck_that_comes_sooner_serves_a_changed_page_too() -> None:
    due, extra = check_after_change(KEY, 1e9, 1e9 + 5.5 * HOUR, 0, SPANS)
    assert not extra
    assert due == next_check(KEY, 1e9, 1e9 + 5.5 * HOUR, SPANS)


def test_a_page_that_changes_at_every_reading_is_left_to_the_schedule() -> None:
    now, extra, readings = 1e9, 0, 0
    while True:
        due, beside = check_after_change(KEY, 1e9, now, extra, SPANS)
        if due is None:
            break
        now, extra, readings = due, extra + beside, readings + 1
    assert readings <= len(SPANS) + recheck.MOST_EXTRA


def test_failures_are_retried_later_and_later_and_then_no_more() -> None:
    waits = []
    failures = 1
    while (due := retry_at(KEY, failures, 0.0)) is not None:
        waits.append(due)
        failures += 1
    assert waits == sorted(waits)
    assert waits[0] < 300
    assert sum(waits) < 6 * HOUR


def test_a_server_that_asks_for_longer_gets_it_but_not_for_ever() -> None:
    assert retry_at(KEY, 1, 0.0, after=5_000.0) == 5_000.0
    assert retry_at(KEY, 1, 0.0, after=1e12) == recheck.LONGEST_WAIT


def test_a_page_is_remembered_longer_than_it_is_read() -> None:
    assert forget_at(1e9, 1e9, SPANS) == 1e9 + 72 * HOUR + recheck.KEPT
    assert forget_at(1e9, 2e9, SPANS) == 2e9 + recheck.KEPT
