"""One batch of messages into the tables of PostgreSQL, inside the caller's transaction.

Whoever writes first locks the articles and ids that the batch concerns, in a fixed order, so that what it then reads of
them stays so until it commits: several processes may write the same article at once, and the result is as if one had.
Rows that are not there yet are copied straight into their tables (COPY); only rows that replace others are upserted.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import orjson
from psycopg.adapt import Dumper

from connectors.sinks import rows
from connectors.sinks.decide import Changes, Key, Known, Placed, Stored, codings_of, decide
from connectors.sinks.postgres_server import Db
from connectors.sinks.rows import Row
from connectors.sinks.standing import bounded
from pipeline.records import Coding, Event, Record, Toll, Unique

#: Locks of the server that one batch may hold; it has room for some 6,000 in all (max_locks_per_transaction times
#: max_connections). A larger batch keeps all other writers out instead.
MOST_LOCKS = 1_000
_TABLE = {"event": "events", "toll": "tolls"}
KEYS = {
    "articles": ("id", "revision"),
    "verdicts": ("article_id", "revision"),
    "codings": ("article_id", "revision", "generation"),
    "events": ("id",),
    "tolls": ("id",),
    "claims": ("record_id", "idx"),
    "claim_groups": ("record_id", "idx", "n"),
    "places": ("record_id", "idx"),
    "actors": ("record_id", "idx"),
    "sources": ("record_id", "idx"),
    "history": ("id", "record", "revision", "generation"),
    "staged": ("article_id", "revision", "record", "id"),
}
_LISTS: dict[str, Callable[[Event | Toll], Iterator[Row]]] = {
    "claims": lambda r: rows.claim_rows(r, array),
    "claim_groups": rows.group_rows,
    "places": rows.place_rows,
    "actors": rows.actor_rows,
    "sources": rows.source_rows,
}


def array(values: Sequence[str | int]) -> str:
    """A list as PostgreSQL writes it: {1,2} or {"a","b"}."""
    return "{" + ",".join(str(bounded(v)) if isinstance(v, int) else _quoted(v) for v in values) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _JsonDumper(Dumper):
    """Bytes of ours are JSON and go as they are: to make a text of them only to undo it costs a tenth of all time."""

    oid = 114  # json

    def dump(self, obj: bytes) -> bytes:
        return obj


class Loader:
    """Loads batches over one connection.

    clean: puts a replacement character for each character that PostgreSQL cannot hold (NUL, half of a surrogate pair).
    """

    def __init__(self, db: Db, schema: str, *, clean: bool = False) -> None:
        self._db, self._schema, self._clean = db, schema, clean
        self._columns: dict[str, list[str]] = {}
        db.adapters.register_dumper(bytes, _JsonDumper)

    def load(self, messages: Sequence[tuple[Record, bytes]]) -> None:
        if self._clean:
            messages = [(record, _valid(value)) for record, value in messages]
        codings = codings_of(messages)
        self._lock(messages)
        known = self._look_up(codings)
        there = _There(known)
        changes = decide(known, messages)
        self._make_room(changes, there)
        self._write(changes, there)

    def _lock(self, messages: Sequence[tuple[Record, bytes]]) -> None:
        names = {_article_of(record) for record, _ in messages}
        for coding in codings_of(messages):
            names.update(coding.event_ids, coding.toll_ids)
        if len(names) > MOST_LOCKS:
            self._db.execute("LOCK TABLE codings IN SHARE ROW EXCLUSIVE MODE")
            return
        self._db.execute("LOCK TABLE codings IN ROW EXCLUSIVE MODE")
        keys = sorted({_lock_key(self._schema, name) for name in names})
        self._db.execute("SELECT count(pg_advisory_xact_lock(k)) FROM unnest(%s::bigint[]) AS k", [keys])

    # -- what the database holds -------------------------------------------------------------------------------------

    def _look_up(self, codings: Sequence[Coding]) -> Known:
        known = Known()
        if not codings:
            return known
        articles = sorted({c.article_id for c in codings})
        for article, revision, generation, json in self._db.execute(
            "SELECT article_id, revision, generation, json::text FROM codings WHERE article_id = ANY(%s)", [articles]
        ):
            known.add_coding(article, revision, generation, json)
        for article, revision, id, kind, json in self._db.execute(
            "SELECT article_id, revision, id, record, json::text FROM staged WHERE article_id = ANY(%s)", [articles]
        ):
            known.add_staged(article, revision, id, kind, json)
        ids = sorted({id for c in codings for id in (*c.event_ids, *c.toll_ids)})
        for kind in _TABLE:  # both, for an event and a toll of one id share their rows in the tables of lists
            columns = f"SELECT id, article_id, revision, generation, retracted FROM {_TABLE[kind]} WHERE"
            for id, article, revision, generation, retracted in self._db.execute(
                f"{columns} article_id = ANY(%s) UNION {columns} id = ANY(%s)".encode(), [articles, ids]
            ):
                known.rows[kind, id] = Stored(article, (revision, generation), retracted)
        return known

    def _present(self, table: str, keys: Iterable[Key]) -> set[Key]:
        """Those of the keys that the table has."""
        if not (wanted := list(keys)):
            return set()
        id, revision = KEYS[table][:2]
        found = self._db.execute(
            f"SELECT t.{id}, t.revision FROM {table} t JOIN unnest(%s::text[], %s::bigint[]) AS n (id, revision)"
            f" ON t.{id} = n.id AND t.{revision} = n.revision".encode(),
            [[k[0] for k in wanted], [k[1] for k in wanted]],
        )
        return {(id, revision) for id, revision in found}

    # -- what it will hold -------------------------------------------------------------------------------------------

    def _make_room(self, changes: Changes, there: _There) -> None:
        """What stood before and does so no longer: into the history, marked or gone."""
        for kind, table in _TABLE.items():
            if copied := changes.copied(kind):
                self._db.execute(
                    f"INSERT INTO history SELECT id, '{kind}', revision, generation, article_id, json FROM {table}"
                    " WHERE id = ANY(%s) ORDER BY id ON CONFLICT DO NOTHING".encode(),
                    [copied],
                )
            if taken := [(id, *order) for (k, id), order in changes.retracted.items() if k == kind]:
                self._db.execute(
                    f"UPDATE {table} t SET retracted = true, retracted_revision = n.revision,"
                    " retracted_generation = n.generation"
                    " FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS n (id, revision, generation)"
                    " WHERE t.id = n.id".encode(),
                    [list(column) for column in zip(*taken, strict=True)],
                )
        past = [
            (past.over, (*version, past.article, past.json)) for version, past in changes.history.items() if past.json
        ]
        self._upsert("history", [row for over, row in past if over])
        self._upsert("history", [row for over, row in past if not over], keep=True)
        if changes.outdated:
            self._db.execute(
                "UPDATE codings SET newest = false WHERE article_id = ANY(%s) AND newest", [sorted(changes.outdated)]
            )
        if changes.closed:
            self._db.execute(
                "DELETE FROM staged s USING unnest(%s::text[], %s::bigint[]) AS n (id, revision)"
                " WHERE s.article_id = n.id AND s.revision = n.revision",
                [[k[0] for k in changes.closed], [k[1] for k in changes.closed]],
            )
        if cleared := sorted(changes.cleared & there.ids):
            for table in _LISTS:
                self._db.execute(f"DELETE FROM {table} WHERE record_id = ANY(%s)".encode(), [cleared])

    def _write(self, changes: Changes, there: _There) -> None:
        for table, added in (
            ("articles", {key: rows.article_row(unique) for key, unique in changes.articles.items()}),
            ("verdicts", {key: rows.verdict_row(v, json) for key, (v, json) in changes.verdicts.items()}),
        ):
            present = self._present(table, added)
            self._copy(table, (row for key, row in added.items() if key not in present))
            self._upsert(table, [row for key, row in added.items() if key in present])
        codings = changes.codings.items()
        self._copy("codings", (_coding_row(c) for key, c in codings if key not in there.codings))
        self._upsert("codings", [_coding_row(c) for key, c in codings if key in there.codings])
        for kind, table in _TABLE.items():
            placed = [(name in there.names, row) for name, row in changes.placed.items() if name[0] == kind]
            self._copy(table, (_placed_row(p) for known, p in placed if not known))  # made while they are sent
            self._upsert(table, [_placed_row(p) for known, p in placed if known])
        self._write_lists(changes, there)
        self._upsert(
            "staged",
            [
                (article, revision, id, kind, held.json)
                for (article, revision), waiting in changes.waiting.items()
                for (kind, id), held in waiting.items()
            ],
        )

    def _write_lists(self, changes: Changes, there: _There) -> None:
        """Claims, places and so on: copied, but where an event and a toll share an id."""
        fresh: list[Event | Toll] = []
        shared: list[Event | Toll] = []
        for id, records in changes.lists.items():
            alone = len(records) == 1 and (id not in there.ids or id in changes.cleared)
            (fresh if alone else shared).extend(records)
        for table, made in _LISTS.items():
            self._copy(table, (row for record in fresh for row in made(record)))
            self._upsert(table, [row for record in shared for row in made(record)])

    # -- rows --------------------------------------------------------------------------------------------------------

    def _copy(self, table: str, added: Iterable[Row]) -> None:
        """New rows, as a stream; nothing is asked of the server where there are none."""
        rows_ = iter(added)
        first = next(rows_, None)
        if first is None:
            return
        with self._db.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in itertools.chain((first,), rows_):
                copy.write_row(self._fit(row) if self._clean else row)

    def _upsert(self, table: str, added: Sequence[Row], *, keep: bool = False) -> None:
        """Rows whose key may be there: written over what is, unless `keep`. Later rows go over earlier ones."""
        if not added:
            return
        if table not in self._columns:
            found = self._db.execute(
                "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                " AND NOT attisdropped ORDER BY attnum",
                [table],
            )
            self._columns[table] = [name for (name,) in found]
        names, key = self._columns[table], KEYS[table]
        values = ", ".join(f"{name} = EXCLUDED.{name}" for name in names if name not in key)
        query = f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(names))}) ON CONFLICT ({', '.join(key)}) DO " + (
            "NOTHING" if keep else f"UPDATE SET {values}"
        )
        texts = [[v if v is None or isinstance(v, bytes) else str(v) for v in self._fit(row)] for row in added]
        with self._db.cursor() as cursor:
            cursor.executemany(query.encode(), texts)  # as texts: the server knows the columns' types

    def _fit(self, row: Row) -> Row:
        return tuple(_clean(v) if isinstance(v, str) else v for v in row) if self._clean else row


class _There:
    """Which rows the database had before: taken down before `decide` uses it up."""

    def __init__(self, known: Known) -> None:
        self.codings = {(article, *order) for article, orders in known.codings.items() for order in orders}
        self.names = set(known.rows)
        self.ids = {id for _, id in known.rows}


def _coding_row(coded: tuple[Coding, bytes, bool]) -> Row:
    coding, json, newest = coded
    return rows.coding_row(coding, json, newest=newest)


def _placed_row(placed: Placed) -> Row:
    record, json = placed.staged.record, placed.staged.json
    if isinstance(record, Event):
        return rows.event_row(record, placed.generation, json, placed.retracted)
    return rows.toll_row(record, placed.generation, json, placed.retracted)


def _article_of(record: Record) -> str:
    return record.article.id if isinstance(record, Unique) else str(getattr(record, "article_id", ""))


def _lock_key(schema: str, name: str) -> int:
    """64 bits of the name, as PostgreSQL's bigint."""
    digest = hashlib.blake2b(f"{schema}\0{name}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _valid(value: bytes) -> bytes:
    """The JSON, or the same bytes as one JSON text where they are none."""
    text = value.decode("utf-8", "replace")
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.dumps(text)
    return text.encode()
