"""`rasd worker` whose extraction dies of some articles and stands still at others, to be run as a process:

    python -m tests.faults.kafka_traps [OPTIONS] worker

An article whose title begins with DIES kills the process that reads it; at HANGS it stands still.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import importlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.flow import FLOW, Stage, flow_of
from pipeline.records import Outcome, Unique

DIES, HANGS = "DIES", "HANGS"


def load(gazetteer: Path | None) -> Callable[..., Outcome]:
    return functools.partial(trapped, FLOW[1].load(gazetteer))


def trapped(step: Callable[..., Outcome], unique: Unique) -> Outcome:
    title = unique.article.title or ""
    if title.startswith(DIES):
        os.kill(os.getpid(), signal.SIGKILL)
    if title.startswith(HANGS):
        time.sleep(600)
    return step(unique)


def main() -> None:
    from pipeline.cli import main as rasd
    from pipeline.runtimes.kafka import worker

    by_name = importlib.import_module("tests.faults.kafka_traps").load  # children find it by that

    def with_traps(window: dt.timedelta) -> tuple[Stage, ...]:
        return tuple(dataclasses.replace(s, load=by_name) if s.pooled else s for s in flow_of(window))

    vars(worker)["flow_of"] = with_traps
    rasd()


if __name__ == "__main__":
    main()
