"""Pairs, names, sums, intervals, and faults of a gold."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Sequence

import pytest

from processors.evaluate.gold import Fault, faults, located
from processors.evaluate.names import same_name
from processors.evaluate.pairing import best_pairs
from processors.evaluate.report import as_json, by_kind, error_lines, lines
from processors.evaluate.scoring import score
from processors.evaluate.tables import ERRORS, Sheet, Tally, intervals, total
from tests.processors.evaluate.kit import DAY, claim, counted, document, event, scored, wanted


def best_sum(worth: Sequence[Sequence[float]]) -> float:
    """By trying everything."""
    rows, columns = len(worth), len(worth[0])
    seats = [*range(columns), *[-1] * rows]
    return max(
        sum(worth[r][c] for r, c in enumerate(p) if c >= 0) for p in set(itertools.permutations(seats, rows))
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_pairs_have_the_greatest_worth_that_there_is(seed: int) -> None:
    dice = random.Random(seed)
    rows, columns = dice.randint(1, 4), dice.randint(1, 4)
    worth = [[dice.choice((0, 0, 1, 2, 3, 100)) for _ in range(columns)] for _ in range(rows)]
    pairs = best_pairs(worth)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert all(worth[r][c] > 0 for r, c in pairs)
    assert sum(worth[r][c] for r, c in pairs) == best_sum(worth)


def test_nothing_pairs_with_nothing() -> None:
    assert best_pairs([]) == best_pairs([[], []]) == best_pairs([[0.0]]) == []


@pytest.mark.parametrize(
    ("gold", "said", "same"),
    [
        ("الرقة", "وبالرقه", True),
        ("الرَّقّة", "الرقة", True),
        ("إدلب", "ادلب", True),
        ("Al-Raqqa", "al raqqa", True),
        ("ريف دير الزور", "دير الزور", True),
        ("دير الزور", "ريف دير الزور الشرقي", True),
        ("حلب", "حلبجة", False),
        ("الباب", "باب", True),
        ("قم", "بقم", False),  # too short a word for a proclitic
        ("الرقة", "في مدينة الرقة التي شهدت قصفا", False),  # a sentence
        ("الرقة", None, False),
        ("الرقة", "،", False),
    ],
)
def test_names_are_the_same_as_whole_words(gold: str, said: str | None, same: bool) -> None:
    assert same_name(gold, said) is same


def test_precision_is_over_what_was_said_and_recall_over_what_is_required() -> None:
    tally = Tally(right=3, wrong=1, hit=1, missed=1)
    assert (tally.precision, tally.recall, tally.f1) == (0.75, 0.5, 0.6)
    assert (Tally().precision, Tally().recall) == (0.0, 1.0)
    assert (Tally(wrong=1).recall, Tally(right=1).recall) == (0.0, 1.0)


def test_sheets_add_up() -> None:
    gold = [document(wanted()), document(wanted(), counted(), doc="b")]
    sheets = score(gold, [event(), event(doc="b", casualties=(claim(),)), event(doc="unknown to the gold")])
    both = total(sheets)
    assert (both.documents, both.tables["events_found"].right, both.tables["claims_found"].right) == (2, 2, 1)
    assert len(both.judged) == 2


def test_intervals_are_the_middle_of_the_draws() -> None:
    gold = [document(wanted()), document(wanted(), doc="b")]
    sheets = score(gold, [event()])
    spread = intervals(sheets, [[0, 0]] * 4 + [[1, 1]] * 3 + [[0, 1]] * 93)
    assert spread["events_found"] == (0.0, 1.0)
    assert intervals(sheets, [[0, 1]] * 40)["events_found"] == (0.667, 0.667)
    assert intervals([], [])["events_found"] is None


def test_evidence_is_compared_with_the_text() -> None:
    sheet = scored(document(), event((0, 3), (3, 6)), texts={"a": "xxxyyy"})
    assert (sheet.quotes.part, sheet.quotes.of) == (1, 2)
    assert sheet.errors[0].kind == "quote"
    assert scored(document(), event((0, 9)), texts={"a": "xxx"}).quotes.part == 1
    assert scored(document(), event((0, 9)), texts={}).quotes.of == 0


# -- report ------------------------------------------------------------------------------------------------------------


def test_a_report_names_every_table_and_groups_errors_by_kind() -> None:
    sheet = scored(document(wanted(quote="غارة على الرقة"), counted()), event(places=()), event((300, 340)))
    said = "\n".join(lines(sheet, {}, quotes=False))
    assert all(name in said for name in sheet.tables)
    assert "date 1/1" in said
    assert "spans" not in said
    told = list(error_lines(sheet.errors, most=1))
    assert told[0].split()[:2] == ["1", "event-extra"]
    assert "    gold: «غارة على الرقة»" in told
    assert "    want: «الرقة»" in told
    assert "    said: nowhere" in told
    assert list(by_kind(sheet.errors)) == ["event-extra", "event-place", "claim-missed"]
    assert as_json(sheet, {}, quotes=True)["events_found"] == {
        "p": 0.5, "r": 1.0, "f1": 0.667, "tp": 1, "fp": 1, "fn": 0, "required": 1,
    }  # fmt: skip


def test_examples_are_limited_and_counted() -> None:
    sheet = scored(document(*(wanted(f"e{k}", (k * 50, k * 50 + 40)) for k in range(4))))
    told = list(error_lines(sheet.errors, most=2))
    assert "event-missed (4, the first 2)" in told
    assert sum(line.startswith("  a  e") for line in told) == 2
    assert sum(line.startswith("  a  e") for line in error_lines(sheet.errors, most=None)) == 4


def test_an_empty_sheet_has_a_report() -> None:
    assert "none" in "\n".join(lines(Sheet(), {}, quotes=True))
    assert all(ERRORS.values())


# -- faults of a gold --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "what", "fatal"),
    [
        (wanted(start=DAY + dt.timedelta(1)), "start 2018-03-18 is after end 2018-03-17", True),
        (wanted(types=()), "no type", True),
        (wanted(types=("Air strike",)), "no record can have the type 'Air strike'", False),
        (wanted(tolls=("t9",)), "no item 't9'", False),
        (wanted(mergeable_with="e9"), "no item 'e9'", False),
        (wanted(span=(9, 9)), "span [9, 9] holds no text", True),
        (wanted(span=None), "no span", True),
        (counted(outcome="dead"), "no record can have the outcome 'dead'", False),
        (counted(qualifier="~"), "no record can have the hedge '~'", False),
        (counted(part_of="t9"), "no item 't9'", False),
    ],
)
def test_a_fault_of_the_gold_is_told(item: object, what: str, fatal: bool) -> None:
    found = list(faults([document(item)]))  # type: ignore[arg-type]
    assert [(what in f.what, f.fatal) for f in found] == [(True, fatal)]


def test_ids_and_documents_stand_once() -> None:
    twice = document(wanted(), wanted())
    assert [f.path for f in faults([twice, document()])] == [(0, "events", 1, "id"), (1, "doc")]


def test_quotes_are_compared_with_the_articles() -> None:
    gold = [document(wanted(span=(0, 4), quote="غارة")), document(wanted(span=(0, 4), quote="قصف"), doc="b")]
    assert [f.what for f in faults(gold, {"a": "غارة", "b": "غارة"})] == ["the quote is not what stands at its span"]
    assert list(faults([document()], {})) == [Fault((0, "doc"), "no article 'a' among the articles", fatal=False)]


def test_a_quote_without_span_is_looked_up() -> None:
    gold = [document(wanted(span=None, quote="غارة"), counted(span=None, quote="خمسة"))]
    found = located(gold, {"a": "بعد غارة"})[0]
    assert (found.events[0].span, found.tolls[0].span) == ((4, 8), None)
