"""`rasd eval`: reading, errors with file and line, what is printed."""

from __future__ import annotations

import dataclasses
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline import wire
from pipeline.cli.eval import line_of, read_gold
from pipeline.records import Coding, Event, Evidence
from processors.evaluate.gold import GoldClaim, GoldDocument, GoldEvent, GoldPlace
from processors.evaluate.tables import ERRORS, SLOTS, TABLES
from tests.conftest import ROOT
from tests.pipeline.cli.kit import golden, rasd

TITLE, BODY = "غارة على الرقة", "قتل خمسة عناصر في غارة على الرقة."
TEXT = f"{TITLE}\n\n{BODY}"
QUOTE = "قتل خمسة عناصر في غارة على الرقة"


def gold(**changes: Any) -> list[dict[str, Any]]:
    """One document with one event that the record below does not tell in full."""
    item = {
        "id": "e1", "quote": QUOTE, "types": ["Air/drone strike"], "start": "2018-03-17", "end": "2018-03-17",
        "places": [{"names": ["الرقة"]}], "attacker": ["russia"], "target": [], "tolls": [],
    }  # fmt: skip
    return [{"doc": "mine", "published": "2018-03-17", "events": [item | changes], "tolls": []}]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """gold.json (without spans), records.jsonl, articles.jsonl."""
    start = TEXT.index(QUOTE)
    evidence = Evidence(start=start, end=start + len(QUOTE), quote=QUOTE)
    record = golden(
        Event, id="r-1", article_id="mine", evidence=(evidence,), sub_event_type="Air/drone strike", realis="reported",
        event_type="Explosions/Remote violence", casualties=(), places=(),
    )  # fmt: skip
    paths = tmp_path / "gold.json", tmp_path / "records.jsonl", tmp_path / "articles.jsonl"
    paths[0].write_text(json.dumps(gold(), indent=1), "utf-8")
    paths[1].write_bytes(wire.encode(record) + b"\n" + wire.encode(golden(Coding, article_id="mine")) + b"\n")
    paths[2].write_text(json.dumps({"id": "mine", "title": TITLE, "body": BODY}) + "\n", "utf-8")
    return paths


def test_the_tables_are_printed(files: tuple[Path, Path, Path]) -> None:
    got = rasd("eval", files[0], files[1], "--articles", files[2])
    assert (got.code, got.err) == (0, "")
    row = next(line.split() for line in got.lines if line.startswith("events_found"))
    assert row == ["events_found", "1.000", "1.00-1.00", "1.000", "1.000", "1", "0", "0", "1"]
    assert "spans           0 of 1 evidence spans differ from their quote" in got.lines
    assert "event-place" not in got.out


def test_errors_come_with_the_gold_s_words_and_the_record_s(files: tuple[Path, Path, Path]) -> None:
    got = rasd("eval", files[0], files[1], "--articles", files[2], "--errors")
    at = got.lines.index("event-place (1)")
    assert got.lines[at + 1 : at + 5] == [
        "  mine  e1",
        f"    gold: «{QUOTE}»",
        "    want: «الرقة»",
        "    said: nowhere",
    ]


def test_only_one_kind_if_asked(files: tuple[Path, Path, Path]) -> None:
    got = rasd("eval", files[0], files[1], "--articles", files[2], "--only", "event-p")
    assert "event-place (1)" in got.lines
    assert "event-attacker" not in got.out
    wrong = rasd("eval", files[0], files[1], "--only", "evnt")
    assert wrong.code == 2
    assert "no error begins with 'evnt'" in wrong.err


def test_json_holds_every_number_and_the_errors_if_asked(files: tuple[Path, Path, Path]) -> None:
    plain = json.loads(rasd("eval", *files[:2], "--articles", files[2], "--json").out)
    assert plain["events_found"]["f1"] == 1.0
    assert plain["ci95"]["events_found"] == [1.0, 1.0]
    assert plain["spans"] == {"of": 1, "bad": 0}
    assert "errors" not in plain
    full = json.loads(rasd("eval", *files[:2], "--articles", files[2], "--json", "--errors").out)
    assert {e["kind"] for e in full["errors"]} >= {"event-place", "event-attacker"}


def test_records_come_from_standard_input_or_compressed(files: tuple[Path, Path, Path]) -> None:
    whole = rasd("eval", *files[:2], "--articles", files[2]).out
    piped = rasd("eval", files[0], "-", "--articles", files[2], stdin=files[1].read_bytes())
    assert piped.out == whole
    packed = files[1].with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(files[1].read_bytes()))
    assert rasd("eval", files[0], packed, "--articles", files[2]).out == whole


def test_words_of_the_news_do_not_command_a_terminal(files: tuple[Path, Path, Path]) -> None:
    evil = gold(quote="\x1b[2J\u202eغارة", span=[400, 440], id="e\x07")
    files[0].write_text(json.dumps(evil), "utf-8")
    got = rasd("eval", *files[:2], "--errors")
    assert "\\x1b[2J\\u202e" in got.out
    assert not set("\x1b\u202e\x07") & set(got.out + got.err)


# -- what is wrong with a file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "line", "what"),
    [
        ({"start": "17.3.2018"}, 12, "[0].events[0].start: Invalid RFC3339 encoded date"),
        ({"start": "2018-03-18"}, 12, "[0].events[0].start: start 2018-03-18 is after end 2018-03-17"),
        ({"types": []}, 9, "[0].events[0].types: no type: name at least one"),
        ({"places": [{"names": "الرقة"}]}, 16, "[0].events[0].places[0].names: Expected `array`, got `str`"),
        ({"recap": "no"}, None, "[0].events[0].recap: Expected `bool`, got `str`"),
        ({"span": [5, 5]}, None, "[0].events[0].span: span [5, 5] holds no text"),
        ({"quote": "ليس هنا"}, 6, "[0].events[0]: no span, and no article whose text holds the quote"),
    ],
)
def test_a_gold_that_cannot_be_scored_is_told_with_its_line(
    files: tuple[Path, Path, Path], changes: dict[str, Any], line: int | None, what: str
) -> None:
    files[0].write_text(json.dumps(gold(**changes), indent=1), "utf-8")
    got = rasd("eval", *files[:2], "--articles", files[2])
    assert (got.code, got.out) == (1, "")
    assert f"error: {files[0]}:{line or ''}" in got.err
    assert what in got.err


def test_a_missing_field_is_told_where_its_item_begins(files: tuple[Path, Path, Path]) -> None:
    broken = gold()
    del broken[0]["events"][0]["types"]
    files[0].write_text(json.dumps(broken, indent=1), "utf-8")
    got = rasd("eval", *files[:2])
    assert f"{files[0]}:6: [0].events[0]: Object missing required field `types`" in got.err


@pytest.mark.parametrize(
    ("raw", "line", "what"),
    [
        (b'[\n {"doc": "a",\n  "events": [}\n]', 3, "not JSON: Expecting value (column 14)"),
        (b'[\n "\xff"]', 2, "not UTF-8 (byte 4)"),
        (b'{"doc": "a"}', 1, "Expected `array`, got `object`"),
    ],
)
def test_a_gold_that_is_no_json_list_is_told_with_its_line(
    files: tuple[Path, Path, Path], raw: bytes, line: int, what: str
) -> None:
    files[0].write_bytes(raw)
    got = rasd("eval", *files[:2])
    assert got.code == 1
    assert f"{files[0]}:{line}: {what}" in got.err


def test_doubts_about_a_gold_are_warnings(files: tuple[Path, Path, Path]) -> None:
    files[0].write_text(json.dumps(gold(types=["Air strike"], span=[0, 4]), indent=1), "utf-8")
    got = rasd("eval", *files[:2], "--articles", files[2])
    assert got.code == 0
    assert f"warning: {files[0]}:9: [0].events[0].types: no record can have the type 'Air strike'" in got.err
    assert "the quote is not what stands at its span" in got.err


@pytest.mark.parametrize("which", [1, 2])
def test_a_broken_line_is_told_with_its_number(files: tuple[Path, Path, Path], which: int) -> None:
    with files[which].open("ab") as f:
        f.write(b"\n{oops\n")
    got = rasd("eval", *files[:2], "--articles", files[2])
    assert got.code == 1
    assert f"{files[which]}:{4 if which == 1 else 3}: " in got.err


def test_records_of_other_articles_are_told(files: tuple[Path, Path, Path]) -> None:
    stray = wire.encode(golden(Event, article_id="stray")) + b"\n"
    got = rasd("eval", files[0], "-", "--articles", files[2], stdin=stray)
    assert (got.code, "no record is of an article that the gold has" in got.err) == (0, True)
    got = rasd("eval", files[0], "-", "--articles", files[2], stdin=files[1].read_bytes() + stray)
    assert "1 of 2 articles with records are not in the gold" in got.err


def test_a_file_that_is_not_there_is_told(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    got = rasd("eval", tmp_path / "none.json", files[1])
    assert (got.code, "none.json" in got.err) == (1, True)


def test_a_path_into_json_leads_to_its_line() -> None:
    text = '[\n {"a\\"]": 1,\n  "b": [10,\n   {"c": "x]}"}]},\n 3]'
    assert [line_of(text, path) for path in ((), (0,), (0, "b"), (0, "b", 1), (0, "b", 1, "c"), (1,))] == [
        1, 2, 3, 4, 4, 5,
    ]  # fmt: skip
    assert line_of(text, (0, "b", 1, "missing", 4)) == 4


# -- docs/evaluating.md ------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "evaluating.md").read_text("utf-8")


def test_the_example_of_the_page_is_a_gold(tmp_path: Path) -> None:
    path = tmp_path / "gold.json"
    path.write_text(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0], "utf-8")
    text = "Coalition jets struck a fighters' camp near Raqqa, killing at least five fighters."
    document = read_gold(path, {"report-1": text})[0]
    assert (document.events[0].span, document.tolls[0].span) == ((0, 49), (51, 81))


def test_the_page_names_every_field_table_slot_and_error() -> None:
    fields = [f.name for kind in (GoldDocument, GoldEvent, GoldClaim, GoldPlace) for f in dataclasses.fields(kind)]
    assert [name for name in (*fields, *TABLES, *SLOTS) if not re.search(rf"[`{{ ]{name}[`,}}]", PAGE)] == []
    assert [kind for kind, what in ERRORS.items() if f"| `{kind}` | {what} |" not in PAGE] == []
