"""What reading feeds costs: typical ones beside bare feedparser, the largest, and every attack at full size.

    python -m bench.feeds [--attacks]

Prints a table; `bench/feeds.md` keeps what it said.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO

from connectors.sources.parse import parse_source
from pipeline.errors import Unusable
from tests.connectors.sources.samples import BODY, PARAGRAPHS
from tests.fixtures.feeds.templates import rss
from tests.hostile.feed_attacks import attacks

ROUNDS = 20
_FIELDS = (
    "<item><title>أربعة قتلى في قصف على سوق الزيتون {n}</title><link>https://example.net/news/{n}</link><guid>{n}</guid>"
    "<pubDate>Sun, 10 Mar 2024 09:30:00 +0300</pubDate><dc:creator>سلمى</dc:creator><category>أخبار</category>"
    "<description><![CDATA[<p>{summary}</p>]]></description>{content}</item>"
)
_HEAD = 'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def feed(entries: int, paragraphs: int) -> bytes:
    """A feed of entries in Arabic with so many paragraphs of full text each (0: a summary only)."""
    text = "".join(f"<p>{PARAGRAPHS[n % 3]}</p>" for n in range(paragraphs))
    content = f"<content:encoded><![CDATA[{text}]]></content:encoded>" if paragraphs else ""
    items = (_FIELDS.format(n=n, summary=BODY[:200], content=content) for n in range(entries))
    return rss(*items, head=_HEAD).encode()


def by_feedparser(data: bytes) -> None:
    import feedparser

    feedparser.parse(
        BytesIO(data),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def by_us(data: bytes) -> None:
    parse_source(data, "https://example.net/feed")


def milliseconds(read: Callable[[bytes], None], data: bytes, rounds: int) -> float:
    """CPU time of the fastest round."""
    read(data)
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        read(data)
        times.append(time.process_time() - begun)
    return min(times) * 1_000


def attacked(data: bytes) -> tuple[str, float, int]:
    """What came of it, CPU seconds, peak megabytes of the process so far."""
    begun = time.process_time()
    try:
        found = parse_source(data, "https://example.net/feed", None, "sitemap")
        answer = f"{len(getattr(found, 'entries', getattr(found, 'children', ())))} read, {found.skipped} skipped"
    except Unusable as refused:
        answer = f"reject {refused.reason}"
    return answer, time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--attacks", action="store_true", help="every attack at full size, each in a process of its own"
    )
    if parser.parse_args().attacks:
        made_here = {"file": "file:///nonexistent", "http": "http://127.0.0.1:9"}
        for name, make in attacks().items():
            made = make()
            data = made if isinstance(made, bytes) else (made % made_here if "%(" in made else made).encode()
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
                answer, seconds, megabytes = child.submit(attacked, data).result()
            print(f"| {name} | {len(data) / 1e6:.1f} | {seconds:.2f} | {megabytes} | {answer} |", flush=True)
        return
    for name, data, rounds in (
        ("30 entries, summaries", feed(30, 0), ROUNDS),
        ("30 entries, full texts", feed(30, 12), ROUNDS),
        ("100 entries, full texts", feed(100, 12), ROUNDS),
        ("2,000 entries, full texts, 16 MB", feed(2_000, 36), 2),
        ("25,000 entries, summaries", feed(25_000, 0), 1),
    ):
        ours, theirs = milliseconds(by_us, data, rounds), milliseconds(by_feedparser, data, rounds)
        print(f"| {name} | {len(data) / 1e6:.2f} | {ours:.1f} | {theirs:.1f} |", flush=True)


if __name__ == "__main__":
    main()
