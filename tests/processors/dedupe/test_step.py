from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from pipeline.records import Archived, Article, Outcome, Unique, Verdict
from processors.dedupe.seen import Seen
from processors.dedupe.step import dedupe, text_hash
from tests.builders import article

TEXT = (
    "سقطت قذائف على أطراف البلدة ظهر اليوم وقال سكان إن الأضرار اقتصرت على المنازل "
    "فيما عادت الحركة إلى الأسواق بعد ساعات"
)


class Bench:
    """The step with its state, as a runner keeps it."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.view = Seen(self.stored)

    def see(self, read: Article) -> Outcome:
        outcome = dedupe(read, self.view)
        self.stored.update(outcome.changes)
        self.view.apply(outcome.changes)
        return outcome

    def restart(self) -> None:
        """A rebuilt view over what was stored, in another order."""
        self.stored = dict(sorted(self.stored.items(), reverse=True))
        self.view = Seen(self.stored)


def at(url: str, text: str = TEXT, row: int = 0, **given: Any) -> Article:
    return article(text, url=url, archive=Archived(file="a.jsonl", offset=row), **given)


def judged(outcomes: Iterable[Outcome]) -> list[tuple[str, int]]:
    return [(r.verdict, r.revision) for o in outcomes for r in o.outputs if isinstance(r, Verdict)]


def test_a_new_text_goes_on_with_its_verdict() -> None:
    outcome = Bench().see(at("https://example.org/1"))
    verdict, unique = outcome.outputs
    assert isinstance(verdict, Verdict)
    assert isinstance(unique, Unique)
    assert unique.verdict == verdict
    assert (verdict.verdict, verdict.cluster, outcome.duplicate) == ("unique", verdict.article_id, False)


def test_the_same_story_from_two_outlets_is_kept_once() -> None:
    bench = Bench()
    first = at("https://example.org/1")
    bench.see(first)
    copy = bench.see(at("https://example.net/2", TEXT.replace("،", " ").replace(" ", "  ")))
    (verdict,) = copy.outputs
    assert isinstance(verdict, Verdict)
    assert (verdict.verdict, verdict.of, verdict.cluster) == ("exact_duplicate", first.id, first.id)
    assert copy.duplicate


def test_a_changed_text_under_one_address_is_a_numbered_revision() -> None:
    bench = Bench()
    url = "https://example.org/1"
    outcomes = [
        bench.see(at(url, row=0)),
        bench.see(at(url, TEXT + " وقتل شخص", row=1)),
        bench.see(at(url, TEXT + " وقتل شخص", row=2, title="عنوان")),
        bench.see(at(url, row=3)),
    ]
    assert judged(outcomes) == [("unique", 1), ("revision", 2), ("revision", 3), ("revision", 4)]


def test_what_was_seen_before_changes_nothing_even_after_a_page_went_back_to_its_first_text() -> None:
    bench = Bench()
    url = "https://example.org/1"
    rows = [at(url, row=0), at(url, TEXT + " وقتل شخص", row=1), at(url, TEXT + " وقتل شخص", row=2), at(url, row=3)]
    for row in rows:
        bench.see(row)
    before = dict(bench.stored)
    for _ in range(2):
        for row in rows:
            outcome = bench.see(row)
            assert (outcome.outputs, outcome.duplicate) == ((), True)
        bench.restart()
    assert bench.stored == before


def test_the_same_text_met_again_under_its_address_is_remembered_but_not_published() -> None:
    bench = Bench()
    bench.see(at("https://example.org/1", row=0))
    again = bench.see(at("https://example.org/1", row=7))
    assert (again.outputs, again.duplicate) == ((), True)
    assert again.changes


def test_a_rebuilt_view_names_the_same_first_article() -> None:
    bench = Bench()
    firsts = [at(f"https://example.org/{i}", f"{TEXT} وأضاف المصدر رقم {i}") for i in range(20)]
    for first in firsts:
        bench.see(first)
    # a page that takes over another's text is a revision of its own and never the first with it
    bench.see(at("https://example.org/late", "خبر قصير سابق لا صلة له بما بعده في الموضوع", row=1))
    bench.see(at("https://example.org/late", firsts[3].body, row=2))
    bench.restart()
    copies = [bench.see(at(f"https://example.net/{i}", f.body)).outputs[0] for i, f in enumerate(firsts)]
    assert [v.of for v in copies if isinstance(v, Verdict)] == [f.id for f in firsts]


def test_captions_of_few_words_are_told_apart_by_their_headlines() -> None:
    assert text_hash("قصف في المدينة", "فيديو") != text_hash("سوق المدينة", "فيديو")
    assert text_hash("عنوان", TEXT) == text_hash("عنوان آخر", TEXT)


def test_vowel_marks_and_tatweel_do_not_part_two_texts() -> None:
    assert text_hash(None, TEXT) == text_hash(None, TEXT.replace("قذائف", "قَذائِف").replace("البلدة", "البـــلدة"))


def test_an_undated_article_is_judged_like_any_other() -> None:
    bench = Bench()
    bench.see(at("https://example.org/1", published=None))
    later = at("https://example.org/2", published=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert judged([bench.see(later)]) == [("exact_duplicate", 1)]
