"""Score extraction on annotated articles of the ANT corpus, which is downloaded apart and not part of this project.

    python -m bench.ant CORPUS.jsonl.gz [--set NAME ...] [--write FOLDER]

The annotations (bench/ant/NAME.jsonl, one article a line, format of docs/evaluating.md) were written for this project
by readers who had not seen what the extractor makes of the articles. They hold offsets into the reading text and no
words of it but names; a row is joined to its article by id, and refused where the text's hash is another. CORPUS: rows
`{id, url, outlet, title, published, text}` as the ANT corpus v2.1 has them (Chouigui et al., 2021). Which set rules
were written against, and which not, is told in bench/ant/README.md.

--write FOLDER writes gold.json and articles.jsonl for `rasd extract` and `rasd eval`, and scores nothing.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.extract_eval import unique

HERE = Path(__file__).parent / "ant"
SETS = tuple(sorted(p.stem for p in HERE.glob("*.jsonl")))


def annotated(names: Sequence[str]) -> list[dict[str, Any]]:
    """Documents of some sets, each with the hash of its text in `text`."""
    return [json.loads(line) for name in names for line in (HERE / f"{name}.jsonl").open(encoding="utf-8")]


def digest(title: str | None, body: str) -> str:
    """What tells that an article is the annotated one: 16 hexadecimal digits of its reading text."""
    text = f"{title}\n\n{body}" if title else body
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def articles(corpus: Path, documents: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows `{id, url, outlet, language, title, body, published}` of the annotated articles.

    Raises: SystemExit naming an article that the corpus lacks or has with another text.
    """
    wanted = {d["doc"]: d["text"] for d in documents}
    opener = gzip.open if corpus.suffix == ".gz" else open
    with opener(corpus, "rt", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            if row["id"] not in wanted or digest(row["title"], row["text"]) != wanted[row["id"]]:
                continue
            del wanted[row["id"]]
            yield {"id": row["id"], "url": row["url"], "outlet": row["outlet"], "language": "ar",
                   "title": row["title"], "body": row["text"], "published": row["published"]}  # fmt: skip
    if wanted:
        sys.exit(f"{corpus}: not there, or with another text: {', '.join(sorted(wanted))}")


def records(rows: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """What extraction says of articles, a JSON record each."""
    from pipeline import wire
    from processors.extract.step import load

    extract = load()
    for row in rows:
        yield from (wire.encode(r) for r in extract(unique(row)).outputs)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("corpus", type=Path)
    p.add_argument("--set", action="append", choices=SETS, dest="sets", help="all of them unless named")
    p.add_argument("--write", type=Path, metavar="FOLDER")
    a = p.parse_args()
    for names in [(name,) for name in a.sets or SETS] if a.write is None else [a.sets or SETS]:
        documents = annotated(names)
        rows = list(articles(a.corpus, documents))
        if a.write is not None:
            written(a.write, documents, rows)
        else:
            print(f"{', '.join(names)}: {len(documents)} articles")
            print("\n".join(scored(documents, rows)), end="\n\n")


def written(folder: Path, documents: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> None:
    """The two files that `rasd eval` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gold.json").write_bytes(orjson.dumps(documents))
    (folder / "articles.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def scored(documents: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> list[str]:
    """The lines of the report."""
    import tempfile

    from pipeline.cli.eval import draws, read_articles, read_gold, read_records
    from processors.evaluate import report
    from processors.evaluate.scoring import score
    from processors.evaluate.tables import intervals, total

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder, documents, rows)
        said = folder / "records.jsonl"
        said.write_bytes(b"".join(line + b"\n" for line in records(rows)))
        texts = read_articles(folder / "articles.jsonl")
        sheets = score(read_gold(folder / "gold.json", texts), read_records(str(said)), texts)
    return list(report.lines(total(sheets), intervals(sheets, draws(len(sheets))), quotes=True))


if __name__ == "__main__":
    main()
