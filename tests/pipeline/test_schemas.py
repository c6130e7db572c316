"""The shipped schemas are the code's, and a record never loses a promise within its version.

When a test here fails for a change you mean: make a new schema version (`rasd.event/2`), or, for a field that was only
added, run `rasd schema --all pipeline/schemas` and copy the file to `tests/golden/schemas/`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import schemas
from pipeline.schemas import schema_of, schema_text
from pipeline.wire import RECORDS

SHIPPED = Path(schemas.__file__).parent
BASELINE = Path(__file__).parents[1] / "golden" / "schemas"
Schema = dict[str, Any]


#: Fields whose name says all, or whose type is described. The list may only become shorter.
def breaks(old: Schema, new: Schema) -> list[str]:
    """What a reader of the old schema could no longer rely on."""
    found = [f"{key} changed" for key in ("$id", "$ref") if old[key] != new[key]]
    for type_name, before in old["$defs"].items():
        after = new["$defs"].get(type_name)
        if after is None:
            found.append(f"{type_name} vanished")
            continue
        if before.get("description") != after.get("description"):
            found.append(f"{type_name} changed its description")
        found += _fields(type_name, before, after)
    for type_name in new["$defs"]:
        if type_name not in old["$defs"]:
            continue
        known = old["$defs"][type_name]["properties"]
        for name in new["$defs"][type_name].get("required", []):
            if name not in known:
                found.append(f"{type_name}.{name} is new and not optional")
            elif name not in old["$defs"][type_name].get("required", []):
                found.append(f"{type_name}.{name} is no longer optional")
    return found


def _fields(type_name: str, before: Schema, after: Schema) -> list[str]:
    found = []
    for name, was in before["properties"].items():
        where = f"{type_name}.{name}"
        now = after["properties"].get(name)
        if now is None:
            found.append(f"{where} vanished")
            continue
        if was.get("description") != now.get("description"):
            found.append(f"{where} changed its description")
        if was.get("default", ...) != now.get("default", ...):
            found.append(f"{where} changed its default")
        found += [f"{where} lost the value {value!r}" for value in _values(was) - _values(now)]
        if _shape(was) != _shape(now):
            found.append(f"{where} changed its type")
    return found


def _values(schema: Any) -> set[Any]:
    """Every allowed value that stands anywhere in a field's schema."""
    if isinstance(schema, dict):
        own = set(schema.get("enum", []))
        return own.union(*(_values(v) for k, v in schema.items() if k not in ("enum", "default")))
    return set().union(*map(_values, schema)) if isinstance(schema, list) else set()


def _shape(schema: Any) -> Any:
    """The type without its words, its default and its list of values."""
    if isinstance(schema, dict):
        kept = {k: _shape(v) for k, v in schema.items() if k not in ("description", "default", "enum", "title")}
        return {**kept, "enum": True} if "enum" in schema else kept
    return [_shape(v) for v in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("name", RECORDS)
def test_the_shipped_schema_is_what_the_code_says(name: str) -> None:
    assert (SHIPPED / f"{name}.json").read_bytes() == schema_text(name), "run `rasd schema --all pipeline/schemas`"


def test_no_schema_is_shipped_without_its_record() -> None:
    assert {f.stem for f in SHIPPED.glob("*.json")} == set(RECORDS) == {f.stem for f in BASELINE.glob("*.json")}


@pytest.mark.parametrize("name", RECORDS)
def test_no_promise_of_the_baseline_is_broken(name: str) -> None:
    assert breaks(json.loads((BASELINE / f"{name}.json").read_bytes()), json.loads(schema_text(name))) == []


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_says_what_it_means(name: str) -> None:
    schema = schema_of(name)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["$id"].endswith(f"rasd.{name}/1.json")
    for type_name, body in schema["$defs"].items():
        assert body["description"], type_name
        for field, about in body["properties"].items():
            assert about.get("description"), f"{type_name}.{field}"


# -- the comparison can fail -----------------------------------------------------------------------------------------


def event() -> Schema:
    return json.loads(json.dumps(schema_of("event")))  # type: ignore[no-any-return]


def _drop_field(s: Schema) -> None:
    del s["$defs"]["Event"]["properties"]["outlet"]


def _drop_type(s: Schema) -> None:
    del s["$defs"]["Reused" if "Reused" in s["$defs"] else "Why"]


def _retype(s: Schema) -> None:
    s["$defs"]["Event"]["properties"]["revision"]["type"] = "string"


def _no_null(s: Schema) -> None:
    s["$defs"]["Event"]["properties"]["url"]["anyOf"].pop()


def _span_of_three(s: Schema) -> None:
    s["$defs"]["Claim"]["properties"]["span"]["maxItems"] = 3


def _drop_value(s: Schema) -> None:
    s["$defs"]["Event"]["properties"]["realis"]["enum"].remove("recap")


def _drop_nested_value(s: Schema) -> None:
    for option in s["$defs"]["Place"]["properties"]["precision"]["anyOf"]:
        if "enum" in option:
            option["enum"].remove("town")


def _reword(s: Schema) -> None:
    s["$defs"]["Claim"]["properties"]["count"]["description"] = "Best guess of the number"


def _reword_type(s: Schema) -> None:
    s["$defs"]["Claim"]["description"] = "Something else"


def _other_default(s: Schema) -> None:
    s["$defs"]["Event"]["properties"]["realis"]["default"] = "planned"


def _require(s: Schema) -> None:
    s["$defs"]["Event"]["required"].append("url")


def _add_required(s: Schema) -> None:
    s["$defs"]["Event"]["properties"]["mood"] = {"description": "Mood", "type": "string"}
    s["$defs"]["Event"]["required"].append("mood")


def _rename(s: Schema) -> None:
    s["$id"] = s["$id"].replace("/1", "/2")


@pytest.mark.parametrize(
    ("mutate", "said"),
    [
        (_drop_field, "Event.outlet vanished"),
        (_drop_type, "Why vanished"),
        (_retype, "Event.revision changed its type"),
        (_no_null, "Event.url changed its type"),
        (_span_of_three, "Claim.span changed its type"),
        (_drop_value, "Event.realis lost the value 'recap'"),
        (_drop_nested_value, "Place.precision lost the value 'town'"),
        (_reword, "Claim.count changed its description"),
        (_reword_type, "Claim changed its description"),
        (_other_default, "Event.realis changed its default"),
        (_require, "Event.url is no longer optional"),
        (_add_required, "Event.mood is new and not optional"),
        (_rename, "$id changed"),
    ],
)
def test_a_broken_promise_is_found(mutate: Callable[[Schema], None], said: str) -> None:
    changed = event()
    mutate(changed)
    assert breaks(event(), changed) == [said]


def test_additions_are_allowed() -> None:
    changed = event()
    changed["$defs"]["Event"]["properties"]["mood"] = {"description": "Mood", "type": "string", "default": ""}
    changed["$defs"]["Event"]["properties"]["realis"]["enum"].append("rumoured")
    changed["$defs"]["Mood"] = copy.deepcopy(changed["$defs"]["Why"])
    assert breaks(event(), changed) == []
