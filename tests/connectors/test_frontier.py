from __future__ import annotations

import contextlib
import datetime as dt
import random
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import frontier as module
from connectors.frontier import FILE, Frontier, Memory, Row, Settled, address_of, key_of, read_status
from pipeline.errors import StorageError, StoragePaused
from pipeline.records import Entry


def entry(number: int = 1, host: str = "example.com", **given: Any) -> Entry:
    fields: dict[str, Any] = {
        "feed": f"https://{host}/rss",
        "url": f"https://{host}/news/{number}",
        "title": f"Headline {number}",
        "body": "A summary",
        "partial": True,
    }
    return Entry(**(fields | given))


def anybody(host: str, busy: int) -> bool:
    return True


def one_each(host: str, busy: int) -> bool:
    return busy < 1


def done(row: Row, due: float | None = None, **given: Any) -> Settled:
    memory = Memory(article="a", canonical=row.key, content="c", base=row.since)
    return Settled(**({"row": row, "state": "done", "due": due, "memory": memory, "forget": 1e9} | given))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def frontier(path: Path) -> Iterator[Frontier]:
    made = Frontier(path)
    yield made
    made.close()


def test_what_was_taken_is_there_after_a_restart_without_a_goodbye(path: Path) -> None:
    Frontier(path).take([entry(1), entry(2)], 100.0)
    rows = Frontier(path).lease(100.0, 10, anybody)
    assert [row.entry for row in rows] == [entry(1), entry(2)]


def test_a_page_in_hand_is_handed_out_once_and_again_after_a_restart(path: Path, frontier: Frontier) -> None:
    frontier.take([entry()], 100.0)
    assert len(frontier.lease(100.0, 10, anybody)) == 1
    assert frontier.lease(100.0, 10, anybody) == []
    assert len(Frontier(path).lease(100.0, 10, anybody)) == 1


def test_pages_taken_or_held_under_a_clock_that_was_ahead_are_due_once_it_is_right(path: Path) -> None:
    year, host = 365 * 86_400.0, "b.example"
    first = Frontier(path)
    first.take([entry(1), entry(2, host)], year)
    held = [row for row in first.lease(year, 10, anybody) if row.host == host]
    first.settle([done(row, year + 600, state="held") for row in held])
    first.close()
    later = Frontier(path)
    assert later.lease(1_000.0, 10, anybody) == []
    later.expire(1_000.0)
    assert {row.host for row in later.lease(1_000.0, 10, anybody)} == {"example.com", host}
    later.close()


def test_a_page_put_back_is_handed_out_again(frontier: Frontier) -> None:
    frontier.take([entry()], 100.0)
    rows = frontier.lease(100.0, 10, anybody)
    frontier.release(rows)
    assert frontier.lease(100.0, 10, anybody) == rows


def test_an_entry_known_already_is_not_read_again(frontier: Frontier) -> None:
    assert frontier.take([entry(), entry()], 100.0).new == 1
    for row in frontier.lease(100.0, 10, anybody):
        frontier.settle([done(row)])
    taken = frontier.take([entry(), entry(url="https://example.com/news/1?utm_source=rss#top")], 200.0)
    assert (taken.new, taken.changed, taken.known) == (0, 0, 2)
    other = entry(feed="https://example.com/all.xml", title="Headline 1 - Example")
    assert frontier.take([other], 200.0).known == 1
    assert frontier.lease(300.0, 10, anybody) == []


@pytest.mark.parametrize(
    "edited",
    [
        entry(title="Headline 1 (corrected)"),
        entry(updated=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        entry(body="Another summary"),
    ],
)
def test_an_entry_that_its_feed_edited_is_read_again_now(frontier: Frontier, edited: Entry) -> None:
    frontier.take([entry()], 100.0)
    frontier.settle([done(row, due=9_000.0) for row in frontier.lease(100.0, 10, anybody)])
    assert frontier.take([edited], 200.0).changed == 1
    (row,) = frontier.lease(200.0, 10, anybody)
    assert row.entry == edited
    assert row.memory is not None
    assert row.memory.content == "c"


def test_a_feed_that_counts_its_readers_does_not_have_the_page_read_for_ever(frontier: Frontier) -> None:
    frontier.take([entry()], 100.0)
    frontier.settle([done(row) for row in frontier.lease(100.0, 1, anybody)])
    readings = 0
    for views in range(60):
        readings += frontier.take([entry(body=f"Read {views} times")], 200.0 + views).changed
        frontier.settle([done(row) for row in frontier.lease(300.0, 1, anybody)])
    assert readings == module.MOST_REREADS


def test_a_feed_whose_headlines_change_at_every_poll_does_not_either(frontier: Frontier) -> None:
    frontier.take([entry()], 100.0)
    frontier.settle([done(row) for row in frontier.lease(100.0, 1, anybody)])
    readings = 0
    for clock in range(150):
        readings += frontier.take([entry(title=f"Headline 1 ({clock} minutes ago)")], 200.0 + clock).changed
        frontier.settle([done(row) for row in frontier.lease(500.0, 1, anybody)])
    assert readings == module.MOST_EDITS


def test_a_page_edited_while_it_is_read_is_read_once_more(frontier: Frontier) -> None:
    frontier.take([entry()], 100.0)
    (row,) = frontier.lease(100.0, 1, anybody)
    frontier.take([entry(title="Corrected")], 101.0)
    frontier.settle([done(row, due=9_000.0)])
    (again,) = frontier.lease(102.0, 1, anybody)
    assert again.entry.title == "Corrected"
    assert again.memory is not None
    frontier.settle([done(again, due=9_000.0)])
    assert frontier.lease(103.0, 1, anybody) == []
    assert frontier.next_due() == 9_000.0


def test_of_two_feeds_the_one_with_the_whole_text_is_kept_for_a_page_not_read_yet(frontier: Frontier) -> None:
    whole = entry(feed="https://example.com/full.xml", body="The whole text", partial=False)
    frontier.take([entry(), whole], 100.0)
    (row,) = frontier.lease(100.0, 9, anybody)
    assert row.entry == whole


def test_a_page_is_known_by_the_address_that_it_gave_itself(frontier: Frontier) -> None:
    frontier.take([entry(url="https://example.com/?p=1")], 100.0)
    (row,) = frontier.lease(100.0, 9, anybody)
    frontier.settle([done(row, memory=Memory(article="a", canonical="https://example.com/news/one", content="c"))])
    assert frontier.take([entry(url="https://example.com/news/one")], 200.0).known == 1
    (other,) = _lease_after(frontier, entry(2))
    assert frontier.twin("https://example.com/news/one", other) is not None
    assert frontier.twin("https://example.com/news/two", other) is None


def _lease_after(frontier: Frontier, taken: Entry) -> list[Row]:
    frontier.take([taken], 200.0)
    return frontier.lease(200.0, 9, anybody)


def test_hosts_take_turns_however_many_pages_one_of_them_has(frontier: Frontier) -> None:
    frontier.take([entry(n, "big.example") for n in range(500)], 100.0)
    frontier.take([entry(n, f"small{n}.example") for n in range(5)], 101.0)
    first = frontier.lease(200.0, 6, one_each)
    assert sorted({row.host for row in first}) == ["big.example", *(f"small{n}.example" for n in range(5))]
    hosts = []
    while rows := frontier.lease(200.0, 1, anybody):
        hosts += [row.host for row in rows]
        frontier.settle([done(row) for row in rows])
    assert len(hosts) == 499


def test_news_goes_before_the_old_pages_of_a_sitemap_but_not_for_ever(frontier: Frontier) -> None:
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()

    def published(number: int, days: float, since: float) -> Entry:
        when = dt.datetime.fromtimestamp(since - days * 86_400, dt.UTC)
        return entry(number, published=when.replace(microsecond=0))

    frontier.take([published(n, 30.0, now) for n in range(50)], now)
    frontier.take(
        [published(100, 0.01, now + 60), published(101, 0.5, now + 60), published(102, 0.0, now + 60)], now + 60
    )
    first = frontier.lease(now + 60, 4, anybody)
    assert [row.key.rpartition("/")[2] for row in first] == ["102", "100", "101", "0"]
    tomorrow = now + 25 * 3_600
    frontier.take([published(200, 0.0, tomorrow)], tomorrow)
    (oldest,) = frontier.lease(tomorrow, 1, anybody)
    assert oldest.key.endswith("/1")


def test_a_host_that_may_not_be_asked_does_not_hold_up_the_others(frontier: Frontier) -> None:
    frontier.take([entry(n, f"h{n}.example") for n in range(20)], 100.0)
    rows = frontier.lease(100.0, 20, lambda host, busy: host in ("h7.example", "h19.example"))
    assert {row.host for row in rows} == {"h7.example", "h19.example"}
    assert len(frontier.lease(100.0, 20, anybody)) == 18


def test_a_page_held_for_another_try_comes_at_its_time(frontier: Frontier) -> None:
    frontier.take([entry()], 100.0)
    (row,) = frontier.lease(100.0, 1, anybody)
    frontier.settle([done(row, state="held", due=400.0, tries=1, why="timeout")])
    assert frontier.lease(399.0, 1, anybody) == []
    assert frontier.next_due() == 400.0
    (again,) = frontier.lease(400.0, 1, anybody)
    assert again.tries == 1


def test_the_memory_of_a_page_goes_when_its_time_is_over(frontier: Frontier) -> None:
    frontier.take([entry(1), entry(2)], 100.0)
    one, two = frontier.lease(100.0, 2, anybody)
    frontier.settle([done(one, forget=500.0), done(two, due=9_000.0, forget=500.0)])
    assert frontier.expire(499.0) == 0
    assert frontier.expire(501.0) == 1
    assert frontier.take([entry(1), entry(2)], 600.0).new == 1


def test_entries_without_an_address_of_their_own_are_pages_of_their_own() -> None:
    front = [entry(n, url="https://example.com/", source_id=None) for n in range(3)]
    assert len({key_of(one) for one in front}) == 3
    assert all(address_of(one) is None for one in front)
    when = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    reused = [entry(n, url=None, source_id="same", published=when + dt.timedelta(days=n)) for n in range(2)]
    assert len({key_of(one) for one in reused}) == 2
    edited = [entry(n, url=None, source_id="same", published=when) for n in range(2)]
    assert len({key_of(one) for one in edited}) == 1


def test_an_amp_cache_is_not_asked_but_the_page_in_it() -> None:
    cached = entry(url="https://www-example-com.cdn.ampproject.org/c/s/www.example.com/news/1")
    assert address_of(cached) == "https://www.example.com/news/1"
    mobile = entry(url="https://m.example.com/news/1?utm_source=rss")
    assert address_of(mobile) == "https://m.example.com/news/1?utm_source=rss"
    assert key_of(mobile) == "https://www.example.com/news/1"


def test_an_entry_without_utf8_form_is_handed_back_and_the_others_are_taken(frontier: Frontier) -> None:
    bad = entry(2, title="half a pair \ud800")
    taken = frontier.take([entry(1), bad, entry(3)], 100.0)
    assert taken.new == 2
    assert taken.refused == (bad,)


def test_the_status_tells_what_waits_and_where(path: Path, frontier: Frontier) -> None:
    assert read_status(path.with_name("none.sqlite")) is None
    frontier.take([entry(n, "big.example") for n in range(3)] + [entry(1)], 100.0)
    rows = frontier.lease(100.0, 2, anybody)
    frontier.settle([done(rows[0], due=500.0), done(rows[1], state="held", due=200.0)])
    seen = read_status(path)
    assert seen == frontier.status()
    assert seen is not None
    assert (seen.waiting, seen.held, seen.rechecks, seen.oldest) == (2, 1, 1, 100.0)
    assert sum(count for _, count in seen.hosts) == 3


@pytest.mark.parametrize("damage", ["foreign", "newer", "garbage", "torn"])
def test_a_file_that_cannot_be_used_is_named(path: Path, damage: str) -> None:
    if damage == "foreign":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE mine (x)")
    elif damage == "newer":
        Frontier(path).close()
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
    elif damage == "garbage":
        path.write_bytes(b"no database at all, but long enough to be one" * 100)
    else:
        made = Frontier(path)
        made.take([entry(n) for n in range(2_000)], 100.0)
        made.close()
        data = bytearray(path.read_bytes())
        data[8_192:] = b"\xff" * (len(data) - 8_192)
        path.write_bytes(bytes(data))
    with pytest.raises(StorageError, match=re.escape(FILE)):
        Frontier(path).take([entry(n) for n in range(2_000)], 200.0)


def test_memory_does_not_grow_with_the_pages_that_wait(frontier: Frontier) -> None:
    for start in range(0, 8_000, 2_000):
        frontier.take([entry(n, f"h{n % 7}.example") for n in range(start, start + 2_000)], 100.0)
    assert len(frontier._due) == 7
    assert len(frontier._later) < 100


@pytest.mark.parametrize("seed", range(8))
def test_no_page_is_ever_forgotten_by_the_turns_of_the_hosts(path: Path, seed: int) -> None:
    """Random takings, leases, refusals, failures and restarts: a page that is due is handed out in the end."""
    chance = random.Random(seed)
    frontier, now, in_hand = Frontier(path, synchronous="normal"), 100.0, list[Row]()
    for step in range(300):
        now += chance.choice((0.0, 1.0, 50.0))
        act = chance.random()
        if act < 0.3:
            some = [entry(chance.randrange(40), f"h{chance.randrange(6)}.example", title=f"{chance.randrange(3)}")]
            frontier.take(some, now)
        elif act < 0.6:
            forbidden = f"h{chance.randrange(6)}.example"
            in_hand += frontier.lease(now, 4, lambda host, busy, no=forbidden: host != no and busy < 3)
        elif act < 0.9 and in_hand:
            row = in_hand.pop(chance.randrange(len(in_hand)))
            if chance.random() < 0.2:
                frontier.release([row])
            else:
                state, due = chance.choice((("done", None), ("done", now + 70), ("held", now + 20)))
                frontier.settle([done(row, due=due, state=state)])
        elif step % 50 == 49:
            frontier, in_hand = Frontier(path, synchronous="normal"), []
    frontier.release(in_hand)
    with sqlite3.connect(path) as db:
        due = {row for (row,) in db.execute("SELECT id FROM page WHERE due IS NOT NULL")}
    handed = set()
    while rows := frontier.lease(1e9, 3, anybody):
        handed |= {row.id for row in rows}
        frontier.settle([done(row) for row in rows])
    assert handed == due
    assert not frontier.busy(2e9)


def test_a_file_that_another_program_holds_is_soon_given_back_to_wait_for(path: Path, frontier: Frontier) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        with pytest.raises(StoragePaused, match="another program"):
            frontier.take([entry()], 100.0)
        assert time.monotonic() - begin < 2
    assert frontier.take([entry()], 100.0).new == 1
