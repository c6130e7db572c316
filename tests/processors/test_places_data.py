"""The place tables: what a row may hold, and that no two rows of a country claim the same word."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from processors.extract.lexicons import FOLDER, lexicon
from processors.extract.places import ORDER
from processors.text import fold_word, read

TABLES = sorted((FOLDER / "ar").glob("places_*.tsv"))
FLAGS = {"cue", "also", "province", "stop", "river", "capital", "side"}
SOURCES = {"own", "geonames", "own+geonames", "own+wof"}
FORM = re.compile(r"[\u0621-\u063a\u0640-\u064a0-9A-Z]+(?: (?:- )?[\u0621-\u063a\u0640-\u064a0-9A-Z]+)*")


def rows(path: Path) -> Iterator[Mapping[str, str]]:
    lines = [line.split("\t") for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    for cells in lines[1:]:
        yield dict(zip(lines[0], cells, strict=False))


def all_rows() -> Iterator[tuple[Path, Mapping[str, str]]]:
    for path in (FOLDER / "ar" / "places.tsv", *TABLES):
        for row in rows(path):
            yield path, row


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.stem)
def test_every_row_of_a_table_is_well_formed(path: Path) -> None:
    assert next(rows(path), None)
    country = path.stem.removeprefix("places_").upper()
    for row in rows(path):
        assert all(FORM.fullmatch(form) for form in row["text"].split("|")), row
        assert row["name"].isascii() or row["precision"] == "country", row
        assert row["precision"] in ORDER, row
        assert re.fullmatch("[A-Z]{2}", row["country"]), row
        assert row["country"] == country or country == "WORLD", row
        assert row["source"] in SOURCES, row
        assert set(row["flags"].split()) <= FLAGS, row
        assert bool(row["lat"]) == bool(row["lon"]), row
        assert not row["km"] or (row["lat"] and 0 < int(row["km"]) <= 3000), row
        if row["lat"]:
            assert abs(float(row["lat"])) <= 90, row
            assert abs(float(row["lon"])) <= 180, row


def test_no_form_stands_twice_for_one_country() -> None:
    seen: dict[tuple[str, str], str] = {}
    twice = []
    for path, row in all_rows():
        for form in row["text"].split("|"):
            key = row.get("country", ""), fold_word(form)
            if key in seen and path in TABLES:
                twice.append((form, path.stem, seen[key]))
            seen[key] = path.stem
    assert twice == []


def test_rows_of_one_name_are_one_place() -> None:
    places: dict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
    for path in TABLES:
        for row in rows(path):
            places[row["country"], row["name"]].add((row["admin1"], row["lat"], row["lon"]))
    assert {key for key, found in places.items() if len(found) > 1} == set()


def test_of_namesakes_all_but_one_stand_back() -> None:
    first: dict[str, set[str]] = defaultdict(set)
    for path, row in all_rows():
        if path in TABLES and "also" not in row["flags"].split():
            for form in row["text"].split("|"):
                first[fold_word(form)].add(row["country"])
    assert {form: found for form, found in first.items() if len(found) > 1} == {}


def test_coordinates_lie_near_their_country() -> None:
    boxes = {  # south, north, west, east, with some leeway
        "SY": (32, 38, 35, 43), "IQ": (28, 38, 38, 49.5), "YE": (11.5, 19, 41, 55), "LY": (19, 34, 9, 26),
        "PS": (31, 33, 34, 36), "LB": (33, 35, 35, 37), "SD": (8.5, 23.5, 21, 39), "SO": (-2, 12.5, 40.5, 52),
        "AF": (29, 39, 60, 75.5), "EG": (21.5, 32, 24, 37),
    }  # fmt: skip
    for path, row in all_rows():
        if path in TABLES and row["lat"] and row["country"] in boxes:
            south, north, west, east = boxes[row["country"]]
            assert south <= float(row["lat"]) <= north, row
            assert west <= float(row["lon"]) <= east, row


EVERYDAY = """
الخميس مدينة الشرقية النصر السلام الوحدة العمل القادسية الشاطئ الزيتون الحرية الشعب العامل الجديدة الساحل الشعار
الميناء العظيم المنصور الكرامة البعث الحضر الأبيض وانة أطمة شهران صالحة
"""


@pytest.mark.parametrize("word", EVERYDAY.split())
def test_an_everyday_word_is_no_place_without_a_cue(word: str) -> None:
    hit = lexicon("ar").scan(read(word)).at("places", 0)
    assert hit is None or "cue" in hit.entry.flags


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("كفرنبل", "Kafr Nabl"), ("بالقابون", "Qaboun"), ("ومطار المزة", "Mezzeh air base"), ("طبرق", "Tobruk"),
        ("تاورغاء", "Tawergha"), ("القوارشة", "Al-Guwarsha"), ("بورتسودان", "Port Sudan"), ("سد النهضة", "GERD dam"),
        ("الضاحية الجنوبية", "Beirut southern suburbs"), ("باخموت", "Bakhmut"), ("كيدال", "Kidal"),
    ],
)  # fmt: skip
def test_a_name_from_the_reports_is_known(text: str, name: str) -> None:
    hit = lexicon("ar").scan(read(text)).at("places", 0)
    assert hit is not None
    assert hit.entry.flags.isdisjoint({"cue", "also"})
    assert hit.entry.get("name") == name
