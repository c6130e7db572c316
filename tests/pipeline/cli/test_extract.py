"""`rasd extract`: articles in, records out, no log."""

from __future__ import annotations

import gzip
import importlib.util
import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline import flow
from pipeline.errors import Unusable
from pipeline.records import Article, Coding, Event, Outcome, Unique
from tests.pipeline.cli.kit import golden, rasd

TITLE, BODY = "غارة شرق الرقة", "قُتل خمسة عناصر.  ومسافتان\nوسطر"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Unique]:
    """What the (fake) extractor was given; it makes one event and a coding of each article."""
    taken: list[Unique] = []

    def step(unique: Unique) -> Outcome:
        taken.append(unique)
        if "boom" in unique.article.body:
            raise ValueError("boom")
        if "useless" in unique.article.body:
            raise Unusable("nothing to read", reason="useless")
        event = golden(Event, article_id=unique.article.id)
        return Outcome(outputs=(event, golden(Coding, article_id=unique.article.id, event_ids=(event.id,))))

    def loaded(stage: flow.Stage, gazetteer: Path | None) -> Callable[[Unique], Outcome]:
        assert stage.name == "extract"
        return step

    monkeypatch.setattr(flow, "loaded", loaded)
    return taken


def row(**changes: Any) -> str:
    return orjson.dumps({"id": "mine-1", "language": "ar", "title": TITLE, "body": BODY, **changes}).decode() + "\n"


def test_the_article_is_read_as_given(seen: list[Unique]) -> None:
    got = rasd(
        "extract", "-", stdin=row(url="https://sada-example.org/a?utm_source=x", published="2017-05-17T06:30:00Z")
    )
    assert got.code == 0
    assert [orjson.loads(line)["kind"] for line in got.lines] == ["event"]
    article, verdict = seen[0].article, seen[0].verdict
    assert (article.id, article.title, article.body, article.language) == ("mine-1", TITLE, BODY, "ar")
    assert article.published is not None
    assert article.published.isoformat() == "2017-05-17T06:30:00+00:00"
    assert (verdict.article_id, verdict.revision, verdict.verdict) == ("mine-1", 1, "unique")
    assert orjson.loads(got.lines[0])["article_id"] == "mine-1"


@pytest.mark.parametrize("title", [" ", "", None])
def test_even_a_blank_title_is_left_as_it_is(seen: list[Unique], title: str | None) -> None:
    rasd("extract", "-", stdin=row(title=title))
    assert seen[0].article.title == title


def test_codings_come_only_if_asked_for(seen: list[Unique]) -> None:
    got = rasd("extract", "-", "--codings", stdin=row())
    assert [orjson.loads(line)["kind"] for line in got.lines] == ["event", "coding"]
    assert "Air/drone strike" in rasd("extract", "-", "-o", "pretty", stdin=row()).out


def test_a_missing_language_is_recognised_and_an_option_comes_before(seen: list[Unique]) -> None:
    rasd("extract", "-", stdin=row(language=None))
    rasd("extract", "-", "--language", "fa", stdin=row(language=None))
    assert [u.article.language for u in seen] == ["ar", "fa"]


def test_a_number_as_id_stays_and_none_gives_ours(seen: list[Unique]) -> None:
    rasd("extract", "-", stdin=row(id=17) + row(id=None, url="https://sada-example.org/b"))
    assert seen[0].article.id == "17"
    assert len(seen[1].article.id) == 36


def test_bad_lines_are_told_and_the_rest_goes_on(seen: list[Unique], tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(
        '{"id": 1\n' + row(id="a") + "\n[1]\n" + row(id="b", title=None, body="") + row(id="c", body="boom")
    )
    got = rasd("extract", path, stdin="")
    assert got.code == 1
    assert len(got.lines) == 1
    errors = got.err.splitlines()
    assert [e.split(": ")[:3] for e in errors] == [
        ["error", f"{path}:1", "bad-json"],
        ["error", f"{path}:4", "bad-record"],
        ["error", f"{path}:5", "no-text"],
        ["error", f"{path}:6", "ValueError"],
    ]


def test_what_the_extractor_refuses_is_told(seen: list[Unique]) -> None:
    got = rasd("extract", "-", stdin=row(body="useless") + row())
    assert (got.code, got.err, len(got.lines)) == (1, "error: <stdin>:1: nothing to read\n", 1)


def test_a_plain_text_is_one_article(seen: list[Unique], tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text(f"{TITLE}\n\n{BODY}\n\nفقرة أخرى\n")
    assert rasd("extract", path, "--published", "2018-03-17").code == 0
    article = seen[0].article
    assert (article.title, article.text) == (TITLE, path.read_text())
    assert (article.published_basis, str(article.published)) == ("option", "2018-03-17 00:00:00+00:00")
    path.write_text(f"{BODY}\n\nفقرة أخرى\n")
    rasd("extract", path)
    assert (seen[1].article.title, seen[1].article.text, seen[1].article.published) == (None, path.read_text(), None)


def test_a_text_in_another_encoding_is_told(seen: list[Unique], tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(TITLE.encode("cp1256"))
    got = rasd("extract", path)
    assert (got.code, got.err) == (1, f"error: {path}:1: not UTF-8 at byte 0\n")


@pytest.mark.parametrize(
    "document",
    [
        f"[{row().strip()}, {row().strip()}]",
        f"\ufeff \n[\n  {row().strip()}\n]\n",
        '["a"]',
        "[]",
        orjson.dumps({"body": BODY}, option=orjson.OPT_INDENT_2).decode(),
    ],
)
def test_a_json_document_is_no_text(seen: list[Unique], tmp_path: Path, document: str) -> None:
    path = tmp_path / "arr.json"
    path.write_text(document)
    got = rasd("extract", path)
    assert (got.code, got.out) == (1, "")
    assert got.err == f"error: {path}:1: a JSON document, wanted is one object a line\n"
    assert seen == []


@pytest.mark.parametrize("text", ["[عاجل] قُتل خمسة عناصر", "[Reuters] Five killed", "[1] قُتل خمسة عناصر"])
def test_a_text_may_begin_with_a_bracket(seen: list[Unique], text: str) -> None:
    assert rasd("extract", "-", stdin=text).code == 0
    assert seen[0].article.body == text


def test_a_language_that_is_no_code_is_a_usage_error(seen: list[Unique]) -> None:
    got = rasd("extract", "-", "--language", "Arabic!", stdin=row())
    assert (got.code, got.out) == (2, "")
    assert "language code of two or three letters" in got.err


def test_compressed_files_are_read(seen: list[Unique], tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress((row(id="a") + row(id="b")).encode()))
    assert rasd("extract", path).code == 0
    assert [u.article.id for u in seen] == ["a", "b"]


def test_a_line_beyond_the_limit_is_told(seen: list[Unique]) -> None:
    got = rasd("extract", "-", stdin=row(body="x" * 5000) + row(), env={"RASD_LOG_MAX_RECORD_BYTES": "2000"})
    assert got.code == 1
    assert "<stdin>:1: a line of 5,0" in got.err
    assert len(got.lines) == 1


def test_several_files_and_a_missing_one(seen: list[Unique], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(row())
    got = rasd("extract", path, tmp_path / "none")
    assert got.code == 1
    assert len(got.lines) == 1
    assert "No such file" in got.err


def test_nothing_gives_nothing(seen: list[Unique]) -> None:
    got = rasd("extract", "-", stdin="\n\n")
    assert (got.code, got.out, got.err) == (0, "", "")


def test_a_time_that_is_none_is_a_usage_error(seen: list[Unique]) -> None:
    assert rasd("extract", "-", "--published", "soon", stdin="").code == 2


def test_no_data_folder_is_made(seen: list[Unique], tmp_path: Path) -> None:
    rasd("extract", "-", stdin=row(), data=tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_reading_starts_before_the_input_ends() -> None:
    from pipeline.cli.extract import _Live

    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.parts = [b"on", b"e\n", b"two\n"]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            part = self.parts.pop(0)
            buffer[: len(part)] = part
            return len(part)

    live = _Live(io.BufferedReader(Slow()))
    assert live.read(2) == b"on"
    assert live.seek(0) == 0
    assert [live.read(1 << 17) for _ in range(3)] == [b"on", b"e\n", b"two\n"]


REAL = pytest.mark.skipif(
    importlib.util.find_spec("processors.extract.step") is None, reason="the extractor is not there yet"
)


@REAL
def test_the_real_extractor_answers_each_line_at_once() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "extract", "-", "--codings"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        article = golden(Article)
        line = row(id="a", title=article.title, body=article.body, published="2017-05-17T06:30:00Z")
        process.stdin.write(line)
        process.stdin.flush()
        begin = time.monotonic()
        kinds = []
        while not kinds or kinds[-1] != "coding":
            record = orjson.loads(process.stdout.readline())
            assert record["article_id"] == "a"
            kinds.append(record["kind"])
        assert time.monotonic() - begin < 20
        process.stdin.close()
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.stdout.close()
