"""`rasd replay` on WARC files: through the pool of cleaning processes, in order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.cli.replay import KillableClean
from pipeline.config import Config
from pipeline.errors import Unusable
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Article
from pipeline.wire import decode
from tests.command import replayed
from tests.connectors.sources.samples import PARAGRAPHS, page
from tests.connectors.sources.warc_samples import answer, record, warcinfo, zipped

NUMBERS = range(9)


def archive(path: Path) -> Path:
    def html(number: int) -> bytes:
        text = page(body=f"<p>{PARAGRAPHS[0]} رقم {number}.</p><p>{PARAGRAPHS[1]}</p>", linked_data=False)
        return text.replace("/news/7", f"/news/{number}").encode()

    pages = [record(answer(html(n)), url=f"https://www.example.net/news/{n}") for n in NUMBERS]
    broken = zipped([record(answer(html(99)))])[:-30]
    path.write_bytes(zipped([warcinfo("own.warc.gz"), *pages[:4]]) + broken + zipped(pages[4:]))
    return path


def test_pages_cleaned_side_by_side_come_in_their_order(tmp_path: Path) -> None:
    path, data = archive(tmp_path / "x.warc.gz"), tmp_path / "data"
    counts = replayed(data, path)
    assert (counts["read"], counts["rejects"]) == (len(NUMBERS) + 1, {"bad-archive": 1})
    log = SqliteLog(data / "log.sqlite", readonly=True)
    articles = [decode(Article, message.value) for message in log.scan("rasd.articles")]
    log.close()
    assert [article.url for article in articles] == [f"https://www.example.net/news/{n}" for n in NUMBERS]
    assert Counter(article.archive.file for article in articles if article.archive) == {"own.warc.gz": len(NUMBERS)}


def test_the_cleaner_begins_pages_before_it_is_asked_for_them() -> None:
    pool = Pool(2)
    clean = KillableClean(Config(), pool)
    try:
        assert clean.ahead == 4
        waiting = [clean.submit(page().encode(), url=None, charset=None), clean.submit(b"<html></html>", url=None)]
        assert waiting[0]().body
        with pytest.raises(Unusable) as caught:
            waiting[1]()
        assert caught.value.reason == "no-text"
        with pytest.raises(Unusable, match="bytes"):
            clean.submit(b" " * 2_000_001, url=None)
    finally:
        pool.close()
