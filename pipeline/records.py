"""The records that travel on the topics: frozen, typed, documented. `docs/events.md` tells their meaning at length.

Everything that stands here is a promise to readers outside: a field is never given a new meaning and never vanishes
within a schema version (`tests/pipeline/test_schemas.py` keeps that). Offsets count Unicode code points of an article's
reading text, `title + "\\n\\n" + body` (the body alone where there is no title), end exclusive.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta


def doc(text: str) -> Meta:
    """A field's one-sentence meaning; it goes into the exported JSON Schema."""
    return Meta(description=text)


UTC = Annotated[dt.datetime, Meta(tz=True)]


def _in_utc(record: object, *names: str) -> None:
    """Turns the times of a record that is being made into UTC, so that equal moments have equal bytes.

    Raises: ValueError for a time without a zone or outside the calendar (msgspec makes it a validation error).
    """
    for name in names:
        at: dt.datetime | None = getattr(record, name)
        if at is None or at.tzinfo is dt.UTC:
            continue
        if at.tzinfo is None:
            raise ValueError(f"{name} is a time without a zone")
        try:
            object.__setattr__(record, name, at.astimezone(dt.UTC))
        except OverflowError as e:
            raise ValueError(f"{name} lies outside the calendar") from e


Span = tuple[int, int]

Verdicts = Literal["unique", "exact_duplicate", "near_duplicate", "syndicated", "revision"]
Realis = Literal["reported", "recap", "planned", "hypothetical", "denied"]
Outcomes = Literal[
    "killed", "injured", "captured", "missing", "displaced", "released", "neutralised", "killed_or_injured"
]
Hedge = Literal[
    "exact",
    "at_least",
    "at_most",
    "more_than",
    "less_than",
    "about",
    "dozens",
    "hundreds",
    "thousands",
    "unspecified",
]
Category = Literal[
    "combatant",
    "civilian",
    "child",
    "woman",
    "journalist",
    "health_worker",
    "aid_worker",
    "detainee",
    "unknown",
]
EventType = Literal[
    "Battles",
    "Explosions/Remote violence",
    "Violence against civilians",
    "Protests",
    "Riots",
    "Strategic developments",
]
SubEventType = Literal[
    "Armed clash", "Government regains territory", "Non-state actor overtakes territory",
    "Air/drone strike", "Shelling/artillery/missile attack", "Suicide bomb", "Remote explosive/landmine/IED",
    "Grenade", "Chemical weapon",
    "Attack", "Abduction/forced disappearance", "Sexual violence",
    "Peaceful protest", "Protest with intervention", "Excessive force against protesters",
    "Violent demonstration", "Mob violence",
    "Agreement", "Arrests", "Change to group/activity", "Disrupted weapons use", "Headquarters or base established",
    "Looting/property destruction", "Non-violent transfer of territory", "Other",
]  # fmt: skip

#: ACLED's codebook: the event type that each sub-event type stands under.
EVENT_TYPE_OF: Mapping[SubEventType, EventType] = {
    "Armed clash": "Battles",
    "Government regains territory": "Battles",
    "Non-state actor overtakes territory": "Battles",
    "Air/drone strike": "Explosions/Remote violence",
    "Shelling/artillery/missile attack": "Explosions/Remote violence",
    "Suicide bomb": "Explosions/Remote violence",
    "Remote explosive/landmine/IED": "Explosions/Remote violence",
    "Grenade": "Explosions/Remote violence",
    "Chemical weapon": "Explosions/Remote violence",
    "Attack": "Violence against civilians",
    "Abduction/forced disappearance": "Violence against civilians",
    "Sexual violence": "Violence against civilians",
    "Peaceful protest": "Protests",
    "Protest with intervention": "Protests",
    "Excessive force against protesters": "Protests",
    "Violent demonstration": "Riots",
    "Mob violence": "Riots",
    "Agreement": "Strategic developments",
    "Arrests": "Strategic developments",
    "Change to group/activity": "Strategic developments",
    "Disrupted weapons use": "Strategic developments",
    "Headquarters or base established": "Strategic developments",
    "Looting/property destruction": "Strategic developments",
    "Non-violent transfer of territory": "Strategic developments",
    "Other": "Strategic developments",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """Where the raw bytes of an article lie."""

    file: Annotated[str, doc("Archive file, relative to the folder it was replayed from")]
    offset: Annotated[int | None, doc("Byte offset in the uncompressed file (WARC: in the file as it is)")] = None
    length: Annotated[int | None, doc("Length in bytes")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One text as an outlet published it at one moment (topic `articles`)."""

    schema: Annotated[Literal["rasd.article/1"], doc("Schema name and version")] = "rasd.article/1"
    id: Annotated[
        str,
        doc("UUIDv5 of the canonical URL, of the content hash where there is none; the same over all revisions"),
    ]
    source_id: Annotated[str | None, doc("Id that a foreign archive gave the article")] = None
    url: Annotated[str | None, doc("Address as fetched")] = None
    canonical_url: Annotated[str | None, doc("Address without tracking parameters and fragments")] = None
    outlet: Annotated[str | None, doc("Who published it: a short name, else the host")] = None
    feed: Annotated[str | None, doc("Address or file of the feed that announced it")] = None
    language: Annotated[str | None, doc("ISO 639-1 code of the text")] = None
    title: Annotated[str | None, doc("Headline, unaltered")] = None
    body: Annotated[str, doc("Text under the headline, paragraphs parted by line breaks")]
    partial: Annotated[bool, doc("True where only a feed's summary was to be had")] = False
    author: Annotated[str | None, doc("Author line")] = None
    section: Annotated[str | None, doc("Section or category that the outlet files it under")] = None
    published: Annotated[UTC | None, doc("Publication time, UTC; null if nobody says")] = None
    published_basis: Annotated[
        Literal["page", "feed", "archive", "option", "unknown"], doc("Who says when it was published")
    ] = "unknown"
    updated: Annotated[UTC | None, doc("Last change as the page states it, UTC")] = None
    fetched: Annotated[
        UTC | None, doc("When it was fetched, UTC; from the archive on replay, never from the clock")
    ] = None
    content_hash: Annotated[str, doc("Hash of headline and body, white space folded: tells revisions apart")]
    archive: Annotated[Archived | None, doc("Where its raw bytes lie")] = None

    def __post_init__(self) -> None:
        _in_utc(self, "published", "updated", "fetched")

    @property
    def text(self) -> str:
        """The reading text: what every offset counts in."""
        return reading_text(self.title, self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a feed or sitemap says of one article (topic `entries`): what the fetcher goes and reads."""

    schema: Annotated[Literal["rasd.entry/1"], doc("Schema name and version")] = "rasd.entry/1"
    feed: Annotated[str, doc("Address or file of the feed")]
    outlet: Annotated[str | None, doc("Name of the outlet, as the list of feeds or the feed itself gives it")] = None
    url: Annotated[str | None, doc("Where the article stands, made absolute")] = None
    source_id: Annotated[str | None, doc("The feed's own id of it (guid); neither unique nor lasting")] = None
    language: Annotated[str | None, doc("ISO 639-1 code, as the feed or the list of feeds states it")] = None
    title: Annotated[str | None, doc("Headline, unaltered")] = None
    body: Annotated[str, doc("The feed's own text of it, paragraphs parted by line breaks; may be empty")] = ""
    partial: Annotated[bool, doc("True where `body` is only a summary")] = False
    author: Annotated[str | None, doc("Author line")] = None
    section: Annotated[str | None, doc("Category")] = None
    published: Annotated[UTC | None, doc("Publication time, UTC; null if the feed does not say")] = None
    updated: Annotated[UTC | None, doc("Last change as the feed states it, UTC")] = None
    seen: Annotated[UTC | None, doc("When the feed's answer that holds it was fetched, UTC")] = None
    archive: Annotated[Archived | None, doc("Where the raw bytes of that answer lie")] = None

    def __post_init__(self) -> None:
        _in_utc(self, "published", "updated", "seen")


def reading_text(title: str | None, body: str) -> str:
    """`title + blank line + body`, or the body alone where there is no title."""
    return f"{title}\n\n{body}" if title else body


@dataclass(frozen=True, slots=True, kw_only=True)
class Reused:
    """A passage that stood in an older article."""

    start: Annotated[int, doc("Where it begins in this article")]
    end: Annotated[int, doc("Where it ends, exclusive")]
    of: Annotated[str, doc("Article id of the older text")]
    of_start: Annotated[int, doc("Where the passage begins there")]
    first_published: Annotated[UTC | None, doc("When the passage first appeared")] = None

    def __post_init__(self) -> None:
        _in_utc(self, "first_published")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A passage that a revision put in the place of another; empty on one side where text was added or cut."""

    start: Annotated[int, doc("Where it begins in this article")]
    end: Annotated[int, doc("Where it ends, exclusive")]
    of_start: Annotated[int, doc("Where the passage that it replaces begins in the revision before")]
    of_end: Annotated[int, doc("Where that ends, exclusive")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What deduplication says of one article revision (topic `verdicts`)."""

    schema: Annotated[Literal["rasd.verdict/1"], doc("Schema name and version")] = "rasd.verdict/1"
    article_id: Annotated[str, doc("The article judged")]
    revision: Annotated[int, doc("1 for the first text under this id, then counted up at every change of text")]
    verdict: Annotated[Verdicts, doc("How it relates to what came before")]
    of: Annotated[str | None, doc("Article id that it repeats or revises")] = None
    cluster: Annotated[str | None, doc("Stable id of the story's cluster: the id of its first article")] = None
    origin: Annotated[str | None, doc("Agency credited with the text")] = None
    similarity: Annotated[float | None, doc("0..1, share of text in common with `of`")] = None
    contained: Annotated[float | None, doc("0..1, share of this text that stands in `of`")] = None
    contains: Annotated[float | None, doc("0..1, share of the text of `of` that stands in this one")] = None
    reused: Annotated[tuple[Reused, ...], doc("Passages known from older articles of other stories")] = ()
    merges: Annotated[tuple[str, ...], doc("Clusters that this text shows to be part of `cluster`")] = ()
    changed: Annotated[tuple[Changed, ...], doc("Of a revision: where it differs from the revision before")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """An article with its verdict: what extraction reads (topic `unique`)."""

    schema: Annotated[Literal["rasd.unique/1"], doc("Schema name and version")] = "rasd.unique/1"
    article: Annotated[Article, doc("The article")]
    verdict: Annotated[Verdict, doc("What deduplication says of it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDate:
    """When, and how we know."""

    start: Annotated[dt.date | None, doc("First day")] = None
    end: Annotated[dt.date | None, doc("Last day, inclusive")] = None
    precision: Annotated[Literal["day", "days", "week", "month", "year", "unknown"], doc("Width of the range")] = (
        "unknown"
    )
    basis: Annotated[
        Literal["text", "relative", "published"],
        doc("A date in the text; words relative to publication; nothing but the publication date"),
    ] = "published"
    text: Annotated[str | None, doc("The words")] = None
    span: Annotated[Span | None, doc("Where they stand")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The time that a running total covers."""

    start: Annotated[dt.date | None, doc("First day")] = None
    end: Annotated[dt.date | None, doc("Last day, inclusive")] = None
    text: Annotated[str | None, doc("The words")] = None
    span: Annotated[Span | None, doc("Where they stand")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where; a place that no gazetteer knows keeps its words, coordinates null."""

    text: Annotated[str, doc("The words")]
    span: Annotated[Span, doc("Where they stand")]
    name: Annotated[str | None, doc("Name in the gazetteer")] = None
    country: Annotated[str | None, doc("ISO 3166-1 alpha-2")] = None
    admin1: Annotated[str | None, doc("First-level division")] = None
    lat: Annotated[float | None, doc("Degrees north, WGS 84")] = None
    lon: Annotated[float | None, doc("Degrees east, WGS 84")] = None
    precision: Annotated[
        Literal["site", "town", "district", "province", "region", "country"] | None,
        doc("What kind of place it is"),
    ] = None
    radius_km: Annotated[float | None, doc("How far from the point the place may reach")] = None
    gazetteer_id: Annotated[str | None, doc("Id in the gazetteer")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """People on one side of a conflict: whose dead a claim counts."""

    id: Annotated[str, doc("Actor id")]
    coarse: Annotated[str | None, doc("Id of the short list, where `id` is not on it")] = None
    name: Annotated[str | None, doc("English name")] = None
    text: Annotated[str | None, doc("The words")] = None
    span: Annotated[Span | None, doc("Where they stand")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it, to whom."""

    role: Annotated[
        Literal["attacker", "target", "participant"], doc("`participant` where sides fight and nobody began")
    ]
    id: Annotated[str, doc("Actor id")]
    coarse: Annotated[str | None, doc("Id of the short list, where `id` is not on it")] = None
    name: Annotated[str | None, doc("English name")] = None
    kind: Annotated[
        Literal["state", "rebel", "militia", "external", "political", "civilian", "unknown"],
        doc("Kind of actor"),
    ] = "unknown"
    text: Annotated[str, doc("The words")]
    span: Annotated[Span, doc("Where they stand")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who says so."""

    name: Annotated[str, doc("Name")]
    id: Annotated[str | None, doc("Actor or source id")] = None
    stance: Annotated[Literal["asserts", "denies", "doubts"], doc("What the speaker does with the statement")] = (
        "asserts"
    )
    text: Annotated[str, doc("The words")]
    span: Annotated[Span, doc("Where they stand")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of a number of people. Never add two claims: sums use primary claims without `part_of`."""

    outcome: Annotated[Outcomes, doc("What befell them")]
    count: Annotated[int | None, doc("The number as written; null for vague words, never invented")] = None
    unit: Annotated[Literal["person", "household"], doc("What is counted")] = "person"
    low: Annotated[int | None, doc("Lower bound, if the words give one")] = None
    high: Annotated[int | None, doc("Upper bound, if the words give one")] = None
    hedge: Annotated[Hedge, doc("How the number is qualified")] = "exact"
    group: Annotated[tuple[Side, ...], doc("Every side whose people they are")] = ()
    category: Annotated[Category, doc("What kind of people")] = "unknown"
    sources: Annotated[tuple[int, ...], doc("Who says this number: indices into the record's `sources`")] = ()
    part_of: Annotated[int | None, doc("Index of the larger claim of this record that includes this one")] = None
    primary: Annotated[bool, doc("The one claim for its outcome and side that sums may use")] = False
    span: Annotated[Span, doc("Where the number and its people stand (at most 160 code points)")]
    mentions: Annotated[tuple[Span, ...], doc("Other places of the article that say the same")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A clause that states the fact, to the letter."""

    start: Annotated[int, doc("Where the clause begins")]
    end: Annotated[int, doc("Where it ends, exclusive")]
    quote: Annotated[str, doc("The clause, to the letter")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The rule that filled a field and the words it used."""

    rule: Annotated[str, doc("Id of the rule")]
    span: Annotated[Span | None, doc("The words it used")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extractor:
    """What read the text."""

    name: Annotated[str, doc("Name of the extractor")]
    version: Annotated[str, doc("Its version")]
    lexicon: Annotated[str, doc("Hash of its data files, an imported gazetteer included")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One incident that one article asserts (topic `events`)."""

    kind: Annotated[Literal["event"], doc("What the record is")] = "event"
    schema: Annotated[Literal["rasd.event/1"], doc("Schema name and version")] = "rasd.event/1"
    id: Annotated[str, doc("UUIDv5 of article id, sub_event_type, first day, first place and ordinal among equals")]
    article_id: Annotated[str, doc("The article that says so")]
    revision: Annotated[int, doc("Revision of the article")]
    url: Annotated[str | None, doc("Address of the article")] = None
    outlet: Annotated[str | None, doc("Who published it")] = None
    language: Annotated[str | None, doc("ISO 639-1 code of the text")] = None
    published: Annotated[UTC | None, doc("Publication time, UTC")] = None
    realis: Annotated[Realis, doc("The news, background, or not (yet) so")] = "reported"
    event_type: Annotated[EventType, doc("ACLED's event type")]
    sub_event_type: Annotated[SubEventType, doc("ACLED's sub-event type")]
    date: Annotated[EventDate, doc("When")]
    places: Annotated[tuple[Place, ...], doc("Where, most specific first")] = ()
    actors: Annotated[tuple[Actor, ...], doc("Who; nobody who is not named")] = ()
    civilian_targeting: Annotated[bool, doc("True if the target is civilians")] = False
    casualties: Annotated[tuple[Claim, ...], doc("What befell how many, by whose word")] = ()
    sources: Annotated[tuple[Source, ...], doc("Who says so")] = ()
    evidence: Annotated[
        tuple[Evidence, ...],
        doc("Clauses that state it, trigger first; each at most 240 code points, 720 in all"),
    ]
    confidence: Annotated[float, doc("0..1")]
    why: Annotated[dict[str, tuple[Why, ...]], doc("Per field, the rules that filled it")] = field(default_factory=dict)
    extractor: Annotated[Extractor, doc("What read the text")]

    def __post_init__(self) -> None:
        _in_utc(self, "published")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Arithmetic that holds inside the article: a sum of parts, or before + plus = after."""

    sum: Annotated[tuple[int, ...] | None, doc("Parts that add up to `total`")] = None
    total: Annotated[int | None, doc("What the parts add up to")] = None
    before: Annotated[int | None, doc("The earlier total")] = None
    plus: Annotated[int | None, doc("What the news adds")] = None
    after: Annotated[int | None, doc("The new total: before + plus")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """A running total over a period, a series or several areas (topic `events`). Never an incident's deaths."""

    kind: Annotated[Literal["toll"], doc("What the record is")] = "toll"
    schema: Annotated[Literal["rasd.toll/1"], doc("Schema name and version")] = "rasd.toll/1"
    id: Annotated[str, doc("UUIDv5 of article id, outcome, sides, last day and ordinal among equals")]
    article_id: Annotated[str, doc("The article that says so")]
    revision: Annotated[int, doc("Revision of the article")]
    url: Annotated[str | None, doc("Address of the article")] = None
    outlet: Annotated[str | None, doc("Who published it")] = None
    language: Annotated[str | None, doc("ISO 639-1 code of the text")] = None
    published: Annotated[UTC | None, doc("Publication time, UTC")] = None
    period: Annotated[Period, doc("The time it covers")]
    places: Annotated[tuple[Place, ...], doc("Where, most specific first")] = ()
    casualties: Annotated[tuple[Claim, ...], doc("What befell how many, by whose word")]
    sources: Annotated[tuple[Source, ...], doc("Who says so")] = ()
    evidence: Annotated[tuple[Evidence, ...], doc("Clauses that state it")]
    reconciles: Annotated[tuple[Reconciliation, ...], doc("Arithmetic that holds inside the article")] = ()
    confidence: Annotated[float, doc("0..1")]
    why: Annotated[dict[str, tuple[Why, ...]], doc("Per field, the rules that filled it")] = field(default_factory=dict)
    extractor: Annotated[Extractor, doc("What read the text")]

    def __post_init__(self) -> None:
        _in_utc(self, "published")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """What the extractor made of one article revision: it closes the set of events and tolls (topic `events`)."""

    kind: Annotated[Literal["coding"], doc("What the record is")] = "coding"
    schema: Annotated[Literal["rasd.coding/1"], doc("Schema name and version")] = "rasd.coding/1"
    article_id: Annotated[str, doc("The article read")]
    revision: Annotated[int, doc("Revision of the article")]
    generation: Annotated[int, doc("Order of extractor and lexicon releases: a lower one never overwrites a higher")]
    event_ids: Annotated[tuple[str, ...], doc("Events found")] = ()
    toll_ids: Annotated[tuple[str, ...], doc("Tolls found")] = ()
    abstained: Annotated[bool, doc("True where nothing was coded, with the reason")] = False
    reason: Annotated[str | None, doc("Why nothing was coded")] = None
    extractor: Annotated[Extractor, doc("What read the text")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """An event or toll that the newest coding of its article no longer lists (written by sinks that only append)."""

    kind: Annotated[Literal["retraction"], doc("What the record is")] = "retraction"
    schema: Annotated[Literal["rasd.retraction/1"], doc("Schema name and version")] = "rasd.retraction/1"
    id: Annotated[str, doc("Id of the event or toll")]
    article_id: Annotated[str, doc("Its article")]
    revision: Annotated[int, doc("Revision of the article whose coding dropped it")]
    generation: Annotated[int, doc("Generation of that coding")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """An input that could not be used, whole, with what went wrong (topic `rejects`)."""

    schema: Annotated[Literal["rasd.reject/1"], doc("Schema name and version")] = "rasd.reject/1"
    stage: Annotated[str, doc("Where it failed")]
    reason: Annotated[str, doc("Stable slug to group by")]
    error: Annotated[str, doc("What happened, for a person")]
    retryable: Annotated[bool, doc("True if the same input may succeed later")] = False
    topic: Annotated[str | None, doc("Topic it was read from; null if it came from a file")] = None
    partition: Annotated[int | None, doc("Partition it was read from")] = None
    offset: Annotated[int | None, doc("Offset in the topic, or byte offset in the file")] = None
    file: Annotated[str | None, doc("File it was read from")] = None
    line: Annotated[int | None, doc("Line in the file, from 1")] = None
    key: Annotated[str | None, doc("Message key, else null")] = None
    value: Annotated[str, doc("The bytes, base64")]
    truncated: Annotated[bool, doc("True if `value` was cut at the limit: not redrivable")] = False


Coded = Event | Toll | Coding
Record = Entry | Article | Verdict | Unique | Event | Toll | Coding | Retraction | Reject


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step makes of one record: what to publish, and what to write into the stage's state.

    changes: state key → bytes to store. The runner publishes, then applies the changes, then commits the offset.
    duplicate: the input was understood and needs nothing further (it repeats another).
    """

    outputs: tuple[Record, ...] = ()
    changes: Mapping[str, bytes] = field(default_factory=dict)
    duplicate: bool = False
