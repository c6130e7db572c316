"""`rasd fetch`: one article from the socket to its events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline import wire
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article
from pipeline.topics import ARTICLES
from tests.pipeline.cli import kit
from tests.pipeline.cli.kit import Result
from tests.pipeline.cli.site import ALLOWED, Site, rss

PARAGRAPHS = (
    "قتل خمسة مدنيين وأصيب ثلاثة آخرون بجروح في قصف مدفعي لقوات النظام على مدينة سراقب في ريف إدلب صباح اليوم السبت، "
    "بحسب ما قال الدفاع المدني.",
    "وقال مصدر طبي في مشفى المدينة إن بين القتلى طفلين وامرأة، وإن فرق الإسعاف نقلت الجرحى إلى مشاف قريبة من الحدود.",
    "وعاد الهدوء إلى المدينة بعد ساعات فيما واصلت فرق الدفاع المدني رفع الركام من الطريق المؤدي إلى المدرسة.",
)
TITLE = "قصف على سراقب"
STORY = (
    f'<html lang="ar"><head><title>{TITLE}</title>'
    '<meta property="article:published_time" content="2026-03-14T08:00:00Z"></head>'
    f"<body><article><h1>{TITLE}</h1>{''.join(f'<p>{p}</p>' for p in PARAGRAPHS)}</article></body></html>"
)


def fetch(data: Path, *words: object, **env: str) -> Result:
    return kit.rasd("fetch", *words, data=data, env=ALLOWED | {"RASD_FEEDS_FILE": str(data / "none.toml")} | env)


def fetched(data: Path, *words: object) -> Any:
    done = fetch(data, *words, "--json")
    assert done.code == 0, done.err
    return orjson.loads(done.out)


def test_an_article_goes_through_the_whole_chain(tmp_path: Path, guarded_site: Site) -> None:
    guarded_site.put("/s", "", status=302, Location="/story/1")
    guarded_site.put("/story/1", STORY)
    found = fetched(tmp_path / "d", guarded_site.url + "/s")
    assert found["response"]["redirects"][0]["status"] == 302
    article = found["article"]
    assert (article["title"], article["language"], article["published"]) == (TITLE, "ar", "2026-03-14T08:00:00Z")
    assert article["body"].split("\n") == list(PARAGRAPHS)
    assert article["archive"] is None
    (event,) = [record for record in found["records"] if record["kind"] == "event"]
    assert event["casualties"][0]["count"] == 5
    assert event["evidence"][0]["quote"] in PARAGRAPHS[0]
    assert guarded_site.asked == ["/robots.txt", "/s", "/story/1"]
    assert not (tmp_path / "d").exists()


def test_it_is_printed_for_a_person_with_the_words_behind_each_event(tmp_path: Path, site: Site) -> None:
    done = fetch(tmp_path, site.put("/story/1", STORY.replace(TITLE, TITLE + " \x1b[31m\u202e")))
    assert done.code == 0
    assert done.lines[0].startswith(f"2026-03-14 08:00 UTC  {TITLE}")
    assert f"  {PARAGRAPHS[1]}" in done.lines
    assert any(line.startswith("  quote   «قتل خمسة مدنيين") for line in done.lines)
    assert any("Shelling/artillery/missile attack" in line for line in done.lines)
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out


def test_what_a_feed_says_joins_in(tmp_path: Path, site: Site) -> None:
    url = site.put("/story/1", STORY.replace("article:published_time", "x"))
    feed = site.put("/rss", rss((TITLE, url + "?utm_source=rss", "نص")), "application/rss+xml")
    article = fetched(tmp_path, url, "--feed", feed)["article"]
    assert (article["outlet"], article["feed"], article["published_basis"]) == ("صحيفة الوادي", feed, "feed")


def test_the_feeds_text_stands_in_where_the_page_fails(tmp_path: Path, site: Site) -> None:
    url = site.url + "/story/1"
    feed = site.put("/rss", rss((TITLE, url, PARAGRAPHS[0])), "application/rss+xml")
    found = fetched(tmp_path, url, "--feed", feed)
    assert found["instead"].startswith(f"not-found: {url} answered 404")
    assert found["article"]["partial"]
    assert found["article"]["body"] == PARAGRAPHS[0]
    assert "the feed's text stands in" in fetch(tmp_path, url, "--feed", feed).err


def test_a_saved_article_is_in_the_archive_and_waits_for_the_next_run(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = fetched(tmp_path, site.put("/story/1", STORY), "--save")["article"]
    assert (tmp_path / "archive" / saved["archive"]["file"]).stat().st_size > saved["archive"]["offset"]
    log = SqliteLog(tmp_path / "log.sqlite", readonly=True)
    (message,) = log.scan(ARTICLES.name)
    assert wire.decode(Article, message.value).id == saved["id"]
    log.close()
    monkeypatch.undo()
    done = kit.rasd("run", "--no-poll", "--once", "--json", data=tmp_path)
    assert orjson.loads(done.out)["records"]["event"] == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/none", "not-found"),
        ("/gone", "gone"),
        ("/broken", "status"),
        ("/film", "media-type"),
        ("/short", "no-text"),
        ("/private", "robots"),
        ("/loop", "redirects"),
        ("/story/2", "soft-404"),
        ("/inside", "forbidden-address"),
    ],
)
def test_where_there_is_no_article_the_reason_is_told(tmp_path: Path, site: Site, path: str, reason: str) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /private", "text/plain")
    site.put("/gone", "", status=410)
    site.put("/broken", "", status=500)
    site.put("/film", b"\x00\x00\x00\x18ftyp", "video/mp4")
    site.put("/short", "<html><body><p>كلمات قليلة</p></body></html>")
    site.put("/loop", "", status=302, Location="/loop")
    site.put("/story/2", "", status=302, Location="/")
    site.put("/", "<html><body><p>front page</p></body></html>")
    site.put("/inside", "", status=302, Location="http://10.0.0.1/")
    done = fetch(tmp_path, site.url + path)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {reason}: ")


def test_an_article_that_the_feed_does_not_announce_is_told(tmp_path: Path, site: Site) -> None:
    feed = site.put("/rss", rss((TITLE, site.url + "/other", "x")), "application/rss+xml")
    done = fetch(tmp_path, site.put("/story/1", STORY), "--feed", feed)
    assert (done.code, "does not announce" in done.err) == (1, True)


def test_a_word_that_is_no_address_is_told(tmp_path: Path) -> None:
    done = fetch(tmp_path, "story")
    assert (done.code, done.err.startswith("error: bad-url: ")) == (1, True)
