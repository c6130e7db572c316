"""`rasd explain`: an event, the words it was read from and the rules that read them."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from pipeline.cli.context import Local, NotFound, log_of, put, put_json, settings
from pipeline.cli.pretty import Style, block
from pipeline.cli.tail import style_of_stdout
from pipeline.errors import RasdError, StorageError, StoragePaused
from pipeline.records import Event, Span, Toll, Unique, reading_text
from pipeline.telemetry import escape

_COLOURS = {"type": "35", "date": "36", "place": "32", "actor": "33", "claim": "31", "source": "34"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A field and a span of the text that it was read from. group: what its colour is chosen by."""

    name: str
    group: str
    span: Span


def explain(
    ctx: typer.Context,
    event_id: Annotated[str, typer.Argument(help="Id of an event or a running total, or its beginning.")],
    as_json: Annotated[bool, typer.Option("--json", help="The record, its text and its marks as JSON.")] = False,
    local: Local = False,
) -> None:
    """Show the words and the rules behind an event or a running total.

    The article's text comes first, with the words of every field marked: in colour on a terminal, in brackets
    elsewhere or with NO_COLOR set. Then each field with its rules.

    \b
    Examples:
      rasd explain 43bc1e76
      rasd explain 43bc1e76-1786-50fe-b55e-3b842529bdf0 --json | jq .record.why
    """
    record, article = find(ctx, event_id, local=local)
    text = reading_text(*article) if article else None
    marks = marks_of(record)
    if as_json:
        import orjson

        from pipeline.wire import encode

        spans = [{"field": m.name, "span": m.span, "quote": text and _cut(text, m.span)} for m in marks]
        put_json({"record": orjson.loads(encode(record)), "text": text, "marks": spans})
        return
    style = style_of_stdout()
    if text is None:
        put("(the article's text is no longer kept)")
    else:
        for line in _marked(text, marks, style):
            put(line)
    put()
    for line in block(record, style):
        put(line)
    put()
    for line in _rules(record, text, style):
        put(line)


# -- finding -----------------------------------------------------------------------------------------------------------


def find(ctx: typer.Context, id: str, *, local: bool = False) -> tuple[Event | Toll, tuple[str | None, str] | None]:
    """The newest record of that id (or beginning of one), and title and body of its article's revision.

    Looked for in the SQLite output, then in the log. Raises: NotFound; RasdError where a beginning fits several.
    """
    found = _in_sink(ctx, id) or _in_log(ctx, id, local)
    if found is None:
        raise NotFound(f"no event or total {id!r}")
    return found


def _in_sink(ctx: typer.Context, id: str) -> tuple[Event | Toll, tuple[str | None, str] | None] | None:
    from connectors.sinks.sqlite import article_of, event_of, open_readonly

    try:
        db = open_readonly(settings(ctx).data_dir)
    except (StorageError, StoragePaused, OSError):
        return None
    with contextlib.closing(db):
        try:
            value = event_of(db, id)
            record = value and _coded(value)
            return (record, article_of(db, record.article_id, record.revision)) if record else None
        except sqlite3.Error:
            return None


def _in_log(ctx: typer.Context, id: str, local: bool) -> tuple[Event | Toll, tuple[str | None, str] | None] | None:
    from pipeline.topics import EVENTS, UNIQUE
    from pipeline.wire import decode

    with log_of(ctx, local=local) as log:
        newest: dict[str, Event | Toll] = {}
        for message in log.scan(EVENTS.name):
            if id.encode() in message.value and (record := _coded(message.value)) and record.id.startswith(id):
                newest[record.id] = record
        if id in newest:
            newest = {id: newest[id]}
        if len(newest) > 1:
            raise RasdError(f"{id!r} fits several ids: {', '.join(sorted(newest)[:5])}", reason="ambiguous-id")
        for record in newest.values():
            for message in log.scan(UNIQUE.name):
                if record.article_id.encode() not in message.value:
                    continue
                with contextlib.suppress(RasdError):
                    unique = decode(Unique, message.value)
                    if (unique.article.id, unique.verdict.revision) == (record.article_id, record.revision):
                        return record, (unique.article.title, unique.article.body)
            return record, None
    return None


def _coded(value: bytes) -> Event | Toll | None:
    from pipeline.wire import decode_coded

    with contextlib.suppress(RasdError):
        record = decode_coded(value)
        return record if isinstance(record, Event | Toll) else None
    return None


# -- marking -----------------------------------------------------------------------------------------------------------


def marks_of(record: Event | Toll) -> list[Mark]:
    """Every field with the span it was read from, in the record's order; evidence last."""
    marks: list[tuple[str, str, Span | None]] = []
    if isinstance(record, Event):
        said = [w for field in ("event", "event_type", "sub_event_type") for w in record.why.get(field, ())]
        marks += [("type", "type", w.span) for w in said]
        marks.append(("date", "date", record.date.span))
        marks += [(a.role, "actor", a.span) for a in record.actors]
    else:
        marks.append(("period", "date", record.period.span))
    marks += [("place", "place", p.span) for p in record.places]
    for number, claim in enumerate(record.casualties, 1):
        marks += [(f"claim {number}", "claim", span) for span in (claim.span, *claim.mentions)]
        marks += [(f"side {number}", "actor", side.span) for side in claim.group]
    marks += [("source", "source", s.span) for s in record.sources]
    marks += [("evidence", "evidence", (e.start, e.end)) for e in record.evidence]
    return list(dict.fromkeys(Mark(name, group, span) for name, group, span in marks if span is not None))


def _marked(text: str, marks: list[Mark], style: Style) -> Iterator[str]:
    """The text in lines, escaped. In colour: a colour a field, evidence underlined; else `[field: words]`, where
    several fields share words `[field, field: words]`, and evidence between braces."""
    ends = sorted({0, len(text), *(min(max(0, p), len(text)) for m in marks for p in m.span)})
    out = []
    inside = False
    for start, end in itertools.pairwise(ends):
        here = [m for m in marks if m.span[0] <= start and end <= m.span[1]]
        fields = [m for m in here if m.group != "evidence"]
        evident = len(fields) < len(here)
        words = escape(text[start:end], newlines=True)
        if style.colour:
            codes = (["4"] if evident else []) + [_COLOURS[m.group] for m in fields[-1:]]
            out.append("\n".join(style.paint(part, ";".join(codes)) if codes else part for part in words.split("\n")))
            continue
        if evident != inside:
            out.append("{" if evident else "}")
            inside = evident
        names = ", ".join(dict.fromkeys(m.name for m in fields))
        out.append(f"[{names}: {words}]" if names else words)
    if inside:
        out.append("}")
    return iter("".join(out).split("\n"))


def _rules(record: Event | Toll, text: str | None, style: Style) -> Iterator[str]:
    yield style.bold("Rules")
    if not record.why:
        yield "  none recorded"
    for field, reasons in record.why.items():
        for reason in reasons:
            words = f"  «{style.text(_cut(text, reason.span))}»" if text is not None and reason.span else ""
            span = f" at {reason.span[0]}..{reason.span[1]}" if reason.span else ""
            yield f"  {style.text(field):<15} {style.text(reason.rule)}{span}{words}"
    by = record.extractor
    read = " ".join(style.text(v) for v in (by.name, by.version, by.lexicon))
    yield style.dim(f"read by {read}, article {style.text(record.article_id)} revision {record.revision}")


def _cut(text: str | None, span: Span) -> str:
    return (text or "")[max(0, span[0]) : max(0, span[1])]
