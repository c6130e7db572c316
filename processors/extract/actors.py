"""Actors: who is named, and whom «the organisation», «the latter» and «both sides» point back to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.records import Side
from processors.extract.lexicons import Hits, Lexicon
from processors.text import Reading

ARMED_KINDS = frozenset(("state", "rebel", "militia", "external"))
UNIDENTIFIED = frozenset(("unidentified_armed_group", "police_unidentified"))


@dataclass(frozen=True, slots=True)
class Named:
    """An actor named in words `first:last`; `also`: further actors that the same words mean («الطرفين»)."""

    first: int
    last: int
    id: str
    flags: frozenset[str]
    rule: str
    prefix: str = ""
    also: tuple[str, ...] = ()

    @property
    def weak(self) -> bool:
        return "weak" in self.flags


@dataclass(frozen=True, slots=True)
class Ids:
    """Actor ids with what the lexicon knows of them."""

    rows: Mapping[str, Mapping[str, str]]

    def kind(self, actor: str) -> str:
        row = self.rows.get(actor)
        return row["kind"] if row else "unknown"

    def coarse(self, actor: str) -> str | None:
        """The short list's id for an actor outside it, None for one on the list."""
        row = self.rows.get(actor)
        return row["coarse"] if row and row["coarse"] != actor else None

    def near(self, actor: str) -> str:
        """The short list's id of an actor."""
        return self.coarse(actor) or actor

    def name(self, actor: str) -> str | None:
        row = self.rows.get(actor)
        return row["name"] if row else None

    def armed(self, actor: str) -> bool:
        return self.kind(actor) in ARMED_KINDS or actor in UNIDENTIFIED

    def side(self, r: Reading, n: Named, actor: str | None = None) -> Side:
        actor = actor or n.id
        return Side(id=actor, coarse=self.coarse(actor), name=self.name(actor), text=r.quote(n.first, n.last),
                    span=r.span(n.first, n.last))  # fmt: skip


def actor_ids(lexicon: Lexicon) -> Ids:
    """The table of ids."""
    return Ids({row["id"]: row for row in lexicon.rows["actor_ids"]})


def actors(r: Reading, hits: Hits, ids: Ids, country: str) -> list[Named]:
    """Actors in text order, longest name first, coreferences resolved.

    country: ISO code of the country that the text is about; it decides who «the army» and «the police» are.
    """
    found: list[Named] = []
    end = 0
    words = {h.first for h in hits.of("actors")}
    words.update(i for i, w in enumerate(r.words) if w in _COREFERENCE)
    words.update(h.first for h in hits.of("cues") if h.entry.get("kind") == "both")
    for i in sorted(words):
        if i < end:
            continue
        named = _lexical(r, hits, i, country) or _pointing(r, hits, i, found, ids)
        if named is not None:
            found.append(named)
            end = named.last
    return found


def _lexical(r: Reading, hits: Hits, i: int, country: str) -> Named | None:
    hit = hits.at("actors", i)
    if hit is None:
        return None
    actor, flags = hit.entry.get("id"), hit.entry.flags
    if "local" in flags:
        actor = _local(r, hit.first, hit.last, actor, country)
    rule = "adjective" if "adjective" in flags else "name"
    return Named(i, hit.last, actor, flags, rule, hit.prefix)


_LOCAL = {
    "SY": "syrian_regime", "IQ": "iraq_gov", "YE": "yemen_gov", "LB": "lebanon_gov", "JO": "jordan_gov",
    "EG": "egypt_gov", "LY": "libya_gna", "SD": "sudan_saf", "SS": "south_sudan_gov", "SO": "somalia_gov",
    "ET": "ethiopia", "TR": "turkey", "IR": "iran", "AF": "afghanistan_gov", "PK": "pakistan_gov",
    "NG": "nigeria_gov", "ML": "mali_gov", "DZ": "algeria_gov", "TN": "tunisia_gov", "FR": "france", "GB": "uk",
    "UA": "ukraine", "IL": "israel", "PS": "israel", "SA": "saudi_arabia", "RU": "russia", "US": "usa",
}  # fmt: skip


def _local(r: Reading, first: int, last: int, actor: str, country: str) -> str:
    """«الجيش», «الشرطة»: the state's forces of the country that the text is about."""
    return _LOCAL.get(country, actor)


_COREFERENCE = frozenset("التنظيم للتنظيم بالتنظيم والتنظيم الاخير للاخير والاخير الجماعه والجماعه الحركه والحركه".split())


def _pointing(r: Reading, hits: Hits, i: int, found: list[Named], ids: Ids) -> Named | None:
    word = r.words[i]
    both = hits.at("cues", i)
    if both is not None and both.entry.get("kind") == "both":
        sides = opposing(found, ids)
        if len(sides) < 2:
            return None
        return Named(i, both.last, sides[0], frozenset(("both",)), "both-sides", "", tuple(sides[1:]))
    if word not in _COREFERENCE:
        return None
    before = found[-12:][::-1]
    if "اخير" in word:
        last = next((n for n in before if not n.weak and n.rule != "adjective" and i - n.last < 25), None)
        return Named(i, i + 1, last.id, frozenset(), "the-latter", word[0] if word[0] in "ول" else "") if last else None
    org = next((n for n in found[::-1] if "org" in n.flags and not n.weak), None)
    if org is None:
        return None
    prefix = "لل" if word.startswith("لل") else word.partition("ال")[0]
    return Named(i, i + 1, org.id, frozenset(("org",)), "coreference", prefix)


def opposing(found: list[Named], ids: Ids) -> list[str]:
    """The two camps named last: the armed actors of the recent text, one for each side of the fight."""
    sides: list[str] = []
    for n in found[::-1]:
        if n.rule == "both-sides":
            return [n.id, *n.also]
        if n.rule == "adjective" or "victim" in n.flags or not ids.armed(n.id) or n.weak:
            continue
        if n.id not in sides and not any(allied(n.id, s) for s in sides):
            sides.append(n.id)
        if len(sides) == 2:
            break
    return sides


_CAMPS: tuple[frozenset[str], ...] = (
    frozenset(("syrian_regime", "pro_regime_militia", "iran_militia", "iraqi_militia", "hezbollah", "russia", "iran")),
    frozenset(("us_coalition", "usa", "sdf", "ypg", "uk", "france")),
    frozenset(("turkey", "turkey_backed_opposition", "syrian_opposition")),
    frozenset(("yemen_gov", "saudi_coalition", "saudi_arabia", "uae", "stc")),
    frozenset(("iraq_gov", "iraq_pmf", "us_coalition", "peshmerga")),
    frozenset(("hamas", "islamic_jihad", "palestinian_factions")),
    frozenset(("afghanistan_gov", "us_coalition", "usa", "nato")),
)


def allied(a: str, b: str) -> bool:
    """Whether two actors commonly fight on one side."""
    return a == b or any(a in camp and b in camp for camp in _CAMPS)
