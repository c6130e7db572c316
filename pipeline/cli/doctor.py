"""`rasd doctor`: is everything that the pipeline stands on in order?"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.context import FAILED, put, put_json, settings, size_words
from pipeline.errors import ConfigError, RasdError
from pipeline.telemetry import colour_wanted, escape

if TYPE_CHECKING:
    from pipeline.config import Config

LEAST_SQLITE = (3, 37, 0)  # STRICT tables
LOW_DISK = 1_000_000_000
LAG = 10_000
KAFKA_SINKS = "sinks.sqlite"  # of the data folder: pipeline.runtimes.kafka.sinking_places, which imports Kafka's client
_COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


@dataclass(frozen=True, slots=True)
class Finding:
    """state: "ok", "warn" or "fail"."""

    check: str
    state: str
    found: str


def doctor(ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Check the installation, the data folder and the log; exit with 1 if something fails.

    \b
    Examples:
      rasd doctor
      rasd doctor --json | jq '.[] | select(.state != "ok")'
    """
    findings = list(_findings(lambda: settings(ctx)))
    if as_json:
        put_json([asdict(f) for f in findings])
    else:
        wide = max(len(f.check) for f in findings)
        for f in findings:
            state = f"{f.state:<4}"
            if colour_wanted(sys.stdout):
                state = f"\x1b[{_COLOURS[f.state]}m{state}\x1b[0m"
            put(f"{state}  {f.check:<{wide}}  {escape(f.found)}")
    if any(f.state == "fail" for f in findings):
        raise typer.Exit(FAILED)


def _findings(load: Callable[[], Config]) -> Iterator[Finding]:
    yield _python()
    yield from _packages()
    yield _sqlite()
    yield _language()
    try:
        config = load()
    except ConfigError as e:
        yield Finding("settings", "fail", str(e))
        return
    yield Finding("settings", "ok", _settings_words(config))
    yield _lexicon(config)
    yield from _folder(config.data_dir)
    if config.kafka.servers:
        from pipeline.cli.kafkadoctor import findings

        yield from findings(config)
        yield from _sinks(config, config.data_dir / KAFKA_SINKS)
    else:
        yield from _log(config.log_file)
        yield from _sinks(config, config.log_file)
    yield from _feeds(config)


def _settings_words(config: Config) -> str:
    variables = sorted({origin for origin in config.origins.values() if origin.startswith("RASD_")})
    words = [str(config.file)] if config.file else []
    return ", ".join(words + variables) or "defaults"


def _python() -> Finding:
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding(
        "python", "ok" if fits else "fail", sys.version.split()[0] + ("" if fits else ": needs 3.11 to 3.13")
    )


def _packages() -> Iterator[Finding]:
    """Every dependency that the distribution declares (extras aside) can be found."""
    try:
        needs = importlib.metadata.requires("rasd") or []
        version = importlib.metadata.version("rasd")
    except importlib.metadata.PackageNotFoundError:
        yield Finding("packages", "warn", "rasd is not installed (running from a source folder)")
        return
    missing = []
    for need in needs:
        if "extra ==" in need:
            continue
        name = need.split(";")[0].split(">")[0].split("<")[0].split("=")[0].split("[")[0].strip()
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield Finding(
        "packages", "fail" if missing else "ok", f"missing: {', '.join(missing)}" if missing else f"rasd {version}"
    )


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    fits = sqlite3.sqlite_version_info >= LEAST_SQLITE
    return Finding("sqlite", "ok" if fits else "fail", version if fits else f"{version}: needs 3.37 or later")


def _language() -> Finding:
    from connectors.language import language_of

    try:
        found = language_of("قال مصدر محلي إن الطريق بين المدينتين أعيد فتحه أمام المسافرين صباح اليوم")
    except (ImportError, OSError, RuntimeError, ValueError) as e:
        return Finding("language model", "fail", f"{type(e).__name__}: {e}")
    return Finding("language model", "ok" if found == "ar" else "fail", f"an Arabic sentence is taken for {found}")


def _lexicon(config: Config) -> Finding:
    from pipeline.config import check_files
    from pipeline.flow import FLOW, loaded

    stage = next(s for s in FLOW if s.name == "extract")
    try:
        check_files(config)
        loaded(stage, Path(config.extract.gazetteer) if config.extract.gazetteer else None)
    except (RasdError, ImportError, OSError, ValueError) as e:
        return Finding("lexicon", "fail", str(e) if isinstance(e, ConfigError) else f"{type(e).__name__}: {e}")
    return Finding("lexicon", "ok", f"loads{', with ' + config.extract.gazetteer if config.extract.gazetteer else ''}")


def _folder(data: Path) -> Iterator[Finding]:
    there = next(p for p in (data.absolute(), *data.absolute().parents) if p.exists())
    try:
        if not there.is_dir():
            raise NotADirectoryError(f"{there} is no folder")
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as e:
        yield Finding("data folder", "fail", f"{data}: cannot be written ({e.strerror or e})")
        return
    yield Finding("data folder", "ok", str(data) if data.exists() else f"{data} (will be made)")
    free = shutil.disk_usage(there).free
    yield Finding("free disk", "ok" if free >= LOW_DISK else "warn", size_words(free))


def _log(path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield Finding("log", "ok", "none yet")
        return
    try:
        yield from _log_file(path)
        yield from _log_content(path)
    except (RasdError, sqlite3.Error, OSError) as e:
        yield Finding("log", "fail", str(e))


def _log_file(path: Path) -> Iterator[Finding]:
    from connectors.databases import connect_readonly

    db = connect_readonly(path)
    try:
        (mode,) = db.execute("PRAGMA journal_mode").fetchone()
        yield Finding("log mode", "ok" if mode == "wal" else "warn", mode if mode == "wal" else f"{mode}, not WAL")
        faults = [row[0] for row in db.execute("PRAGMA quick_check(5)")]
        sound = faults == ["ok"]
        size = size_words(os.stat(path).st_size)
        yield Finding("log integrity", "ok" if sound else "fail", f"sound, {size}" if sound else "; ".join(faults))
    finally:
        db.close()


def _log_content(path: Path) -> Iterator[Finding]:
    from pipeline.cli.rejects import counted
    from pipeline.cli.topics import described
    from pipeline.log.sqlite import SqliteLog
    from pipeline.topics import TOPICS

    log = SqliteLog(path, readonly=True)
    try:
        missing = [t for t in TOPICS if t not in log.topics()]
        yield Finding(
            "topics",
            "warn" if missing else "ok",
            f"not there yet: {', '.join(missing)}" if missing else f"{len(TOPICS)} of {len(TOPICS)}",
        )
        lags = [(c["name"], row["topic"], c["lag"]) for row in described(log) for c in row["consumers"] if c["lag"]]
        said = ", ".join(f"{name} is {lag:,} behind on {topic}" for name, topic, lag in lags)
        yield Finding("lag", "warn" if any(lag >= LAG for *_, lag in lags) else "ok", said or "none")
        count, retryable = counted(log)
        yield Finding("rejects", "warn" if retryable else "ok", f"{count:,}, {retryable:,} may succeed later")
    finally:
        log.close()


def _sinks(config: Config, kept: Path) -> Iterator[Finding]:
    """Do the outputs go with the log? kept: where it stands how far they are."""
    from connectors.sinks import CHECKS
    from pipeline.log.sqlite import SqliteLog
    from pipeline.runtimes.turns import consumer_of

    with contextlib.ExitStack() as stack:
        log = None
        if kept.exists():
            try:
                log = SqliteLog(kept, readonly=True)
            except (RasdError, sqlite3.Error, OSError):
                return  # told already
            stack.callback(log.close)
        for name in config.sinks.enabled:
            check = f"{name} output"
            try:
                yield Finding(check, "ok", CHECKS[name](config, log.state(consumer_of(name)) if log else {}))
            except (RasdError, sqlite3.Error, OSError) as e:
                yield Finding(check, "fail", str(e))


def _feeds(config: Config) -> Iterator[Finding]:
    """The list of feeds, how polling them goes, and the pages that wait."""
    from connectors.feedlist import load_feeds
    from connectors.feedstate import report
    from connectors.frontier import FILE, read_status
    from pipeline.runtimes.ingest import POLLER

    file = Path(config.feeds.file)
    if not file.exists():
        yield Finding("feeds", "ok", f"no list ({file}): nothing is polled")
        return
    try:
        listed = {feed.url for feed in load_feeds(file) if feed.enabled}
        yield Finding("feeds", "ok", f"{len(listed):,} in {file}")
        known = [feed for feed in report(config.data_dir / POLLER) if feed.url in listed]
        stopped = sum(feed.state in ("retired", "gone") for feed in known)
        failing = sum(feed.failing > 0 for feed in known if feed.state == "active")
        yield Finding(
            "polling",
            "warn" if stopped or failing else "ok",
            f"{len(known):,} polled, {failing:,} failing, {stopped:,} given up (rasd feeds doctor)",
        )
        if (pages := read_status(config.data_dir / FILE)) is not None:
            yield Finding("pages", "ok", f"{pages.waiting:,} waiting, {pages.held:,} held for another try")
    except (RasdError, sqlite3.Error, OSError) as e:
        yield Finding("feeds", "fail", str(e))
