"""`rasd gazetteer`: place names from files that the user has downloaded, for what the place tables do not know."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.context import FAILED, NotFound, complain, put, put_json, say, settings, size_words, table
from pipeline.errors import FileError

if TYPE_CHECKING:
    from connectors.sources.gazetteers import Reading
    from processors.gazetteer import GazetteerPlace

FILE = "gazetteer.rasd"
TOLD = 20  # bad rows named one by one

KINDS = ("geonames", "ocha", "table")
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Where = Annotated[Path | None, typer.Option("--from", metavar="FILE", help="Gazetteer file (else the data folder's).")]


def import_files(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Tables, also .gz or .zst.")],
    country: Annotated[
        str | None,
        typer.Option(metavar="XX", help="Only this country; for tables without one, the country of all rows."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="geonames, ocha or table (else taken from the file's look).")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="FIELD=NAME",
            help="Where a table has id, name, country, admin1, lat, lon, precision (repeatable; numbers: no header).",
        ),
    ] = None,
    alternates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="GeoNames alternateNamesV2.txt: more Arabic names.")
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here, not into the data folder.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Forget what was imported before.")] = False,
) -> None:
    """Import place names from GeoNames dumps, OCHA administrative tables or any table.

    What was imported before stays, a place with the same id is written anew. The file appears whole or not at all.
    A row that cannot be used is told on stderr, the rest is imported, and the exit code is 1.

    \b
    Examples:
      rasd gazetteer import SY.txt IQ.txt --alternates alternateNamesV2.txt
      rasd gazetteer import syr_admin3.csv
      rasd gazetteer import villages.tsv --country YE --column name=NAME_AR --column lat=Y --column lon=X
    """
    from connectors.sources.gazetteers import read_gazetteer
    from processors.gazetteer import GazetteerPlace, open_gazetteer, pack

    reading = _reading(kind, country, column or [], alternates)
    target = to or settings(ctx).data_dir / FILE
    known = {} if replace or not target.exists() else {place.id: place for place in open_gazetteer(target)}
    places: dict[str, GazetteerPlace] = {}
    bad = 0
    for path in files:
        before = len(places)
        for found in read_gazetteer(path, reading):
            if isinstance(found, FileError):
                bad += 1
                if bad <= TOLD:
                    complain(str(found))
                continue
            same = places.get(found.id)  # a table may give each spelling a row of its own
            places[found.id] = GazetteerPlace(
                id=found.id,
                names=tuple(dict.fromkeys((*same.names, *found.names))) if same else found.names,
                country=found.country,
                admin1=found.admin1,
                precision=found.precision,
                lat=found.lat,
                lon=found.lon,
                source=path.name,
            )
        say(f"{path}: {len(places) - before} places")
    if bad > TOLD:
        complain(f"{bad - TOLD} more rows could not be used")
    if not places:
        raise FileError(files[0], None, "no places in it")
    known |= places
    data = pack(known.values())
    _write(target, data)
    put(f"{target}: {len(known)} places, {size_words(len(data))}")
    if bad:
        raise typer.Exit(FAILED)


def info(ctx: typer.Context, file: Where = None, json: Json = False) -> None:
    """What was imported: places by country, names, size, digest.

    \b
    Example:
      rasd gazetteer info --json | jq .countries
    """
    from processors.gazetteer import open_gazetteer

    path = _existing(ctx, file)
    gazetteer = open_gazetteer(path)
    countries: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    located = 0
    for place in gazetteer:
        countries[place.country or "-"] += 1
        sources[place.source] += 1
        located += place.lat is not None
    if json:
        put_json(
            {
                "file": str(path), "bytes": path.stat().st_size, "digest": gazetteer.digest,
                "places": gazetteer.places, "names": gazetteer.names, "located": located,
                "countries": dict(countries.most_common()), "sources": dict(sources.most_common()),
            }
        )  # fmt: skip
        return
    put(f"{path}: {gazetteer.places} places, {located} with coordinates, {gazetteer.names} names")
    put(f"{size_words(path.stat().st_size)}, digest {gazetteer.digest}")
    for line in table(("country", "places"), countries.most_common(), right=(1,)):
        put(line)
    for line in table(("from", "places"), sources.most_common(), right=(1,)):
        put(line)


def lookup(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name; hamza, ى/ي, ة/ه and marks make no difference.")],
    country: Annotated[str | None, typer.Option(metavar="XX", help="Only there.")] = None,
    file: Where = None,
    json: Json = False,
) -> None:
    """Look a name up in what was imported.

    \b
    Examples:
      rasd gazetteer lookup سراقب
      rasd gazetteer lookup Ariha --country SY
    """
    from processors.gazetteer import open_gazetteer
    from processors.text import fold_word

    found = open_gazetteer(_existing(ctx, file)).lookup(fold_word(name), country.upper() if country else None)
    if not found:
        raise NotFound(f"no place is called {name}" + (f" in {country.upper()}" if country else ""))
    if json:
        put_json(list(_plain(found)))
        return
    rows = [(p.id, p.name, p.country, p.admin1, p.precision, _point(p), p.source) for p in found]
    for line in table(("id", "name", "country", "province", "precision", "at", "from"), rows):
        put(line)


def _reading(kind: str | None, country: str | None, columns: list[str], alternates: Path | None) -> Reading:
    from connectors.sources.gazetteers import FIELDS, Reading

    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="--kind")
    if country is not None and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise typer.BadParameter(f"{country!r} is no code of two letters such as SY", param_hint="--country")
    given: dict[str, list[str]] = {}
    for pair in columns:
        name, mark, title = pair.partition("=")
        if not mark or name not in FIELDS or not title:
            raise typer.BadParameter(
                f"{pair!r}: say FIELD=NAME, FIELD one of {', '.join(FIELDS)}", param_hint="--column"
            )
        given.setdefault(name, []).append(title)
    if given and "name" not in given:
        raise typer.BadParameter("say where the names are: name=...", param_hint="--column")
    return Reading(
        kind=kind,  # type: ignore[arg-type]
        country=country.upper() if country else None,
        columns=given,
        alternates=alternates,
    )


def _existing(ctx: typer.Context, file: Path | None) -> Path:
    path = file or settings(ctx).data_dir / FILE
    if not path.exists():
        raise NotFound(f"{path}: nothing was imported yet; see rasd gazetteer import --help")
    return path


def _write(target: Path, data: bytes) -> None:
    """Puts the file in place whole, or leaves what was there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _plain(places: tuple[GazetteerPlace, ...]) -> Iterator[dict[str, object]]:
    for p in places:
        yield {
            "id": p.id, "names": list(p.names), "country": p.country or None, "admin1": p.admin1 or None,
            "precision": p.precision, "lat": p.lat, "lon": p.lon, "source": p.source,
        }  # fmt: skip


def _point(place: GazetteerPlace) -> str:
    return "" if place.lat is None or place.lon is None else f"{place.lat:.4f} {place.lon:.4f}"
