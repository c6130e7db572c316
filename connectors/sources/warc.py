"""WARC files to articles: our own archives, out of which a replay makes what was made live, and those of others.

Which records count, and what is read out of them: docs/warc.md.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, TypeVar

import msgspec

from connectors.clean import Page
from connectors.encodings import unpack
from connectors.responses import Response
from connectors.sources.pages import entry_article, page_article
from connectors.sources.rows import Options, language_code, reject
from connectors.sources.times import parse_time
from connectors.sources.warc_records import KEPT, Broken, WarcRecord, read_records
from connectors.urls import host_of
from connectors.warc import ANNOUNCED, ENTRY, FEED_TEXT, KIND, KNOWN, LANDED, Known
from pipeline.errors import RasdError, Unusable
from pipeline.records import Archived, Article, Entry, Reject

log = logging.getLogger(__name__)

T = TypeVar("T")
Clean = Callable[..., Page]
LONGEST_HEAD = 1 << 21  # bytes of HTTP header; our own client takes half of that
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})(?!\d)[ \t]*([^\r\n]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_CHUNK = re.compile(rb"[ \t\r\n]{0,4}([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,4096})?\r?\n")
_PAGES = ("text/html", "application/xhtml+xml")
_PAGE_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,200}<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_GZIP = b"\x1f\x8b\x08"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FILE_NAME = re.compile(r"(?!\.{1,2}$)[^\x00-\x1f\x7f/\\]{1,255}")

_KIND, _KNOWN, _LANDED, _ANNOUNCED = (name.lower() for name in (KIND, KNOWN, LANDED, ANNOUNCED))

_entries = msgspec.json.Decoder(Entry)
_known = msgspec.json.Decoder(Known)
_address = msgspec.json.Decoder(str)


@dataclass(slots=True)
class Waiting:
    """A record to be made. `begin` may be called before its turn: cleaning is then under way when that comes."""

    make: Callable[[], Article | Reject]
    begin: Callable[[], None] = lambda: None

    def __call__(self) -> Article | Reject:
        return self.make()


def read_warc(file: BinaryIO, name: str, options: Options, clean: Clean) -> Iterator[tuple[int, Waiting]]:
    """Everything in the file that is or should have been an article, with the bytes of the file read up to there.

    name: the file's, where it does not name itself; what cannot be used is rejected under it. clean: reads pages;
    called as `clean(data, url=…, charset=…)`, or begun as `clean.submit(…)`, which gives what waits for the page.
    Content never raises; OSError may come out of `file`.
    """
    reading = _Reading(name, options, clean)
    for found in read_records(file, options.max_bytes):
        for waiting in reading.take(found):
            yield found.end, waiting
    for waiting in reading.end():
        yield file.tell(), waiting


@dataclass(slots=True)
class _Reading:
    """What is known of a file while it is read.

    own_name, base: what it calls itself, and where in this file that one began. held: a page of ours whose entry must
    be the next record.
    """

    name: str
    options: Options
    clean: Clean
    own_name: str | None = None
    base: int = 0
    held: _Answer | None = None
    doubted: bool = False

    def take(self, found: WarcRecord | Broken) -> Iterator[Waiting]:
        if self.held is not None:
            yield self._with_entry(found)
        if isinstance(found, Broken):
            made = reject("bad-archive", found.error, found.data, file=self.name, offset=found.offset, truncated=True)
            yield Waiting(lambda: made)
        else:
            yield from self._record(found)

    def end(self) -> Iterator[Waiting]:
        """What is left when the file is over."""
        if self.held is not None:
            yield self._with_entry(None)

    def _record(self, record: WarcRecord) -> Iterator[Waiting]:
        kind, ours = record.fields.get("warc-type", "").lower(), record.fields.get(_KIND)
        if kind == "warcinfo":
            said = record.fields.get("warc-filename", "").strip()
            self.own_name = said if _FILE_NAME.fullmatch(said) and said.isprintable() else None
            self.base = record.offset if self.own_name else 0
        elif record.intact is False and not self._passes(ours):
            yield self._refused(record, "bad-digest", "the block has another digest than the record states")
        elif kind in ("response", "resource") and ours in (None, "page"):
            yield from self._answer(record, kind, ours is not None)
        elif kind == "metadata" and ours == FEED_TEXT:
            place = self.place(record)  # now: the file may call itself otherwise when the turn comes
            yield Waiting(lambda: self._feed_text(record, place))

    def _passes(self, ours: str | None) -> bool:
        """Whether a block with a wrong digest is read all the same: others compute digests over this and that."""
        if ours is None and not self.doubted:
            self.doubted = True
            log.warning("%s: holds digests that are not those of their records; they are not believed", self.name)
        return ours is None

    # -- pages ---------------------------------------------------------------------------------------------------------

    def _answer(self, record: WarcRecord, kind: str, ours: bool) -> Iterator[Waiting]:
        url = _CONTROL.sub("", record.fields.get("warc-target-uri", "")).strip().removeprefix("<").removesuffix(">")
        if host_of(url) is None:
            return
        try:
            response = _response(record, kind, url)
        except Unusable as error:
            yield self._refused(record, error.reason, f"{url}: {error}")
            return
        if response.status != 200 or not (ours or _is_page(response)):
            return
        if record.too_long is not None:
            words = f"{url}: an answer of {record.too_long} bytes, {self.options.max_bytes} are allowed"
            yield self._refused(record, "too-large", words)
            return
        answer = _Answer(self, record, response, self.place(record), ours)
        if ours and _ANNOUNCED in record.fields:
            self.held = answer
        else:
            yield Waiting(answer.make, answer.begin)

    def _with_entry(self, found: WarcRecord | Broken | None) -> Waiting:
        """The page that was held, with its entry, which this record must be."""
        answer, self.held = self.held, None
        assert answer is not None
        if isinstance(found, WarcRecord) and found.fields.get(_KIND) == ENTRY and found.intact:
            refers, identity = found.fields.get("warc-refers-to"), answer.record.fields.get("warc-record-id")
            if refers == identity:
                answer.entry = found.block
                return Waiting(answer.make, answer.begin)
        return self._refused(answer.record, "bad-archive", f"{answer.response.url}: what announced it is missing")

    def _feed_text(self, record: WarcRecord, place: Archived) -> Article | Reject:
        try:
            url = _decoded(_address, record.fields[_LANDED].encode()) if _LANDED in record.fields else None
            article = entry_article(_entry(record.block), url)
            return replace(_settled(article, record, self.options), archive=place)
        except RasdError as error:
            return self.reject(record, error.reason, str(error))

    # -- out -----------------------------------------------------------------------------------------------------------

    def place(self, record: WarcRecord) -> Archived:
        return Archived(file=self.own_name or self.name, offset=record.offset - self.base, length=record.length)

    def reject(self, record: WarcRecord, reason: str, error: str, retryable: bool = False) -> Reject:
        """Keeps the beginning of the block: the whole stands in the archive."""
        data = record.block[:KEPT]
        return reject(reason, error, data, file=self.name, offset=record.offset, retryable=retryable, truncated=True)

    def _refused(self, record: WarcRecord, reason: str, error: str) -> Waiting:
        made = self.reject(record, reason, error)
        return Waiting(lambda: made)


@dataclass(slots=True)
class _Answer:
    """An answer that should be an article. entry: what announced it, as JSON."""

    reading: _Reading
    record: WarcRecord
    response: Response
    place: Archived
    ours: bool
    entry: bytes | None = None
    page: Callable[[], Page] | None = None

    def begin(self) -> None:
        """Has the page cleaned; what is wrong with it is told when its turn comes."""
        clean, response = self.reading.clean, self.response
        submit = getattr(clean, "submit", None) or partial(partial, clean)
        try:
            body = _body(response, self.reading.options.max_bytes, ours=self.ours)
            self.page = submit(body, url=response.url, charset=response.charset)
        except RasdError as error:
            self.page = _raising(error)

    def make(self) -> Article | Reject:
        if self.page is None:
            self.begin()
        assert self.page is not None
        try:
            entry = None if self.entry is None else _entry(self.entry)
            fetched = parse_time(self.record.fields.get("warc-date"))
            article = page_article(self.page(), self.response.url, fetched, self.place, entry)
            return _settled(article, self.record, self.reading.options)
        except RasdError as error:
            words = f"{self.response.url}: {error}"
            return self.reading.reject(self.record, error.reason, words, error.retryable)


def _raising(error: RasdError) -> Callable[[], Page]:
    def page() -> Page:
        raise error

    return page


def _settled(article: Article, record: WarcRecord, options: Options) -> Article:
    """The article under its page's identity, with what the options say where nobody else does. Raises: Unusable."""
    if _KNOWN in record.fields:
        article = _decoded(_known, record.fields[_KNOWN].encode()).settle(article)
    if article.published is None and options.published is not None:
        article = replace(article, published=options.published, published_basis="option")
    if article.language is None and options.language is not None:
        article = replace(article, language=language_code(options.language))
    return article


def _entry(data: bytes) -> Entry:
    return _decoded(_entries, data)


def _decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"its own record cannot be read: {str(error)[:200]}", reason="bad-archive") from error


# -- answers -----------------------------------------------------------------------------------------------------------


def _response(record: WarcRecord, kind: str, url: str) -> Response:
    """The answer that the record holds; `body` is not unpacked yet. Raises: Unusable (reason "bad-archive")."""
    block = record.block
    media = record.fields.get("content-type", "")
    if kind == "resource" or (not block.startswith(b"HTTP/") and _media_type(media) in _PAGES):
        return Response(url=url, status=200, headers=(("Content-Type", media),), raw=block, fetched=_EPOCH)
    status = _STATUS.match(block)
    if status is None:
        raise Unusable("no HTTP answer", reason="bad-archive")
    end = _HEAD_END.search(block, 0, LONGEST_HEAD)
    if end is None and len(block) > LONGEST_HEAD:
        raise Unusable(f"more than {LONGEST_HEAD} bytes of HTTP header", reason="bad-archive")
    head, raw = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    return Response(
        url=url, status=int(status[1]), headers=tuple(_headers(head[status.end() :])), raw=raw, fetched=_EPOCH
    )


def _headers(head: bytes) -> Iterator[tuple[str, str]]:
    for line in _FOLD.sub(b" ", head).split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            yield _text(name), _text(value)


def _text(data: bytes) -> str:
    return data.strip().decode("utf-8", "surrogateescape")


def _is_page(response: Response) -> bool:
    said = _media_type(response.header("content-type") or "")
    return said in _PAGES or (not said and _PAGE_BEGINS.match(response.raw) is not None)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _body(response: Response, limit: int, *, ours: bool) -> bytes:
    """The body as the cleaner gets it. Raises: Unusable (reasons "too-large", "bad-encoding").

    ours: as our client unpacks it, no more and no less. Others leave codings on the body, take them off and do not say
    so, or say what is not so.
    """
    raw, coding = response.raw, _all(response, "content-encoding")
    if ours:
        return unpack(raw, coding, limit)
    if "chunked" in _all(response, "transfer-encoding").lower():
        raw = _unchunked(raw)
    if not coding and raw.startswith(_GZIP):
        coding = "gzip"
    try:
        return unpack(raw, coding, limit)
    except Unusable as error:
        start = raw[:1024]
        if error.reason != "bad-encoding" or b"<" not in start or b"\0" in start:
            raise
    return unpack(raw, None, limit)


def _all(response: Response, name: str) -> str:
    return ",".join(value for key, value in response.headers if key.lower() == name)


def _unchunked(raw: bytes) -> bytes:
    """The body without its transfer coding, as far as it goes; the same bytes if it has none."""
    pieces: list[bytes] = []
    at = 0
    while found := _CHUNK.match(raw, at):
        size = int(found[1], 16)
        at = found.end() + size
        if not size or found.end() >= len(raw):
            break
        pieces.append(raw[found.end() : at])
    return b"".join(pieces) if pieces else raw
