"""Mutated articles through extraction and mutated lines through the archive reader: nothing may raise.

    python -m bench.fuzz [--articles N] [--lines N] [--seed N]

Every span of every record must lie in the text, and every quote must be the text it points at.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator

from connectors.sources.rows import Options, read_row
from pipeline import ids, wire
from pipeline.errors import WireError
from pipeline.records import Article, Event, Reject, Toll, Unique, Verdict
from tests.generate import lines, poison

ALPHABET = (
    "ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءأإآؤئ٠١٢٣٤٥٦٧٨٩0123456789 .,،؛:!؟?()[]{}«»“”\"'-–ـ%/\\"
    "\n\t\r\u0640\u064b\u0651\u200b\u200e\u200f\u202e\u2066\ufeff\u00a0\U0001f4a5\u06cc\u06a9abcXYZ"
)


WORDS = ("«", "(", "بينهم ", "12 قتيلا ", "عشرات ", "٩٩٩٩٩٩ ", "مقتل ")


def mutate(text: str, chance: random.Random) -> str:
    """One to six random edits: letters changed, words repeated or moved, passages cut or doubled."""
    for _ in range(chance.randint(1, 6)):
        if not text:
            return chance.choice(ALPHABET)
        at = chance.randrange(len(text))
        end = min(len(text), at + chance.randint(1, 40))
        text = chance.choice(EDITS)(text, at, end, chance)
    return text


EDITS: tuple[Callable[[str, int, int, random.Random], str], ...] = (
    lambda t, a, b, c: t[:a] + t[b:],
    lambda t, a, b, c: t[:b] + t[a:],
    lambda t, a, b, c: t[:a] + "".join(c.choices(ALPHABET, k=b - a)) + t[b:],
    lambda t, a, b, c: t[:a] + c.choice(ALPHABET) + t[a:],
    lambda t, a, b, c: t[:a] + t[a:b] * c.randint(2, 9) + t[b:],
    lambda t, a, b, c: t[a:] + t[:a],
    lambda t, a, b, c: " ".join(c.sample(t.split(" "), len(t.split(" ")))),
    lambda t, a, b, c: t[:a] + c.choice(WORDS) * c.randint(1, 30) + t[a:],
)  # fmt: skip


def fuzz_articles(texts: list[tuple[str | None, str]], n: int, seed: int = 0) -> Iterator[str]:
    """Reads `n` mutations of the texts; yields a line for each fault found."""
    from processors.extract.step import load

    extract = load()
    chance = random.Random(seed)
    for i in range(n):
        title, body = chance.choice(texts)
        title, body = mutate(title, chance) if title and i % 2 else title, mutate(body, chance)
        content = ids.content_hash(title, body)
        article = Article(id=f"fuzz-{i}", title=title, body=body, language="ar", content_hash=content, published=None)
        unique = Unique(article=article, verdict=Verdict(article_id=article.id, revision=1, verdict="unique"))
        try:
            records = extract(unique).outputs
        except Exception as e:
            yield f"{i}: {type(e).__name__}: {e} in {body[:200]!r}"
            continue
        for record in records:
            if isinstance(record, Event | Toll):
                yield from (f"{i}: {fault}" for fault in span_faults(record, article.text))
                try:
                    wire.decode(type(record), wire.encode(record))
                except WireError as e:
                    yield f"{i}: not a valid record: {e} from {body[:200]!r}"


def span_faults(record: Event | Toll, text: str) -> Iterator[str]:
    """What is wrong with a record's spans."""
    for evidence in record.evidence:
        if text[evidence.start : evidence.end] != evidence.quote or not evidence.quote:
            yield f"evidence {evidence.start}-{evidence.end} is not its quote"
    spans = [s for c in record.casualties for s in (c.span, *c.mentions)]
    spans += [p.span for p in record.places] + [s.span for s in record.sources]
    spans += [w.span for why in record.why.values() for w in why if w.span]
    if isinstance(record, Event):
        spans += [a.span for a in record.actors]
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            yield f"span {start}-{end} lies outside the text"
    for named in (*record.places, *record.sources, *(record.actors if isinstance(record, Event) else ())):
        if text[named.span[0] : named.span[1]] != named.text:
            yield f"{type(named).__name__} text {named.text!r} is not what its span holds"


def fuzz_lines(n: int, seed: int = 0) -> Iterator[str]:
    """Feeds `n` mutated archive lines to the reader; yields a line for each that raised or gave something else."""
    chance = random.Random(seed)
    rows = [*lines(200, seed), *(poison(i) for i in range(60) if i % 100 != 11)]
    for i in range(n):
        line = bytearray(chance.choice(rows))
        for _ in range(chance.randint(0, 8)):
            at = chance.randrange(len(line) + 1)
            line[at : at + chance.randint(0, 6)] = chance.randbytes(chance.randint(0, 6))
        try:
            record = read_row(bytes(line), Options(), "fuzz.jsonl", i + 1, 0)
            if isinstance(record, Article):
                assert wire.decode(Article, wire.encode(record)) == record
            else:
                assert isinstance(record, Reject)
        except Exception as e:
            yield f"{i}: {type(e).__name__}: {e} for {bytes(line[:200])!r}"


def texts_of(n: int, seed: int = 1) -> list[tuple[str | None, str]]:
    """Generated articles as (title, body)."""
    out = []
    for i, line in enumerate(lines(n, seed)):
        record = read_row(line, Options(), "generated.jsonl", i + 1, 0)
        if isinstance(record, Article):
            out.append((record.title, record.body))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.fuzz", description=__doc__)
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begin = time.monotonic()
    faults = [*fuzz_articles(texts_of(500), given.articles, given.seed), *fuzz_lines(given.lines, given.seed)]
    for fault in faults[:50]:
        print(fault)
    seconds = time.monotonic() - begin
    print(f"{given.articles:,} articles and {given.lines:,} lines in {seconds:.0f} s: {len(faults)} faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
