"""Whatever a server answers ends in time, within its memory, with the right reason; others are served meanwhile."""

from __future__ import annotations

import asyncio
import functools
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Iterator

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from connectors.responses import FetchFailed
from tests.hostile.network import MISSING, OK, Request, polite, serving

MB = 1_000_000
LIMIT = MB // 2  # largest page and feed
SECONDS = 2.5  # for one request


@functools.cache
def bomb(pack: str) -> bytes:
    """64 MB of nothing, packed once, or twice for "gzip, gzip" and the like."""
    packed = b""
    for name in pack.split(", "):
        packed = PACKERS[name](packed) if packed else _NOTHING[name]()
    return packed


@functools.cache
def _streamed(name: str) -> bytes:
    unit, times = bytes(MB), 64
    if name == "br":
        return bytes(brotli.compress(unit * times, quality=5))
    if name == "zstd":
        return zstandard.ZstdCompressor().compress(unit * times)
    packer = zlib.compressobj(9, zlib.DEFLATED, {"gzip": 31, "deflate": 15, "bare deflate": -15}[name])
    return b"".join(packer.compress(unit) for _ in range(times)) + packer.flush()


PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}
_NOTHING = {name: (lambda name=name: _streamed(name)) for name in ("gzip", "deflate", "bare deflate", "br", "zstd")}


def coded(body: bytes, coding: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        coding.encode(),
        len(body),
        body,
    )


def endless(start: bytes, unit: bytes) -> Iterator[bytes]:
    yield start
    while True:
        yield unit * (1 + 16_384 // len(unit))


def drip(data: bytes) -> Iterator[bytes | float]:
    """Byte by byte, as slowly as does not look dead."""
    for at in range(len(data)):
        yield data[at : at + 1]
        yield 0.05


HEAD = b"HTTP/1.1 200 OK\r\n"
#: path → what is written (bytes; a number is a pause in seconds), and how it must end: a reason, or the body
ANSWERS: dict[str, tuple[object, str | bytes]] = {
    # time
    "silence": ([60.0], "timeout"),
    "head that drips": (drip(HEAD + b"X-A: b\r\n" * 1_000), "timeout"),
    "body that drips": (drip(HEAD + b"Content-Length: 9000\r\n\r\n" + b"." * 9_000), "timeout"),
    "chunks that drip": (drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n.\r\n" * 1_000), "timeout"),
    "body that stops": ([HEAD + b"Content-Length: 9000\r\n\r\n...", 60.0], "timeout"),
    # size
    "endless body": (endless(HEAD + b"\r\n", b"<p>more</p>"), "too-large"),
    "endless chunks": (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n"), "too-large"),
    "tiny chunks": (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"), "bad-response"),
    "said to be huge": ([HEAD + b"Content-Length: 1000000000000\r\n\r\n"], "too-large"),
    "one byte too many": ([HEAD + b"Content-Length: 500001\r\n\r\n"], "too-large"),
    "gzip bomb": ([coded(bomb("gzip"), "gzip")], "too-large"),
    "deflate bomb": ([coded(bomb("deflate"), "deflate")], "too-large"),
    "bare deflate bomb": ([coded(bomb("bare deflate"), "deflate")], "too-large"),
    "br bomb": ([coded(bomb("br"), "br")], "too-large"),
    "zstd bomb": ([coded(bomb("zstd"), "zstd")], "too-large"),
    "gzip in gzip": ([coded(bomb("gzip, gzip"), "gzip, gzip")], "too-large"),
    "br in gzip": ([coded(bomb("br, gzip"), "br, gzip")], "too-large"),
    "zstd in br": ([coded(bomb("zstd, br"), "zstd, br")], "too-large"),
    "codings in two headers": (
        [
            HEAD
            + b"Content-Encoding: br\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb("br, gzip")),
            bomb("br, gzip"),
        ],
        "too-large",
    ),
    "endless gzip": (endless(HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"x" * 99)), "too-large"),
    # codings
    "three codings": ([coded(gzip.compress(b"hello"), "gzip, gzip, gzip")], "bad-encoding"),
    "two hundred codings": ([coded(gzip.compress(b"hello"), "gzip," * 200)], "bad-encoding"),
    "plain text said to be gzip": ([coded(b"hello hello hello", "gzip")], "bad-encoding"),
    "plain text said to be br": ([coded(b"hello hello hello", "br")], "bad-encoding"),
    "plain text said to be zstd": ([coded(b"hello hello hello", "zstd")], "bad-encoding"),
    "plain text said to be deflate": ([coded(b"hello hello hello", "deflate")], "bad-encoding"),
    "gzip cut short": ([coded(gzip.compress(bytes(9_999))[:-12], "gzip")], "bad-encoding"),
    "zstd cut short": ([coded(zstandard.compress(bytes(9_999))[:-2], "zstd")], "bad-encoding"),
    "gzip with a wrong sum": ([coded(gzip.compress(b"hello")[:-8] + b"12345678", "gzip")], "bad-encoding"),
    "a coding of their own": ([coded(b"hello", "aes128gcm")], "bad-encoding"),
    "an empty body said to be gzip": ([coded(b"", "gzip")], b""),
    "a coding that is none": ([coded(b"hello", "identity, UTF-8")], b"hello"),
    # heads
    "header bomb": ([HEAD + b"X-Big: " + b"a" * 10 * MB + b"\r\n\r\n"], "bad-response"),
    "header name bomb": ([HEAD + b"X" * 10 * MB + b": a\r\n\r\n"], "bad-response"),
    "status line bomb": ([b"HTTP/1.1 200 " + b"a" * 10 * MB + b"\r\n\r\n"], "bad-response"),
    "a hundred thousand headers": ([HEAD + b"X-A: b\r\n" * 100_000 + b"\r\n"], "bad-response"),
    "endless headers": (endless(HEAD, b"X-A: b\r\n"), "bad-response"),
    "endless folded header": (endless(HEAD + b"X-A: b\r\n", b" more\r\n"), "bad-response"),
    "endless informational answers": (endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "bad-response"),
    "endless continues": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "bad-response"),
    "endless chunk extension": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5", b";a=b"),
        "bad-response",
    ),
    "endless trailers": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", b"X-A: b\r\n"),
        "bad-response",
    ),
    "endless blank lines": (endless(b"", b"\r\n"), "bad-response"),
    "garbage": ([b"\x00\xff\x16\x03\x01 what?\r\n\r\n"], "bad-response"),
    "garbage without end": (endless(b"", b"\x00\xffgarbage"), "bad-response"),
    "a status of letters": ([b"HTTP/1.1 abc OK\r\n\r\n"], "bad-response"),
    "a status of five digits": ([b"HTTP/1.1 20000 OK\r\nContent-Length: 0\r\n\r\n"], "bad-response"),
    "another protocol": ([b"SSH-2.0-OpenSSH_9.9\r\n"], "bad-response"),
    "an answer of HTTP 0.9": ([b"<html>hello</html>"], "bad-response"),
    "negative length": ([HEAD + b"Content-Length: -5\r\n\r\nhello"], "bad-response"),
    "length of letters": ([HEAD + b"Content-Length: five\r\n\r\nhello"], "bad-response"),
    "length beyond numbers": ([HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nhello"], "bad-response"),
    "two lengths": ([HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"], "bad-response"),
    "length and chunks": (
        [HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
        "bad-response",
    ),
    "a NUL in a header": ([HEAD + b"X-A: a\x00b\r\nContent-Length: 5\r\n\r\nhello"], "bad-response"),
    "chunks that are none": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n"], "bad-response"),
    "a chunk of negative size": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n"], "bad-response"),
    "a chunk beyond numbers": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n"], "bad-response"),
    "a protocol nobody asked for": (
        [b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"],
        "bad-response",
    ),
    # endings
    "nothing": ([None], "connection"),
    "half a head": ([HEAD + b"Content-Le", None], "connection"),
    "half a body": ([HEAD + b"Content-Length: 900\r\n\r\nhello", None], "connection"),
    "half the chunks": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", None], "connection"),
    "no last chunk": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", None], "connection"),
    "informational answers and no more": ([b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5, None], "connection"),
    "more than was said": ([HEAD + b"Content-Length: 5\r\n\r\nhello and more" * 9], b"hello"),
    "no length, then closed": ([HEAD + b"\r\nhello", None], b"hello"),
    "a 304 with a body": ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"], b""),
    "a 304 that says how long the body was": ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"], b""),
    "a 204 said to be gzip": ([b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"], b""),
    "a 410 without end": (endless(b"HTTP/1.1 410 Gone\r\n\r\n", b"gone"), b"gone" * 16_384),
    "a 410 that stops": ([b"HTTP/1.1 410 Gone\r\nContent-Length: 50\r\n\r\nhello", 60.0], b"hello"),
    "a redirect that does not end": ([b"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", 60.0], b""),
    "a 500 that is no gzip": ([b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"], b""),
    "a 503 that stops": ([b"HTTP/1.1 503 Later\r\nContent-Length: 50\r\n\r\nhello", None], b"hello"),
    "a reason in any bytes": ([b"HTTP/1.1 200 \xff\xe9 fine\r\nContent-Length: 5\r\n\r\nhello"], b"hello"),
    "bare newlines": ([b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"], b"hello"),
    "headers in any bytes": ([HEAD + b"X-A: \xc3\xa9 \xe9 \xff\r\nContent-Length: 5\r\n\r\nhello"], b"hello"),
}
NAMES = list(ANSWERS)
RETRYABLE = {"timeout", "connection", "dns", "tls"}


async def hostile(request: Request, writer: asyncio.StreamWriter) -> None:
    """Writes the answer of the path's number; 64 kB/s at least, as much as the client takes."""
    if not request.path[1:].isdigit():
        return writer.write(MISSING if request.path == "/robots.txt" else OK)
    steps = ANSWERS[NAMES[int(request.path[1:])]][0]
    for step in steps if isinstance(steps, list) else list_of(steps):
        if step is None:
            return writer.close()
        if isinstance(step, float):
            await asyncio.sleep(step)
        else:
            writer.write(step)
            await writer.drain()
    return None


def list_of(steps: object) -> Iterator[bytes | float]:
    assert isinstance(steps, Iterator)
    return steps


def test_every_hostile_answer_ends_for_its_reason_while_good_requests_go_on() -> None:
    async def ask() -> tuple[dict[str, object], list[float], float]:
        ends: dict[str, object] = {}
        took: list[float] = []
        limits = {"max_page_bytes": LIMIT, "max_feed_bytes": LIMIT, "total_seconds": SECONDS}
        async with serving(hostile) as server, polite(**limits) as (client, _):
            done = asyncio.Event()

            async def good() -> None:
                while not done.is_set():
                    began = time.perf_counter()
                    assert (await client.send(server.url("/good"), kind="page")).body == b"hello"
                    took.append(time.perf_counter() - began)
                    await asyncio.sleep(0.005)

            async def one(number: int) -> None:
                try:
                    found = await client.send(server.url(f"/{number}"), kind="page")
                    "".join((found.reason, *(value for _, value in found.headers))).encode()  # no lone surrogates
                    ends[NAMES[number]] = found.body
                except FetchFailed as e:
                    fits = e.retryable == (e.reason in RETRYABLE) and e.url == server.url(f"/{number}")
                    ends[NAMES[number]] = e.reason if fits else e

            others = asyncio.create_task(good())
            began = time.perf_counter()
            for first in range(0, len(NAMES), 20):
                await asyncio.gather(*(one(n) for n in range(first, min(first + 20, len(NAMES)))))
            whole = time.perf_counter() - began
            done.set()
            await others
        return ends, took, whole

    ends, took, whole = asyncio.run(ask())
    wrong = [f"{name}: {ends[name]!r:.300}, not {end!r:.40}" for name, (_, end) in ANSWERS.items() if ends[name] != end]
    assert not wrong, "\n".join(wrong)
    assert len(took) > 20
    assert max(took) < SECONDS / 2
    assert whole < SECONDS * (len(NAMES) / 20 + 2)


@pytest.mark.parametrize("name", ["gzip bomb", "deflate bomb", "br bomb", "zstd bomb", "zstd in br", "endless headers"])
def test_a_bomb_costs_no_more_memory_than_an_honest_page(name: str) -> None:
    async def ask() -> int:
        async with serving(bombs) as server, polite(max_page_bytes=LIMIT) as (client, _):
            await client.send(server.url("/good"), kind="page")
            tracemalloc.start()
            try:
                with pytest.raises(FetchFailed):
                    await client.send(server.url(f"/{NAMES.index(name)}"), kind="page")
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    async def bombs(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path != f"/{NAMES.index('endless headers')}":
            return await hostile(request, writer)
        while True:
            writer.write(b"X-A: b\r\n" * 1_000)
            await writer.drain()

    assert asyncio.run(ask()) < 20 * LIMIT
