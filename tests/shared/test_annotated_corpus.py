"""The annotated corpus articles: joined to their texts, and no worse than they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.ant import annotated, articles, digest, records
from pipeline.cli.eval import read_articles, read_gold, read_records
from processors.evaluate.scoring import score
from processors.evaluate.tables import total

pytestmark = pytest.mark.shared
FLOORS = {"claims_found": 0.93, "claims_exact": 0.87, "events_found": 0.80, "events_strict": 0.50, "recaps_found": 0.72}


def test_what_was_read_once_is_read_still(shared: Path, tmp_path: Path) -> None:
    documents = annotated(("dev",))
    rows = list(articles(shared / "corpus" / "ant-2018.jsonl.gz", documents))
    assert len(rows) == len(documents) >= 100
    gold, texts, said = (tmp_path / name for name in ("gold.json", "articles.jsonl", "records.jsonl"))
    gold.write_text(json.dumps(documents), encoding="utf-8")
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said.write_bytes(b"".join(line + b"\n" for line in records(rows)))
    read = read_articles(texts)
    sheet = total(score(read_gold(gold, read), read_records(str(said)), read))
    short = {name: round(sheet.tables[name].f1, 3) for name, floor in FLOORS.items() if sheet.tables[name].f1 < floor}
    assert short == {}
    assert sheet.quotes.part == 0


def test_an_article_of_another_version_is_refused(tmp_path: Path) -> None:
    document = annotated(("dev",))[0]
    row = {"id": document["doc"], "url": "", "outlet": "", "published": "", "title": None, "text": "نص آخر"}
    assert digest(row["title"], str(row["text"])) != document["text"]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=document["doc"]):
        list(articles(corpus, [document]))
