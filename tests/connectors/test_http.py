from __future__ import annotations

import asyncio
import gzip
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from connectors import http as http_module
from connectors.http import REFUSAL_BYTES, ROBOTS_BYTES, Client, target_of
from connectors.newsroom.clock import SimulatedClock
from connectors.responses import FetchFailed
from tests.hostile.network import GOOD, MISSING, OK, Names, Request, Server, always, polite, serving, settings

Script = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def talk(script: Script, work: Callable[[Client, Server], Awaitable[Any]], **given: object) -> Server:
    """Runs what the test does with a client and a server that answers from a script."""

    async def run() -> Server:
        async with serving(script) as server, polite(**given) as (client, _):
            await work(client, server)
        return server

    return asyncio.run(run())


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "base", "requested"),
    [
        ("http://A.test", None, "http://a.test/"),
        ("  http://a.test/x y\n", None, "http://a.test/x%20y"),
        ("http://reader:secret@a.test:80/x?q=1#part", None, "http://a.test/x?q=1"),
        ("https://a.test:443/", None, "https://a.test/"),
        ("https://a.test.:8443/خبر?ن", None, "https://a.test:8443/%D8%AE%D8%A8%D8%B1?%D9%86"),
        ("http://مثال.إختبار/", None, "http://xn--mgbh0fb.xn--kgbechtv/"),
        ("http://a.test/a@b", None, "http://a.test/a@b"),
        ("http://[2606:4700::1]/", None, "http://[2606:4700::1]/"),
        ("../b", "http://a.test/x/y/z", "http://a.test/x/b"),
        ("//b.test/", "https://a.test/x", "https://b.test/"),
        ("?page=2", "https://a.test/x?page=1", "https://a.test/x?page=2"),
    ],
)
def test_an_address_is_requested_in_one_spelling(url: str, base: str | None, requested: str) -> None:
    target = target_of(url, base)
    assert target.url == requested
    assert target_of(target.url) == target


def test_the_origin_names_the_port() -> None:
    assert target_of("https://A.test./x").origin == "https://a.test:443"
    assert target_of("http://a.test:8080/x").origin == "http://a.test:8080"


# -- what is sent ----------------------------------------------------------------------------------------------------


def test_a_request_names_itself_and_says_what_it_reads() -> None:
    async def work(client: Client, server: Server) -> None:
        await client.send(server.url("/a?b=c"), kind="feed", headers={"If-None-Match": '"x"', "X-Bad": "a\r\nX-B: c"})

    [asked] = talk(always(OK), work, user_agent="rasd/9 (+https://example.org)").asked
    assert (asked.method, asked.path) == ("GET", "/a?b=c")
    assert asked.headers["user-agent"] == "rasd/9 (+https://example.org)"
    assert asked.headers["accept-encoding"] == "gzip, deflate, br, zstd"
    assert asked.headers["if-none-match"] == '"x"'
    assert "rss" in asked.headers["accept"]
    assert not {"x-b", "x-bad", "cookie", "authorization", "referer"} & set(asked.headers)


def test_no_cookie_and_no_credentials_are_ever_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {GOOD} login reader password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"

    async def work(client: Client, server: Server) -> None:
        for _ in range(2):
            await client.send(server.url("/").replace("//", "//reader:secret@"), kind="page")

    for asked in talk(always(cookie), work).asked:
        assert not {"cookie", "authorization"} & set(asked.headers)


def test_connections_are_kept_for_the_next_request_unless_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: Client, server: Server) -> None:
        for _ in range(5):
            await client.send(server.url(), kind="page")

    assert talk(always(OK), work).dialled == 1
    monkeypatch.setattr(http_module, "IDLE_CONNECTIONS", -1)
    assert talk(always(OK), work).dialled == 5


def test_a_request_can_carry_data() -> None:
    async def work(client: Client, server: Server) -> None:
        await client.send(server.url("/hub"), kind="hub", method="POST", data=b"hub.mode=subscribe")

    [asked] = talk(always(OK), work).asked
    assert (asked.method, asked.headers["content-length"]) == ("POST", "18")


def test_a_redirect_is_an_answer() -> None:
    async def work(client: Client, server: Server) -> None:
        found = await client.send(server.url(), kind="page")
        assert (found.status, found.header("location")) == (302, "/b")

    assert len(talk(always(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"), work).asked) == 1


def test_a_lost_connection_is_not_asked_again_behind_the_hosts_back() -> None:
    async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path == "/lost":
            writer.close()
        else:
            writer.write(OK)

    async def work(client: Client, server: Server) -> None:
        await client.send(server.url(), kind="page")
        with pytest.raises(FetchFailed) as failed:
            await client.send(server.url("/lost"), kind="page")
        assert (failed.value.reason, failed.value.retryable) == ("connection", True)

    assert [asked.path for asked in talk(hang_up, work).asked] == ["/", "/lost"]


def test_who_waits_is_told_when_the_request_goes_out() -> None:
    async def work(client: Client, server: Server) -> None:
        told: list[int] = []
        await client.send(server.url(), kind="page", sent=lambda: told.append(len(server.asked)))
        await client.send(server.url(), kind="page")
        assert told == [0]

    talk(always(OK), work)


# -- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstandard.compress), (None, bytes)],
)
@pytest.mark.parametrize("size", [100, 900_000])
def test_an_answer_is_kept_as_it_came_and_unpacked(
    coding: str | None, pack: Callable[[bytes], bytes], size: int
) -> None:
    body = b"hello \xd8\xae " * (size // 9)
    raw = pack(body)
    head = b"HTTP/1.1 203 Fine\r\nX-A: \xc3\xa9\r\nX-a: \xe9\r\nContent-Length: %d\r\n" % len(raw)
    coded = b"Content-Encoding: %b\r\n" % coding.encode() if coding else b""

    async def work(client: Client, server: Server) -> None:
        found = await client.send(server.url("/a#b"), kind="page")
        assert (found.status, found.reason, found.body, found.raw) == (203, "Fine", body, raw)
        assert found.headers[:2] == (("X-A", "é"), ("X-a", "é"))
        assert found.url == server.url("/a")
        assert found.fetched.microsecond == 0
        assert not found.cut

    talk(always(head + coded + b"\r\n" + raw), work)


def test_limits_differ_by_kind_and_a_call_may_set_its_own() -> None:
    page = b"HTTP/1.1 200 OK\r\n\r\n" + b"." * 3_000

    async def close(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(page)
        await writer.drain()
        writer.close()

    async def work(client: Client, server: Server) -> None:
        assert len((await client.send(server.url(), kind="feed")).body) == 3_000
        assert len((await client.send(server.url(), kind="page", limit=3_000)).body) == 3_000
        for limits in ({"kind": "page"}, {"kind": "feed", "limit": 2_999}):
            with pytest.raises(FetchFailed) as failed:
                await client.send(server.url(), **limits)  # type: ignore[arg-type]
            assert (failed.value.reason, failed.value.retryable) == ("too-large", False)

    talk(close, work, max_page_bytes=2_000, max_feed_bytes=5_000)


@pytest.mark.parametrize("coding", [b"", b"Content-Encoding: gzip\r\n"])
def test_a_robots_txt_that_is_too_long_is_cut(coding: bytes) -> None:
    text = b"Disallow: /a\n" * 100_000
    raw = gzip.compress(text) if coding else text

    async def work(client: Client, server: Server) -> None:
        found = await client.send(server.url("/robots"), kind="robots")
        assert found.body == text[:ROBOTS_BYTES]

    talk(always(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (coding, len(raw)) + raw), work)


def test_of_a_refusal_no_more_is_read_than_its_beginning() -> None:
    async def work(client: Client, server: Server) -> None:
        found = await client.send(server.url(), kind="page")
        assert (found.status, len(found.body), found.cut) == (404, REFUSAL_BYTES, True)

    talk(always(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9000000\r\n\r\n" + b"." * 9_000_000), work)


def test_an_answer_carries_the_time_of_the_clock(tmp_path: Path) -> None:
    async def run() -> None:
        clock = SimulatedClock(tmp_path / "time", 1_700_000_000.5)
        client = Client(settings(), clock=clock)
        async with serving(always(OK)) as server:
            assert (await client.send(server.url(), kind="page")).fetched.timestamp() == 1_700_000_000
        await client.close()

    asyncio.run(run())


# -- failures --------------------------------------------------------------------------------------------------------


def test_a_host_that_is_not_there_fails_for_its_reason() -> None:
    async def end_of(client: Client, url: str) -> tuple[str, bool]:
        with pytest.raises(FetchFailed) as failed:
            await client.send(url, kind="page")
        return failed.value.reason, failed.value.retryable

    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(MISSING)
        await writer.drain()
        writer.close()

    async def run() -> dict[str, tuple[str, bool]]:
        plain = await asyncio.start_server(speak_plainly, GOOD, 0)
        address = f"{GOOD}:{plain.sockets[0].getsockname()[1]}"
        async with polite(Names(lambda _: [])) as (client, _):
            ends = {"no name": await end_of(client, "http://a.test/")}
            ends["no tls"] = await end_of(client, f"https://{address}/")
            plain.close()
            await plain.wait_closed()
            ends["nobody listens"] = await end_of(client, f"http://{address}/")
        return ends

    assert asyncio.run(run()) == {
        "no name": ("dns", True),
        "no tls": ("tls", True),
        "nobody listens": ("connection", True),
    }


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that only itself vouches for, and its key."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("no openssl to make a certificate with")
    made, key = tmp_path / "made.pem", tmp_path / "key.pem"
    name = ["-subj", f"/CN={GOOD}", "-addext", f"subjectAltName=IP:{GOOD}"]
    out = ["-keyout", str(key), "-out", str(made)]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name, *out]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def test_a_certificate_nobody_signed_is_refused(certificate: tuple[Path, Path]) -> None:
    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        asked = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            writer.close()

        server = await asyncio.start_server(serve, GOOD, 0, ssl=context)
        async with polite() as (client, _):
            with pytest.raises(FetchFailed) as failed:
                await client.send(f"https://{GOOD}:{server.sockets[0].getsockname()[1]}/", kind="page")
        server.close()
        assert failed.value.reason == "tls"
        assert asked == 0

    asyncio.run(run())


def test_a_deadline_covers_the_lookup_of_the_name() -> None:
    class Never(Names):
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> Any:
            await asyncio.sleep(60)

    async def run() -> None:
        async with polite(Never(lambda _: []), total_seconds=0.2) as (client, _):
            with pytest.raises(FetchFailed) as failed:
                await client.send("http://a.test/", kind="page")
            assert (failed.value.reason, failed.value.retryable) == ("timeout", True)

    asyncio.run(run())


def test_a_closed_client_dials_nobody() -> None:
    async def work(client: Client, server: Server) -> None:
        await client.close()
        with pytest.raises(FetchFailed):
            await client.send(server.url(), kind="page")

    assert talk(always(OK), work).dialled == 0


def test_who_stops_waiting_is_not_told_of_a_failure() -> None:
    async def silence(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def work(client: Client, server: Server) -> None:
        task = asyncio.create_task(client.send(server.url(), kind="page"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    talk(silence, work)
