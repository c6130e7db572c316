"""Who says so in English: «X said», «said X», «according to X», «X denied»."""

from __future__ import annotations

from typing import Literal, cast

from processors.extract.context import Context
from processors.extract.english.actors import capital
from processors.extract.sources import Speaker
from processors.text import SPACE

Stance = Literal["asserts", "denies", "doubts"]
MAX_NAME = 9
_SKIPPED = frozenset(
    [
        "has",
        "have",
        "had",
        "also",
        "later",
        "the",
        "a",
        "an",
        "earlier",
        "meanwhile",
        "immediately",
        "separately",
        "and",
        "it",
    ]
)
_BREAKS = frozenset(
    [
        "and",
        "but",
        "that",
        "which",
        "who",
        "where",
        "when",
        "while",
        "after",
        "before",
        "as",
        "if",
        "because",
        "was",
        "were",
        "is",
        "are",
        "been",
        "by",
        "with",
        "into",
        "on",
        "to",
        "has",
        "have",
        "had",
        "killed",
        "wounded",
        "injured",
        "said",
        "says",
        "told",
    ]
)


def speakers(c: Context) -> list[Speaker]:
    """Speakers in text order."""
    found: list[Speaker] = []
    for hit in c.hits.of("sources"):
        kind = hit.entry.get("kind")
        if kind in ("source", "head"):
            continue
        stance = cast(Stance, kind if kind in ("denies", "doubts") else "asserts")
        speaker = (
            _after(c, hit.first, hit.last, stance)
            if kind == "according"
            else (_before(c, hit.first, stance) or _after(c, hit.first, hit.last, stance))
        )
        if speaker is not None and all(s.first != speaker.first for s in found[-3:]):
            found.append(speaker)
    return found


def _before(c: Context, at: int, stance: Stance) -> Speaker | None:
    """The subject that ends in front of its verb."""
    end = at
    while end > 0 and c.r.gap[end] <= SPACE and c.r.words[end - 1] in ("has", "have", "had", "also", "later"):
        end -= 1
    if end == 0 or c.r.gap[end] > SPACE + 1 or (c.r.gap[end] > SPACE and c.r.words[at] != "said"):
        return None
    low = max(c.r.bounds(at)[0], end - MAX_NAME)
    for i in range(low, end):
        hit = c.hits.at("sources", i)
        if hit is not None and hit.last == end and hit.entry.get("kind") == "source":
            return Speaker(i, end, at, hit.entry.get("id"), hit.entry.get("name"), stance)
        actor = c.named.get(i)
        if actor is not None and actor.last == end and actor.rule != "adjective":
            return Speaker(i, end, at, actor.id, c.r.quote(i, end), stance)
    head = c.hits.at("sources", end - 1)
    if (head is not None and head.entry.get("kind") == "head") or (
        capital(c.r, end - 1) and c.r.words[end - 1] not in ("it", "he", "she", "they")
    ):
        first = end - 1
    else:
        return None
    while first > low and c.r.gap[first] == SPACE and c.r.words[first - 1] not in _BREAKS:
        if c.hits.at("numbers", first - 1) is not None or (
            c.hits.at("persons", first - 1) is not None and (head is None or not capital(c.r, first - 1))
        ):
            break
        if first - 1 in c.dated or c.hits.at("triggers", first - 1) is not None:
            break
        known = c.hits.at("sources", first - 1)
        if head is None and known is None and not capital(c.r, first - 1):
            break
        first -= 1
    while first < end - 1 and c.r.words[first] in ("the", "a", "an", "in", "of", "at", "from"):
        first += 1
    return Speaker(first, end, at, _inner_id(c, first, end), c.r.quote(first, end), stance)


def _inner_id(c: Context, first: int, last: int) -> str:
    return next((h.entry.get("id") for k in range(first, last)
                 if (h := c.hits.at("sources", k)) and h.entry.get("kind") == "source"), "")  # fmt: skip


def _after(c: Context, at: int, k: int, stance: Stance) -> Speaker | None:
    """«according to the Observatory», «said a police spokesman»."""
    while k < len(c.r.words) and c.r.gap[k] == SPACE and c.r.words[k] in ("the", "a", "an", "to", "local", "its"):
        k += 1
    if k >= len(c.r.words) or c.r.gap[k] > SPACE:
        return None
    hit = c.hits.at("sources", k)
    if hit is not None and hit.entry.get("kind") == "source":
        return Speaker(k, hit.last, at, hit.entry.get("id"), hit.entry.get("name"), stance)
    actor = c.named.get(k)
    last = k
    while last < len(c.r.words) and last - k < MAX_NAME and (last == k or c.r.gap[last] == SPACE):
        if c.r.words[last] in _BREAKS or last in c.dated or c.r.words[last] in ("on", "in"):
            break
        last += 1
    headed = any((h := c.hits.at("sources", j)) and h.entry.get("kind") in ("head", "source") for j in range(k, last))
    if headed and (c.r.words[at] in ("according", "said", "citing", "told", "quoting", "reported", "in", "as")):
        return Speaker(k, last, at, _inner_id(c, k, last), c.r.quote(k, last), stance)
    if actor is not None and c.r.words[at] in ("according", "citing", "said"):
        return Speaker(k, actor.last, at, actor.id, c.r.quote(k, actor.last), stance)
    return None
