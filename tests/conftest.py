from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.kafka.fixtures import kafka, kafka_config, kafka_environment, kafka_jars, prefix
from tests.leftovers import end_with_this_process
from tests.postgres.fixtures import database, postgres, postgres_server

__all__ = [
    "database",
    "kafka",
    "kafka_config",
    "kafka_environment",
    "kafka_jars",
    "postgres",
    "postgres_server",
    "prefix",
]

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long-faults", action="store_true", help="the full length of the fault tests (make faults)")


def pytest_configure() -> None:
    end_with_this_process()
    # A shell starts what it puts in the background deaf to Ctrl-C, which is handed down to every process of the tests.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def long_faults(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long-faults"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development corpus beside the checkout (or RASD_SHARED); skips where there is none."""
    folder = Path(os.environ.get("RASD_SHARED", ROOT.parent / "shared"))
    if not (folder / "eval").is_dir():
        pytest.skip(f"no development corpus at {folder}")
    return folder
