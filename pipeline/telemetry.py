"""What the program says to a person: log lines on stderr, and text from outside made safe for a terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import TextIO

LOGGER = "rasd"
#: They tell of every try to connect, in their own words: what matters, we say ourselves, once.
_TALKATIVE = ("kafka", "aiokafka", "faust", "mode")
#: From -qq to -vv; libraries speak one step later than we do.
_LEVELS = {-2: logging.ERROR, -1: logging.WARNING, 0: logging.INFO, 1: logging.DEBUG, 2: logging.DEBUG}
_COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[31m"}
_RESET = "\x1b[0m"
# Controls (C0, DEL, C1), line and paragraph separators, bidi embeddings, overrides and isolates, lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_LINES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_JSON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SECRET = re.compile(r"(?<=://)[^\s/@]+:[^\s/@]*@")


def escape(text: str, *, newlines: bool = False) -> str:
    """Text that a terminal shows and does not obey: control characters, ANSI sequences, bidi overrides and lone
    surrogates become visible `\\x1b`, `\\u202e`; line feeds stay only if `newlines`."""
    return (_UNSAFE_IN_LINES if newlines else _UNSAFE).sub(_visible, text)


def escape_json(json: bytes) -> bytes:
    """The same JSON for a terminal: what `escape` would not let through as `\\uXXXX`; line feeds and tabs stay."""
    text = json.decode("utf-8", "backslashreplace").replace("\r", " ")
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def logger(name: str = "") -> logging.Logger:
    """The logger of a part ("sinks"), under `rasd`."""
    return logging.getLogger(f"{LOGGER}.{name}" if name else LOGGER)


def colour_wanted(stream: TextIO) -> bool:
    """True on a terminal that can show colour, unless NO_COLOR is set (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def setup(verbosity: int = 0, stream: TextIO | None = None) -> None:
    """Sends log lines to `stream` (stderr). verbosity: -2 errors only, -1 warnings, 0 information, 1 details with the
    time, 2 tracebacks as well. May be called again: the last call counts."""
    stream = stream or sys.stderr
    verbosity = max(-2, min(2, verbosity))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(colour=colour_wanted(stream), verbosity=verbosity))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, OneLine)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING if verbosity < 2 else logging.INFO)
    logging.getLogger(LOGGER).setLevel(_LEVELS[verbosity])
    hush()


def hush(*others: str) -> None:
    """Silences the libraries that speak to brokers, and others by their loggers' names, but for -vv."""
    level = logging.CRITICAL if logging.getLogger().getEffectiveLevel() > logging.INFO else logging.INFO
    for name in (*_TALKATIVE, *others):
        logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def speaking_through(stream: TextIO) -> Iterator[None]:
    """Log lines go to `stream` instead, until left: a display that renews itself shows them above itself."""
    moved = []
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, OneLine):
            moved.append((handler, handler.stream))
            handler.setStream(stream)
    try:
        yield
    finally:
        for handler, before in moved:
            handler.setStream(before)


class OneLine(logging.Formatter):
    """`level: message` on one line, whatever the message holds; user names and passwords in URLs are masked."""

    def __init__(self, *, colour: bool = False, verbosity: int = 0) -> None:
        super().__init__()
        self._colour, self._verbosity = colour, verbosity

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] and self._verbosity < 2:
            error = record.exc_info[1]
            text += f" ({type(error).__name__}: {error})"
        line = escape(without_secrets(text))
        level = record.levelname.lower()
        if record.levelno != logging.INFO or self._verbosity > 0:
            tint = _COLOURS.get(record.levelno, "") if self._colour else ""
            line = f"{tint}{level}:{_RESET if tint else ''} {line}"
        if self._verbosity > 0:
            line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.name} {line}"
        if record.exc_info and self._verbosity >= 2:
            line += "\n" + escape(without_secrets(self.formatException(record.exc_info)), newlines=True)
        return line


def without_secrets(text: str) -> str:
    """The text with `user:password@` of URLs masked."""
    return _SECRET.sub("***@", text)
