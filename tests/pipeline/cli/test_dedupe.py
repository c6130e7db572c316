"""`rasd dedupe`: what was decided of an article, beside what; clusters; counts."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.cli import dedupe as command
from pipeline.cli.pretty import Style, block, verdict_words
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Archived, Article, Changed, Verdict
from pipeline.topics import TOPICS
from processors.dedupe.seen import Fingerprint, Revision, Seen, stored_form
from processors.dedupe.step import dedupe
from tests.builders import article
from tests.pipeline.cli.kit import Result, rasd, write

STORY = (
    "سقطت قذائف على أطراف بلدة السنديان ظهر اليوم وقال سكان إن الأضرار اقتصرت على المنازل القريبة من السوق.\n"
    "وعادت الحركة إلى الشوارع بعد ساعات فيما واصلت فرق الدفاع المدني رفع الركام من الطريق المؤدي إلى المدرسة، "
    "وقتل خمسة أشخاص بحسب مصدر طبي في مستشفى الوادي."
)
FLOOD = (
    "أغلقت السيول طريق الجبل الشمالي وجرفت جسرا صغيرا قرب قرية الزعتر بحسب بيان للبلدية صدر مساء أمس.\n"
    "وطلب رئيس البلدية من الأهالي البقاء في البيوت حتى يهدأ المطر ويصل المهندسون لفحص ما بقي من الجسر الحجري القديم."
)
#: another story that closes with the second paragraph of STORY
FOLLOWING = "زار وزير الإسكان البلدة واطلع على أعمال الترميم ووعد بتعويضات لأصحاب المحال.\n" + STORY.split("\n")[1]
DAY = dt.datetime(2026, 3, 14, 12, tzinfo=dt.UTC)


def at(url: str, text: str, hour: int = 0, **given: Any) -> Article:
    given = {"archive": Archived(file="a.jsonl", offset=hour), "published": DAY + dt.timedelta(hours=hour)} | given
    return article(text, url=url, **given)


FIRST = at("https://one.example/1", STORY, outlet="الأول", title="قذائف على السنديان")
COPY = at("https://two.example/2", STORY, 1, outlet="الثاني", title="قصف السنديان")
EDITED = at("https://two.example/3", STORY.replace("المنازل", "البيوت"), 2, outlet="الثالث", title="قصف بلدة")
FLOODED = at("https://one.example/4", FLOOD, 3, outlet="الأول", title="سيول")
REVISED = at("https://one.example/4", FLOOD + "\nوعلقت المدارس دوامها ليومين.", 5, outlet="الأول", title="سيول")
REUSING = at("https://one.example/6", FOLLOWING, 30, outlet="الأول", title="وزير في البلدة")
EVERY = (FIRST, COPY, EDITED, FLOODED, REVISED, REUSING)


def judged(data: Path, articles: Iterable[Article] = EVERY, *, partitions: int = 1) -> Path:
    """A log with articles and what deduplication remembers of them, as a run leaves it."""
    stored: dict[str, bytes] = {}
    seen = Seen(stored)
    records: list[Any] = []
    for read in articles:
        outcome = dedupe(read, seen)
        stored.update(outcome.changes)
        seen.apply(outcome.changes)
        records += [read, *outcome.outputs]
    log = SqliteLog(data / "log.sqlite", partitions=partitions)
    with log.transaction():
        for topic in TOPICS:
            log.create_topic(topic)
        log.change("dedupe", stored)
    write(log, records)
    log.close()
    return data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return judged(tmp_path / "data")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "style_of_stdout", lambda: Style(isolate=True, colour=True))


def wide(*args: object, data: Path) -> Result:
    return rasd("dedupe", *args, data=data, env={"COLUMNS": "120"})


def shown(got: Result) -> str:
    assert (got.code, got.err) == (0, "")
    return got.out


# -- an article --------------------------------------------------------------------------------------------------------


def test_a_copy_stands_beside_the_article_that_it_copies(data: Path) -> None:
    lines = shown(wide("show", COPY.id, data=data)).splitlines()
    assert lines[0] == f"article {COPY.id}"
    assert lines[1] == f"  cluster {FIRST.id[:8]}, 3 articles"
    assert lines[2].startswith(
        f"  exact duplicate of {FIRST.id[:8]}: revision 1, 100% of this in that, 100% of that in"
    )
    heads = next(line for line in lines if " | " in line).split(" | ")
    assert heads[0].startswith(f"{COPY.id[:8]} revision 1, الثاني, 2026-03-14 13:00 UTC")
    assert heads[1].startswith(f"{FIRST.id[:8]} revision 1, الأول, 2026-03-14 12:00 UTC")


def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(data: Path) -> None:
    lines = shown(wide("show", REUSING.id, data=data)).splitlines()
    rows = [line for line in lines if " | " in line]
    assert max(map(len, rows)) <= 120
    left = " ".join(row[:58] for row in rows)
    assert re.sub(r"[\[\]{}]", "", left).split()[-len(FOLLOWING.split()) :] == FOLLOWING.split()


def test_shared_paragraphs_begin_on_one_row(tmp_path: Path) -> None:
    longer = "وصل موفد أممي إلى المنطقة صباحا والتقى وجهاء العشائر. " * 3 + "\n" + STORY
    data = judged(tmp_path / "data", [FIRST, at("https://two.example/2", longer, 1)])
    rows = shown(wide("show", at("https://two.example/2", longer, 1).id, data=data)).splitlines()
    for begins in ("سقطت قذائف", "وعادت الحركة"):
        row = next(row for row in rows if re.match(rf"\[?{begins}", row))
        assert re.match(rf"\[?{begins}", row.split(" | ")[1])


def test_a_narrow_terminal_has_one_text_under_the_other(data: Path) -> None:
    got = rasd("dedupe", "show", COPY.id, data=data, env={"COLUMNS": "70"})
    assert " | " not in got.out
    below = got.out.split(f"\n{FIRST.id[:8]} revision 1")
    assert len(below) == 2
    assert all("مستشفى الوادي" in part for part in below)
    assert max(len(line) for line in below[1].splitlines()) <= 70


def test_shared_words_stand_in_brackets_and_differing_ones_in_braces(data: Path) -> None:
    out = shown(rasd("dedupe", "show", EDITED.id, data=data, env={"COLUMNS": "99"}))
    assert "{البيوت}" in out
    assert "{المنازل}" in out
    assert "[shared] {differing}" in out
    assert "\x1b" not in out
    assert "\u2068" not in out


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_they_are_coloured_and_each_line_is_isolated(data: Path) -> None:
    out = shown(wide("show", EDITED.id, data=data))
    assert "\x1b[4;33mالبيوت\x1b[0m" in out
    assert "\x1b[4;33mالمنازل\x1b[0m" in out
    assert "\x1b[32m" in out
    assert not re.search(r"[\[{][\u0600-\u06ff]", out.replace("\x1b[", ""))
    for line in out.splitlines():
        assert line.count("\u2068") == line.count("\u2069")
        for column in line.split(" | "):
            assert not re.search("[\u0600-\u06ff]", column) or "\u2068" in column


def test_with_no_color_a_terminal_gets_brackets(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "style_of_stdout", lambda: Style(isolate=True))
    out = shown(wide("show", EDITED.id, data=data))
    assert "{البيوت}" in out
    assert "\x1b" not in out


@pytest.mark.usefixtures("terminal")
def test_the_columns_stay_straight_whatever_the_marks_and_vowel_signs(tmp_path: Path) -> None:
    vowels = [at("https://one.example/1", STORY.replace("قذائف", "قَذَائِفُ")), at("https://two.example/2", STORY, 1)]
    out = shown(wide("show", vowels[1].id, data=judged(tmp_path / "data", vowels)))
    rows = [re.sub(r"\x1b\[[0-9;]*m|[\u2066-\u2069]", "", line) for line in out.splitlines() if " | " in line]
    places = {len(re.sub("[\u064b-\u0652]", "", row.split(" | ")[0])) for row in rows}
    assert places == {58}


@pytest.mark.parametrize("style", [Style(), Style(isolate=True, colour=True)])
def test_control_characters_are_shown_and_not_obeyed(
    tmp_path: Path, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "style_of_stdout", lambda: style)
    bad = "\x1b[31m\x07\u202e\x9b2J"
    hostile = [
        at("https://one.example/1", STORY + bad, outlet=f"منفذ{bad}", title=f"عنوان{bad}"),
        at("https://two.example/2", STORY + bad + " اليوم", 1, outlet=bad, title=bad),
    ]
    data = judged(tmp_path / "data", hostile)
    for words in (["show", hostile[1].id], ["show", hostile[1].id, "--cluster"], ["stats"]):
        out = wide(*words, data=data).out
        for raw in ("\x1b[31m", "\x07", "\u202e", "\x9b"):
            assert raw not in out
        assert r"\u202e" in out


def test_a_word_longer_than_a_line_is_broken_and_nothing_is_lost(tmp_path: Path) -> None:
    long = [at("https://one.example/1", STORY + " " + "ط" * 300), at("https://two.example/2", STORY + " " + "ط" * 300)]
    out = shown(wide("show", long[1].id, data=judged(tmp_path / "data", long)))
    assert out.count("ط") >= 600
    assert max(len(line) for line in out.splitlines() if " | " in line) <= 120


def test_a_revision_stands_beside_the_one_before(data: Path) -> None:
    out = shown(rasd("dedupe", "show", REVISED.id, data=data))
    assert f"  revision of {REVISED.id[:8]}: revision 2, " in out
    assert "1 passage changed" in out
    assert out.count("unique: revision 1") == 1
    assert f"\n{REVISED.id[:8]} revision 2, " in out
    assert f"\n{REVISED.id[:8]} revision 1, " in out
    assert re.search(r"\{وعلقت المدارس دوامها ليومين\}", out)


def test_a_headline_that_changed_is_told(tmp_path: Path) -> None:
    changed = at("https://one.example/4", FLOOD, 5, outlet="الأول", title="سيول تقطع الطريق")
    out = shown(rasd("dedupe", "show", FLOODED.id, data=judged(tmp_path / "data", [FLOODED, changed])))
    assert "the headlines differ" in out


def test_a_reused_passage_is_quoted_with_its_source_and_shown_beside_it(data: Path) -> None:
    out = shown(rasd("dedupe", "show", REUSING.id, data=data))
    assert f"unique beside {FIRST.id[:8]}: revision 1" in out
    passage = next(line for line in out.splitlines() if " reused from " in line)
    assert f"reused from {FIRST.id[:8]} (الأول), first published 2026-03-14 12:00 UTC  «" in passage
    assert "عادت الحركة" in passage or "وعادت الحركة" in passage
    assert f"\n{FIRST.id[:8]} revision 1, " in out
    assert "[وعادت الحركة إلى الشوارع" in out
    assert "زار وزير الإسكان البلدة" in out


def test_with_names_another_article_to_stand_beside(data: Path) -> None:
    out = shown(rasd("dedupe", "show", REUSING.id, "--with", FLOODED.id[:12], data=data))
    assert f"\n{FLOODED.id[:8]} revision 2, " in out
    assert "0% of this in that" in out


def test_an_article_that_repeats_nothing_is_shown_alone(data: Path) -> None:
    out = shown(wide("show", FIRST.id, data=data))
    assert "(shares its text with none before it)" in out
    assert "مستشفى الوادي" in out
    assert "[" not in out


def test_the_beginning_of_an_id_is_enough(data: Path) -> None:
    assert shown(wide("show", COPY.id[:9], data=data)) == shown(wide("show", COPY.id, data=data))


def test_a_beginning_that_fits_two_is_an_error_that_names_them(tmp_path: Path) -> None:
    twins = [at("https://one.example/1", STORY, id="43bc0000"), at("https://one.example/2", FLOOD, 1, id="43bc1111")]
    got = rasd("dedupe", "show", "43bc", data=judged(tmp_path / "data", twins))
    assert (got.code, got.out) == (1, "")
    assert "'43bc' fits several ids: 43bc0000, 43bc1111" in got.err


def test_ids_in_lists_are_as_long_as_it_takes_to_tell_them_apart(tmp_path: Path) -> None:
    twins = [
        at("https://one.example/1", STORY, id="43bc000000a1"),
        at("https://o.example/2", STORY, 1, id="43bc000000b2"),
    ]
    out = shown(rasd("dedupe", "show", "43bc000000b2", data=judged(tmp_path / "data", twins)))
    assert "exact duplicate of 43bc000000a: revision 1" in out


@pytest.mark.parametrize("words", [["ffff-none"], ["ffff-none", "--cluster"], ["ffff-none", "--json"]])
def test_an_unknown_id_is_nothing_found(data: Path, words: list[str]) -> None:
    got = rasd("dedupe", "show", *words, data=data)
    assert (got.code, got.out, got.err) == (3, "", "error: no article or cluster 'ffff-none'\n")


def test_an_unknown_id_after_with_is_nothing_found(data: Path) -> None:
    assert rasd("dedupe", "show", COPY.id, "--with", "ffff-none", data=data).code == 3


def test_an_article_beside_itself_or_a_cluster_beside_one_is_wrong_usage(data: Path) -> None:
    assert rasd("dedupe", "show", COPY.id, "--with", COPY.id, data=data).code == 2
    assert rasd("dedupe", "show", COPY.id, "--with", FIRST.id, "--cluster", data=data).code == 2


def trimmed(data: Path, before: dt.datetime) -> Path:
    log = SqliteLog(data / "log.sqlite")
    with log.transaction():
        assert log.trim("rasd.articles", int(before.timestamp() * 1000))
    log.close()
    return data


def test_of_a_trimmed_text_the_verdict_is_shown_and_the_marks_of_what_is_left(data: Path) -> None:
    trimmed(data, DAY + dt.timedelta(hours=1))
    out = shown(wide("show", EDITED.id, data=data))
    assert "near duplicate" in out or "syndicated" in out
    assert f"{FIRST.id[:8]} revision 1, الأول, 2026-03-14 12:00 UTC\n(its text is no longer kept)\n" in out
    assert "{البيوت}" in out
    cluster = shown(wide("show", EDITED.id, "--cluster", data=data))
    assert "(its text is no longer kept)" in cluster


def test_with_all_texts_trimmed_the_verdicts_are_left(data: Path) -> None:
    trimmed(data, DAY + dt.timedelta(days=9))
    for read in (COPY, REVISED, REUSING):
        out = shown(wide("show", read.id, data=data))
        assert out.count("(its text is no longer kept)") == 2
        tree = orjson.loads(rasd("dedupe", "show", read.id, "--json", data=data).out)
        assert tree["compared"]["new"]["text"] is None
        assert tree["revisions"][0]["text"] is None
    assert "first published 2026-03-14 12:00 UTC\n" in out


def test_json_holds_verdicts_texts_and_spans(data: Path) -> None:
    tree = orjson.loads(shown(rasd("dedupe", "show", EDITED.id, "--json", data=data)))
    assert tree["article"] == EDITED.id
    assert tree["cluster"] == {"id": FIRST.id, "members": [FIRST.id, COPY.id, EDITED.id], "merged": []}
    (revision,) = tree["revisions"]
    assert (revision["revision"], revision["cluster"], revision["text"]) == (1, FIRST.id, EDITED.text)
    assert revision["published"] == "2026-03-14T14:00:00Z"
    assert revision["verdict"]["of"] == tree["compared"]["old"]["article"] == FIRST.id
    assert revision["verdict"]["schema"] == "rasd.verdict/1"
    compared = tree["compared"]
    assert (compared["contained"], compared["contains"]) == (
        revision["verdict"]["contained"],
        revision["verdict"]["contains"],
    )
    new, old = compared["new"], compared["old"]
    assert [new["text"][slice(*span)] for span in new["differing"]] == ["البيوت"]
    assert [old["text"][slice(*span)] for span in old["differing"]] == ["المنازل"]
    assert new["text"][slice(*new["shared"][0])].startswith("سقطت قذائف على أطراف")
    passage = compared["passages"][0]
    assert old["text"][passage["of_start"] : passage["of_end"]].startswith("سقطت قذائف")


def test_json_of_an_article_that_repeats_nothing_compares_it_with_none(data: Path) -> None:
    assert orjson.loads(rasd("dedupe", "show", FIRST.id, "--json", data=data).out)["compared"] is None


def test_the_texts_are_found_in_every_partition(tmp_path: Path) -> None:
    mixed = [FIRST, at("https://two.example/2", STORY, 1, language="en")]
    out = shown(wide("show", mixed[1].id, data=judged(tmp_path / "data", mixed, partitions=7)))
    assert "no longer kept" not in out


# -- clusters ----------------------------------------------------------------------------------------------------------


def test_a_cluster_lists_its_members_in_the_order_of_arrival(data: Path) -> None:
    lines = shown(rasd("dedupe", "show", FIRST.id, "--cluster", data=data)).splitlines()
    assert lines[0] == f"cluster {FIRST.id}: 3 articles"
    assert [line.split()[:2] for line in lines[1::2]] == [
        [str(n), read.id[:8]] for n, read in enumerate((FIRST, COPY, EDITED), 1)
    ]
    assert "exact duplicate of" in lines[3]
    assert lines[4] == "      الثاني, 2026-03-14 13:00 UTC, قصف السنديان"


def test_arrival_is_not_the_order_of_ids(tmp_path: Path) -> None:
    data = remembered(
        tmp_path / "data",
        Verdict(article_id="bbbb", revision=1, verdict="unique", cluster="bbbb"),
        Verdict(article_id="aaaa", revision=1, verdict="syndicated", of="bbbb", cluster="bbbb"),
    )
    tree = orjson.loads(rasd("dedupe", "show", "aaaa", "--cluster", "--json", data=data).out)
    assert [row["article"] for row in tree["members"]] == ["bbbb", "aaaa"]


def test_any_member_names_its_cluster(data: Path) -> None:
    whole = shown(rasd("dedupe", "show", FIRST.id, "--cluster", data=data))
    assert shown(rasd("dedupe", "show", EDITED.id, "--cluster", data=data)) == whole


def test_a_cluster_as_json(data: Path) -> None:
    tree = orjson.loads(shown(rasd("dedupe", "show", COPY.id, "--cluster", "--json", data=data)))
    assert (tree["cluster"], tree["merged"]) == (FIRST.id, [])
    second = tree["members"][1]
    assert (second["article"], second["outlet"], second["title"]) == (COPY.id, "الثاني", "قصف السنديان")
    assert (second["verdict"], second["of"], second["contained"]) == ("exact_duplicate", FIRST.id, 1.0)
    assert (second["published"], second["revisions"]) == ("2026-03-14T13:00:00Z", 1)


def remembered(data: Path, *verdicts: Verdict) -> Path:
    """A log without texts in which these verdicts are remembered, one an article."""
    log = SqliteLog(data / "log.sqlite")
    stored = {
        v.article_id: stored_form(
            Fingerprint(
                revisions=(Revision(content_hash="c", text_hash="t", first=False, verdict=v, number=n, time=0),),
                observations=(),
            )
        )
        for n, v in enumerate(verdicts)
    }
    with log.transaction():
        log.change("dedupe", stored)
    log.close()
    return data


def test_merged_clusters_are_one_and_say_so(tmp_path: Path) -> None:
    data = remembered(
        tmp_path / "data",
        Verdict(article_id="aaaa", revision=1, verdict="unique", cluster="aaaa"),
        Verdict(article_id="bbbb", revision=1, verdict="unique", cluster="bbbb"),
        Verdict(article_id="cccc", revision=1, verdict="syndicated", of="bbbb", cluster="aaaa", merges=("bbbb",)),
    )
    for id in ("aaaa", "bbbb", "cccc"):
        tree = orjson.loads(rasd("dedupe", "show", id, "--cluster", "--json", data=data).out)
        assert (tree["cluster"], tree["merged"]) == ("aaaa", ["bbbb"])
        assert [row["article"] for row in tree["members"]] == ["aaaa", "bbbb", "cccc"]
    assert "merged with bbbb" in rasd("dedupe", "show", "aaaa", "--cluster", data=data).out
    out = shown(rasd("dedupe", "show", "bbbb", data=data))
    assert "cluster aaaa, 3 articles, merged with bbbb" in out
    assert "its cluster then, bbbb, is part of this one now" in out
    assert "joins bbbb to its cluster" in rasd("dedupe", "show", "cccc", data=data).out


def test_an_article_of_which_nothing_is_remembered_is_told(tmp_path: Path) -> None:
    lost = Verdict(article_id="aaaa", revision=1, verdict="syndicated", of="gone", cluster="gone")
    data = remembered(tmp_path / "data", lost)
    assert "(nothing is remembered of gone)" in shown(rasd("dedupe", "show", "aaaa", data=data))
    tree = orjson.loads(rasd("dedupe", "show", "gone", "--json", data=data).out)
    assert [row["article"] for row in tree["members"]] == ["aaaa"]


# -- counts ------------------------------------------------------------------------------------------------------------


def test_stats_as_json(data: Path) -> None:
    tree = orjson.loads(shown(rasd("dedupe", "stats", "--json", data=data)))
    assert (tree["articles"], tree["texts"], tree["revised"]) == (5, 6, 1)
    assert tree["verdicts"]["unique"] == 3
    assert sum(tree["verdicts"].values()) == 6
    assert (tree["clusters"], tree["clusters_of_several"], tree["sizes"]) == (3, 1, {"1": 2, "3": 1})
    assert tree["largest"] == [{"cluster": FIRST.id, "articles": 3, "title": "قذائف على السنديان"}]
    assert (tree["merges"], tree["reusing"], tree["reusing_share"]) == (0, 1, 0.1667)
    assert {(row["copy"], row["of"]) for row in tree["outlets"]} == {("الثاني", "الأول"), ("الثالث", "الأول")}
    assert tree["state_bytes_per_article"] == round(tree["state_bytes"] / 5) > 0


def test_stats_as_a_person_reads_them(data: Path) -> None:
    out = shown(rasd("dedupe", "stats", data=data))
    assert out.startswith("5 articles, 1 of them revised; 6 texts judged\n        3  unique (50.0%)\n")
    assert "        1  of 3 articles\n" in out
    assert f"        3  {FIRST.id[:8]}  قذائف على السنديان\n" in out
    assert "        1  الثاني from الأول\n" in out
    assert re.search(r"\n[\d.]+ k?B of state, [\d.]+ k?B an article\n$", out)


def test_an_outlet_that_copies_itself_is_counted_apart(tmp_path: Path) -> None:
    again = at("https://one.example/9", STORY, 2, outlet="الأول")
    data = judged(tmp_path / "data", [FIRST, COPY, again])
    tree = orjson.loads(rasd("dedupe", "stats", "--json", data=data).out)
    assert tree["outlets"] == [{"copy": "الثاني", "of": "الأول", "articles": 1}]
    assert tree["copies_within_an_outlet"] == 1
    assert "Who copies whom (and 1 copies within one outlet)" in rasd("dedupe", "stats", data=data).out


def test_the_ten_most_frequent_are_listed(tmp_path: Path) -> None:
    agencies = [
        Verdict(article_id=f"a{k:02}{n}", revision=1, verdict="unique", origin=f"agency-{k:02}")
        for k in range(12)
        for n in range(k + 1)
    ]
    tree = orjson.loads(rasd("dedupe", "stats", "--json", data=remembered(tmp_path / "data", *agencies)).out)
    assert tree["credited"] == 78
    assert [row["articles"] for row in tree["origins"]] == list(range(12, 2, -1))


# -- no log, an empty one, another version's ---------------------------------------------------------------------------


def test_without_a_log_the_error_is_that_of_other_commands(tmp_path: Path) -> None:
    for words in (["stats"], ["show", "x"]):
        got = rasd("dedupe", *words, data=tmp_path / "none")
        assert (got.code, got.out) == (1, "")
        assert "there is no log yet" in got.err


def test_an_empty_log_has_nothing_to_show(tmp_path: Path) -> None:
    data = judged(tmp_path / "data", [])
    assert rasd("dedupe", "show", "x", data=data).code == 3
    got = rasd("dedupe", "stats", data=data)
    assert (got.code, got.out, got.err) == (0, "", "no article was judged yet\n")
    assert orjson.loads(rasd("dedupe", "stats", "--json", data=data).out)["articles"] == 0


def test_what_another_version_remembered_is_an_error_of_one_line(tmp_path: Path) -> None:
    data = judged(tmp_path / "data", [])
    log = SqliteLog(data / "log.sqlite")
    with log.transaction():
        log.change("dedupe", {"a": b'{"older": 1}'})
    log.close()
    got = rasd("dedupe", "stats", data=data)
    assert (got.code, len(got.err.splitlines())) == (1, 1)
    assert "of another version" in got.err


def test_the_command_line_starts_without_numpy() -> None:
    code = "import sys; from pipeline.cli import build; build(); print('numpy' in sys.modules)"
    got = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert got.stdout == "False\n"


# -- a verdict in a block ----------------------------------------------------------------------------------------------


def test_a_verdict_names_shares_merges_and_changes() -> None:
    v = Verdict(
        article_id="a", revision=2, verdict="syndicated", of="b", similarity=0.92, contained=0.92, contains=0.8,
        merges=("c", "d\x1b"), changed=(Changed(start=0, end=1, of_start=0, of_end=1),),
    )  # fmt: skip
    words = (
        "syndicated of b: revision 2, 92% of this in that, 80% of that in this, joins c and d\\x1b to its cluster, "
        "1 passage changed"
    )
    assert verdict_words(v, Style()) == words
    assert next(iter(block(v, Style()))) == words


def test_a_verdict_of_before_shares_were_told_apart_says_how_alike() -> None:
    v = Verdict(article_id="a", revision=1, verdict="near_duplicate", of="b", similarity=0.95)
    assert verdict_words(v, Style()) == "near duplicate of b: revision 1, 95% alike"
