"""The sinks on Kafka as a process: a thread for each, signals and health around them."""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence

from connectors.sinks import SINKS, Sink
from pipeline.config import Config
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.sinking_places import Kept, Places, Shared
from pipeline.runtimes.kafka.sinking_turns import SinkCounts, Sinking, how_it_goes
from pipeline.runtimes.local import stop_on_signals

log = logging.getLogger("rasd.sinks")
SHARED = frozenset({"postgres"})  # keep their state where they write, so that several processes can do the work
HUNG_SECONDS = 20.0  # a sink that shows nothing for so long lets the process count as hung
LOOK_SECONDS = 0.2


def run_sinks(config: Config, names: Sequence[str], *, until_idle: float | None = None) -> dict[str, SinkCounts]:
    """Keeps these sinks up to date with the topics until told to stop (until_idle: until nothing came for so many
    seconds and nothing is left).

    Raises: StorageError if a sink's files cannot be used or another process writes them, ConfigError, RasdError.
    """
    cluster = cluster_of(config)
    with stop_on_signals() as stop, Health(config.worker.health, "sink") as health, contextlib.ExitStack() as stack:
        sinks = [SINKS[name](config) for name in names]
        works = [Sinking(config, cluster, s, _places(config, cluster, s), health, stop) for s in sinks]
        log.info("sinks %s read from %s as %s*", ", ".join(names), config.kafka.servers, cluster.prefix)
        errors: list[BaseException] = []
        threads = [threading.Thread(target=_run, args=(w, until_idle, errors, stop), daemon=True) for w in works]
        stack.callback(stop.set)
        for thread in threads:
            thread.start()
        _watch(config, works, threads, health, stop)
    if errors:
        raise errors[0]
    for work in works:
        log.info("%s: %s", work.sink.name, how_it_goes(work.counts))
    return {work.sink.name: work.counts for work in works}


def _run(work: Sinking, until_idle: float | None, errors: list[BaseException], stop: threading.Event) -> None:
    try:
        work.run(until_idle)
    except BaseException as e:
        errors.append(e)
        stop.set()


def _watch(
    config: Config, works: Sequence[Sinking], threads: Sequence[threading.Thread], health: Health, stop: threading.Event
) -> None:
    """Until all have ended; once told to stop, for so long as the settings allow."""
    end: float | None = None
    while running := [work for work, thread in zip(works, threads, strict=True) if thread.is_alive()]:
        health.ready = all(work.ready for work in running)
        now = time.monotonic()
        if all(now - work.beaten < HUNG_SECONDS for work in running):
            health.beat()
        if stop.is_set():
            end = end or now + config.worker.drain_seconds
            if now > end:
                names = ", ".join(work.sink.name for work in running)
                log.warning("%s did not end in time: its last batch will be written again", names)
                return
        threads[works.index(running[0])].join(LOOK_SECONDS)


def _places(config: Config, cluster: Cluster, sink: Sink) -> Callable[[], Places]:
    if sink.name in SHARED:
        instance = config.worker.instance or socket.gethostname()
        return functools.partial(Shared, cluster, sink.name, sink.topics, instance)
    return functools.partial(Kept, cluster, config.data_dir, sink.name, sink.topics)
