"""Check coordinates of the place tables against another gazetteer.

    python bench/places.py GAZETTEER.tsv [--rows 100] [--seed 1]

GAZETTEER.tsv has no header: country, id, kind, name in Arabic, name in English, latitude, longitude. Draws rows that
have coordinates, are no wider than a district and whose Arabic or English name the gazetteer knows in the same country,
and prints the share that lies within 10 km of a namesake there. Misses are named by file and line only.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from processors.text import fold_word  # noqa: E402

TABLES = ROOT / "processors" / "lexicon" / "ar"
WIDE = ("country", "region", "province")
NEAR = 10.0  # km

Point = tuple[float, float]


def key(name: str) -> str:
    """Folded, accents and marks of transliteration aside."""
    plain = unicodedata.normalize("NFKD", fold_word(name))
    return "".join(c for c in plain if not unicodedata.combining(c) and c not in "'-‘’")


def distance(a: Point, b: Point) -> float:
    north, east = (a[0] - b[0]) * 111.2, (a[1] - b[1]) * 111.2 * math.cos(math.radians(a[0]))
    return math.hypot(north, east)


def reference(path: Path) -> dict[tuple[str, str], list[Point]]:
    found: dict[tuple[str, str], list[Point]] = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            country, _, kind, arabic, english, lat, lon, *_ = line.rstrip("\n").split("\t")
            if kind in ("country", "region") or not lat:
                continue
            for name in (arabic, english):
                if name:
                    found[country, key(name)].append((float(lat), float(lon)))
    return found


def rows() -> list[tuple[str, str, list[str], Point]]:
    """Of every narrow row with coordinates: where it stands, its country, its names, its point."""
    found = []
    for path in sorted(TABLES.glob("places*.tsv")):
        head: list[str] = []
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line.startswith("#") or not line.strip():
                continue
            cells = line.split("\t")
            if not head:
                head = cells
                continue
            row = dict(zip(head, cells, strict=False))
            if row.get("lat") and row["precision"] not in WIDE:
                names = [*row["text"].split("|"), row["name"].partition(" (")[0]]
                found.append((f"{path.stem}:{number}", row["country"], names, (float(row["lat"]), float(row["lon"]))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gazetteer", type=Path)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    known = reference(options.gazetteer)
    covered = {country for country, _ in known}
    all_rows = [r for r in rows() if r[1] in covered]
    comparable = []
    for where, country, names, point in all_rows:
        points = [p for name in names for p in known.get((country, key(name)), ())]
        if points:
            comparable.append((where, min(distance(point, p) for p in points)))
    drawn = random.Random(options.seed).sample(comparable, min(options.rows, len(comparable)))
    print(f"rows with coordinates in {', '.join(sorted(covered))}: {len(all_rows)}, known there: {len(comparable)}")
    for label, some in (("drawn", drawn), ("all", comparable)):
        near = sum(d <= NEAR for _, d in some)
        print(f"{label}: {near} of {len(some)} within {NEAR:g} km ({near / max(1, len(some)):.1%})")
    for where, d in sorted(drawn):
        if d > NEAR:
            print(f"miss {where} {d:.0f} km")


if __name__ == "__main__":
    main()
