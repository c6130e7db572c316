"""`rasd newsroom`: a small newsroom on loopback, to try `rasd run` without asking anything of anybody."""

from __future__ import annotations

import contextlib
import shlex
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.context import flush, put, say
from pipeline.errors import RasdError, StorageError

if TYPE_CHECKING:
    from connectors.newsroom.cast import Plan
    from connectors.newsroom.server import Access
    from connectors.newsroom.world import World

FOLDER = Path("rasd-newsroom")
LIST = "feeds.toml"
SETTINGS = "rasd.toml"
HEAD = "# A simulated newsroom: written anew by every `rasd newsroom`.\n\n"
MOST_STORIES = 30_000  # in all: enough for a long demonstration, made within two seconds
LONGEST_DAYS = 7.0  # of real time, after which nothing new is published
POLL = (5.0, 60.0)  # minutes between two polls of a feed, at least and at most, at speed 1
HOST_DELAY = 1.0
SHOWN = 8  # outlets whose addresses are shown


def newsroom(
    feeds: Annotated[int, typer.Option("--feeds", min=1, max=500, help="Feeds in all.")] = 12,
    hosts: Annotated[int, typer.Option("--hosts", min=1, max=100, help="Outlets; each has a port of its own.")] = 4,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_000, help="The first outlet's port; 0 takes free ones.")
    ] = 8_600,
    speed: Annotated[
        float, typer.Option("--speed", min=1.0, max=5_000.0, help="Everything happens so many times faster.")
    ] = 60.0,
    seed: Annotated[int, typer.Option("--seed", help="Another number, another world.")] = 1,
    calm: Annotated[
        bool, typer.Option("--calm", help="No breakdowns, limits, moves or deletions; articles are still edited.")
    ] = False,
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Folder for the list of feeds and settings.")
    ] = FOLDER,
) -> None:
    """Serve a small simulated newsroom on 127.0.0.1 until stopped (Ctrl-C), and say how to poll it.

    Its outlets publish, correct, re-date, move and delete articles in Arabic and English; their feeds come in all
    dialects, limit, redirect, break and recover.

    Examples:

      rasd newsroom

      rasd newsroom --speed 600 --feeds 40 --hosts 10 --calm
    """
    import asyncio

    from connectors.newsroom.cast import Plan
    from connectors.newsroom.world import World

    ports = _ports(port, hosts)
    days = min(LONGEST_DAYS, MOST_STORIES / (Plan().per_day * speed * feeds))
    plan = Plan(
        seed=seed,
        hosts=hosts,
        feeds=feeds,
        start=float(int(time.time())),
        days=days,
        pace=speed,
        authorities=tuple(f"127.0.0.1:{p}" for p in ports),
        calm=calm,
    )
    world = World(plan)
    files = {into / LIST: _list(world), into / SETTINGS: _settings(plan)}
    _look_at(files)

    def ready() -> None:
        _write(files)
        for line in _welcome(plan, into):
            put(line)
        flush()

    asyncio.run(_serve(world, ports, ready))


def _ports(first: int, number: int) -> list[int]:
    """Ports to listen on. Raises: RasdError where they would be too high."""
    if first:
        if first + number > 65_536:
            raise RasdError(f"no {number} ports from {first} on", reason="no-port")
        return list(range(first, first + number))
    with contextlib.ExitStack() as stack:
        tried = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in tried:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in tried]


def _list(world: World) -> str:
    """The list of its feeds."""
    from connectors.feedfile import as_toml
    from connectors.feedlist import Feed

    pace = world.plan.pace
    listed = [
        Feed(
            url=world.url(feed),
            name=feed.key,
            outlet=world.outlets[feed.outlet].name,
            kind="sitemap" if feed.dialect in ("news", "news-gz", "index") else "feed",
            language=world.outlets[feed.outlet].language,
            min_minutes=max(0.05, round(POLL[0] / pace, 2)),
            max_minutes=max(1.0, round(POLL[1] / pace, 2)),
        )
        for feed in world.feeds
    ]
    return "\n".join(map(as_toml, listed))


def _settings(plan: Plan) -> str:
    """Settings to poll it with: waits that are not in the list of feeds become shorter with the pace too."""
    spans = ", ".join(f'"{max(1, round(hours * 3_600 / plan.pace))}s"' for hours in (1, 6, 24, 72))
    return f"""\
[data]
dir = "data"

[fetch]
allow_private = ["127.0.0.0/8"]
host_delay = {max(0.02, HOST_DELAY / plan.pace):.2g}

[feeds]
file = "{LIST}"
recheck = [{spans}]
"""


def _look_at(files: Iterable[Path]) -> None:
    """Raises: StorageError for a file that is there and was not made here."""
    for file in files:
        if file.exists() and not file.read_text("utf-8", "replace").startswith(HEAD.strip()):
            raise StorageError(f"{file} exists and was not made by `rasd newsroom`: choose another folder with --into")


def _write(files: Mapping[Path, str]) -> None:
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + text, "utf-8")


def _welcome(plan: Plan, into: Path) -> Iterator[str]:
    minutes = plan.days * 1_440
    span = f"{minutes / 60:.0f} hours" if minutes >= 120 else f"{max(1, int(minutes))} min"
    yield f"{plan.feeds} feeds of {plan.hosts} outlets, {plan.pace:g} times faster than life, for {span}:"
    for number, authority in enumerate(plan.authorities[:SHOWN]):
        yield f"  http://{authority}/" + ("   (its front page names its feeds)" if number == 0 else "")
    if plan.hosts > SHOWN:
        yield f"  and {plan.hosts - SHOWN} more"
    settings = f"--config {shlex.quote(str(into / SETTINGS))}"
    yield ""
    yield f"{into / LIST} lists them, {SETTINGS} beside it allows to poll them. In another terminal, in this folder:"
    yield f"  rasd run {settings}"
    yield f"  rasd feeds doctor {settings}"
    yield f"  rasd tail events -f {settings}"
    yield ""
    yield "Requests are shown below as they come; stop with Ctrl-C."


async def _serve(world: World, ports: list[int], ready: Callable[[], None]) -> None:
    """Until SIGINT or SIGTERM; `ready` is called once it listens. Raises: RasdError for a port that is taken."""
    import asyncio

    from connectors.newsroom.server import Newsroom

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    room = Newsroom(world, time.time, watch=_show)
    try:
        try:
            await room.listen(ports)
        except OSError as e:
            raise RasdError(f"cannot listen: {e.strerror or e}; try another --port", reason="no-port") from e
        ready()
        await stop.wait()
    finally:
        await room.close()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signum)
    say(f"stopped after {room.served:,} requests")


def _show(access: Access) -> None:
    from pipeline.telemetry import escape

    told = access.trouble or (f"revision {access.revision}" if access.revision and access.status == 200 else "")
    say(f"{access.status} {access.kind:<6} {escape(access.host)}{escape(access.target)[:80]} {told}".rstrip())
