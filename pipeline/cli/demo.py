"""`rasd demo`: the packaged example archive through the whole flow, explained."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from pipeline.cli.context import flush, put, settings, table
from pipeline.errors import StorageError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.log.sqlite import SqliteLog
    from pipeline.runtimes.embedded import Counts

FOLDER = Path("rasd-demo")
MARK = "made-by-rasd-demo"  # only a folder with this file is emptied by the next demo


def demo(
    ctx: typer.Context,
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Folder for the results; made anew each time.")
    ] = FOLDER,
) -> None:
    """Replay the packaged example archive and show what comes out. Needs no network and no broker.

    Example:

      rasd demo --into /tmp/rasd-demo
    """
    from connectors.sources.archives import Options
    from pipeline.cli.replay import run_archive, summary
    from pipeline.config import LogSettings, SinkSettings

    begin = time.monotonic()
    archive = packaged_archive()
    _make_folder(into)
    config = settings(ctx)
    # one partition and both sinks, whatever the settings say: the demo shows the defaults
    config = replace(config, data=replace(config.data, dir=str(into)), log=LogSettings(), sinks=SinkSettings())
    put(f"Replaying {archive} into {into}")
    put("")
    shown = _Shown(config)
    counts, _, seconds = run_archive(config, [archive], Options(), watch=shown.look)
    shown.look(counts)
    put("")
    for line in _kept(config.log_file):
        put(line)
    for line in summary(counts, seconds):
        put(line)
    put(f"First event after {shown.first - begin if shown.first else 0:.1f} s.")
    put("")
    put("Where it lies")
    put(f"  {into}/events/       one JSONL file a day: events, running totals")
    put(f"  {into}/rasd.sqlite   tables and views: events_by_day, deaths_by_side")
    put(f"  {into}/log.sqlite    the log: every topic, every reject")
    put("")
    rasd = _own_name()
    put("What to type next")
    put(f"  {rasd} --data {into} tail events -o pretty --filter 'kind=event,killed>=5'")
    put(f"  {rasd} --data {into} explain {shown.last or 'EVENT_ID'}")
    put(f"  {rasd} --data {into} rejects list")
    put(f"  {rasd} replay YOUR-ARCHIVE.jsonl.gz")


def _own_name() -> str:
    """How this program is called from here: `rasd` if that is what the shell finds, else the path it was called by."""
    called = Path(sys.argv[0])
    found = shutil.which("rasd")
    if called.name != "rasd" or (found and Path(found).samefile(called)):
        return "rasd"
    return os.path.relpath(called)


def packaged_archive() -> Path:
    """The example archive: in the wheel inside the package, in a checkout under examples/. Raises: StorageError."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "examples" / "archive", package.parent / "examples" / "archive"):
        if folder.is_dir():
            return folder
    raise StorageError(f"the example archive is missing from {package}", reason="no-examples")


def _make_folder(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise StorageError(f"{folder} exists and was not made by `rasd demo`: choose another with --into")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


class _Shown:
    """Prints events as they reach the log, one line each."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.log: SqliteLog | None = None
        self.next = 0
        self.first: float | None = None
        self.last = ""

    def look(self, counts: Counts) -> None:
        from pipeline.log.sqlite import SqliteLog

        if not counts.outputs:
            return
        if self.log is None:
            self.log = SqliteLog(self.config.log_file, readonly=True)
            put(ROW.format("DAY", "TYPE", "WHERE", "CLAIMS", "ID"))
        while batch := self.log.read("rasd.events", 0, self.next, 256):
            self.next = batch[-1].offset + 1
            for message in batch:
                record = orjson.loads(message.value)
                if record["kind"] == "event" and record["realis"] == "reported":
                    put(_line(record))
                    self.first = self.first or time.monotonic()
                    if record["casualties"]:
                        self.last = record["id"][:8]
            flush()


ROW = "{:<10}  {:<34}  {:<18}  {:<44}  {}"


def _line(event: dict[str, Any]) -> str:
    from pipeline.telemetry import escape

    places = [p["name"] or p["text"] for p in event["places"]]
    claims = [claim_words(c) for c in event["casualties"] if c["primary"]]
    return ROW.format(
        event["date"]["start"] or "",
        event["sub_event_type"][:34],
        escape(places[0] if places else "")[:18],
        escape("; ".join(claims))[:44],
        event["id"][:8],
    )


_HEDGES = {"at_least": "≥", "at_most": "≤", "more_than": ">", "less_than": "<", "about": "~"}


def claim_words(claim: dict[str, Any]) -> str:
    """A claim in a few words: `≥9 killed (isis)`."""
    number = claim["hedge"] if claim["count"] is None else f"{_HEDGES.get(claim['hedge'], '')}{claim['count']}"
    sides = "+".join(g["id"] for g in claim["group"])
    return f"{number} {claim['outcome'].replace('_', ' ')}" + (f" ({sides})" if sides else "")


def _kept(log_file: Path) -> Iterator[str]:
    """Two small tables: what was kept as duplicate or revision, and what was rejected."""
    from pipeline.log.sqlite import SqliteLog

    log = SqliteLog(log_file, readonly=True)
    urls: dict[str, str] = {}
    for message in log.scan("rasd.articles"):
        article = orjson.loads(message.value)
        urls.setdefault(article["id"], article["url"] or article["archive"]["file"])
    rows = []
    for message in log.scan("rasd.verdicts"):
        v = orjson.loads(message.value)
        if v["verdict"] != "unique":
            rows.append((v["verdict"].replace("_", " "), urls.get(v["article_id"]), urls.get(v["of"])))
    yield from table(("kept as", "article", "of"), rows)
    yield ""
    rejects = [orjson.loads(m.value) for m in log.scan("rasd.rejects")]
    yield from table(("rejected", "where", "why"), [(r["reason"], _where(r), r["error"][:70]) for r in rejects])
    yield ""
    log.close()


def _where(reject: dict[str, Any]) -> str:
    return f"{reject['file']}:{reject['line'] or ''}" if reject["file"] else f"{reject['topic']}@{reject['offset']}"
