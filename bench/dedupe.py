"""Measure deduplication: what it recognises of edited copies, what it keeps apart, and how fast.

    python -m bench.dedupe pairs CORPUS.jsonl.gz [--bases N] [--seed N] [--hours H] [--undated] [--one-outlet]
    python -m bench.dedupe corpus CORPUS.jsonl.gz [--sample N --write FILE]
    python -m bench.dedupe speed CORPUS.jsonl.gz --articles N
    python -m bench.dedupe footer CORPUS.jsonl.gz

pairs: corpus articles as a background, others edited by program (bench/edits.py), each base right before its edit under
another address; recall by edit, and pairs of one series or of one category and day that must stay apart.
corpus: the whole corpus in its order; counts of verdicts, and a random sample of the pairs told as one story.
speed: synthetic growth: articles made of corpus sentences until the window holds N; rates, latency, memory, rebuild.
footer: 10,000 articles with one footer of 300 words beside as many with footers of their own.
CORPUS: rows `{id, url, outlet, category, title, published, author, text}` (ANT corpus v2.1).
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import gzip
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil

from bench.edits import BULLETINS, EDITS, Text, bulletin, merged
from pipeline import ids
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Archived, Article, Verdict
from pipeline.runtimes.turns import Overlay
from processors.dedupe.marks import marks_of
from processors.dedupe.seen import Fingerprint, Revision, Seen, indexed_bytes, stored_form
from processors.dedupe.step import compared, dedupe, text_hash

BACKGROUND, LONG_ENOUGH = 3_000, 60
TOLD = ("exact_duplicate", "near_duplicate", "syndicated", "revision")


class Run:
    """The step with its state, as a runtime keeps it, but in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.seen = Seen(self.stored)

    def see(self, article: Article) -> Verdict | None:
        outcome = dedupe(article, self.seen)
        self.stored.update(outcome.changes)
        self.seen.apply(outcome.changes)
        return next((r for r in outcome.outputs if isinstance(r, Verdict)), None)


def rows(corpus: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(corpus, "rt", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            if (row["text"] or "").strip():
                yield row


def article(text: Text, url: str, published: dt.datetime | None, *, at: int = 0, **given: Any) -> Article:
    content = ids.content_hash(text.title, text.body)
    return Article(
        id=ids.article_id(url, content), url=url, canonical_url=url, language="ar", title=text.title, body=text.body,
        published=published, content_hash=content, archive=Archived(file="bench", offset=at), **given,
    )  # fmt: skip


def of_row(row: dict[str, Any], at: int = 0) -> Article:
    published = dt.datetime.fromisoformat(row["published"]) if row["published"] else None
    if published is not None and published.tzinfo is None:
        published = published.replace(tzinfo=dt.UTC)
    text = Text(row["title"] or "", row["text"])
    return article(text, row["url"], published, at=at, outlet=row["outlet"], author=row.get("author"))


def pairs(corpus: Path, bases: int, seed: int, hours: float | None, undated: bool, one_outlet: bool) -> None:
    """hours: between a text and its edit, 0.2 to 8 at random where None. one_outlet: edits keep outlet and host."""
    rng = random.Random(seed)
    every = [r for r in rows(corpus) if len(r["text"].split()) >= LONG_ENOUGH]
    rng.shuffle(every)
    run = Run()
    for row in sorted(every[:BACKGROUND], key=lambda r: r["published"] or ""):
        run.see(of_row(row))
    fresh = every[BACKGROUND:]
    hits: Counter[str] = Counter()
    verdicts: Counter[tuple[str, str]] = Counter()
    done: Counter[str] = Counter()
    for k, row in enumerate(fresh[:bases]):
        base = of_row(row, k)
        if undated:
            base = dataclasses.replace(base, published=None)
        first = run.see(base)
        if first is None or first.verdict != "unique":
            continue
        text = Text(base.title or "", base.body)
        other = fresh[(bases + k) % len(fresh)]
        named = {name: edit(text, rng) for name, edit in EDITS.items()}
        named["merged with another story"] = merged(text, Text(other["title"] or "", other["text"]), rng)
        for name, edited in named.items():
            if edited == text:
                continue
            # each edit meets its base, not another edit of it: the state goes back after every one
            later = dt.timedelta(hours=rng.uniform(0.2, 8) if hours is None else hours)
            url = f"{row['url'] if one_outlet else 'https://copy.example/'}?{k}={name.replace(' ', '-')}"
            outlet = base.outlet if one_outlet else None
            verdict = _judged(run, article(edited, url, base.published and base.published + later, outlet=outlet))
            done[name] += 1
            hits[name] += verdict.verdict in TOLD and verdict.cluster == first.cluster
            verdicts[name, verdict.verdict] += 1
    print(f"{bases} bases over {BACKGROUND:,} other articles, seed {seed}")
    for name in done:
        told = ", ".join(f"{v} {n}" for (e, v), n in sorted(verdicts.items()) if e == name)
        print(f"  {name:28} {hits[name] / done[name]:.3f}  of {done[name]:5}  ({told})")
    print(f"  {'all':28} {hits.total() / done.total():.3f}  of {done.total():5}")
    _apart(every, rng)


def _judged(run: Run, read: Article) -> Verdict:
    """The verdict, without keeping it."""
    outcome = dedupe(read, run.seen)
    return next(r for r in outcome.outputs if isinstance(r, Verdict))


def _apart(every: list[dict[str, Any]], rng: random.Random) -> None:
    start = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    wrong: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for t, template in enumerate(BULLETINS):
        for dated in (True, False):
            for series in range(20):
                run = Run()
                for day in range(4):
                    when = start + dt.timedelta(days=day, minutes=rng.randint(0, 90)) if dated else None
                    url = f"https://bulletin.example/{t}/{series}/{day}"
                    verdict = run.see(article(bulletin(template, day, rng), url, when))
                    if day:
                        name = "bulletins of a series, " + ("dated" if dated else "undated")
                        done[name] += 1
                        wrong[name] += verdict is None or verdict.verdict in TOLD
    for name in done:
        print(f"  {name:28} {1 - wrong[name] / done[name]:.3f}  apart of {done[name]}")


def corpus_run(path: Path, sample: int, write: Path | None, seed: int) -> None:
    run, counts, told = Run(), Counter[str](), []
    texts: dict[str, tuple[str, int]] = {}
    started = time.perf_counter()
    for at, row in enumerate(rows(path)):
        read = of_row(row, at)
        verdict = run.see(read)
        name = verdict.verdict if verdict else "known (same text, same address)"
        counts[name] += 1
        texts.setdefault(read.id, (row["id"], at))
        if verdict and verdict.reused and verdict.verdict == "unique":
            counts["unique, with passages of older stories"] += 1
        if verdict and verdict.verdict in ("near_duplicate", "syndicated"):
            told.append((row["id"], texts[verdict.of or ""][0], verdict))
        counts["cluster merges"] += len(verdict.merges) if verdict else 0
    seconds = time.perf_counter() - started
    print(f"{at + 1:,} articles in {seconds:.1f} s")
    for name, n in counts.most_common():
        print(f"  {n:6,}  {name}")
    if write is not None:
        picked = random.Random(seed).sample(told, min(sample, len(told)))
        lines = [
            {"new": a, "old": b, "verdict": v.verdict, "contained": v.contained, "contains": v.contains}
            for a, b, v in picked
        ]
        write.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def grown(every: list[dict[str, Any]], count: int, rng: random.Random, first: int = 0) -> Iterator[tuple[Text, str]]:
    """`count` texts with the words and lengths of the corpus, each with its address.

    Words stand in pairs put in another order, so that texts made of one row share nothing. Every third text ends with
    one of 5,000 corpus sentences of at least 15 words, as with background; one in 25 is an edited copy of a text
    shortly before it.
    """
    sentences = [s for row in every[:8_000] for s in row["text"].split(".") if len(s.split()) >= 15][:5_000]
    recent: list[Text] = []
    edits = list(EDITS.values())
    for k in range(first, first + count):
        if recent and rng.random() < 0.04:
            yield rng.choice(edits)(rng.choice(recent), rng), f"https://copy.example/{k}"
            continue
        row = every[k % len(every)]
        words = row["text"].split()
        pairs = [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
        rng.shuffle(pairs)
        body = " ".join(pairs)
        text = Text(row["title"] or "", f"{body}. {rng.choice(sentences)}" if k % 3 == 0 else body)
        recent = [*recent[-199:], text]
        yield text, f"https://grown.example/{k}"


def dated(texts: Iterator[tuple[Text, str]], start: dt.datetime, seconds: float) -> Iterator[Article]:
    for k, (text, url) in enumerate(texts):
        yield article(text, url, start + dt.timedelta(seconds=k * seconds), at=k)


def speed(corpus: Path, articles: int) -> None:
    """A window of `articles` texts in a log's state table on disk: rebuild, memory, and 20,000 articles more."""
    rng = random.Random(5)
    every = list(rows(corpus))
    rng.shuffle(every)
    start = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    gap = 25 * 86_400 / (articles + 20_000)  # all within the window
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder, "log.sqlite"), synchronous="OFF")
        _fill(log, dated(grown(every, articles, rng), start, gap))
        before = _resident()
        begun = time.perf_counter()
        state = Overlay(log.state("dedupe"))
        seen = Seen(state)
        rebuild = time.perf_counter() - begun
        held = _resident() - before
        more = list(dated(grown(every, 20_000, rng, articles), start + dt.timedelta(seconds=gap * articles), gap))
        took = _timed(seen, state, more, log)
        size = Path(folder, "log.sqlite").stat().st_size
    print(f"window of {articles:,} articles")
    print(
        f"  rebuild {rebuild:.1f} s; bytes an article: {held / articles:.0f} in memory, {size / articles:.0f} on disk"
    )
    _rates(took)


def _fill(log: SqliteLog, articles: Iterator[Article]) -> None:
    """State as if `articles` had all been judged unique: what takes long is left out, what is kept is the same."""
    changes: dict[str, bytes] = {}
    for number, read in enumerate(articles):
        words = compared(read)
        verdict = Verdict(article_id=read.id, revision=1, verdict="unique", cluster=read.id)
        seconds = int(read.published.timestamp()) if read.published else 0
        revision = Revision(
            content_hash=read.content_hash, text_hash=text_hash(read.title, read.body), first=True, verdict=verdict,
            number=number, time=seconds, published=seconds, **indexed_bytes(words, marks_of(words.numbers)[0]),
        )  # fmt: skip
        changes[read.id] = stored_form(Fingerprint(revisions=(revision,), observations=(b"\0" * 8,)))
        if len(changes) >= 5_000:
            _write(log, changes)
    _write(log, changes)


def _write(log: SqliteLog, changes: dict[str, bytes]) -> None:
    with log.transaction():
        log.change("dedupe", changes)
    changes.clear()


def _timed(seen: Seen, state: Overlay, articles: list[Article], log: SqliteLog) -> list[float]:
    """Seconds of the processor that step and view take for each article; the state is written in batches beside the
    clock, as the runtime does."""
    out = []
    for read in articles:
        begun = time.process_time()
        outcome = dedupe(read, seen)
        state.put(outcome.changes)
        seen.apply(outcome.changes)
        out.append(time.process_time() - begun)
        if len(state.changes) >= 256:
            _write(log, state.changes)
    return out


def _rates(took: list[float]) -> None:
    ranked = sorted(took)
    parts = [len(took) // 5 / sum(took[i : i + len(took) // 5]) for i in range(0, len(took) - 4, len(took) // 5)]
    print(f"  {len(took) / sum(took):,.0f} articles/s, median of five parts {statistics.median(parts):,.0f}/s;"
          f" p50 {ranked[len(ranked) // 2] * 1e3:.2f} ms, p99 {ranked[int(len(ranked) * 0.99)] * 1e3:.2f} ms,"
          f" slowest {ranked[-1] * 1e3:.1f} ms")  # fmt: skip


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def footer(corpus: Path) -> None:
    rng = random.Random(11)
    every = list(rows(corpus))
    vocabulary = sorted({w for row in every[:2000] for w in row["text"].split()})
    shared = " ".join(rng.choice(vocabulary) for _ in range(300))
    texts = [text for text, url in grown(every, 10_000, rng) if "copy" not in url]
    start = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    rates = {}
    for name in ("own footers", "one footer", "own footers", "one footer"):
        ended = [
            Text(t.title, f"{t.body}\n{shared if name == 'one footer' else ' '.join(rng.choices(vocabulary, k=300))}")
            for t in texts
        ]
        stored: dict[str, bytes] = {}
        seen = Seen(stored)
        told: Counter[str] = Counter()
        seconds = 0.0
        for read in dated(((t, f"https://f.example/{k}") for k, t in enumerate(ended)), start, 60):
            begun = time.process_time()
            outcome = dedupe(read, seen)
            stored.update(outcome.changes)
            seen.apply(outcome.changes)
            seconds += time.process_time() - begun
            told.update(r.verdict for r in outcome.outputs if isinstance(r, Verdict))
        rates[name] = len(ended) / seconds
        print(f"  {name}: {rates[name]:,.0f} articles/s, {dict(told)}")
    print(f"  cost of the shared footer: {rates['own footers'] / rates['one footer']:.2f} times")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="what", required=True)
    for name in ("pairs", "corpus", "speed", "footer"):
        s = sub.add_parser(name)
        s.add_argument("corpus", type=Path)
        s.add_argument("--seed", type=int, default=1)
        if name == "pairs":
            s.add_argument("--bases", type=int, default=400)
            s.add_argument("--hours", type=float)
            s.add_argument("--undated", action="store_true")
            s.add_argument("--one-outlet", action="store_true")
        if name == "corpus":
            s.add_argument("--sample", type=int, default=200)
            s.add_argument("--write", type=Path)
        if name == "speed":
            s.add_argument("--articles", type=int, default=100_000)
    a = p.parse_args()
    if a.what == "pairs":
        pairs(a.corpus, a.bases, a.seed, a.hours, a.undated, a.one_outlet)
    elif a.what == "corpus":
        corpus_run(a.corpus, a.sample, a.write, a.seed)
    elif a.what == "speed":
        speed(a.corpus, a.articles)
    else:
        footer(a.corpus)


if __name__ == "__main__":
    sys.exit(main())
