"""The worker as a process: its stages, signals, health.

All stages live in one loop: Faust's consumers run in threads of their own and heavy work in the pool, so a process per
stage would only cost memory.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.errors import KafkaError

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.flow import Stage, flow_of, loaded
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.pool import Pool
from pipeline.runtimes.kafka.faust_engine import Place
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.state_changelog import ensure_changelog
from pipeline.runtimes.kafka.worker_place import place_of
from pipeline.runtimes.kafka.worker_sender import topics_there
from pipeline.runtimes.kafka.worker_stage import LEAVE_SECONDS, TOPICS_SECONDS, StageRunner
from pipeline.telemetry import hush
from pipeline.topics import EVENTS, REJECTS, UNIQUE, VERDICTS

log = logging.getLogger("rasd.worker")
LOOK_SECONDS = 0.2
AGAIN_SECONDS = 1.0  # before brokers that went away are asked again
PROGRESS_SECONDS = 30.0
LAG_SECONDS = 2.0


@dataclass(slots=True)
class Done:
    """What a worker did, by stage: what messages came to, and how often it began anew."""

    seconds: float = 0.0
    what: dict[str, Counter[str]] = field(default_factory=dict)
    crashes: int = 0
    clean: bool = True


def stages_named(config: Config, names: Sequence[str]) -> list[Stage]:
    """The stages of those names, all if none is given. Raises: ConfigError."""
    flow = flow_of(dt.timedelta(days=config.dedupe.window_days))
    unknown = set(names) - {s.name for s in flow}
    if unknown:
        there = ", ".join(s.name for s in flow)
        raise ConfigError("--stages", None, f"no stage {', '.join(sorted(unknown))}; there are {there}")
    return [s for s in flow if not names or s.name in names]


def run_worker(config: Config, names: Sequence[str] = (), *, until_idle: float | None = None) -> Done:
    """Runs stages of the flow until told to stop (SIGTERM, Ctrl-C; a second one ends at once).

    until_idle: ends by itself when nothing came for so many seconds. Whoever calls this should end the process soon
    after: threads of libraries may wait for a broker that is away.
    Raises: ConfigError, RasdError if topics are missing or a stage crashes again and again; StorageError if the folder
    is in use.
    """
    cluster, stages = cluster_of(config), stages_named(config, names)
    _quieten()
    with place_of(config) as place, Health(config.worker.health, "worker") as health:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        worker = Worker(config, cluster, stages, place, health, until_idle)
        try:
            return loop.run_until_complete(worker.run())
        finally:
            worker.close()


class Worker:
    """The stages of one process, in one loop."""

    def __init__(
        self,
        config: Config,
        cluster: Cluster,
        stages: Sequence[Stage],
        place: Place,
        health: Health,
        until_idle: float | None,
    ) -> None:
        self.config, self.cluster, self.place, self.health = config, cluster, place, health
        self.until_idle = until_idle
        self.stop = asyncio.Event()
        self.gazetteer = Path(config.extract.gazetteer) if config.extract.gazetteer else None
        self.pools: list[Pool] = []
        self.stages = [StageRunner(self, stage) for stage in stages]
        self.done = Done()
        self.limit: threading.Timer | None = None

    async def run(self) -> Done:
        begin = time.monotonic()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked)
        names = ", ".join(s.stage.name for s in self.stages)
        log.info(
            "worker %s runs %s on %s, topics %s*, state in %s",
            self.place.instance, names, ",".join(self.cluster.servers), self.cluster.prefix, self.place.folder,
        )  # fmt: skip
        if not await self.or_stop(self._topics()):
            return self.done
        tasks = [asyncio.create_task(s.run()) for s in self.stages]
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.gather(*tasks)
        finally:
            self.stop.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            watch.cancel()
            self.done.seconds = time.monotonic() - begin
            self.done.what = {s.stage.name: s.what for s in self.stages}
            self.done.crashes = sum(s.crashes for s in self.stages)
            self.done.clean = all(s.clean for s in self.stages)
        return self.done

    def close(self) -> None:
        for pool in self.pools:
            pool.close()

    def pool_for(self, stage: Stage) -> Pool | None:
        if not stage.pooled:
            return None
        pool = Pool(self.config.run.processes, prepare=functools.partial(loaded, stage, self.gazetteer))
        self.pools.append(pool)
        return pool

    def _asked(self) -> None:
        if self.stop.is_set():
            log.warning("ending at once")
            os._exit(130)
        log.info("stopping: finishing what is under way")
        self.stop.set()
        # Nothing is lost by ending early, whatever hangs: a broker, a thread of a library.
        self.limit = threading.Timer(self.config.worker.drain_seconds + LEAVE_SECONDS, os._exit, (0,))
        self.limit.daemon = True
        self.limit.start()

    async def _topics(self) -> None:
        needed = {s.stage.reads.name for s in self.stages} | {REJECTS.name}
        for s in self.stages:
            needed |= {VERDICTS.name, UNIQUE.name} if s.stage.view is not None else {EVENTS.name}
        while True:
            partitions = await topics_there(self.cluster, sorted(needed), TOPICS_SECONDS)
            try:
                for s in self.stages:
                    if s.stage.view is not None:
                        await ensure_changelog(self.config, self.cluster, s.stage, partitions[s.stage.reads.name])
                return
            except (KafkaError, OSError) as e:
                if isinstance(e, KafkaError) and not e.retriable:
                    raise
                log.warning("a broker went away while the changelog was looked for (%r); asking again", e)
            await asyncio.sleep(AGAIN_SECONDS)

    async def or_stop(self, job: Awaitable[None]) -> bool:
        """False if told to stop before the job was done."""
        task, stop = asyncio.ensure_future(job), asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        return False

    async def _watch(self) -> None:
        """Beats, readiness, lag, progress, idleness."""
        told, looked, before = time.monotonic(), 0.0, 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            self.health.beat()
            self.health.ready = not self.stop.is_set() and all(s.ready() for s in self.stages)
            if now - looked >= LAG_SECONDS:
                looked = now
                self._show_lag()
            if now - told >= PROGRESS_SECONDS:
                settled = sum(s.settled() for s in self.stages)
                if settled != before:
                    lag = sum(sum(s.lag().values()) for s in self.stages)
                    log.info("%.0f messages/s, %s to go", (settled - before) / (now - told), f"{lag:,}")
                told, before = now, settled
            if (
                self.until_idle is not None
                and not self.stop.is_set()
                and all(s.idle(self.until_idle) for s in self.stages)
            ):
                log.info("nothing came for %g s: ending", self.until_idle)
                self.stop.set()

    def _show_lag(self) -> None:
        for s in self.stages:
            topic, group = self.cluster.topic(s.stage.reads.name), self.cluster.group(s.stage.name)
            lag = s.lag()
            for partition, n in lag.items():
                self.health.gauge("rasd_consumer_lag", n, group=group, topic=topic, partition=partition)
            for partition in s.shown - lag.keys():
                self.health.forget("rasd_consumer_lag", group=group, topic=topic, partition=partition)
            s.shown = set(lag)
            if s.pool is not None and s.work is not None:
                self.health.gauge("rasd_pool_tasks", s.work.held, stage=s.stage.name)
            if s.engine is not None:
                s.count_engine(self.health)


def _quieten() -> None:
    """Libraries log every step of a rebalance, and errors that we handle, with tracebacks."""
    hush("asyncio")
    if logging.getLogger().getEffectiveLevel() > logging.INFO:
        # a consumer's thread that is stopped while its broker is away ends so
        threading.excepthook = lambda args: log.debug("%s ended: %r", args.thread and args.thread.name, args.exc_value)
