"""The worker as a process: a folder of its own, an engine per stage, signals, health.

All stages live in one loop: Faust's consumers run in threads of their own and heavy work in the pool, so a process per
stage would only cost memory. An engine that crashes (a broker restarted, a commit refused) is replaced by a new one,
which joins the group under the same name and goes on from what is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import functools
import hashlib
import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.errors import KafkaError
from faust.exceptions import ConsistencyError
from kafka.errors import KafkaError as KafkaPythonError

from pipeline.config import Config
from pipeline.errors import ConfigError, RasdError, StorageError
from pipeline.flow import Stage, flow_of, loaded
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.pool import Pool
from pipeline.runtimes.kafka.faust_engine import FaustEngine, Place
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.sinking_places import NoTopics, topics_of
from pipeline.runtimes.kafka.stagework import Displaced, MadeAnew, StageWork
from pipeline.runtimes.kafka.state_changelog import changelog_of, ensure_changelog, same_partitions
from pipeline.runtimes.kafka.state_folder import belongs_to, forget
from pipeline.runtimes.kafka.state_room import has_room, out_of_room
from pipeline.runtimes.kafka.worker_sender import topics_there
from pipeline.telemetry import hush
from pipeline.topics import EVENTS, REJECTS, UNIQUE, VERDICTS

log = logging.getLogger("rasd.worker")
TOPICS_SECONDS = 60.0  # that topics may take to be made by whoever makes them
LOOK_SECONDS = 0.2
AGAIN_SECONDS = 1.0  # before brokers that went away are asked again
PROGRESS_SECONDS = 30.0
LAG_SECONDS = 2.0
CRASHES, WITHIN_SECONDS = 8, 120.0  # crashes of one stage beyond which the process gives up
STOPPING_SECONDS = 3.5  # that an engine's end takes at worst, of the time to drain
LEAVE_SECONDS = 1.0  # kept for leaving, of the time that a worker may take to stop
SAME_TOPICS_SECONDS = 5.0  # between two looks at whether topics are still the same
SILENT_SECONDS = 15.0  # without an answer about topics, after which a stage does not count as ready
SLOTS = 64  # workers of one data folder


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
        worker = _Worker(config, cluster, stages, place, health, until_idle)
        try:
            return loop.run_until_complete(worker.run())
        finally:
            worker.close()


class _Worker:
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
        self.stages = [_Running(self, stage) for stage in stages]
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


class _Running:
    """One stage, over all the engines that it needs."""

    def __init__(self, worker: _Worker, stage: Stage) -> None:
        self.worker, self.stage = worker, stage
        self.pool = worker.pool_for(stage)
        self.engine: FaustEngine | None = None
        self.work: StageWork | None = None
        self.what: Counter[str] = Counter()
        self.crashes = 0
        self.clean = True
        self.shown: set[int] = set()
        self._counted = (0, 0)
        self._began: list[float] = []
        self._crashed: list[float] = []
        self._heard = 0.0  # when brokers last told of the stage's topics
        self._ids: dict[str, str] = {}  # of the topics that must stay the same, by our names
        self._from_the_first = False  # what is committed is of a topic that is no more
        self._paused = False  # the disk was full; until messages are settled again

    async def run(self) -> None:
        """Until told to stop. Raises: what a stage cannot go on with."""
        stop = self.worker.stop
        while not stop.is_set():
            error = await self._once()
            if error is None:
                return
            if isinstance(error, StorageError):
                raise error
            if (full := out_of_room(error)) is not None:
                await self._wait_for_room(full)
                continue
            self.crashes += 1
            now = time.monotonic()
            self._began = [t for t in self._began if now - t < WITHIN_SECONDS] + [now]
            if not isinstance(error, Displaced):  # which is no fault of the stage's, however often it happens
                self._crashed = [t for t in self._crashed if now - t < WITHIN_SECONDS] + [now]
            if len(self._crashed) > CRASHES:
                raise RasdError(f"{self.stage.name} crashes again and again: {error!r}", reason="crashed") from error
            if isinstance(error, ConsistencyError):  # brokers have lost the end of the changelog
                forget(self._folder)
            why = str(error) if isinstance(error, RasdError) else f"{type(error).__name__}: {error}"
            log.warning("%s is begun anew: %s. Nothing is lost", self.stage.name, why)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(5.0, 0.5 * len(self._began)))
            await self.worker.or_stop(self._brokers())

    async def _brokers(self) -> None:
        """Returns when a broker answers: while none does, beginning anew would only fail."""
        await topics_there(self.worker.cluster, [self.stage.reads.name], TOPICS_SECONDS)

    async def _wait_for_room(self, why: str) -> None:
        """Returns when the disk takes state again, or the worker is told to stop. Said once, until it has gone on."""
        stop, pause = self.worker.stop, self.worker.config.run.pause_seconds
        if not self._paused:
            log.warning(
                "%s is paused: %s in %s. Nothing is lost; trying again every %g s",
                self.stage.name, why, self.worker.place.folder, pause,
            )  # fmt: skip
        self._paused = True
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            if await asyncio.to_thread(has_room, self.worker.place.folder):
                return

    @property
    def _folder(self) -> Path:
        return self.worker.place.folder / self.stage.name

    async def _look_at_topics(self) -> None:
        """Learns which topics there are, makes the changelog if it is gone, and drops state that is another's.

        Raises: NoBrokers, NoTopics, Unreachable; StorageError if partitions were added meanwhile.
        """
        cluster, stage = self.worker.cluster, self.stage
        reads = (await asyncio.to_thread(topics_of, cluster, [stage.reads.name]))[stage.reads.name]
        ids = {stage.reads.name: reads.id}
        if stage.view is not None:
            name = cluster.ours(changelog_of(cluster, stage))
            try:
                found = await asyncio.to_thread(topics_of, cluster, [name])
            except NoTopics:
                await ensure_changelog(self.worker.config, cluster, stage, len(reads.partitions))
                found = await asyncio.to_thread(topics_of, cluster, [name])
            same_partitions(cluster, stage, len(found[name].partitions), len(reads.partitions))
            belongs_to(self._folder, found[name].id)
            ids[name] = found[name].id
        self._heard = time.monotonic()
        self._from_the_first |= self._ids.get(stage.reads.name, reads.id) != reads.id
        self._ids = ids

    async def _made_anew(self) -> list[str]:
        """Topics, by their names there, that are others than when the engine began; none where nobody tells."""
        cluster = self.worker.cluster
        try:
            found = await asyncio.to_thread(topics_of, cluster, list(self._ids))
        except (KafkaPythonError, StorageError):
            return []  # away, or deleted and not made yet: whoever reads and writes tells of it
        self._heard = time.monotonic()
        return [cluster.topic(name) for name, known in self._ids.items() if found[name].id != known]

    async def _watch_topics(self, work: StageWork) -> None:
        """Sees that a topic was deleted and made anew: its offsets are others, and nothing else tells."""
        while True:
            await asyncio.sleep(SAME_TOPICS_SECONDS)
            if anew := await self._made_anew():
                work.fail(MadeAnew(f"{' and '.join(anew)} was deleted and made anew"))
                return

    async def _once(self) -> BaseException | None:
        """One engine from start to end; None if it was told to stop."""
        worker, config = self.worker, self.worker.config
        try:
            if not await worker.or_stop(self._look_at_topics()):
                return None
        except Exception as e:
            return e
        engine = FaustEngine(
            worker.cluster,
            self.stage,
            worker.place,
            made_anew=self._made_anew,
            from_the_first=self._from_the_first,
        )
        work = StageWork(
            self.stage,
            engine,
            pool=self.pool,
            gazetteer=worker.gazetteer,
            batch=config.run.batch,
            window=config.run.window,
            task_seconds=config.run.task_seconds,
            max_bytes=worker.cluster.max_bytes,
            meter=worker.health,
        )
        engine.work = work
        self.engine, self.work, self._counted = engine, work, (0, 0)
        error: BaseException | None = None
        starting = asyncio.create_task(engine.start())
        watching = asyncio.create_task(self._watch_topics(work))
        try:
            error = await self._until_over(engine, work, starting)
            if error is None:
                spare = config.worker.drain_seconds - STOPPING_SECONDS
                await work.drain(max(0.5, 0.5 if engine.sender.in_trouble else spare))
                self.clean = not work.held
        finally:
            starting.cancel()
            watching.cancel()
            if isinstance(error, MadeAnew):
                engine.forget()
            await engine.stop()
            if engine.commits:
                self._from_the_first = False
            self.what.update(work.tally.what)
            self.work = self.engine = None
        if error is not None:  # what its frames hold keeps the databases open, which the next engine opens
            traceback.clear_frames(error.__traceback__)
        return error

    async def _until_over(
        self, engine: FaustEngine, work: StageWork, starting: asyncio.Task[None]
    ) -> BaseException | None:
        while not self.worker.stop.is_set():
            if starting.done() and not starting.cancelled() and (error := starting.exception()) is not None:
                return error
            if work.failed.done():
                return work.failed.result()
            if (crash := engine.crash()) is not None:
                return crash
            if self._paused and work.tally.settled:
                log.warning("%s: storage is back, going on", self.stage.name)
                self._paused = False
            await asyncio.sleep(LOOK_SECONDS / 4)
        return None

    # -- how it stands -----------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether it takes messages, as far as brokers have answered of late."""
        silent = time.monotonic() - self._heard > max(SILENT_SECONDS, self.worker.cluster.session_seconds)
        return self._has_opened() and not silent

    def _has_opened(self) -> bool:
        return self.engine is not None and self.engine.rebalances > 0 and self.work is not None and self.work.is_ready()

    def idle(self, seconds: float) -> bool:
        work, engine = self.work, self.engine
        if work is None or engine is None or not self._has_opened() or work.held:
            return False
        return time.monotonic() - work.moved > seconds and engine.caught_up()

    def lag(self) -> dict[int, int]:
        return self.engine.lag() if self.engine is not None else {}

    def settled(self) -> int:
        return self.what.total() + (self.work.tally.settled if self.work is not None else 0)

    def count_engine(self, health: Health) -> None:
        if self.engine is None:
            return
        now = self.engine.commits, self.engine.rebalances
        for name, n, before in zip(("rasd_commits_total", "rasd_rebalances_total"), now, self._counted, strict=True):
            if n > before:
                health.count(name, n - before, stage=self.stage.name)
        self._counted = now


@contextlib.contextmanager
def place_of(config: Config) -> Iterator[Place]:
    """The worker's folder, which no other process may have at the same time, and its name in the group.

    With `worker.instance` set: the folder and the name are that. Else the first folder that is free; the name is made
    of the host's, the data folder and the slot, so that workers on one machine never share it.
    Raises: StorageError if the folder is in use.
    """
    base = config.data_dir / "worker"
    named = config.worker.instance
    mark = hashlib.blake2b(str(config.data_dir.resolve()).encode(), digest_size=3).hexdigest()
    for slot in range(1 if named else SLOTS):
        folder = base / (_safe(named) if named else str(slot))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "worker.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield Place(_safe(named or f"{socket.gethostname()}-{mark}-{slot}"), folder)
            return
    if named:
        why = f"another worker is named {named!r} in {base}: give each its own worker.instance, or none"
    else:
        why = f"{SLOTS} workers use {base} already"
    raise StorageError(why, reason="in-use")


def _safe(name: str) -> str:
    """A name that is a folder's and a group member's."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)[:120] or "worker"


def _quieten() -> None:
    """Libraries log every step of a rebalance, and errors that we handle, with tracebacks."""
    hush("asyncio")
    if logging.getLogger().getEffectiveLevel() > logging.INFO:
        # a consumer's thread that is stopped while its broker is away ends so
        threading.excepthook = lambda args: log.debug("%s ended: %r", args.thread and args.thread.name, args.exc_value)
