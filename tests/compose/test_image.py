"""The Dockerfile's first stage, carried out here: its COPY, ENV and RUN, in a folder that stands for the root.

Downloads what the image holds (some 80 packages), so it runs with `--long-faults` only.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose.composed import copy_in, dockerfile

PLACES = ("/opt/", "/src", "/wheel")  # folders of the image that RUN lines name
#: What the image must bring, said by a program in it.
HOLDS = """
import importlib.resources as r, importlib.util, sys
import aiokafka, cramjam, faust, kafka, lz4, prometheus_client, psycopg, rocksdict, zstandard
import connectors, pipeline, processors
from pipeline.cli.demo import packaged_archive
assert r.files(connectors).joinpath("sinks", "schema.sql").is_file()
assert r.files(connectors).joinpath("data", "feeds.toml").is_file()
assert pipeline.__file__.startswith(sys.prefix), pipeline.__file__
assert list(packaged_archive().iterdir())
for tool in ("pip", "hatchling", "setuptools", "Cython"):
    assert importlib.util.find_spec(tool) is None, f"{tool} is no part of the image"
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, long_faults: bool) -> Path:
    """The folder that stands for the root of the first stage's image, after its last line."""
    if not long_faults:
        pytest.skip("downloads what the image holds: --long-faults")
    root = tmp_path_factory.mktemp("image")
    base = root / "base"  # `python` of the base image
    base.mkdir()
    (base / "python").symlink_to(os.path.realpath(sys.executable))
    here, environ = root, {"PATH": f"{base}:/usr/bin:/bin", "HOME": str(root)}
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy"):
        environ |= {name: os.environ[name]} if name in os.environ else {}
    for step in (i for i in dockerfile() if i.stage == 0):
        if step.word == "ENV":
            environ |= dict(pair.split("=", 1) for pair in shlex.split(step.rest))
            environ.pop("PIP_NO_CACHE_DIR", None)  # of the image's size only
        elif step.word == "WORKDIR":
            here = root / step.rest.lstrip("/")
            here.mkdir(parents=True, exist_ok=True)
        elif step.word == "COPY":
            copy_in(step.rest, here)
        elif step.word == "RUN":
            line = step.rest
            for place in PLACES:
                line = line.replace(f" {place}", f" {root}{place}")
            done = subprocess.run(
                ["sh", "-ec", line], cwd=here, env=environ, capture_output=True, text=True, check=False, timeout=900
            )
            assert done.returncode == 0, f"{line}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    return root


def test_the_image_holds_what_it_needs_and_no_tools_to_build_with(root: Path) -> None:
    done = subprocess.run(
        [root / "opt/rasd/bin/python", "-c", HOLDS], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr


def test_the_installed_command_reads_the_packaged_archive(root: Path, tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    rasd = root / "opt/rasd/bin/rasd"
    done = subprocess.run(
        [rasd, "demo", "--into", tmp_path / "demo"], capture_output=True, text=True, check=False, cwd=root, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert "articles read" in done.stdout


def test_the_image_stays_small(root: Path) -> None:
    size = sum(p.lstat().st_size for p in (root / "opt/rasd").rglob("*")) / 1e6
    print(f"packages and program: {size:.0f} MB")
    assert size < 450
