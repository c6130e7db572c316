"""What the example archive yields, in a form that a person can review.

    python -m tests.expected --write    # after a change of extraction that was looked at

One line a record: verdicts of what is not new, rejects, then per article its events with their claims, and its tolls.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipeline.log.sqlite import SqliteLog
from tests.conftest import ROOT

EXPECTED = ROOT / "examples" / "expected" / "records.txt"


def yielded(data: Path) -> str:
    """Everything that a replay into `data` published, as text."""
    log = SqliteLog(data / "log.sqlite", readonly=True)
    try:
        return "\n".join(_lines(log)) + "\n"
    finally:
        log.close()


def _lines(log: SqliteLog) -> Iterator[str]:
    names = {
        a["id"]: a["source_id"] or a["archive"]["file"] for a in map(_value, reversed([*log.scan("rasd.articles")]))
    }
    for reject in map(_value, log.scan("rasd.rejects")):
        yield f"reject {reject['file']}:{reject['line'] or ''} {reject['stage']} {reject['reason']}"
    for verdict in map(_value, log.scan("rasd.verdicts")):
        if verdict["verdict"] != "unique":
            of = names[verdict["of"]]
            yield f"{verdict['verdict']} {names[verdict['article_id']]} (revision {verdict['revision']}) of {of}"
    for record in map(_value, log.scan("rasd.events")):
        name = f"{names[record['article_id']]}.{record['revision']}"
        if record["kind"] == "coding":
            if record["abstained"]:
                yield f"{name} nothing: {record['reason']}"
            continue
        yield f"{name} {_event(record) if record['kind'] == 'event' else _toll(record)}"
        yield from (f"    {_claim(claim)}" for claim in record["casualties"])


def _value(message: Any) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(message.value)
    return value


def _event(event: dict[str, Any]) -> str:
    when = event["date"]
    actors = ", ".join(f"{a['role']} {a['id']}" for a in event["actors"])
    places = ", ".join(p["text"] for p in event["places"])
    return f"{event['realis']} {event['sub_event_type']} | {when['start']}..{when['end']} | {places} | {actors}"


def _toll(toll: dict[str, Any]) -> str:
    sums = f" | {orjson.dumps(toll['reconciles']).decode()}" if toll["reconciles"] else ""
    return f"toll | {toll['period']['start']}..{toll['period']['end']}{sums}"


def _claim(claim: dict[str, Any]) -> str:
    group = "+".join(side["id"] for side in claim["group"])
    part = "" if claim["part_of"] is None else f" part of {claim['part_of']}"
    primary = "" if claim["primary"] else " (not primary)"
    count = "" if claim["count"] is None else f" {claim['count']}"
    return f"{claim['outcome']} {claim['hedge']}{count} {claim['category']} [{group}]{part}{primary}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.expected", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace examples/expected (else print)")
    given = parser.parse_args()
    from connectors.sources.archives import Options
    from pipeline.cli.replay import run_archive
    from pipeline.config import load

    with tempfile.TemporaryDirectory() as data:
        run_archive(load(data=Path(data), environ={}), [ROOT / "examples" / "archive"], Options())
        text = yielded(Path(data))
    if given.write:
        EXPECTED.parent.mkdir(parents=True, exist_ok=True)
        EXPECTED.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
