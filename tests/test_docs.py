"""What the documentation says is there, is there; and what is there, is documented."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer.main

from pipeline.cli import build
from pipeline.cli.context import FAILED, INTERRUPTED, NOTHING, OK, USAGE
from pipeline.cli.filters import DAYS, NAMES, NUMBERS
from pipeline.cli.shared import SHARED
from pipeline.config import SETTINGS, load

ROOT = Path(__file__).parents[1]
CLI = (ROOT / "docs" / "cli.md").read_text("utf-8")
CONFIG = (ROOT / "docs" / "config.md").read_text("utf-8")
PAGES = [p for p in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if p.exists()]


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words, groups resolved."""
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, (*path, name))
    if path and (not hasattr(command, "commands") or command.invoke_without_command):
        yield path, command


APP: Any = typer.main.get_command(build())
COMMANDS = {" ".join(path): command for path, command in commands(APP)}


def options(command: Any) -> set[str]:
    """Names of a command's options, long and short."""
    return {name for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("-")}


def section(title: str) -> str:
    """The text under a heading of docs/cli.md, up to the next heading of its rank."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", CLI, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section '## {title}'"
    return found[1]


EVERYWHERE = {"--data", "--config", "--verbose", "-v", "--quiet", "-q"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = section(f"rasd {name}")
    missing = [o for o in options(COMMANDS[name]) - EVERYWHERE if not re.search(rf"`{o}\b", text)]
    assert missing == []


def test_no_command_is_documented_that_is_none() -> None:
    assert set(re.findall(r"^## rasd (.+)$", CLI, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_documented_that_is_none(name: str) -> None:
    named = set(re.findall(r"`(--[a-z-]+)", section(f"rasd {name}")))
    assert named <= options(COMMANDS[name])


def test_the_shared_options_and_those_of_the_root_are_documented() -> None:
    assert len(EVERYWHERE) == len(SHARED) + 2
    text = section("Everywhere")
    assert [o for o in options(APP) if o not in text] == []


def test_every_exit_code_is_documented() -> None:
    for code in (OK, FAILED, USAGE, NOTHING, INTERRUPTED):
        assert re.search(rf"^\| {code} \| \w", CLI, re.MULTILINE)


def test_every_filter_name_is_documented() -> None:
    text = section("rasd tail")
    assert [name for name in (*NAMES, *NUMBERS, *DAYS) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented_as_the_table_has_it(name: str) -> None:
    row = SETTINGS[name]
    assert f"| `{name}` | `{orjson.dumps(row.default).decode()}` | `{row.variable}` | {row.doc} |" in CONFIG


def test_no_setting_is_documented_that_is_none() -> None:
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", CONFIG, re.MULTILINE)) == set(SETTINGS)


def test_the_example_file_is_a_settings_file(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(re.findall(r"```toml\n(.*?)```", CONFIG, re.DOTALL)[0])
    assert load(tmp_path / "x.toml", environ={}).run.processes == 4


# -- commands and targets named anywhere -------------------------------------------------------------------------------


def code_lines(text: str) -> Iterator[str]:
    """Lines of shell blocks, and code within a line."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_line_that_a_page_shows_would_be_understood(page: Path) -> None:
    for line in code_lines(page.read_text("utf-8")):
        for call in re.findall(r"(?:^|[|&;] *)rasd ([^|&;#]*)", line):
            assert understood(call) is None, line


def understood(call: str) -> str | None:
    """What is wrong with the words after `rasd`, None if nothing is."""
    words = shlex.split(call.replace("...", ""), comments=True)
    plain = [w for w in words if not w.startswith("-")]
    name = next((n for n in (" ".join(plain[:2]), *plain[:1]) if n in COMMANDS), None)
    if name is None:
        groups = getattr(APP, "commands", {})
        return None if not plain or plain[0] in groups else f"no command {plain[0]}"
    known = options(COMMANDS[name]) | options(APP) | {"--help", "-h"}
    unknown = [w for w in words if w.startswith("-") and w not in ("-", "-vv") and w.split("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else None


def test_a_wrong_command_line_would_be_found() -> None:
    assert understood("tial events") == "no command tial"
    assert understood("tail events --folow") == "no option --folow"
    assert understood("tail events -f --from=-3 -vv") is None


def test_every_make_target_that_a_page_names_exists() -> None:
    makefile = ROOT / "Makefile"
    targets = set(re.findall(r"^([a-z-]+):", makefile.read_text(), re.MULTILINE)) if makefile.exists() else set()
    for page in PAGES:
        for line in code_lines(page.read_text("utf-8")):
            for target in re.findall(r"^make ([a-z-]+)", line):
                assert target in targets, f"{page.name}: make {target}"
