"""Who may import whom. The folders are the architecture; this keeps it true."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {"pipeline", "connectors", "processors"}
CORE = {"pipeline.records", "pipeline.ids", "pipeline.errors"}
#: module or package → the modules of ours that it may import
MAY = {
    "pipeline.errors": set(),
    "pipeline.records": set(),
    "pipeline.ids": set(),
    "processors": CORE,
    "connectors": {*CORE, "pipeline.config", "pipeline.telemetry", "pipeline.log.Log", "pipeline.log.Message"},
}
PACKAGES = {"pipeline", "pipeline.log"}  # named on the way to what is allowed inside
NO_IO = {"socket", "http", "urllib", "requests", "aiohttp", "sqlite3", "subprocess", "time", "random"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str) -> set[str]:
    """Modules that a source imports, functions' own imports included; `from a import b` counts as a.b and a."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return found


def faults(name: str, source: str) -> set[str]:
    """Imports that the rules above forbid to module `name`."""
    rule = next((r for r in (name, name.split(".")[0]) if r in MAY), None)
    if rule is None:
        return set()
    own = name.split(".")[0] if rule in ("processors", "connectors") else None
    bad = set()
    for module in imports(source):
        top = module.split(".")[0]
        if top == own or top not in OURS:
            continue
        if not any(module == ok or module.startswith(ok + ".") for ok in MAY[rule]) and module not in (
            "pipeline",
            "pipeline.log",
        ):
            bad.add(module)
    return bad


SOURCES = sorted(p for top in OURS for p in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    assert not faults(module_name(path), path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [p for p in SOURCES if "processors" in p.parts], ids=module_name)
def test_processors_know_no_clock_and_no_socket(path: Path) -> None:
    tops = {m.split(".")[0] for m in imports(path.read_text(encoding="utf-8"))}
    assert not tops & NO_IO


def test_the_rules_catch_what_they_forbid() -> None:
    assert faults("processors.dedupe.step", "from connectors import urls") == {"connectors", "connectors.urls"}
    assert faults("connectors.clean", "def f():\n    from processors.text import fold\n")
    assert faults("connectors.sinks.jsonl", "from pipeline.log.sqlite import SqliteLog")
    assert not faults("connectors.sinks.jsonl", "from pipeline.log import Log")
    assert faults("connectors.sinks.jsonl", "from pipeline.flow import FLOW")
    assert faults("pipeline.records", "import pipeline.wire")
    assert not faults("processors.text", "from pipeline.records import Article\nimport re")
