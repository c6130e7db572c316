"""Gazetteers that users download: GeoNames, OCHA, any table."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from connectors.sources.gazetteers import NamedPlace, Reading, kind_of, read_gazetteer
from pipeline.errors import FileError


def geonames(
    id_: str, name: str, others: str, lat: str, lon: str, feature: str, admin1: str, country: str = "SY"
) -> str:
    cls, code = feature.split(".")
    return "\t".join(
        (
            id_,
            name,
            name,
            others,
            lat,
            lon,
            cls,
            code,
            country,
            "",
            admin1,
            "",
            "",
            "",
            "0",
            "",
            "",
            "Asia/Damascus",
            "2020",
        )
    )


DUMP = (
    geonames("1", "Idlib Governorate", "محافظة إدلب", "35.8", "36.7", "A.ADM1", "12"),
    geonames("2", "Saraqib", "Sraqeb,سراقب,Саракиб", "35.8645", "36.8059", "P.PPL", "12"),
    geonames("3", "Jabal", "جبل", "35", "36", "T.HLLS", "12"),
    geonames("4", "Mosul", "الموصل", "36.3", "43.1", "P.PPLA", "15", "IQ"),
    geonames("5", "Abu al Duhur", "", "35.7", "37.1", "S.AIRB", "12"),
)


def file(tmp_path: Path, name: str, *lines: str) -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def places(path: Path, **how: object) -> list[NamedPlace]:
    found = list(read_gazetteer(path, Reading(**how)))  # type: ignore[arg-type]
    return [place for place in found if isinstance(place, NamedPlace)]


def errors(path: Path, **how: object) -> list[str]:
    found = list(read_gazetteer(path, Reading(**how)))  # type: ignore[arg-type]
    return [str(place).partition(path.name)[2] for place in found if isinstance(place, FileError)]


def test_a_geonames_dump_gives_places_with_arabic_names_and_provinces(tmp_path: Path) -> None:
    idlib, saraqib, airbase = places(file(tmp_path, "SY.txt", *DUMP), country="SY")
    assert (idlib.precision, saraqib.precision, airbase.precision) == ("province", "town", "site")
    assert saraqib == NamedPlace(
        "geonames:2", ("Saraqib", "سراقب"), "SY", "Idlib Governorate", "town", 35.8645, 36.8059
    )


def test_alternate_names_add_the_arabic_ones_that_are_not_historic(tmp_path: Path) -> None:
    more = file(
        tmp_path, "alternateNamesV2.txt", "9\t2\tar\tسراقبا\t\t\t\t\t\t", "10\t2\tar\tقديم\t\t\t\t1\t\t",
        "11\t2\tru\tСаракиб\t\t\t\t\t\t", "12\t77\tar\tغيرها\t\t\t\t\t\t",
    )  # fmt: skip
    found = places(file(tmp_path, "SY.txt", *DUMP), country="SY", alternates=more)
    assert found[1].names == ("Saraqib", "سراقب", "سراقبا")


def test_a_bad_row_says_its_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = file(tmp_path, "SY.txt", DUMP[1], "1\tx", DUMP[1].replace("35.8645", "nord"), DUMP[4].replace("37.1", "370"))
    assert [p.names[0] for p in places(path)] == ["Saraqib"]
    assert errors(path) == [
        ":2: 2 columns, GeoNames has 19", ":3: 'nord' is no number of degrees", ":4: 370 is beyond 180 degrees",
    ]  # fmt: skip


def test_an_ocha_table_gives_every_level_once(tmp_path: Path) -> None:
    path = file(
        tmp_path, "syr_admin3.csv", "ADM1_EN,ADM1_AR,ADM1_PCODE,ADM2_EN,ADM2_AR,ADM2_PCODE,"
        "ADM3_EN,ADM3_AR,ADM3_PCODE,lat,lon",
        'Idleb,إدلب,SY07,Ariha,أريحا,SY0702,"Ehsem, sub",احسم,SY070201,35.7,36.5',
        "Idleb,إدلب,SY07,Ariha,أريحا,SY0702,Ariha,أريحا,SY070200,35.8,36.6",
    )  # fmt: skip
    found = places(path)
    assert [(p.id, p.names, p.admin1, p.precision, p.lat) for p in found] == [
        ("ocha:SY07", ("Idleb", "إدلب"), "", "province", None),
        ("ocha:SY0702", ("Ariha", "أريحا"), "Idleb", "district", None),
        ("ocha:SY070201", ("Ehsem, sub", "احسم"), "Idleb", "district", 35.7),
        ("ocha:SY070200", ("Ariha", "أريحا"), "Idleb", "district", 35.8),
    ]
    assert {p.country for p in found} == {"SY"}


def test_the_newer_spelling_of_ocha_columns_is_known(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", "admin1Name_en;admin1Name_ar;admin1Pcode", "Aden;عدن;YE24")
    assert places(path) == [NamedPlace("ocha:YE24", ("Aden", "عدن"), "YE", "", "province")]


def test_any_table_is_read_by_its_header_or_by_numbers(tmp_path: Path) -> None:
    named = file(tmp_path, "v.tsv", "NAME_AR\tNAME\tY\tX\tkind", "الكدحة\tAl Kadha\t13.4\t43.6\tvillage")
    columns = {"name": ["NAME_AR", "NAME"], "lat": ["Y"], "lon": ["X"], "precision": ["kind"]}
    expected = NamedPlace("v:2", ("Al Kadha", "الكدحة"), "YE", "", "town", 13.4, 43.6)
    assert places(named, country="YE", columns=columns) == [expected]
    bare = file(tmp_path, "v.csv", "الكدحة,Al Kadha,13.4,43.6")
    numbers = {"name": ["1", "2"], "lat": ["3"], "lon": ["4"]}
    assert places(bare, country="YE", columns=numbers)[0].names == ("Al Kadha", "الكدحة")


def test_a_quote_in_a_tab_table_is_a_letter(tmp_path: Path) -> None:
    path = file(tmp_path, "v.tsv", "name\tlat\tlon", '"Ain\t1\t2', "Bayt\t1\t2")
    assert [p.names[0] for p in places(path)] == ['"Ain', "Bayt"]


def test_a_packed_table_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "v.csv.gz"
    path.write_bytes(gzip.compress("name,country\nعدن,ye\n".encode()))
    assert places(path)[0].country == "YE"


@pytest.mark.parametrize(
    ("lines", "columns", "what"),
    [
        (("lat,lon", "1,2"), {}, ":1: no column 'name'"),
        (("name,lat", "a,1"), {"name": ["nom"]}, ":1: no column 'nom'"),
    ],
)
def test_a_table_without_its_columns_is_refused(
    tmp_path: Path, lines: tuple[str, ...], columns: dict[str, list[str]], what: str
) -> None:
    with pytest.raises(FileError, match=what):
        places(file(tmp_path, "v.csv", *lines), columns=columns)


def test_an_empty_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is empty"):
        kind_of(file(tmp_path, "e.csv"), Reading())
    (tmp_path / "b.csv").write_bytes(b"name,lat\n\xff\xfe,1\n")
    with pytest.raises(FileError, match=r"b\.csv:2: not UTF-8"):
        places(tmp_path / "b.csv")
