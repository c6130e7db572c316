"""What casualty claims are read from, and what they are."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import Category, Hedge, Outcomes
from processors.extract.actors import Named
from processors.extract.along import Along
from processors.extract.dates import Mention
from processors.extract.lexicons import Hit, Hits
from processors.text import SPACE, Reading

MOST = 500  # claims of one article; a list of more is no report
REACH = 12  # words that a governor may stand before its number
LONGEST = 160  # code points of a claim's span
Sides = tuple[tuple[str, Named | None], ...]  # actor ids with the words that name them


@dataclass(frozen=True, slots=True)
class Found:
    """A claim in words `first:last`; `governor`: word of what befell them; `part_of`: number of the larger claim."""

    first: int
    last: int
    outcome: Outcomes
    count: int | None
    hedge: Hedge
    low: int | None
    high: int | None
    unit: str
    category: Category
    sides: Sides
    rule: str
    at: int
    governor: int | None = None
    part_of: int | None = None
    side_rule: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a text's claims are read from."""

    r: Reading
    hits: Hits
    named: dict[int, Named]
    dated: dict[int, Mention]
    actors: Along[Named]
    at_war: frozenset[str] = frozenset()  # countries where a killing is taken for one of the war
    country: str = ""  # ISO code of the country that most of its places lie in
    masked: frozenset[int] = frozenset()  # words of speakers and of triggers: no roles there

    def cue(self, i: int, *kinds: str) -> Hit | None:
        return self.hits.cue(i, kinds) if i in self.hits.cues else None

    def joined(self, i: int, gap: int = SPACE) -> bool:
        """Whether word `i` exists and follows without a break."""
        return i < len(self.r.words) and self.r.gap[i] <= gap
