"""WARC files of others, whole and broken: what becomes an article, what is passed over, what is rejected."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from fastwarc.warc import ArchiveIterator

from connectors.clean import Page, clean_page
from connectors.sources.archives import Archive, Options
from connectors.sources.warc_records import Broken, WarcRecord, read_records
from pipeline.errors import Unusable
from pipeline.records import Archived
from tests.connectors.sources.samples import BODY, TITLE, page
from tests.connectors.sources.warc_samples import (
    HEAD,
    HTML,
    URL,
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


def others(number: int) -> bytes:
    return record(answer(), url=f"https://www.example.net/news/{number}")


def test_an_answered_page_is_an_article(tmp_path: Path) -> None:
    (article,) = articles(read(tmp_path, zipped([ONE])))
    assert (article.title, article.body, article.url) == (TITLE, BODY, URL)
    assert article.fetched is not None
    assert article.fetched.isoformat() == "2024-03-10T08:00:00+00:00"
    assert not article.partial


@pytest.mark.parametrize("name", ["x.warc", "x.warc.gz", "X.WARC.GZ"])
@pytest.mark.parametrize("pack", [b"".join, zipped, lambda records: gzip.compress(b"".join(records))])
def test_records_are_found_however_the_file_is_packed(
    tmp_path: Path, name: str, pack: Callable[[list[bytes]], bytes]
) -> None:
    assert len(articles(read(tmp_path, pack([others(n) for n in range(5)]), name))) == 5


def test_files_compressed_in_blocks_are_read_across_them(tmp_path: Path) -> None:
    plain = b"".join(others(n) for n in range(5))
    blocks = b"".join(gzip.compress(plain[at : at + 1_000]) for at in range(0, len(plain), 1_000)) + gzip.compress(b"")
    assert reasons(read(tmp_path, blocks)) == ["article"] * 5


def test_a_place_is_that_of_the_member_as_it_lies_in_the_file(tmp_path: Path) -> None:
    data = zipped([warcinfo("crawl-7.warc.gz"), others(1), others(2)])
    for article in articles(read(tmp_path, data)):
        at = article.archive
        assert at is not None
        assert at.file == "crawl-7.warc.gz"
        assert at.offset is not None
        assert at.length is not None
        assert article.url is not None
        assert article.url.encode() in gzip.decompress(data[at.offset : at.offset + at.length])


def test_in_an_uncompressed_file_a_place_is_that_of_the_record(tmp_path: Path) -> None:
    (article,) = articles(read(tmp_path, warcinfo("a") + others(1), "x.warc"))
    assert article.archive == Archived(file="a", offset=len(warcinfo("a")), length=len(others(1)) - 4)


def test_a_file_that_does_not_name_itself_goes_by_the_name_it_has(tmp_path: Path) -> None:
    (article,) = articles(read(tmp_path, zipped([ONE])))
    assert article.archive == Archived(file="x.warc.gz", offset=0, length=len(zipped([ONE])))


def test_archives_put_one_after_the_other_keep_their_names_and_offsets(tmp_path: Path) -> None:
    one, two = zipped([warcinfo("one.warc.gz"), others(1)]), zipped([warcinfo("two.warc.gz"), others(2)])
    together = articles(read(tmp_path, one + two))
    assert together == articles(read(tmp_path, one)) + articles(read(tmp_path, two))


@pytest.mark.parametrize("kind", ["request", "metadata", "revisit", "conversion", "continuation", "warcinfo", "odd"])
def test_other_types_of_record_are_passed_over(tmp_path: Path, kind: str) -> None:
    assert reasons(read(tmp_path, zipped([record(answer(), kind=kind), ONE]))) == ["article"]


@pytest.mark.parametrize(
    ("block", "url"),
    [
        (answer(status="404 Not Found"), URL),
        (answer(status="301 Moved", head="Location: /x\r\n", body=b""), URL),
        (answer(head="Content-Type: image/png\r\n"), URL),
        (answer(head="Content-Type: application/rss+xml\r\n"), URL),
        (answer(head="", body=b"\x89PNG"), URL),
        (b"20240310080000\nexample.net. 60 IN A 192.0.2.1\n", "dns:example.net"),
        (answer(), "ftp://example.net/x"),
        (answer(), "urn:x:y"),
        (answer(), None),
    ],
)
def test_what_is_no_page_is_passed_over(tmp_path: Path, block: bytes, url: str | None) -> None:
    assert reasons(read(tmp_path, zipped([record(block, url=url), ONE]))) == ["article"]


@pytest.mark.parametrize(
    "block",
    [
        answer(head="Content-Type: TEXT/HTML\r\n"),
        answer(head="content-type: application/xhtml+xml;charset=UTF-8\r\n"),
        answer(head=""),
        answer(head="X-A: 1\r\n folded\r\nContent-Type:\r\n text/html\r\n"),
        b"HTTP/1.0 200\nContent-Type: text/html\n\n" + HTML,
        b"HTTP/2 200 \r\nContent-Type: text/html\r\n\r\n" + HTML,
        answer(head=f"{HEAD}X-Latin: caf\xe9\r\nno colon\r\n"),
    ],
)
def test_a_page_is_known_by_its_header_or_its_beginning(tmp_path: Path, block: bytes) -> None:
    (article,) = articles(read(tmp_path, zipped([record(block)])))
    assert article.body == BODY


def test_a_page_kept_without_its_http_header_is_read(tmp_path: Path) -> None:
    kept = record(HTML, kind="resource", Content_Type="text/html; charset=utf-8")
    assert reasons(read(tmp_path, zipped([kept]))) == ["article"]


def test_the_charset_of_the_http_header_counts(tmp_path: Path) -> None:
    html = page(charset=None, linked_data=False).encode("cp1256")
    block = answer(html, "Content-Type: text/html; charset=windows-1256\r\n")
    (article,) = articles(read(tmp_path, zipped([record(block)])))
    assert article.body == BODY


def chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 700] for at in range(0, len(body), 700)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Encoding: gzip\r\n", gzip.compress(HTML)),
        ("Content-Encoding: gzip\r\n", HTML),
        ("Content-Encoding: br\r\n", brotli.compress(HTML)),
        ("Content-Encoding: br\r\n", HTML),
        ("Content-Encoding: deflate\r\n", zlib.compress(HTML)),
        ("Content-Encoding: made-up\r\n", HTML),
        ("", gzip.compress(HTML)),
        ("Transfer-Encoding: chunked\r\n", chunked(HTML)),
        ("Transfer-Encoding: chunked\r\n", HTML),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", chunked(gzip.compress(HTML))),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", HTML),
    ],
)
def test_codings_are_undone_whether_or_not_the_crawler_did(tmp_path: Path, head: str, body: bytes) -> None:
    (article,) = articles(read(tmp_path, zipped([record(answer(body, HEAD + head))])))
    assert article.body == BODY


@pytest.mark.parametrize("date", [None, "", "yesterday", "2024-13-45T99:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_missing_or_impossible_date_is_none(tmp_path: Path, date: str | None) -> None:
    (article,) = articles(read(tmp_path, zipped([record(answer(), date=date)])))
    assert article.fetched is None


def test_addresses_in_angle_brackets_and_without_tls_are_read(tmp_path: Path) -> None:
    (article,) = articles(read(tmp_path, zipped([record(answer(), url="<http://www.example.net/news/1>")])))
    assert article.url == "http://www.example.net/news/1"


def test_a_page_that_cannot_be_cleaned_is_rejected_with_its_place(tmp_path: Path) -> None:
    data = zipped([others(1), record(answer(b"<html></html>"))])
    (rejected,) = rejects(read(tmp_path, data))
    assert (rejected.reason, rejected.file, rejected.offset) == ("no-text", "x.warc.gz", len(zipped([others(1)])))
    assert URL in rejected.error
    assert rejected.truncated


def test_options_fill_in_what_nobody_says(tmp_path: Path) -> None:
    html = page(linked_data=False, head="").encode()
    data = zipped([record(answer(html), date=None)])
    (plain,) = articles(read(tmp_path, data))
    assert plain.published is None
    moment = dt.datetime(2024, 3, 10, tzinfo=dt.UTC)
    (dated,) = articles(read(tmp_path, data, published=moment))
    assert (dated.published, dated.published_basis) == (moment, "option")


# -- broken files ------------------------------------------------------------------------------------------------------


def test_a_broken_member_costs_itself_alone(tmp_path: Path) -> None:
    members = [zipped([others(n)]) for n in range(5)]
    bad = bytearray(members[2])
    bad[len(bad) // 2] ^= 0xFF
    bad[len(bad) // 2 + 1] ^= 0xFF
    found = read(tmp_path, b"".join([*members[:2], bytes(bad), *members[3:]]))
    assert reasons(found) == ["article", "article", "bad-archive", "article", "article"]
    (rejected,) = rejects(found)
    assert (rejected.file, rejected.offset) == ("x.warc.gz", len(members[0] + members[1]))


@pytest.mark.parametrize("flip", range(0, 400, 7))
def test_wherever_a_member_is_broken_the_others_are_read(tmp_path: Path, flip: int) -> None:
    """A flip may hit bytes that mean nothing (a time stamp, a name); then the record is still right."""
    members = [zipped([record(answer(), url=f"https://www.example.net/news/{n}", digest=True)]) for n in range(3)]
    bad = bytearray(members[1])
    bad[flip % len(bad)] ^= 0x55
    found = read(tmp_path, members[0] + bytes(bad) + members[2])
    urls = [article.url for article in articles(found)]
    assert urls[0] == "https://www.example.net/news/0"
    assert urls[-1] == "https://www.example.net/news/2"
    assert len(urls) + len(rejects(found)) == 3


def test_a_torn_end_is_a_reject_wherever_it_is_torn(tmp_path: Path) -> None:
    members = [zipped([others(1)]), zipped([others(2)])]
    for cut in (1, 2, 5, 11, 200, len(members[1]) - 9, len(members[1]) - 1):
        assert reasons(read(tmp_path, members[0] + members[1][:cut])) == ["article", "bad-archive"], cut


@pytest.mark.parametrize("garbage", [b"garbage", b"\x1f\x8b\x08", b"<html>" * 99, bytes(range(256)) * 400])
def test_garbage_between_members_is_one_reject(tmp_path: Path, garbage: bytes) -> None:
    assert reasons(read(tmp_path, zipped([ONE]) + garbage + zipped([ONE]))) == ["article", "bad-archive", "article"]


def test_a_compressed_file_without_its_beginning_is_still_one(tmp_path: Path) -> None:
    found = read(tmp_path, zipped([others(n) for n in range(3)])[2:])
    assert reasons(found) == ["bad-archive", "article", "article"]


def test_a_record_torn_in_its_header_takes_nothing_of_the_next(tmp_path: Path) -> None:
    for torn in range(1, record(answer()).index(b"HTTP/1.1")):
        found = read(tmp_path, others(1) + others(2)[:torn] + others(3), "x.warc")
        assert [article.url for article in articles(found)][-1:] == ["https://www.example.net/news/3"], torn
        assert len(articles(found)) + len(rejects(found)) <= 3


def test_a_record_that_runs_on_to_the_end_of_another_takes_nothing_of_it(tmp_path: Path) -> None:
    sure = [record(answer(), url=f"https://www.example.net/news/{n}", digest=True) for n in range(4)]
    lying = record(answer() + b"\r\n\r\n" + sure[2].removesuffix(b"\r\n\r\n"), WARC_Block_Digest=f"sha1:{'A' * 32}")
    found = read(tmp_path, sure[0] + lying + sure[3], "x.warc")
    assert [one.url and one.url[-1] for one in articles(found)] == ["0", "2", "3"]


def test_zeros_between_and_behind_members_are_nothing(tmp_path: Path) -> None:
    assert reasons(read(tmp_path, zipped([ONE]) + bytes(100_000) + zipped([ONE]) + b"\0")) == ["article"] * 2


def test_garbage_between_records_of_an_uncompressed_file_is_one_reject(tmp_path: Path) -> None:
    sure = record(answer(), digest=True)
    assert reasons(read(tmp_path, sure + b"garbage\r\n" * 9 + ONE, "x.warc")) == ["article", "bad-archive", "article"]


def test_more_or_fewer_line_breaks_than_there_should_be_do_no_harm(tmp_path: Path) -> None:
    bare = ONE.removesuffix(b"\r\n\r\n")
    data = b"\r\n" + bare + b"\n" + bare + b"\n" * 70_000 + bare
    assert reasons(read(tmp_path, data, "x.warc")) == ["article"] * 3


@pytest.mark.parametrize("name", ["x.warc", "x.warc.gz"])
@pytest.mark.parametrize("length", [0, 10, len(answer()) - 20, len(answer()) + 20, 10**6, 10**12, "x", "-5", ""])
def test_a_wrong_length_costs_its_record_and_no_other(tmp_path: Path, name: str, length: int | str) -> None:
    records = [others(1), record(answer(), length=length), others(2)]
    data = zipped(records) if name.endswith("gz") else b"".join(records)
    found = read(tmp_path, data, name)
    assert [article.url for article in articles(found)] == [f"https://www.example.net/news/{n}" for n in (1, 2)]
    assert set(reasons(found)) == {"article", "bad-archive"}


def test_a_digest_that_others_got_wrong_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = zipped([record(answer(), WARC_Block_Digest=f"sha1:{'A' * 32}")] * 2)
    assert reasons(read(tmp_path, data)) == ["article"] * 2
    assert len(caplog.records) == 1


def test_no_http_answer_in_a_response_is_a_reject(tmp_path: Path) -> None:
    found = read(tmp_path, zipped([record(b"nothing of the sort"), ONE]))
    assert reasons(found) == ["bad-archive", "article"]


def test_an_answer_above_the_limit_is_rejected_and_nothing_else_is(tmp_path: Path) -> None:
    large = record(answer(b"x" * 2_000_000))
    image = record(answer(b"x" * 2_000_000, "Content-Type: image/png\r\n"))
    for name, data in (("x.warc.gz", zipped([large, image, ONE])), ("x.warc", large + image + ONE)):
        assert reasons(read(tmp_path, data, name, max_bytes=1_000_000)) == ["too-large", "article"]


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == []
    assert read(tmp_path, b"", "x.warc") == []
    assert reasons(read(tmp_path, b"no archive at all", "x.warc")) == ["bad-archive"]


# -- going on, and going ahead -----------------------------------------------------------------------------------------


def mixed() -> bytes:
    members = [zipped([others(n)]) for n in range(6)]
    request = zipped([record(b"GET /", kind="request")])
    empty = zipped([record(answer(b"<html></html>"))])
    entry = b'{"feed": "https://www.example.net/feed.xml", "title": "t"}'
    text = zipped([record(entry, kind="metadata", Rasd_Kind="feed-text")])
    names = [zipped([warcinfo(f"{n}.warc.gz")]) for n in range(2)]
    first = (names[0], members[0], request, text, members[1], b"garbage", members[2])
    return b"".join((*first, names[1], text, empty, *members[3:], b"\x1f\x8b\x08"))


def test_reading_goes_on_behind_any_position(tmp_path: Path) -> None:
    whole = read(tmp_path, mixed())
    assert [found.position for found in whole] == list(range(1, 12))
    for skip in range(len(whole) + 1):
        assert read(tmp_path, mixed(), skip=skip) == whole[skip:]
    assert whole[-1].bytes_done == len(mixed())


class Ahead:
    """Cleans a page only when it is asked for, and notes what was begun before."""

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self.under_way = self.most = self.begun = 0

    def __call__(self, data: bytes, **about: str | None) -> Page:
        return self.submit(data, **about)()

    def submit(self, data: bytes, **about: str | None) -> Callable[[], Page]:
        self.begun += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def page() -> Page:
            self.under_way -= 1
            return clean_page(data, **about)

        return page


@pytest.mark.parametrize("ahead", [0, 1, 3, 50])
def test_cleaning_ahead_changes_nothing(tmp_path: Path, ahead: int) -> None:
    whole = read(tmp_path, mixed())
    path = tmp_path / "x.warc.gz"
    for skip in (0, 3, 8):
        clean = Ahead(ahead)
        assert list(Archive([path], Options(), clean).read(skip)) == whole[skip:]
        assert clean.most == min(ahead + 1, clean.begun)
    clean = Ahead(ahead)
    assert list(Archive([path], Options(limit=2), clean).read(1)) == whole[1:2]


def test_a_page_refused_before_it_is_begun_keeps_its_turn(tmp_path: Path) -> None:
    class Refusing(Ahead):
        def submit(self, data: bytes, **about: str | None) -> Callable[[], Page]:
            if b"refuse" in data:
                raise Unusable("no", reason="too-large")
            return super().submit(data, **about)

    path = tmp_path / "y.warc.gz"
    path.write_bytes(zipped([others(1), record(answer(b"<html>refuse")), others(2)]))
    assert reasons(Archive([path], Options(), Refusing(5)).read()) == ["article", "too-large", "article"]


# -- beside an independent reader --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [b"".join, zipped])
def test_whole_files_are_read_as_fastwarc_reads_them(pack: Callable[[list[bytes]], bytes]) -> None:
    records = [warcinfo("a"), *(others(n) for n in range(20)), record(b"", kind="metadata"), record(b"x" * 200_000)]
    data = pack(records)
    ours = [one for one in read_records(io.BytesIO(data), 10**6) if isinstance(one, WarcRecord)]
    theirs = list(ArchiveIterator(io.BytesIO(data), parse_http=False, func_filter=lambda one: one.freeze() or True))
    assert [one.offset for one in ours] == [one.stream_pos for one in theirs]
    assert [one.block for one in ours] == [one.reader.read() for one in theirs]


def test_what_is_read_in_small_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = mixed() + b"".join([others(8), b"junk", others(9)])
    plain = b"".join([others(1), record(answer(), digest=True), b"junk\n", others(2), others(3)])
    for file in (data, plain, gzip.compress(plain)):
        whole = list(read_records(io.BytesIO(file), 10**6))
        assert any(isinstance(one, Broken) for one in whole)
        for chunk in (1, 7, 1_000):
            monkeypatch.setattr("connectors.sources.warc_records.CHUNK", chunk)
            assert [one.offset for one in read_records(io.BytesIO(file), 10**6)] == [one.offset for one in whole]
        monkeypatch.undo()
