"""Rows of gazetteers that a user downloaded: GeoNames dumps, OCHA's administrative tables, any table with a header."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from connectors.sources.lines import read_lines
from pipeline.errors import FileError

Kind = Literal["geonames", "ocha", "table"]
LIMIT = 1_000_000  # bytes of a row
FIELDS = ("id", "name", "country", "admin1", "lat", "lon", "precision")

_ARABIC = re.compile("[\u0620-\u064a]")
#: GeoNames feature code → precision; of the classes A and P also what is not listed, of others nothing else
_FEATURES = {
    "PCLI": "country", "PCLS": "country", "PCL": "country", "TERR": "country", "ADM1": "province",
    "PPLX": "site", "AIRP": "site", "AIRB": "site", "AIRF": "site", "CMP": "site", "CMPRF": "site", "DAM": "site",
    "PRN": "site", "MILB": "site", "OILF": "site", "GASF": "site", "OILR": "site", "PRT": "site", "BRG": "site",
    "CTRB": "site", "PSTB": "site", "RGN": "region", "ISL": "region", "MTS": "region", "MT": "region",
}  # fmt: skip
_SKIPPED = {"ADMD", "ADM1H", "ADM2H", "ADM3H", "ADM4H", "PPLH", "PPLCH", "PCLH", "ZN", "LTER"}
#: words that tables use for what we call a precision
_PRECISIONS = {
    **dict.fromkeys(("site", "neighbourhood", "neighborhood", "campus", "camp", "airport", "macrohood"), "site"),
    **dict.fromkeys(("town", "locality", "village", "city", "hamlet", "localadmin", "borough"), "town"),
    **dict.fromkeys(("district", "county", "adm2", "adm3", "subdistrict"), "district"),
    **dict.fromkeys(("province", "region", "governorate", "state", "adm1", "macroregion"), "province"),
    **dict.fromkeys(("country", "adm0", "dependency", "empire"), "country"),
}
_LEVELS = {0: "country", 1: "province", 2: "district", 3: "district", 4: "town"}
_LEVEL = re.compile(r"adm(?:in)?(\d)_?(?:name_?)?(pcode|[a-z]{2})?\d?", re.IGNORECASE)
_LATITUDE = {"lat", "latitude", "y", "point_y", "lat_dd", "center_lat"}
_LONGITUDE = {"lon", "long", "lng", "longitude", "x", "point_x", "lon_dd", "center_lon"}


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A place of a gazetteer. names: every spelling, a Latin one first where there is one."""

    id: str
    names: tuple[str, ...]
    country: str = ""
    admin1: str = ""
    precision: str = "town"
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read a gazetteer.

    country: two letters; of GeoNames only its rows, for tables the country of rows that name none.
    columns: our field → its columns, by header or, all of them numbers from 1, in a table without header.
    alternates: GeoNames' alternateNamesV2.txt, whole or of one country.
    """

    kind: Kind | None = None
    country: str | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    alternates: Path | None = None


def read_gazetteer(path: Path, reading: Reading) -> Iterator[NamedPlace | FileError]:
    """Places of a file; in place of a row that cannot be used, the error that says why.

    Raises: FileError if the file as a whole cannot be used; OSError.
    """
    kind = reading.kind or kind_of(path, reading)
    if kind == "geonames":
        return _geonames(path, reading)
    return _ocha(path, reading) if kind == "ocha" else _table(path, reading)


def kind_of(path: Path, reading: Reading) -> Kind:
    """What a file looks like. Raises: FileError if it is empty."""
    if reading.columns:
        return "table"
    first = next((text for _, text in _lines(path)), None)
    if first is None:
        raise FileError(path, None, "is empty")
    cells = first.split("\t")
    if len(cells) == 19 and cells[0].isdigit():
        return "geonames"
    return "ocha" if any(_LEVEL.fullmatch(c.strip()) for c in _cells(first)) else "table"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for line in read_lines(file, LIMIT):
            if line.broken:
                raise FileError(path, line.number, f"ends too early: {line.broken}")
            if line.too_long:
                raise FileError(path, line.number, f"longer than {LIMIT} bytes")
            try:
                yield line.number, line.data.decode("utf-8").rstrip("\r")
            except UnicodeDecodeError as e:
                raise FileError(path, line.number, f"not UTF-8: {e}") from e


# -- GeoNames ----------------------------------------------------------------------------------------------------------


def _geonames(path: Path, reading: Reading) -> Iterator[NamedPlace | FileError]:
    """Columns: geonameid, name, asciiname, alternatenames, latitude, longitude, feature class and code, country, ..."""
    rows: list[tuple[int, list[str], str]] = []
    provinces: dict[tuple[str, str], str] = {}
    for number, line in _lines(path):
        cells = line.split("\t")
        if len(cells) != 19:
            yield FileError(path, number, f"{len(cells)} columns, GeoNames has 19")
            continue
        if reading.country and cells[8] != reading.country:
            continue
        precision = _precision(cells[6], cells[7])
        if precision is None:
            continue
        if cells[7] == "ADM1":
            provinces[cells[8], cells[10]] = cells[2] or cells[1]
        rows.append((number, cells, precision))
    more = _alternates(reading.alternates, {cells[0] for _, cells, _ in rows}) if reading.alternates else {}
    for number, cells, precision in rows:
        try:
            lat, lon = _degrees(cells[4], 90), _degrees(cells[5], 180)
        except ValueError as e:
            yield FileError(path, number, str(e))
            continue
        others = [name for name in cells[3].split(",") if _ARABIC.search(name)]
        names = tuple(dict.fromkeys(n for n in (cells[2], cells[1], *others, *more.get(cells[0], ())) if n))
        admin1 = provinces.get((cells[8], cells[10]), "")
        yield NamedPlace(f"geonames:{cells[0]}", names, cells[8], admin1, precision, lat, lon)


def _precision(cls: str, code: str) -> str | None:
    if code in _SKIPPED:
        return None
    return _FEATURES.get(code) or {"A": "district", "P": "town"}.get(cls)


def _alternates(path: Path, wanted: Collection[str]) -> dict[str, list[str]]:
    """Columns: id, geonameid, language, name, preferred, short, colloquial, historic, ...: the Arabic names."""
    found: dict[str, list[str]] = defaultdict(list)
    for number, line in _lines(path):
        cells = line.split("\t")
        if len(cells) < 4:
            raise FileError(path, number, f"{len(cells)} columns, GeoNames' alternate names have at least 4")
        historic = len(cells) > 7 and cells[7] == "1"
        if cells[1] in wanted and cells[2] in ("ar", "") and not historic and _ARABIC.search(cells[3]):
            found[cells[1]].append(cells[3])
    return found


# -- tables ------------------------------------------------------------------------------------------------------------


def _cells(line: str) -> list[str]:
    mark = max("\t,;", key=line.count)
    return next(csv.reader([line], delimiter=mark), [])


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows of a table, the mark between its cells taken from the first line, quoted line ends kept."""
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise FileError(path, None, "is empty")
    at = first[0]

    def texts() -> Iterator[str]:
        nonlocal at
        yield first[1] + "\n"
        for number, text in lines:
            at = number
            yield text + "\n"

    reader = csv.reader(texts(), delimiter=max("\t,;", key=first[1].count), quoting=_quoting(first[1]))
    try:
        for cells in reader:
            yield at, [cell.strip() for cell in cells]
    except csv.Error as e:
        raise FileError(path, at, str(e)) from e


def _quoting(first: str) -> Literal[0, 3]:
    return csv.QUOTE_NONE if first.count("\t") >= max(1, first.count(",")) else csv.QUOTE_MINIMAL


def _ocha(path: Path, reading: Reading) -> Iterator[NamedPlace | FileError]:
    """COD-AB: ADM1_AR, ADM1_EN, ADM1_PCODE, ADM2_...; a row is its deepest level, its parents come along once."""
    rows = _rows(path)
    _, header = next(rows)
    levels: dict[int, dict[str, int]] = defaultdict(dict)
    lat = lon = None
    for i, title in enumerate(header):
        if m := _LEVEL.fullmatch(title):
            levels[int(m[1])].setdefault((m[2] or "name").lower(), i)
        elif title.lower() in _LATITUDE:
            lat = i
        elif title.lower() in _LONGITUDE:
            lon = i
    if not any(set(c) - {"pcode"} for c in levels.values()):
        raise FileError(path, 1, "no column such as ADM1_AR or ADM2_EN")
    seen: set[str] = set()
    for number, cells in rows:
        cells += [""] * (len(header) - len(cells))
        present = {
            level: (columns, names)
            for level, columns in sorted(levels.items())
            if (names := _spellings(cells, columns))
        }
        if not present:
            yield FileError(path, number, "no name")
            continue
        code = next((cells[c["pcode"]] for c, _ in reversed(present.values()) if "pcode" in c), "")
        country = reading.country or (code[:2].upper() if code[:2].isalpha() else "")
        admin1 = present[1][1][0] if 1 in present else ""
        for level, (columns, names) in present.items():
            deepest = level == max(present)
            own = cells[columns["pcode"]] if "pcode" in columns else ""
            parents = "/".join(n[0] for up, (_, n) in present.items() if up <= level)
            identity = f"ocha:{own or f'{country}/{parents}'}"
            if identity in seen:
                continue
            try:
                point = (_degrees(_cell(cells, lat), 90), _degrees(_cell(cells, lon), 180)) if deepest else (None, None)
            except ValueError as e:
                yield FileError(path, number, str(e))
                break
            seen.add(identity)
            yield NamedPlace(identity, names, country, admin1 if level > 1 else "", _LEVELS.get(level, "town"), *point)


def _spellings(cells: Sequence[str], columns: Mapping[str, int]) -> tuple[str, ...]:
    names = [cells[i] for key, i in columns.items() if key != "pcode" and cells[i]]
    return tuple(dict.fromkeys(sorted(names, key=lambda name: bool(_ARABIC.search(name)))))


def _table(path: Path, reading: Reading) -> Iterator[NamedPlace | FileError]:
    """Any table: columns by header (or by number), the names of ours where nothing else is said."""
    given = reading.columns or {name: [name] for name in FIELDS}
    if unknown := set(given) - set(FIELDS):
        raise FileError(path, None, f"no field {sorted(unknown)[0]!r}; there are {', '.join(FIELDS)}")
    rows = _rows(path)
    numbered = bool(reading.columns) and all(c.isdigit() and int(c) for cs in given.values() for c in cs)
    header: list[str] = []
    if not numbered:
        header = [title.lower() for title in next(rows)[1]]
    where: dict[str, list[int]] = {}
    for name, columns in given.items():
        missing = [] if numbered else [c for c in columns if c.lower() not in header]
        if missing and (reading.columns or name == "name"):
            raise FileError(path, 1, f"no column {missing[0]!r}")
        where[name] = [int(c) - 1 if numbered else header.index(c.lower()) for c in columns if c not in missing]
    if not where.get("name"):
        raise FileError(path, 1, "no column of names: say which, e.g. name=NAME_AR")
    for number, cells in rows:
        values = {name: [cell for i in at if (cell := _cell(cells, i))] for name, at in where.items()}
        one = {name: found[0] if found else "" for name, found in values.items()}
        names = tuple(dict.fromkeys(sorted(values["name"], key=lambda name: bool(_ARABIC.search(name)))))
        if not names:
            continue
        country = one.get("country", "").upper() or reading.country or ""
        if reading.country and country != reading.country:
            continue
        try:
            lat, lon = _degrees(one.get("lat", ""), 90), _degrees(one.get("lon", ""), 180)
        except ValueError as e:
            yield FileError(path, number, str(e))
            continue
        precision = _PRECISIONS.get(one.get("precision", "").lower(), "town")
        identity = f"{path.stem}:{one.get('id') or number}"
        yield NamedPlace(identity, names, country, one.get("admin1", ""), precision, lat, lon)


def _cell(cells: Sequence[str], i: int | None) -> str:
    return cells[i] if i is not None and i < len(cells) else ""


def _degrees(text: str, most: int) -> float | None:
    """Raises: ValueError."""
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{text!r} is no number of degrees") from None
    if not -most <= value <= most:
        raise ValueError(f"{text} is beyond {most} degrees")
    return value
