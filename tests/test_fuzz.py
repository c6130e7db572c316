"""The short form of `make fuzz`."""

from __future__ import annotations

from bench.fuzz import fuzz_articles, fuzz_lines, texts_of


def test_no_mutated_article_raises_or_gives_a_span_that_is_not_its_words() -> None:
    assert list(fuzz_articles(texts_of(100), 1500, seed=3)) == []


def test_no_mutated_archive_line_raises() -> None:
    assert list(fuzz_lines(5000, seed=3)) == []
