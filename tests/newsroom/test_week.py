"""Two days of twelve outlets in the live runtime; `--long-faults`: a week of sixty, as in bench/newsroom.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.newsroom.cast import Plan
from connectors.sources.archives import Archive, Options
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article
from pipeline.wire import decode, encode
from tests.newsroom.oracle import Oracle
from tests.newsroom.runs import undisturbed

SHORT, LONG = Plan(hosts=12, feeds=30, days=2.0, per_day=3.0), Plan()
#: In two days the first full readings, by which validators have to earn their trust, weigh more than in a week.
LEAST_304 = 0.95


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("week")


@pytest.fixture(scope="module")
def oracle(folder: Path, long_faults: bool) -> Oracle:
    return undisturbed(LONG if long_faults else SHORT, folder)


def test_every_revision_that_was_visible_at_a_poll_arrives(oracle: Oracle) -> None:
    announced, served = oracle.announced(), oracle.served()
    assert announced.numbers["revisions announced"] > 200
    assert announced.faults == []
    assert served.faults == []


def test_every_page_is_read_again_when_it_is_scheduled_and_what_stood_there_arrives(oracle: Oracle) -> None:
    found = oracle.rechecked()
    assert found.numbers["scheduled re-checks"] > 200
    assert found.faults == []


def test_a_revision_stands_once_in_the_store_and_nothing_else_does(oracle: Oracle) -> None:
    assert oracle.once().faults == []


def test_what_is_stored_is_what_the_outlet_wrote(oracle: Oracle) -> None:
    found = oracle.faithful()
    assert found.numbers["articles compared"] > 200
    assert found.faults == []


def test_every_story_that_a_readable_feed_named_is_stored(oracle: Oracle) -> None:
    assert oracle.caught().faults == []


def test_unchanged_feeds_answer_304(oracle: Oracle) -> None:
    found = oracle.unchanged()
    assert found.numbers["unchanged polls"] > 300
    assert found.numbers["share answered 304"] >= LEAST_304


def test_no_host_is_asked_faster_than_it_allows(oracle: Oracle) -> None:
    found = oracle.rates()
    assert found.numbers["answers 429"] > 0
    assert found.faults == []


def test_robots_are_obeyed(oracle: Oracle) -> None:
    found = oracle.robots()
    assert found.numbers["forbidden addresses asked for"] == 0
    assert found.faults == []


def test_feeds_are_polled_as_often_as_promised_and_recover(oracle: Oracle) -> None:
    recovered = oracle.recovered()
    assert recovered.numbers["mended"] >= 3
    assert recovered.faults == []
    assert oracle.polled().faults == []


def test_gone_feeds_are_left_alone_and_moved_ones_followed(oracle: Oracle) -> None:
    found = oracle.gone()
    assert found.numbers["gone feeds"] > 0
    assert found.numbers["moved feeds"] > 0
    assert found.faults == []


def test_the_archive_replays_to_the_bytes_of_every_article(oracle: Oracle, folder: Path) -> None:
    log = SqliteLog(folder / "data" / "log.sqlite", readonly=True)
    live = {message.value for message in log.scan("rasd.articles")}
    log.close()
    found = [one.record for one in Archive([folder / "data" / "archive"], Options()).read()]
    replayed = {encode(record) for record in found if isinstance(record, Article)}
    assert len(live) == len(oracle.store.articles) > 0
    assert live <= replayed
    known = {(article.id, article.content_hash) for article in (decode(Article, value) for value in live)}
    repeats = [decode(Article, value) for value in replayed - live]  # read again and unchanged: nothing went on live
    assert {(article.id, article.content_hash) for article in repeats} <= known
