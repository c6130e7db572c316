"""Who says so: speakers with their stance, each governing its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from pipeline.records import Source
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.lexicons import Hit
from processors.text import COMMA, SENTENCE, SPACE

MAX_NAME = 7  # words of a speaker that no lexicon names


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker in words `first:last`; `at`: the word of saying; `id` of a source or actor, "" if unknown."""

    first: int
    last: int
    at: int
    id: str
    name: str
    stance: Literal["asserts", "denies", "doubts"]

    def record(self, c: Context) -> Source:
        return Source(name=self.name, id=self.id or None, stance=self.stance, text=c.r.quote(self.first, self.last),
                      span=c.r.span(self.first, self.last))  # fmt: skip


def speakers(c: Context) -> list[Speaker]:
    """Speakers in text order."""
    found: list[Speaker] = []
    starts: set[int] = set()
    for hit in c.hits.of("sources"):
        kind = hit.entry.get("kind")
        if kind in ("source", "head"):
            if kind == "source" and (credit := _credit(c, hit)) is not None and credit.first not in starts:
                starts.add(credit.first)
                found.append(credit)
            continue
        if kind == "accuses" and hit.entry.text.startswith(("حمل", "تحمل", "يحمل")):
            continue
        speaker = _after(c, hit.first, hit.last, kind) or _before(c, hit.first, kind)
        speaker = speaker or _said_by(c, hit, found)
        if speaker is not None and (speaker.first not in starts or speaker.at > speaker.last):
            starts.add(speaker.first)
            found.append(speaker)
    return found


def _credit(c: Context, hit: Hit) -> Speaker | None:
    """«(رويترز)», «... الفرنسية.»: an agency alone between brackets or dashes."""
    alone = c.r.gap[hit.first] >= COMMA and (hit.last >= len(c.r.words) or c.r.gap[hit.last] >= COMMA)
    return _named(c, hit.first, hit.first, "asserts") if alone else None


def _said_by(c: Context, hit: Hit, found: Sequence[Speaker]) -> Speaker | None:
    """«وأضاف أن ...», «وأوضح البيان»: nobody named: whoever spoke last, if not long ago."""
    if hit.entry.get("kind") != "asserts" or not found or c.r.gap[hit.first] < COMMA:
        return None
    last = next((s for s in reversed(found[-3:]) if s.stance == "asserts"), None)
    if last is None or c.r.sentence[hit.first] - c.r.sentence[last.at] > CARRIED:
        return None
    return replace(last, at=hit.first)


CARRIED = 4  # sentences that «he added» may look back over


def _after(c: Context, at: int, k: int, kind: str) -> Speaker | None:
    """«قال متحدث ...», «بحسب المرصد», «نقلت وكالة ... عن مصدر»."""
    for step in range(4):
        i = k + step
        if i >= len(c.r.words) or c.r.gap[i] >= SENTENCE or (step and c.r.gap[i] > SPACE):
            return None
        speaker = _named(c, i, at, kind)
        if speaker is not None and (step < 2 or kind == "according" or speaker.id == "" or i not in c.named):
            return speaker
        if c.cue(i, "block") and kind != "according":
            return None
    return None


def _before(c: Context, at: int, kind: str) -> Speaker | None:
    """«المرصد رصد ...»: the subject in front of its verb."""
    for step in range(1, 6):
        i = at - step
        if i < 0 or c.r.gap[i + 1] > SPACE:
            return None
        hit = c.hits.at("sources", i)
        if hit is not None and hit.entry.get("kind") == "source" and hit.last == at:
            return _named(c, i, at, kind)
        opens = c.r.gap[i] >= COMMA or i == c.r.bounds(i)[0]
        actor = c.named.get(i)
        if actor is not None and actor.last == at and opens and not actor.flags & {"victim", "adjective"}:
            return _named(c, i, at, kind)
        if hit is not None and hit.entry.get("kind") == "head" and opens and i not in c.named:
            found = _named(c, i, at, kind)
            return found if found is not None and found.last >= at else None
    return None


def _named(c: Context, i: int, at: int, kind: str) -> Speaker | None:
    stance = cast(Literal["asserts", "denies", "doubts"], kind if kind in ("denies", "doubts") else "asserts")
    hit = c.hits.at("sources", i)
    if hit is not None and hit.entry.get("kind") == "source":
        return Speaker(i, hit.last, at, hit.entry.get("id"), hit.entry.get("name"), stance)
    actor = c.named.get(i)
    if actor is not None and actor.rule != "adjective" and not (hit is not None and hit.entry.get("kind") == "head" and
                                                               actor.weak):  # fmt: skip
        return Speaker(i, actor.last, at, actor.id, c.r.quote(i, actor.last), stance)
    if hit is not None and hit.entry.get("kind") == "head":
        last = hit.last
        while last < len(c.r.words) and last - i < MAX_NAME and c.r.gap[last] == SPACE and not c.cue(last, "block"):
            nested = c.hits.at("sources", last)
            if nested is not None and nested.entry.get("kind") not in ("head",):
                break
            told = c.hits.at("triggers", last) or c.hits.at("outcomes", last)
            if told is not None and (told.prefix or c.cue(last - 1, "agent")):
                break
            if c.cue(last, "agent"):
                break
            if c.r.words[last] in ("في", "من", "عن", "ل", "علي", "قوله", "قولها", "اليوم", "خلال"):
                break
            last += 1
        return Speaker(i, last, at, "", c.r.quote(i, last), stance)
    return None


def governing(c: Context, found: Along[Speaker], at: int) -> list[Speaker]:
    """Who asserts something in the sentence of word `at`, at most four; else who spoke last before it, not long ago."""
    low, high = c.r.bounds(at)
    here = [s for s in found.between(low, high) if s.stance == "asserts"][:4]
    sentence = c.r.sentences[c.r.sentence[at]]
    if here or sentence.headline or any(s.stance != "asserts" for s in found.between(low, high)):
        return here
    before = next((s for s in found.before(low, 3) if s.stance == "asserts"), None)
    if before is None or c.r.sentence[at] - c.r.sentence[before.at] > SILENT:
        return []
    return [before]


SILENT = 2  # sentences without a speaker of their own that are still the last one's
