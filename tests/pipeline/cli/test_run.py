"""`rasd run`: from a feed on loopback to events, and back out of the archive to the same bytes."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from connectors.fetcher import Counts as Pages
from pipeline.cli.run import _display, status
from pipeline.runtimes.embedded import Counts
from pipeline.telemetry import logger, setup
from tests.pipeline.cli.kit import rasd

TEXT = (
    "أعلنت فرق الإنقاذ في مدينة تعز اليمنية مقتل ستة مدنيين وإصابة أربعة آخرين في قصف مدفعي استهدف حي الجحملية "
    "مساء الاثنين، وقالت مصادر محلية إن القصف مصدره مواقع جماعة الحوثي شرقي المدينة."
)
ITEM = "<item><title>مقتل ستة مدنيين في قصف على تعز</title><link>/news/{0}</link><guid>{0}</guid></item>"
FEED = '<?xml version="1.0"?><rss version="2.0"><channel><title>وكالة الساحل</title><link>/</link>{}</channel></rss>'
PAGE = (
    '<html lang="ar"><head><meta property="article:published_time" content="2026-03-10T09:00:00Z"></head>'
    "<body><article><h1>مقتل ستة مدنيين في قصف على تعز</h1><p>{}</p><p>{}</p></article></body></html>"
)


class Outlet(BaseHTTPRequestHandler):
    """One feed with two entries: a page, and one that is gone."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.headers.get("If-None-Match") == '"v1"':
            self._answer(304, b"", "text/plain")
        elif self.path == "/feed.xml":
            items = "".join(ITEM.format(n) for n in (1, 2))
            self._answer(200, FEED.format(items).encode(), "application/rss+xml", ("ETag", '"v1"'))
        elif self.path == "/news/1":
            again = TEXT.replace("مساء الاثنين", "قبل غروب الشمس")
            self._answer(200, PAGE.format(TEXT, again).encode(), "text/html; charset=utf-8")
        else:
            self._answer(404, b"", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str, *more: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def outlet() -> Iterator[tuple[str, list[str]]]:
    """The address of a feed, and what was asked of its host."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Outlet,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/feed.xml", asked
    server.shutdown()
    thread.join()
    server.server_close()


ENV = {"RASD_FETCH_ALLOW_PRIVATE": "127.0.0.0/8", "RASD_FETCH_HOST_DELAY": "0", "RASD_RUN_PROCESSES": "1"}


def listed(folder: Path, *urls: str) -> Path:
    file = folder / "feeds.toml"
    file.write_text("\n".join(f'[[feed]]\nurl = "{url}"\nlanguage = "ar"' for url in urls), "utf-8")
    return file


def records(data: Path, topic: str) -> list[bytes]:
    return sorted(rasd("tail", topic, "-o", "json", data=data).out.encode().splitlines())


def test_a_feed_becomes_events_and_its_archive_replays_to_the_same_bytes(
    tmp_path: Path, outlet: tuple[str, list[str]]
) -> None:
    url, asked = outlet
    data, feeds = tmp_path / "data", listed(tmp_path, url)
    got = rasd("run", "--feeds", feeds, "--once", "--json", data=data, env=ENV)
    assert got.code == 0, got.err
    counts = orjson.loads(got.out)
    assert (counts["entries"], counts["read"], counts["outputs"]) == (2, 2, 2)
    assert counts["pages"]["failures"] == {"not-found": 1}
    articles = [orjson.loads(line) for line in records(data, "articles")]
    assert sorted((a["partial"], a["body"] == "") for a in articles) == [(False, False), (True, True)]
    assert {a["feed"] for a in articles} == {url}
    assert any(orjson.loads(line)["kind"] == "event" for line in records(data, "events"))
    assert asked[0] == "/robots.txt"

    again = rasd("run", "--feeds", feeds, "--once", "--json", data=data, env=ENV)
    assert orjson.loads(again.out)["polls"]["unmodified"] == 1
    assert orjson.loads(again.out)["read"] == 0

    copy = tmp_path / "copy"
    assert rasd("replay", data / "archive", data=copy).code == 0
    assert records(copy, "articles") == records(data, "articles")
    assert records(copy, "events") == records(data, "events")


def test_private_addresses_are_not_dialled_unless_allowed(tmp_path: Path, outlet: tuple[str, list[str]]) -> None:
    url, asked = outlet
    got = rasd("run", "--feeds", listed(tmp_path, url), "--once", "--json", data=tmp_path / "data", env={})
    assert got.code == 0, got.err
    assert orjson.loads(got.out)["polls"]["failed"] == 1
    assert asked == []


def test_without_a_list_only_the_stages_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    got = rasd("run", "--once", data=tmp_path / "data")
    assert got.code == 0
    assert "no list of feeds" in got.err
    assert "rasd feeds add" in got.err
    assert rasd("run", "--once", "--no-poll", data=tmp_path / "data").err.startswith("running all stages")


def test_who_has_named_brokers_is_told_that_it_runs_without(tmp_path: Path) -> None:
    environment = {"RASD_KAFKA_SERVERS": "127.0.0.1:1"}
    got = rasd("run", "--once", "--no-poll", data=tmp_path / "data", env=environment)
    assert (got.code, "on Kafka run `rasd poller`" in got.err) == (0, True)


def test_a_list_that_is_named_must_be_there_and_right(tmp_path: Path) -> None:
    missing = rasd("run", "--once", "--feeds", tmp_path / "none.toml", data=tmp_path / "data")
    assert (missing.code, "no such list of feeds" in missing.err) == (1, True)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[feed]]\nurl = "ftp://a.example/feed"\n', "utf-8")
    got = rasd("run", "--once", "--feeds", wrong, data=tmp_path / "data")
    assert got.code == 1
    assert "wrong.toml:2" in got.err


def test_a_callback_that_cannot_listen_is_told_plainly(tmp_path: Path, outlet: tuple[str, list[str]]) -> None:
    url, _ = outlet
    port = url.split(":")[2].split("/")[0]
    env = ENV | {"RASD_WEBSUB_CALLBACK": "https://desk.example/hub", "RASD_WEBSUB_LISTEN": f"127.0.0.1:{port}"}
    got = rasd("run", "--feeds", listed(tmp_path, url), data=tmp_path / "data", env=env)
    assert got.code == 2, got.err
    assert "websub.listen" in got.err
    assert "Traceback" not in got.err


def test_it_stops_soon_after_a_signal_and_leaves_no_process(tmp_path: Path, outlet: tuple[str, list[str]]) -> None:
    url, asked = outlet
    words = ["--data", str(tmp_path / "data"), "run", "--feeds", str(listed(tmp_path, url)), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *words],
        env={**os.environ, **ENV},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 30
        while "/news/2" not in asked and time.monotonic() < end:
            time.sleep(0.05)
        asked_to = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - asked_to < 8
        assert process.returncode == 0, err
        assert orjson.loads(out)["stopped"] is True
        end = time.monotonic() + 5  # for the children to see that their parent has gone
        while _alive(process.pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not _alive(process.pid)
    finally:
        process.kill()
        process.wait()


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_display_says_how_things_stand() -> None:
    counts = Counts(read=9, entries=12, outputs=6, duplicates=Counter(syndicated=2), records=Counter(event=4, toll=1))
    feeds, pages, articles = status(counts, under_way())
    assert "11 polls, 90% not modified, 1 failed" in feeds
    assert "10 read, 3 unchanged" in pages
    assert "12 entries announced" in pages
    assert "9 in: 6 read, 2 repeat others" in articles
    assert "4 events, 1 tolls" in articles


def under_way() -> Any:
    """An ingest that has polled and fetched."""
    return SimpleNamespace(
        poller=SimpleNamespace(counts=Counter(polls=11, failed=1, unmodified=9)),
        fetcher=SimpleNamespace(counts=Pages(requests=10, unchanged=3)),
    )


def shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch, *, quiet: bool) -> str:
    """What stands on stderr when a line is logged while the display is up."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    setup(-1 if quiet else 0)
    with _display(under_way(), quiet=quiet) as look:
        look(Counts())
        logger().warning("\x1b[31mthe disk is full")
    logger().warning("afterwards")
    setup(0, io.StringIO())
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", terminal.getvalue())


def test_what_is_logged_stands_above_the_display_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_on_a_terminal(monkeypatch, quiet=False)
    before, after = shown.split("warning: \\x1b[31mthe disk is full\n")
    assert "11 polls" in before
    assert "11 polls" in after
    assert shown.endswith("warning: afterwards\n")


def test_with_q_there_is_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_on_a_terminal(monkeypatch, quiet=True)
    assert shown == "warning: \\x1b[31mthe disk is full\nwarning: afterwards\n"


def test_a_list_without_an_enabled_feed_is_told(tmp_path: Path) -> None:
    feeds = tmp_path / "feeds.toml"
    feeds.write_text('[[feed]]\nurl = "https://a.example/rss"\nenabled = false\n', "utf-8")
    got = rasd("run", "--once", "--feeds", feeds, data=tmp_path / "data")
    assert got.code == 0
    assert "feeds.toml lists no feed that is enabled" in got.err
