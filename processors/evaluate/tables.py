"""Counts, and the measures made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.records import Event

TABLES = (
    "claims_found",
    "claims_exact",
    "claims_complete",
    "claims_numbered",
    "events_found",
    "events_strict",
    "recaps_found",
)
FIELDS = ("date", "place", "attacker", "target")
#: Fields of fresh events and claims that were found.
SLOTS = (
    "date", "date_tight", "place", "place25", "attacker", "target", "type_best", "side", "scope", "realis", "hedge",
    "part_of", "linked", "sources", "denied",
)  # fmt: skip

#: Kinds of error in the order of a report: name → what it is.
ERRORS: dict[str, str] = {
    "event-missed": "an event of the gold that no record tells as news",
    "event-type": "a record on words of the gold, of a type that is not accepted there or told once more",
    "event-extra": "a record of news where the gold has none",
    "recap-as-news": "background told as news",
    "news-as-recap": "news told as background",
    "recap-missed": "background of the gold that no record tells",
    "event-date": "the event was found, its date is wrong or too wide",
    "event-place": "the event was found, its place is wrong or one of too many",
    "event-attacker": "the event was found, its attacker is wrong, missing or not in the text",
    "event-target": "the event was found, its target is wrong or missing",
    "event-source": "the event was found, who says so is missing",
    "event-denial": "the event was found, who denies it is missing",
    "claim-missed": "a number of people in the gold that no claim tells",
    "claim-extra": "a claim that the gold does not have",
    "claim-side": "the number was found, whose people they are is wrong",
    "claim-scope": "the number was found, a running total told as an incident's or the reverse",
    "claim-hedge": "the number was found, its hedge is wrong",
    "claim-part": "the number was found, its larger claim is missing or wrong",
    "claim-event": "the number was found, it hangs on another event",
    "quote": "evidence that is not what stands at its span",
}


@dataclass(slots=True)
class Tally:
    """right, wrong: of what was said. hit, missed: of what the gold requires."""

    right: int = 0
    wrong: int = 0
    hit: int = 0
    missed: int = 0

    def said(self, well: bool) -> None:
        if well:
            self.right += 1
        else:
            self.wrong += 1

    def required(self, well: bool) -> None:
        if well:
            self.hit += 1
        else:
            self.missed += 1

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 0.0

    @property
    def recall(self) -> float:
        """Where nothing is required: 1 if what was said is in order, else 0."""
        if self.hit + self.missed:
            return self.hit / (self.hit + self.missed)
        return float(self.right > 0 or self.wrong == 0)

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(slots=True)
class Share:
    """So many of so many."""

    part: int = 0
    of: int = 0

    def count(self, well: bool) -> None:
        self.part += well
        self.of += 1

    @property
    def value(self) -> float | None:
        return self.part / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Error:
    """One disagreement. item: id in the gold, of the record where the gold has nothing. wanted: what the gold accepts
    in the field at fault. said: what the record says."""

    kind: str
    document: str
    item: str
    quote: str
    wanted: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A record told as news. found: the gold has it, of that type; strict: with all four fields right."""

    event: Event
    found: bool
    strict: bool


@dataclass(slots=True)
class Sheet:
    """What one document earns, or several together."""

    documents: int = 1
    tables: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in TABLES})
    slots: dict[str, Share] = field(default_factory=lambda: {name: Share() for name in SLOTS})
    recap_slots: dict[str, Share] = field(default_factory=lambda: {name: Share() for name in FIELDS})
    roles: Share = field(default_factory=Share)  # ids named that are accepted or kin
    leaks: Share = field(default_factory=Share)  # recaps and running totals told as news
    quiet: Share = field(default_factory=Share)  # documents without news in which news was told
    quiet_records: int = 0
    quotes: Share = field(default_factory=Share)  # evidence that differs from its span
    errors: list[Error] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)


def total(sheets: Iterable[Sheet]) -> Sheet:
    """All sheets as one."""
    out = Sheet(documents=0)
    for sheet in sheets:
        out.documents += sheet.documents
        for name, tally in sheet.tables.items():
            _add(out.tables[name], tally)
        for mine, theirs in ((out.slots, sheet.slots), (out.recap_slots, sheet.recap_slots)):
            for name, share in theirs.items():
                _join(mine[name], share)
        for one, other in (
            (out.roles, sheet.roles),
            (out.leaks, sheet.leaks),
            (out.quiet, sheet.quiet),
            (out.quotes, sheet.quotes),
        ):
            _join(one, other)
        out.quiet_records += sheet.quiet_records
        out.errors += sheet.errors
        out.judged += sheet.judged
    return out


def intervals(sheets: Sequence[Sheet], draws: Iterable[Sequence[int]]) -> dict[str, tuple[float, float] | None]:
    """The middle 95% of each table's F1 over draws of documents (indices, with repeats): Efron's bootstrap."""
    found: dict[str, list[float]] = {name: [] for name in TABLES}
    for draw in draws:
        for name in TABLES:
            tally = Tally()
            for k in draw:
                _add(tally, sheets[k].tables[name])
            found[name].append(round(tally.f1, 3))
    return {name: _middle(sorted(values)) for name, values in found.items()}


def _middle(ordered: list[float]) -> tuple[float, float] | None:
    tail = len(ordered) // 40
    beyond = -(-len(ordered) // 40)
    return (ordered[tail], ordered[-beyond - 1]) if ordered else None


def _add(to: Tally, tally: Tally) -> None:
    to.right += tally.right
    to.wrong += tally.wrong
    to.hit += tally.hit
    to.missed += tally.missed


def _join(to: Share, share: Share) -> None:
    to.part += share.part
    to.of += share.of
