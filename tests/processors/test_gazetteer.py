"""The file of imported place names: what goes in comes out, and nothing damaged is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import FileError
from processors.gazetteer import Gazetteer, GazetteerPlace, open_gazetteer, pack
from processors.text import fold_word
from tests.pipeline.cli.kit import rasd

KADHA = GazetteerPlace("t:1", ("Al-Kadhah", "الكدحة"), "YE", "Taiz", "town", 13.4, 43.6, "a.tsv")
ARIHA = GazetteerPlace("t:2", ("Ariha", "أريحا"), "SY", "Idlib", "town", 35.81, 36.61, "a.tsv")
JERICHO = GazetteerPlace("t:3", ("Jericho", "أريحا", "اريحا"), "PS", "", "town", None, None, "b.tsv")


@pytest.fixture
def gazetteer(tmp_path: Path) -> Gazetteer:
    (tmp_path / "g").write_bytes(pack((KADHA, ARIHA, JERICHO)))
    return open_gazetteer(tmp_path / "g")


def test_every_name_finds_its_places(gazetteer: Gazetteer) -> None:
    assert gazetteer.lookup(fold_word("الكدحه")) == (KADHA,)
    assert gazetteer.lookup("al-kadhah") == (KADHA,)
    assert gazetteer.lookup(fold_word("أريحا")) == (ARIHA, JERICHO)
    assert gazetteer.lookup(fold_word("أريحا"), "PS") == (JERICHO,)
    assert tuple(gazetteer) == (KADHA, ARIHA, JERICHO)


@pytest.mark.parametrize("name", ["", "ا", "اريحاا", "zzz", "\U0010ffff"])
def test_an_unknown_name_finds_none(gazetteer: Gazetteer, name: str) -> None:
    assert gazetteer.lookup(name) == ()


def test_equal_places_make_equal_bytes_and_digests(gazetteer: Gazetteer, tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(pack([KADHA, ARIHA, JERICHO]))
    (tmp_path / "i").write_bytes(pack([KADHA, ARIHA]))
    assert open_gazetteer(tmp_path / "h").digest == gazetteer.digest
    assert open_gazetteer(tmp_path / "i").digest != gazetteer.digest


def test_of_two_places_with_one_id_the_later_counts(tmp_path: Path) -> None:
    later = GazetteerPlace("t:1", ("Kadha\tx|y",), "YE", "", "town", None, None, "c")
    (tmp_path / "g").write_bytes(pack([KADHA, later]))
    assert [p.names for p in open_gazetteer(tmp_path / "g")] == [("Kadha x y",)]


def test_a_file_that_is_another_or_damaged_is_refused(tmp_path: Path) -> None:
    whole = pack([KADHA, ARIHA])
    path = tmp_path / "g"
    for data in (b"", b"rasd.gazetteer/2\n", whole[:-1], whole[:20], whole[:60] + b"\xaa" + whole[61:], whole + b"x"):
        path.write_bytes(data)
        with pytest.raises(FileError):
            open_gazetteer(path)


def test_seventy_thousand_names_open_and_answer_fast(tmp_path: Path) -> None:
    path = tmp_path / "g"
    path.write_bytes(
        pack(
            GazetteerPlace(f"t:{n}", (f"Village {n}", f"قرية {n}"), "YE", "", "town", 1, 2, "x") for n in range(35_000)
        )
    )
    gazetteer = open_gazetteer(path)
    assert gazetteer.names == 70_000
    assert gazetteer.lookup("قريه 34999")[0].id == "t:34999"


# -- the commands ------------------------------------------------------------------------------------------------------

TABLE = "name,country,lat,lon\nعدن,YE,12.8,45\nتعز,YE,13.6,44\n"


def test_imported_names_are_found_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE, encoding="utf-8")
    data = tmp_path / "data"
    assert rasd("gazetteer", "import", tmp_path / "a.csv", "--data", data).code == 0
    assert (data / "gazetteer.rasd").exists()
    assert "2 places" in rasd("gazetteer", "info", "--data", data).out
    assert "12.8000 45.0000" in rasd("gazetteer", "lookup", "عدن", "--data", data).out
    assert rasd("gazetteer", "lookup", "عدن", "--country", "sy", "--data", data).code == 3


def test_a_second_import_adds_unless_told_to_replace(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "b.csv").write_text("name\nحلب\n", encoding="utf-8")
    to = tmp_path / "g.rasd"
    rasd("gazetteer", "import", tmp_path / "a.csv", "--to", to)
    rasd("gazetteer", "import", tmp_path / "b.csv", "--to", to, "--country", "SY")
    assert len(open_gazetteer(to)) == 3
    rasd("gazetteer", "import", tmp_path / "b.csv", "--to", to, "--replace")
    assert len(open_gazetteer(to)) == 1


def test_a_bad_row_is_told_and_the_rest_imported(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE + "إب,YE,north,44\n", encoding="utf-8")
    result = rasd("gazetteer", "import", tmp_path / "a.csv", "--to", tmp_path / "g.rasd")
    assert result.code == 1
    assert "a.csv:4: 'north' is no number of degrees" in result.err
    assert len(open_gazetteer(tmp_path / "g.rasd")) == 2


def test_a_failed_import_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(TABLE, encoding="utf-8")
    to = tmp_path / "g.rasd"
    rasd("gazetteer", "import", tmp_path / "a.csv", "--to", to)
    before = to.read_bytes()

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stopped)
    assert rasd("gazetteer", "import", tmp_path / "a.csv", "--to", to, "--replace").code == 130
    assert to.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    "wrong", [("--country", "Syria"), ("--kind", "shp"), ("--column", "name"), ("--column", "lat=Y")], ids=str
)
def test_wrong_options_are_usage_errors(tmp_path: Path, wrong: tuple[str, str]) -> None:
    (tmp_path / "a.csv").write_text(TABLE, encoding="utf-8")
    assert rasd("gazetteer", "import", tmp_path / "a.csv", *wrong).code == 2


def test_without_an_import_there_is_nothing_to_look_up(tmp_path: Path) -> None:
    assert rasd("gazetteer", "info", "--data", tmp_path).code == 3
