"""What is remembered of feeds, through restarts, kills and damage."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.feedstate import KEPT_ABSENT, MOST_ABSENT, FeedState, report
from connectors.schedule import DAY, Child, History, Subscription
from pipeline.errors import StorageError, StoragePaused

NOW = 1_800_000_000.0
URL = "https://news.example/rss"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "poller.sqlite"


def reopened(state: FeedState) -> FeedState:
    state.close()
    return FeedState(state.path)


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    history = History(
        url=URL, etag='W/"é"', polls=3, last_poll=NOW, failures={"timeout": 2}, rejected={"bad-feed": NOW},
        children={"https://news.example/1.xml": Child(etag="1", modified=NOW, parent="x")},
        hub=Subscription(hub="https://hub.example", topic=URL, path="p", secret="00ff"),
    )  # fmt: skip
    state = FeedState(path)
    state.save(history)
    state = reopened(state)
    assert state.history(URL) == history
    assert [h.url for h in state.histories()] == [URL]
    state.close()


def test_an_unknown_feed_has_an_empty_history(path: Path) -> None:
    state = FeedState(path)
    assert state.history(URL) == History(url=URL)
    assert state.histories() == []
    state.close()


@pytest.mark.parametrize("restart", [False, True])
def test_entries_are_new_once_and_edited_when_their_mark_changes(path: Path, restart: bool) -> None:
    state = FeedState(path)
    assert state.news(URL, {"a": "1", "b": "1"}) == (["a", "b"], [])
    state.remember(URL, {"a": "1", "b": "1"}, NOW)
    if restart:
        state = reopened(state)
    assert state.news(URL, {"a": "1", "b": "2", "c": "1"}) == (["c"], ["b"])
    state.close()


def test_the_same_entry_in_another_feed_or_another_part_is_known_by_itself(path: Path) -> None:
    state = FeedState(path)
    state.remember(URL, {"a": "1"}, NOW)
    assert state.news("https://other.example/rss", {"a": "1"}) == (["a"], [])
    assert state.news(URL, {"a": "1"}, "https://news.example/1.xml") == (["a"], [])
    assert state.news(URL, {"a": "1"}) == ([], [])
    state.close()


@pytest.mark.parametrize(
    ("absent_days", "known"), [(1, True), (KEPT_ABSENT / DAY - 1, True), (KEPT_ABSENT / DAY + 1, False)]
)
def test_an_entry_that_is_long_absent_is_forgotten(path: Path, absent_days: float, known: bool) -> None:
    state = FeedState(path)
    state.remember(URL, {"a": "1", "b": "1"}, NOW)
    state.remember(URL, {"b": "1"}, NOW + 100 * DAY)  # shown all the while: unchanged for a hundred days
    state = reopened(state)
    assert state.news(URL, {"a": "1"}) == ([], [])
    state.remember(URL, {"b": "1"}, NOW + (100 + absent_days) * DAY)
    state = reopened(state)
    assert state.news(URL, {"a": "1", "b": "1"}) == ([] if known else ["a"], [])
    state.close()


def test_an_entry_that_comes_back_begins_its_absence_anew(path: Path) -> None:
    state = FeedState(path)
    for day, shown in ((0, {"a": "1"}), (1, {}), (50, {"a": "1"}), (51, {}), (100, {})):
        state.remember(URL, shown, NOW + day * DAY)
        state = reopened(state)
    assert state.news(URL, {"a": "1"}) == ([], [])
    state.close()


def test_a_push_that_shows_only_what_is_new_makes_nothing_absent(path: Path) -> None:
    state = FeedState(path)
    state.remember(URL, {"a": "1"}, NOW)
    state.remember(URL, {"b": "1"}, NOW + 1, whole=False)
    state.remember(URL, {"a": "1", "b": "1"}, NOW + 61 * DAY)
    assert state.news(URL, {"a": "1", "b": "1"}) == ([], [])
    state.close()


def test_a_part_that_is_gone_is_forgotten_in_time(path: Path) -> None:
    state = FeedState(path)
    state.remember(URL, {"a": "1"}, NOW, "part")
    state.part_gone(URL, "part", NOW + 1)
    state.part_gone(URL, "part", NOW + 61 * DAY)
    state = reopened(state)
    assert state.news(URL, {"a": "1"}, "part") == (["a"], [])
    state.close()


def test_memory_of_one_feed_is_bounded_but_never_below_what_it_shows(path: Path) -> None:
    state = FeedState(path)
    shown = {f"new {n}": "1" for n in range(MOST_ABSENT + 500)}
    state.remember(URL, {f"old {n}": "1" for n in range(MOST_ABSENT)}, NOW)
    state.remember(URL, {f"mid {n}": "1" for n in range(700)}, NOW + 1)
    state.remember(URL, shown, NOW + 2)
    state = reopened(state)
    assert state.news(URL, shown) == ([], [])
    assert state.news(URL, {f"mid {n}": "1" for n in range(700)}) == ([], [])  # the oldest go first
    (rows,) = sqlite3.connect(path).execute("SELECT count(*) FROM seen").fetchone()
    assert rows == len(shown) + MOST_ABSENT
    state.close()


def test_many_polls_are_one_transaction(path: Path) -> None:
    state = FeedState(path)
    for n in range(500):
        state.save(History(url=f"{URL}/{n}"))
        state.remember(f"{URL}/{n}", {"a": "1"}, NOW)
    assert state.unsaved == 500
    assert report(path) == []
    state.flush()
    assert state.unsaved == 0
    assert len(report(path)) == 500
    state.close()


def test_entries_remembered_before_their_feed_find_it_later(path: Path) -> None:
    state = FeedState(path)
    state.remember(URL, {"a": "1"}, NOW)
    state.flush()
    state.save(History(url=URL, polls=1))
    state = reopened(state)
    assert state.history(URL).polls == 1
    assert state.news(URL, {"a": "1"}) == ([], [])
    state.close()


def test_a_kill_loses_only_what_was_not_flushed(path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from connectors.feedstate import FeedState\n"
        "from connectors.schedule import History\n"
        "state = FeedState(pathlib.Path(sys.argv[1]))\n"
        f"state.save(History(url={URL!r}, polls=1)); state.remember({URL!r}, {{'a': '1'}}, 1.0); state.flush()\n"
        f"state.save(History(url={URL!r}, polls=2)); state.remember({URL!r}, {{'b': '1'}}, 2.0)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    state = FeedState(path)
    assert state.history(URL).polls == 1
    assert state.news(URL, {"a": "1", "b": "1"}) == (["b"], [])
    state.close()


def test_what_cannot_be_written_now_is_written_later(path: Path) -> None:
    state = FeedState(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    state.save(History(url=URL, polls=1))
    state.remember(URL, {"a": "1"}, NOW)
    begin = time.monotonic()
    with pytest.raises(StoragePaused):
        state.flush()
    assert time.monotonic() - begin < 2
    other.execute("ROLLBACK")
    other.close()
    assert state.news(URL, {"a": "1"}) == ([], [])
    state = reopened(state)
    assert state.history(URL).polls == 1
    assert state.news(URL, {"a": "1"}) == ([], [])
    state.close()


def test_reviving_a_feed_gives_it_a_clean_slate_but_keeps_its_counts(path: Path) -> None:
    state = FeedState(path)
    history = History(
        url=URL, state="retired", state_reason="404", stale="so", failing=9, failing_for=1e6, polls=50, next_poll=9e9
    )
    state.save(history)
    assert state.revive(URL)
    now = state.history(URL)
    assert (now.state, now.stale, now.failing, now.failing_for, now.next_poll, now.polls) == (
        "active", None, 0, 0.0, None, 50,
    )  # fmt: skip
    assert not state.revive("https://unknown.example/")
    state.close()


# -- reports and damage -----------------------------------------------------------------------------------------------


def test_a_report_tells_a_person_how_a_feed_is_doing(path: Path) -> None:
    state = FeedState(path)
    state.save(
        History(
            url=URL, address="https://moved.example/", etag="1", polls=10, unmodified=6, same=1, changed=1,
            failures={"timeout": 2}, rate_slow=24 / DAY, rate_fast=0.0, entries=30, last_success=NOW, error="slow",
            hub=Subscription(hub="https://hub.example", topic=URL, path="secret path", secret="secret"),
        )
    )  # fmt: skip
    state.save(state.history(URL).but(url=URL + "2", stale="it lied", state="retired", state_reason="nothing"))
    state.close()
    one, two = report(path)
    assert (one.state, one.address, one.validators, one.not_modified) == (
        "active", "https://moved.example/", "etag", 0.75,
    )  # fmt: skip
    assert one.items_a_day == pytest.approx(24)
    assert (one.failures, one.error, one.hub, one.hub_state) == ({"timeout": 2}, "slow", "https://hub.example", "asked")
    assert (two.state, two.reason, two.validators) == ("retired", "nothing", "stale: it lied")
    assert "secret" not in repr(one)


def test_a_report_can_be_read_while_polling_goes_on(path: Path) -> None:
    state = FeedState(path)
    state.save(History(url=URL, polls=1))
    state.flush()
    assert report(path)[0].polls == 1
    state.save(History(url=URL, polls=2))
    state.close()
    assert report(path)[0].polls == 2


def test_no_file_is_an_empty_report(path: Path) -> None:
    assert report(path) == []
    assert not path.exists()


def damaged(path: Path) -> None:
    path.write_bytes(b"this is no database at all, " * 100)


def torn(path: Path) -> None:
    state = FeedState(path)
    state.save(History(url=URL))
    state.close()
    os.truncate(path, 3000)


def anothers(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE feed (x)")


def newer(path: Path) -> None:
    FeedState(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")


def unreadable_row(path: Path) -> None:
    FeedState(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO feed (url, history) VALUES ('x', '{\"url\": 7}')")


@pytest.mark.parametrize("spoil", [damaged, torn, anothers, newer, unreadable_row])
def test_a_file_that_cannot_be_used_is_said_so(path: Path, spoil: object) -> None:
    path.parent.mkdir()
    assert callable(spoil)
    spoil(path)
    with pytest.raises(StorageError, match=r"poller\.sqlite"):
        FeedState(path)
    with pytest.raises(StorageError, match=r"poller\.sqlite"):
        report(path)
