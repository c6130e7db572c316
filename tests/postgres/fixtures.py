"""Fixtures for tests that need PostgreSQL; imported by tests/conftest.py, so that all tests may ask for them.

RASD_TEST_POSTGRES=dsn names a server to use instead of one of our own (its user must be allowed to make databases);
RASD_REQUIRE_SERVERS=1 makes a missing server a failure, not a skip.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

import pytest

from tests.postgres.server import Server, empty_database, fresh_database, programs


def _missing(why: str) -> None:
    if os.environ.get("RASD_REQUIRE_SERVERS") == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server of our own, that a test may stop and kill as long as it runs at the end."""
    if programs() is None:
        _missing("no server programs of PostgreSQL (initdb on PATH or under /usr/lib/postgresql)")
    with Server.started() as server:
        yield server


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> str:
    """The address of a server that is only written to."""
    given = os.environ.get("RASD_TEST_POSTGRES")
    if given:
        return given
    server: Server = request.getfixturevalue("postgres_server")
    return server.dsn


@pytest.fixture
def database(postgres: str) -> str:
    """The address of an empty database."""
    dsn = _one_database(postgres)
    empty_database(dsn)
    return dsn


@functools.cache
def _one_database(server: str) -> str:
    """Made once for all tests: emptying costs less than making."""
    return fresh_database(server)
