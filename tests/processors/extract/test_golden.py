"""Own sentences and everything that is read out of them: sentence in, records out (tests/golden/extract)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import wire
from processors.extract.step import load
from tests.processors.extract.reading import article, short

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "extract" / "sentences.jsonl"
ROWS = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[str(n) for n in range(1, len(ROWS) + 1)])
def test_a_sentence_yields_its_records(row: dict[str, Any]) -> None:
    outcome = load()(article(row["text"]))
    assert [short(r) for r in outcome.outputs] == row["records"]  # type: ignore[arg-type]


def test_there_are_enough_of_them() -> None:
    assert len(ROWS) >= 120


def test_every_span_quotes_the_text_to_the_letter() -> None:
    extract = load()
    for row in ROWS:
        for record in extract(article(row["text"])).outputs:
            check_spans(row["text"], json.loads(wire.encode(record)))


def check_spans(text: str, value: Any) -> None:
    """Every `text` beside a `span`, and every `quote` beside `start` and `end`, is what the article says there."""
    if isinstance(value, list):
        for item in value:
            check_spans(text, item)
    elif isinstance(value, dict):
        if value.get("span") and isinstance(value.get("text"), str):
            start, end = value["span"]
            assert text[start:end] == value["text"]
        if isinstance(value.get("quote"), str):
            assert text[value["start"] : value["end"]] == value["quote"]
        for item in value.values():
            check_spans(text, item)
