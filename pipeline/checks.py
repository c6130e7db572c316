"""What the value of a setting must be: functions that tell what is wrong with one, None if nothing is."""

from __future__ import annotations

import difflib
import ipaddress
import math
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

Check = Callable[[Any], str | None]


def between(low: float, high: float) -> Check:
    def check(value: float) -> str | None:
        return None if math.isfinite(value) and low <= value <= high else f"must lie between {low:g} and {high:g}"

    return check


def one_of(*words: str) -> Check:
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def some_of(*words: str) -> Check:
    """A list without repetition, of these words only."""

    def check(values: tuple[str, ...]) -> str | None:
        if unknown := [v for v in values if v not in words]:
            return f"may hold {', '.join(words[:-1])} and {words[-1]} only{meant(unknown[0], words, listed=False)}"
        return "names one twice" if len(set(values)) < len(values) else None

    return check


def clean_path(value: str) -> str | None:
    return "holds the NUL character" if "\0" in value else None


def filled_path(value: str) -> str | None:
    return clean_path(value) if value.strip() else "must name a folder"


def filled_line(value: str) -> str | None:
    return None if value.strip() and value.isprintable() else "must be one line of text"


def networks(values: tuple[str, ...]) -> str | None:
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError as e:
            return f"holds no network: {e}"
    return None


def web_address(value: str) -> str | None:
    """Empty, or an address that others can call, to which a path can be added."""
    fault = "must be an http(s) address without a query"
    if not value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return fault
    plain = value.isascii() and value.isprintable() and not set(value) & set(" ?#")
    return None if plain and parts.scheme in ("http", "https") and parts.hostname else fault


def listening(value: str) -> str | None:
    """HOST:PORT; an IPv6 address in brackets."""
    host, _, port = value.rpartition(":")
    fits = host and " " not in value and port.isascii() and port.isdigit() and int(port[:6]) <= 65_535
    return None if fits else "must be an address and a port such as 127.0.0.1:8089"


def listening_or_none(value: str) -> str | None:
    """As `listening`; empty is allowed."""
    return listening(value) if value else None


def addresses(value: str) -> str | None:
    """Empty, or HOST:PORT separated by commas."""
    bad = [one for one in value.split(",") if listening(one.strip())] if value else []
    return f"must be addresses such as kafka:9092, separated by commas{f' ({bad[0]!r} is none)'}" if bad else None


def topic_prefix(value: str) -> str | None:
    """What Kafka allows in the name of a topic, with room for our own names behind it."""
    fits = len(value) <= 200 and all(c.isascii() and (c.isalnum() or c in "._-") for c in value)
    return None if fits else "may hold letters, digits, dots, hyphens and underscores only"


def sql_name(value: str) -> str | None:
    fits = value[:1].isalpha() and value.isascii() and value.replace("_", "a").isalnum() and value == value.lower()
    return None if fits and len(value) <= 60 else "must be small letters, digits and underscores"


def meant(word: str, known: Iterable[str], *, listed: bool = True) -> str:
    """A parenthesis that helps: the nearest known word, else (if `listed`) all of them."""
    words = list(known)
    if close := difflib.get_close_matches(word, words, n=1, cutoff=0.6):
        return f" (did you mean {close[0]}?)"
    return f" (there are {', '.join(words)})" if listed else ""
