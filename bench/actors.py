"""Count how often the names of the actor lexicon occur in a corpus, by file.

    python bench/actors.py CORPUS.jsonl[.gz]

Rows of CORPUS: `{title, text}`. A name counts where extraction would see it: dressed as its class allows, whole words,
the longest name at a word. Prints counts only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from processors.extract.lexicons import FOLDER, Lexicon, compile_lexicon
from processors.text import fold_word, read

ARABIC = FOLDER / "ar"


def texts(corpus: Path) -> Iterator[str]:
    """Title and text of every row."""
    opener = gzip.open if corpus.suffix == ".gz" else open
    with opener(corpus, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            yield f"{row.get('title') or ''}\n\n{row.get('text') or row.get('body') or ''}"


def only_actors() -> Lexicon:
    """The actor files alone, so that nothing else is looked for."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (*ARABIC.glob("actors*.tsv"), *ARABIC.glob("actor_ids*.tsv")):
            (Path(folder) / path.name).symlink_to(path)
        return compile_lexicon(Path(folder))


def names(path: Path) -> tuple[int, set[str], set[str]]:
    """Rows, folded names and ids of a file."""
    rows = [x.split("\t") for x in path.read_text(encoding="utf-8").splitlines() if x and not x.startswith("#")][1:]
    return len(rows), {fold_word(form) for cells in rows for form in cells[0].split("|")}, {cells[1] for cells in rows}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("corpus", type=Path)
    table = only_actors()
    hits: Counter[str] = Counter()
    seen: dict[str, set[str]] = {}
    for text in texts(p.parse_args().corpus):
        for hit in table.scan(read(text)).of("actors"):
            file = hit.entry.row.partition(":")[0]
            hits[file] += 1
            seen.setdefault(file, set()).add(hit.entry.text)
    print("| file | rows | ids | names | names seen | hits |\n|---|---|---|---|---|---|")
    total: Counter[str] = Counter()
    for path in sorted(ARABIC.glob("actors*.tsv")):
        rows, forms, ids = names(path)
        counts = {
            "rows": rows, "ids": len(ids), "names": len(forms), "seen": len(seen.get(path.stem, ())),
            "hits": hits[path.stem],
        }  # fmt: skip
        total.update(counts)
        print(f"| {path.name} | {' | '.join(f'{n:,}' for n in counts.values())} |")
    declared = sum(names(path)[0] for path in ARABIC.glob("actor_ids*.tsv"))
    sums = (total["rows"], declared, total["names"], total["seen"], total["hits"])
    print(f"| all | {' | '.join(f'{n:,}' for n in sums)} |")


if __name__ == "__main__":
    main()
