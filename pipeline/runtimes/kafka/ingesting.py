"""What the poller and the fetcher on Kafka have in common: a process with sockets in an event loop, its way to the
brokers, and its end.

Asked to stop, it finishes what is under way as far as that goes within `worker.drain_seconds`, whether brokers answer
or not; the rest is done again by the next run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp.abc import AbstractResolver

from connectors.clock import Clock, SystemClock
from pipeline.config import Config
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.producer import Producer
from pipeline.pool import Pool
from pipeline.runtimes.ingest import new_loop
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.publishing import Publishing
from pipeline.runtimes.live import rarely_collect
from pipeline.runtimes.reading import reading_pool

log = logging.getLogger("rasd.live")

TIDY_SECONDS = 2.0  # of the time to drain, kept for closing what is open
LOOK_SECONDS = 0.1  # between two looks at whether it is asked to stop
SAY_SECONDS = 60.0  # between two lines on how it goes
GIVE_UP_SECONDS = 0.5  # for acknowledgements at the very end


@dataclass(frozen=True, slots=True)
class Grounds:
    """What such a process stands on. resolver: for tests."""

    config: Config
    cluster: Cluster
    health: Health
    publish: Publishing
    pool: Pool
    clock: Clock
    resolver: AbstractResolver | None = None


@dataclass(slots=True)
class Watched:
    """What is told of it meanwhile. says: one line on how it goes. alive: False if a part of it hangs."""

    says: Callable[[], str] = lambda: "starting"
    alive: Callable[[], bool] = lambda: True


Work = Callable[[Grounds, Watched, asyncio.Event], Coroutine[Any, Any, None]]


def run_process(
    config: Config,
    service: str,
    work: Work,
    stop: threading.Event,
    *,
    clock: Clock | None = None,
    resolver: AbstractResolver | None = None,
) -> None:
    """Runs `work` until it ends or `stop` is set. service: what the process is called ("fetcher").

    Raises: ConfigError, StorageError, and what `work` raises.
    """
    cluster = cluster_of(config)
    over = threading.Event()  # from then on nobody waits for brokers
    with contextlib.ExitStack() as stack:
        health = stack.enter_context(Health(config.worker.health, service))
        pool = reading_pool(config)
        stack.callback(pool.close)
        producer = Producer(cluster, stop=over)
        stack.callback(producer.close, GIVE_UP_SECONDS)
        publish = Publishing(producer, health, service, config.log.max_record_bytes)
        stack.callback(publish.close)
        stack.callback(over.set)
        rarely_collect()
        grounds = Grounds(config, cluster, health, publish, pool, clock or SystemClock(), resolver)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_until_stopped(work, grounds, stop))


async def _until_stopped(work: Work, grounds: Grounds, stop: threading.Event) -> None:
    asked, watched = asyncio.Event(), Watched()
    running = asyncio.ensure_future(work(grounds, watched, asked))
    spoke = time.monotonic()
    while not (running.done() or stop.is_set()):
        await asyncio.wait({running}, timeout=LOOK_SECONDS)
        if watched.alive():
            grounds.health.beat()
        if time.monotonic() - spoke > SAY_SECONDS:
            spoke = time.monotonic()
            log.info("%s", watched.says())
    grounds.health.ready = False
    asked.set()
    await asyncio.wait({running}, timeout=max(0.2, grounds.config.worker.drain_seconds - TIDY_SECONDS))
    if not running.done():
        log.warning("what was under way is left for the next run")
        running.cancel()
        await asyncio.wait({running}, timeout=TIDY_SECONDS / 2)
    if running.done() and not running.cancelled():
        running.result()
