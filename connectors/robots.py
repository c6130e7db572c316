"""What a host's robots.txt allows us (RFC 9309)."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from protego import Protego

from connectors.clock import Clock
from connectors.responses import FetchFailed, Response
from pipeline.config import FetchSettings

#: Asks for one address and follows its redirects, host by host in turn. Raises: FetchFailed.
Ask = Callable[[str], Awaitable[Response]]

LONGEST_DELAY = 60.0  # seconds; a feed could not be read in time at more
RETRY, LONGEST_RETRY = 60.0, 3_600.0  # seconds until an unreachable robots.txt is asked for again, doubling
HOSTS = 10_000  # remembered
TEXTS = 32_000_000  # characters of rules remembered in all
LINES = 5_000  # rules for us in one file; the longest honest files have some hundreds
LINE = 2_048  # characters of a line; longer ones are no address pattern

#: Failures after which robots.txt may be there all the same.
_NO_ANSWER = frozenset(("dns", "connection", "tls", "timeout", "bad-response", "held"))

_FIELD = re.compile(r"\s*([A-Za-z][A-Za-z -]*?)\s*:\s*(.*)")
_TOKEN = re.compile(r"[A-Za-z_-]+")
_BOT = re.compile(r"compatible;\s*([A-Za-z_-]+)")
_AGENT = frozenset(("user-agent", "useragent", "user agent"))
_DELAY, _SECONDS = "crawl-delay", re.compile(r"\d{1,9}(?:[.,]\d{1,9})?")
_SITEMAP = frozenset(("sitemap", "sitemaps", "site-map"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one origin asks of us.

    closed: nothing may be fetched for now, as robots.txt could not be had: why, in words, and reason, the slug. delay:
    seconds between requests, at most LONGEST_DELAY; asked_delay: what was written. sitemaps: as written. until: when it
    is asked for again.
    """

    until: float
    closed: bool = False
    reason: str = "robots"
    why: str = ""
    delay: float = 0.0
    asked_delay: float = 0.0
    sitemaps: tuple[str, ...] = ()
    size: int = 0
    failures: int = 0
    _parsed: Protego | None = None

    def allows(self, url: str) -> bool:
        """Whether this address (in the spelling that is requested) may be fetched."""
        if self.closed:
            return False
        return self._parsed is None or self._parsed.can_fetch(url, _OURS)


class Robots:
    """Rules of many origins, each asked for once and remembered for `settings.robots_hours`."""

    def __init__(self, settings: FetchSettings, *, clock: Clock) -> None:
        self._clock = clock
        self._seconds = settings.robots_hours * 3_600
        self._token = product_token(settings.user_agent)
        self._rules: OrderedDict[str, Rules] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Rules]] = {}
        self._size = 0

    def known(self, origin: str) -> Rules | None:
        """What is remembered of this origin and still holds."""
        rules = self._rules.get(origin)
        if rules is None or rules.until <= self._clock.now():
            return None
        self._rules.move_to_end(origin)
        return rules

    async def rules(self, origin: str, ask: Ask) -> Rules:
        """What this origin (`scheme://host:port`) asks of us. Whoever asks meanwhile waits for the same request."""
        if (rules := self.known(origin)) is not None:
            return rules
        task = self._asked.get(origin)
        if task is None:
            task = self._asked[origin] = asyncio.create_task(self._learn(origin, ask))
            task.add_done_callback(lambda _: self._asked.pop(origin, None))
        return await asyncio.shield(task)

    async def _learn(self, origin: str, ask: Ask) -> Rules:
        before = self._rules.get(origin)
        try:
            response = await ask(f"{origin}/robots.txt")
        except FetchFailed as e:
            if e.reason in _NO_ANSWER:
                rules = self._unreachable(before, e.reason, str(e), e.after)
            else:  # it leads nowhere: there is none, RFC 9309 2.3.1.2
                rules = Rules(until=self._clock.now() + min(LONGEST_RETRY, self._seconds))
        else:
            rules = self._read(before, response)
        self._keep(origin, rules)
        return rules

    def _read(self, before: Rules | None, response: Response) -> Rules:
        until = self._clock.now() + self._seconds
        if 200 <= response.status < 300:
            return read_rules(response.body, self._token, until=until)
        if response.status >= 500 or response.status == 429:
            return self._unreachable(before, "robots-unread", f"robots.txt answers {response.status}", None)
        return Rules(until=until)  # there is none: everything may be fetched

    def _unreachable(self, before: Rules | None, reason: str, why: str, after: float | None) -> Rules:
        """Nothing may be fetched, unless an older copy tells more; asked again soon, then ever later."""
        failures = before.failures + 1 if before else 1
        wait = max(min(RETRY * 2 ** min(failures - 1, 10), LONGEST_RETRY), after or 0.0)
        until = self._clock.now() + min(wait, self._seconds)
        if before is not None and not before.closed:
            return replace(before, until=until, failures=failures)
        return Rules(until=until, closed=True, reason=reason, why=why, failures=failures)

    def _keep(self, origin: str, rules: Rules) -> None:
        old = self._rules.pop(origin, None)
        self._size += rules.size - (old.size if old else 0)
        self._rules[origin] = rules
        while len(self._rules) > HOSTS or self._size > TEXTS:
            _, gone = self._rules.popitem(last=False)
            self._size -= gone.size


def product_token(user_agent: str) -> str:
    """The name by which robots.txt files speak of us: `rasd` of `rasd/0.1 (+https://...)`, in lower case."""
    found = _BOT.search(user_agent)
    if found:
        return found[1].lower()
    token = _TOKEN.search(user_agent)
    return token[0].lower() if token else "*"


def read_rules(body: bytes, token: str, *, until: float) -> Rules:
    """The rules of a robots.txt for the robot named `token`. Never raises: what is no rule is ignored."""
    text, sitemaps = _for_us(body.decode("utf-8-sig", "replace"), token)
    if not text:
        return Rules(until=until, sitemaps=sitemaps)
    parsed = Protego.parse(text)
    asked = parsed.crawl_delay(_OURS) or 0.0
    if (rate := parsed.request_rate(_OURS)) is not None:
        asked = max(asked, rate.seconds / rate.requests)
    return Rules(
        until=until,
        delay=min(asked, LONGEST_DELAY),
        asked_delay=asked,
        sitemaps=sitemaps,
        size=len(text),
        _parsed=parsed,
    )


#: The name under which our group is put before protego, whatever its name was.
_OURS = "us"


def _for_us(text: str, token: str) -> tuple[str, tuple[str, ...]]:
    """The rules of our group alone, else of `*`, with the sitemaps of the file.

    Files may be hostile: groups of others are dropped before anything is built from them.
    """
    ours: list[str] = []
    everyones: list[str] = []
    sitemaps: list[str] = []
    named = naming = False
    to: list[list[str]] = []
    for line in text.splitlines():
        found = _FIELD.match(line[:LINE].partition("#")[0])
        if not found:
            continue
        field, value = found[1].lower(), found[2].strip()
        if field in _SITEMAP:
            if value and len(sitemaps) < LINES:
                sitemaps.append(value)
            continue
        if field in _AGENT:
            if not naming:
                to, naming = [], True
            name = _TOKEN.match(value)
            if value.startswith("*") and everyones not in to:
                to.append(everyones)
            elif name and name[0].lower() == token:
                named = True
                to.append(ours)
            continue
        naming = False
        if field == _DELAY and (seconds := _SECONDS.match(value)):
            value = seconds[0].replace(",", ".")  # `10s` and `1,5` are meant, and protego reads neither
        for group in to:
            if len(group) < LINES:
                group.append(f"{field}: {value}")
    rules = ours if named else everyones
    return ("\n".join([f"user-agent: {_OURS}", *rules]) if rules else ""), tuple(sitemaps)
