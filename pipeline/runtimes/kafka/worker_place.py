"""The folder of a worker and its name in the group, which it keeps over restarts and no other has at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import socket
from collections.abc import Iterator

from pipeline.config import Config
from pipeline.errors import StorageError
from pipeline.runtimes.kafka.faust_engine import Place

SLOTS = 64  # workers of one data folder


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
