"""Which place an event has, and which of several places a name means."""

from __future__ import annotations

import pytest

from pipeline.records import Event, Place
from processors.extract.atlas import atlas, skeleton
from processors.extract.lexicons import lexicon
from processors.extract.step import Extract, load
from processors.gazetteer import GazetteerPlace, pack
from tests.processors.extract.reading import article

NEAR = GazetteerPlace("t:1", ("Shuqayra", "شقيرة"), "SY", "Idlib", "town", 35.9, 36.6, "t.tsv")
FAR = GazetteerPlace("t:2", ("Shuqayra", "شقيرة"), "SY", "Daraa", "town", 32.6, 36.1, "t.tsv")
ABROAD = GazetteerPlace("t:3", ("Shuqayra", "شقيرة"), "YE", "Taiz", "town", 13.5, 44.0, "t.tsv")


@pytest.fixture(scope="module")
def step() -> Extract:
    return load()


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    path = tmp_path_factory.mktemp("gazetteer") / "g"
    path.write_bytes(pack((FAR, ABROAD, NEAR)))
    return load(path)


def places(step: Extract, body: str, title: str | None = None) -> list[Place]:
    """The places of the first event."""
    return list(next(r for r in step(article(body, title=title)).outputs if isinstance(r, Event)).places)


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("قصفت طائرات حربية مواقع للمسلحين في شمال غرب سوريا.", ["شمال غرب سوريا"]),
        ("قتل خمسة جنود في العاصمة الليبية إثر اشتباكات مسلحة.", ["العاصمة الليبية"]),
        ("قتل ثلاثة من أهالي الباب في غارة على مدينة منبج.", ["منبج"]),
        ("قتل جندي بانفجار لغم في الحسكة بعد ساعات من افتتاح قاعدة في حلب.", ["الحسكة"]),
        ("تعرضت قرى شير مغار وميدان غزال وكوكبة لقصف مدفعي.", ["شير مغار", "ميدان غزال", "كوكبة"]),
        ("استهدف الحوثيون سفينة تحمل اسم الرياض قبالة الحديدة بصاروخ.", ["الحديدة"]),
    ],
)  # fmt: skip
def test_a_clause_names_its_scene(step: Extract, body: str, texts: list[str]) -> None:
    assert [p.text for p in places(step, body)] == texts


def test_the_sentence_that_takes_up_the_attack_says_where_it_was(step: Extract) -> None:
    body = "فجر انتحاري نفسه شرقي أفغانستان فقتل تسعة.\nووقع الهجوم في مدينة جلال أباد، قرب مدرسة."
    assert [p.name for p in places(step, body)][:1] == ["Jalalabad"]


def test_a_side_of_the_country_is_moved_off_its_centre(step: Extract) -> None:
    body = "اشتبك الجيش مع مسلحين في شمال البلاد.\nوتشهد تونس توترا منذ أيام، وزار الوزير القيروان في تونس."
    lat = places(step, body)[0].lat
    assert lat is not None
    assert lat > 34.5


@pytest.mark.parametrize("spelling", ["ننجرهار", "نانغرهار", "ننكرهار"])
def test_a_foreign_name_is_found_in_every_spelling(step: Extract, spelling: str) -> None:
    body = f"قتل سبعة شرطيين بهجوم لطالبان في ولاية {spelling} بأفغانستان."
    assert [p.name for p in places(step, body)][:1] == ["Nangarhar"]


def test_letters_that_sound_alike_are_one() -> None:
    assert skeleton("بادغيس") == skeleton("بدغيس")
    assert skeleton("كابول") != skeleton("قندوز")


def test_of_namesakes_the_one_beside_the_articles_other_places_is_meant(step: Extract) -> None:
    iraqi = places(step, "قصفت طائرات ناحية الإسكندرية شمال الحلة في محافظة بابل بالعراق.")
    egyptian = places(step, "اعتقلت الشرطة المصرية خمسة نشطاء في مدينة الإسكندرية في مصر.")
    assert [p.country for p in iraqi + egyptian if "سكندرية" in p.text] == ["IQ", "EG"]


def test_the_gazetteer_knows_a_name_that_a_cue_announces(step: Extract, wider: Extract) -> None:
    body = "قصفت طائرات حربية بلدة شقيرة في ريف إدلب بسوريا."
    assert places(step, body)[0].gazetteer_id is None
    found = places(wider, body)[0]
    assert (found.text, found.gazetteer_id, found.lat) == ("شقيرة", "t:1", 35.9)


def test_a_bare_word_is_not_looked_up(wider: Extract) -> None:
    assert all(p.gazetteer_id is None for p in places(wider, "قصفت طائرات شقيرة حربية مواقع في ريف إدلب بسوريا."))


def test_the_atlas_holds_capitals_and_sides() -> None:
    known = atlas(lexicon("ar"))
    assert known.capitals["YE"]["name"] == "Sanaa"
    assert known.side(known.countries["SY"], "شمال غرب")["name"] == "Northwestern Syria"
    assert float(known.side(known.countries["DZ"], "جنوب")["lat"]) < float(known.countries["DZ"]["lat"])
