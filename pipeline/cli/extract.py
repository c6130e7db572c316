"""`rasd extract`: articles in, events out, without a log."""

from __future__ import annotations

import codecs
import dataclasses
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from pipeline.cli.context import FAILED, complain, flush, put_message, settings
from pipeline.cli.tail import Output, put_block, style_of_stdout
from pipeline.errors import RasdError, Unusable

if TYPE_CHECKING:
    from connectors.sources.rows import Options
    from pipeline.records import Article

STDIN = "-"
_DOCUMENT = re.compile(rb"\s*(?:\[\s*[\[{\"\]]|\{[ \t]*\r?\n)")  # «[عاجل] ...» is a text


def extract(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="JSONL (.gz, .zst) or plain text; - reads standard input.")
    ],
    published: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Publication time of texts that state none, e.g. 2017-05-17T06:30."),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language of texts that do not say (else recognised).")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="json (a record a line) or pretty.")] = Output.json,
    codings: Annotated[
        bool, typer.Option("--codings", help="Also print what closes each article: its ids, or why there are none.")
    ] = False,
) -> None:
    """Extract events and running totals from articles, without a log.

    A line of JSONL holds an article: {id, url, outlet, published, language, title, body}; only a title or a body must
    be there. An id that is given stays the article's id. A plain text is one article; where its first line is followed
    by a blank one, that is its title. A line that cannot be used is told on stderr, the rest goes on, and the exit
    code is 1.

    \b
    Examples:
      rasd extract articles.jsonl > events.jsonl
      zcat dump.jsonl.gz | rasd extract - --codings
      rasd extract -o pretty note.txt --published 2018-03-17
    """
    from connectors.sources.rows import Options

    options = Options(published=_moment(published), language=language, max_bytes=settings(ctx).log.max_record_bytes)
    read = event_reader(ctx)
    style = style_of_stdout()
    failed = 0
    for name in files:
        for where, article in _articles(name, options):
            try:
                if isinstance(article, RasdError):
                    raise article
                records = read(article)
            except RasdError as e:
                complain(f"{where}: {e}")
                failed += 1
                continue
            for kind, value in records:
                if kind == "coding" and not codings:
                    continue
                if output is Output.json:
                    put_message(value)
                else:
                    from pipeline.wire import decode_coded

                    put_block(decode_coded(value), style)
            flush()
    if failed:
        raise typer.Exit(FAILED)


def event_reader(ctx: typer.Context) -> Callable[[Article], list[tuple[str, bytes]]]:
    """What makes (kind, message) pairs of an article, as a run would publish them. Raises (it, too): RasdError."""
    import orjson

    from pipeline import flow, wire
    from pipeline.records import Unique, Verdict

    stage = next(s for s in flow.FLOW if s.name == "extract")
    gazetteer = settings(ctx).extract.gazetteer
    step = flow.loaded(stage, Path(gazetteer) if gazetteer else None)

    def read(article: Article) -> list[tuple[str, bytes]]:
        verdict = Verdict(article_id=article.id, revision=1, verdict="unique", cluster=article.id)
        made = flow.make(stage, step, wire.encode(Unique(article=article, verdict=verdict)))
        if made.failure is not None:
            raise Unusable(made.failure.error, reason=made.failure.reason)
        return [(str(orjson.loads(value)["kind"]), value) for _, _, value in made.outputs]

    return read


def _articles(name: str, options: Options) -> Iterator[tuple[str, Article | RasdError]]:
    """(`file:line`, the article or what is wrong with the line). Raises: OSError if the file cannot be read."""
    if name == STDIN:
        yield from _opened("<stdin>", _standard_input(), options)
        return
    with Path(name).open("rb") as file:
        yield from _opened(name, file, options)


def _opened(name: str, file: io.BufferedReader, options: Options) -> Iterator[tuple[str, Article | RasdError]]:
    from connectors.sources.lines import read_lines
    from connectors.sources.rows import read_row

    start = file.peek(512)
    if _is_document(start):
        yield f"{name}:1", Unusable("a JSON document, wanted is one object a line", reason="bad-json")
        return
    if _is_text(start):
        yield f"{name}:1", _text(name, file.read(options.max_bytes + 1), options)
        return
    for line in read_lines(cast(BinaryIO, _Live(file)), options.max_bytes):
        where = f"{name}:{line.number}"
        if line.too_long or line.broken is not None:
            what = line.broken or f"a line of {line.length:,} bytes (log.max_record_bytes is {options.max_bytes:,})"
            yield where, Unusable(what, reason="too-large")
            continue
        found = read_row(line.data, options, name, line.number, line.offset)
        if hasattr(found, "body"):
            yield where, _as_given(cast("Article", found), line.data, options)
        else:
            yield where, Unusable(f"{found.reason}: {found.error}", reason=found.reason)


def _as_given(article: Article, line: bytes, options: Options) -> Article:
    """The article under the id that its row gives, its title to the letter (a row's reader drops blank ones)."""
    from connectors.sources.rows import row_decoder

    row = row_decoder(()).decode(line)
    id = article.id if row.id is None or row.id == "" else str(row.id)
    return dataclasses.replace(article, id=id, title=row.title, archive=None)


def _text(name: str, raw: bytes, options: Options) -> Article | RasdError:
    from connectors.sources.rows import make_article

    if len(raw) > options.max_bytes:
        return Unusable(f"a text of more than {options.max_bytes:,} bytes", reason="too-large")
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as e:
        return Unusable(f"not UTF-8 at byte {e.start}", reason="bad-text")
    if not text.strip():
        return Unusable("no text", reason="no-text")
    head, gap, rest = text.partition("\n\n")
    titled = bool(gap) and head.strip() != "" and "\n" not in head and rest.strip() != ""
    title, body = (head, rest) if titled else (None, text)
    return make_article(options, title=title, body=body, archive=None, basis="option")


def _is_document(start: bytes) -> bool:
    """A list of JSON values, or an object that goes on over several lines: neither lines of JSON nor a text."""
    return _DOCUMENT.match(start.removeprefix(codecs.BOM_UTF8)) is not None


def _is_text(start: bytes) -> bool:
    """JSON lines begin with a brace, gzip and zstd with their magic bytes; all else is plain text."""
    if start.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return False
    bare = start.removeprefix(codecs.BOM_UTF8).lstrip()
    return bool(bare) and not bare.startswith(b"{")


class _Live:
    """A file whose reads return what there is, so that a line typed into a pipe is answered at once.

    `seek(0)` works after the first read: what reads lines looks at the first two bytes.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._first: bytes | None = None
        self._again = b""

    def read(self, size: int = -1) -> bytes:
        if self._again:
            taken, self._again = self._again, b""
            return taken
        if self._first is None:
            self._first = self._file.read(size)
            return self._first
        return self._file.read1(size)

    def seek(self, offset: int) -> int:
        if offset != 0 or self._first is None:
            raise io.UnsupportedOperation("seek")
        self._again = self._first
        return 0


def _standard_input() -> io.BufferedReader:
    buffer: Any = sys.stdin.buffer
    return buffer if hasattr(buffer, "peek") else io.BufferedReader(buffer)


def _moment(text: str | None) -> Any:
    from connectors.sources.times import parse_time

    moment = parse_time(text)
    if text is not None and moment is None:
        raise typer.BadParameter(f"{text!r} is no time such as 2018-03-17T12:00Z", param_hint="--published")
    return moment
