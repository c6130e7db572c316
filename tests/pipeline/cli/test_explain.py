"""`rasd explain`: the words and rules behind an event."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from connectors.sinks.sqlite import SqliteSink
from pipeline import wire
from pipeline.cli import explain as command
from pipeline.cli.pretty import Style
from pipeline.records import Article, Coding, Event, Toll, Unique, Why
from tests.pipeline.cli.kit import golden, rasd, small_log

EVENT = golden(Event).id


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return small_log(tmp_path / "data")


def with_sink(data: Path) -> Path:
    sink = SqliteSink(data)
    sink.resume({})
    for kind in (Unique, Event, Toll, Coding):
        record = golden(kind)
        sink.write(record, wire.encode(record))
    sink.flush()
    sink.close()
    return data


def test_piped_it_marks_the_words_with_brackets(data: Path) -> None:
    got = rasd("explain", EVENT, data=data)
    assert got.code == 0
    assert "[attacker: قوات التحالف]" in got.out
    assert "[date: يوم الثلاثاء]" in got.out
    assert "[claim 1: مقتل خمسة عناصر على الأقل من ][target, side 1, claim 1: تنظيم الدولة]" in got.out.replace(
        "[target, claim 1, side 1:", "[target, side 1, claim 1:"
    )
    assert "{[type: غارة جوية] نفذتها " in got.out
    assert "  date            weekday-past at" in got.out
    assert "«يوم الثلاثاء»" in got.out
    assert "killed at least 5 (combatant) of تنظيم الدولة (isis)" in got.out
    assert "read by rules 1 5f2b9c0d1e7a4836" in got.out
    assert "\x1b" not in got.out


def test_the_marked_text_is_the_text_when_the_marks_are_taken_out(data: Path) -> None:
    import re

    out = rasd("explain", EVENT, data=data).out
    text = golden(Unique).article.text
    marked = out[: out.index("2017-05-16  Air/drone strike")].rstrip("\n")
    assert re.sub(r"\[[a-z0-9, ]+: |[\[\]{}]", "", marked) == text


def test_in_colour_no_bracket_is_needed() -> None:
    text, event = golden(Unique).article.text, golden(Event)
    lines = "\n".join(command._marked(text, command.marks_of(event), Style(colour=True)))
    assert "\x1b[4;33mقوات التحالف\x1b[0m" in lines
    assert "[date" not in lines


@pytest.mark.parametrize("field", ["event", "event_type", "sub_event_type"])
def test_the_words_of_the_type_are_those_of_its_rules(field: str) -> None:
    event = golden(Event, why={field: (Why(rule="trigger:airstrike", span=(4, 8)),)})
    assert command.Mark("type", "type", (4, 8)) in command.marks_of(event)


def test_the_beginning_of_an_id_is_enough(data: Path) -> None:
    assert rasd("explain", EVENT[:6], data=data).out == rasd("explain", EVENT, data=data).out


def test_a_total_is_explained_too(data: Path) -> None:
    out = rasd("explain", golden(Toll).id, data=data).out
    assert "[period" in out
    assert "22 + 5 = 27" in out


def test_the_sqlite_output_and_the_log_tell_the_same(tmp_path: Path, data: Path) -> None:
    from_log = rasd("explain", EVENT, data=data).out
    only_sink = tmp_path / "sink"
    only_sink.mkdir()
    assert rasd("explain", EVENT, data=with_sink(only_sink)).out == from_log


def test_the_article_is_the_revision_that_the_event_was_read_from(tmp_path: Path) -> None:
    newer = golden(Unique, article=golden(Article, body="نص آخر"))
    newer = type(newer)(article=newer.article, verdict=type(newer.verdict)(**{**_fields(newer.verdict), "revision": 3}))
    data = small_log(tmp_path / "data", newer)
    assert "نص آخر" not in rasd("explain", EVENT, data=data).out


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]


def test_json_holds_record_text_and_marks(data: Path) -> None:
    tree = orjson.loads(rasd("explain", EVENT, "--json", data=data).out)
    assert tree["record"]["id"] == EVENT
    assert tree["text"] == golden(Unique).article.text
    for mark in tree["marks"]:
        assert tree["text"][slice(*mark["span"])] == mark["quote"]
    assert {"date", "attacker", "target", "place", "claim 1", "source", "evidence"} <= {
        m["field"] for m in tree["marks"]
    }


def test_an_unknown_id_is_nothing_found(data: Path) -> None:
    got = rasd("explain", "ffff", data=data)
    assert (got.code, got.out, got.err) == (3, "", "error: no event or total 'ffff'\n")


def test_a_beginning_that_fits_two_is_an_error(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data", golden(Event, id="43bc0000"))
    got = rasd("explain", "43bc", data=data)
    assert got.code == 1
    assert "fits several ids: 43bc0000, 43bc1e76" in got.err


def test_without_its_text_the_event_is_still_explained(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data", golden(Event, id="e1", article_id="gone"))
    got = rasd("explain", "e1", data=data)
    assert got.code == 0
    assert got.out.startswith("(the article's text is no longer kept)\n")
