"""The actor lexicon as data: its files hang together, and sentences written for it are read as they should be."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.extract.actors import actor_ids, actors
from processors.extract.lexicons import CLASSES, FOLDER, lexicon
from processors.text import fold_word, read

ARABIC = FOLDER / "ar"
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "actors"
GUIDELINE_IDS = {
    "isis", "al_qaeda", "hts", "syrian_regime", "pro_regime_militia", "syrian_opposition", "sdf", "ypg", "pkk",
    "hezbollah", "iran", "iran_militia", "russia", "usa", "us_coalition", "turkey", "turkey_backed_opposition",
    "israel", "hamas", "islamic_jihad", "palestinian_factions", "palestinian_authority", "iraq_gov", "iraq_pmf",
    "peshmerga", "kdp_i", "iraqi_militia", "saudi_coalition", "saudi_arabia", "uae", "yemen_gov", "houthis",
    "yemen_tribes", "stc", "libya_gna", "libya_lna", "libyan_militia", "egypt_gov", "sinai_militants", "sudan_saf",
    "sudan_rsf", "south_sudan_gov", "ethnic_militia", "somalia_gov", "al_shabaab", "amisom", "ethiopia",
    "afghanistan_gov", "taliban", "pakistan_gov", "nigeria_gov", "boko_haram", "mali_gov", "algeria_gov",
    "tunisia_gov", "lebanon_gov", "jordan_gov", "france", "uk", "un", "ukraine", "police_unidentified",
    "unidentified_armed_group", "protesters", "civilians", "journalists", "health_workers", "aid_workers",
    "prisoners",
}  # fmt: skip
KINDS = frozenset(["state", "rebel", "militia", "external", "political", "civilian", "unknown"])
FLAGS = frozenset(
    [
        "org",
        "country",
        "adjective",
        "weak",
        "local",
        "victim",
        "tribe",
        "the-group",
        "the-militia",
        "nowhere-else",
        "doer",
        "ever",
        "at-home",
    ]
)


def rows(pattern: str) -> Iterator[tuple[str, list[str]]]:
    """(where, cells) of every row of the files that match."""
    for path in sorted(ARABIC.glob(pattern)):
        header = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line and not line.startswith("#"):
                if header:
                    yield f"{path.name}:{number}", line.split("\t")
                header = True


def sentences(pattern: str) -> list[dict[str, str]]:
    return [json.loads(x) for p in sorted(GOLDEN.glob(pattern)) for x in p.read_text(encoding="utf-8").splitlines()]


FOUND = [s for s in sentences("*.jsonl") if "actor" in s]
ORDINARY = sentences("ordinary.jsonl")
KNOWN = [cells for _, cells in rows("actor_ids*.tsv")]
IDS = {cells[0]: cells for cells in KNOWN}


def named(text: str) -> list[tuple[str, str]]:
    """(id, words) of the actors of a text that is about no country."""
    table, reading = lexicon("ar"), read(text)
    return [(n.id, reading.quote(n.first, n.last)) for n in actors(reading, table.scan(reading), actor_ids(table), "")]


def test_the_world_has_at_least_400_actors_and_2500_names() -> None:
    names = {fold_word(form) for _, cells in rows("actors*.tsv") for form in cells[0].split("|")}
    assert len(IDS) >= 400
    assert len(names) >= 2500


def test_a_name_of_a_part_file_stands_nowhere_else() -> None:
    stands: dict[str, list[str]] = {}
    for where, cells in rows("actors*.tsv"):
        for form in cells[0].split("|"):
            stands.setdefault(fold_word(form), []).append(where)
    twice = {form: at for form, at in stands.items() if len(at) > 1 and any("actors_" in where for where in at)}
    assert twice == {}


def test_an_id_is_declared_once() -> None:
    assert [i for i, n in Counter(cells[0] for cells in KNOWN).items() if n > 1] == []


def test_coarse_is_an_id_of_the_guidelines_or_the_id_itself() -> None:
    assert {c[0]: c[1] for c in KNOWN if c[1] not in GUIDELINE_IDS and c[1] != c[0]} == {}
    assert {c[0]: c[1] for c in KNOWN if c[0] in GUIDELINE_IDS and c[1] != c[0]} == {}


def test_kinds_are_those_of_the_record() -> None:
    assert {c[0]: c[2] for c in KNOWN if c[2] not in KINDS} == {}


def test_every_row_names_a_declared_actor_in_known_terms() -> None:
    wrong = [
        where
        for where, cells in rows("actors_*.tsv")
        if cells[1] not in IDS
        or cells[2] not in CLASSES
        or {f for f in "".join(cells[3:4]).split() if f.partition(":")[0] not in ("armed", "theatre")} - FLAGS
    ]
    assert wrong == []


def test_every_declared_actor_has_a_name() -> None:
    used = {cells[1] for _, cells in rows("actors*.tsv")}
    assert [where for where, cells in rows("actor_ids_*.tsv") if cells[0] not in used] == []


def test_a_country_alone_is_also_a_place() -> None:
    """Else it would count as an actor wherever it is named («في الهند»)."""
    places = {fold_word(form) for _, cells in rows("places*.tsv") for form in cells[0].split("|")}
    bare = ("الهند", "نيودلهي", "أرمينيا", "يريفان", "أذربيجان", "باكو", "إريتريا", "أسمرة", "إسلام آباد", "أديس أبابا")
    mine = {fold_word(form) for _, cells in rows("actors_*.tsv") for form in cells[0].split("|")}
    assert [b for b in bare if fold_word(b) in mine and fold_word(b) not in places] == []


def test_there_are_sentences_for_every_part() -> None:
    assert len(FOUND) >= 60
    assert {p.stem.removeprefix("actors_") for p in ARABIC.glob("actors_*.tsv")} <= {p.stem for p in GOLDEN.iterdir()}


@pytest.mark.parametrize("sentence", FOUND, ids=lambda s: s["form"])
def test_an_actor_is_found_under_its_name(sentence: dict[str, str]) -> None:
    assert (sentence["actor"], sentence["form"]) in named(sentence["text"])


@pytest.mark.parametrize("sentence", ORDINARY, ids=lambda s: s["text"])
def test_an_everyday_word_is_no_actor(sentence: dict[str, str]) -> None:
    assert sentence["absent"] not in [actor for actor, _ in named(sentence["text"])]


@pytest.mark.parametrize(
    ("published", "who"),
    [("2024-12-07", "syrian_regime"), ("2024-12-08", "syria_transitional"), (None, "syrian_regime")],
)
def test_a_name_means_another_force_when_its_term_is_over(published: str | None, who: str) -> None:
    table = lexicon("ar")
    reading = read("قصفت وزارة الدفاع السورية الموقع وانسحبت قوات النظام السوري", 0)
    today = dt.date.fromisoformat(published) if published else None
    found = [n.id for n in actors(reading, table.scan(reading), actor_ids(table), "SY", today=today)]
    assert found == [who, "syrian_regime"]
