"""What the step promises: order, one coding, stable ids, reasons to abstain."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import LexiconError
from pipeline.records import Coding, Event, Toll
from processors.extract.step import generation, load
from tests.processors.extract.reading import article

REPORT = (
    "قتل 12 جنديا من الجيش العراقي الاثنين في هجوم شنه تنظيم داعش على نقطة تفتيش قرب مدينة بيجي، وفق مصدر أمني.\n"
    "وأضاف المصدر أن تسعة آخرين أصيبوا في الهجوم.\n"
    "وقتل أكثر من 300 جندي في المنطقة منذ مطلع العام الجاري."
)


def test_events_come_first_then_tolls_then_one_coding() -> None:
    outputs = load()(article(REPORT)).outputs
    assert [type(r) for r in outputs] == [Event, Toll, Coding]
    coding = outputs[-1]
    assert isinstance(coding, Coding)
    assert coding.event_ids == (outputs[0].id,)  # type: ignore[union-attr]
    assert coding.toll_ids == (outputs[1].id,)  # type: ignore[union-attr]


def test_a_running_total_is_never_an_incidents_dead() -> None:
    event, toll, _ = load()(article(REPORT)).outputs
    assert isinstance(event, Event)
    assert isinstance(toll, Toll)
    assert [c.count for c in event.casualties] == [12, 9]
    assert [c.count for c in toll.casualties] == [300]


def test_headline_and_body_tell_one_event_and_its_number_is_mentioned_twice() -> None:
    outputs = load()(article(REPORT, title="مقتل 12 جنديا بهجوم لداعش قرب بيجي")).outputs
    event = outputs[0]
    assert isinstance(event, Event)
    assert sum(isinstance(r, Event) for r in outputs) == 1
    assert len(event.casualties[0].mentions) == 1


def test_ids_do_not_hang_on_other_sentences() -> None:
    more = REPORT + "\nوزار وزير الدفاع المدينة صباحا والتقى وجهاءها."
    one, two = load()(article(REPORT)).outputs, load()(article(more)).outputs
    assert [r.id for r in one[:-1]] == [r.id for r in two[:-1]]  # type: ignore[union-attr]


def test_every_field_says_why() -> None:
    event = load()(article(REPORT)).outputs[0]
    assert isinstance(event, Event)
    assert {"event", "date", "places", "actors", "casualties"} <= event.why.keys()


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("Twelve soldiers were killed", "de", "language"),
        ("قتل جندي", "ar", "too-short"),
        ("افتتح الوزير معرض الكتاب في العاصمة صباح اليوم", "ar", "no-frame"),
        ("سجل اللاعب هدف الفوز في المباراة وتصدر الفريق الدوري وفاز المنتخب في ملعب البطولة بعد هجوم", "ar",
         "not-conflict"),
    ],
)  # fmt: skip
def test_an_article_without_events_says_why(text: str, language: str, reason: str) -> None:
    (coding,) = load()(article(text, language=language)).outputs
    assert isinstance(coding, Coding)
    assert coding.abstained
    assert coding.reason in (reason, "no-trigger")


def test_without_a_publication_date_nothing_is_guessed() -> None:
    event = load()(article(REPORT, published=None)).outputs[0]
    assert isinstance(event, Event)
    assert event.date.start is None
    assert event.date.precision == "unknown"


def test_an_unreleased_lexicon_comes_after_the_last_release(tmp_path: Path) -> None:
    releases = tmp_path / "releases.tsv"
    releases.write_text("# c\ngeneration\tversion\thash\n1\t0.0\taa\n2\t0.1\tbb\n", encoding="utf-8")
    assert generation("bb", releases) == 2
    assert generation("cc", releases) == 3
    releases.write_text("one\t0.1\tbb\n", encoding="utf-8")
    with pytest.raises(LexiconError, match="releases"):
        generation("bb", releases)
