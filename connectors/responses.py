"""What a server answered, as everything behind the sockets sees it."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import RasdError

#: What a request is for; limits, robots rules and the archive depend on it.
Kind = Literal["feed", "sitemap", "page", "robots", "hub"]

_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
PERMANENT = (301, 308)


@dataclass(frozen=True, slots=True)
class Hop:
    """One redirect that was followed. location: absolute."""

    url: str
    status: int
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete answer, of whatever status.

    url: of the last request, the one that this answers. headers: as received, in their order.
    raw: the body as it came, transfer coding undone, content coding (gzip, br) not. body: unpacked.
    cut: whether raw and body end before the answer did (robots.txt and answers other than 2xx only).
    fetched: UTC, whole seconds. hops: the redirects that led here.
    """

    url: str
    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes = b""
    body: bytes = b""
    fetched: dt.datetime
    hops: tuple[Hop, ...] = ()
    cut: bool = False

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its letter case."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def charset(self) -> str | None:
        """What Content-Type says of the encoding."""
        found = _CHARSET.search(self.header("content-type") or "")
        return found[1] if found else None

    @property
    def moved_to(self) -> str | None:
        """Where the first address has moved for good: the end of the unbroken run of permanent redirects."""
        to = None
        for hop in self.hops:
            if hop.status not in PERMANENT:
                break
            to = hop.location
        return to


class FetchFailed(RasdError):
    """No complete answer was had.

    reason: bad-url, forbidden-address, robots, robots-unread (robots.txt cannot be had just now), dns, connection, tls,
    timeout, too-large, bad-encoding, bad-response, redirects, held (the host has asked for a pause that is not over).
    retryable: whether a later try may go better.
    after: seconds that the server asked to wait, if it did.
    """

    reason = "fetch-failed"

    def __init__(
        self, message: str, *, reason: str, url: str, retryable: bool = False, after: float | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        self.url, self.retryable, self.after = url, retryable, after
