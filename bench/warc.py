"""How fast raw answers are archived and read again.

    python -m bench.warc [--pages N] [--processes N] [--rounds N]

Pages are those of `bench.pages.real_size`. Writing: `WarcWriter.keep` with the entry of a feed, as the fetcher calls
it, at each gzip level, 64 callers at once. Reading: records with their digests checked, beside fastwarc. Both beside
warcio if that is installed. Then whole replays with cleaning in killable children, one page at a time and ahead. The
best of the rounds counts; processor time says more where others use the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import gzip
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from bench.pages import SavedPage, real_size
from connectors.clock import SystemClock
from connectors.responses import Response
from connectors.sources.archives import Archive, Options
from connectors.sources.warc_records import WarcRecord, read_records
from connectors.warc import WarcWriter
from pipeline.cli.replay import KillableClean
from pipeline.config import Config, WarcSettings
from pipeline.pool import Pool
from pipeline.records import Article, Entry

LEVELS = (0, 1, 3, 6, 9)
LIMIT = 8_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.warc", description=__doc__)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write; default: the system's folder of temporary files")
    given = parser.parse_args()
    pages = list(real_size(given.pages))
    sizes = sorted(len(page.html) for page in pages)
    mean = sum(sizes) / len(sizes)
    print(f"{len(pages)} pages, {mean / 1e3:.0f} kB each ({sizes[0] / 1e3:.0f} to {sizes[-1] / 1e3:.0f})")
    folder = Path(tempfile.mkdtemp(prefix="rasd-bench-", dir=given.folder))
    try:
        for level in LEVELS:
            writing(pages, folder / str(level), level, given.rounds)
        try:
            best, _ = min(
                _timed(lambda: _write_by_warcio(pages, folder / "warcio.warc.gz")) for _ in range(given.rounds)
            )
            print(f"write, warcio (level 9, answers alone): {len(pages) / best:.0f} pages/s")
        except ImportError:
            print("write, warcio: not installed")
        (file,) = (folder / "1").iterdir()
        plain = folder / "plain.warc"
        plain.write_bytes(gzip.decompress(file.read_bytes()))
        for path in (file, plain):
            reading(path, given.rounds)
        replaying(file, given.processes, given.rounds)
    finally:
        shutil.rmtree(folder)


def writing(pages: Sequence[SavedPage], folder: Path, level: int, rounds: int) -> None:
    answers = [(_answer(page), _entry(page)) for page in pages]
    best, processor = min(_timed(lambda: asyncio.run(_write(answers, folder, level))) for _ in range(rounds))
    size = sum(path.stat().st_size for path in folder.iterdir())
    raw = sum(len(answer.raw) for answer, _ in answers)
    print(
        f"write, level {level}: {len(pages) / best:6.0f} pages/s, {1e3 * processor / len(pages):.2f} ms of processor a "
        f"page, {100 * size / raw:.1f}% of the size"
    )


async def _write(answers: Sequence[tuple[Response, Entry]], folder: Path, level: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    writer = WarcWriter(folder, WarcSettings(level=level), clock=SystemClock())
    places = asyncio.Semaphore(64)

    async def one(answer: Response, entry: Entry) -> None:
        async with places:
            await writer.keep(answer, "page", entry)

    await asyncio.gather(*(one(*pair) for pair in answers))
    await writer.close()


def _write_by_warcio(pages: Sequence[SavedPage], path: Path) -> None:
    from warcio.statusandheaders import StatusAndHeaders  # type: ignore[import-untyped]
    from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]

    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for page in pages:
            head = StatusAndHeaders("200 OK", list(_answer(page).headers), protocol="HTTP/1.1")
            record = writer.create_warc_record(page.url, "response", payload=BytesIO(page.html), http_headers=head)
            writer.write_record(record)


def reading(path: Path, rounds: int) -> None:
    for name, count in (("rasd", _ours), ("fastwarc", _fastwarc), ("warcio", _warcio)):
        try:
            records = count(path)
        except ImportError:
            print(f"read {path.suffix}, {name}: not installed")
            continue
        best, processor = min(_timed(lambda count=count: count(path)) for _ in range(rounds))  # type: ignore[misc]
        pages, cost = records / 2, 2e3 * processor / records  # each page with the record of its entry
        print(f"read {path.suffix}, {name}: {pages / best:6.0f} pages/s, {cost:.2f} ms of processor a page")


def _ours(path: Path) -> int:
    with path.open("rb") as file:
        return sum(isinstance(found, WarcRecord) and found.intact is True for found in read_records(file, LIMIT))


def _fastwarc(path: Path) -> int:
    from fastwarc.warc import ArchiveIterator

    count = 0
    for record in ArchiveIterator(str(path), parse_http=False):
        record.freeze()
        count += record.verify_block_digest() and record.reader.read() is not None
    return count


def _warcio(path: Path) -> int:
    from warcio.archiveiterator import ArchiveIterator  # type: ignore[import-untyped]

    count = 0
    with path.open("rb") as file:
        for record in ArchiveIterator(file, check_digests=True):
            record.content_stream().read()
            count += record.digest_checker.passed is not False
    return count


def replaying(path: Path, processes: int, rounds: int) -> None:
    pool = Pool(processes)
    try:
        for name, ahead in (("one page at a time", False), ("ahead", True)):
            clean = KillableClean(Config(), pool)
            cleaner = clean if ahead else _OneByOne(clean)
            run = _replay(path, cleaner)
            articles = run()
            best, _ = min(_timed(run) for _ in range(rounds))
            print(f"replay with cleaning in {processes} processes, {name}: {articles / best:.0f} pages/s")
    finally:
        pool.close()


def _replay(path: Path, clean: Callable[..., object]) -> Callable[[], int]:
    def run() -> int:
        found = Archive([path], Options(), clean).read()  # type: ignore[arg-type]
        return sum(isinstance(one.record, Article) for one in found)

    return run


class _OneByOne:
    """A cleaner that cannot be asked ahead."""

    def __init__(self, clean: KillableClean) -> None:
        self._clean = clean

    def __call__(self, data: bytes, **about: str | None) -> object:
        return self._clean(data, **about)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and seconds of processor time of this process."""
    begin, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - processor


def _answer(page: SavedPage) -> Response:
    headers = (("Content-Type", "text/html; charset=utf-8"), ("Date", "Sun, 10 Mar 2024 07:00:00 GMT"))
    fetched = dt.datetime(2024, 3, 10, 7, tzinfo=dt.UTC)
    return Response(url=page.url, status=200, reason="OK", headers=headers, raw=page.html, fetched=fetched)


def _entry(page: SavedPage) -> Entry:
    return Entry(
        feed="https://www.example.net/feed.xml", url=page.url, title=page.name, body=page.text[:300], partial=True
    )


if __name__ == "__main__":
    main()
