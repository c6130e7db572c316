"""Whether a record speaks of the same words as an item of the gold."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.records import Claim, Event, Span
from processors.evaluate.gold import GoldClaim, GoldEvent, place_of

# A record may not anchor everywhere by quoting the whole article: limits of the record contract (docs/events.md).
EVENT_WIDTH, CLAIM_WIDTH = 240, 160  # longest span that anchors, in code points; or a multiple of the gold quote
EVENT_TIMES, CLAIM_TIMES = 2, 3
MAX_EVIDENCE, EVIDENCE_ROOM = 8, 720  # spans of a record that count, and their length in all


def event_anchor(gold: GoldEvent, spans: Iterable[Span]) -> float:
    """Share of a gold quote that a span covers, the best of all; 0.0 where none anchors."""
    return _covered(gold, spans, EVENT_WIDTH, EVENT_TIMES)


def claim_anchor(gold: GoldClaim, span: Span) -> float:
    return _covered(gold, (span,), CLAIM_WIDTH, CLAIM_TIMES)


def event_spans(event: Event) -> list[Span]:
    """The evidence that counts."""
    spans: list[Span] = []
    room = EVIDENCE_ROOM
    for evidence in event.evidence[:MAX_EVIDENCE]:
        room -= evidence.end - evidence.start
        if spans and room < 0:
            break
        spans.append((evidence.start, evidence.end))
    return spans


def claim_spans(claim: Claim) -> list[Span]:
    """The claim's own span, then its repeats."""
    return [claim.span, *(m for m in claim.mentions if m != claim.span)]


def _covered(gold: GoldEvent | GoldClaim, spans: Iterable[Span], width: int, times: int) -> float:
    spans = list(spans)
    shares = [
        _overlap(quote, span) / (quote[1] - quote[0])
        for quote in place_of(gold)
        for span in spans
        if _anchors(quote, span, max(width, times * (quote[1] - quote[0])))
    ]
    return max(shares, default=0.0)


def _anchors(quote: Span, span: Span, longest: int) -> bool:
    """They share half of the shorter one, and the span is not too long."""
    shared = _overlap(quote, span)
    return shared > 0 and 2 * shared >= min(quote[1] - quote[0], span[1] - span[0]) and span[1] - span[0] <= longest


def _overlap(a: Span, b: Span) -> int:
    return min(a[1], b[1]) - max(a[0], b[0])
