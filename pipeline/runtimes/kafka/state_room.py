"""Room on the disk for a stage's state: whether an error says that there is none, and whether there is some again."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

ROOM = 4 << 20  # bytes that must be writable before databases are opened again
FILE = "room"
_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
#: In the words of the system, which RocksDB repeats.
_WORDS = tuple(os.strerror(n).lower() for n in _ERRORS)


def out_of_room(error: BaseException | None) -> str | None:
    """What the disk said, if that is why; None for all other errors."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in _ERRORS:
            return os.strerror(error.errno)
        said = str(error).lower()
        for words in _WORDS:
            if words in said:
                return words.capitalize()
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def has_room(folder: Path) -> bool:
    """Whether the folder's disk takes as much as databases need to be opened; tried by writing it."""
    probe = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with probe.open("wb") as file:
            file.write(os.urandom(ROOM))  # what cannot be packed: file systems may pack
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return True
