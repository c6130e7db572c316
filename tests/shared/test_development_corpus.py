"""On real articles: what the README says of them. Skipped, with a reason, where the development corpus is absent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import files, rasd, replayed, tables

pytestmark = pytest.mark.shared
ARTICLES = 1500


def extracted(shared: Path, articles: str, tmp_path: Path) -> Path:
    """What `rasd extract` says of a file of gold articles."""
    done = rasd("extract", shared / "eval" / articles)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "records.jsonl"
    out.write_text(done.stdout, encoding="utf-8")
    return out


def score(shared: Path, gold: str, articles: str, records: Path) -> dict[str, Any]:
    scorer, gold_file = shared / "eval" / "score.py", shared / "eval" / gold
    command = [sys.executable, scorer, gold_file, records, "--json", f"--articles={shared / 'eval' / articles}"]
    scored = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(scored.stdout)
    return result


def leaked_totals(gold: list[dict[str, Any]], records: list[dict[str, Any]]) -> list[str]:
    """Running totals of the gold whose number stands as an incident's in a fresh event."""
    fresh = [r for r in records if r["kind"] == "event" and r["realis"] == "reported"]
    found = []
    for document in gold:
        claims = [c for r in fresh if r["article_id"] == document["doc"] for c in r["casualties"]]
        for toll in document["tolls"]:
            if toll["scope"] != "cumulative" or toll.get("scope_any") or toll["count"] is None:
                continue
            start, end = toll["span"]
            if any(c["count"] == toll["count"] and c["span"][0] < end and start < c["span"][1] for c in claims):
                found.append(toll["id"])
    return found


def test_the_seeds_give_their_main_claims_and_no_running_total_leaks(shared: Path, tmp_path: Path) -> None:
    records = extracted(shared, "seeds.articles.jsonl", tmp_path)
    result = score(shared, "gold_seeds.json", "seeds.articles.jsonl", records)
    assert result["claims_found"]["f1"] >= 0.80
    assert result["spans"]["bad"] == 0
    gold = json.loads((shared / "eval" / "gold_seeds.json").read_text(encoding="utf-8"))
    assert sum(t["scope"] == "cumulative" for d in gold for t in d["tolls"]) > 15
    assert leaked_totals(gold, [json.loads(line) for line in records.open(encoding="utf-8")]) == []


def test_a_replay_of_real_articles_accounts_for_all_and_repeats_to_the_byte(shared: Path, tmp_path: Path) -> None:
    archive = shared / "corpus" / "ant-2018.jsonl.gz"
    limit = ("--limit", str(ARTICLES))
    first = replayed(tmp_path / "one", archive, *limit)
    ended = first["outputs"] + sum(first["duplicates"].values()) + sum(first["rejects"].values())
    assert first["read"] == ended == ARTICLES
    assert first["rejects"] == {}
    rows, lines = tables(tmp_path / "one"), files(tmp_path / "one")
    again = replayed(tmp_path / "one", archive, *limit)
    assert (again["outputs"], again["duplicates"]) == (0, {"known": ARTICLES})
    assert (tables(tmp_path / "one"), files(tmp_path / "one")) == (rows, lines)
    replayed(tmp_path / "two", archive, *limit, RASD_RUN_BATCH="37", RASD_RUN_PROCESSES="1")
    assert files(tmp_path / "two") == lines
