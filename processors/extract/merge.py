"""Told twice is one event: frames of an article that speak of the same incident are brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from processors.extract.actors import UNIDENTIFIED, allied
from processors.extract.dates import Mention
from processors.extract.frames import Frame
from processors.extract.places import Found as Place
from processors.extract.places import apart, finest, near
from processors.extract.roles import Role
from processors.extract.sources import Speaker

SPECIFIC = frozenset(
    (
        "Suicide bomb",
        "Government regains territory",
        "Non-state actor overtakes territory",
        "Chemical weapon",
        "Grenade",
        "Excessive force against protesters",
    )
)  # tell how
COUNTED = frozenset(("victims", "people-counted"))  # an attacker's dead do not make him the target
APART_TIMES, APART_BY = 4, 5  # so far apart are no two sources' tolls of one incident
TOWNS = frozenset(("site", "town", "district"))
STATED_DAYS = 3  # a statement on an incident follows it by no more
BLAST = "Remote explosive/landmine/IED"
BLASTS = frozenset(("Suicide bomb", BLAST, "Other", "Grenade"))
BLOODLESS = frozenset(("Arrests", "Agreement", "Looting/property destruction", "Disrupted weapons use"))
UNARMED = frozenset(("civilians", "protesters", "journalists", "health_workers", "aid_workers"))
CALM = "Peaceful protest"
CAPTURES = frozenset(("Government regains territory", "Non-state actor overtakes territory"))
PROTESTS = frozenset(
    ("Peaceful protest", "Violent demonstration", "Protest with intervention", "Excessive force against protesters")
)


@dataclass(slots=True)
class Told:
    """One telling of an incident: a frame with its arguments. Lists are in text order."""

    frame: Frame
    type: str
    generic: bool
    realis: str
    date: Mention | None
    places: list[Place]
    inherited: bool  # places come from the sentences before
    roles: list[Role]
    claims: list[int]
    speakers: list[Speaker]
    keys: frozenset[str] = frozenset()
    admin: frozenset[str] = frozenset()
    sentence: int = 0
    countries: frozenset[str] = frozenset()
    headline: bool = False
    definite: bool = False  # «الهجوم», no «الهجوم الذي ...»: one that was told of before
    tallies: frozenset[tuple[str, frozenset[str], int]] = frozenset()  # (outcome, sides, count) of whole claims
    firm: bool = False  # the date is the incident's own, not that of a statement
    apart: bool = False  # its own words say that it is another one («elsewhere», «another six»)
    besides: bool = False  # its sentence goes over to something else («كما», «إلى ذلك», «من جهة أخرى»)


@dataclass(slots=True)
class Incident:
    """Tellings of one incident, the one that names it best first in `best`."""

    tellings: list[Told] = field(default_factory=list)
    _known: tuple[int, Told | None] = (0, None)  # how many tellings `best` was chosen from, and which it was

    @property
    def best(self) -> Told:
        count, best = self._known
        if best is None or count < len(self.tellings):
            best = min((*(() if best is None else (best,)), *self.tellings[count:]), key=_rank)
            self._known = len(self.tellings), best
        return best

    def begin_with(self, told: Told) -> None:
        self.tellings.insert(0, told)
        self._known = 0, None

    def lose_first(self) -> None:
        del self.tellings[0]
        self._known = 0, None

    @property
    def ordered(self) -> list[Told]:
        """The tellings, the best first."""
        best = self.best
        return [best, *(t for t in self.tellings if t is not best)]

    @property
    def compared(self) -> list[Told]:
        """The tellings that a new one must agree with: the first and the last few."""
        return self.tellings if len(self.tellings) <= 12 else [*self.tellings[:6], *self.tellings[-6:]]

    @property
    def type(self) -> str:
        return self.best.type


def _rank(t: Told) -> tuple[bool, bool, bool, int]:
    return t.generic or t.type == CALM, t.type not in SPECIFIC, t.headline, t.frame.at


def merged(tellings: Sequence[Told]) -> list[Incident]:
    """Incidents in order of their first telling."""
    out: list[Incident] = []
    for told in tellings:
        home = None if told.apart else _meant(told, out[-12:]) or _home(told, out[-12:])
        if home is None:
            out.append(Incident([told]))
        else:
            home.tellings.append(told)
    return _without_news(_with_background(_with_its_toll(out)))


def _with_its_toll(incidents: list[Incident]) -> list[Incident]:
    """A first line that counts nearly whom a later sentence counts («about 50», «at least 46») tells of that incident,
    even if what stands between was taken for it."""
    for i in incidents:
        line = i.tellings[0]
        if line.sentence or not line.tallies:
            continue
        for other in incidents:
            if other is not i and not any(t.tallies for t in i.tellings[1:]) and _counts_alike(line, other):
                other.begin_with(line)
                i.lose_first()
                return [x for x in incidents if x.tellings]
    return incidents


def _counts_alike(line: Told, other: Incident) -> bool:
    near = any(outcome == theirs and sides and sides == whose and max(count, number) <= ALIKE * min(count, number)
               and count >= TELLING
               for outcome, sides, count in line.tallies for t in other.tellings
               for theirs, whose, number in t.tallies)  # fmt: skip
    return near and all(line.realis == t.realis and _types(line, t) and _dates(line, t) and not _elsewhere(line, t)
                        for t in other.compared)  # fmt: skip


ALIKE = 1.25  # times: a first line rounds


def _latest(incidents: Sequence[Incident]) -> list[Incident]:
    """The latest first; those that are told as another one, in passing, behind the rest."""
    latest = list(incidents)[::-1]
    return sorted(latest, key=lambda i: i.tellings[0].apart)


def _meant(told: Told, incidents: Sequence[Incident]) -> Incident | None:
    """«منفذ [الاعتداء]», «بعد [الهجوم]»: the latest incident that a definite word without a day or place of its own may
    mean; it is news or background as that one is."""
    if not told.definite or told.firm:
        return None
    for incident in _latest(incidents):
        if all((_types(told, t) or {told.type, t.type} == {"Armed clash", BLAST}) and _sides(told, t)
               and not _elsewhere(told, t) for t in incident.compared):  # fmt: skip
            told.realis = incident.best.realis
            return incident
    return None


def _home(told: Told, incidents: Sequence[Incident]) -> Incident | None:
    """The incident that a telling belongs to: nothing speaks against it, and its place is that of one of its tellings;
    of its own type before another, the latest first."""
    open_to = [i for i in _latest(incidents) if not any(_against(told, t) for t in i.compared)
               and any(_places(told, t) for t in i.compared)]  # fmt: skip
    return next((i for i in open_to if i.type == told.type), open_to[0] if open_to else None)


def _with_background(incidents: list[Incident]) -> list[Incident]:
    """What headline or lead tell as news, and a later sentence with the same toll and an earlier day, is one incident:
    the news is what came of it (a burial, an arrest, a trial)."""
    news = [i for i in incidents if i.best.realis == "reported" and any(t.sentence <= LEAD for t in i.tellings)]
    gone: list[Incident] = []
    for older in incidents:
        if older.best.realis != "recap":
            continue
        for i in news:
            told = _same_toll(older, i) or _its_day(older, i)
            if told and all(_types(t, u) and _sides(t, u) and not _elsewhere(t, u)
                            for t in older.compared for u in i.compared):  # fmt: skip
                for t in older.tellings:
                    t.realis = "reported"
                i.tellings += older.tellings
                gone.append(older)
                break
    return [i for i in incidents if not any(i is g for g in gone)]


def _its_day(older: Incident, news: Incident) -> bool:
    """Whether the first lines tell, with the day of an announcement alone, what a later sentence gives its own, earlier
    day: of one type, at one place, by one side, with no other number of dead; without a day with the same."""
    if any(t.firm and t.date is not None for t in news.tellings):
        return False
    first = older.tellings[0]
    dated = [t.date for t in older.tellings if t.firm and t.date is not None and t.date.precision == "day"]
    said = [t.date.start for t in news.tellings if t.date is not None and t.date.start is not None]
    if not dated or first.besides or first.apart or first.sentence > LEAD + 2 or older.type != news.type:
        return False
    if any(d.start is None or any((day - d.start).days > ANNOUNCED for day in said) for d in dated):
        return False
    by = [t for t in news.tellings if not t.inherited and t.keys & first.keys and _sides_named(t) & _sides_named(first)]
    mine, theirs = _most(older), _most(news)
    alike = all(theirs.get(k, n) == n for k, n in mine.items())
    return bool(by) and not first.inherited and alike and (bool(said) or bool(mine.keys() & theirs.keys()))


ANNOUNCED = 100  # days from an incident to the news about it


def _without_news(incidents: list[Incident]) -> list[Incident]:
    """An article of which neither headline nor lead nor a day tells news is all background: what it goes on about
    without a day («قصف المفاعل رسالة ...») is what it told of before."""
    fresh = [i for i in incidents if i.best.realis == "reported"]
    if len(fresh) == len(incidents) or any(t.sentence <= LEAD or t.firm for i in fresh for t in i.tellings):
        return incidents
    gone: list[Incident] = []
    for i in fresh:
        for older in incidents:
            if older.best.realis == "recap" and all(_types(t, u) and _sides(t, u) and not _elsewhere(t, u)
                                                    and (t.inherited or (t.keys and t.keys <= u.keys))
                                                    for t in i.compared for u in older.compared):  # fmt: skip
                for t in i.tellings:
                    t.realis = "recap"
                older.tellings += i.tellings
                gone.append(i)
                break
    return [i for i in incidents if not any(i is g for g in gone)]


def _same_toll(a: Incident, b: Incident) -> bool:
    """Whether the largest number of some outcome is the same in both; a month's total beside a day's dead is not."""
    first, second = _most(a), _most(b)
    return any(count >= TELLING and second.get(outcome) == count for outcome, count in first.items()) and all(
        second.get(outcome, count) >= count for outcome, count in first.items())  # fmt: skip


def _most(incident: Incident) -> dict[str, int]:
    """Outcome → largest number of whole claims."""
    out: dict[str, int] = {}
    for t in incident.tellings:
        for outcome, _, count in t.tallies:
            out[outcome] = max(count, out.get(outcome, 0))
    return out


LEAD = 2  # the last sentence of headline and lead
TELLING = 3  # smaller numbers meet by chance


def _against(a: Told, b: Told) -> bool:
    """Whether two tellings can not be of one incident: what befell, when, where or who did it."""
    alike = a.realis == b.realis and _types(a, b) and _dates(a, b) and _sides(a, b)
    return not alike or (_elsewhere(a, b) and not _recounted(a, b)) or _other_toll(a, b) or _besides(a, b)


def _recounted(a: Told, b: Told) -> bool:
    """Whether the first lines count the same people twice: then one of the places is a landmark, or another story's."""
    if max(a.sentence, b.sentence) > LEAD + 1 or not (a.generic or b.generic):
        return False
    return any(outcome == other and count == number >= TELLING and (sides == theirs or not (sides and theirs))
               for outcome, sides, count in a.tallies for other, theirs, number in b.tallies)  # fmt: skip


def _besides(a: Told, b: Told) -> bool:
    """Whether the later telling goes over to something else in another town or village («كما قصفت ... بلدة كذا»)."""
    first, later = (a, b) if a.frame.at <= b.frame.at else (b, a)
    if not later.besides or first.headline or first.sentence == later.sentence or first.inherited or later.inherited:
        return False
    if not first.places or not later.places:
        return False
    x, y = first.places[0], later.places[0]
    told = any(p.form == x.form or (p.row is not None and p.row is x.row) for p in later.places)
    return x.precision in TOWNS and y.precision in TOWNS and not told and not near(x, y)


def _other_toll(a: Told, b: Told) -> bool:
    """Whether two tellings count the same people's fate, and one of them several times what the other does."""
    if a.headline and b.sentence <= 2:
        return False  # a headline may round, or count those of several places
    for outcome, sides, count in a.tallies:
        for other, theirs, number in b.tallies:
            least, most = min(count, number), max(count, number)
            if outcome == other and sides == theirs and most >= APART_TIMES * least and most - least >= APART_BY:
                return True
    return False


def _types(a: Told, b: Told) -> bool:
    if PROTESTS & {a.type, b.type}:
        return _protests(a, b)
    pair = {a.type, b.type}
    if len(pair) == 1 or ((a.generic or b.generic) and pair != {"Armed clash", BLAST} and not pair & BLOODLESS):
        return True
    if pair & {"Disrupted weapons use"} and (a.generic or b.generic) and a.headline != b.headline:
        return abs(a.sentence - b.sentence) <= 1  # «إحباط هجوم», «أحبط ... هجوماً»
    if "Armed clash" in pair and pair & CAPTURES and a.sentence == b.sentence:
        return True  # what falls takes in the fight for it
    if pair == {"Air/drone strike", "Shelling/artillery/missile attack"}:
        named = _sides_named(a), _sides_named(b)
        return bool(a.keys & b.keys) or named[0] == named[1] or not all(named)
    return pair <= BLASTS or pair <= CAPTURES


def _protests(a: Told, b: Told) -> bool:
    """A protest is one with what it became («تظاهر المئات ... وفرقت الشرطة»), with a clash of its crowd, and with the
    hurt that its own sentence or the next one counts."""
    pair = {a.type, b.type}
    if pair <= PROTESTS:
        return True
    vague = [t.frame.flags for t in (a, b) if t.generic]
    if any("fire" in flags for flags in vague):
        return True
    if any("kill" in flags for flags in vague):
        near = abs(a.sentence - b.sentence) <= 1
        return near or all(_bystanders(t) for t in (a, b) if t.generic)
    return "Armed clash" in pair and bool(_actors(a) & _actors(b) - {"protesters"})


def _bystanders(t: Told) -> bool:
    """Whether a telling names no attacker and but unarmed people as hit."""
    return all(r.role == "target" and r.actor in UNARMED for r in t.roles)


def _actors(t: Told) -> frozenset[str]:
    return frozenset(r.actor for r in t.roles)


def _sides_named(t: Told) -> frozenset[str]:
    return frozenset(r.actor for r in t.roles if r.role == "attacker")


def _dates(a: Told, b: Told) -> bool:
    """Whether two tellings may be of one day; a statement comes after what it tells of, within a few days."""
    x, y = a.date, b.date
    if x is None or y is None or x.start is None or y.start is None or x.end is None or y.end is None:
        return True
    if a.firm != b.firm:
        said, done = (y, x) if a.firm else (x, y)
        return done.start <= said.end and (said.start - done.end).days <= STATED_DAYS  # type: ignore[operator]
    return x.start <= y.end and y.start <= x.end


def _elsewhere(a: Told, b: Told) -> bool:
    """Whether the places that two tellings name themselves lie apart, however wide they are."""
    if a.inherited or b.inherited:
        return False
    x, y = finest(a.places), finest(b.places)
    if any(p.row is q.row for one, all_ in ((x, b.places), (y, a.places)) for p in one for q in all_):
        return False
    return bool(x and y) and all(apart(p, q) for p in x for q in y)


def _places(a: Told, b: Told) -> bool:
    if not a.keys or not b.keys or a.keys & b.keys or _recounted(a, b):
        return True
    if a.keys & b.admin or b.keys & a.admin:
        return True
    if a.headline != b.headline and a.countries & b.countries and abs(a.sentence - b.sentence) <= 3:
        return True  # headlines name the province or the next big town
    if any(near(p, q) for p in a.places for q in b.places):
        return True
    if any(all(p.precision == "region" for p in t.places) for t in (a, b)) and a.countries & b.countries:
        return True
    unknown = (a.type == b.type or a.generic or b.generic) and any(not any(p.row for p in t.places) for t in (a, b))
    return a.inherited or b.inherited or (unknown and abs(a.sentence - b.sentence) <= 4)


def _sides(a: Told, b: Told) -> bool:
    if a.type == b.type == "Armed clash" and (_fight(a, b) or _fight(b, a)):
        return True  # the one who strikes back fights the same fight
    if {a.type, b.type} <= PROTESTS and abs(a.sentence - b.sentence) <= 1:
        return True  # a crowd and those who drive it apart
    x, y = _sides_named(a) - UNIDENTIFIED, _sides_named(b) - UNIDENTIFIED
    if x and y and not any(allied(p, q) for p in x for q in y):
        return False
    p = {r.actor for r in a.roles if r.role == "target" and r.rule not in COUNTED} - UNIDENTIFIED
    q = {r.actor for r in b.roles if r.role == "target" and r.rule not in COUNTED} - UNIDENTIFIED
    crossed = (x and q and any(i in q for i in x)) or (y and p and any(i in p for i in y))
    return not crossed


def _fight(a: Told, b: Told) -> bool:
    """Whether the first telling names both sides of a fight, and the second nobody else."""
    sides = _actors(a) - {"civilians"}
    others = _actors(b) - {"civilians"}
    return len(sides) > 1 and bool(others) and all(any(allied(x, y) for y in sides) for x in others)
