"""WARC files written for the tests, by hand: what others write, and what nobody should."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterable
from pathlib import Path

from connectors.sources.archives import Archive, Found, Options
from pipeline.records import Article, Reject
from tests.connectors.sources.samples import page

URL = "https://www.example.net/news/1"
HTML = page(linked_data=False).encode()
HEAD = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 1\r\n"


def answer(body: bytes = HTML, head: str = HEAD, status: str = "200 OK") -> bytes:
    """An HTTP answer. The Content-Length of the usual head is wrong, as it often is."""
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def record(
    block: bytes,
    *,
    kind: str = "response",
    url: str | None = URL,
    date: str | None = "2024-03-10T08:00:00Z",
    length: int | str | None = None,
    digest: bool = False,
    version: str = "1.0",
    **fields: str,
) -> bytes:
    """A record as crawlers write it; `length` lies about the block, None of a field leaves it out."""
    lines = [f"WARC/{version}", f"WARC-Type: {kind}"]
    if date is not None:
        lines.append(f"WARC-Date: {date}")
    if url is not None:
        lines.append(f"WARC-Target-URI: {url}")
    if digest:
        lines.append(f"WARC-Block-Digest: sha1:{base64.b32encode(hashlib.sha1(block).digest()).decode()}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    lines.append(f"Content-Length: {len(block) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def warcinfo(name: str) -> bytes:
    return record(b"software: test\r\n", kind="warcinfo", url=None, WARC_Filename=name)


def zipped(records: Iterable[bytes]) -> bytes:
    """One gzip member per record."""
    return b"".join(gzip.compress(one, mtime=0) for one in records)


def read(tmp_path: Path, data: bytes, name: str = "x.warc.gz", skip: int = 0, **options: object) -> list[Found]:
    path = tmp_path / name
    path.write_bytes(data)
    return list(Archive([path], Options(**options)).read(skip))  # type: ignore[arg-type]


def articles(found: Iterable[Found]) -> list[Article]:
    return [one.record for one in found if isinstance(one.record, Article)]


def rejects(found: Iterable[Found]) -> list[Reject]:
    return [one.record for one in found if isinstance(one.record, Reject)]


def reasons(found: Iterable[Found]) -> list[str]:
    """ "article", or why not, record by record."""
    return ["article" if isinstance(one.record, Article) else one.record.reason for one in found]
