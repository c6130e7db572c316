"""Articles edited as newsrooms do it are told as the same story, and what only looks alike is not.

The texts are the packaged example articles (invented, like all texts of this project) and bench/edits.py.
bench/dedupe.md has the same at the size of a corpus.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import random
from pathlib import Path

import pytest

from bench.edits import BULLETINS, DAYS, EDITS, MONTHS, TOWNS, Text, bulletin, merged
from pipeline.records import Article, Verdict
from tests.builders import article
from tests.processors.dedupe.test_step import Bench

ARCHIVE = Path(__file__).parents[3] / "examples" / "archive" / "wire.jsonl"
NOON = dt.datetime(2026, 3, 14, 12, tzinfo=dt.UTC)
#: rows of the archive that repeat others on purpose: copies, trims, a later issue of a bulletin, a follow-up
REPEATED = {"w05", "w06", "w08", "w12", "w15", "w20", "w21", "w23", "w24", "w30"}
TOLD = {"exact_duplicate", "near_duplicate", "syndicated"}


def rows() -> list[Text]:
    out = []
    for line in ARCHIVE.read_text("utf-8").split("\n"):
        row = {}
        with contextlib.suppress(json.JSONDecodeError):  # two lines of the archive are broken on purpose
            row = json.loads(line)
        if len((row.get("body") or "").split()) >= 60 and row["id"] not in REPEATED:
            out.append(Text(row["title"], row["body"]))
    return out


BASES = rows()


def made(text: Text, url: str, hours: float = 0, **given: object) -> Article:
    published = NOON + dt.timedelta(hours=hours)
    return article(text.body, title=text.title, url=url, published=published, outlet=url.split("/")[2], **given)


def verdict(bench: Bench, read: Article) -> Verdict:
    return next(r for r in bench.see(read).outputs if isinstance(r, Verdict))


def judged(first: Text, second: Text, hours: float = 3, *, one_outlet: bool = False) -> Verdict:
    bench = Bench()
    bench.see(made(first, "https://one.example/1"))
    return verdict(bench, made(second, f"https://{'one' if one_outlet else 'two'}.example/2", hours))


def test_the_examples_are_enough() -> None:
    assert len(BASES) >= 20


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_copy_is_the_same_story(name: str) -> None:
    rng = random.Random(name)
    done = missed = 0
    for base in BASES:
        edited = EDITS[name](base, rng)
        if edited == base:
            continue
        done += 1
        missed += judged(base, edited).verdict not in TOLD
    assert done >= 10
    assert missed <= done // 20


def test_a_story_behind_another_one_is_found() -> None:
    rng = random.Random(3)
    for base, other in itertools.pairwise(BASES):
        found = judged(base, merged(base, other, rng))
        assert (found.verdict, found.of is not None) == ("syndicated", True)


@pytest.mark.parametrize("one_outlet", [True, False])
def test_other_stories_of_the_same_days_are_not(one_outlet: bool) -> None:
    bench = Bench()
    for k, base in enumerate(BASES):
        assert verdict(bench, made(base, f"https://{'one' if one_outlet else k}.example/{k}", k)).verdict == "unique"


@pytest.mark.parametrize("template", range(len(BULLETINS)))
@pytest.mark.parametrize("hours", [24, 0])
def test_issues_of_a_daily_bulletin_stay_apart(template: int, hours: float) -> None:
    rng = random.Random(template)
    bench = Bench()
    for day in range(12):
        read = made(bulletin(BULLETINS[template], day, rng), f"https://one.example/{day}", hours * day)
        assert verdict(bench, read).verdict == "unique", day
    assert len(DAYS) == 7
    assert len(MONTHS) * len(TOWNS) > 12


def test_a_corrected_number_is_the_same_story_but_is_read() -> None:
    base = Text("قصف على البلدة", BASES[0].body + " وقال المصدر إن عدد القتلى بلغ 14 شخصا.")
    found = judged(base, Text(base.title, base.body.replace(" 14 ", " 17 ")), 2)
    assert found.verdict == "syndicated"


def test_a_copy_under_another_headline_is_not_read_again() -> None:
    for base in BASES:
        words = base.body.split()
        words[len(words) // 2] = "كلمة"
        assert judged(base, Text("عنوان آخر", " ".join(words))).verdict in {"near_duplicate", "syndicated"}


def test_a_new_report_over_paragraphs_of_an_older_one_is_a_story_of_its_own() -> None:
    old, new = BASES[0], BASES[1]
    followed = Text(new.title, new.body + "\n" + old.body)
    found = judged(old, followed, 30, one_outlet=True)
    assert found.verdict == "unique"
    assert found.of is not None  # what it contains is said all the same
    assert found.contains is not None
    assert found.contains > 0.9
    assert sum(r.end - r.start for r in found.reused) > 0.9 * len(old.body)


def test_a_footer_does_not_make_two_stories_one() -> None:
    rng = random.Random(9)
    words = sorted({w for base in BASES for w in base.body.split()})
    footer = " ".join(rng.choice(words) for _ in range(300))
    bench = Bench()
    for k, base in enumerate(BASES):
        found = verdict(bench, made(Text(base.title, f"{base.body}\n{footer}"), f"https://{k}.example/{k}", k / 10))
        assert found.verdict == "unique", k


def test_one_text_trimmed_in_two_ways_and_then_whole_is_one_cluster() -> None:
    bench = Bench()
    base = max(BASES, key=lambda b: len(b.body))
    words = base.body.split()
    whole = made(base, "https://one.example/1")
    bench.see(whole)
    head = verdict(bench, made(Text("موجز", " ".join(words[: len(words) // 2])), "https://two.example/1", 1))
    tail = verdict(bench, made(Text("تفاصيل", " ".join(words[len(words) // 3 :])), "https://three.example/1", 2))
    assert {head.cluster, tail.cluster} == {whole.id}
