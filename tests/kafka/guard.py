"""Ends servers whose starter is gone: a run that is killed leaves no broker and no folder behind.

`Guard` keeps a process of its own beside the starter. When the starter dies, however, that process ends what it was
told of and removes the folders. Standard library only; also run as that process.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

LOOK_SECONDS = 1.0  # how soon a death is noticed when the pipe was inherited and so stays open


class Guard:
    """Knows the pids and folders that must not outlive this process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for the starter, which stops in good order
        )

    def watch(self, pid: int) -> None:
        self._say(f"+{pid}")

    def forget(self, pid: int) -> None:
        """Before the pid is waited for: afterwards it may be another's."""
        self._say(f"-{pid}")

    def remove(self, folder: Path) -> None:
        self._say(f"={folder}")

    def close(self) -> None:
        """Ends what is still watched, and removes the folders."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(20)

    def _say(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()


def main(starter: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pids: set[int] = set()
    folders: set[str] = set()
    rest = b""
    while os.getppid() == starter:
        if not select.select([0], [], [], LOOK_SECONDS)[0]:
            continue
        got = os.read(0, 65536)
        if not got:
            break
        *lines, rest = (rest + got).split(b"\n")
        for line in lines:
            what, said = line[:1], line[1:].decode()
            if what == b"+":
                pids.add(int(said))
            elif what == b"-":
                pids.discard(int(said))
            else:
                folders.add(said)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.exists(folder):  # a broker on its way out may write once more
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
