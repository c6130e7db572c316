from __future__ import annotations

import datetime as dt

import pytest

from connectors.sources.times import parse_time

NOON = dt.datetime(2024, 3, 10, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "value",
    ["2024-03-10T12:00:00Z", "2024-03-10T15:00:00+03:00", "2024-03-10 15:00:00+0300", "2024-03-10 12:00",
     "2024-03-10T12:00:00.123456789Z", "2024/3/10 12:00:00 UTC", "2024-03-10 15:00:00 +0300 (AST)",
     "Sun, 10 Mar 2024 12:00:00 GMT", "Sun, 10 Mar 2024 15:00:00 +0300", "10 Mar 2024 12:00:00", "20240310T120000Z",
     "٢٠٢٤-٠٣-١٠ ١٢:٠٠", 1710072000, 1710072000.5, 1710072000000, "1710072000", " 2024-03-10T12:00:00Z\n"],
)  # fmt: skip
def test_one_moment_in_many_spellings(value: str | float) -> None:
    assert parse_time(value) == NOON


@pytest.mark.parametrize("value", ["2024-03-10", "20240310", 20240310, "10 Mar 2024", "Sun, 10 Mar 2024", "2024/03/10"])
def test_a_day_is_its_first_moment(value: str | int) -> None:
    assert parse_time(value) == dt.datetime(2024, 3, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "value",
    [None, "", "yesterday", "03/04/2024", "2024-13-10", "2024-02-30", "0001-01-01T00:00:00", "1969-12-31", "2100-01-01",
     "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "12:00", 0, 7, -1, 1e300, float("nan"), float("inf"),
     10**30, True, "x" * 10_000, "9" * 90],
)  # fmt: skip
def test_what_is_no_moment_of_our_time_has_none(value: str | float | None) -> None:
    assert parse_time(value) is None
