"""docker-compose.yml as the real parser reads it, and what an image of ours is built from."""

from __future__ import annotations

import fnmatch
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

COMPOSE = Path(sys.executable).with_name("docker-compose")
HADOLINT = Path(sys.executable).with_name("hadolint")


def run_compose(
    *words: str, env_file: Path | None = None, more: Sequence[Path] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """The parser, with an environment of its own: what stands in a developer's `.env` or shell is no part of a test.

    more: files read over docker-compose.yml. variables: as a `.env` would set them.
    """
    files = [word for file in (ROOT / "docker-compose.yml", *more) for word in ("-f", str(file))]
    return subprocess.run(
        [COMPOSE, "--env-file", env_file or Path(os.devnull), "--project-directory", ROOT, *files, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables},
    )


def read_project(*words: str, more: Sequence[Path] = (), **variables: str) -> dict[str, Any]:
    """The whole file in its canonical form."""
    done = run_compose(*words, "config", "--format", "json", more=more, **variables)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


@functools.cache
def project(profile: str = "*") -> dict[str, Any]:
    """As it stands in the project; profile "" for what a bare `docker-compose up` starts."""
    return read_project(*(("--profile", profile) if profile else ()))


def services(profile: str = "*") -> dict[str, dict[str, Any]]:
    return dict(project(profile)["services"])


def ours(profile: str = "*") -> dict[str, dict[str, Any]]:
    """Services of our own image."""
    return {name: s for name, s in services(profile).items() if is_ours(s)}


def is_ours(service: Mapping[str, Any]) -> bool:
    """Whether it runs the image that is built here."""
    return bool(service["image"] == services()["topics"]["image"])


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    return {k: str(v) for k, v in (service.get("environment") or {}).items() if v is not None}


def in_order(profile: str = "") -> list[str]:
    """Names of the services, each after those that it waits for."""
    found: list[str] = []
    waiting = services(profile)
    while waiting:
        ready = [n for n, s in waiting.items() if not set(s.get("depends_on") or {}) - set(found)]
        assert ready, f"these wait for each other: {sorted(waiting)}"
        found += ready
        for name in ready:
            del waiting[name]
    return found


def documented() -> list[list[str]]:
    """Words of every call of docker-compose that docs/deploying.md shows, without the program's name."""
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"`(docker-compose [^`\n]+)`", page)
    calls = [call for line in lines for call in line.split("&&")]
    words = [shlex.split(call, comments=True) for call in calls]
    return [w[1:] for w in words if w and w[0] == "docker-compose"]


# -- the image -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of the Dockerfile, its lines joined. stage: 0 for the first FROM."""

    stage: int
    word: str
    rest: str


def dockerfile() -> list[Instruction]:
    lines = [x for x in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if not x.startswith("#")]
    found, stage = [], -1
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            stage += word == "FROM"
            found.append(Instruction(stage, word, rest.strip()))
    return found


def context_files() -> Iterator[Path]:
    """Files, relative to the project, that .dockerignore lets into the build: last match wins, `!` lets in."""
    rules = [x for x in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if x and not x.startswith("#")]
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in names:
            path = Path(folder, name).relative_to(ROOT)
            if not _ignored(path, rules):
                yield path


def _ignored(path: Path, rules: list[str]) -> bool:
    ignored = False
    heads = ["/".join(path.parts[: n + 1]) for n in range(len(path.parts))]
    for rule in rules:
        pattern = rule.removeprefix("!")
        names = path.parts if pattern.startswith("**/") else heads
        if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in names):
            ignored = not rule.startswith("!")
    return ignored


def copy_in(words: str, into: Path) -> None:
    """What COPY of a build's context does, to a folder that stands for the working directory."""
    *sources, target = shlex.split(words)
    files = list(context_files())
    for source in sources:
        chosen = [f for f in files if f.parts[: len(Path(source).parts)] == Path(source).parts]
        assert chosen, f"COPY {source}: not in the build's context"
        for file in chosen:
            below = file.relative_to(source) if (ROOT / source).is_dir() else Path(file.name)
            place = into / target / below if (ROOT / source).is_dir() or target.endswith("/") else into / target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, place)
