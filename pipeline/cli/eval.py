"""`rasd eval`: records against a gold of one's own."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from pipeline.cli.context import put, put_json, warn
from pipeline.errors import FileError, RasdError

if TYPE_CHECKING:
    from pipeline.records import Event, Toll
    from processors.evaluate.gold import GoldDocument

STDIN = "-"
DRAWS = 500  # of the bootstrap: the second decimal of an interval holds still
EXAMPLES = 5  # of a kind of error, unless --only asks for it
MAX_LINE = 64_000_000  # bytes
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[\]]+)")


class GoldError(FileError):
    """A gold file that cannot be scored."""

    reason = "bad-gold"


def evaluate(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.json", help="What is right (docs/evaluating.md).")],
    records: Annotated[
        str, typer.Argument(metavar="RECORDS.jsonl", help="What rasd extract printed; - reads standard input.")
    ],
    articles: Annotated[
        Path | None,
        typer.Option(
            metavar="ARTICLES.jsonl", help="The articles read: checks every quote, finds gold quotes without a span."
        ),
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Also the errors by kind, with examples.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Every number as JSON; with --errors every error.")] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="All errors of one kind, or of all kinds that begin so: claim, event-date, recap."
        ),
    ] = None,
) -> None:
    """Score records against a gold: how many claims and events were found, and how many are right in every field.

    Intervals are 95% bootstraps over documents. The format of the gold and the meaning of each number stand in
    docs/evaluating.md.

    \b
    Examples:
      rasd extract articles.jsonl > records.jsonl
      rasd eval gold.json records.jsonl --articles articles.jsonl
      rasd extract articles.jsonl | rasd eval gold.json - --only claim
    """
    from pipeline.telemetry import escape
    from processors.evaluate import report
    from processors.evaluate.scoring import score
    from processors.evaluate.tables import ERRORS, intervals, total

    if only is not None and not any(kind.startswith(only) for kind in ERRORS):
        raise typer.BadParameter(f"no error begins with {only!r}; there are {', '.join(ERRORS)}", param_hint="--only")
    texts = None if articles is None else read_articles(articles)
    documents = read_gold(gold, texts)
    said = read_records(records)
    _strangers(documents, said)
    sheets = score(documents, said, texts)
    scores, spread = total(sheets), intervals(sheets, draws(len(sheets)))
    quotes = texts is not None
    shown = [e for e in scores.errors if only is None or e.kind.startswith(only)]
    if as_json:
        result = report.as_json(scores, spread, quotes=quotes)
        if errors or only is not None:
            result["errors"] = report.errors_as_json(shown)
        put_json(result)
        return
    for line in report.lines(scores, spread, quotes=quotes):
        put(escape(line))
    if errors or only is not None:
        put()
        for line in report.error_lines(shown, most=EXAMPLES if only is None else None):
            put(escape(line))


def draws(documents: int) -> Iterator[list[int]]:
    """The same draws of documents for the same number of them."""
    dice = random.Random(0)
    for _ in range(DRAWS if documents else 0):
        yield dice.choices(range(documents), k=documents)


def _strangers(gold: Sequence[GoldDocument], records: Sequence[Event | Toll]) -> None:
    """Warns where gold and records speak of different articles: it would look like a bad score."""
    named, read = {d.id for d in gold}, {r.article_id for r in records}
    if read and named.isdisjoint(read):
        warn(
            f"no record is of an article that the gold has: its `doc` must be the record's `article_id`"
            f" ({min(read)!r} is none of {len(named)}; `rasd extract` keeps the id that a row gives)"
        )
    elif read - named:
        warn(f"{len(read - named)} of {len(read)} articles with records are not in the gold; they do not count")


# -- reading -----------------------------------------------------------------------------------------------------------


def read_gold(path: Path, texts: dict[str, str] | None = None) -> list[GoldDocument]:
    """The gold, every item with its span; doubts are told as warnings. Raises: GoldError, OSError."""
    import msgspec

    from processors.evaluate.gold import GoldDocument, faults, located

    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8")
        json.loads(text)
    except UnicodeDecodeError as e:
        raise GoldError(path, raw.count(b"\n", 0, e.start) + 1, f"not UTF-8 (byte {e.start})") from e
    except json.JSONDecodeError as e:
        raise GoldError(path, e.lineno, f"not JSON: {e.msg} (column {e.colno})") from e
    try:
        documents = msgspec.json.decode(raw, type=list[GoldDocument])
    except msgspec.ValidationError as e:
        what, _, where = str(e).partition(" - at `$")
        steps = [int(n) if n.isdigit() else name or n for n, name in _STEP.findall(where.rstrip("`"))]
        raise GoldError(path, line_of(text, steps), f"{_dotted(steps)}{what}") from e
    documents = located(documents, texts or {})
    for fault in faults(documents, texts):
        line, what = line_of(text, fault.path), f"{_dotted(fault.path)}{fault.what}"
        if fault.fatal:
            raise GoldError(path, line, what)
        warn(f"{path}:{line}: {what}")
    return documents


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line where the value under these keys and indices begins; of the innermost that is there."""
    decoder = json.JSONDecoder()

    def blank(at: int) -> int:
        while text[at : at + 1].isspace():
            at += 1
        return at

    def inside(at: int, step: str | int) -> int | None:
        """Where the member begins of the object or array that begins at `at`."""
        kind, at, number = text[at], blank(at + 1), 0
        while text[at] not in "]}":
            key: Any = number
            if kind == "{":
                key, at = decoder.raw_decode(text, at)
                at = blank(blank(at) + 1)
            if key == step:
                return at
            _, at = decoder.raw_decode(text, at)
            at = blank(at)
            at, number = (blank(at + 1) if text[at] == "," else at), number + 1
        return None

    at = blank(0)
    for step in path:
        found = inside(at, step) if text[at] in "[{" else None
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _dotted(path: Sequence[str | int]) -> str:
    """(3, "events", 0, "start") → "[3].events[0].start: "."""
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"{words}: " if words else ""


def read_records(name: str) -> list[Event | Toll]:
    """Events and tolls of a JSONL file; codings are passed over. Raises: FileError, OSError."""
    from pipeline.records import Coding
    from pipeline.wire import decode_coded

    found: list[Event | Toll] = []
    for where, line in _lines(name):
        try:
            record = decode_coded(line)
        except RasdError as e:
            raise FileError(name, where, str(e)) from e
        if not isinstance(record, Coding):
            found.append(record)
    return found


def read_articles(path: Path) -> dict[str, str]:
    """Reading texts by article id. Raises: FileError, OSError."""
    import msgspec

    class Row(msgspec.Struct):
        id: str | int
        body: str = ""
        title: str | None = None

    texts: dict[str, str] = {}
    decoder = msgspec.json.Decoder(Row)
    for where, line in _lines(str(path)):
        try:
            row = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise FileError(path, where, f"no article {{id, title, body}}: {e}") from e
        texts[str(row.id)] = f"{row.title}\n\n{row.body}" if row.title else row.body
    return texts


def _lines(name: str) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of a plain or compressed file. Raises: FileError, OSError."""
    from connectors.sources.lines import read_lines

    with nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb") as file:
        source: BinaryIO = file
        for line in read_lines(source, MAX_LINE):
            if line.too_long or line.broken is not None:
                raise FileError(name, line.number, line.broken or f"a line of {line.length:,} bytes")
            yield line.number, line.data
