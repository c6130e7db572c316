"""`rasd sink` that ends itself by SIGKILL at a chosen moment of a chosen batch.

python -m tests.pipeline.kafka.sink_victim DATA SINK before-commit|after-commit BATCH
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from pipeline.config import load
from pipeline.runtimes.kafka import sinking
from pipeline.runtimes.kafka.sinking_places import Kept


def main(data: Path, sink: str, moment: str, batch: int) -> None:
    done, seen = Kept.commit, 0

    def commit(self: Kept, *given: Any) -> None:
        nonlocal seen
        seen += 1
        if seen > batch and moment == "before-commit":
            os.kill(os.getpid(), signal.SIGKILL)
        done(self, *given)
        if seen > batch:
            os.kill(os.getpid(), signal.SIGKILL)

    Kept.commit = commit  # type: ignore[method-assign]
    sinking.run_sinks(load(data=data), [sink])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
