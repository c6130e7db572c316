"""One line of a JSONL archive to one article: the columns, their other names, and what makes a line unusable."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, cast, get_args, get_type_hints

import msgspec

from connectors.language import language_of
from connectors.sources.times import parse_time
from connectors.urls import canonical_url, outlet_of
from pipeline import ids
from pipeline.errors import ConfigError
from pipeline.records import Archived, Article, Reject

STAGE = "source"
OURS = "rasd.article/1"
KEPT = 65_536  # bytes that a reject keeps of an input too large to keep whole
Basis = Literal["page", "feed", "archive", "option", "unknown"]

_BASES: frozenset[str] = frozenset(get_args(Basis))
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]+)*", re.IGNORECASE)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to read an archive.

    since, until: only articles published in [since, until); an undated text is in no such range.
    outlets: only these, by short name or host, letter case aside; empty = all.
    limit: stop after so many articles (rejects not counted).
    fields: article field → its name in the rows, e.g. `{"body": "content"}`.
    published: publication time of texts that state none (basis "option").
    language: language of texts that state none, as `language_code` takes it; None = find out.
    max_bytes: longest line or file that is read; anything longer is rejected.
    """

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    outlets: frozenset[str] = frozenset()
    limit: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    published: dt.datetime | None = None
    language: str | None = None
    max_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        """Raises: ConfigError for a time without a zone, or a language that is no code."""
        for name in ("since", "until", "published"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ConfigError(name, None, "a time without a zone")
        if self.language is not None:
            language_code(self.language)


class Row(msgspec.Struct, kw_only=True):
    """What is read of a row; any other key is ignored."""

    schema: str | None = None
    id: str | int | None = None
    source_id: str | int | None = None
    url: str | None = None
    canonical_url: str | None = None
    outlet: str | None = None
    feed: str | None = None
    language: str | None = None
    title: str | None = None
    body: str | None = None
    text: str | None = None
    summary: str | None = None
    partial: bool | None = None
    author: Any = None
    section: str | None = None
    published: str | int | float | None = None
    published_basis: str | None = None
    updated: str | int | float | None = None
    fetched: str | int | float | None = None


def read_row(line: bytes, options: Options, file: str, number: int, offset: int) -> Article | Reject:
    """The article on one line of JSON, or why there is none. Pure: a reject is redriven from its bytes.

    number: line in the file, from 1. offset: where the line begins in the uncompressed file, in bytes.
    """
    try:
        row = row_decoder(tuple(options.fields.items())).decode(line)
    except (ValueError, RecursionError) as error:
        reason, message = _explain(line, error)
        return reject(reason, message, line, file=file, line=number, offset=offset)
    if b"u0000" in line and _NUL.search(line):
        return reject("bad-text", "holds the NUL character", line, file=file, line=number, offset=offset)
    own = row.schema == OURS  # its id is ours already, its basis known
    if not own and (row.schema or "").startswith("rasd."):
        message = f"schema {row.schema!r}, this version reads {OURS!r}"
        return reject("wrong-schema", message, line, file=file, line=number, offset=offset)
    body, partial = row.body or row.text or "", bool(row.partial)
    if not body.strip() and row.summary and row.summary.strip():
        body, partial = row.summary, True
    if not body.strip() and not (row.title and row.title.strip()):
        return reject("no-text", "neither title nor text", line, file=file, line=number, offset=offset)
    foreign = row.source_id if own or row.source_id is not None else row.id
    return make_article(
        options,
        source_id=None if foreign is None else str(foreign),
        url=row.url,
        canonical=row.canonical_url,
        outlet=row.outlet,
        feed=row.feed,
        language=row.language,
        title=row.title,
        body=body,
        partial=partial,
        author=author_line(row.author),
        section=row.section,
        published=parse_time(row.published),
        basis=cast(Basis, row.published_basis) if own and row.published_basis in _BASES else "archive",
        updated=parse_time(row.updated),
        fetched=parse_time(row.fetched),
        archive=Archived(file=file, offset=offset, length=len(line)),
    )


def make_article(
    options: Options,
    *,
    title: str | None,
    body: str,
    archive: Archived | None,
    basis: Basis,
    url: str | None = None,
    canonical: str | None = None,
    source_id: str | None = None,
    outlet: str | None = None,
    feed: str | None = None,
    language: str | None = None,
    partial: bool = False,
    author: str | None = None,
    section: str | None = None,
    published: dt.datetime | None = None,
    updated: dt.datetime | None = None,
    fetched: dt.datetime | None = None,
) -> Article:
    """An article with everything that follows from what it states: canonical URL, hash, id, outlet, language.

    canonical: the address that the text states for itself; it goes before `url`.
    basis: who says `published`, if anybody does. title and body are kept to the letter; a blank title is none.
    """
    title = title if title and not title.isspace() else None
    canonical = canonical_url(canonical) or canonical_url(url)
    content = ids.content_hash(title, body)
    if published is None:
        published, basis = options.published, "option"
    return Article(
        id=ids.article_id(canonical, content),
        source_id=source_id or None,
        url=url or None,
        canonical_url=canonical,
        outlet=outlet or outlet_of(canonical),
        feed=feed or None,
        language=_code(language) or _code(options.language) or language_of(body or title or ""),
        title=title,
        body=body,
        partial=partial,
        author=author or None,
        section=section or None,
        published=published,
        published_basis=basis if published else "unknown",
        updated=updated,
        fetched=fetched,
        content_hash=content,
        archive=archive,
    )


def reject(
    reason: str,
    error: str,
    value: bytes,
    *,
    file: str,
    line: int | None = None,
    offset: int | None = None,
    retryable: bool = False,
    truncated: bool = False,
) -> Reject:
    """The reject of some bytes of a file. truncated: `value` is only their beginning."""
    return Reject(
        stage=STAGE,
        reason=reason,
        error=error,
        retryable=retryable,
        file=file,
        line=line,
        offset=offset,
        value=base64.b64encode(value).decode("ascii"),
        truncated=truncated,
    )


def author_line(author: Any) -> str | None:
    """One line of names out of the shapes that archives and JSON-LD use: text, `{"name": …}`, or a list of these."""
    if isinstance(author, str):
        return author.strip() or None
    if isinstance(author, Mapping):
        name = author.get("name")
        return author_line(name) if isinstance(name, str | list) else None
    if isinstance(author, list):
        names = [name for one in author if not isinstance(one, list) and (name := author_line(one))]
        return ", ".join(dict.fromkeys(names)) or None
    return None


def wanted(article: Article, options: Options) -> bool:
    """Whether the article passes the options' time range and outlets."""
    if options.since or options.until:
        published = article.published
        if published is None:
            return False
        if (options.since and published < options.since) or (options.until and published >= options.until):
            return False
    if options.outlets:
        names = {(name or "").casefold() for name in (article.outlet, outlet_of(article.canonical_url))}
        return any(outlet.casefold() in names for outlet in options.outlets)
    return True


@cache
def row_decoder(fields: tuple[tuple[str, str], ...]) -> msgspec.json.Decoder[Row]:
    """The decoder of rows whose keys go by other names: (article field, name in the row).

    A key that is given to one field is no longer read as another. Raises: ConfigError for an unknown field or a key
    given twice.
    """
    if not fields:
        return msgspec.json.Decoder(Row)
    renamed = dict(fields)
    if unknown := sorted(set(renamed) - set(Row.__struct_fields__)):
        raise ConfigError("fields", None, f"no such article field: {', '.join(unknown)}")
    if len(set(renamed.values())) < len(renamed):
        raise ConfigError("fields", None, "two article fields read the same key")
    kinds = get_type_hints(Row)
    moved = {name: f"(not read) {name}" for name in Row.__struct_fields__ if name in renamed.values()}
    if "body" in renamed:
        moved["text"] = "(not read) text"  # who says where the text stands means just that column
    kind = msgspec.defstruct(
        "Row",
        [(name, kinds[name], None) for name in Row.__struct_fields__],
        rename={**moved, **renamed},
        kw_only=True,
    )
    return cast("msgspec.json.Decoder[Row]", msgspec.json.Decoder(kind))


def language_code(text: str) -> str:
    """`ar` of `ar`, `AR` or `ar-SY`. Raises: ConfigError for what is no language code."""
    code = _code(text)
    if code is None:
        raise ConfigError("language", None, f"{text!r} is no language code of two or three letters, such as ar or ckb")
    return code


def _code(language: str | None) -> str | None:
    found = _LANGUAGE.fullmatch(language.strip()) if language else None
    return found[1].lower() if found else None


def _explain(line: bytes, error: Exception) -> tuple[str, str]:
    """Reason and message for a line that the decoder refused."""
    if b"\x00" in line:
        return "bad-text", "holds the NUL character"
    if isinstance(error, msgspec.ValidationError):
        return "bad-record", str(error)
    if isinstance(error, UnicodeDecodeError):
        return "bad-text", f"not UTF-8: {error.reason}"
    if isinstance(error, RecursionError):
        return "bad-json", "nested too deep"
    if _SURROGATE.search(line):
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            pass
        else:
            return "bad-text", "holds half a surrogate pair"
    return "bad-json", str(error)
