"""What a batch of messages changes in tables: the decision, without the database.

The rule is `standing`'s: codings of an article are ordered by (revision, generation), the newest says what stands, an
older one that arrives late changes nothing, what the newest no longer lists is retracted. A database tells what it
holds of the articles concerned (`Known`), `decide` says what to write (`Changes`), and the database writes that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import orjson

from connectors.sinks.standing import bounded, listed
from pipeline.records import Coding, Event, Record, Toll, Unique, Verdict

Order = tuple[int, int]  # revision, generation
Key = tuple[str, int]  # article id, revision
Name = tuple[str, str]  # "event" or "toll", id
Version = tuple[str, str, int, int]  # id, "event" or "toll", revision, generation

_DECODERS: dict[str, msgspec.json.Decoder[Event] | msgspec.json.Decoder[Toll]] = {
    "event": msgspec.json.Decoder(Event),
    "toll": msgspec.json.Decoder(Toll),
}


@dataclass(frozen=True, slots=True)
class Staged:
    """A record with its JSON, as it was sent."""

    record: Event | Toll
    json: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What a table holds of an event or toll."""

    article: str
    order: Order
    retracted: bool


@dataclass(slots=True)
class Known:
    """What the database holds of the articles that a batch codes.

    codings: ids of each coding, by article and order. staged: records that wait, by article revision and name.
    rows: events and tolls of these articles, and those of any article that the codings list.
    """

    codings: dict[str, dict[Order, frozenset[str]]] = field(default_factory=dict)
    staged: dict[Key, dict[Name, Staged]] = field(default_factory=dict)
    rows: dict[Name, Stored] = field(default_factory=dict)

    def add_coding(self, article: str, revision: int, generation: int, json: str) -> None:
        coding = orjson.loads(json)
        named = frozenset((*coding.get("event_ids", ()), *coding.get("toll_ids", ())))
        self.codings.setdefault(article, {})[revision, generation] = named

    def add_staged(self, article: str, revision: int, id: str, kind: str, json: str) -> None:
        staged = Staged(_DECODERS[kind].decode(json), json.encode())
        self.staged.setdefault((article, revision), {})[kind, id] = staged


@dataclass(frozen=True, slots=True)
class Placed:
    """A row to write. retracted: the coding that took it back, within the same batch."""

    staged: Staged
    generation: int
    retracted: Order | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A version for the history. json: None where the row that is about to be replaced holds it.

    over: it is written over what the history has of this version, else that stays.
    """

    article: str
    json: bytes | None
    over: bool


@dataclass(slots=True)
class Changes:
    """What to write, in the order of these fields; later rows of one key have taken the place of earlier ones.

    outdated: articles of which no stored coding is the newest any more. retracted: stored rows, and by which coding.
    closed: article revisions whose waiting records go. cleared: ids whose rows in the tables of lists go.
    placed: rows of events and tolls. lists: the records whose claims, places and so on stand under an id, each laid
    over those before it (more than one only where an event and a toll share an id).
    """

    history: dict[Version, Past] = field(default_factory=dict)
    outdated: set[str] = field(default_factory=set)
    retracted: dict[Name, Order] = field(default_factory=dict)
    closed: set[Key] = field(default_factory=set)
    cleared: set[str] = field(default_factory=set)
    articles: dict[Key, Unique] = field(default_factory=dict)
    verdicts: dict[Key, tuple[Verdict, bytes]] = field(default_factory=dict)
    codings: dict[tuple[str, int, int], tuple[Coding, bytes, bool]] = field(default_factory=dict)
    placed: dict[Name, Placed] = field(default_factory=dict)
    lists: dict[str, list[Event | Toll]] = field(default_factory=dict)
    waiting: dict[Key, dict[Name, Staged]] = field(default_factory=dict)

    def copied(self, kind: str) -> list[str]:
        """Ids whose stored row goes to the history as it is."""
        return [id for (id, k, _, _), past in self.history.items() if k == kind and past.json is None]


def codings_of(messages: Sequence[tuple[Record, bytes]]) -> list[Coding]:
    return [record for record, _ in messages if isinstance(record, Coding)]


def decide(known: Known, messages: Sequence[tuple[Record, bytes]]) -> Changes:
    """What these messages change, one after the other. Uses `known` up."""
    deciding = _Deciding(known)
    for record, value in messages:
        deciding.take(record, value)
    return deciding.changes


class _Deciding:
    def __init__(self, known: Known) -> None:
        self.known, self.changes = known, Changes()
        self.stored = set(known.staged)
        self.names: dict[str, set[Name]] = {}
        for name, row in known.rows.items():
            self.names.setdefault(row.article, set()).add(name)

    def take(self, record: Record, json: bytes) -> None:
        match record:
            case Unique():
                self.changes.articles[record.article.id, bounded(record.verdict.revision)] = record
            case Verdict():
                self.changes.verdicts[record.article_id, bounded(record.revision)] = (record, json)
            case Event() | Toll():
                key = (record.article_id, bounded(record.revision))
                for sets in (self.known.staged, self.changes.waiting):
                    sets.setdefault(key, {})[record.kind, record.id] = Staged(record, json)
            case Coding():
                self._close_set(record, json)

    def _close_set(self, coding: Coding, json: bytes) -> None:
        article, order = coding.article_id, (bounded(coding.revision), bounded(coding.generation))
        key = (article, order[0])
        records = self.known.staged.pop(key, {})
        self.changes.waiting.pop(key, None)
        if key in self.stored:
            self.changes.closed.add(key)
        ids = frozenset(listed(coding))
        codings = self.known.codings.setdefault(article, {})
        if codings.get(order) == ids:
            return
        wanted = {("event", id) for id in coding.event_ids} | {("toll", id) for id in coding.toll_ids}
        found = [staged for name, staged in records.items() if name in wanted]
        newest = not any(other > order for other in codings)
        if not newest:
            for s in found:
                self.changes.history[s.record.id, s.record.kind, *order] = Past(article, s.json, over=True)
        else:
            if codings:
                self._outdate(article, codings)
                self._retract(article, order, wanted)
            for s in found:
                self._place(s, order)
        codings[order] = ids
        self.changes.codings[article, *order] = (coding, json, newest)

    def _outdate(self, article: str, orders: Mapping[Order, object]) -> None:
        self.changes.outdated.add(article)
        for order in orders:
            if told := self.changes.codings.get((article, *order)):
                self.changes.codings[article, *order] = (*told[:2], False)

    def _retract(self, article: str, order: Order, wanted: set[Name]) -> None:
        """Marks what stands of the article and is no longer wanted."""
        for name in self.names.get(article, set()) - wanted:
            row = self.known.rows[name]
            if row.retracted:
                continue
            self.known.rows[name] = Stored(row.article, row.order, retracted=True)
            if placed := self.changes.placed.get(name):
                self.changes.placed[name] = Placed(placed.staged, placed.generation, order)
            else:
                self.changes.retracted[name] = order
            self._clear(name[1])

    def _place(self, staged: Staged, order: Order) -> None:
        """Writes a record where it stands, and what was said of it before into the history."""
        record = staged.record
        name: Name = (record.kind, record.id)
        if before := self.known.rows.get(name):
            if before.order != order:
                held = self.changes.placed.get(name)
                past = Past(before.article, held.staged.json if held else None, over=False)
                self.changes.history.setdefault((record.id, record.kind, *before.order), past)
            self._clear(record.id)
            self.names[before.article].discard(name)
        self.known.rows[name] = Stored(record.article_id, order, retracted=False)
        self.names.setdefault(record.article_id, set()).add(name)
        self.changes.retracted.pop(name, None)
        self.changes.placed[name] = Placed(staged, order[1])
        self.changes.lists.setdefault(record.id, []).append(record)

    def _clear(self, id: str) -> None:
        self.changes.lists.pop(id, None)
        self.changes.cleared.add(id)
