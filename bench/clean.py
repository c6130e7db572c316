"""How well pages are cleaned, and how fast: beside bare trafilatura, over the same pages with the same processes.

    python -m bench.clean [--pages N] [--processes N] [--rounds N] [--misses]

Quality: words of the body found against words of the article as it was written (`bench.pages`), headlines, and the
reasons given for pages that hold no article. Speed: pages/s of `clean_page` and of `trafilatura.extract(html,
fast=True, include_comments=False)` in child processes that have loaded everything, in turns, the best round of each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.pool import Pool

from bench.pages import SavedPage, article_pages, other_pages, real_size
from connectors.clean import clean_page, warm_up
from pipeline.errors import Unusable


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.clean", description=__doc__)
    parser.add_argument("--pages", type=int, default=200, help="pages of real size to measure speed on")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--misses", action="store_true", help="say what is missing and what is too much, page by page")
    given = parser.parse_args()
    quality(given.misses)
    speed(given.pages, given.processes, given.rounds)


def quality(misses: bool) -> None:
    for name, clean in CLEANERS.items():
        found = wanted = right = exact = 0
        for page in article_pages():
            body = clean(page)
            got, want = Counter(body.split()), Counter(page.text.split())
            common = (got & want).total()
            found, wanted, right = found + got.total(), wanted + want.total(), right + common
            exact += body.split() == page.text.split()
            if misses and clean is _ours and body.split() != page.text.split():
                lost, more = sorted((want - got).elements()), sorted((got - want).elements())
                print(f"  {page.name}: lost {lost[:30]}, too much {more[:30]}")
        precision, recall = right / max(1, found), right / wanted
        f1 = 2 * precision * recall / (precision + recall)
        print(f"{name}: precision {precision:.4f}, recall {recall:.4f}, F1 {f1:.4f}, {exact} to the word")
    pages = [(page, clean_page(page.html, page.url)) for page in article_pages()]
    titles = [found.title for page, found in pages if found.title != page.title]
    print(f"headlines right: {len(pages) - len(titles)} of {len(pages)}", *(titles if misses else ()))
    refused = 0
    for page in other_pages():
        try:
            body = clean_page(page.html, page.url).body
        except Unusable as e:
            refused += e.reason == page.reason
            if e.reason != page.reason and misses:
                print(f"  {page.name}: {e.reason}, not {page.reason}")
        else:
            if misses:
                print(f"  {page.name}: taken for an article: {body[:100]!r}")
    print(f"pages without article, refused with the right reason: {refused} of {len(other_pages())}")


def _ours(page: SavedPage) -> str:
    try:
        return clean_page(page.html, page.url).body
    except Unusable as e:
        print(f"  {page.name}: refused as {e.reason}")
        return ""


def _bare_page(page: SavedPage) -> str:
    return bare(page.html)


def _slow_page(page: SavedPage) -> str:
    from trafilatura import extract

    return extract(page.html, include_comments=False) or ""


CLEANERS: dict[str, Callable[[SavedPage], str]] = {
    "clean_page": _ours,
    "bare trafilatura, fast": _bare_page,
    "bare trafilatura": _slow_page,
}


def bare(html: bytes) -> str:
    from trafilatura import extract

    return extract(html, fast=True, include_comments=False) or ""


def ours(html: bytes) -> str:
    return clean_page(html, "https://www.example.net/en/news/1").body


def speed(count: int, processes: int, rounds: int) -> None:
    pages = [page.html for page in real_size(count)]
    size = sum(map(len, pages)) / count / 1000
    print(f"{count} pages of {size:.0f} kB on average, {processes} processes")
    best: dict[str, float] = {}
    with multiprocessing.get_context("forkserver").Pool(processes, initializer=warm_up) as pool:
        for _ in range(rounds):
            for name, work in (("bare", bare), ("ours", ours)):
                best[name] = max(best.get(name, 0), _rate(pool, work, pages))
    for name, rate in best.items():
        print(f"{name}: {rate:.1f} pages/s")
    print(f"ours / bare: {best['ours'] / best['bare']:.2f}")


def _rate(pool: Pool, work: Callable[[bytes], str], pages: list[bytes]) -> float:
    begin = time.perf_counter()
    for text in pool.imap_unordered(work, pages, chunksize=4):
        if not text:
            raise SystemExit("a page gave no text")
    return len(pages) / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
