"""Data files of words: tab-separated tables, checked row by row, errors with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.errors import LexiconError

FOLDER = Path(__file__).resolve().parent / "lexicon"


def rows_of(
    path: Path, data: bytes, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line number, cells by column). Lines that begin with # are comments; the first other line names the columns.

    required: columns that every row must fill; optional: those that may stay empty. Raises: LexiconError.
    """
    header: list[str] | None = None
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as e:
        raise LexiconError(path, None, f"not UTF-8: {e}") from e
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if header is None:
            header = cells
            if missing := set(required) - set(header):
                raise LexiconError(path, number, f"column {sorted(missing)[0]!r} is missing")
            if unknown := set(header) - set(required) - set(optional):
                raise LexiconError(path, number, f"unknown column {sorted(unknown)[0]!r}")
            continue
        if len(cells) > len(header):
            raise LexiconError(path, number, f"{len(cells)} cells under {len(header)} columns")
        row = dict(zip(header, cells, strict=False))
        for column in required:
            if not row.get(column):
                raise LexiconError(path, number, f"column {column!r} is empty")
        yield number, row
