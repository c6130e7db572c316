"""The real live runtime over a simulated newsroom, as a process that can be killed.

    python -m tests.newsroom.driver ROOM DATA DAYS

ROOM is the folder of a `loopback.Served`; its clock goes on where it stands, a few seconds later. The flow is the real
one with a stand-in for extraction. Ends after DAYS of simulated time.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from dataclasses import replace
from pathlib import Path

from connectors.feedlist import Feed
from connectors.newsroom.cast import DAY
from connectors.newsroom.cast import Feed as Simulated
from connectors.newsroom.clock import SimulatedClock
from connectors.newsroom.server import read_plan
from connectors.newsroom.world import World
from connectors.sinks import SINKS
from pipeline.config import Config, DataSettings, FetchSettings, LogSettings, RunSettings
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.runtimes.embedded import Embedded
from pipeline.runtimes.ingest import Ingest
from pipeline.runtimes.live import Live
from pipeline.runtimes.local import runner_lock, stop_on_signals
from pipeline.runtimes.reading import reading_pool
from tests.fakes import FAKE_FLOW
from tests.newsroom.loopback import Loopback

RESTART = 3.0  # simulated seconds between a kill and the next start


def settings(data: Path) -> Config:
    """As a user has them, but for the loopback and the disk."""
    return Config(
        data=DataSettings(dir=str(data)),
        log=LogSettings(synchronous="normal"),  # kills, not power cuts
        run=RunSettings(processes=1),  # time stands still while a page is read: a second process would only wait
        fetch=replace(FetchSettings(), allow_private=("127.0.0.0/8",), total_seconds=10.0),
    )


def listed(world: World) -> list[Feed]:
    return [_listed(world, feed) for feed in world.feeds]


def _listed(world: World, feed: Simulated) -> Feed:
    outlet = world.outlets[feed.outlet]
    return Feed(
        url=world.url(feed),
        name=f"{feed.key}",
        outlet=outlet.name,
        kind="sitemap" if feed.dialect in ("news", "news-gz", "index") else "feed",
        language=outlet.language,
    )


def run(room: Path, data: Path, days: float) -> None:
    """Until the simulated end. Raises what ends the runtime."""
    plan = read_plan(room / "plan.json")
    clock = SimulatedClock(room / "clock", plan.start)
    if clock.now() > plan.start:
        clock.pass_time(RESTART)
    data.mkdir(parents=True, exist_ok=True)
    config = settings(data)
    pool, readers = Pool(1), reading_pool(config)
    ingest = Ingest(config, listed(World(plan)), readers, clock, resolver=Loopback())

    async def for_a_while(live: Live, stop: asyncio.Event) -> None:
        async def end() -> None:
            await clock.sleep_until(plan.start + days * DAY)
            stop.set()

        ending = asyncio.create_task(end())
        await ingest(live, stop)
        await ending

    with stop_on_signals() as stop, runner_lock(data) as alone:
        if not alone:
            raise SystemExit("the killed process still holds its lock")
        store = SqliteLog(config.log_file, synchronous="normal")
        runtime = Embedded(store, [SINKS["sqlite"](config)], pool, flow=FAKE_FLOW, stop=stop)
        counts = runtime.run(Live(for_a_while, clock=clock))
        pool.close()
        readers.close()
        store.close()
        print(counts, file=sys.stderr)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    gc.freeze()
    run(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
