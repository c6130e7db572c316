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


def score(shared: Path, gold: str, articles: str, tmp_path: Path) -> dict[str, Any]:
    """What the scorer says of `rasd extract` over a file of gold articles."""
    read = shared / "eval" / articles
    done = rasd("extract", read)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "records.jsonl"
    out.write_text(done.stdout, encoding="utf-8")
    command = [
        sys.executable,
        shared / "eval" / "score.py",
        shared / "eval" / gold,
        out,
        "--json",
        f"--articles={read}",
    ]
    scored = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(scored.stdout)
    return result


def test_the_seeds_give_their_main_claims_and_no_running_total_leaks(shared: Path, tmp_path: Path) -> None:
    result = score(shared, "gold_seeds.json", "seeds.articles.jsonl", tmp_path)
    assert result["claims_found"]["f1"] >= 0.80
    assert result["spans"]["bad"] == 0
    assert result["leaks"]["leaked"] == 0


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
