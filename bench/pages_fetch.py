"""Whether fetching keeps cleaning busy: pages/s of the whole way from entry to log, beside bare trafilatura.

    python -m bench.pages_fetch [--pages N] [--processes N] [--rounds N] [--cleaner ours|bare] [--plain]

Two ways over the same invented pages (`bench.pages.real_size`), with the same number of processes, in turns:
- bare: `trafilatura.extract(html, fast=True, include_comments=False)` in processes that hold their share of the pages
  already: no network, no pipe, no disk.
- whole: frontier → polite HTTP from a server on loopback → WARC on disk → cleaning in the killable pool → articles in
  the log on disk → frontier. `--cleaner bare` puts bare trafilatura into the pool too: what is lost then is fetching's
  own share and nothing of cleaning's.

The server is a process of its own; the processor time that it took is taken off the wall clock in the second figure
(shared out over the cores), because a real one runs elsewhere. It sends gzip, as outlets do, `--plain` for unpacked.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import cProfile
import functools
import gzip
import json
import multiprocessing
import os
import pickle
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import uvloop

from bench.fetch import Loopback
from bench.pages import real_size
from connectors.clean import Page, clean_page, warm_up
from connectors.clock import SystemClock
from connectors.fetcher import Fetcher
from connectors.frontier import FILE, Frontier
from connectors.http import Client
from connectors.polite import PoliteClient
from connectors.robots import Robots
from connectors.urls import canonical_url
from connectors.warc import WarcWriter
from pipeline import wire
from pipeline.config import FetchSettings, WarcSettings
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.live import rarely_collect
from pipeline.topics import ARTICLES, REJECTS

HOSTS = 40


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.pages_fetch", description=__doc__)
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cleaner", choices=CLEANERS, default="ours")
    parser.add_argument("--plain", action="store_true", help="the server does not compress")
    parser.add_argument("--profile", action="store_true", help="say what the fetching process spends its time on")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--whole", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve, plain=given.plain))
    elif given.whole:
        print(json.dumps(uvloop.run(whole(given))))
    else:
        compare(given)


def compare(given: argparse.Namespace) -> None:
    pages = [page.html for page in real_size(given.pages)]
    print(f"{len(pages)} pages of {statistics.mean(map(len, pages)) / 1000:.0f} kB, {given.processes} processes")
    ratios, others, work = [], [], []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), pages, given) as (server, port):
        for number in range(given.rounds):
            rate, bare_ms = bare(pages, given.processes)
            before = sum(server.cpu_times()[:2])
            figures = json.loads(subprocess.check_output([*command(given), "--whole", str(port)]))
            serving = sum(server.cpu_times()[:2]) - before
            full = given.pages / figures["seconds"]
            alone = given.pages / (figures["seconds"] - serving / (os.cpu_count() or 1))
            ratios.append(full / rate)
            others.append(alone / rate)
            work.append(bare_ms / (figures["own_ms"] + figures["children_ms"]))
            print(
                f"round {number + 1}: bare {rate:.0f}/s; whole {full:.0f}/s = {full / rate:.0%}, server not counted"
                f" {alone:.0f}/s = {alone / rate:.0%}; processor ms a page: bare {bare_ms:.2f}; fetching"
                f" {figures['own_ms']:.2f}, cleaning {figures['children_ms']:.2f}, server"
                f" {1000 * serving / given.pages:.2f}"
            )
    print(
        f"medians, of bare: {statistics.median(ratios):.0%}; server not counted {statistics.median(others):.0%}; bare's"
        f" processor time is {statistics.median(work):.0%} of the whole way's"
    )


def command(given: argparse.Namespace) -> list[str]:
    more = ["--plain"] * given.plain + ["--profile"] * given.profile
    return [sys.executable, "-m", "bench.pages_fetch", "--pages", str(given.pages), "--cleaner", given.cleaner,
            "--processes", str(given.processes), *more]  # fmt: skip


# -- bare --------------------------------------------------------------------------------------------------------------


def bare(pages: Sequence[bytes], processes: int) -> tuple[float, float]:
    """Pages a second, from when every process has loaded everything to when the last has finished; processor ms a
    page."""
    context = multiprocessing.get_context("fork")
    ready, done = context.Barrier(processes + 1), context.Barrier(processes + 1)
    took = context.Value("d", 0.0)
    started = [
        context.Process(target=_extract_all, args=(pages[n::processes], ready, done, took)) for n in range(processes)
    ]
    for process in started:
        process.start()
    ready.wait()
    begin = time.perf_counter()
    done.wait()
    seconds = time.perf_counter() - begin
    for process in started:
        process.join()
    return len(pages) / seconds, 1000 * took.value / len(pages)


def _extract_all(pages: Sequence[bytes], ready: Any, done: Any, took: Any) -> None:
    for page in pages[:3]:
        extract_bare(page)
    ready.wait()
    begin = time.process_time()
    for page in pages:
        extract_bare(page)
    with took:
        took.value += time.process_time() - begin
    done.wait()


def extract_bare(body: bytes) -> str:
    from trafilatura import extract

    return extract(body, fast=True, include_comments=False) or ""


# -- whole -------------------------------------------------------------------------------------------------------------


def bare_page(body: bytes, url: str, charset: str | None) -> Page:
    return Page(title="", body=extract_bare(body), canonical_url=canonical_url(url))


CLEANERS = {"ours": clean_page, "bare": bare_page}


async def whole(given: argparse.Namespace) -> dict[str, float]:
    clock = SystemClock()
    settings = FetchSettings(allow_private=("127.0.0.0/8",), host_delay=0.0, connections=64)
    pool = Pool(given.processes, memory_bytes=512 * 1024 * 1024, cpu_seconds=5.0, prepare=warm_up)
    task = functools.partial(CLEANERS[given.cleaner])
    sample = next(iter(real_size(1)))

    async def clean(body: bytes, *, url: str, charset: str | None) -> Page:
        return await asyncio.wrap_future(pool.submit(20.0, task, body, url, charset))

    await asyncio.gather(*[clean(sample.html, url=sample.url, charset=None) for _ in range(4 * given.processes)])
    entries = [_entry(n, given.whole) for n in range(given.pages)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        thread = ThreadPoolExecutor(1)
        log = thread.submit(SqliteLog, path / "log.sqlite").result()
        finished, published = asyncio.Event(), 0

        def write(records: Sequence[Article | Reject]) -> None:
            with log.transaction():
                for record in records:
                    topic = ARTICLES if isinstance(record, Article) else REJECTS
                    log.append(topic.name, topic.key(record), wire.encode(record))

        async def publish(records: Sequence[Article | Reject]) -> None:
            nonlocal published
            await asyncio.get_running_loop().run_in_executor(thread, write, records)
            published += sum(isinstance(one, Article) and not one.partial for one in records)
            if published == given.pages:
                finished.set()

        client = Client(settings, clock=clock, resolver=Loopback())
        polite = PoliteClient(client, Robots(settings, clock=clock), settings, clock=clock)
        archive = WarcWriter(path / "archive", WarcSettings(), clock=clock)
        fetcher = Fetcher(
            Frontier(path / FILE), polite, publish, archive=archive, clean=clean, clock=clock, settings=settings
        )
        await fetcher.take(entries)
        rarely_collect()
        profile = cProfile.Profile()
        before = _times()
        begin = time.perf_counter()
        if given.profile:
            profile.enable()
        await asyncio.wait_for(fetcher.run(finished), 600)
        seconds = time.perf_counter() - begin
        own, children = (after - earlier for after, earlier in zip(_times(), before, strict=True))
        if given.profile:
            profile.disable()
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)
        await fetcher.close()
        await archive.close()
        await client.close()
        thread.submit(log.close).result()
    pool.close()
    return {
        "seconds": seconds, "own_ms": 1000 * own / given.pages, "children_ms": 1000 * children / given.pages
    }  # fmt: skip


def _entry(number: int, port: int) -> Entry:
    host = f"http://www.outlet{number % HOSTS}.example:{port}"
    return Entry(feed=f"{host}/rss", url=f"{host}/news/{number}", title=f"Headline {number}", body="A summary.")


def _times() -> tuple[float, float]:
    """Processor seconds of this process and of its children."""
    me = psutil.Process()
    children = 0.0
    for child in me.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            children += sum(child.cpu_times()[:2])
    return sum(me.cpu_times()[:2]), children


# -- the server --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(folder: Path, pages: Sequence[bytes], given: argparse.Namespace) -> Any:
    file = folder / "pages"
    file.write_bytes(pickle.dumps(pages))
    process = subprocess.Popen([*command(given), "--serve", str(file)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    try:
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait()


async def serve(file: Path, *, plain: bool) -> None:
    """Answers /news/N with page N. Everything is made before the port is told."""
    pages = pickle.loads(file.read_bytes())
    coding = "" if plain else "Content-Encoding: gzip\r\n"
    answers = {}
    for number, page in enumerate(pages):
        body = page if plain else gzip.compress(page, 6)
        tag = base64.b16encode(number.to_bytes(4, "big")).decode()
        head = f'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nETag: "{tag}"\r\n{coding}'
        answers[f"/news/{number}"] = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    none = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(answers.get(head.split(b" ", 2)[1].decode(), none))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    main()
