"""Editing a list of feeds: entries are added behind the last line and cut out as lines, all else stays to the byte.

Not by a TOML library that keeps comments: to such a one, a comment above `[[feed]]` is the end of the table before, so
removing a feed takes the next one's comment with it and leaves its own (tomlkit 0.15). What was edited is read again
before it is written, and must say what was wanted.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

from connectors.feedlist import KEYS, TABLE, Feed, Lines, read_feeds, text_of
from pipeline.errors import FileError

HEAD = """\
# The feeds that `rasd run` polls; docs/feedlist.md tells what each key means. `rasd feeds add`, `remove` and `import`
# edit this file and keep its comments and order; it may be edited by hand as well.
"""
_DEFAULTS = {field.name: field.default for field in fields(Feed)}


def add_feeds(path: Path, feeds: Sequence[Feed]) -> None:
    """Adds feeds at the end of a list, which is made if there is none; whole or not at all.

    Raises: FileError, also if a feed's address or name stands there already; OSError.
    """

    def added(text: str) -> str:
        text = text or HEAD
        gap = "" if text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return text + gap + "\n".join(as_toml(feed) for feed in feeds)

    if feeds:
        _edit(path, added, lambda before: [*before, *feeds])


def remove_feeds(path: Path, names: Collection[str]) -> None:
    """Cuts feeds out of a list, by name. Comments above and below an entry stay, those between its keys go.

    Raises: FileError; OSError.
    """

    def without(text: str) -> str:
        feeds = read_feeds(text, path)
        if len(Lines(text).heads) < len(feeds):
            raise FileError(path, None, f"not every feed stands under a [[{TABLE}]] of its own: edit it by hand")
        return _cut(text, [number for number, feed in enumerate(feeds) if feed.name in names])

    _edit(path, without, lambda before: [feed for feed in before if feed.name not in names])


def as_toml(feed: Feed) -> str:
    """The entry of a feed as it stands in a list; what has its default is left out."""
    lines = [f"[[{TABLE}]]"]
    for key in KEYS:
        value = getattr(feed, key)
        if value != _DEFAULTS[key] or key in ("name", "url"):
            lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return json.dumps(str(value), ensure_ascii=False)  # JSON strings without controls are TOML's basic strings


def _cut(text: str, numbers: Iterable[int]) -> str:
    """The text without the lines from each of these headers to the last line that is neither blank nor comment, and
    without the blank line behind it."""
    lines, scanned = text.split("\n"), Lines(text)
    drop: set[int] = set()
    for number in numbers:
        start = scanned.heads[number] - 1
        end = scanned.heads[number + 1] - 1 if number + 1 < len(scanned.heads) else len(lines)
        last = max(at for at in range(start, end) if scanned.bare[at].strip())
        if last + 2 < len(lines) and not lines[last + 1].strip():
            last += 1
        drop |= set(range(start, last + 1))
    return "\n".join(line for at, line in enumerate(lines) if at not in drop)


# -- the file ----------------------------------------------------------------------------------------------------------


def _edit(path: Path, change: Callable[[str], str], expected: Callable[[list[Feed]], list[Feed]]) -> None:
    """Puts the changed text in place, if it says what it should. Two edits at a time happen one after the other."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(target.parent) as folder:
        text = text_of(target) if target.exists() else ""
        wanted = expected(read_feeds(text, path))
        changed = change(text)
        if _but_names(read_feeds(changed, path)) != _but_names(wanted):
            raise FileError(path, None, "is written in a way that cannot be edited safely: edit it by hand")
        write_whole(target, changed.encode())
        os.fsync(folder)


def _but_names(feeds: Iterable[Feed]) -> list[Feed]:
    """Names that are not written are made from the addresses of all, so that they may change with any of them."""
    return [replace(feed, name="") for feed in feeds]


@contextmanager
def _alone_in(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def write_whole(target: Path, data: bytes) -> None:
    """Puts the file in place whole, with the rights that it had, or leaves what was there."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as e:  # names a file that nobody knows
        raise OSError(e.errno, e.strerror, str(target)) from e
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
