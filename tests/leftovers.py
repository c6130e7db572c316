"""No process outlives the run of tests (or the bench) that started it, however that run ends.

Every process that descends from the run carries a mark in its environment. A process beside the run waits for its end,
gives the others a moment to end by themselves, and kills what still carries the mark. Linux only: elsewhere nothing is
done. Standard library only; also run as that process.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

NAME = "TESTS_OF_RASD_RUN"
PROC = Path("/proc")
LOOK_SECONDS = 1.0  # how soon a death is noticed when the pipe was inherited and so stays open
GRACE_SECONDS = 4.0  # servers have guards of their own (tests/kafka/guard.py), which also remove folders


def end_with_this_process() -> None:
    """From now on, what this process starts is ended soon after it at the latest."""
    if NAME in os.environ or not PROC.is_dir():
        return  # within a run that sees to it already
    mark = secrets.token_hex(8)
    watcher = subprocess.Popen(
        [sys.executable, "-S", "-E", __file__, str(os.getpid()), mark],
        stdin=subprocess.PIPE,  # closed by the system when we end
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _KEPT.append(watcher)
    os.environ[NAME] = mark


_KEPT: list[subprocess.Popen[bytes]] = []  # whose pipe must stay open


def main(starter: int, mark: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.getppid() == starter and not select.select([0], [], [], LOOK_SECONDS)[0]:
        pass
    end = time.monotonic() + GRACE_SECONDS
    while any(marked(mark)):
        if time.monotonic() > end:
            for pid in marked(mark):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.2)


def marked(mark: str) -> Iterator[int]:
    """Processes that were started with the mark."""
    wanted = f"{NAME}={mark}".encode()
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # gone, or another user's
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
