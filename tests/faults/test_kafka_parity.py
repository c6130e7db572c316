"""The same archive without a broker and on Kafka: the same records to the byte, whatever the partitions and workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.kafka import Run, Values, difference, embedded
from tests.command import ARCHIVE

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
ALL = (1, 2, 4)  # partitions, and as many workers


@dataclass(frozen=True, slots=True)
class Without:
    """An archive, and what the flow without a broker made of it."""

    archive: Path
    limit: int | None
    articles: int
    values: Values


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Without:
    return without_broker(ARCHIVE, None, tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, shared: Path, long_faults: bool) -> Without:
    archive = shared / "corpus" / "ant-2018.jsonl.gz"
    return without_broker(archive, 5_000 if long_faults else 250, tmp_path_factory.mktemp("corpus"))


def without_broker(archive: Path, limit: int | None, data: Path) -> Without:
    _, articles, values = embedded(archive, limit, data, "jsonl")
    return Without(archive, limit, articles, values)


def compared(kafka: str, partitions: int, expected: Without, data: Path) -> None:
    run = Run(kafka, partitions, partitions, "jsonl", data)
    try:
        seconds, found = run.run(expected.archive, expected.limit)
    finally:
        run.remove_topics()
    assert found == expected.values, difference(found, expected.values)
    print(f"{expected.articles:,} articles, {partitions} partitions and workers: the same bytes, {seconds:.0f} s")


def test_the_example_archive(kafka: str, long_faults: bool, example: Without, tmp_path: Path) -> None:
    for partitions in ALL if long_faults else (2,):
        compared(kafka, partitions, example, tmp_path / str(partitions))


@pytest.mark.shared
def test_articles_of_the_corpus(kafka: str, long_faults: bool, corpus: Without, tmp_path: Path) -> None:
    assert corpus.articles == corpus.limit
    for partitions in ALL if long_faults else (4,):
        compared(kafka, partitions, corpus, tmp_path / str(partitions))
