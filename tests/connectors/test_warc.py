"""The archive that live ingestion writes: what stands in the file, and that nothing is lost when the disk refuses."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import errno
import os
import re
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fastwarc.warc import ArchiveIterator

from connectors.responses import Hop, Kind, Response
from connectors.warc import PAUSE_SECONDS, WarcWriter
from pipeline.config import WarcSettings
from pipeline.errors import Unusable
from pipeline.records import Archived, Entry

T = TypeVar("T")
FETCHED = dt.datetime(2026, 3, 5, 14, 30, tzinfo=dt.UTC)
PAGE = "<html><body><p>قصفت الطائرات البلدة.</p></body></html>".encode()


class StandingClock:
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = FETCHED.timestamp() + 0.25
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep_until(self, when: float) -> None:
        self.slept.append(when - self.time)
        self.time = when
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        yield


def answer(raw: bytes = PAGE, url: str = "https://news.example/a", **more: Any) -> Response:
    headers = (("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(raw))))
    given: dict[str, Any] = {
        "url": url,
        "status": 200,
        "reason": "OK",
        "headers": headers,
        "raw": raw,
        "body": raw,
        "fetched": FETCHED,
    }
    return Response(**(given | more))


def entry(**more: Any) -> Entry:
    given: dict[str, Any] = {
        "feed": "https://news.example/feed",
        "url": "https://news.example/a",
        "title": "قصف على البلدة",
    }
    return Entry(**(given | more))


def write(folder: Path, work: Callable[[WarcWriter], Awaitable[T]], clock: Any = None, **settings: Any) -> T:
    async def run() -> T:
        writer = WarcWriter(folder, WarcSettings(**settings), clock=clock or StandingClock())
        try:
            return await work(writer)
        finally:
            await writer.close()

    return asyncio.run(run())


def keep(
    folder: Path, response: Response, kind: Kind = "page", entry: Entry | None = None, **settings: Any
) -> Archived:
    return write(folder, lambda writer: writer.keep(response, kind, entry), **settings)


def member(folder: Path, at: Archived) -> bytes:
    """What the gzip member at this place unpacks to; fails unless it is exactly one whole member."""
    assert at.offset is not None
    assert at.length is not None
    packed = (folder / at.file).read_bytes()[at.offset : at.offset + at.length]
    plain = zlib.decompressobj(31)
    out = plain.decompress(packed)
    assert plain.eof
    assert not plain.unused_data
    return out


def records(folder: Path) -> list[tuple[str, dict[str, str], bytes]]:
    """Type, fields and block of every record, as an independent reader sees them; digests checked."""
    out = []
    for path in sorted(folder.iterdir()):
        for record in ArchiveIterator(str(path), parse_http=False):
            record.freeze()
            assert record.verify_block_digest(), record.record_id
            fields = {name.lower(): value for name, value in record.headers.items()}
            out.append((fields["warc-type"], fields, record.reader.read()))
    return out


def test_an_answer_is_returned_with_the_place_of_its_member(tmp_path: Path) -> None:
    at = keep(tmp_path, answer())
    plain = member(tmp_path, at)
    assert plain.startswith(b"WARC/1.1\r\nWARC-Type: response\r\n")
    assert plain.endswith(PAGE + b"\r\n\r\n")
    assert re.fullmatch(r"rasd-20260305143000-00000-[0-9a-f]{8}\.warc\.gz", at.file)


def test_a_file_begins_by_saying_what_it_is(tmp_path: Path) -> None:
    at = keep(tmp_path, answer())
    kind, fields, block = records(tmp_path)[0]
    assert (kind, fields["warc-filename"]) == ("warcinfo", at.file)
    assert b"software: rasd/" in block
    assert b"robots: obey\r\n" in block


def test_status_line_headers_and_body_stand_as_they_came(tmp_path: Path) -> None:
    headers = (("ETag", '"x"'), ("Content-Encoding", "gzip"), ("transfer-encoding", "chunked"), ("X-Odd", "caf\udce9"))
    keep(tmp_path, answer(b"\x1f\x8b raw", reason="Fine", headers=headers))
    _, fields, block = records(tmp_path)[1]
    assert block == (
        b'HTTP/1.1 200 Fine\r\nETag: "x"\r\nContent-Encoding: gzip\r\nX-Crawler-transfer-encoding: chunked\r\n'
        b"X-Odd: caf\xe9\r\n\r\n\x1f\x8b raw"
    )
    assert fields["warc-date"] == "2026-03-05T14:30:00Z"
    assert fields["warc-target-uri"] == "https://news.example/a"
    assert fields["warc-payload-digest"].startswith("sha1:")


def test_payload_digests_are_right(tmp_path: Path) -> None:
    keep(tmp_path, answer())
    (path,) = tmp_path.iterdir()
    for record in ArchiveIterator(str(path)):
        if record.is_http:
            assert record.verify_payload_digest()


def test_a_page_is_followed_by_its_entry_and_its_redirects(tmp_path: Path) -> None:
    hop = Hop("http://news.example/a", 301, "https://news.example/a")
    keep(tmp_path, answer(hops=(hop,)), entry=entry())
    found = records(tmp_path)[1:]
    assert [(kind, fields["rasd-kind"]) for kind, fields, _ in found] == [
        ("response", "page"),
        ("metadata", "entry"),
        ("response", "hop"),
    ]
    response, said, redirect = found
    assert said[1]["warc-refers-to"] == redirect[1]["warc-concurrent-to"] == response[1]["warc-record-id"]
    assert "قصف على البلدة".encode() in said[2]
    assert redirect[2] == b"HTTP/1.1 301 \r\nLocation: https://news.example/a\r\n\r\n"


def test_a_feed_text_names_the_answer_that_it_was_read_from(tmp_path: Path) -> None:
    async def work(writer: WarcWriter) -> Archived:
        feed = await writer.keep(answer(b"<rss/>"), "feed")
        return await writer.keep_entry(entry(archive=feed, seen=FETCHED))

    write(tmp_path, work)
    _, feed, text = records(tmp_path)
    assert text[1]["rasd-kind"] == "feed-text"
    assert text[1]["warc-refers-to"] == feed[1]["warc-record-id"]


def test_what_a_server_sends_cannot_forge_fields(tmp_path: Path) -> None:
    evil = "x\r\nContent-Length: 0\r\n\r\nWARC/1.1\r\n"
    keep(tmp_path, answer(url=f"https://news.example/{evil}", reason=evil, headers=(("A", evil), ("B\0", "\ud800"))))
    assert [kind for kind, _, _ in records(tmp_path)] == ["warcinfo", "response"]


def test_an_entry_without_utf8_form_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(Unusable) as caught:
        keep(tmp_path, answer(), entry=entry(title="\ud800"))
    assert caught.value.reason == "bad-text"
    assert list(tmp_path.iterdir()) == []


def test_records_of_concurrent_callers_stay_whole(tmp_path: Path) -> None:
    async def work(writer: WarcWriter) -> list[Archived]:
        return await asyncio.gather(*(writer.keep(answer(b"%d" % n * 999), "page", entry()) for n in range(50)))

    places = write(tmp_path, work)
    assert len({at.offset for at in places}) == 50
    for n, at in enumerate(places):
        assert member(tmp_path, at).endswith(b"%d" % n * 999 + b"\r\n\r\n")


def test_a_full_file_is_followed_by_the_next(tmp_path: Path) -> None:
    async def work(writer: WarcWriter) -> list[Archived]:
        return [await writer.keep(answer(os.urandom(6_000)), "page") for _ in range(4)]

    places = write(tmp_path, work, rotate_bytes=10_000)
    assert [at.file[:25] for at in places] == ["rasd-20260305143000-00000"] * 2 + ["rasd-20260305143000-00001"] * 2
    assert [kind for kind, _, _ in records(tmp_path)] == ["warcinfo", "response", "response"] * 2


def test_a_later_run_never_touches_an_earlier_file(tmp_path: Path) -> None:
    first = keep(tmp_path, answer())
    before = (tmp_path / first.file).read_bytes()
    second = keep(tmp_path, answer())
    assert second.file != first.file
    assert (tmp_path / first.file).read_bytes() == before


def test_nothing_is_made_where_nothing_is_kept(tmp_path: Path) -> None:
    async def nothing(writer: WarcWriter) -> None:
        return

    write(tmp_path / "archive", nothing)
    assert not (tmp_path / "archive").exists()


class FullDisk:
    """Takes a part of what is written and then refuses, so many times."""

    def __init__(self, refusals: int, code: int = errno.ENOSPC) -> None:
        self.left, self.code, self.real = refusals, code, os.write

    def __call__(self, descriptor: int, data: bytes) -> int:
        if self.left <= 0:
            return self.real(descriptor, data)
        if len(data) > 100:
            return self.real(descriptor, data[:100])
        self.left -= 1
        raise OSError(self.code, os.strerror(self.code))


def test_a_full_disk_is_waited_for_and_nothing_is_lost_or_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StandingClock()

    async def work(writer: WarcWriter) -> list[Archived]:
        first = await writer.keep(answer(), "page")
        monkeypatch.setattr(os, "write", FullDisk(3))
        return [first, await writer.keep(answer(), "page", entry()), await writer.keep(answer(), "page")]

    places = write(tmp_path, work, clock=clock)
    assert clock.slept == [PAUSE_SECONDS] * 3
    assert [kind for kind, _, _ in records(tmp_path)] == ["warcinfo", "response", "response", "metadata", "response"]
    assert all(member(tmp_path, at).endswith(PAGE + b"\r\n\r\n") for at in places)


def test_a_disk_that_is_full_at_the_start_leaves_no_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", FullDisk(2))
    at = keep(tmp_path, answer())
    assert [path.name for path in tmp_path.iterdir()] == [at.file]


def test_a_tail_that_cannot_be_cut_off_ends_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, size: int) -> None:
        raise OSError(errno.EIO, "no")

    async def work(writer: WarcWriter) -> list[Archived]:
        first = await writer.keep(answer(), "page")
        monkeypatch.setattr(os, "write", FullDisk(1))
        monkeypatch.setattr(os, "ftruncate", refuse)
        return [first, await writer.keep(answer(), "page")]

    first, second = write(tmp_path, work)
    assert first.file != second.file
    assert member(tmp_path, first)
    assert member(tmp_path, second)


def test_what_waiting_does_not_mend_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", FullDisk(1, errno.EINVAL))
    with pytest.raises(OSError, match="Invalid"):
        keep(tmp_path, answer())


def test_bytes_reach_the_disk_soon_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.warc.SYNC_SECONDS", 0.01)
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    async def work(writer: WarcWriter) -> int:
        for _ in range(5):
            await writer.keep(answer(), "page")
        before = len(synced)
        for _ in range(200):
            if len(synced) > before:
                break
            await asyncio.sleep(0.01)
        return len(synced) - before

    assert write(tmp_path, work) == 1  # one for all five


KILLED = """
import asyncio, sys
from pathlib import Path
from connectors.clock import SystemClock
from connectors.warc import WarcWriter
from pipeline.config import WarcSettings
from tests.connectors.test_warc import answer, entry

async def main():
    writer = WarcWriter(Path(sys.argv[1]), WarcSettings(), clock=SystemClock())
    while True:
        at = await writer.keep(answer(), "page", entry())
        print(at.file, at.offset, at.length, flush=True)

asyncio.run(main())
"""


def test_a_kill_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    lines = [line.split() for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    assert len(lines) > 10
    for file, offset, length in lines:
        assert member(tmp_path, Archived(file=file, offset=int(offset), length=int(length)))
