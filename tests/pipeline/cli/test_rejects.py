"""`rasd rejects`: each reject is seen, and goes back once."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors import feedreader
from pipeline import wire
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article, Entry, Reject, Unique
from pipeline.runtimes.turns import append_found
from tests.pipeline.cli.kit import golden, rasd, small_log

ROW = b'{"id": "7", "url": "https://sada-example.org/7", "title": "t", "body": "b", "published": "2017-05-17"}'


def reject(value: bytes, **changes: Any) -> Reject:
    return golden(Reject, value=base64.b64encode(value).decode(), **changes)


FROM_TOPIC = reject(
    wire.encode(golden(Unique)),
    stage="extract",
    reason="timeout",
    retryable=True,
    topic="rasd.unique",
    partition=0,
    offset=0,
    file=None,
    line=None,
    key="some-key",
)
LINE = reject(ROW, reason="bad-row")  # would be read today
CUT = reject(b"{", reason="too-large", truncated=True)
WHOLE_FILE = reject(b"<html>", reason="no-text", line=None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return small_log(tmp_path / "data", FROM_TOPIC, LINE, CUT, WHOLE_FILE)  # at 1 to 4; the golden one at 0


def messages(data: Path, topic: str) -> list[Any]:
    log = SqliteLog(data / "log.sqlite", readonly=True)
    found = list(log.scan(topic))
    log.close()
    return found


def test_list_counts_by_stage_and_reason(data: Path) -> None:
    lines = rasd("rejects", "list", data=data).lines
    assert lines[0].split() == ["STAGE", "REASON", "COUNT", "REDRIVEN", "AT", "FOR", "EXAMPLE"]
    assert [line.split()[:5] for line in lines[1:]] == [
        ["source", "bad-json", "1", "0", "0"],
        ["extract", "timeout", "1", "0", "1"],
        ["source", "bad-row", "1", "0", "2"],
        ["source", "too-large", "1", "0", "3"],
        ["source", "no-text", "1", "0", "4"],
    ]
    rows = orjson.loads(rasd("rejects", "list", "--stage", "extract", "--json", data=data).out)
    assert rows == [
        {
            "stage": "extract",
            "reason": "timeout",
            "count": 1,
            "redriven": 0,
            "retryable": True,
            "positions": ["1"],
        }
    ]
    assert len(rasd("rejects", "list", "--reason", "bad-json", data=data).lines) == 2


def test_no_rejects_is_said_on_stderr(data: Path) -> None:
    got = rasd("rejects", "list", "--reason", "none", data=data)
    assert (got.code, got.out, got.err) == (0, "", "no rejects\n")


def test_show_tells_all_and_escapes_the_bytes(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data", reject(b"\x1b[31m\xff\nnext", error="bad \x07 line"))
    got = rasd("rejects", "show", "1", data=data)
    assert got.code == 0
    assert "bad-json  at source" in got.out
    assert "error   bad \\x07 line" in got.out
    assert "at      sada-2017-05.jsonl:17" in got.out
    assert got.out.endswith("\\x1b[31m\\xff\nnext\n")
    tree = orjson.loads(rasd("rejects", "show", "1", "--json", data=data).out)
    assert tree["redriven"] is False
    assert tree["reject"]["line"] == 17


def test_what_is_not_there_is_nothing_found(data: Path) -> None:
    assert rasd("rejects", "show", "99", data=data).code == 3
    assert rasd("rejects", "redrive", "99", data=data).code == 3
    assert rasd("rejects", "show", "x", data=data).code == 2
    assert rasd("rejects", "show", "4096:0", data=data).code == 3


@pytest.mark.parametrize("at", ["9" * 30, f"{'9' * 30}:1", f"1:{'9' * 13}", ":1", "1:", "-1", "١٧", "²:1"])
def test_a_place_that_is_none_is_a_usage_error(data: Path, at: str) -> None:
    for words in ("show", "redrive"):
        got = rasd("rejects", words, "--", at, data=data)
        assert got.code == 2
        assert "is no offset such as 17 or 2:17" in got.err


def test_a_message_goes_back_to_its_topic_once(data: Path) -> None:
    first = rasd("rejects", "redrive", "1", data=data)
    assert (first.code, first.out) == (0, "1 redriven\n")
    again = rasd("rejects", "redrive", "1", data=data)
    assert (again.code, again.out) == (0, "0 redriven, 1 redriven before\n")
    found = messages(data, "rasd.unique")
    assert len(found) == 2
    assert (found[1].key, found[1].value) == ("some-key", wire.encode(golden(Unique)))
    assert "redriven" in rasd("rejects", "show", "1", data=data).out


def test_a_line_of_an_archive_is_read_again(data: Path) -> None:
    assert rasd("rejects", "redrive", "2", data=data).out == "1 redriven\n"
    message = messages(data, "rasd.articles")[1]
    article = wire.decode(Article, message.value)
    assert (article.title, article.body, article.source_id) == ("t", "b", "7")
    assert article.archive is not None
    assert (article.archive.file, article.archive.offset) == ("sada-2017-05.jsonl", 40960)
    assert message.time == 1494979200000


def test_what_a_poll_rejected_is_left_to_the_next_poll(tmp_path: Path) -> None:
    feed = reject(b"<html>", stage=feedreader.STAGE, reason="bad-feed", line=None, truncated=True)
    data = small_log(tmp_path / "data", feed)
    got = rasd("rejects", "redrive", "1", data=data)
    assert got.out == "0 redriven, 1 cannot be redriven\n"
    assert "the feed is polled again when it is due" in got.err


def test_all_redrives_what_can_be_and_says_why_not_the_rest(data: Path) -> None:
    got = rasd("rejects", "redrive", "--all", data=data)
    assert (got.code, got.out) == (0, "2 redriven, 1 still unusable, 2 cannot be redriven\n")
    assert "0: still unusable: bad-json" in got.err
    assert "3: only the beginning of its bytes was kept (truncated)" in got.err
    assert "4: a whole file and no line of one" in got.err
    assert rasd("rejects", "redrive", "--all", data=data).out.startswith("0 redriven, 2 redriven before")
    assert len(messages(data, "rasd.articles")) == 2


def test_naming_one_that_cannot_go_back_fails(data: Path) -> None:
    got = rasd("rejects", "redrive", "3", data=data)
    assert (got.code, got.out) == (1, "0 redriven, 1 cannot be redriven\n")
    assert got.err.startswith("error: 3: only the beginning")


def test_by_reason_and_with_other_field_names(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data", reject(b'{"headline": "h"}', reason="no-text"))
    assert "still unusable" in rasd("rejects", "redrive", "--reason", "no-text", data=data).out
    got = rasd("rejects", "redrive", "--reason", "no-text", "--field", "title=headline", data=data)
    assert got.out == "1 redriven\n"


def test_which_ones_must_be_said(data: Path) -> None:
    assert rasd("rejects", "redrive", data=data).code == 2
    assert rasd("rejects", "redrive", "1", "--all", data=data).code == 2


def test_a_topic_that_is_none_is_refused(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data", reject(b"x", topic="rasd.other", partition=0))
    assert "there is no topic 'rasd.other'" in rasd("rejects", "redrive", "1", data=data).err


def test_append_and_note_stand_or_fall_together(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteLog, "change", full)
        got = rasd("rejects", "redrive", "1", data=data)
    assert got.code == 1
    assert "No space left" in got.err
    assert len(messages(data, "rasd.unique")) == 1
    assert rasd("rejects", "redrive", "1", data=data).out == "1 redriven\n"


def test_an_entry_whose_page_fails_again_after_its_redrive_is_a_reject_again(tmp_path: Path) -> None:
    value = wire.encode(Entry(feed="https://a.example/rss", url="https://a.example/1"))
    refused = reject(value, stage="fetch", reason="paywall", topic="rasd.entries", file=None, line=None, offset=None)
    data = tmp_path / "data"
    log = SqliteLog(data / "log.sqlite")

    def found() -> int:
        with log.transaction():
            append_found(log, [(refused, wire.encode(refused))])
        return log.next_offset("rasd.rejects", 0)

    assert [found(), found()] == [1, 1]
    assert rasd("rejects", "redrive", "0", data=data).out == "1 redriven\n"
    assert [found(), found()] == [2, 2]
    assert rasd("rejects", "redrive", "1", data=data).out == "1 redriven\n"
    log.close()
