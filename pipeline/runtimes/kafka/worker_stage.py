"""One stage of a worker, over all the engines that it needs: what begins it anew, what pauses it, what ends it.

An engine that crashes (a broker restarted, a commit refused) is replaced by a new one, which joins the group under the
same name and goes on from what is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from faust.exceptions import ConsistencyError
from kafka.errors import KafkaError

from pipeline.errors import RasdError, StorageError
from pipeline.flow import Stage
from pipeline.runtimes.kafka.faust_engine import FaustEngine
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.sinking_places import NoTopics, topics_of
from pipeline.runtimes.kafka.stage_engine import Displaced, MadeAnew
from pipeline.runtimes.kafka.stagework import StageWork
from pipeline.runtimes.kafka.state_changelog import changelog_of, ensure_changelog, same_partitions
from pipeline.runtimes.kafka.state_folder import belongs_to, forget
from pipeline.runtimes.kafka.state_room import has_room, out_of_room
from pipeline.runtimes.kafka.worker_sender import topics_there

if TYPE_CHECKING:
    from pipeline.runtimes.kafka.worker import Worker

log = logging.getLogger("rasd.worker")
TOPICS_SECONDS = 60.0  # that topics may take to be made by whoever makes them
LOOK_SECONDS = 0.05
CRASHES, WITHIN_SECONDS = 8, 120.0  # crashes of one stage beyond which the process gives up
STOPPING_SECONDS = 3.5  # that an engine's end takes at worst, of the time to drain
LEAVE_SECONDS = 1.0  # kept for leaving, of the time that a worker may take to stop
SAME_TOPICS_SECONDS = 5.0  # between two looks at whether topics are still the same
SILENT_SECONDS = 15.0  # without an answer about topics, after which a stage does not count as ready


class StageRunner:
    """One stage, over all the engines that it needs."""

    def __init__(self, worker: Worker, stage: Stage) -> None:
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
        except (KafkaError, StorageError):
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
            await asyncio.sleep(LOOK_SECONDS)
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
