"""One batch of messages into the tables of `schema.sql`: a few statements for all of it, not a few for each record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
import orjson

from connectors.sinks import rows
from connectors.sinks.rows import Row
from connectors.sinks.standing import bounded, listed
from pipeline.records import Coding, Event, Record, Toll, Unique, Verdict

Order = tuple[int, int]  # revision, generation
Key = tuple[str, int]  # article id, revision

_DECODERS: dict[str, msgspec.json.Decoder[Event] | msgspec.json.Decoder[Toll]] = {
    "event": msgspec.json.Decoder(Event),
    "toll": msgspec.json.Decoder(Toll),
}
_TABLE = {"event": "events", "toll": "tolls"}
_CHILDREN = ("claims", "claim_groups", "places", "actors", "sources")


@dataclass(frozen=True, slots=True)
class _Staged:
    record: Event | Toll
    json: str


@dataclass(slots=True)
class _Known:
    """What the file holds of the articles that a batch codes; kept up to date while the batch is loaded.

    codings: ids of each coding, by article and order. staged: records that wait, by article revision and id.
    stored: articles and revisions with rows in table `staged`. ids: events and tolls that have a row.
    """

    codings: dict[str, dict[Order, frozenset[str]]] = field(default_factory=dict)
    staged: dict[Key, dict[tuple[str, str], _Staged]] = field(default_factory=dict)
    stored: set[Key] = field(default_factory=set)
    ids: set[tuple[str, str]] = field(default_factory=set)


class Loader:
    """Loads one batch inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known = _Known()
        self._rows: dict[str, list[Row]] = {}
        self._touched: set[str] = set()  # articles and ids with rows not yet in the file

    def load(self, messages: Sequence[tuple[Record, bytes]]) -> None:
        self._look_up([record for record, _ in messages if isinstance(record, Coding)])
        fresh: dict[Key, dict[tuple[str, str], _Staged]] = {}
        for record, value in messages:
            json = value.decode("utf-8", "replace")
            match record:
                case Unique():
                    self._add("articles", rows.article_row(record))
                case Verdict():
                    self._add("verdicts", rows.verdict_row(record, json))
                case Event() | Toll():
                    staged = _Staged(record, json)
                    key = (record.article_id, bounded(record.revision))
                    for sets in (self._known.staged, fresh):
                        sets.setdefault(key, {})[record.kind, record.id] = staged
                case Coding():
                    self._close_set(record, json)
                    fresh.pop((record.article_id, bounded(record.revision)), None)
        for (article, revision), waiting in fresh.items():
            for (kind, id), held in waiting.items():
                self._add("staged", (article, revision, id, kind, held.json))
        self._drain()

    # -- what the file holds -----------------------------------------------------------------------------------------

    def _look_up(self, codings: Sequence[Coding]) -> None:
        known = self._known
        articles = _json({c.article_id for c in codings})
        for article, revision, generation, json in self._db.execute(
            "SELECT article_id, revision, generation, json FROM codings WHERE article_id IN"
            " (SELECT value FROM json_each(?))",
            (articles,),
        ):
            coding = orjson.loads(json)
            named = frozenset((*coding.get("event_ids", ()), *coding.get("toll_ids", ())))
            known.codings.setdefault(article, {})[revision, generation] = named
        for article, revision, id, kind, json in self._db.execute(
            "SELECT article_id, revision, id, record, json FROM staged WHERE article_id IN"
            " (SELECT value FROM json_each(?))",
            (articles,),
        ):
            staged = _Staged(_DECODERS[kind].decode(json), json)
            known.staged.setdefault((article, revision), {})[kind, id] = staged
            known.stored.add((article, revision))
        for kind, ids in (
            ("event", {id for c in codings for id in c.event_ids}),
            ("toll", {id for c in codings for id in c.toll_ids}),
        ):
            query = f"SELECT id FROM {_TABLE[kind]} WHERE id IN (SELECT value FROM json_each(?))"
            known.ids.update((kind, id) for (id,) in self._db.execute(query, (_json(ids),)))

    # -- one set -----------------------------------------------------------------------------------------------------

    def _close_set(self, coding: Coding, json: str) -> None:
        """Decides as `standing.settle` does, and keeps what it does not let stand in `history`."""
        article, order = coding.article_id, (bounded(coding.revision), bounded(coding.generation))
        records = self._known.staged.pop((article, order[0]), {})
        if (article, order[0]) in self._known.stored:
            self._known.stored.discard((article, order[0]))
            self._db.execute("DELETE FROM staged WHERE article_id = ? AND revision = ?", (article, order[0]))
        ids = frozenset(listed(coding))
        codings = self._known.codings.setdefault(article, {})
        if codings.get(order) == ids:
            return
        wanted = {("event", id) for id in coding.event_ids} | {("toll", id) for id in coding.toll_ids}
        found = [staged for key, staged in records.items() if key in wanted]
        newest = not any(other > order for other in codings)
        if not newest:
            for s in found:
                self._add("history", (s.record.id, s.record.kind, *order, article, s.json))
        else:
            if codings:
                self._retract(article, order, wanted)
            self._make_room(found, order)
            for s in found:
                self._add_record(s, order[1])
        codings[order] = ids
        self._add("codings", rows.coding_row(coding, json, newest=newest))
        self._touched.add(article)

    def _retract(self, article: str, order: Order, wanted: set[tuple[str, str]]) -> None:
        """Marks what stands of the article and is no longer wanted; older codings of it are no longer the newest."""
        if article in self._touched:
            self._drain()
        self._db.execute("UPDATE codings SET newest = 0 WHERE article_id = ? AND newest", (article,))
        for kind, table in _TABLE.items():
            standing = self._db.execute(f"SELECT id FROM {table} WHERE article_id = ? AND NOT retracted", (article,))
            dropped = [id for (id,) in standing.fetchall() if (kind, id) not in wanted]
            self._db.executemany(
                f"UPDATE {table} SET retracted = 1, retracted_revision = ?, retracted_generation = ? WHERE id = ?",
                [(*order, id) for id in dropped],
            )
            self._delete_children(dropped)

    def _make_room(self, found: Sequence[_Staged], order: Order) -> None:
        """Moves what the file said of these records before into `history`."""
        replaced = [s.record for s in found if (s.record.kind, s.record.id) in self._known.ids]
        if not replaced:
            return
        if any(r.id in self._touched for r in replaced):
            self._drain()
        for kind, table in _TABLE.items():
            self._db.executemany(
                f"INSERT OR IGNORE INTO history SELECT id, '{kind}', revision, generation, article_id, json"
                f" FROM {table} WHERE id = ? AND (revision, generation) <> (?, ?)",
                [(r.id, *order) for r in replaced if r.kind == kind],
            )
        self._delete_children([r.id for r in replaced])

    def _delete_children(self, ids: Sequence[str]) -> None:
        for table in _CHILDREN if ids else ():
            self._db.executemany(f"DELETE FROM {table} WHERE record_id = ?", [(id,) for id in ids])

    # -- rows --------------------------------------------------------------------------------------------------------

    def _add_record(self, staged: _Staged, generation: int) -> None:
        record = staged.record
        if isinstance(record, Event):
            self._add("events", rows.event_row(record, generation, staged.json))
            self._extend("actors", rows.actor_rows(record))
        else:
            self._add("tolls", rows.toll_row(record, generation, staged.json))
        self._extend("claims", rows.claim_rows(record))
        self._extend("claim_groups", rows.group_rows(record))
        self._extend("places", rows.place_rows(record))
        self._extend("sources", rows.source_rows(record))
        self._known.ids.add((record.kind, record.id))
        self._touched.add(record.id)

    def _add(self, table: str, row: Row) -> None:
        self._rows.setdefault(table, []).append(row)

    def _extend(self, table: str, more: Iterable[Row]) -> None:
        self._rows.setdefault(table, []).extend(more)

    def _drain(self) -> None:
        for table, added in self._rows.items():
            if added:
                marks = ",".join("?" * len(added[0]))
                self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", added)
        self._rows.clear()
        self._touched.clear()


def _json(ids: Iterable[str]) -> str:
    """For `json_each`: one parameter however many ids."""
    return orjson.dumps(sorted(ids)).decode()
