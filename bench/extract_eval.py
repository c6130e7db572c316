"""Extract an article file and, given the scorer, score it.

    python bench/extract_eval.py ARTICLES.jsonl OUT.jsonl [--score score.py --gold GOLD.json] [--errors]
    python bench/extract_eval.py CORPUS.jsonl.gz OUT.jsonl --draw 1 2 3

ARTICLES.jsonl: rows `{id, url, outlet, published, language, title, body}` (`text` is read as `body`). Prints articles
a second of processor time (one core, records out) and, with --score, what the scorer prints. --draw: of a corpus with
a `category`, that many random draws of articles that are not about war, and how many fresh events they give.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline import wire
from pipeline.ids import content_hash
from pipeline.records import Article, Event, Outcome, Unique, Verdict


def unique(row: dict[str, object]) -> Unique:
    """A row of an article file as extraction reads it; its id is kept."""
    body = str(row.get("body") or row.get("text") or "")
    title = str(row["title"]) if row.get("title") else None
    published = str(row["published"]) if row.get("published") else None
    when = dt.datetime.fromisoformat(published) if published else None
    if when is not None and when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    identity = str(row["id"])
    article = Article(
        id=identity, url=str(row.get("url") or "") or None, outlet=str(row.get("outlet") or "") or None,
        language=str(row.get("language") or "ar"), title=title, body=body, published=when,
        content_hash=content_hash(title, body),
    )  # fmt: skip
    return Unique(article=article, verdict=Verdict(article_id=identity, revision=1, verdict="unique"))


def rows(path: Path) -> Iterator[dict[str, object]]:
    """Rows of a JSONL file, gzip or plain."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as f:
        for line in f:
            if line.strip():
                yield json.loads(line)


PEACEFUL = ("culture", "economy", "sport", "technology")  # categories whose articles should give no fresh event
DRAWN = 1000  # articles of a draw


def false_alarms(
    corpus: Path, out: Path, seeds: Sequence[int], extract: Callable[[Unique], Outcome]
) -> Iterator[tuple[int, Counter[str]]]:
    """Per seed: fresh events by category among DRAWN random articles; the events of all draws go to `out`."""
    pool = [row for row in rows(corpus) if row.get("category") in PEACEFUL]
    with out.open("wb") as f:
        for seed in seeds:
            found: Counter[str] = Counter()
            for row in random.Random(seed).sample(pool, min(DRAWN, len(pool))):
                for record in extract(unique(row)).outputs:
                    if isinstance(record, Event) and record.realis == "reported":
                        found[str(row["category"])] += 1
                        f.write(wire.encode(record) + b"\n")
            yield seed, found


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("articles", type=Path)
    p.add_argument("out", type=Path)
    p.add_argument("--score", type=Path)
    p.add_argument("--gold", type=Path)
    p.add_argument("--errors", action="store_true")
    p.add_argument("--limit", type=int, default=0)
    p.add_argument("--draw", type=int, nargs="+", metavar="SEED", default=[])
    a = p.parse_args()
    begun = time.process_time()
    from processors.extract.step import load

    extract = load()
    loaded = time.process_time()
    if a.draw:
        for seed, found in false_alarms(a.articles, a.out, a.draw, extract):
            print(f"seed {seed}: {found.total()} fresh events in {DRAWN} articles {dict(sorted(found.items()))}")
        return
    n = records = 0
    spent = 0.0
    with a.out.open("wb") as out:
        for row in rows(a.articles):
            record = unique(row)
            start = time.process_time()
            lines = [wire.encode(r) for r in extract(record).outputs]
            spent += time.process_time() - start
            out.writelines(line + b"\n" for line in lines)
            n, records = n + 1, records + len(lines)
            if a.limit and n >= a.limit:
                break
    print(f"{n} articles, {records} records, {n / spent:.0f} articles/s of processor time; load {loaded - begun:.2f} s")
    if a.score and a.gold:
        command = [sys.executable, str(a.score), str(a.gold), str(a.out), f"--articles={a.articles}"]
        subprocess.run([*command, *(["--errors"] if a.errors else [])], check=True)


if __name__ == "__main__":
    main()
