"""Replays an archive and measures what the README promises: rate, memory, repeatability, the slowest article.

    python -m bench.run [--archive FILE] [--limit N] [--json]

Without an archive it writes one of generated articles. Every number comes from the installed `rasd` command in
processes of its own; memory is the proportional set size (PSS) of the command and all its children together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from connectors.sources.archives import Archive, Options
from pipeline import wire
from pipeline.flow import FLOW, loaded, make, make_many
from pipeline.records import Article, Unique, Verdict
from tests.generate import lines

GENERATED = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__)
    parser.add_argument("--archive", type=Path, help="JSONL archive (else generated articles)")
    parser.add_argument("--limit", type=int, help="only the first N articles")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = given.archive or generated(Path(folder))
        figures = measure(archive, given.limit, Path(folder))
    if given.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(f"{name:<42} {value}")
    if not figures["all articles accounted for"] or not figures["other batch and processes: same bytes"]:
        sys.exit(1)


def generated(folder: Path) -> Path:
    path = folder / "generated.jsonl"
    path.write_bytes(b"\n".join(lines(GENERATED)) + b"\n")
    return path


def measure(archive: Path, limit: int | None, folder: Path) -> dict[str, Any]:
    more = ["--limit", str(limit)] if limit else []
    counts, peak = replay(archive, folder / "one", more)
    before = contents(folder / "one")
    again, _ = replay(archive, folder / "one", more)
    after = contents(folder / "one")
    other, _ = replay(archive, folder / "two", more, RASD_RUN_BATCH="61", RASD_RUN_PROCESSES="1", RASD_RUN_WINDOW="2")
    slowest, where, alone = extraction(archive, limit)
    ended = counts["outputs"] + sum(counts["duplicates"].values()) + sum(counts["rejects"].values())
    return {
        "articles": counts["read"],
        "output / duplicate / reject": (
            f"{counts['outputs']} / {counts['duplicates']} / {sum(counts['rejects'].values())}"
        ),
        "all articles accounted for": ended == counts["read"],
        "records": counts["records"],
        "articles/s, whole flow with sinks": round(counts["read"] / counts["seconds"]),
        "articles/s, replayed again": round(again["read"] / again["seconds"]),
        "articles/s, batch 61, one process": round(other["read"] / other["seconds"]),
        "articles/s, extraction alone, one core": round(alone),
        "peak memory, all processes, MB (PSS)": round(peak / 1e6),
        "replayed again: new output": again["outputs"],
        "replayed again: same rows and files": before == after,
        "other batch and processes: same bytes": events(folder / "one") == events(folder / "two"),
        "slowest article, s": f"{slowest:.3f} ({where})",
        "cores": os.cpu_count(),
    }


def replay(archive: Path, data: Path, more: list[str], **settings: str) -> tuple[dict[str, Any], int]:
    """Runs `rasd replay` and samples its memory. Returns its counts and the peak in bytes."""
    command = [sys.executable, "-m", "pipeline.cli", "--data", str(data), "replay", str(archive), "--json", *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **settings})
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(0.25)
    if process.returncode:
        raise SystemExit(f"replay failed with exit code {process.returncode}")
    assert process.stdout is not None
    return json.loads(process.stdout.read()), peak


def memory(pid: int) -> int:
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def events(data: Path) -> dict[str, str]:
    """Digest of each JSONL file."""
    folder = data / "events"
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*.jsonl"))
    }


def contents(data: Path) -> dict[str, str]:
    """Digest of each JSONL file and each table of the SQLite sink."""
    out = events(data)
    with closing(sqlite3.connect(data / "rasd.sqlite")) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            digest = hashlib.sha256()
            for row in sorted(map(repr, db.execute(f"SELECT * FROM {table}"))):
                digest.update(row.encode())
            out[table] = digest.hexdigest()
    return out


def extraction(archive: Path, limit: int | None) -> tuple[float, str, float]:
    """Reads each article in this process. Returns the slowest one's seconds and id, and articles a second."""
    stage = next(s for s in FLOW if s.pooled)
    step = loaded(stage, None)
    make_many(stage, None, [])
    slowest, where, n, total = 0.0, "", 0, 0.0
    for found in Archive([archive], Options(limit=limit)).read():
        if not isinstance(found.record, Article):
            continue
        verdict = Verdict(article_id=found.record.id, revision=1, verdict="unique")
        value = wire.encode(Unique(article=found.record, verdict=verdict))
        begin = time.perf_counter()
        make(stage, step, value)
        took = time.perf_counter() - begin
        n, total = n + 1, total + took
        if took > slowest:
            slowest, where = took, found.record.source_id or found.record.id
    return slowest, where, n / total


if __name__ == "__main__":
    main()
