"""The five seed reports and the corpus of real articles: what repeats what in them."""

from __future__ import annotations

import collections
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bench.dedupe import Run, article, of_row
from bench.edits import Text
from pipeline.records import Article, Verdict
from processors.dedupe.step import SHORT

pytestmark = pytest.mark.shared
ROWS = 8_000  # of the corpus; `python -m bench.dedupe corpus` counts all of it


def seed_articles(shared: Path) -> dict[str, Article]:
    out = {}
    for line in (shared / "eval" / "seeds.articles.jsonl").read_text("utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        published = of_row({**row, "text": row["body"]}).published
        out[row["id"]] = article(Text(row["title"] or "", row["body"]), f"https://seed.example/{row['id']}", published)
    return out


@pytest.mark.parametrize("order", [("000", "001", "002", "003", "004"), ("004", "003", "002", "001", "000")])
def test_of_the_seeds_only_two_share_passages_and_none_is_a_copy(shared: Path, order: tuple[str, ...]) -> None:
    seeds = seed_articles(shared)
    run = Run()
    verdicts = {name: run.see(seeds[name]) for name in order}
    assert {v.verdict for v in verdicts.values() if v} == {"unique"}
    reusing = {name for name, v in verdicts.items() if v and v.reused}
    assert reusing <= {"001"}


def test_both_long_passages_of_001_are_found_in_000_where_they_stand(shared: Path) -> None:
    seeds = seed_articles(shared)
    run = Run()
    run.see(seeds["000"])
    verdict = run.see(seeds["001"])
    assert isinstance(verdict, Verdict)
    text, old = seeds["001"].text, seeds["000"].text
    covered = sum(r.end - r.start for r in verdict.reused)
    assert {r.of for r in verdict.reused} == {seeds["000"].id}
    assert covered > 400
    for r in verdict.reused:
        # word for word but for a space that one of the two lacks
        ours, theirs = text[r.start : r.end], old[r.of_start : r.of_start + r.end - r.start]
        assert ours[:60] == theirs[:60]
    for first, last in (("لهجماته", "الشرقية والجنوبية"), ("حيث أن هذه الهجمات", "وفي صفوف")):
        start = text.index(first)
        end = text.index(last, start)
        assert any(r.start <= start and end < r.end for r in verdict.reused), first


@pytest.fixture(scope="module")
def judged(shared: Path) -> list[tuple[dict[str, Any], Article, Verdict | None]]:
    run, out = Run(), []
    with gzip.open(shared / "corpus" / "ant-2018.jsonl.gz", "rt", encoding="utf-8") as f:
        for at, line in zip(range(ROWS), f, strict=False):
            row = json.loads(line)
            if row["text"].strip():
                read = of_row(row, at)
                out.append((row, read, run.see(read)))
    return out


def test_every_text_that_stood_before_is_known(judged: list[tuple[dict[str, Any], Article, Verdict | None]]) -> None:
    seen: set[str] = set()
    repeats = 0
    for row, _, verdict in judged:
        if row["text"] in seen and len(row["text"].split()) >= SHORT:  # shorter ones are «all rights reserved» alone
            repeats += 1
            assert verdict is None or verdict.verdict in ("exact_duplicate", "revision"), row["id"]
        seen.add(row["text"])
    assert repeats > 150


def test_every_changed_text_under_a_known_address_is_a_revision(
    judged: list[tuple[dict[str, Any], Article, Verdict | None]],
) -> None:
    before: dict[str, str] = {}
    numbered: collections.Counter[str] = collections.Counter()
    for _, read, verdict in judged:
        known = before.get(read.id)
        if known is not None and known != read.content_hash:
            assert verdict is not None
            assert (verdict.verdict, verdict.revision) == ("revision", numbered[read.id] + 1)
        if verdict is not None:
            numbered[read.id] += 1
        before[read.id] = read.content_hash
    assert sum(n > 1 for n in numbered.values()) >= 5


def test_spans_lie_in_both_texts(judged: list[tuple[dict[str, Any], Article, Verdict | None]]) -> None:
    texts = {read.id: read.text for _, read, _ in judged}
    checked = 0
    for _, read, verdict in judged:
        for r in verdict.reused if verdict else ():
            checked += 1
            assert 0 <= r.start < r.end <= len(read.text)
            if verdict and verdict.verdict == "unique":
                assert 0 <= r.of_start < len(texts[r.of])
    assert checked > 300
