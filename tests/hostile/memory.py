"""How much memory a process has held."""

from __future__ import annotations

from pathlib import Path


def peak_kilobytes() -> int:
    """The most of its own memory that this process held since it began. Not `ru_maxrss`: a child that was started by a
    large process begins with that one's peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
