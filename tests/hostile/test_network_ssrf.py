"""No spelling of an address, no redirect and no lie of a resolver leads to a machine that must not be dialled."""

from __future__ import annotations

import asyncio
import functools
import random
from typing import get_args

import pytest

import connectors.http
from connectors.dialling import Resolver
from connectors.responses import FetchFailed, Kind
from tests.hostile.network import CANARY, GOOD, MISSING, OK, Names, Request, always, polite, serving

KINDS: tuple[Kind, ...] = get_args(Kind)

#: Addresses in which :P stands for the canary's port. Each leads, in one reading or another, where nobody may go.
SPELLINGS = [
    # one address, many spellings
    "http://127.0.0.1:P/",
    "http://2130706433:P/",
    "http://0x7f000001:P/",
    "http://0x7F.0x0.0x0.0x1:P/",
    "http://017700000001:P/",
    "http://0177.0.0.1:P/",
    "http://0177.0.0.01:P/",
    "http://00000177.00.00.01:P/",
    "http://127.1:P/",
    "http://127.0.1:P/",
    "http://0x7f.1:P/",
    "http://0177.0x1:P/",
    "http://127.0.0.1.:P/",
    "http://%31%32%37.0.0.1:P/",
    "http://127%2e0%2e0%2e1:P/",
    "http://①②⑦.⓪.⓪.①:P/",
    "http://１２７.０.０.１:P/",
    "http://127。0。0。1:P/",
    "http://127．0．0．1:P/",
    "http://127｡0｡0｡1:P/",
    "http://127\u00ad.0.0.1:P/",
    "http://127.0.0.1\t:P/",
    "http://127.0\n.0.1:P/",
    "\r\n http://127.0.0.1:P/ \t",
    "HTTP://127.0.0.1:P/",
    "hTtP:127.0.0.1:P/",
    "http:\\\\127.0.0.1:P\\",
    "http:////127.0.0.1:P/",
    "http:/127.0.0.1:P/",
    "http://0:P/",
    "http://0.0.0.0:P/",
    "http://0x0:P/",
    "http://127.255.255.254:P/",
    "http://127.0.0.1:0000P/",
    # in version 6
    "http://[::1]:P/",
    "http://[0:0:0:0:0:0:0:1]:P/",
    "http://[0000:0000::0001]:P/",
    "http://[::]:P/",
    "http://[::ffff:127.0.0.1]:P/",
    "http://[::FFFF:7F00:1]:P/",
    "http://[::ffff:0:127.0.0.1]:P/",
    "http://[::127.0.0.1]:P/",
    "http://[64:ff9b::127.0.0.1]:P/",
    "http://[64:ff9b:1::7f00:1]:P/",
    "http://[2002:7f00:1::]:P/",
    "http://[2001:0:7f00:1::80ff:fffe]:P/",
    "http://[2a00::5efe:127.0.0.1]:P/",
    "http://[fe80::1]:P/",
    "http://[fe80::1%25lo]:P/",
    "http://[::1%25lo]:P/",
    "http://[fec0::1]:P/",
    "http://[fc00::1]:P/",
    "http://[ff02::1]:P/",
    # credentials and separators that readers disagree about
    "http://reader:secret@127.0.0.1:P/",
    "http://good.test@127.0.0.1:P/",
    "http://good.test:80@127.0.0.1:P/",
    "http://good.test%20@127.0.0.1:P/",
    "http://good.test\\@127.0.0.1:P/",
    "http://127.0.0.1:P\\@good.test/",
    "http://127.0.0.1:P#@good.test/",
    "http://127.0.0.1:P?@good.test/",
    "http://good.test#@127.0.0.1:P/",
    "http://good.test?@127.0.0.1:P/",
    "http://good.test/@127.0.0.1:P/",
    "http://1.1.1.1 &@127.0.0.1:P# @good.test/",
    "http://127.0.0.1:P:80/",
    # names
    "http://localhost:P/",
    "http://LOCALHOST.:P/",
    "http://anything.localhost:P/",
    "http://inside.test:P/",
    "http://INSIDE.test.:P/",
    "http://inside6.test:P/",
    "http://mapped.test:P/",
    "http://zone.test:P/",
    "http://both.test:P/",
    "http://unspecified.test:P/",
    "http://metadata.test/latest/meta-data/",
    "http://ìnsìde.test:P/",  # a homograph that resolves inside
    "http://xn--nsde-eqab.test:P/",
    "http://ｉｎｓｉｄｅ.test:P/",
    "http://مثال.test:P/",
    # other networks and services that are not the web
    "http://10.0.0.1/",
    "http://172.16.0.1:8080/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://203.0.113.7/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:6379/",
    "http://8.8.8.8:25/",
    "https://127.0.0.1:P/",
    # other schemes
    "file:///etc/passwd",
    "file://127.0.0.1:P/etc/passwd",
    "gopher://127.0.0.1:P/_GET%20/",
    "ftp://127.0.0.1:P/",
    "dict://127.0.0.1:P/",
    "ldap://127.0.0.1:P/",
    "ws://127.0.0.1:P/",
    "tftp://127.0.0.1:P/",
    "data:text/html,hello",
    "javascript:fetch('http://127.0.0.1:P/')",
    "blob:http://127.0.0.1:P/1",
    "view-source:http://127.0.0.1:P/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "jar:http://127.0.0.1:P!/a",
    "//127.0.0.1:P/",
    "127.0.0.1:P",
    "http://",
    "http://:P/",
    "http://.:P/",
    "http://a..b:P/",
    "http://" + "a" * 64 + ".test:P/",
    "http://" + "a." * 200 + "test:P/",
    "http://127.0.0.1\x00.good.test:P/",
    "",
    "\ud800",
]

REFUSALS = {"bad-url", "forbidden-address", "dns"}
INSIDE = {
    "inside.test": ["127.0.0.1"],
    "inside6.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "zone.test": ["fe80::1%1"],
    "both.test": ["127.0.0.1", "10.0.0.1"],
    "unspecified.test": ["0.0.0.0", "::"],
    "metadata.test": ["169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
    "anything.localhost": ["127.0.0.1"],
    "start.test": [GOOD],
}


def inside(name: str) -> list[str]:
    """Names of the table, and every international name, which stands for a homograph of one of them."""
    return INSIDE.get(name, ["127.0.0.1"] if name.startswith("xn--") else [])


@pytest.fixture(autouse=True)
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that a socket was about to be connected to."""
    addresses: list[object] = []
    connect = asyncio.SelectorEventLoop.sock_connect

    async def watched(self: asyncio.SelectorEventLoop, sock: object, address: tuple[str, int]) -> None:
        addresses.append(address[0])
        await connect(self, sock, address)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", watched)
    return addresses


def test_the_list_is_long_enough_and_holds_nothing_twice() -> None:
    assert len(set(SPELLINGS)) == len(SPELLINGS) >= 60


@pytest.mark.parametrize("kind", KINDS)
def test_no_spelling_of_an_address_inside_is_dialled(kind: Kind, dialled: list[object]) -> None:
    async def ask() -> None:
        async with serving(always(OK), CANARY) as canary, polite(Names(inside)) as (client, guest):
            for spelling in SPELLINGS:
                url = spelling.replace(":P", f":{canary.port}")
                for get in (client.send, guest.get):
                    with pytest.raises(FetchFailed) as failed:
                        await get(url, kind=kind)
                    assert failed.value.reason in REFUSALS, url
            assert canary.dialled == 0
        assert dialled == []

    asyncio.run(ask())


@pytest.mark.parametrize("kind", KINDS)
def test_no_redirect_leads_inside(kind: Kind, dialled: list[object]) -> None:
    async def ask() -> None:
        to = ""

        async def lead(request: Request, writer: asyncio.StreamWriter) -> None:
            if request.path == "/robots.txt":
                return writer.write(MISSING)
            return writer.write(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % to.encode())

        async with (
            serving(always(OK), CANARY) as canary,
            serving(lead) as good,
            polite(Names(inside)) as (_, guest),
        ):
            for spelling in SPELLINGS:
                if any(c in spelling for c in "\r\n\x00\ud800"):  # no header can hold it
                    continue
                to = spelling.replace(":P", f":{canary.port}")
                with pytest.raises(FetchFailed) as failed:
                    await guest.get(good.url("/a", "start.test"), kind=kind)
                assert failed.value.reason in REFUSALS | {"redirects"}, to
            assert canary.dialled == 0
        assert set(dialled) == {GOOD}

    asyncio.run(ask())


def test_a_robots_txt_that_leads_inside_is_not_followed_and_does_not_close_the_host(dialled: list[object]) -> None:
    async def ask() -> None:
        async with serving(always(OK), CANARY) as canary:

            async def lead(request: Request, writer: asyncio.StreamWriter) -> None:
                if request.path == "/robots.txt":
                    writer.write(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: ")
                    writer.write(canary.url("/robots.txt", CANARY).encode() + b"\r\n\r\n")
                else:
                    writer.write(OK)

            async with serving(lead) as good, polite() as (_, guest):
                assert (await guest.get(good.url("/a"), kind="page")).body == b"hello"
            assert canary.dialled == 0
        assert set(dialled) == {GOOD}

    asyncio.run(ask())


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_changes_its_address_a_thousand_times_never_leads_inside(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, dialled: list[object]
) -> None:
    monkeypatch.setattr(connectors.http, "Resolver", functools.partial(Resolver, seconds=0.0))
    chance = random.Random(5)
    ways = [[GOOD], [CANARY], [GOOD, CANARY], [CANARY, GOOD], ["::1"], ["::ffff:127.0.0.1", GOOD], ["0.0.0.0"]]
    ways += [["localhost"], ["127.1"], ["2130706433", GOOD], ["fe80::1%lo"], ["::ffff:127.0.0.2"]]
    said: list[list[str]] = []

    def flip(_: str) -> list[str]:
        said.append(chance.choice(ways))
        return said[-1]

    close = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MISSING if request.path == "/robots.txt" else close)
        await writer.drain()
        writer.close()

    async def ask() -> None:
        answered = 0
        async with serving(always(OK), CANARY) as canary, serving(answer, port=canary.port) as good:
            async with polite(Names(flip)) as (client, _):
                for _ in range(1_000):
                    before = len(said)
                    try:
                        reason = str((await client.send(good.url("/", "flips.test"), kind=kind)).status)
                    except FetchFailed as e:
                        reason = e.reason
                    told = {address for way in said[before:] for address in way}
                    assert reason == ("200" if told & {GOOD, "::ffff:127.0.0.2"} else "forbidden-address")
                    answered += reason == "200"
            assert canary.dialled == 0
            assert good.dialled == answered > 300
        assert len(said) == 1_000
        assert set(dialled) <= {GOOD, "::ffff:127.0.0.2"}

    asyncio.run(ask())


def test_nothing_that_would_lead_around_the_guard_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask() -> None:
        async with serving(always(OK), CANARY) as canary, serving(always(OK)) as good:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, canary.url("/", CANARY))
            async with polite() as (_, guest):
                assert (await guest.get(good.url(), kind="page")).status == 200
            assert canary.dialled == 0

    asyncio.run(ask())
