"""The children that read pages and feeds, whoever sent them: bounded in CPU time and memory, killed beyond."""

from __future__ import annotations

import importlib

from pipeline.config import Config
from pipeline.pool import Pool

TASK_BYTES = 512 * 1024 * 1024  # of memory that reading one page or feed may take
PATIENCE = 4  # times a task's CPU seconds: the longest it may take by the clock on a busy machine


def reading_pool(config: Config, processes: int | None = None) -> Pool:
    """As many children as extract, unless told otherwise; they start when there is something to read."""
    return Pool(
        config.run.processes if processes is None else processes,
        memory_bytes=TASK_BYTES,
        cpu_seconds=config.archive.page_seconds,
        prepare=load_readers,
    )


def longest(config: Config) -> float:
    """Seconds by the clock after which a reading is given up; its CPU time is bounded tighter."""
    return PATIENCE * config.archive.page_seconds


def load_readers() -> None:
    """Imports what reading a page or a feed needs, so that no task pays for it."""
    from connectors.clean import warm_up

    importlib.import_module("feedparser")
    warm_up()
