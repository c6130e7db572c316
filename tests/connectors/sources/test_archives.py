from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import functools
import gzip
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import zstandard

from connectors.clean import Page
from connectors.sources.archives import READERS, Archive, Found, Options, read_row
from connectors.sources.rows import Row, language_code
from pipeline.errors import ConfigError, FileError, Stalled
from pipeline.ids import article_id
from pipeline.records import Article, Reject
from pipeline.wire import decode, encode
from tests.connectors.sources.samples import BODY, INDEX, PARAGRAPHS, RSS, TITLE, line, page, write_rows


def read(path: Path, options: Options | None = None) -> list[Article | Reject]:
    return [found.record for found in Archive([path], options or Options()).read()]


def articles(path: Path, options: Options | None = None) -> list[Article]:
    return [record for record in read(path, options) if isinstance(record, Article)]


def rejects(path: Path, options: Options | None = None) -> list[Reject]:
    return [record for record in read(path, options) if isinstance(record, Reject)]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with every format, two filtered-out rows and a few inputs that nobody can use."""
    folder = tmp_path / "mixed"
    write_rows(folder / "a.jsonl", line(1), b"{broken", b"", line(2, outlet="other"), line(3))
    (folder / "b").mkdir()
    (folder / "b" / "rows.jsonl.gz").write_bytes(gzip.compress(line(4) + b"\n" + line(5) + b"\n"))
    (folder / "b" / "rows.jsonl.zst").write_bytes(zstandard.compress(line(6) + b"\n" + line(7)))
    (folder / "c.txt").write_text(BODY, encoding="utf-8")
    (folder / "d.html").write_text(page(), encoding="utf-8")
    (folder / "e.html").write_text(INDEX, encoding="utf-8")
    (folder / "f.xml").write_text(RSS % "utf-8", encoding="utf-8")
    (folder / "notes.docx").write_bytes(b"of another kind")
    (folder / ".hidden.jsonl").write_bytes(line(9))
    return folder


def test_a_folder_is_read_in_the_order_of_its_relative_paths(mixed: Path) -> None:
    archive = Archive([mixed], Options())
    names = ["a.jsonl", "b/rows.jsonl.gz", "b/rows.jsonl.zst", "c.txt", "d.html", "e.html", "f.xml"]
    assert [path.relative_to(mixed).as_posix() for path in archive.files] == names
    found = list(archive.read())
    kinds = [one.record.reason if isinstance(one.record, Reject) else one.record.source_id for one in found]
    assert kinds == [
        "zz-1", "bad-json", "zz-2", "zz-3", "zz-4", "zz-5", "zz-6", "zz-7", None, None, "not-article", "guid-7", None,
    ]  # fmt: skip
    assert archive.total_bytes == sum(path.stat().st_size for path in archive.files)
    progress = [one.bytes_done for one in found]
    assert progress == sorted(progress)
    assert progress[-1] == archive.total_bytes


def test_a_row_becomes_an_article_to_the_letter(tmp_path: Path) -> None:
    raw = line(1, title="  عنوان ", text=" نص\r\nمن سطرين ", url="HTTP://WWW.example.net/a?utm_source=x#top")
    (article,) = articles(write_rows(tmp_path / "rows.jsonl", b"", raw))
    assert article.title == "  عنوان "
    assert article.body == " نص\r\nمن سطرين "
    assert article.url == "HTTP://WWW.example.net/a?utm_source=x#top"
    assert article.canonical_url == "http://www.example.net/a"
    assert article.id == article_id("http://www.example.net/a", "whatever")
    assert article.source_id == "zz-1"
    assert article.published == dt.datetime(2024, 3, 2, 6, 30, tzinfo=dt.UTC)
    assert article.published_basis == "archive"
    assert article.language == "ar"
    assert article.fetched is None
    assert not article.partial
    assert article.archive is not None
    assert article.archive.file == "rows.jsonl"
    assert (article.archive.offset, article.archive.length) == (1, len(raw))


def test_our_own_articles_come_back_the_same(tmp_path: Path) -> None:
    original = articles(write_rows(tmp_path / "rows.jsonl", line(1, language="ar", fetched="2024-03-11T00:00:00Z")))[0]
    original = dataclasses.replace(original, published_basis="page", canonical_url="https://example.net/other", id="")
    original = dataclasses.replace(original, id=article_id(original.canonical_url, original.content_hash))
    (again,) = articles(write_rows(tmp_path / "own.jsonl", orjson.dumps(original)))
    assert dataclasses.replace(again, archive=None) == dataclasses.replace(original, archive=None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": 17}, {"source_id": "17"}),
        ({"title": ""}, {"title": None}),
        ({"outlet": None}, {"outlet": "example.net"}),
        ({"url": None}, {"url": None, "canonical_url": None}),
        ({"url": "not an address"}, {"url": "not an address", "canonical_url": None}),
        ({"published": "some day"}, {"published": None, "published_basis": "unknown"}),
        ({"published": "0001-01-01T00:00:00"}, {"published": None, "published_basis": "unknown"}),
        ({"published": 1710052200}, {"published": dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)}),
        ({"language": "ar-SY"}, {"language": "ar"}),
        ({"language": "Arabic, mostly"}, {"language": "ar"}),
        ({"text": None, "body": "نص آخر"}, {"body": "نص آخر"}),
        ({"text": "", "summary": "ملخص"}, {"body": "ملخص", "partial": True}),
        ({"summary": "ملخص"}, {"body": BODY, "partial": False}),
        ({"author": [{"name": "سلمى"}, "عمر", "سلمى"]}, {"author": "سلمى, عمر"}),
        ({"author": {"id": 3}}, {"author": None}),
        ({"category": {"any": ["thing"]}}, {"author": "سلمى"}),
    ],
)
def test_columns_are_read_tolerantly(tmp_path: Path, changes: dict[str, object], expected: dict[str, object]) -> None:
    (article,) = articles(write_rows(tmp_path / "rows.jsonl", line(1, **changes)))
    assert {name: getattr(article, name) for name in expected} == expected


def test_an_article_without_address_is_known_by_its_content(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", line(1, url=None), line(1, url=None, id="b"), line(2, url=None))
    first, same, other = articles(path)
    assert first.id == same.id == article_id(None, first.content_hash)
    assert other.id != first.id


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    raw = orjson.dumps({"content": "متن الخبر", "text": "العنوان", "when": "2024-03-10", "body": "غير هذا"})
    options = Options(fields={"body": "content", "title": "text", "published": "when"})
    (article,) = articles(write_rows(tmp_path / "rows.jsonl", raw), options)
    assert (article.title, article.body) == ("العنوان", "متن الخبر")
    assert article.published == dt.datetime(2024, 3, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize("fields", [{"headline": "title"}, {"title": "x", "body": "x"}])
def test_a_mapping_that_means_nothing_is_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Archive([write_rows(tmp_path / "rows.jsonl", line())], Options(fields=fields))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{broken", "bad-json"),
        (b'{"title": "x"} {"title": "y"}', "bad-json"),
        (b'{"title": NaN}', "bad-json"),
        (b'{"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad-json"),
        (b"[1, 2]", "bad-record"),
        (b'"text"', "bad-record"),
        (b'{"title": 3, "text": "x"}', "bad-record"),
        (b'{"title": "x", "text": ["y"]}', "bad-record"),
        (b'{"title": "x", "published": {"on": 1}}', "bad-record"),
        (b'{"title": "a\x00b"}', "bad-text"),
        (b'{"title": "a\\u0000b"}', "bad-text"),
        (b'{"title": "a\\ud800b"}', "bad-text"),
        (b'{"title": "\\ude00\\ud83d"}', "bad-text"),
        (b'{"title": "a\xff"}', "bad-text"),
        (b'{"title": "\xed\xa0\x80"}', "bad-text"),
        (b'{"title": " ", "text": "", "summary": "\\n"}', "no-text"),
        (b"{}", "no-text"),
    ],
)
def test_a_line_that_cannot_be_used_is_kept_whole_as_a_reject(tmp_path: Path, bad: bytes, reason: str) -> None:
    before, after = line(1), line(2)
    first, refused, last = read(write_rows(tmp_path / "rows.jsonl", before, bad, after))
    assert isinstance(first, Article)
    assert isinstance(last, Article)
    assert isinstance(refused, Reject)
    assert (refused.stage, refused.reason, refused.retryable) == ("source", reason, False)
    assert (refused.file, refused.line, refused.offset) == ("rows.jsonl", 2, len(before) + 1)
    assert base64.b64decode(refused.value) == bad
    assert not refused.truncated
    assert refused.error
    assert read_row(bad, Options(), "rows.jsonl", 2, len(before) + 1) == refused


def test_a_backslash_before_u0000_is_no_nul(tmp_path: Path) -> None:
    (article,) = articles(write_rows(tmp_path / "rows.jsonl", rb'{"text": "C:\\u0000 and C:\\\\u0000"}'))
    assert article.body == r"C:\u0000 and C:\\u0000"


def test_bom_crlf_blank_lines_and_a_missing_last_line_end_make_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + line(1) + b"\r\n\r\n  \n" + line(2))
    first, second = articles(path)
    assert [first.source_id, second.source_id] == ["zz-1", "zz-2"]
    for article in (first, second):
        assert article.archive is not None
        start, length = article.archive.offset or 0, article.archive.length or 0
        assert orjson.loads(path.read_bytes()[start : start + length])["id"] == article.source_id


def test_a_line_too_long_is_cut_and_the_next_one_read(tmp_path: Path) -> None:
    huge = line(1, text="س" * 400_000)
    path = write_rows(tmp_path / "rows.jsonl", huge, line(2), huge, huge, line(3))
    options = Options(max_bytes=100_000)
    first, second, *_, last = read(path, options)
    assert isinstance(first, Reject)
    assert (first.reason, first.truncated, first.line) == ("too-large", True, 1)
    assert base64.b64decode(first.value) == huge[:65_536]
    assert isinstance(second, Article)
    assert second.archive is not None
    assert second.archive.offset == len(huge) + 1
    assert isinstance(last, Article)
    assert len(rejects(path, options)) == 3


def test_a_json_document_over_several_lines_is_refused_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(b"[\n" + b",\n".join(line(n) for n in range(5)) + b"\n]\n")
    (refused,) = rejects(path)
    assert refused.reason == "bad-archive"


def compressed(kind: str, data: bytes) -> bytes:
    return gzip.compress(data) if kind == "gz" else zstandard.compress(data)


@pytest.mark.parametrize("kind", ["gz", "zst"])
class TestCompressed:
    def test_several_members_are_one_file(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / f"rows.jsonl.{kind}"
        path.write_bytes(compressed(kind, line(1)[:50]) + compressed(kind, line(1)[50:] + b"\n" + line(2)))
        assert [article.source_id for article in articles(path)] == ["zz-1", "zz-2"]

    def test_compression_is_known_by_content(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_bytes(compressed(kind, line(1)))
        assert len(articles(path)) == 1

    @pytest.mark.parametrize("harm", ["cut", "garbled"])
    def test_what_was_read_before_the_damage_stays(self, tmp_path: Path, kind: str, harm: str) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        noise = random.Random(7)
        rows = [line(n, text=f"{BODY} {noise.randbytes(3000).hex()}") for n in range(400)]
        data = compressed(kind, b"\n".join(rows))
        half = len(data) // 2
        broken = data[:half] if harm == "cut" else data[:half] + bytes(b ^ 0x5A for b in data[half : half + 9000])
        (folder / f"a.jsonl.{kind}").write_bytes(broken)
        write_rows(folder / "b.jsonl", line(500))
        found = read(folder)
        bad = [record for record in found if isinstance(record, Reject)]
        assert bad[-1].reason == "bad-archive"
        assert bad[-1].file == f"folder/a.jsonl.{kind}"
        assert bad[-1].offset
        assert bad[-1].truncated
        assert len([record for record in found if isinstance(record, Article)]) > 50
        assert isinstance(found[-1], Article)
        assert found[-1].source_id == "zz-500"
        assert found == read(folder)

    def test_a_bomb_is_one_reject(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / f"rows.jsonl.{kind}"
        path.write_bytes(compressed(kind, b" " * 50_000_000 + b"x\n" + line(1)))
        refused, article = read(path, Options(max_bytes=1_000_000))
        assert isinstance(refused, Reject)
        assert refused.reason == "too-large"
        assert isinstance(article, Article)


def test_filters_pass_over_silently_but_count(mixed: Path) -> None:
    options = Options(
        since=dt.datetime(2024, 3, 4, tzinfo=dt.UTC),
        until=dt.datetime(2024, 3, 8, 6, 30, tzinfo=dt.UTC),
        outlets=frozenset(["Zaytoun"]),
    )
    found = list(Archive([mixed], options).read())
    kept = [(one.position, one.record.source_id) for one in found if isinstance(one.record, Article)]
    assert kept == [(4, "zz-3"), (5, "zz-4"), (6, "zz-5"), (7, "zz-6")]


def test_an_outlet_may_be_named_by_its_host(mixed: Path) -> None:
    kept = articles(mixed, Options(outlets=frozenset(["example.net"])))
    assert len(kept) == 10
    assert all(article.canonical_url for article in kept)


@pytest.mark.parametrize("limit", [0, 1, 3, 100])
def test_a_limit_counts_articles(mixed: Path, limit: int) -> None:
    assert len(articles(mixed, Options(limit=limit))) == min(limit, 11)


@pytest.mark.parametrize(
    "options", [Options(), Options(limit=5), Options(outlets=frozenset(["zaytoun"]))], ids=["all", "limit", "outlet"]
)
def test_reading_on_behind_a_position_gives_the_rest(mixed: Path, options: Options) -> None:
    archive = Archive([mixed], options)
    whole = list(archive.read())
    for skip in range(whole[-1].position + 2):
        assert list(archive.read(skip)) == [found for found in whole if found.position > skip]


def test_the_same_archive_gives_the_same_records_wherever_it_stands(mixed: Path, tmp_path: Path) -> None:
    def found(folder: Path) -> tuple[str, list[Found]]:
        archive = Archive([folder], Options())
        return archive.identity, list(archive.read())

    before = found(mixed)
    assert found(mixed) == before
    elsewhere = tmp_path / "elsewhere" / "mixed"
    shutil.copytree(mixed, elsewhere)
    assert found(elsewhere) == before
    (elsewhere / "c.txt").write_text("نص آخر", encoding="utf-8")
    assert found(elsewhere)[0] != before[0]
    assert Archive([mixed], Options(limit=3)).identity != before[0]


def test_arguments_are_read_in_the_given_order(mixed: Path) -> None:
    files = [mixed / "c.txt", mixed / "a.jsonl"]
    assert Archive(files, Options()).files == files


def test_a_text_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(f"\ufeff{TITLE}\r\n\r\n{BODY}\n".encode())
    when = dt.datetime(2018, 10, 9, 12, tzinfo=dt.UTC)
    (article,) = articles(path, Options(published=when))
    assert (article.title, article.url, article.body) == (None, None, f"{TITLE}\r\n\r\n{BODY}\n")
    assert (article.published, article.published_basis) == (when, "option")
    (undated,) = articles(path)
    assert (undated.published, undated.published_basis, undated.language) == (None, "unknown", "ar")


def test_a_text_in_windows_1256_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(BODY.encode("windows-1256"))
    assert articles(path)[0].body == BODY


@pytest.mark.parametrize(
    ("name", "content", "reason", "truncated"),
    [
        ("a.txt", b" \n", "no-text", False),
        ("a.txt", b"a\x00b", "bad-text", False),
        ("a.txt", b"a" * 100_001, "too-large", True),
        ("a.html", b"", "no-text", False),
        ("a.html", INDEX.encode(), "not-article", False),
        ("a.xml", b"<html><body>none</body></html>", "bad-feed", False),
        ("a.rss", b"", "bad-feed", False),
        ("a.rss", b"<rss version='2.0'><channel><item><link>http://a.example/</link></item></channel></rss>",
         "no-text", True),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_a_reject(
    tmp_path: Path, name: str, content: bytes, reason: str, truncated: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    (refused,) = rejects(tmp_path / name, Options(max_bytes=100_000))
    assert (refused.reason, refused.truncated, refused.file) == (reason, truncated, name)
    if not truncated:
        assert base64.b64decode(refused.value) == content


def test_a_saved_page_becomes_an_article(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(), encoding="utf-8")
    (article,) = articles(path)
    assert (article.title, article.body) == (TITLE, BODY)
    assert article.url == article.canonical_url == "https://www.example.net/news/7"
    assert article.outlet == "example.net"
    assert article.published == dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)
    assert article.published_basis == "page"


def test_a_browsers_note_says_where_a_page_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    note = "<!-- saved from url=(0035)https://www.example.net/news/7?s=web -->"
    path.write_text(page().replace("<head>", f"<head>{note}"), encoding="utf-8")
    (article,) = articles(path)
    assert article.url == "https://www.example.net/news/7?s=web"
    assert article.canonical_url == "https://www.example.net/news/7"


def test_pages_go_through_the_given_cleaner(tmp_path: Path) -> None:
    def stall(data: bytes, url: str | None = None) -> Page:
        raise Stalled("took five seconds")

    path = tmp_path / "page.html"
    path.write_text(page(), encoding="utf-8")
    (found,) = Archive([path], Options(), clean=stall).read()
    assert isinstance(found.record, Reject)
    assert (found.record.reason, found.record.retryable) == ("stalled", True)


def test_a_saved_feed_gives_full_and_partial_articles(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(RSS % "utf-8", encoding="utf-8")
    full, short = articles(path)
    assert full.body == "\n".join(PARAGRAPHS)
    assert (full.partial, short.partial) == (False, True)
    assert (full.published_basis, short.published_basis) == ("feed", "unknown")
    assert full.feed == short.feed == "feed.xml"
    assert full.outlet == "example.net"
    assert short.url == "https://example.net/news/8"


def missing(folder: Path) -> Path:
    return folder / "missing"


def of_another_kind(folder: Path) -> Path:
    (folder / "a.pdf").write_bytes(b"")
    return folder / "a.pdf"


def without_anything_readable(folder: Path) -> Path:
    of_another_kind(folder)
    return folder


def device(folder: Path) -> Path:
    os.mkfifo(folder / "a.jsonl")
    return folder / "a.jsonl"


@pytest.mark.parametrize("make", [missing, of_another_kind, without_anything_readable, device])
def test_a_path_with_nothing_to_read_is_an_error(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(FileError):
        Archive([make(tmp_path)], Options())


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    write_rows(tmp_path / "a" / "rows.jsonl", line())
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "nowhere.jsonl").symlink_to(tmp_path / "gone")
    assert len(Archive([tmp_path], Options()).files) == 1


def denied(trouble: OSError) -> Callable[..., object]:
    """`os.scandir` or `Path.stat` that may not look at what is called `locked`."""

    def refuse(real: Callable[..., object], path: object, *args: object, **kwargs: object) -> object:
        if Path(str(path)).name.startswith("locked"):
            raise OSError(trouble.errno, trouble.strerror, str(path))
        return real(path, *args, **kwargs)

    return refuse


def test_a_folder_that_cannot_be_listed_is_a_reject(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mixed / "b" / "locked").mkdir()
    write_rows(mixed / "b" / "locked" / "rows.jsonl", line(8))
    whole = Archive([mixed], Options())
    refuse = denied(PermissionError(13, "Permission denied"))
    monkeypatch.setattr(os, "scandir", functools.partial(refuse, os.scandir))
    archive = Archive([mixed], Options())
    rejected = [f.record for f in archive.read() if isinstance(f.record, Reject) and "locked" in (f.record.file or "")]
    assert [(r.reason, r.error, r.file, r.truncated) for r in rejected] == [
        ("bad-archive", "Permission denied", "mixed/b/locked", True)
    ]
    assert archive.identity != whole.identity
    assert [path.name for path in archive.files] == [path.name for path in whole.files if "locked" not in str(path)]
    with pytest.raises(FileError, match="Permission denied"):
        Archive([mixed / "b" / "locked"], Options())


def test_a_file_that_cannot_be_looked_at_is_a_reject(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(mixed / "locked.jsonl", line(8))
    refuse, stat = denied(PermissionError(13, "Permission denied")), Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **kwargs: refuse(stat, path, **kwargs))
    rejected = [r for r in rejects(mixed) if r.file == "mixed/locked.jsonl"]
    assert [(r.reason, r.error) for r in rejected] == [("bad-archive", "Permission denied")]


@pytest.mark.parametrize(
    "ours", [["rasd-data/log.sqlite", "rasd-data/run.lock"], ["rasd-data/events/.rasd-sink"],
             ["rasd-data/events/.rasd-uncommitted"]]
)  # fmt: skip
def test_what_the_program_wrote_itself_is_passed_over(
    mixed: Path, caplog: pytest.LogCaptureFixture, ours: list[str]
) -> None:
    before = Archive([mixed], Options()).files
    write_rows(mixed / "rasd-data" / "events" / "2018-03-01.jsonl", line(8))
    for name in ours:
        (mixed / name).touch()
    assert Archive([mixed], Options()).files == before
    assert [r.getMessage().split(": ")[1] for r in caplog.records if r.levelname == "WARNING"] == [
        "passed over, it holds what rasd wrote"
    ]


def test_an_archive_in_the_data_folder_can_be_read_when_the_folder_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", line(1))
    write_rows(tmp_path / "events" / "2018-03-01.jsonl", line(8))
    for name in ("log.sqlite", "run.lock", "events/.rasd-sink"):
        (tmp_path / name).touch()
    assert Archive([tmp_path], Options()).files == [tmp_path / "rows.jsonl"]
    with pytest.raises(FileError, match="no file in it"):
        Archive([tmp_path / "events"], Options())


@pytest.mark.parametrize(("given", "code"), [("ar", "ar"), ("AR-SY", "ar"), (" ckb ", "ckb")])
def test_a_language_option_is_a_code(tmp_path: Path, given: str, code: str) -> None:
    assert language_code(given) == code
    path = write_rows(tmp_path / "a.jsonl", line(1, language=None))
    assert [a.language for a in articles(path, Options(language=given))] == [code]


@pytest.mark.parametrize("given", ["", " ", "arabic", "a", "عربي", "../x", "ar\x1b[31m"])
def test_a_language_that_is_no_code_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="two or three letters"):
        Options(language=given)


def test_a_file_that_vanishes_while_reading_is_a_reject(mixed: Path) -> None:
    archive = Archive([mixed], Options())
    (mixed / "a.jsonl").unlink()
    first = next(iter(archive.read())).record
    assert isinstance(first, Reject)
    assert first.reason == "bad-archive"


def test_a_time_without_a_zone_is_no_option() -> None:
    with pytest.raises(ConfigError):
        Options(since=dt.datetime(2024, 1, 1))


@pytest.mark.parametrize("seed", range(8))
def test_damaged_files_give_records_that_can_be_written(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    whole = {".jsonl": line(), ".html": page().encode(), ".xml": (RSS % "utf-8").encode(), ".txt": BODY.encode()}
    junk = [b"\x00", b"\xff", b"<", b'"', b"&#xD800;", b"&#0;", b"\\ud800", b"\\u0000", b"\xef\xbf\xbe", b"<![CDATA[",
            b"\xed\xa0\x80", b"charset=utf-16", b'<a href="http://[">', b"<p>" * 50]  # fmt: skip
    for suffix, content in whole.items():
        for number in range(10):
            damaged = bytearray(content)
            for _ in range(chance.randint(1, 8)):
                at = chance.randrange(len(damaged) + 1)
                damaged[at : at + chance.randint(0, 40)] = chance.choice([b"", *junk])
            (tmp_path / f"{number}{suffix}").write_bytes(damaged)
    for record in read(tmp_path):
        assert decode(type(record), encode(record)) == record


def test_the_documentation_names_every_suffix_and_field() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "archives.md").read_text(encoding="utf-8")
    assert [name for name in (*READERS, *Row.__struct_fields__) if f"`{name}`" not in text and name != "schema"] == []


@pytest.mark.shared
def test_the_development_corpus_is_read_without_rejects() -> None:
    here = Path(os.environ.get("RASD_SHARED", Path(__file__).resolve().parents[4] / "shared"))
    path = here / "corpus" / "ant-2018.jsonl.gz"
    if not path.exists():
        pytest.skip("the development corpus is not beside the checkout")
    found = articles(path, Options(limit=2_000))
    assert len(found) == 2_000
    assert all(article.title and article.body and article.canonical_url and article.published for article in found)
    assert {article.language for article in found} == {"ar"}
    assert not rejects(path, Options(limit=2_000))
