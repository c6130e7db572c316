"""WARC files made to hurt: each ends in articles and clear rejects, in bounded memory and time."""

from __future__ import annotations

import gzip
import io
import json
import random
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.clean import Page
from connectors.sources.archives import Archive, Found, Options
from connectors.sources.warc_records import Broken, read_records
from pipeline.wire import encode
from tests.connectors.sources.warc_samples import (
    HEAD,
    HTML,
    answer,
    articles,
    read,
    reasons,
    record,
    rejects,
    warcinfo,
    zipped,
)

ONE = record(answer())
SECONDS = 5.0  # that any one of these files may take
MEMORY = 64 << 20  # bytes that reading one may allocate beyond what the program itself needs


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    begin = time.process_time()
    yield
    assert time.process_time() - begin < SECONDS


def zeros(size: int, *, before: bytes = b"", after: bytes = b"") -> bytes:
    """A gzip member of `before`, so many zeros, and `after`; made of one compressed block that repeats."""
    piece = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packer.compress(piece)
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    ends = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = ends.compress(before) + ends.flush(zlib.Z_FULL_FLUSH)
    check = zlib.crc32(before)
    for _ in range(size >> 20):
        check = zlib.crc32(piece, check)
    end = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = end.compress(after) + end.flush()
    trailer = struct.pack("<II", zlib.crc32(after, check), (len(before) + size + len(after)) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + start + block * (size >> 20) + tail + trailer


IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from connectors.clean import Page, clean_page
from connectors.sources.archives import Archive, Options
from connectors.sources import warc_records, warc
used = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + int(sys.argv[2]),) * 2)
clean = lambda data, **about: Page(title="t", body=str(len(data)))
for found in Archive([Path(sys.argv[1])], Options(), clean).read():
    print(getattr(found.record, "reason", "article"))
"""


def in_little_memory(path: Path, data: bytes) -> list[str]:
    """What becomes of the records where no more than MEMORY can be allocated."""
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [sys.executable, "-c", IN_LITTLE_MEMORY, str(path), str(MEMORY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < SECONDS
    return done.stdout.split()


LARGE = 1 << 27


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (lambda: zeros(LARGE, before=b"x"), "bad-archive"),
        (lambda: zeros(LARGE, before=b"WARC/1.0\r\nX: "), "bad-archive"),
        (lambda: zeros(LARGE, before=ONE + b"garbage"), "bad-archive"),
        (
            lambda: zeros(LARGE, before=record(b"", length=LARGE + len(answer(b"")))[:-4] + answer(b"")),
            "too-large",
        ),
        (lambda: zeros(LARGE, before=record(b"", length=100 * LARGE)[:-4] + answer(b"")), "bad-archive"),
        (lambda: zipped([record(answer(zeros(LARGE), HEAD + "Content-Encoding: gzip\r\n"))]), "too-large"),
        (
            lambda: zipped([record(answer(gzip.compress(zeros(LARGE)), HEAD + "Content-Encoding: gzip, gzip\r\n"))]),
            "too-large",
        ),
        (lambda: zipped([record(answer(HTML, HEAD + "Content-Encoding: " + "gzip, " * 9 + "gzip\r\n"))]), "article"),
    ],
)
def test_a_bomb_costs_its_record_and_little_memory(tmp_path: Path, bomb: Callable[[], bytes], reason: str) -> None:
    found = in_little_memory(tmp_path / "x.warc.gz", zipped([ONE]) + bomb() + zipped([ONE]))
    assert found[0] == found[-1] == "article"
    assert reason in found[1:-1]
    assert len(found) <= 4


@pytest.mark.parametrize(
    "data",
    [
        b"WARC/1.0\r\nX: " + b"a" * 10_000_000 + b"\r\n\r\n",
        b"WARC/1.0\r\n" + b"X: a\r\n" * 2_000_000 + b"\r\n",
        b"WARC/1.0\r\n" + b" \r\n" * 3_000_000,
        b"WARC/1.0" * 1_000_000,
        b"\n" * 2_000_000,
        b"\r" * 2_000_000 + b"\n",
        b"\0" * 2_000_000,
        record(answer(HTML, "X: " + "a" * 7_000_000 + "\r\n")),
        record(answer(HTML, "X: a\r\n" * 300_000)),
        record(answer(HTML, "X: a\r\n \r\n" * 200_000)),
        record(b"HTTP/1.1 200 OK\r\n" + b"\r" * 7_000_000),
        record(b"HTTP/1.1 " + b" " * 7_000_000),
        record(answer(b"1\r\nx\r\n" * 50_000, HEAD + "Transfer-Encoding: chunked\r\n")),
        record(answer(b"ffffffff\r\nx", HEAD + "Transfer-Encoding: chunked\r\n")),
        record(answer(b" " * 2_000_000, "")),
    ],
    ids=lambda data: f"{data[:20]!r}",
)
def test_header_bombs_cost_their_record(tmp_path: Path, data: bytes) -> None:
    for name, file in (("x.warc", ONE + data + b"\r\n\r\n" + ONE), ("x.warc.gz", zipped([ONE, data, ONE]))):
        found = _read(tmp_path, file, name)
        assert len(articles(found)) >= 2
        assert len(found) <= 4


def _read(tmp_path: Path, data: bytes, name: str = "x.warc.gz") -> list[Found]:
    """Read with a cleaner that costs nothing: what is tested stands before it."""
    path = tmp_path / name
    path.write_bytes(data)
    return list(Archive([path], Options(), lambda data, **about: Page(title="t", body=str(len(data)))).read())


@pytest.mark.parametrize("packed", [False, True])
def test_records_that_lie_about_their_length_cost_no_more_than_their_bytes(tmp_path: Path, packed: bool) -> None:
    for length in (7_999_999, 10**15, 70_000):
        lies = record(b"", length=length, digest=True)[:-4] * 8_000
        found = list(read_records(io.BytesIO(gzip.compress(lies) if packed else lies), 8_000_000))
        assert all(isinstance(one, Broken) for one in found)


def test_records_that_all_run_on_to_the_end_are_not_hashed_for_ever() -> None:
    lies = b""
    for _ in range(6_000):
        lies = record(lies, WARC_Block_Digest=f"sha1:{'A' * 32}", date=None, url=None)[: -4 if lies else None]
    assert len(list(read_records(io.BytesIO(lies), 8_000_000))) > 0


def test_a_great_many_tiny_records_are_read_in_passing() -> None:
    tiny = record(b"", kind="request", url=None, date=None)
    for data in (tiny * 10_000, gzip.compress(tiny * 10_000), gzip.compress(tiny) * 10_000):
        assert len(list(read_records(io.BytesIO(data), 1_000))) == 10_000


def test_members_that_begin_inside_each_other_are_not_tried_for_ever() -> None:
    """Stored blocks, each long enough to hold the next thousand members: what is unpacked in vain is bounded."""
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\3"
    start = head + b"\0" + struct.pack("<HH", 60_000, 60_000 ^ 0xFFFF) + b"WARC/"
    assert len(list(read_records(io.BytesIO(start * 10_000), 1_000))) > 0


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "a/b",
        "a\\b",
        "C:\\x",
        "a\0b",
        "x" * 256,
        "\u202egnp.craw",
        "a\x1bb",
        "",
    ],
)
def test_a_name_that_is_no_name_is_not_used(tmp_path: Path, name: str) -> None:
    (article,) = articles(_read(tmp_path, zipped([warcinfo(name), ONE])))
    assert article.archive is not None
    assert article.archive.file == "x.warc.gz"
    assert [path.name for path in tmp_path.iterdir()] == ["x.warc.gz"]


@pytest.mark.parametrize(
    "given",
    [
        {"url": "https://www.example.net/\0"},
        {"url": "https://www.example.net/" + "a" * 60_000},
        {"url": "https://[::1"},
        {"url": "http://\ufffd/"},
        {"date": "\0"},
        {"date": "9" * 60_000},
        {"kind": "response\0"},
        {"X_Y": "\0\x1b[2J"},
    ],
    ids=str,
)
def test_strange_fields_make_no_strange_articles(tmp_path: Path, given: dict[str, str]) -> None:
    odd = record(answer(), **given)  # type: ignore[arg-type]
    found = _read(tmp_path, zipped([ONE, odd, ONE]))
    assert len(articles(found)) >= 2
    for one in found:
        assert b"\\u0000" not in encode(one.record)


@pytest.mark.parametrize(
    "entry",
    [
        b"[" * 100_000,
        b'{"feed":' + b'{"a":' * 100_000,
        b"",
        b"null",
        b"\xff",
        b'{"feed": "f", "title": "\\ud800"}',
        b'{"feed": "f", "title": 1e999}',
        b'{"feed": "f", "title": "t", "published": "9999-12-31T23:59:59-23:00"}',
        b'{"feed": "f", "schema": "rasd.article/1", "title": "t"}',
        b'{"feed": "f"}',
        json.dumps({"feed": "f", "title": "t", "url": "http://[", "archive": {"file": "../x", "offset": -1}}).encode(),
    ],
    ids=lambda entry: entry[:24].decode("latin-1"),
)
def test_what_says_it_is_ours_is_not_trusted(tmp_path: Path, entry: bytes) -> None:
    forged: dict[str, Any] = {"kind": "metadata", "digest": True, "Rasd_Kind": "feed-text"}
    page: dict[str, Any] = {"Rasd_Kind": "page", "Rasd_Announced": "next", "WARC_Record_ID": "<a>"}
    said: dict[str, Any] = {"kind": "metadata", "digest": True, "Rasd_Kind": "entry", "WARC_Refers_To": "<a>"}
    known = entry.decode("latin-1")[:60_000]
    if not known.isprintable():
        known = "?"
    records = [
        record(entry, **forged),
        record(answer(), **page),
        record(entry, **said),
        record(answer(), Rasd_Kind="page", Rasd_Known=known),
        record(b'{"feed":"f","title":"t"}', **forged, Rasd_Landed=known),
    ]
    found = _read(tmp_path, zipped([ONE, *records, ONE]))
    assert reasons(found)[0] == reasons(found)[-1] == "article"
    assert set(reasons(found)) <= {"article", "bad-archive", "no-text", "soft-404"}
    for one in found:
        encode(one.record)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_to_a_file_reading_ends_and_goes_on_alike(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    records = [record(answer(), url=f"https://www.example.net/{n}", digest=n % 2 == 0) for n in range(8)]
    data = bytearray(chance.choice((b"".join, zipped, lambda r: gzip.compress(b"".join(r))))(records))
    for _ in range(chance.randint(1, 6)):
        at, size = chance.randrange(len(data)), chance.choice((1, 1, 3, 50, 2_000))
        match chance.randrange(4):
            case 0:
                data[at : at + size] = chance.randbytes(min(size, len(data) - at))
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = chance.randbytes(size)
            case _:
                data[at:at] = data[chance.randrange(len(data)) :][:size]
    found = _read(tmp_path, bytes(data), "x.warc")
    assert all(one.position == n for n, one in enumerate(found, 1))
    skip = chance.randint(0, len(found))
    path = tmp_path / "x.warc"
    clean = lambda data, **about: Page(title="t", body=str(len(data)))  # noqa: E731
    assert list(Archive([path], Options(), clean).read(skip)) == found[skip:]
    for one in rejects(found):
        assert one.reason in ("bad-archive", "bad-encoding", "no-text", "too-large", "bad-digest")


def test_a_warc_inside_a_warc_is_not_entered(tmp_path: Path) -> None:
    inner = zipped([warcinfo("inner"), ONE]) * 3
    for body in (inner, b"".join([ONE] * 3)):
        outer = [record(answer(body, "Content-Type: application/warc\r\n"), digest=True), ONE]
        assert reasons(read(tmp_path, zipped(outer))) == ["article"]
        assert reasons(read(tmp_path, b"".join(outer), "y.warc")) == ["article"]
