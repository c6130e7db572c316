"""Records against gold: a sheet for each document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.records import Event, Toll
from processors.evaluate.claims import score_claims
from processors.evaluate.events import TOLD, score_events
from processors.evaluate.gold import GoldDocument
from processors.evaluate.sides import known_ids
from processors.evaluate.tables import Error, Sheet


def score(
    gold: Sequence[GoldDocument], records: Iterable[Event | Toll], texts: Mapping[str, str] | None = None
) -> list[Sheet]:
    """A sheet for each document of the gold, in its order. Every item of the gold must have a span.

    Records of articles that the gold does not have are left aside. texts: reading texts by article id; where given,
    evidence is compared with what stands at its span.
    """
    by_article: dict[str, list[Event | Toll]] = {}
    for record in records:
        by_article.setdefault(record.article_id, []).append(record)
    known = known_ids(gold)
    sheets = []
    for document in gold:
        sheet = Sheet()
        said = by_article.get(document.id, [])
        if texts is not None and document.id in texts:
            _quotes(document, said, texts[document.id], sheet)
        told = [(k, r) for k, r in enumerate(said) if isinstance(r, Event) and r.realis in TOLD]
        held = score_events(document, [event for _, event in told], known, sheet)
        event_of = {told[j][0]: i for j, i in held.gold_of.items()}
        score_claims(document, said, event_of, held, known, sheet)
        sheets.append(sheet)
    return sheets


def _quotes(document: GoldDocument, records: Iterable[Event | Toll], text: str, sheet: Sheet) -> None:
    for record in records:
        for e in record.evidence:
            bad = not 0 <= e.start < e.end <= len(text) or text[e.start : e.end] != e.quote
            sheet.quotes.count(bad)
            if bad:
                there = text[max(0, e.start) : max(0, e.end)]
                said = f"«{e.quote}» at {e.start}..{e.end}"
                sheet.errors.append(Error("quote", document.id, record.id, there, said=said))
