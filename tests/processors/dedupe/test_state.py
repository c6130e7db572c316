"""State: verdicts and index survive a restart, time runs by the articles' own clock, odd texts do no harm."""

from __future__ import annotations

import datetime as dt
import random
import time

import pytest

from bench.edits import EDITS, Text
from pipeline.errors import StorageError
from pipeline.records import Verdict
from processors.dedupe.seen import FORMULA, Seen, fingerprint_of, indexed_bytes
from processors.dedupe.step import compared, dedupe
from processors.dedupe.words import words_of
from tests.builders import article
from tests.processors.dedupe.test_pairs import BASES, NOON, made, verdict
from tests.processors.dedupe.test_step import Bench

DAY = dt.timedelta(days=1)


def stream(seed: int) -> list[tuple[Text, str, float]]:
    """The examples with two edits of each, in any order: texts, addresses, hours."""
    rng = random.Random(seed)
    edits = list(EDITS.values())
    out = []
    for k, base in enumerate(BASES):
        out.append((base, f"https://one.example/{k}", rng.uniform(0, 300)))
        for n in range(2):
            edited = rng.choice(edits)(base, rng)
            out.append((edited, f"https://{rng.randrange(4)}.example/{k}-{n}", rng.uniform(0, 300)))
    rng.shuffle(out)
    return out


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_at_any_place_changes_no_verdict(seed: int) -> None:
    texts = stream(seed)
    whole = Bench()
    expected = [[r for r in whole.see(made(*t)).outputs if isinstance(r, Verdict)] for t in texts]
    rng = random.Random(seed)
    broken = Bench()
    for t, verdicts in zip(texts, expected, strict=True):
        if rng.random() < 0.2:
            broken.restart()
        assert [r for r in broken.see(made(*t)).outputs if isinstance(r, Verdict)] == verdicts
    assert broken.stored == whole.stored
    for t in texts:  # what was judged is never judged again
        outcome = broken.see(made(*t))
        assert (outcome.outputs, outcome.duplicate) == ((), True)


def test_texts_of_another_month_are_not_compared_but_exact_copies_are_known() -> None:
    bench = Bench()
    bench.see(made(BASES[0], "https://one.example/1"))
    trimmed = EDITS["trim to 70%"](BASES[0], random.Random(1))
    at = {"fetched": NOON + 40 * DAY}
    assert verdict(bench, made(trimmed, "https://two.example/1", 40 * 24, **at)).verdict == "unique"
    assert verdict(bench, made(BASES[0], "https://two.example/2", 40 * 24, **at)).verdict == "exact_duplicate"


def test_a_page_dated_in_the_future_does_not_make_the_present_old() -> None:
    bench = Bench()
    bench.see(made(BASES[0], "https://one.example/1"))
    bench.see(made(BASES[1], "https://one.example/2", 12 * 365 * 24))
    bench.see(made(BASES[2], "https://one.example/3", 12 * 365 * 24, fetched=NOON))
    copy = EDITS["trim to 70%"](BASES[0], random.Random(1))
    assert verdict(bench, made(copy, "https://two.example/1", 1)).verdict == "syndicated"


def test_an_older_article_that_comes_late_reuses_nothing_of_younger_ones() -> None:
    bench = Bench()
    follow = Text(BASES[1].title, BASES[1].body + "\n" + BASES[0].body)
    bench.see(made(follow, "https://one.example/2", 48))
    late = verdict(bench, made(BASES[0], "https://one.example/1", 0))
    assert late.reused == ()


def test_a_passage_keeps_the_day_on_which_it_first_appeared() -> None:
    bench = Bench()
    passage = BASES[0].body
    for k, hours in enumerate((0, 30, 60)):
        text = Text(BASES[k + 1].title, BASES[k + 1].body + "\n" + passage)
        found = verdict(bench, made(text, f"https://one.example/{k}", hours))
    assert {r.first_published for r in found.reused} == {NOON}
    text = made(text, "https://one.example/2", 60).text
    (reused,) = found.reused
    assert text[reused.start : reused.end] == passage.rstrip(".")


def test_a_revision_says_where_it_differs() -> None:
    bench = Bench()
    old = Text("قصف", BASES[0].body)
    words = old.body.split()
    new = Text("قصف", " ".join([*words[:20], "خمسون", "قتيلا", *words[21:], "وأضاف", "المصدر", "أمرا", "آخر"]))
    first, second = (made(t, "https://one.example/1", h) for t, h in ((old, 0), (new, 2)))
    bench.see(first)
    found = verdict(bench, second)
    assert (found.verdict, found.revision) == ("revision", 2)
    told = [(second.text[c.start : c.end].split(), first.text[c.of_start : c.of_end].split()) for c in found.changed]
    assert told[0] == (["خمسون", "قتيلا"], [words[20]])
    assert told[-1] == (["وأضاف", "المصدر", "أمرا", "آخر"], [])


def test_a_feeds_id_tells_an_article_that_moved_but_not_another_story() -> None:
    bench = Bench()
    given = {"source_id": "urn:1", "feed": "https://one.example/feed"}
    first = made(BASES[0], "https://one.example/old-headline", **given)
    bench.see(first)
    changed = Text(
        "عنوان جديد", BASES[0].body.replace(" ", " ثم ", 1) + " وأضاف أن الحصيلة قد ترتفع في الساعات المقبلة."
    )
    found = verdict(bench, made(changed, "https://one.example/new-headline", 2, **given))
    assert (found.verdict, found.of, found.revision, found.cluster) == ("revision", first.id, 1, first.id)
    assert found.changed
    bench.restart()
    assert verdict(bench, made(BASES[1], "https://one.example/other", 3, **given)).verdict == "unique"
    away = verdict(bench, made(changed, "https://two.example/x", 3, **given))
    assert away.verdict != "revision"


def test_a_feeds_id_means_its_first_article_after_a_restart_too() -> None:
    given = {"source_id": "urn:1", "feed": "https://one.example/feed"}
    for turned in (False, True):
        bench = Bench()
        first, second, third = (
            made(Text(f"عنوان {k}", f"{BASES[0].body} إضافة {k}."), f"https://one.example/{k}", k, **given)
            for k in range(3)
        )
        bench.see(first)
        assert verdict(bench, second).of == first.id
        bench.stored = dict(sorted(bench.stored.items(), reverse=turned))
        bench.view = Seen(bench.stored)
        assert verdict(bench, third).of == first.id


def test_two_parts_of_one_text_become_one_story_when_the_whole_is_seen() -> None:
    bench = Bench()
    words = max(BASES, key=lambda b: len(b.body)).body.split()
    third = len(words) // 3
    parts = (Text("ألف", " ".join(words[: 2 * third])), Text("باء", " ".join(words[third:])))
    clusters = [verdict(bench, made(t, f"https://{k}.example/1", k)).cluster for k, t in enumerate(parts)]
    assert len(set(clusters)) == 2
    whole = verdict(bench, made(Text("جيم", " ".join(words)), "https://three.example/1", 2))
    assert (whole.cluster, whole.merges) == (clusters[0], (clusters[1],))
    for _ in range(2):
        assert {bench.view.cluster(c or "") for c in clusters} == {whole.cluster}
        bench.restart()


def test_a_round_up_does_not_make_its_stories_one() -> None:
    bench = Bench()
    for k in range(2):
        bench.see(made(BASES[k], f"https://{k}.example/1", k))
    both = Text("موجز", BASES[0].body + "\n" + BASES[1].body)
    found = verdict(bench, made(both, "https://three.example/1", 2))
    assert (found.verdict, found.merges) == ("syndicated", ())


def test_a_formula_is_no_evidence() -> None:
    bench = Bench()
    formula = " ".join(f"كليشيه{k}" for k in range(40))
    short = [" ".join(f"كلمة{n}x{k}" for k in range(30)) for n in range(FORMULA + 4)]
    for n, own in enumerate(short):
        bench.see(made(Text("خبر", f"{own} {formula}"), f"https://{n}.example/1", n / 10))
    indexed, _ = bench.view.alike(words_of(f"{' '.join(f'جديد{k}' for k in range(30))} {formula}"), 0)
    flags = indexed.formula_words(70)
    assert not flags[:28].any()
    assert flags[32:].all()


@pytest.mark.parametrize(
    "body",
    [
        "",
        " \n\t",
        "\u064b" * 500,
        "🙂" * 2_000,
        "كلمة " * 20_000,
        "a" * 300_000,
        "٠١٢٣٤ " * 5_000,
        "\ud800 نص مكسور",
        "漢字" * 2_000,
        ("نص" + " " * 70_000 + "آخر ") * 3,
    ],
)
def test_odd_texts_are_judged_like_any_other(body: str) -> None:
    bench = Bench()
    for k in range(3):
        bench.see(article(body + "." * k, title="عنوان", url=f"https://{k}.example/1"))
    bench.restart()
    outcome = bench.see(article(body + "!", title="عنوان", url="https://9.example/1"))
    assert outcome.outputs or outcome.duplicate


def test_a_text_comes_out_of_the_state_as_it_went_in() -> None:
    read = made(BASES[0], "https://one.example/1")
    bench = Bench()
    bench.see(read)
    (revision,) = fingerprint_of(bench.stored[read.id]).revisions
    words = compared(read)
    kept = revision.text()
    for one, other in ((kept.numbers, words.numbers), (kept.starts, words.starts), (kept.ends, words.ends)):
        assert one.tolist() == other.tolist()
    holed = words_of("أول ثان" + " " * 70_000 + "ثالث")
    assert len(indexed_bytes(holed, holed.numbers.astype("u8"))["words"]) == 2 * 4


def test_an_hour_of_hostile_copies_costs_seconds() -> None:
    """A thousand articles that share everything but a word each."""
    words = BASES[0].body.split()
    seen = Seen({})
    stored: dict[str, bytes] = {}
    seen = Seen(stored)
    begun = time.process_time()
    for k in range(1_000):
        words[k % len(words)] = f"كلمة{k}"
        outcome = dedupe(made(Text("عنوان", " ".join(words)), f"https://{k}.example/1", k / 100), seen)
        stored.update(outcome.changes)
        seen.apply(outcome.changes)
    assert time.process_time() - begun < 20


def test_state_of_another_version_is_named_as_such() -> None:
    with pytest.raises(StorageError, match="new data folder"):
        Seen({"a": b'{"revisions":[]}'})


def test_a_page_that_changes_all_day_stays_small() -> None:
    bench = Bench()
    words = max(BASES, key=lambda b: len(b.body)).body.split()
    for k in range(60):
        words[k % len(words)] = f"كلمة{k}"
        read = made(Text("مباشر", " ".join(words)), "https://one.example/live", k)
        assert verdict(bench, read).verdict == ("unique" if k == 0 else "revision")
    assert len(bench.stored[read.id]) < 60 * 1_000
    bench.restart()
    for _ in range(3):
        assert bench.see(read).duplicate


def test_texts_of_signs_alone_are_no_copies_of_each_other() -> None:
    bench = Bench()
    told = [
        verdict(bench, article(body, url=f"https://{k}.example/1")) for k, body in enumerate(("👍👍", "— …", "👍👍"))
    ]
    assert [v.verdict for v in told] == ["unique", "unique", "exact_duplicate"]


@pytest.mark.parametrize("opening", ["«", "- ", "(", " ", "1. "])
def test_a_story_that_begins_with_a_sign_is_no_caption(opening: str) -> None:
    read = made(Text("عنوان لا يعد من النص", opening + BASES[0].body), "https://one.example/1")
    assert read.text[int(compared(read).starts[0]) :].startswith(BASES[0].body[:10] if opening != "1. " else "1")


def test_a_state_with_a_hole_is_refused() -> None:
    bench = Bench()
    for k in range(3):
        bench.see(made(BASES[k], f"https://one.example/{k}"))
    del bench.stored[made(BASES[1], "https://one.example/1").id]
    with pytest.raises(StorageError, match="lost or doubled"):
        Seen(bench.stored)


def test_a_text_of_one_endless_word_costs_little() -> None:
    begun = time.process_time()
    assert len(words_of("\ufdfa" * 300_000)) == 1
    assert len(words_of("a" * 2_000_000)) == 1
    assert time.process_time() - begun < 2
