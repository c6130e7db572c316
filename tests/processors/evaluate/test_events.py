from __future__ import annotations

import datetime as dt

import pytest

from processors.evaluate.gold import GoldPlace
from tests.processors.evaluate.kit import (
    DAY,
    RAQQA,
    actor,
    counts,
    date,
    document,
    event,
    kinds,
    place,
    scored,
    slot,
    source,
    wanted,
)

HAMA = GoldPlace(names=("حماة",))


def test_an_event_told_in_full_is_found_and_strict() -> None:
    sheet = scored(document(wanted()), event())
    assert counts(sheet, "events_found") == counts(sheet, "events_strict") == (1, 0, 1, 0)
    assert kinds(sheet) == []
    assert [(j.found, j.strict) for j in sheet.judged] == [(True, True)]


def test_a_wrong_field_leaves_it_found_and_says_which() -> None:
    sheet = scored(document(wanted()), event(places=(place("حلب"),), actors=(actor("target", "isis"),)))
    assert counts(sheet, "events_found") == (1, 0, 1, 0)
    assert counts(sheet, "events_strict") == (0, 1, 0, 1)
    assert kinds(sheet) == ["event-place", "event-attacker"]
    assert (slot(sheet, "place"), slot(sheet, "target")) == ((0, 1), (1, 1))


def test_another_type_is_both_missed_and_wrong() -> None:
    sheet = scored(document(wanted()), event(sub_event_type="Suicide bomb"))
    assert counts(sheet, "events_found") == (0, 1, 0, 1)
    assert kinds(sheet) == ["event-missed", "event-type"]


def test_what_the_gold_does_not_have_is_extra() -> None:
    sheet = scored(document(wanted()), event(), event((300, 340)))
    assert counts(sheet, "events_found") == (1, 1, 1, 0)
    assert kinds(sheet) == ["event-extra"]


def test_two_records_of_one_event_are_one_too_many() -> None:
    assert counts(scored(document(wanted()), event(), event()), "events_found") == (1, 1, 1, 0)


def test_an_optional_event_helps_precision_and_is_never_missed() -> None:
    gold = document(wanted(optional=True))
    assert counts(scored(gold, event()), "events_found") == (1, 0, 0, 0)
    assert counts(scored(gold), "events_found") == (0, 0, 0, 0)


@pytest.mark.parametrize("realis", ["planned", "hypothetical", "denied"])
def test_what_did_not_happen_is_neither_right_nor_wrong(realis: str) -> None:
    sheet = scored(document(wanted()), event(realis=realis))
    assert counts(sheet, "events_found") == (0, 0, 0, 1)


# -- anchors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "found"),
    [
        ((100, 140), True),
        ((110, 120), True),  # inside
        ((80, 120), True),  # half of both
        ((70, 118), False),  # less than half
        ((50, 290), True),  # as long as evidence may be
        ((50, 291), False),
    ],
)
def test_a_span_anchors_where_it_shares_half_and_is_not_too_long(span: tuple[int, int], found: bool) -> None:
    assert counts(scored(document(wanted()), event(span)), "events_found")[0] == found


def test_any_place_where_the_event_is_told_will_do() -> None:
    gold = document(wanted(mentions=((0, 20), (300, 330))))
    assert counts(scored(gold, event((300, 330))), "events_found") == (1, 0, 1, 0)


def test_evidence_beyond_its_room_does_not_count() -> None:
    far = (100, 140)
    assert counts(scored(document(wanted()), event((400, 640), (640, 880), far)), "events_found")[0] == 1
    assert counts(scored(document(wanted()), event((400, 640), (640, 880), (880, 1120), far)), "events_found")[0] == 0
    many = [(1000 + k, 1001 + k) for k in range(8)]
    assert counts(scored(document(wanted()), event(*many, far)), "events_found")[0] == 0


# -- realis and leaks --------------------------------------------------------------------------------------------------


def test_background_told_as_news_is_a_leak_and_wrong() -> None:
    sheet = scored(document(wanted(recap=True)), event())
    assert counts(sheet, "events_found") == (0, 1, 0, 0)
    assert counts(sheet, "recaps_found") == (0, 0, 0, 1)
    assert (sheet.leaks.part, sheet.leaks.of) == (1, 1)
    assert kinds(sheet) == ["recap-as-news", "recap-missed"]
    assert slot(sheet, "realis") == (0, 1)
    assert (sheet.quiet.part, sheet.quiet.of, sheet.quiet_records) == (1, 1, 1)


def test_background_told_of_another_type_leaks_too() -> None:
    sheet = scored(document(wanted(recap=True)), event(sub_event_type="Suicide bomb"))
    assert (sheet.leaks.part, sheet.leaks.of) == (1, 1)


def test_news_told_as_background_is_missed() -> None:
    sheet = scored(document(wanted()), event(realis="recap"))
    assert counts(sheet, "events_found") == (0, 0, 0, 1)
    assert counts(sheet, "recaps_found") == (0, 1, 0, 0)
    assert kinds(sheet) == ["news-as-recap", "event-missed"]


def test_background_told_as_such_is_found_with_slots_of_its_own() -> None:
    sheet = scored(document(wanted(recap=True)), event(realis="recap", places=()))
    assert counts(sheet, "recaps_found") == (1, 0, 1, 0)
    assert (sheet.recap_slots["date"].part, sheet.recap_slots["place"].part) == (1, 0)
    assert slot(sheet, "date") == (0, 0)
    assert sheet.leaks.part == sheet.quiet.part == 0


@pytest.mark.parametrize("realis", ["reported", "recap"])
def test_where_readers_differ_on_background_both_are_right(realis: str) -> None:
    sheet = scored(document(wanted(recap_any=True)), event(realis=realis))
    assert sheet.tables["events_found"].wrong == sheet.tables["recaps_found"].wrong == 0
    assert slot(sheet, "realis") == (0, 0)
    assert sheet.leaks.of == 0


def test_an_extra_recap_is_wrong_only_where_the_gold_has_nothing() -> None:
    sheet = scored(document(wanted()), event(), event(realis="recap"), event((300, 340), realis="recap"))
    assert counts(sheet, "recaps_found") == (0, 1, 0, 0)


# -- events told as one ------------------------------------------------------------------------------------------------


def test_a_merged_record_finds_both_events_that_may_be_one() -> None:
    gold = document(wanted("e1"), wanted("e2", (200, 240), mergeable_with="e1", places=()))
    sheet = scored(gold, event((100, 140), (200, 240)))
    assert counts(sheet, "events_found") == (1, 0, 1, 0)
    assert kinds(sheet) == []
    assert counts(scored(gold), "events_found") == (0, 0, 0, 2)


def test_a_merged_record_may_be_right_about_either() -> None:
    other = wanted("e2", (200, 240), mergeable_with=("e1",), start=DAY - dt.timedelta(5), end=DAY - dt.timedelta(5))
    first = wanted("e1", types=("Armed clash", "Air/drone strike"))
    sheet = scored(document(first, other), event((100, 140), (200, 240), date=date(DAY - dt.timedelta(5))))
    assert slot(sheet, "date") == (1, 1)


def test_a_record_per_place_of_a_list_is_neither_right_nor_wrong() -> None:
    gold = document(wanted(places=(RAQQA, HAMA)))
    sheet = scored(gold, event(), event(places=(place("حماة"),)))
    assert counts(sheet, "events_found") == (1, 0, 1, 0)
    assert len(sheet.judged) == 1


# -- slots -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "right", "tight"),
    [
        (date(), True, True),
        (date(DAY, DAY + dt.timedelta(1)), True, False),  # a day wider, in words
        (date(DAY, DAY + dt.timedelta(1), basis="published"), False, False),
        (date(DAY, DAY + dt.timedelta(2)), False, False),
        (date(DAY - dt.timedelta(1)), False, False),
        (date(None), False, False),
    ],
)
def test_a_date_must_meet_the_gold_and_be_no_wider(said: object, right: bool, tight: bool) -> None:
    sheet = scored(document(wanted()), event(date=said))
    assert (slot(sheet, "date"), slot(sheet, "date_tight")) == ((right, 1), (tight, 1))


def test_one_of_two_days_is_tight_where_the_gold_cannot_tell() -> None:
    gold = document(wanted(start=DAY - dt.timedelta(1)))
    assert slot(scored(gold, event()), "date_tight") == (1, 1)


@pytest.mark.parametrize(
    ("places", "right", "near"),
    [
        ((place("بالرقة"),), 1, 0),  # by name, proclitic aside; no coordinates
        ((place("القرية", 35.9, 39.1),), 1, 1),  # by distance
        ((place("القرية", 35.5, 39.1),), 0, 0),
        ((place("حلب"), place("الرقة")), 0, 0),  # the right one must come first
        ((place(), *[place("حلب")] * 4), 0, 0),  # all places there are
        ((), 0, 0),
    ],
)
def test_the_first_place_must_be_right(places: tuple[object, ...], right: int, near: int) -> None:
    sheet = scored(document(wanted()), event(places=places))
    assert (slot(sheet, "place"), slot(sheet, "place25")) == ((right, 1), (near, 1))


def test_a_gold_without_coordinates_asks_for_none() -> None:
    gold = document(wanted(places=(HAMA,)))
    assert slot(scored(gold, event()), "place25") == (0, 0)
    assert slot(scored(document(wanted(places=())), event()), "place") == (1, 1)


def test_naming_an_attacker_whom_the_text_does_not_name_is_wrong() -> None:
    gold = document(wanted(attacker=(), target=()))
    sheet = scored(gold, event())
    assert (slot(sheet, "attacker"), slot(sheet, "target")) == ((0, 1), (1, 1))
    assert (sheet.roles.part, sheet.roles.of) == (1, 2)
    assert slot(scored(gold, event(actors=(actor("attacker", "unknown"),))), "attacker") == (1, 1)


@pytest.mark.parametrize(
    ("actors", "right"),
    [
        ((actor("attacker", "us_coalition"),), 1),
        ((actor("attacker", "marines", coarse="us_coalition"),), 1),  # a finer id
        ((actor("attacker", "us_coalition"), actor("attacker", "usa")), 1),  # kin beside it
        ((actor("attacker", "usa"),), 0),  # kin instead of it
        ((actor("attacker", "us_coalition"), actor("attacker", "hezbollah")), 0),
        ((actor("attacker", "us_coalition"), actor("attacker", "the_butcher")), 1),  # an id that no gold knows
        ((actor("target", "us_coalition"),), 0),
    ],
)
def test_an_accepted_side_must_be_there_and_no_other(actors: tuple[object, ...], right: int) -> None:
    assert slot(scored(document(wanted()), event(actors=actors)), "attacker") == (right, 1)


def test_every_needed_side_must_be_there() -> None:
    gold = document(wanted(attacker=("usa", "france"), attacker_all=(("usa",), ("france",))))
    one, both = (actor("attacker", "usa"),), (actor("attacker", "usa"), actor("attacker", "france"))
    assert slot(scored(gold, event(actors=one)), "attacker") == (0, 1)
    assert slot(scored(gold, event(actors=both)), "attacker") == (1, 1)


def test_a_side_without_id_is_known_by_its_name() -> None:
    gold = document(wanted(attacker=(), attacker_text="لواء القدس"))
    assert slot(scored(gold, event(actors=(actor("attacker", "x", text="ولواء القدس"),))), "attacker") == (1, 1)
    assert slot(scored(gold, event(actors=(actor("attacker", "x", text="اللواء الأول"),))), "attacker") == (0, 1)


def test_in_a_mutual_clash_participants_stand_in_both_roles() -> None:
    sides = ("isis", "syrian_regime")
    gold = document(wanted(types=("Armed clash",), attacker=sides, target=sides))
    both = tuple(actor("participant", id) for id in sides)
    sheet = scored(gold, event(sub_event_type="Armed clash", actors=both))
    assert counts(sheet, "events_strict") == (1, 0, 1, 0)
    one_sided = document(wanted())
    assert slot(scored(one_sided, event(actors=both)), "attacker") == (0, 1)


def test_the_first_accepted_type_is_the_best() -> None:
    gold = document(wanted(types=("Shelling/artillery/missile attack", "Air/drone strike")))
    assert slot(scored(gold, event()), "type_best") == (0, 1)


def test_sources_and_denials_count_where_the_gold_names_them() -> None:
    gold = document(wanted(sources=("sohr",), denied_by=("russia",)))
    good = event(sources=(source("sohr"), source("russia", "denies")))
    assert (slot(scored(gold, good), "sources"), slot(scored(gold, good), "denied")) == ((1, 1), (1, 1))
    bad = scored(gold, event(sources=(source("russia"), source("sohr", "denies"))))
    assert (slot(bad, "sources"), slot(bad, "denied")) == ((0, 1), (0, 1))
    assert kinds(bad) == ["event-source", "event-denial"]
    assert slot(scored(gold, event(sources=(source(None, name="SOHR"),))), "sources") == (1, 1)
    assert slot(scored(document(wanted()), good), "sources") == (0, 0)


def test_pairs_are_chosen_for_all_together_not_one_by_one() -> None:
    """The first record suits both events, the second only one: each gets its own."""
    near, far = wanted("e1", (100, 140)), wanted("e2", (200, 240))
    sheet = scored(document(near, far), event((100, 140), (200, 240)), event((100, 130)))
    assert counts(sheet, "events_found") == (2, 0, 2, 0)


def test_a_document_without_news_in_which_none_is_told_is_quiet() -> None:
    sheet = scored(document())
    assert (sheet.quiet.part, sheet.quiet.of) == (0, 1)
    assert sheet.tables["events_found"].f1 == 0.0
