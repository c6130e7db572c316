"""Bytes to records and back: golden examples to the letter, hostile bytes as named errors."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ids, wire
from pipeline.errors import WireError
from pipeline.records import EVENT_TYPE_OF, Article, Coding, Event, Record, Reject, Toll, Unique
from pipeline.wire import RECORDS, decode, decode_coded, encode

GOLDEN = Path(__file__).parents[1] / "golden" / "wire"


def example(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().removesuffix(b"\n")


def loose(name: str, **changes: Any) -> bytes:
    """The example as JSON with some fields changed (a value of ... removes the field)."""
    tree = {**orjson.loads(example(name)), **changes}
    return orjson.dumps({k: v for k, v in tree.items() if v is not ...})


def fault(name: str, value: bytes) -> WireError:
    with pytest.raises(WireError) as caught:
        decode(RECORDS[name], value)
    return caught.value


# -- golden ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDS)
def test_an_example_survives_the_round_trip_to_the_byte(name: str) -> None:
    assert encode(decode(RECORDS[name], example(name))) == example(name)


@pytest.mark.parametrize("name", RECORDS)
def test_an_example_shows_every_field_of_its_record(name: str) -> None:
    assert list(orjson.loads(example(name))) == [f.name for f in dataclasses.fields(RECORDS[name])]


@pytest.mark.parametrize("name", ["event", "toll", "coding"])
def test_coded_records_are_told_apart_by_kind(name: str) -> None:
    assert decode_coded(example(name)) == decode(RECORDS[name], example(name))


def test_the_examples_belong_together_and_their_quotes_stand_where_they_say() -> None:
    unique = decode(Unique, example("unique"))
    text = unique.article.text
    event, toll, coding = (decode_coded(example(n)) for n in ("event", "toll", "coding"))
    assert isinstance(event, Event)
    assert isinstance(toll, Toll)
    assert isinstance(coding, Coding)
    assert unique.article == decode(Article, example("article"))
    assert event.article_id == toll.article_id == coding.article_id == unique.article.id == unique.verdict.article_id
    assert (coding.event_ids, coding.toll_ids) == ((event.id,), (toll.id,))
    assert unique.article.content_hash == ids.content_hash(unique.article.title, unique.article.body)
    assert unique.article.id == ids.article_id(unique.article.canonical_url, unique.article.content_hash)
    assert EVENT_TYPE_OF[event.sub_event_type] == event.event_type
    quoted: list[Any] = [event.date, *event.places, *event.actors, *event.sources, toll.period, *toll.sources]
    quoted += [side for claim in event.casualties for side in claim.group]
    for part in quoted:
        assert text[slice(*part.span)] == part.text
    for evidence in (*event.evidence, *toll.evidence):
        assert text[evidence.start : evidence.end] == evidence.quote


# -- what readers may count on ---------------------------------------------------------------------------------------


def test_unknown_fields_are_ignored() -> None:
    assert decode(Event, loose("event", mood="sombre")) == decode(Event, example("event"))


def test_missing_optional_fields_take_their_defaults() -> None:
    assert decode(Event, loose("event", realis=..., url=..., kind=...)).realis == "reported"


@pytest.mark.parametrize(("name", "record"), RECORDS.items())
def test_every_required_field_is_asked_for(name: str, record: type[Record]) -> None:
    for field in dataclasses.fields(record):
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            error = fault(name, loose(name, **{field.name: ...}))
            assert error.reason == "bad-record"
            assert field.name in str(error)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.text(max_size=5))
def test_any_text_without_nul_survives(body: str, title: str) -> None:
    article = dataclasses.replace(decode(Article, example("article")), body=body, title=title.replace("\0", "") or None)
    assert decode(Article, encode(article)) == article


# -- hostile ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDS)
def test_another_schema_version_is_refused_by_name(name: str) -> None:
    error = fault(name, loose(name, schema=f"rasd.{name}/2"))
    assert error.reason == "wrong-schema"
    assert str(error) == f"schema 'rasd.{name}/2', this version reads 'rasd.{name}/1'"


@pytest.mark.parametrize("value", [None, 1, [], {}, "", "event", "rasd.event/01", True])
def test_no_schema_that_we_know_is_refused(value: Any) -> None:
    assert fault("event", loose("event", schema=value)).reason in ("wrong-schema", "bad-record")


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("event", {"revision": "2"}, "$.revision"),
        ("event", {"revision": 2.5}, "$.revision"),
        ("event", {"revision": True}, "$.revision"),
        ("event", {"confidence": "0.5"}, "$.confidence"),
        ("event", {"realis": "perhaps"}, "$.realis"),
        ("event", {"sub_event_type": "Air strike"}, "$.sub_event_type"),
        ("event", {"date": None}, "$.date"),
        ("event", {"date": {"start": "2017-02-30"}}, "$.date.start"),
        ("event", {"places": {}}, "$.places"),
        ("event", {"places": [{"text": "x", "span": [1]}]}, "$.places[0].span"),
        ("event", {"places": [{"text": "x", "span": [1, 2, 3]}]}, "$.places[0].span"),
        ("event", {"evidence": [{"start": 0, "end": 1}]}, "quote"),
        ("event", {"why": {"date": [{"span": [0, 1]}]}}, "rule"),
        ("event", {"published": "2017-05-17"}, "$.published"),
        ("event", {"published": "2017-05-17T06:30:00"}, "$.published"),
        ("article", {"body": None}, "$.body"),
        ("article", {"title": ["x"]}, "$.title"),
        ("article", {"partial": "no"}, "$.partial"),
        ("reject", {"value": 7}, "$.value"),
        ("coding", {"event_ids": "abc"}, "$.event_ids"),
    ],
)
def test_a_wrong_type_is_refused_and_the_field_named(name: str, changes: dict[str, Any], said: str) -> None:
    error = fault(name, loose(name, **changes))
    assert error.reason == "bad-record"
    assert said in str(error)
    assert str(error).startswith(f"rasd.{name}/1: ")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b"\x00",
        b"\xff\xfe{",
        b'{"schema": "rasd.event/1"',
        b'{"a": NaN}',
        b"{\"a\": 'b'}",
        "\ufeff{}".encode(),
        b'{"id": "\xed\xa0\x80"}',
        b'{"id": "\xc0\x80"}',
    ],
)
def test_what_is_no_json_is_refused_as_such(value: bytes) -> None:
    assert fault("event", value).reason == "bad-json"


@pytest.mark.parametrize("value", [b"null", b"[]", b'"x"', b"1", b"{}", b"{}{}", b"[" * 50 + b"]" * 50])
def test_json_that_is_no_record_is_refused(value: bytes) -> None:
    assert fault("event", value).reason == "bad-record"
    with pytest.raises(WireError):
        decode_coded(value)


@pytest.mark.parametrize("where", ["body", "mood"])
def test_nul_is_refused_and_a_written_out_escape_is_not(where: str) -> None:
    assert fault("article", loose("article", **{where: "a\0b"})).reason == "bad-text"
    kept = decode(Article, loose("article", **{where: "a\\u0000b"}))
    assert where == "mood" or kept.body == "a\\u0000b"


def test_lone_surrogates_are_refused_in_both_directions() -> None:
    value = example("article").replace(b'"body":"', b'"body":"\\ud83d')
    assert fault("article", value).reason in ("bad-json", "bad-text")
    with pytest.raises(WireError) as caught:
        encode(dataclasses.replace(decode(Article, example("article")), body="half \ud83d"))
    assert caught.value.reason == "bad-text"


def reason_of(value: bytes) -> str | None:
    """The reason for which an event is refused, None if it is taken."""
    try:
        decode(Event, value)
    except WireError as e:
        return e.reason
    return None


@pytest.mark.parametrize("depth", [200, 5_000, 200_000])
@pytest.mark.parametrize("field", ["why", "places"])
def test_deep_nesting_of_a_known_field_is_an_error_and_never_a_crash(depth: int, field: str) -> None:
    assert reason_of(nested(field, depth)) in ("bad-json", "bad-record")


@pytest.mark.parametrize("depth", [200, 5_000, 200_000])
def test_deep_nesting_elsewhere_is_ignored_or_an_error_and_never_a_crash(depth: int) -> None:
    assert reason_of(nested("mood", depth)) in (None, "bad-json")
    with pytest.raises(WireError):
        decode_coded(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize("depth", [200_000])
def test_deep_nesting_in_a_coded_message_is_an_error_and_never_a_crash(depth: int) -> None:
    with pytest.raises(WireError):
        decode_coded(nested("mood", depth))


def nested(field: str, depth: int) -> bytes:
    head = loose("event", **{field: ...}).removesuffix(b"}")
    return head + b',"' + field.encode() + b'":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**30, 10**400])
def test_huge_integers_are_refused_or_kept_exactly(number: int) -> None:
    value = loose("event", revision=...).removesuffix(b"}") + b',"revision":' + str(number).encode() + b"}"
    if reason_of(value) not in ("bad-record", "bad-json"):
        record = decode(Event, value)
        assert record.revision == number
        with contextlib.suppress(WireError):  # JSON writers stop at 64 bits: a named error, not another number
            assert decode(Event, encode(record)) == record


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1e308"])
def test_numbers_beyond_floats_do_not_become_infinite(number: bytes) -> None:
    value = loose("event", confidence=...).removesuffix(b"}") + b',"confidence":' + number + b"}"
    assert reason_of(value) in ("bad-record", "bad-json") or abs(decode(Event, value).confidence) != float("inf")


def test_a_repeated_key_takes_one_value_and_does_not_crash() -> None:
    value = example("article").removesuffix(b"}") + b',"partial":true}'
    assert decode(Article, value).partial is True


@pytest.mark.parametrize("kind", [None, "", "Event", "article", 3, ["event"]])
def test_a_coded_message_of_another_kind_is_refused(kind: Any) -> None:
    with pytest.raises(WireError):
        decode_coded(loose("event", kind=kind))


def test_a_long_bad_value_gives_a_short_error() -> None:
    assert len(str(fault("event", loose("event", realis="x" * 100_000)))) < 300
    assert len(str(fault("event", loose("event", schema="x" * 100_000)))) < 300


@given(st.binary(max_size=200))
def test_any_bytes_give_a_record_or_a_wire_error(value: bytes) -> None:
    for kind in (Event, Reject):
        with pytest.raises(WireError):
            decode(kind, value)
    with pytest.raises(WireError):
        decode_coded(value)


def test_times_are_written_in_utc_with_z() -> None:
    value = loose("article", published="2017-05-17T09:30:00+03:00")
    assert orjson.loads(encode(decode(Article, value)))["published"] == "2017-05-17T06:30:00Z"


@pytest.mark.parametrize("bad", ["2017-05-17T09:30:00", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_without_a_utc_form_is_an_error(bad: str) -> None:
    assert reason_of(loose("event", published=bad)) == "bad-record"


def test_names_of_schemas_follow_the_records() -> None:
    assert {name: wire.schema_name(kind) for name, kind in RECORDS.items()} == {n: f"rasd.{n}/1" for n in RECORDS}
