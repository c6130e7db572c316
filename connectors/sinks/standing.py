"""Which records of an article stand: the decision, without the files.

Codings of an article are ordered by (revision, generation). The newest says which events and tolls stand; an older one
that arrives late changes nothing; what the newest no longer lists is retracted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import orjson

from pipeline.records import Coding

_MOST = 2**63 - 1


def bounded(number: int) -> int:
    """The number kept within 64 bits: what JSON writers and SQLite can hold."""
    return number if -_MOST <= number <= _MOST else max(-_MOST, min(_MOST, number))


def listed(coding: Coding) -> list[str]:
    """Ids of a coding, events first, each once."""
    return list(dict.fromkeys((*coding.event_ids, *coding.toll_ids)))


@dataclass(frozen=True, slots=True)
class Held:
    """A record that waits for the coding that closes its set: the file it would go to, and its line."""

    revision: int
    id: str
    file: str
    line: bytes

    @property
    def key(self) -> tuple[int, str]:
        return self.revision, self.id


def save_held(sets: Iterable[Held]) -> bytes:
    """Two lines a record: what we know of it, and the record; empty where nothing waits."""
    return b"".join(orjson.dumps([h.revision, h.id, h.file]) + b"\n" + h.line + b"\n" for h in sets)


def load_held(value: bytes) -> Iterator[Held]:
    lines = value.split(b"\n")
    for head, line in zip(lines[0:-1:2], lines[1::2], strict=True):
        revision, id, file = orjson.loads(head)
        yield Held(revision, id, file, line)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the newest coding of an article left behind.

    stands: file of each listed id; null where its record never came.
    gone: file of each retracted id: should it come back, it goes where its older lines are.
    """

    revision: int
    generation: int
    stands: Mapping[str, str | None]
    gone: Mapping[str, str]

    def save(self) -> bytes:
        return orjson.dumps([self.revision, self.generation, self.stands, self.gone])

    @classmethod
    def load(cls, value: bytes) -> Standing:
        return cls(*orjson.loads(value))


@dataclass(frozen=True, slots=True)
class Settled:
    """What a coding changes: records to write and ids to retract, each with its file."""

    standing: Standing
    written: list[tuple[Held, str]]
    retracted: list[tuple[str, str]]


def settle(before: Standing | None, coding: Coding, found: Mapping[str, Held]) -> Settled | None:
    """What `coding` changes, given its records `found` by id; None for an older coding or the same one again."""
    order = (bounded(coding.revision), bounded(coding.generation))
    ids = listed(coding)
    if before is not None:
        known = (before.revision, before.generation)
        if order < known or (order == known and set(ids) == set(before.stands)):
            return None
    files: dict[str, str] = {}
    if before is not None:
        files = {**before.gone, **{id: file for id, file in before.stands.items() if file is not None}}
    written = [(found[id], files.get(id, found[id].file)) for id in ids if id in found]
    here = {held.id: file for held, file in written}
    was = {} if before is None else before.stands
    stands = {id: here.get(id, was.get(id)) for id in ids}
    retracted = [(id, file) for id, file in was.items() if file is not None and id not in stands]
    gone = {id: file for id, file in files.items() if stands.get(id) is None}
    return Settled(Standing(*order, stands, gone), written, retracted)
