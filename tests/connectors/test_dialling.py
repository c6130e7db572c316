from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from collections.abc import Sequence

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from connectors import dialling
from connectors.dialling import Forbidden, Guard, Resolver, SystemResolver, bad_ports


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "104.16.0.1",
        "192.0.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "223.255.255.254",
        "198.20.0.1",
        "2606:4700::1",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
        "2400:cb00::1",
        "::ffff:8.8.8.8",
    ],
)
def test_public_addresses_may_be_dialled(address: str) -> None:
    assert Guard().permits(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
        ),
        *("169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1"),
        *("192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255"),
        *("240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8", "fe80::1", "fec0::1"),
        *("fc00::1", "fdff::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1"),
        *("2001:db8::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2002:7f00:1::1", "2002:808:808::1"),
        *("3fff::1", "5f00::1", "4000::1", "2620:4f:8000::1", "2a00::5efe:10.0.0.1", "fd00:ec2::254"),
        *("fe80::1%eth0", "::1%lo", "2606:4700::1%1", "localhost", "", "127.1", "0177.0.0.1", "2130706433", "1.1.1.1."),
        *("1.1.1.1:80", "[::1]", " 1.1.1.1", "١.١.١.١"),
    ],
)
def test_all_else_may_not(address: str) -> None:
    assert not Guard().permits(address)


@given(st.integers(0, 2**32 - 1))
def test_nothing_is_permitted_that_python_calls_private(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert not Guard().permits(str(address))
        assert not Guard().permits(f"::ffff:{address}")


def test_a_block_may_be_allowed_but_metadata_and_multicast_only_by_their_own_name() -> None:
    guard = Guard(("127.0.0.0/8", "169.254.0.0/16", "fd00::/8", "0.0.0.0/0"))
    assert guard.permits("127.0.0.1")
    assert guard.permits("::ffff:127.0.0.1")
    assert guard.permits("169.254.1.1")
    assert guard.permits("fd00::1")
    for never in ("169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "fd00:ec2::254", "::1"):
        assert not guard.permits(never)
    assert Guard(("169.254.169.254/32",)).permits("169.254.169.254")


def test_a_gateway_may_be_allowed_and_still_carries_nobody_inside() -> None:
    guard = Guard(("64:ff9b::/96", "2002::/16"))
    assert guard.permits("64:ff9b::8.8.8.8")
    assert guard.permits("2002:808:808::1")
    assert not guard.permits("64:ff9b::127.0.0.1")
    assert not guard.permits("2002:a00:1::1")


def test_ports_of_other_services_are_refused() -> None:
    guard = Guard()
    for port in (0, 22, 25, 6379, 11211, 6000):
        assert port in bad_ports()
        with pytest.raises(Forbidden):
            guard.check("8.8.8.8", port)
    for port in (80, 443, 8080, 8443, 3000, 8000, 40_000):
        guard.check("8.8.8.8", port)


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 80)),
        (socket.AF_INET6, ("::1", 80, 0, 0)),
        (socket.AF_INET6, ("2606:4700::1", 80, 0, 3)),
        (socket.AF_UNIX, ("/run/docker.sock",)),
        (socket.AF_INET, ("8.8.8.8", 22)),
    ],
)
def test_no_socket_is_made_for_what_may_not_be_dialled(family: int, address: tuple[object, ...]) -> None:
    with pytest.raises(Forbidden):
        Guard().socket((family, socket.SOCK_STREAM, 0, "", address))


# -- names -----------------------------------------------------------------------------------------------------------


class Answers(AbstractResolver):
    def __init__(self, answers: dict[str, Sequence[str]], seconds: float = 0.0) -> None:
        self.answers, self.seconds, self.asked = answers, seconds, list[str]()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked.append(host)
        await asyncio.sleep(self.seconds)
        return [ResolveResult(hostname=host, host=a, port=0, family=0, proto=0, flags=0) for a in self.answers[host]]

    async def close(self) -> None:
        pass


def hosts(found: list[ResolveResult]) -> list[str]:
    return [row["host"] for row in found]


def test_only_permitted_addresses_of_a_name_are_told() -> None:
    async def work() -> None:
        resolver = Resolver(Guard(), Answers({"a": ["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"], "b": ["127.0.0.1"]}))
        found = await resolver.resolve("a", 443)
        assert [(row["host"], row["port"], row["family"]) for row in found] == [
            ("8.8.8.8", 443, socket.AF_INET),
            ("2606:4700::1", 443, socket.AF_INET6),
        ]
        with pytest.raises(Forbidden):
            await resolver.resolve("b", 443)

    asyncio.run(work())


def test_a_name_is_asked_for_once_by_many_and_remembered_a_while() -> None:
    async def work() -> None:
        inner = Answers({"a": ["8.8.8.8"], "none": []}, seconds=0.01)
        resolver = Resolver(Guard(), inner, seconds=0.1)
        found = await asyncio.gather(*(resolver.resolve("a", port) for port in (80, 443) * 10))
        assert {row["port"] for rows in found for row in rows} == {80, 443}
        for _ in range(3):
            with pytest.raises(socket.gaierror):
                await resolver.resolve("none", 80)
        assert inner.asked == ["a", "none"]
        await asyncio.sleep(0.15)
        await resolver.resolve("a", 80)
        assert inner.asked == ["a", "none", "a"]

    asyncio.run(work())


def test_who_gives_up_does_not_end_the_question_for_others() -> None:
    async def work() -> None:
        resolver = Resolver(Guard(), Answers({"a": ["8.8.8.8"]}, seconds=0.02))
        first, second = (asyncio.create_task(resolver.resolve("a", 80)) for _ in range(2))
        await asyncio.sleep(0.005)
        first.cancel()
        assert hosts(await second) == ["8.8.8.8"]

    asyncio.run(work())


def test_names_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "REMEMBERED", 20)

    async def work() -> None:
        names = {f"n{n}": [f"8.8.{n}.8"] for n in range(100)}
        guard = Guard()
        resolver = Resolver(guard, Answers(dict(names)))
        for name in names:
            await resolver.resolve(name, 80)
        assert len(resolver._known) == len(guard._verdicts) == 20

    asyncio.run(work())


def test_dead_names_do_not_hold_up_living_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """More dead names than threads for them: once they are known for slow, they wait among themselves."""
    monkeypatch.setattr(dialling, "THREADS", 8)
    monkeypatch.setattr(SystemResolver, "SLOW", 0.05)
    end = threading.Event()

    def lookup(name: str) -> list[str]:
        if name.startswith("dead"):
            end.wait(0.1)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return ["8.8.8.8"]

    async def work() -> None:
        resolver = SystemResolver(lookup)
        dead = [f"dead{n}" for n in range(24)]
        await asyncio.gather(*(resolver.resolve(name) for name in dead), return_exceptions=True)
        tasks = [asyncio.create_task(resolver.resolve(name)) for name in dead * 3]
        await asyncio.sleep(0.01)
        began = time.perf_counter()
        assert [hosts(await resolver.resolve(f"alive{n}")) for n in range(20)] == [["8.8.8.8"]] * 20
        assert time.perf_counter() - began < 0.1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        end.set()
        await resolver.close()

    asyncio.run(work())


@pytest.mark.parametrize("name", ["nothing.invalid", "a..b", ".", "a" * 64 + ".test", "é.test", "a b", "-", "%00"])
def test_what_is_no_name_is_an_ordinary_failure(name: str) -> None:
    async def work() -> None:
        resolver = SystemResolver()
        with pytest.raises(OSError):  # noqa: PT011
            await asyncio.wait_for(resolver.resolve(name), 10)
        await resolver.close()

    asyncio.run(work())


def test_a_hanging_lookup_does_not_hold_up_the_end() -> None:
    end = threading.Event()

    def lookup(_: str) -> list[str]:
        end.wait(20)
        return []

    async def work() -> None:
        resolver = SystemResolver(lookup)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve("a"), 0.05)
        await resolver.close()

    began = time.perf_counter()
    asyncio.run(work())
    assert time.perf_counter() - began < 5
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "names")
    end.set()
