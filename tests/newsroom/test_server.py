from __future__ import annotations

import asyncio
from pathlib import Path

from connectors.newsroom.cast import HOUR, Plan
from connectors.newsroom.clock import SimulatedClock
from connectors.newsroom.server import Access, Newsroom, read_plan, write_plan
from connectors.newsroom.world import World
from tests.newsroom.loopback import Served

PLAN = Plan(hosts=20, feeds=60, days=3.0)


async def ask(port: int, host: str, target: str, *headers: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{h}\r\n" for h in (f"Host: {host}", "Connection: close", *headers))
    writer.write(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode())
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


def exchange(world: World, time: float, *requests: tuple[str, ...]) -> tuple[list[bytes], list[Access]]:
    seen: list[Access] = []

    async def main() -> list[bytes]:
        room = Newsroom(world, lambda: time, watch=seen.append)
        (port,) = await room.listen([0])
        answers = []
        for request in requests:
            try:
                answers.append(await ask(port, *request))
            except ConnectionResetError:
                answers.append(b"reset")
        await room.close()
        return answers

    return asyncio.run(main()), seen


def test_a_feed_is_served_once_and_then_called_unchanged() -> None:
    world = World(PLAN)
    time = PLAN.start + HOUR
    feed = next(f for f in world.feeds if f.validators == "etag" and not f.barred)
    outlet = world.outlets[feed.outlet]
    (first,), _ = exchange(world, time, (outlet.host, feed.path))
    head, _, body = first.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == world.visible(outlet.host, feed.path, time).body
    etag = next(line for line in head.decode().split("\r\n") if line.startswith("ETag: "))[6:]
    (again,), (access,) = exchange(world, time, (outlet.host, feed.path, f"If-None-Match: {etag}"))
    assert again.startswith(b"HTTP/1.1 304")
    assert (access.status, access.kind, access.key, access.conditional) == (304, "feed", feed.key, True)
    assert access.complete


def test_a_host_that_limits_answers_429_as_long_as_it_said() -> None:
    world = World(PLAN)
    outlet = next(o for o in world.outlets if o.limit and not o.phases)
    (first, second, third), seen = exchange(world, PLAN.start + HOUR, *[(outlet.host, "/")] * 3)
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 429")
    assert b"Retry-After: " in second
    assert third.startswith(b"HTTP/1.1 429")
    assert [a.status for a in seen] == [200, 429, 429]
    assert seen[1].wait > 0


def test_troubles_reach_the_socket() -> None:
    world = World(PLAN)
    got = {}
    for outlet in world.outlets:
        for phase in outlet.phases:
            ((answer,), _) = exchange(world, phase.begin + 1, (outlet.host, "/"))
            got[phase.trouble] = answer
    for feed in world.feeds:
        for phase in feed.phases:
            if phase.trouble not in got and not (feed.gone and feed.gone <= phase.begin):
                ((answer,), _) = exchange(world, phase.begin + 1, (world.outlets[feed.outlet].host, feed.path))
                got[phase.trouble] = answer
    assert got["reset"] in (b"", b"reset")
    head, _, body = got["cut"].partition(b"\r\n\r\n")
    length = next(int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))
    assert 0 < len(body) < length
    assert got["error"].startswith(b"HTTP/1.1 500")
    assert got["busy"].startswith(b"HTTP/1.1 503")
    assert got["empty"].endswith(b"\r\n\r\n")


def test_the_server_process_sees_the_clock_of_its_client_and_keeps_its_log(tmp_path: Path) -> None:
    plan = Plan(hosts=3, feeds=6, days=1.0, calm=True)
    with Served(plan, tmp_path) as served:
        world = World(served.plan)
        clock = SimulatedClock(served.clock_file, plan.start)
        host, path = world.outlets[0].host, world.feeds[0].path
        early = asyncio.run(ask(served.port, host, path))
        clock.pass_time(12 * HOUR)
        late = asyncio.run(ask(served.port, host, path))
        assert early.split(b"\r\n\r\n", 1)[1] == world.visible(host, path, plan.start).body
        assert late.split(b"\r\n\r\n", 1)[1] == world.visible(host, path, plan.start + 12 * HOUR).body
        assert served.in_flight == 0
        accesses = served.accesses()
    assert [a.time for a in accesses] == [plan.start, plan.start + 12 * HOUR]
    assert [a.key for a in accesses] == [world.feeds[0].key] * 2


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = Plan(seed=7, hosts=2, feeds=3, authorities=("127.0.0.1:81", "127.0.0.1:82"))
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
