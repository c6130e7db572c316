"""Casualty claims that no frame or noun used to hold: each has an outcome, a side and a record."""

from __future__ import annotations

import pytest

from pipeline.records import Event
from processors.extract.step import load
from tests.builders import unique


def told(text: str) -> list[tuple[str, int | None, list[str]]]:
    """(outcome, count, sides) of every claim of the text's events."""
    outputs = load()(unique(text)).outputs
    events = [r for r in outputs if isinstance(r, Event)]
    return [(k.outcome, k.count, [s.id for s in k.group]) for e in events for k in e.casualties]


@pytest.mark.parametrize(
    "text",
    [
        "نفت الوزارة وقوع أي قتلى في غارة على دوما.",
        "لم تؤكد قيادة القوات وقوع أي إصابات أو قتلى لها في القتال قرب دوما.",
        "أسفرت الغارة عن مقتل وكذلك جرح العشرات منهم في دوما.",
    ],
)
def test_no_claim_lacks_an_outcome(text: str) -> None:
    assert all(outcome for outcome, _, _ in told(text))


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("قتل الجنود مهاجما عند حاجز في صنعاء.", ("killed", 1, ["unidentified_armed_group"])),
        ("قتل أحد عشر عسكريا في كمين قرب صنعاء.", ("killed", 11, ["yemen_gov"])),
        ("أفرجت حركة طالبان عن عشرة معتقلين في قندوز.", ("released", 10, ["prisoners"])),
        ("نزحت 300 عائلة من الحديدة هربا من المعارك.", ("displaced", 300, ["civilians"])),
        ("خسر الحوثيون عشرين بين قتيل وجريح في معارك الحديدة.", ("killed_or_injured", 20, ["houthis"])),
        ("أودت غارة على صعدة بحياة خمسة نازحين.", ("killed", 5, ["civilians"])),
    ],
)
def test_a_claim_is_held_with_its_side(text: str, claim: tuple[str, int, list[str]]) -> None:
    assert claim in told(text)


@pytest.mark.parametrize(
    "text", ["رجل يقتل شقيقه في القاهرة بسبب خلافات عائلية.", "إصابة ثلاثة لاعبين تربك حسابات المدرب."]
)
def test_crime_and_sport_hold_none(text: str) -> None:
    assert told(text) == []
