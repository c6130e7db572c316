"""One batch of messages into the tables of `schema.sql`: a few statements for all of it, not a few for each record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import orjson

from connectors.sinks import rows
from connectors.sinks.decide import Changes, Known, Stored, codings_of, decide
from connectors.sinks.rows import Row
from pipeline.records import Coding, Event, Record

_TABLE = {"event": "events", "toll": "tolls"}
_LISTS = ("claims", "claim_groups", "places", "actors", "sources")


class Loader:
    """Loads one batch inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def load(self, messages: Sequence[tuple[Record, bytes]]) -> None:
        self._write(decide(self._look_up(codings_of(messages)), messages))

    def _look_up(self, codings: Sequence[Coding]) -> Known:
        known = Known()
        articles = _json({c.article_id for c in codings})
        among = "article_id IN (SELECT value FROM json_each(?))"
        for found in self._db.execute(
            f"SELECT article_id, revision, generation, json FROM codings WHERE {among}", (articles,)
        ):
            known.add_coding(*found)
        for found in self._db.execute(
            f"SELECT article_id, revision, id, record, json FROM staged WHERE {among}", (articles,)
        ):
            known.add_staged(*found)
        for kind, ids in (
            ("event", {id for c in codings for id in c.event_ids}),
            ("toll", {id for c in codings for id in c.toll_ids}),
        ):
            for id, article, revision, generation, retracted in self._db.execute(
                f"SELECT id, article_id, revision, generation, retracted FROM {_TABLE[kind]} WHERE {among}"
                " OR id IN (SELECT value FROM json_each(?))",
                (articles, _json(ids)),
            ):
                known.rows[kind, id] = Stored(article, (revision, generation), bool(retracted))
        return known

    # -- rows --------------------------------------------------------------------------------------------------------

    def _write(self, changes: Changes) -> None:
        self._make_room(changes)
        self._put("articles", (rows.article_row(unique) for unique in changes.articles.values()))
        self._put("verdicts", (rows.verdict_row(v, _text(json)) for v, json in changes.verdicts.values()))
        self._put("codings", (rows.coding_row(c, _text(json), newest=new) for c, json, new in changes.codings.values()))
        events: list[Row] = []
        tolls: list[Row] = []
        for placed in changes.placed.values():
            record, json, taken_back = placed.staged.record, _text(placed.staged.json), placed.retracted
            if isinstance(record, Event):
                events.append(rows.event_row(record, placed.generation, json, taken_back))
            else:
                tolls.append(rows.toll_row(record, placed.generation, json, taken_back))
        self._put("events", events)
        self._put("tolls", tolls)
        listed = [record for laid in changes.lists.values() for record in laid]
        self._put("claims", (row for r in listed for row in rows.claim_rows(r)))
        self._put("claim_groups", (row for r in listed for row in rows.group_rows(r)))
        self._put("places", (row for r in listed for row in rows.place_rows(r)))
        self._put("actors", (row for r in listed for row in rows.actor_rows(r)))
        self._put("sources", (row for r in listed for row in rows.source_rows(r)))
        self._put(
            "staged",
            (
                (article, revision, id, kind, _text(held.json))
                for (article, revision), held_by in changes.waiting.items()
                for (kind, id), held in held_by.items()
            ),
        )

    def _make_room(self, changes: Changes) -> None:
        """What stood before and does so no longer: into the history, marked or gone."""
        for kind, table in _TABLE.items():
            self._db.executemany(
                f"INSERT OR IGNORE INTO history SELECT id, '{kind}', revision, generation, article_id, json"
                f" FROM {table} WHERE id = ?",
                [(id,) for id in changes.copied(kind)],
            )
            self._db.executemany(
                f"UPDATE {table} SET retracted = 1, retracted_revision = ?, retracted_generation = ? WHERE id = ?",
                [(*order, id) for (k, id), order in changes.retracted.items() if k == kind],
            )
        for over, words in ((False, "INSERT OR IGNORE"), (True, "INSERT OR REPLACE")):
            self._db.executemany(
                f"{words} INTO history VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (*version, past.article, _text(past.json))
                    for version, past in changes.history.items()
                    if past.json is not None and past.over == over
                ],
            )
        self._db.executemany(
            "UPDATE codings SET newest = 0 WHERE article_id = ? AND newest", [(id,) for id in changes.outdated]
        )
        self._db.executemany("DELETE FROM staged WHERE article_id = ? AND revision = ?", changes.closed)
        for table in _LISTS:
            self._db.executemany(f"DELETE FROM {table} WHERE record_id = ?", [(id,) for id in changes.cleared])

    def _put(self, table: str, added: Iterable[Row]) -> None:
        if added := list(added):
            marks = ",".join("?" * len(added[0]))
            self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", added)


def _json(ids: Iterable[str]) -> str:
    """For `json_each`: one parameter however many ids."""
    return orjson.dumps(sorted(ids)).decode()


def _text(json: bytes) -> str:
    return json.decode("utf-8", "replace")
