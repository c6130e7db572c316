from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipeline.cli.site import InProcess, Site, serving


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """What it serves is read in this process; `guarded_site` leaves that to the children that it is made for."""
    monkeypatch.setattr("pipeline.runtimes.reading.Pool", InProcess)
    with serving() as site:
        yield site


@pytest.fixture
def guarded_site() -> Iterator[Site]:
    with serving() as site:
        yield site
