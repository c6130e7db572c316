"""Every hostile page ends as an article or as a refusal, in a child that keeps its limits; the next page is read."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from connectors.clean import clean_page, warm_up
from pipeline.errors import Stalled, Unusable
from pipeline.pool import Pool, result
from tests.hostile.memory import peak_kilobytes
from tests.hostile.pages import BODY, PAGES, SLOW, SWALLOWED, hostile

CPU_SECONDS, MEMORY = 4.0, 450 << 20
REASONS = ("no-text", "not-article", "too-large", "paywall", "soft-404")


def measured(html: bytes) -> tuple[str, str, float, int]:
    """The article's text, or the reason why there is none; CPU time, and the most memory the child ever held (MB)."""
    begin = time.process_time()
    body = reason = ""
    try:
        body = clean_page(html, "https://www.example.net/news/7").body
    except Unusable as e:
        reason = e.reason
    return body, reason, time.process_time() - begin, peak_kilobytes() >> 10


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(2, memory_bytes=MEMORY, cpu_seconds=CPU_SECONDS, prepare=warm_up)
    yield made
    made.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Those that use their child's time up are tried with --long-faults only."""
    if "name" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long-faults")
        metafunc.parametrize("name", [name for name in sorted(PAGES) if long or name not in SLOW])


def test_a_hostile_page_is_an_article_or_a_clear_refusal(name: str, pool: Pool) -> None:
    html = hostile(name)
    try:
        body, reason, seconds, megabytes = pool.call(60, measured, html)
    except Stalled:
        assert name in SLOW, "a child had to be stopped"
        return
    assert bool(body) != bool(reason)
    assert not reason or reason in REASONS
    assert seconds < 5
    assert megabytes < 512
    if f"<article><h1>Shells strike the market of Zaytoun</h1><p>{BODY}" in PAGES[name]() and name not in SWALLOWED:
        assert body.startswith(BODY), "the trap took the article with it"


def test_good_pages_are_read_while_hostile_ones_are_stopped() -> None:
    good = hostile("NULs")
    with_bad = Pool(2, cpu_seconds=0.3, prepare=warm_up)
    try:
        bad = with_bad.submit(30, measured, hostile("wide divs, below the limit of elements"))
        rest = [with_bad.submit(30, measured, good) for _ in range(20)]
        assert all(result(one, wait=30)[0].startswith(BODY) for one in rest)
        with pytest.raises(Stalled) as stalled:
            result(bad, wait=30)
        assert stalled.value.reason == "cpu"
    finally:
        with_bad.close()
