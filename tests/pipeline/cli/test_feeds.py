"""`rasd feeds`: choosing feeds, exchanging lists, trying one, and how they fare."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.feedfile import add_feeds
from connectors.feedlist import Feed, catalogue, load_feeds
from connectors.feedstate import FILE, FeedState
from connectors.schedule import HOUR, History
from pipeline.cli.feedchoice import age_words
from pipeline.runtimes.local import runner_lock
from tests.pipeline.cli import kit
from tests.pipeline.cli.kit import Result
from tests.pipeline.cli.site import ALLOWED, Site, rss

HOSTILE = "\x1b[31m\u202eعاجل"


class Desk:
    """A data folder and a list of feeds of its own."""

    def __init__(self, folder: Path) -> None:
        self.data, self.list = folder / "data", folder / "my.toml"

    def rasd(self, *words: object, stdin: str | bytes | None = None) -> Result:
        return kit.rasd(*words, data=self.data, stdin=stdin, env=ALLOWED | {"RASD_FEEDS_FILE": str(self.list)})

    def json(self, *words: object) -> Any:
        return orjson.loads(self.rasd(*words, "--json").out)

    @property
    def feeds(self) -> list[Feed]:
        return load_feeds(self.list)

    @property
    def names(self) -> list[str]:
        return [feed.name for feed in self.feeds]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def wadi(site: Site, path: str = "/rss", **headers: Any) -> str:
    items = [(f"خبر رقم {n}", f"{site.url}/story/{n}", "نص الخبر") for n in range(3)]
    return site.put(path, rss(*items), "application/rss+xml", **headers)


# -- the catalogue and the list ----------------------------------------------------------------------------------------


def test_the_catalogue_is_listed_by_country_language_and_kind(desk: Desk) -> None:
    found = desk.json("feeds", "list", "--catalogue", "--country", "sy", "--country", "IQ", "--language", "ar")
    assert {row["country"] for row in found} == {"SY", "IQ"}
    assert {row["language"] for row in found} == {"ar"}
    agencies = desk.json("feeds", "list", "--catalogue", "--kind", "agency", "--kind", "un")
    assert {row["group"] for row in agencies} == {"agency", "un"}
    assert len(desk.json("feeds", "list", "--catalogue")) == len(catalogue())


def test_the_catalogue_says_who_speaks_through_an_outlet(desk: Desk) -> None:
    (line,) = [row for row in desk.rasd("feeds", "list", "--catalogue").lines if row.startswith("almanar-ar ")]
    assert line.split()[1:4] == ["LB", "ar", "party"]
    assert line.endswith("Hezbollah")


@pytest.mark.parametrize("words", [["--country", "Syria"], ["--country", "S1"]])
def test_a_country_that_is_no_code_is_wrong_usage(desk: Desk, words: list[str]) -> None:
    assert desk.rasd("feeds", "list", "--catalogue", *words).code == 2


def test_nothing_of_a_kind_is_said_so(desk: Desk) -> None:
    assert desk.rasd("feeds", "list", "--catalogue", "--kind", "nonsense").code == 3
    assert desk.rasd("feeds", "add", "--country", "IS").code == 3


def test_without_a_list_the_commands_say_how_to_make_one(desk: Desk) -> None:
    for words in (["list"], ["doctor"], ["export"], ["remove", "x"]):
        done = desk.rasd("feeds", *words)
        assert (done.code, "`rasd feeds add` makes one" in done.err) == (3, True)


def test_entries_of_the_catalogue_are_added_whole(desk: Desk) -> None:
    done = desk.rasd("feeds", "add", "sana-ar", "almasirah")
    assert (done.code, done.lines) == (0, ["sana-ar", "almasirah"])
    assert desk.feeds == [feed for name in ("sana-ar", "almasirah") for feed in catalogue() if feed.name == name]


def test_all_of_a_kind_is_added_once(desk: Desk) -> None:
    wanted = {feed.name for feed in catalogue() if feed.country == "YE" and feed.language == "ar"}
    assert set(desk.rasd("feeds", "add", "--country", "YE", "--language", "ar").lines) == wanted
    again = desk.rasd("feeds", "add", "--country", "YE", "--language", "ar")
    assert (again.code, again.out) == (0, "")
    assert "is in the list already" in again.err
    assert set(desk.names) == wanted


def test_a_name_that_the_catalogue_lacks_adds_nothing(desk: Desk) -> None:
    done = desk.rasd("feeds", "add", "sana-ar", "almasira")
    assert (done.code, done.err) == (3, "error: no feed 'almasira' (did you mean almasirah?)\n")
    assert desk.rasd("feeds", "add", "paper.example").err.endswith("(an address begins with https://)\n")
    assert not desk.list.exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["sana-ar", "--country", "SY"],
        ["sana-ar", "--name", "x"],
        ["https://a.example/", "https://b.example/", "--name", "x"],
        ["https://a.example/", "--country", "SY", "--country", "IQ"],
        ["https://a.example/", "--name", "a b", "--unchecked"],
        ["https://u:p@a.example/", "--unchecked"],
        ["ftp://a.example/", "--unchecked"],
    ],
)
def test_what_makes_no_sense_to_add_is_wrong_usage(desk: Desk, words: list[str]) -> None:
    assert desk.rasd("feeds", "add", *words).code == 2
    assert not desk.list.exists()


def test_an_address_is_noted_as_told(desk: Desk) -> None:
    words = ["--country", "ye", "--language", "AR", "--kind", "newspaper", "--name", "paper", "--outlet", "الصحيفة"]
    assert desk.rasd("feeds", "add", "https://paper.example/rss", "--unchecked", *words).code == 0
    assert desk.feeds == [
        Feed(
            url="https://paper.example/rss",
            name="paper",
            outlet="الصحيفة",
            language="ar",
            country="YE",
            group="newspaper",
        )
    ]
    desk.rasd("feeds", "add", "https://paper.example/map.xml", "--unchecked", "--kind", "sitemap")
    assert (desk.feeds[1].kind, desk.feeds[1].group) == ("sitemap", None)


def test_feeds_are_removed_by_name_or_address_all_or_none(desk: Desk) -> None:
    desk.rasd("feeds", "add", "sana-ar", "almasirah", "rt-ar")
    assert desk.rasd("feeds", "remove", "rt-ar", "nobody").code == 3
    assert desk.names == ["sana-ar", "almasirah", "rt-ar"]
    assert desk.rasd("feeds", "remove", "rt-ar", "http://sana.sy/feed").code == 0
    assert desk.names == ["almasirah"]


def test_a_fault_in_the_list_is_told_with_its_line(desk: Desk) -> None:
    desk.list.write_text('[[feed]]\nurl = "nowhere"\n')
    done = desk.rasd("feeds", "list")
    assert (done.code, done.err) == (1, f"error: {desk.list}:2: url is no http(s) address: nowhere\n")


# -- OPML --------------------------------------------------------------------------------------------------------------


def test_a_list_goes_out_as_opml_and_comes_back_whole(desk: Desk, tmp_path: Path) -> None:
    desk.rasd("feeds", "add", "--country", "LB")
    before = desk.feeds
    assert desk.rasd("feeds", "export", tmp_path / "out.opml").code == 0
    assert desk.rasd("feeds", "export").out.strip() == (tmp_path / "out.opml").read_text("utf-8").strip()
    desk.list.unlink()
    assert desk.rasd("feeds", "import", tmp_path / "out.opml").code == 0
    assert sorted(desk.names) == sorted(feed.name for feed in before)
    assert {feed.name: feed for feed in desk.feeds} == {feed.name: feed for feed in before}


def test_what_an_opml_holds_that_cannot_be_used_is_told_and_the_rest_imported(desk: Desk) -> None:
    outlines = "".join(
        f'<outline text="x" xmlUrl="{url}"/>\n'
        for url in ("https://a.example/rss", "javascript:1", "https://a.example/rss/", "https://sana.sy/feed")
    )
    desk.rasd("feeds", "add", "sana-ar")
    done = desk.rasd("feeds", "import", "-", stdin=f"<opml><body>{outlines}</body></opml>")
    assert done.code == 1
    assert desk.names == ["sana-ar", "a-example"]
    assert "<stdin>:2: skipped: url is no http(s) address" in done.err
    assert "<stdin>:3: skipped: the same url as in line 1" in done.err
    assert "sana-ar is in the list already" in done.err


def test_a_file_that_is_no_opml_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "x.opml").write_text("{}")
    done = desk.rasd("feeds", "import", tmp_path / "x.opml")
    assert (done.code, done.err) == (1, f"error: {tmp_path}/x.opml: is no OPML\n")
    assert desk.rasd("feeds", "import", tmp_path / "none.opml").code == 1
    assert not desk.list.exists()


def test_a_part_of_the_catalogue_can_be_exported(desk: Desk) -> None:
    out = desk.rasd("feeds", "export", "--catalogue", "--country", "SD", "--language", "ar").out
    assert out.count("xmlUrl=") == sum(f.country == "SD" and f.language == "ar" for f in catalogue())


# -- asking the network ------------------------------------------------------------------------------------------------


def test_a_feed_is_tried_and_nothing_remembered(desk: Desk, guarded_site: Site) -> None:
    seen = desk.json("feeds", "test", wadi(guarded_site, ETag='"abc"', Cache_Control="max-age=60"))
    assert seen["ok"]
    assert (seen["status"], seen["dialect"], seen["title"], seen["language"]) == (200, "rss-2.0", "صحيفة الوادي", "ar")
    assert seen["validators"] == {"etag": '"abc"'}
    assert seen["entries"][0]["published"] == "2026-03-14T08:00:00+00:00"
    assert seen["problems"] == ["not encrypted (http)"]
    assert guarded_site.asked == ["/robots.txt", "/rss"]
    assert not desk.data.exists()


def test_what_a_poll_would_see_is_printed_safe_for_a_terminal(desk: Desk, site: Site) -> None:
    site.put("/old", "", status=301, Location="/new")
    site.put("/new", rss((HOSTILE, f"{site.url}/1", "x"), ("ثان", "", "y"), title=HOSTILE), "text/xml")
    done = desk.rasd("feeds", "test", site.url + "/old", "-n", 1)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert f"redirect   301 {site.url}/old -> {site.url}/new" in done.out
    assert f"problem    moved for good: list it as {site.url}/new" in done.out
    assert "1 of 2 entries have no address of their own" in done.out
    assert "no ETag and no Last-Modified" in done.out
    assert "ثان" not in done.out


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/none", "answered 404"),
        ("/page", "not a feed (bad-feed"),
        ("/bomb", "not a feed (bad-feed"),
        ("/forbidden", "robots"),
    ],
)
def test_what_is_no_feed_is_told_and_fails(desk: Desk, site: Site, path: str, problem: str) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /forbidden", "text/plain")
    site.put("/page", "<html><body><p>words</p></body></html>")
    site.put("/bomb", '<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>', "text/xml")
    wadi(site, "/forbidden")
    done = desk.rasd("feeds", "test", site.url + path, "--json")
    assert done.code == 1
    assert problem in orjson.loads(done.out)["problems"][0]


def test_a_private_address_is_not_asked_unless_allowed(desk: Desk, site: Site) -> None:
    done = kit.rasd("feeds", "test", wadi(site), data=desk.data, env={"RASD_FEEDS_FILE": str(desk.list)})
    assert done.code == 1
    assert "forbidden-address" in done.out
    assert site.asked == []


def test_an_address_is_added_with_what_its_feed_says_of_itself(desk: Desk, site: Site) -> None:
    site.put("/old", "", status=308, Location="/rss")
    wadi(site)
    assert desk.rasd("feeds", "add", site.url + "/old", "--country", "SY", "--name", "wadi").lines == ["wadi"]
    assert desk.feeds == [Feed(url=site.url + "/rss", name="wadi", outlet="صحيفة الوادي", language="ar", country="SY")]


def test_the_feed_of_a_home_page_is_found(desk: Desk, site: Site) -> None:
    wadi(site)
    link = '<link rel="alternate" type="application/rss+xml" href="/{}" title="{}">'
    home = site.put("/", f"<html><head>{link.format('rss', 'x')}</head><body>home</body></html>")
    assert desk.rasd("feeds", "add", home).code == 0
    assert [feed.url for feed in desk.feeds] == [site.url + "/rss"]
    site.put("/", f"<html><head>{link.format('rss', 'all')}{link.format('war', HOSTILE)}</head><body></body></html>")
    done = desk.rasd("feeds", "add", home)
    assert done.code == 1
    assert "names 2 feeds" in done.err
    assert f"{site.url}/war" in done.out
    assert "\x1b" not in done.out


def test_an_address_that_does_not_answer_is_not_added_unless_told(desk: Desk, site: Site) -> None:
    done = desk.rasd("feeds", "add", site.url + "/none")
    assert done.code == 1
    assert "answered 404" in done.err
    assert "--unchecked" in done.err
    assert desk.rasd("feeds", "add", site.url + "/none", "--unchecked").code == 0


# -- how they fare -----------------------------------------------------------------------------------------------------


def fared(desk: Desk, *histories: History) -> None:
    state = FeedState(desk.data / FILE)
    for history in histories:
        state.save(history)
    state.close()


def histories(now: float) -> list[History]:
    good = {"first_poll": now - 90 * HOUR, "last_poll": now - HOUR / 2, "polls": 40, "interval": HOUR}
    return [
        History(
            url="https://good.example/rss", last_success=now - HOUR / 2, next_poll=now + HOUR / 2, unmodified=36,
            changed=4, rate_slow=12 / 86_400, **good,
        ),
        History(
            url="https://bad.example/rss", last_success=now - 50 * HOUR, next_poll=now + HOUR, failing=7,
            failing_since=now - 49 * HOUR, error=f"status-503: {HOSTILE}", failures={"timeout": 2, "status-503": 6},
            **good,
        ),
        History(
            url="https://once.example/rss", last_success=now - HOUR, failing=1, error="timeout",
            address="https://moved.example/rss", failures={"timeout": 1}, **good,
        ),
        History(url="https://gone.example/rss", state="gone", state_reason="answered 410", **good),
        History(url="https://elsewhere.example/rss", **good),
    ]  # fmt: skip


@pytest.fixture
def ward(desk: Desk) -> Desk:

    names = ("good", "bad", "once", "gone", "new", "off")
    add_feeds(
        desk.list,
        [Feed(name=n, url=f"https://{n}.example/rss", outlet=HOSTILE[1:2], enabled=n != "off") for n in names],
    )
    fared(desk, *histories(time.time()))
    return desk


def test_the_list_shows_the_state_of_each_feed(ward: Desk) -> None:
    rows = {line.split()[0]: line.split()[1:] for line in ward.rasd("feeds", "list").lines[1:]}
    assert {name: row[0] for name, row in rows.items()} == {
        "good": "active", "bad": "failing", "once": "failing", "gone": "gone", "new": "new", "off": "disabled"
    }  # fmt: skip
    assert rows["bad"][1:3] == ["2", "d"]


def test_doctor_tells_how_each_has_fared(ward: Desk) -> None:
    done = ward.rasd("feeds", "doctor")
    assert done.code == 1
    rows = {line.split()[0]: line.split() for line in done.lines[1:7]}
    assert rows["good"] == ["good", "active", "30", "min", "60", "min", "30", "min", "90%", "12.0"]
    assert "bad: failing for 2 d, 7 times in a row: status-503: \\x1b[31m\\u202eعاجل" in done.lines
    assert "bad: failures ever: status-503 6, timeout 2" in done.lines
    assert "gone: gone: answered 410 (`rasd feeds revive gone` polls it again)" in done.lines
    assert "once: has moved for good: list it as https://moved.example/rss" in done.lines
    assert "1 feeds are remembered that are not shown here" in done.err


def test_doctor_as_json_says_which_are_in_trouble(ward: Desk) -> None:
    rows = {row["name"]: row for row in ward.json("feeds", "doctor")}
    assert {name for name, row in rows.items() if row["trouble"]} == {"bad", "gone"}
    assert rows["good"]["not_modified"] == 0.9
    assert rows["good"]["last_success"].endswith("Z")
    assert rows["new"]["state"] == "new"


def test_doctor_is_content_with_feeds_that_are_well(ward: Desk) -> None:
    assert ward.rasd("feeds", "doctor", "good", "once", "new", "off").code == 0
    assert ward.rasd("feeds", "doctor", "gone").code == 1
    assert ward.rasd("feeds", "doctor", "nobody").code == 3


def test_a_feed_that_was_given_up_is_polled_again_when_told(ward: Desk) -> None:
    assert ward.rasd("feeds", "revive", "gone", "bad").code == 0
    rows = {row["name"]: row for row in ward.json("feeds", "doctor")}
    assert [(rows[name]["state"], rows[name]["trouble"]) for name in ("gone", "bad")] == [("active", False)] * 2
    assert rows["gone"]["next_poll"] is None
    assert ward.rasd("feeds", "revive", "new").code == 3


def test_feeds_are_not_revived_under_a_run(ward: Desk) -> None:
    with runner_lock(ward.data):
        done = ward.rasd("feeds", "revive", "gone")
    assert (done.code, "is under way" in done.err) == (1, True)
    assert ward.rasd("feeds", "doctor", "gone").code == 1


def test_a_damaged_state_is_told_and_the_list_still_shown(ward: Desk) -> None:
    (ward.data / FILE).write_bytes(b"not SQLite at all" * 100)
    done = ward.rasd("feeds", "list")
    assert (done.code, len(done.lines)) == (0, 7)
    assert "warning" in done.err


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0 s"), (45, "45 s"), (119, "119 s"), (7200, "2 h"), (5000, "83 min"), (200_000, "2 d")]
)
def test_ages_are_told_in_one_unit(seconds: float, words: str) -> None:
    assert age_words(seconds) == words
