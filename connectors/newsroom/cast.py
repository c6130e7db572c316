"""Who plays in the newsroom: outlets, feeds and stories with their habits and troubles, drawn from a seed.

Every habit appears as often as the numbers allow: kinds are dealt like cards, times and amounts drawn.
Times are seconds since 1970.
"""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from connectors.newsroom import prose

T = TypeVar("T")
HOUR, DAY = 3600.0, 86_400.0

Dialect = Literal["rss", "rss-full", "atom", "atom-full", "rdf", "json", "news", "index", "news-gz"]
Trouble = Literal["error", "gateway", "busy", "reset", "cut", "garbage", "html", "empty"]
Validators = Literal["etag", "modified", "both", "weak", "none", "stale", "churning"]

DIALECTS: tuple[Dialect, ...] = (
    "rss",
    "rss-full",
    "atom",
    "rdf",
    "json",
    "news",
    "rss",
    "atom-full",
    "index",
    "news-gz",
)
#: Stale: answers 304 although there is news. Churning: names a new ETag and a new build date every time.
VALIDATORS: tuple[Validators, ...] = (
    "etag", "both", "modified", "etag", "both", "weak", "none", "both", "churning", "both", "etag", "stale", "modified",
)  # fmt: skip
TROUBLES: tuple[Trouble, ...] = ("error", "gateway", "busy", "reset", "cut", "garbage", "html", "empty")
CHARSETS = ("utf-8", "utf-8-bom", "windows-1256", "utf-8-as-latin", "windows-1256-undeclared", "utf-8-as-html")
GUIDS = ("permalink", "opaque", "headline", "reused", "none")
LINKS = ("plain", "tracked", "relative", "amp", "mobile", "redirector")
DATES = ("usual", "usual", "iso", "none", "usual", "arabic")
CACHING = ("", "max-age=600", "", "expires", "ttl", "no-cache")
FATES = ("moves", "", "", "wanders", "", "", "goes", "", "", "", "", "")
TEMPLATES = ("blog", "portal", "fields", "tables", "data")


@dataclass(frozen=True, slots=True)
class Phase:
    """A time of trouble."""

    begin: float
    end: float
    trouble: Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """edits: when its text changed after publication, and whether the headline did too.

    gone: from when on, and how: a status, or 302 for a redirect to the front page. barred: robots.txt forbids it.
    """

    outlet: int
    number: int
    published: float
    edits: tuple[tuple[float, bool], ...] = ()
    redated: tuple[float, float] | None = None
    gone: tuple[float, int] | None = None
    moved: float | None = None
    barred: bool = False
    feeds: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.outlet:02}-{self.number:04}"

    def revision(self, time: float) -> int:
        """Its latest revision at that time, counted from 1."""
        return 1 + sum(at <= time for at, _ in self.edits)

    def token(self, revision: int, where: str) -> str:
        """The word that tells this revision apart. where: P page, F whole text in a feed, S summary."""
        return f"NR{self.key}-{revision}{where}"

    def stated(self, time: float) -> float:
        """The publication time that is stated at that time."""
        return self.redated[1] if self.redated and self.redated[0] <= time else self.published

    def headlines(self, revision: int) -> int:
        return sum(new for _, new in self.edits[: revision - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """moved: 301 to another path from then on. wanders: 302 within this time. gone: 410 from then on."""

    number: int
    outlet: int
    path: str
    dialect: Dialect
    charset: str
    validators: Validators
    guid: str
    links: str
    dates: str
    caching: str
    window: int
    phases: tuple[Phase, ...] = ()
    moved: float | None = None
    wanders: tuple[float, float] | None = None
    gone: float | None = None
    barred: bool = False

    @property
    def key(self) -> str:
        return f"feed{self.number:03}"

    @property
    def new_path(self) -> str:
        return f"/moved{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """limit: least seconds between requests, else 429; None for an outlet that does not count.

    robots: how its robots.txt is: rules, own (rules for us by name), missing (404), failing (503 for its first hours).
    """

    number: int
    host: str
    aliases: tuple[str, ...]
    name: str
    language: str
    template: str
    robots: str
    crawl_delay: float | None
    limit: float | None
    retry_after: str
    page_validators: bool
    phases: tuple[Phase, ...] = ()


@dataclass(slots=True)
class Cast:
    outlets: list[Outlet] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes. authorities: `host:port` of each outlet; else they are called `www.outlet00.test` and so on, at `port`.

    start, days: the simulated time; stories are also published one day before. per_day: stories of a feed, on average.
    pace: everything happens so many times faster. calm: no troubles, limits, moves or deletions.
    """

    seed: int = 1
    hosts: int = 60
    feeds: int = 200
    start: float = 1_767_571_200.0  # Monday, 5 January 2026
    days: float = 7.0
    per_day: float = 6.0
    pace: float = 1.0
    port: int = 0
    authorities: tuple[str, ...] = ()
    calm: bool = False

    @property
    def end(self) -> float:
        return self.start + self.days * DAY


def draw(plan: Plan) -> Cast:
    """The same plan gives the same cast."""
    cast = Cast()
    for number in range(plan.hosts):
        cast.outlets.append(_outlet(plan, number))
    for number in range(plan.feeds):
        cast.feeds.append(_feed(plan, cast.outlets[number % plan.hosts], number))
    for outlet in cast.outlets:
        cast.stories += _stories(plan, outlet, [f for f in cast.feeds if f.outlet == outlet.number])
    return cast


def _outlet(plan: Plan, number: int) -> Outlet:
    chance = random.Random(f"{plan.seed} outlet {number}")
    language = "en" if number % 3 == 2 else "ar"
    names = prose.words(language, "outlet")
    port = f":{plan.port}" if plan.port else ""
    host = plan.authorities[number] if plan.authorities else f"www.outlet{number:02}.test{port}"
    troubled = not plan.calm
    return Outlet(
        number=number,
        host=host,
        aliases=() if plan.authorities else (f"m.outlet{number:02}.test{port}",),
        name=f"{names[number // 3 % len(names)]} {number + 1}",
        language=language,
        template=TEMPLATES[number % len(TEMPLATES)],
        robots=("rules", "own", "missing", "rules", "failing", "rules", "own")[number % 7] if troubled else "rules",
        crawl_delay=(None, None, 5.0, None, 2.5, None, None, 10.0)[number % 8] if troubled else None,
        limit=4.0 if troubled and number % 11 == 3 else None,
        retry_after="seconds" if number % 2 else "date",
        page_validators=number % 2 == 0,
        phases=_phases(chance, plan, chance.choice((1, 2)), (0.5, 5.0)) if troubled and number % 4 == 1 else (),
    )


def _phases(chance: random.Random, plan: Plan, count: int, hours: tuple[float, float]) -> tuple[Phase, ...]:
    """Times of trouble that do not overlap, none in the first hours or the last day (so that recovery can be seen)."""
    first, last = plan.start + 4 * HOUR / plan.pace, plan.end - min(1.0, plan.days / 3) * DAY
    width = (last - first) / count
    out = []
    for i in range(count):
        length = min(chance.uniform(*hours) * HOUR / plan.pace, width * 0.6)
        begin = first + i * width + chance.uniform(0, width - length)
        out.append(Phase(begin, begin + length, chance.choice(TROUBLES)))
    return tuple(out)


def _feed(plan: Plan, outlet: Outlet, number: int) -> Feed:
    chance = random.Random(f"{plan.seed} feed {number}")
    turn = (
        number // plan.hosts + number
    )  # else feeds and hosts go round in step, and habits of a host's feeds are alike
    dialect = DIALECTS[turn % len(DIALECTS)]
    charset = CHARSETS[turn % len(CHARSETS)] if dialect in ("rss", "rss-full", "rdf", "atom") else "utf-8"
    if outlet.language != "ar" and charset.startswith("windows"):
        charset = "utf-8"
    links = _dealt(plan, LINKS, "link", number)
    if links == "mobile" and not outlet.aliases:
        links = "plain"
    troubled = not plan.calm
    dates = _dealt(plan, DATES, "date", number)
    if (dates == "arabic" and outlet.language != "ar") or dialect in ("json", "atom", "atom-full"):
        dates = "none" if dates == "none" and dialect == "json" else "usual"
    middle = plan.start + chance.uniform(0.2, 0.6) * plan.days * DAY
    fate = _dealt(plan, FATES, "fate", number) if troubled else ""
    return Feed(
        number=number,
        outlet=outlet.number,
        path=_feed_path(dialect, number, barred=troubled and number % 37 == 17),
        dialect=dialect,
        charset=charset,
        validators=_dealt(plan, VALIDATORS, "validator", number),
        guid=_dealt(plan, GUIDS, "guid", number),
        links=links,
        dates=dates,
        caching=_dealt(plan, CACHING, "caching", number),
        window=chance.randint(20, 40),
        phases=_phases(chance, plan, chance.choice((1, 1, 2, 3)), (0.3, 9.0)) if troubled and number % 3 == 1 else (),
        moved=middle if fate == "moves" else None,
        wanders=(middle, middle + 20 * HOUR / plan.pace) if fate == "wanders" else None,
        gone=middle if fate == "goes" else None,
        barred=troubled and number % 37 == 17,
    )


def _dealt(plan: Plan, values: Sequence[T], kind: str, number: int) -> T:
    """The value of the card with that number, dealt from packs that hold each value once (or as often as listed)."""
    pack, card = divmod(number, len(values))
    return random.Random(f"{plan.seed} {kind} {pack}").sample(values, len(values))[card]


def _feed_path(dialect: Dialect, number: int, *, barred: bool) -> str:
    ending = {
        "json": "feed.json",
        "news": "news-sitemap.xml",
        "news-gz": "news-sitemap.xml.gz",
        "index": "sitemap_index.xml",
    }
    return f"{'/private' if barred else ''}/f{number:03}/{ending.get(dialect, 'feed.xml')}"


def _stories(plan: Plan, outlet: Outlet, feeds: list[Feed]) -> list[Story]:
    if not feeds:
        return []
    chance = random.Random(f"{plan.seed} stories {outlet.number}")
    rates = [plan.per_day * chance.choice((0.2, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8)) for _ in feeds]
    times: list[tuple[float, int]] = []
    for feed, rate in zip(feeds, rates, strict=True):
        at = plan.start - DAY / plan.pace
        while (at := at + chance.expovariate(rate / DAY * plan.pace)) < plan.end:
            times.append((float(int(at)), feed.number))
    times.sort()
    numbers = [f.number for f in feeds]
    return [
        _story(plan, chance, outlet, i, at, (of, *_elsewhere(chance, numbers, of)))
        for i, (at, of) in enumerate(times, 1)
    ]


def _elsewhere(chance: random.Random, numbers: list[int], of: int) -> tuple[int, ...]:
    """Another feed of the house that lists the story too, one time in five."""
    others = [n for n in numbers if n != of]
    return (chance.choice(others),) if others and chance.random() < 0.2 else ()


def _story(plan: Plan, chance: random.Random, outlet: Outlet, number: int, at: float, feeds: tuple[int, ...]) -> Story:
    edits = []
    for _ in range(chance.choice((0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3))):
        after = chance.choice((0.3, 0.8, 3.0, 10.0, 30.0, 60.0)) * chance.uniform(0.5, 1.2) * HOUR / plan.pace
        edits.append((float(int(at + after)), chance.random() < 0.35))
    edits.sort()
    fate = -1.0 if plan.calm else chance.random()
    later = float(int(at + chance.uniform(0.2, 40.0) * HOUR / plan.pace))
    return Story(
        outlet=outlet.number,
        number=number,
        published=at,
        edits=tuple(edits),
        gone=(later, (404, 410, 302)[number % 3]) if 0 <= fate < 0.05 else None,
        moved=later if 0.05 <= fate < 0.09 else None,
        redated=(later, later) if 0.09 <= fate < 0.13 else None,
        barred=0.13 <= fate < 0.16 and outlet.robots in ("rules", "own"),
        feeds=feeds,
    )


def trouble_at(phases: tuple[Phase, ...], time: float) -> Phase | None:
    """The phase in force."""
    return next((p for p in phases if p.begin <= time < p.end), None)


def index_before(times: list[float], time: float) -> int:
    """How many of the sorted times are past."""
    return bisect.bisect_right(times, time)


def turns(stories: list[Story]) -> list[float]:
    """Every moment at which the list of these stories may look otherwise, sorted."""
    moments = itertools.chain.from_iterable(
        (s.published, *(at for at, _ in s.edits), *(pair[0] for pair in (s.redated, s.gone) if pair)) for s in stories
    )
    return sorted(set(moments))
