"""When a feed is polled next: every rule as a row of a table, and a few weeks played through."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
import pytest

from connectors.freshness import fresh_for, retry_after
from connectors.schedule import (
    BACKOFF_CAP,
    DAY,
    GONE_WAIT,
    HOUR,
    JITTER,
    MINUTE,
    RETIRED_WAIT,
    Answer,
    Bounds,
    Decision,
    Failed,
    Full,
    History,
    Reading,
    Subscription,
    Unmodified,
    after_push,
    backoff,
    chance,
    interval,
    next_poll,
    question,
    sendable,
)

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
URL = "https://news.example/rss"
BOUNDS = Bounds(5 * MINUTE, 180 * MINUTE)
HTTP_NOW = "Fri, 15 Jan 2027 08:00:00 GMT"
KNOWN = History(url=URL, body_hash="a", etag='"1"', last_modified=HTTP_NOW, source=URL, rate_slow=1e-4, rate_fast=1e-4)


def full(body_hash: str = "a", **given: Any) -> Full:
    return Full(**({"url": URL, "body_hash": body_hash} | given))


def reading(new: int = 0, edited: int = 0, shown: int = 10, **given: Any) -> Reading:
    return Reading(new=new, edited=edited, shown=shown, **given)


def played(history: History, *answers: Answer, start: float = NOW, **given: Any) -> list[Decision]:
    """The decisions of polls made exactly when the one before said so."""
    decisions = []
    now = start
    for answer in answers:
        decisions.append(next_poll(history, answer, now, BOUNDS, **given))
        history, now = decisions[-1].history, decisions[-1].when
    return decisions


# -- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=600"}, 600),
        ({"cache-control": "public, MAX-AGE=600, must-revalidate"}, 600),
        ({"Cache-Control": 'max-age="600"'}, 600),
        ({"Cache-Control": "max-age=600", "Age": "200"}, 400),
        ({"Cache-Control": "max-age=600", "Age": "700"}, None),
        ({"Cache-Control": "max-age=600", "Age": "²"}, 600),
        ({"Cache-Control": "s-maxage=900"}, None),
        ({"Cache-Control": "max-age=0"}, None),
        ({"Cache-Control": "no-cache, max-age=600"}, None),
        ({"Cache-Control": "max-age=600, no-store"}, None),
        ({"Cache-Control": "private", "Expires": "Fri, 15 Jan 2027 08:30:00 GMT", "Date": HTTP_NOW}, 1800),
        ({"Cache-Control": "max-age=60", "Expires": "Fri, 15 Jan 2027 08:30:00 GMT", "Date": HTTP_NOW}, 60),
        ({"Cache-Control": "max-age=abc"}, None),
        ({"Cache-Control": "max-age=99999999999999"}, 366 * DAY),
        ({"Cache-Control": "max-age=" + "9" * 5000}, None),
        ({"Expires": "Fri, 15 Jan 2027 08:30:00 GMT"}, 1800),
        ({"Expires": "Fri, 15 Jan 2027 08:30:00 GMT", "Date": "Fri, 15 Jan 2027 08:20:00 GMT"}, 600),
        ({"Expires": "Sat, 16 Jan 2027 08:00:00 GMT", "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({"Expires": "Fri, 15 Jan 2027 08:30:00 GMT", "Date": "yesterday"}, None),
        ({"Expires": "Thu, 19 Nov 1981 08:52:00 GMT", "Date": HTTP_NOW}, None),
        ({"Expires": "0"}, None),
        ({"Expires": "-1"}, None),
        ({}, None),
    ],
)
def test_how_long_an_answer_is_fresh(headers: dict[str, str], seconds: float | None) -> None:
    assert fresh_for(tuple(headers.items()), NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 3 ", 3),
        ("1.5", 1.5),
        ("Fri, 15 Jan 2027 09:00:00 GMT", 3600),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("999999999999", 366 * DAY),
    ],
)
def test_what_retry_after_asks_for(value: str, seconds: float | None) -> None:
    assert retry_after((("retry-AFTER", value),), NOW) == seconds


# -- validators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', "unquoted", '""', 'W/"a b"', '"abc-gzip"', "'1'", '"a\\"b"'])
def test_an_etag_is_sent_back_to_the_letter(etag: str) -> None:
    assert question(KNOWN.but(etag=sendable(etag)), NOW)["If-None-Match"] == etag


def test_last_modified_is_sent_back_to_the_letter_however_odd() -> None:
    assert question(KNOWN.but(last_modified="gestern"), NOW)["If-Modified-Since"] == "gestern"


@pytest.mark.parametrize("etag", ['"a\r\nX: 1"', '"\x00"', '"عاجل"', '"' + "x" * 2000 + '"', "", None])
def test_an_etag_that_cannot_be_sent_is_left_out(etag: str | None) -> None:
    assert sendable(etag) is None
    assert "If-None-Match" not in question(KNOWN.but(etag=sendable(etag)), NOW)


@pytest.mark.parametrize(
    "history", [History(url=URL), KNOWN.but(stale="proved so"), KNOWN.but(body_hash=None)], ids=str
)
def test_nothing_conditional_is_asked_where_nothing_is_known_or_trusted(history: History) -> None:
    assert question(history, NOW) == {}


def test_a_feed_always_called_unchanged_is_read_in_full_now_and_then_and_ever_more_rarely() -> None:
    history, now, gaps, since = KNOWN, NOW, [], 0
    for _ in range(300):
        if question(history, now):
            answer: Answer = Unmodified(url=URL)
            since += 1
        else:
            answer = full(etag='"1"', last_modified=HTTP_NOW)
            gaps.append(since)
            since = 0
        decision = next_poll(history, answer, now, BOUNDS)
        history, now = decision.history, decision.when
    assert gaps[:2] == [8, 24]
    assert min(gaps[2:]) >= 24
    assert history.unmodified / history.polls >= 0.96
    assert history.stale is None


@pytest.mark.parametrize(
    ("answer", "stale"),
    [
        (full("b", etag='"1"', last_modified=HTTP_NOW, reading=reading(new=1)), True),
        (full("b", etag='"1"', last_modified=HTTP_NOW, reading=reading(edited=1)), True),
        (full("b", etag='"1"', last_modified=HTTP_NOW, reading=reading()), False),  # a build date, say
        (full("a", etag='"1"', last_modified=HTTP_NOW), False),
        (full("b", etag='"2"', last_modified=HTTP_NOW, reading=reading(new=1)), False),
        (full("b", etag='"1"', last_modified="later", reading=reading(new=1)), False),
        (full("b", reading=reading(new=1)), False),
        (full("b", etag='"1"', last_modified=HTTP_NOW, conditional=True, reading=reading(new=1)), False),
    ],
)
def test_validators_are_dropped_where_the_body_changed_under_them(answer: Full, stale: bool) -> None:
    decision = next_poll(KNOWN.but(since_full=8), answer, NOW, BOUNDS)
    assert bool(decision.drop_validators) is stale
    assert bool(decision.history.stale) is stale
    assert (question(decision.history, NOW) == {}) is (stale or answer.etag is None)


def test_a_new_etag_with_the_same_body_is_no_change() -> None:
    decision = next_poll(KNOWN, full("a", etag='"2"', conditional=True), NOW, BOUNDS)
    assert (decision.history.same, decision.history.changed) == (1, 0)
    assert question(decision.history, NOW) == {"If-None-Match": '"2"'}


# -- how often --------------------------------------------------------------------------------------------------------


def history_of(a_day: float, **given: Any) -> History:
    return KNOWN.but(rate_slow=a_day / DAY, rate_fast=a_day / DAY, **given)


@pytest.mark.parametrize(
    ("history", "fresh", "minutes", "word"),
    [
        (history_of(24), None, 15, "24 items a day"),
        (history_of(6), None, 60, "6 items a day"),
        (history_of(1), None, 180, "at least"),
        (history_of(0.1), None, 180, "hardly"),
        (history_of(0), None, 180, "hardly"),
        (history_of(2_000), None, 5, "not more often"),
        (history_of(0).but(rate_fast=24 / DAY), None, 15, "24 items a day"),
        (history_of(24, wants=3600), None, 60, "feed itself asks for 1 hour"),
        (history_of(24, wants=60), None, 15, "24 items"),
        (history_of(24, wants=7 * DAY), None, 180, "feed itself"),
        (history_of(24), 1800, 30, "cache headers for 30 minutes"),
        (history_of(24), 30, 15, "24 items"),
        (history_of(24), 40 * DAY, 180, "cache headers"),
        (history_of(240, shown=10, wants=DAY), None, 30, "shows 10 entries only"),  # full of others in an hour
        (history_of(24, shown=10, oldest=NOW - 20 * MINUTE), None, 10, "shows 10 entries only"),
        (history_of(24, shown=1, oldest=NOW - 10), None, 15, "24 items"),
        (history_of(24, shown=10, oldest=NOW - 3 * DAY), None, 15, "24 items"),
    ],
)
def test_the_interval_and_its_reason(history: History, fresh: float | None, minutes: float, word: str) -> None:
    wait, why = interval(history, BOUNDS, NOW, fresh)
    assert wait == pytest.approx(minutes * MINUTE)
    assert word in why


@pytest.mark.parametrize(
    ("state", "until", "minutes"), [("verified", 1, 60), ("verified", -1, 15), ("asked", 1, 15), ("ending", 1, 15)]
)
def test_a_feed_whose_hub_pushes_is_polled_less_often(state: Any, until: float, minutes: float) -> None:
    hub = Subscription(hub="https://hub.example", topic=URL, path="p", secret="s", state=state, until=NOW + until)
    wait, _ = interval(history_of(24, hub=hub), BOUNDS, NOW)
    assert wait == minutes * MINUTE


def test_pushes_that_prove_missing_quicken_polling_and_one_that_comes_slows_it_again() -> None:
    hub = Subscription(hub="https://hub.example", topic=URL, path="p", secret="s", state="verified", until=NOW + DAY)
    history = history_of(24, hub=hub, last_success=NOW - HOUR)
    found = [full(str(n), etag=str(n), reading=reading(new=1)) for n in range(2)]
    first, second = played(history, *found)
    assert "pushes" in first.why
    assert "pushes" not in second.why
    assert second.history.interval is not None
    assert first.history.interval is not None
    assert second.history.interval < first.history.interval
    pushed = after_push(second.history, reading(new=1), second.when)
    assert pushed.hub is not None
    assert (pushed.hub.pushes, pushed.hub.missed) == (1, 0)
    assert pushed.etag == second.history.etag


@pytest.mark.parametrize("polls", range(20))
def test_jitter_is_the_same_for_the_same_poll_and_keeps_the_bounds(polls: int) -> None:
    history = history_of(24).but(polls=polls, last_success=NOW - 1, last_poll=NOW - 1)
    one, other = (next_poll(history, Unmodified(url=URL), NOW, BOUNDS) for _ in range(2))
    assert one == other
    wait = one.when - NOW
    assert one.history.interval is not None
    assert one.history.interval <= wait <= min(BOUNDS.high, one.history.interval * (1 + JITTER))


@pytest.mark.parametrize("a_day", [0, 24, 2_000])
def test_feeds_polled_together_drift_apart_at_either_bound(a_day: float) -> None:
    waits = set()
    for n in range(50):
        history = history_of(a_day).but(url=f"https://{n}.example/", last_success=NOW - 1)
        waits.add(round(next_poll(history, Unmodified(url=URL), NOW, BOUNDS).when - NOW))
    assert len(waits) > 15
    assert all(BOUNDS.low <= wait <= BOUNDS.high for wait in waits)


def test_chance_is_spread_evenly() -> None:
    spread = {round(chance(f"https://{n}.example/", 1), 3) for n in range(100)}
    assert len(spread) > 90
    assert min(spread) < 0.1 < 0.9 < max(spread)


@pytest.mark.parametrize(("a_day", "shown"), [(1, 10), (10, 10), (50, 10), (100, 20), (400, 25), (400, 100)])
def test_a_steady_feed_is_polled_often_enough_to_miss_nothing_and_not_more_than_needed(a_day: int, shown: int) -> None:
    seconds = DAY / a_day
    published = [NOW - 30 * DAY + n * seconds for n in range(int(60 * a_day))]
    history, now, seen = History(url=URL), NOW, -1
    missed = polls = 0
    while now < NOW + 7 * DAY:
        last = int((now - published[0]) / seconds)
        window = published[max(0, last - shown + 1) : last + 1]
        new = last - seen if seen >= 0 else shown
        missed += max(0, new - shown)
        seen = last
        marks = {"etag": str(last)}
        known = question(history, now).get("If-None-Match") == str(last)
        answer = Unmodified(url=URL) if known else full(
            str(last), reading=reading(new=min(new, shown), shown=shown, times=tuple(window)), **marks
        )  # fmt: skip
        decision = next_poll(history, answer, now, BOUNDS)
        history, now = decision.history, decision.when
        polls += 1
    assert missed == 0
    assert polls <= 7 * max(DAY / BOUNDS.high, min(DAY / BOUNDS.low, 5 * a_day)) + 8


def test_a_feed_without_times_is_learned_from_what_comes_new() -> None:
    history, now = History(url=URL), NOW
    for n in range(60):  # one new item at every poll: it deserves more polls
        decision = next_poll(history, full(str(n), reading=reading(new=1)), now, BOUNDS)
        history, now = decision.history, decision.when
    assert history.interval == BOUNDS.low
    for _ in range(400):
        decision = next_poll(history, full(history.body_hash or ""), now, BOUNDS)
        history, now = decision.history, decision.when
    assert history.interval == BOUNDS.high


def test_a_feed_that_shows_no_known_entry_any_more_may_have_missed_some() -> None:
    first, second = played(History(url=URL), full(reading=reading(new=10)), full("b", reading=reading(new=10)))
    assert (first.history.overruns, second.history.overruns) == (0, 1)


# -- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "waits"),
    [
        ("timeout", [5, 10, 20, 40, 80, 160, 320, 360, 360]),
        ("status-500", [5, 10, 20]),
        ("status-404", [5, 10, 20]),
        ("status-403", [60, 120, 240, 360]),
        ("status-401", [60, 120]),
        ("status-429", [15, 30, 60, 120]),
        ("robots", [1440, 1440]),
    ],
)
def test_failures_are_retried_at_doubled_waits_up_to_a_cap(reason: str, waits: list[float]) -> None:
    assert [backoff(n + 1, reason, BOUNDS) / MINUTE for n in range(len(waits))] == waits
    assert backoff(10**6, reason, BOUNDS) <= max(BACKOFF_CAP, DAY)


@pytest.mark.parametrize(
    ("after", "reason", "least", "most"),
    [
        (3600, "status-429", 60, 66),
        (3600, "status-503", 60, 66),
        (1, "status-429", 15, 16.5),
        (1e9, "status-503", 1440, 1584),
        (None, "status-503", 5, 5.5),
    ],
)
def test_retry_after_is_obeyed_within_reason(after: float | None, reason: str, least: float, most: float) -> None:
    decision = next_poll(KNOWN, Failed(reason=reason, error="busy", after=after), NOW, BOUNDS)
    assert least * MINUTE <= decision.when - NOW <= most * MINUTE


def failing_until_given_up(reason: str, **given: Any) -> tuple[Decision, float]:
    history, now = KNOWN.but(last_success=NOW), NOW
    for _ in range(1000):
        decision = next_poll(history, Failed(reason=reason, error="it fails", **given), now, BOUNDS)
        if decision.retired or decision.gone:
            return decision, now - NOW
        history, now = decision.history, decision.when
    raise AssertionError("never given up")


@pytest.mark.parametrize(
    ("reason", "days"), [("timeout", 14), ("status-500", 14), ("bad-feed", 14), ("status-404", 7), ("status-410", 0)]
)
def test_what_only_fails_is_given_up_after_its_time(reason: str, days: float) -> None:
    decision, lasted = failing_until_given_up(reason)
    assert days * DAY <= lasted <= (days + 0.5) * DAY
    assert decision.history.state == ("gone" if reason == "status-410" else "retired")
    assert decision.history.state_reason
    wait = GONE_WAIT if reason == "status-410" else RETIRED_WAIT
    assert wait <= decision.when - now_of(decision) <= wait * (1 + JITTER)


def now_of(decision: Decision) -> float:
    assert decision.history.last_poll is not None
    return decision.history.last_poll


def test_a_retired_feed_that_answers_again_is_polled_as_before() -> None:
    decision, _ = failing_until_given_up("timeout")
    again = next_poll(decision.history, full("b", reading=reading(new=3)), decision.when, BOUNDS)
    assert again.revived
    assert again.history.state == "active"
    assert again.when - decision.when <= BOUNDS.high
    assert (again.history.failing, again.history.failing_for) == (0, 0)


def test_a_retired_feed_that_fails_again_stays_so_and_says_it_once() -> None:
    decision, _ = failing_until_given_up("timeout")
    again = next_poll(decision.history, Failed(reason="dns", error="no such host"), decision.when, BOUNDS)
    assert again.retired is None
    assert again.history.state == "retired"
    assert again.history.state_reason == decision.retired
    assert again.when - decision.when >= RETIRED_WAIT


def test_a_machine_that_was_off_for_a_month_retires_nothing() -> None:
    history = next_poll(KNOWN, Failed(reason="timeout", error="slow", network=True), NOW, BOUNDS).history
    later = NOW + 30 * DAY
    for n in range(6):
        decision = next_poll(history, Failed(reason="timeout", error="slow"), later + n * HOUR, BOUNDS)
        history = decision.history
        assert decision.retired is None


def test_our_own_network_being_down_is_held_against_no_feed() -> None:
    history, now = KNOWN.but(last_success=NOW), NOW
    while now < NOW + 30 * DAY:
        decision = next_poll(
            history, Failed(reason="dns", error="no answer", network=True), now, BOUNDS, online=False
        )  # fmt: skip
        assert decision.when - now <= BOUNDS.low * (1 + JITTER)
        history, now = decision.history, decision.when
    assert (history.state, history.failing, history.failures) == ("active", 0, {"offline": history.polls})


def test_trouble_of_our_own_is_held_against_no_feed() -> None:
    decision = next_poll(KNOWN, Failed(reason="our-own", error="the disk is full", ours=True), NOW, BOUNDS)
    assert (decision.history.failing, decision.why) == (0, "the disk is full")


def test_one_success_forgets_the_failures_but_not_their_count() -> None:
    failed = [Failed(reason="timeout", error="slow")] * 3
    last = played(KNOWN, *failed, Unmodified(url=URL))[-1]
    assert (last.history.failing, last.history.failing_since, last.history.error) == (0, None, None)
    assert last.history.failures == {"timeout": 3}


# -- moving -----------------------------------------------------------------------------------------------------------

ELSEWHERE = "https://other.example/feed"


def test_a_permanent_redirect_is_kept_once_two_polls_confirm_it() -> None:
    moved = Unmodified(url=ELSEWHERE, moved_to=ELSEWHERE)
    first, second = played(KNOWN, moved, moved)
    assert (first.moved_to, first.history.asked_at) == (None, URL)
    assert (second.moved_to, second.history.asked_at) == (ELSEWHERE, ELSEWHERE)


@pytest.mark.parametrize(
    "between",
    [
        Unmodified(url=URL),
        Unmodified(url="https://third.example/", moved_to="https://third.example/"),
        Failed(reason="bad-feed", error="a captive portal"),
    ],
    ids=["no redirect", "another target", "no feed"],
)
def test_a_redirect_that_does_not_stay_is_not_kept(between: Answer) -> None:
    moved = Unmodified(url=ELSEWHERE, moved_to=ELSEWHERE)
    assert all(d.history.address is None for d in played(KNOWN, moved, between, moved))


@pytest.mark.parametrize(
    ("reason", "network", "polls"),
    [
        ("status-404", False, 1),
        ("status-410", False, 1),
        ("bad-feed", False, 1),
        ("dns", True, 3),
        ("status-500", False, 3),
        ("status-429", False, 3),
        ("robots-unread", False, 3),
    ],
)
def test_a_move_is_undone_where_the_new_address_fails(reason: str, network: bool, polls: int) -> None:
    failed = [Failed(reason=reason, error="broken", network=network)] * polls
    *before, last = played(KNOWN.but(address=ELSEWHERE), *failed)
    assert all(d.history.address == ELSEWHERE for d in before)
    assert (last.moved_to, last.history.asked_at, last.history.state) == ("", URL, "active")
    assert question(last.history, NOW) == {}  # the validators were the other server's
    assert last.when - now_of(last) <= BOUNDS.low


def test_a_move_is_not_undone_while_our_own_network_is_down() -> None:
    failed = Failed(reason="dns", error="no answer", network=True)
    assert all(
        d.history.address == ELSEWHERE for d in played(KNOWN.but(address=ELSEWHERE), *[failed] * 10, online=False)
    )


def test_a_move_back_to_the_listed_address_is_no_move() -> None:
    back = Unmodified(url=URL, moved_to=URL)
    assert played(KNOWN.but(address=ELSEWHERE), back, back)[-1].history.address is None


# -- whatever comes ---------------------------------------------------------------------------------------------------


LIES = reading(new=1, times=(0.0, 1e12))


@pytest.mark.parametrize("jump", [-30 * DAY, -1.0, 0.0, 400 * DAY])
@pytest.mark.parametrize(
    "answer",
    [Unmodified(url=URL, fresh=1e12), full("b", reading=LIES), Failed(reason="x", error="y", after=1e300)],
    ids=["304", "200", "failed"],
)
def test_no_clock_and_no_header_leads_to_a_poll_at_once_or_never(answer: Answer, jump: float) -> None:
    first = played(KNOWN, Unmodified(url=URL))[-1]
    now = NOW + jump
    decision = next_poll(first.history, answer, now, BOUNDS)
    assert math.isfinite(decision.when)
    assert BOUNDS.low <= decision.when - now <= 40 * DAY


@pytest.mark.parametrize("seed", range(60))
def test_any_sequence_of_answers_leaves_a_history_that_can_be_kept_and_a_poll_to_come(seed: int) -> None:
    chance = random.Random(seed)
    numbers = [0.0, 1.0, 59.0, 3600.0, 1e5, 1e9, 1e15, -5.0]
    places = [URL, ELSEWHERE, "http://third.example/"]

    def answer() -> Answer:
        number, place = chance.choice(numbers), chance.choice(places)
        moved = chance.choice([None, None, place])
        read = reading(
            new=chance.choice([0, 1, 10]), edited=chance.choice([0, 1]), shown=chance.choice([0, 1, 10]),
            times=tuple(NOW + chance.choice([-1, 1]) * chance.choice(numbers) for _ in range(chance.choice([0, 1, 5]))),
            wants=chance.choice([None, number]),
        )  # fmt: skip
        tag = chance.choice([None, "1", "2"])
        return chance.choice(
            [
                Unmodified(url=place, fresh=chance.choice([None, number]), moved_to=moved),
                full(chance.choice("ab"), url=place, etag=tag, moved_to=moved, conditional=seed % 2 == 0, reading=read),
                full("a", url=place, etag=tag),
                Failed(reason=chance.choice(["dns", "status-404", "status-410", "bad-feed"]), error="e", after=number),
                Failed(reason="timeout", error="e", network=True),
                Failed(reason="our-own", error="e", ours=True),
            ]
        )

    history, now = History(url=URL), NOW
    for _ in range(80):
        question(history, now)
        decision = next_poll(history, answer(), now, BOUNDS, online=chance.random() < 0.8)
        assert now + 30 <= decision.when <= now + 40 * DAY
        assert decision.why
        assert decision.history.next_poll == decision.when
        assert msgspec.json.decode(msgspec.json.encode(decision.history), type=History) == decision.history
        assert all(rate is None or 0 <= rate < 1e6 for rate in (decision.history.rate_slow, decision.history.rate_fast))
        history, now = decision.history, chance.choice([decision.when, decision.when + DAY, now - HOUR, now])
