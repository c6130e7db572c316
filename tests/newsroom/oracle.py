"""What must have happened, told from the world and the server's access log alone: nothing of the live code is asked.

Every question gives numbers and a list of faults in words; an empty list is what tests want.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.newsroom.cast import HOUR, Feed, Story
from connectors.newsroom.server import Access
from connectors.newsroom.world import BUSY, World
from tests.newsroom.store import Arrived, Store

WORKING = ("etag", "both", "modified", "weak")  # validators that tell the truth
WORDLESS = ("news", "news-gz", "index")  # dialects without any text but headlines
SPANS = (1 * HOUR, 6 * HOUR, 24 * HOUR, 72 * HOUR)  # when pages are read again: the default of feeds.recheck
LATE = 900.0 + 1_800.0  # seconds that a re-check may come late: spread on purpose, and its host's queue
PROMPT = 1_800.0  # seconds within which a page is read once a feed announced a change of it
RECOVERY = 7 * HOUR  # a feed that broke is asked again after six hours at most, drawn out by a tenth
BLINK = 0.01  # seconds: rounding of times


@dataclass(slots=True)
class Finding:
    numbers: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Oracle:
    """host_delay: seconds, as set. breaks: simulated times at which the client was killed. end: of the run."""

    def __init__(
        self, world: World, accesses: list[Access], store: Store, *, host_delay: float = 1.0,
        breaks: Iterable[float] = (), end: float | None = None,
    ) -> None:  # fmt: skip
        self.world, self.store, self.host_delay = world, store, host_delay
        self.accesses = sorted(accesses, key=lambda a: a.time)
        self.breaks = sorted(breaks)
        self.end = world.plan.end if end is None else end
        self.tokens = store.tokens
        self.by_host: dict[str, list[Access]] = defaultdict(list)
        self.by_key: dict[str, list[Access]] = defaultdict(list)
        self._stories = {
            url: s for s in world.stories for url in (world.address(s, s.published), world.address(s, 1e12))
        }
        self._holds: dict[int, list[tuple[float, float]]] = defaultdict(list)  # when an outlet as a whole is not asked
        for outlet in world.outlets:
            self._holds[outlet.number] += [(p.begin, p.end + BUSY) for p in outlet.phases]
        for feed in world.feeds:  # a 503 of one feed asks the whole host to wait
            self._holds[feed.outlet] += [(p.begin, p.end + BUSY) for p in feed.phases if p.trouble == "busy"]
        for access in self.accesses:
            self.by_host[access.host].append(access)
            self.by_key[access.key].append(access)

    # -- manners -------------------------------------------------------------------------------------------------------

    def rates(self) -> Finding:
        """No host is asked faster than it allows, nor while it asked to wait."""
        out = Finding({"requests": len(self.accesses), "hosts": len(self.by_host)})
        early = 0
        for host, asked in self.by_host.items():
            outlet = self.world.outlet(host)
            delay, wait_until = self.host_delay, 0.0
            before: Access | None = None
            for access in asked:
                if access.open > 2:
                    out.faults.append(f"{host}: {access.open} requests at once at {access.time:.1f}")
                if before is not None and not self._broke(before.time, access.time):
                    gap = access.time - before.time
                    if gap < delay - BLINK:
                        early += 1
                        out.faults.append(
                            f"{host}: {before.target} and {access.target} only {gap:.2f} s apart, {delay:g} are due"
                        )
                    if access.time < wait_until - 1.0 and not self._broke(wait_until - 86_400, access.time):
                        out.faults.append(
                            f"{host}: {access.target} {wait_until - access.time:.0f} s before the end of Retry-After"
                        )
                if access.wait:
                    wait_until = max(wait_until, access.time + access.wait)
                if access.kind == "robots" and access.status == 200 and not access.trouble and outlet:
                    delay = max(self.host_delay, outlet.crawl_delay or 0.0)
                before = access
        out.numbers["too early"] = early
        out.numbers["answers 429"] = sum(a.status == 429 for a in self.accesses)
        return out

    def robots(self) -> Finding:
        """Nothing forbidden is asked for, robots.txt comes first, and where it fails nothing else is asked for."""
        out = Finding({"robots.txt read": sum(a.kind == "robots" for a in self.accesses)})
        for access in self.accesses:
            if access.kind != "robots" and self.world.forbidden(access.host, access.target):
                out.faults.append(f"{access.host}{access.target} was asked for though robots.txt forbids it")
        for host, asked in self.by_host.items():
            last: Access | None = None
            known = False  # an older copy holds while a newer one cannot be had
            for access in asked:
                if access.kind == "robots":
                    last = access
                    known = known or (access.status < 500 and access.complete)
                elif last is None:
                    out.faults.append(f"{host}{access.target} was asked for before robots.txt")
                    break
                elif last.status >= 500 and not known:
                    out.faults.append(f"{host}{access.target} was asked for after robots.txt answered {last.status}")
                    break
        out.numbers["forbidden addresses asked for"] = sum(
            a.kind != "robots" and self.world.forbidden(a.host, a.target) for a in self.accesses
        )
        return out

    def agents(self) -> Finding:
        named = Counter(a.agent for a in self.accesses)
        return Finding({f"agent {name}": n for name, n in named.items()}, [] if set(named) - {""} else ["no agent"])

    # -- feeds ---------------------------------------------------------------------------------------------------------

    def unchanged(self) -> Finding:
        """How many polls of feeds that had not changed were answered 304, where validators tell the truth."""
        polls = answered = 0
        for feed in self.world.feeds:
            if feed.validators not in WORKING:
                continue
            known: dict[str, str] = {}
            for access in self.by_key[feed.key]:
                if access.kind not in ("feed", "child") or access.trouble or not access.mark:
                    continue
                part = access.target if access.kind == "child" else ""
                if known.get(part) == access.mark:
                    polls += 1
                    answered += access.status == 304
                if access.status == 200 and access.complete:
                    known[part] = access.mark
        share = answered / polls if polls else 1.0
        return Finding({"unchanged polls": polls, "answered 304": answered, "share answered 304": share})

    def recovered(self) -> Finding:
        """Feeds that broke are read again soon after they are mended."""
        out, waits = Finding(), []
        for feed in self.world.feeds:
            outlet = self.world.outlets[feed.outlet]
            ends = [p.end for p in (*feed.phases, *outlet.phases)]
            for end in ends:
                over = min([self.end, *([feed.gone] if feed.gone else [])])
                again = end + RECOVERY
                if self._barred(feed) or again > over or self._in_trouble(feed, end, again):
                    continue
                good = [
                    a.time
                    for a in self.by_key[feed.key]
                    if a.kind == "feed" and end <= a.time and a.status in (200, 304) and not a.trouble
                ]
                if not good or good[0] > again:
                    out.faults.append(
                        f"{feed.key} ({outlet.host}) was not read within {RECOVERY / HOUR:g} h of its mending"
                    )
                else:
                    waits.append(good[0] - end)
        waits.sort()
        out.numbers["mended"] = len(waits)
        out.numbers["median hours until read again"] = waits[len(waits) // 2] / HOUR if waits else 0.0
        out.numbers["most hours until read again"] = waits[-1] / HOUR if waits else 0.0
        return out

    def polled(self, longest: float = 3 * HOUR) -> Finding:
        """Feeds that work are never left alone for longer than the setting says."""
        out, gaps = Finding(), []
        for feed in self.world.feeds:
            if self._barred(feed):
                continue
            times = [
                a.time for a in self.by_key[feed.key] if a.kind == "feed" and a.status in (200, 304) and not a.trouble
            ]
            over = min(self.end, feed.gone or self.end)
            if not times:
                out.faults.append(f"{feed.key} was never read")
                continue
            for before, after in zip(times, [*times[1:], over], strict=True):
                if after - before > longest * 1.02 + 300 and not self._in_trouble(feed, before - 60, after):
                    out.faults.append(f"{feed.key}: not polled for {(after - before) / HOUR:.1f} h from {before:.0f}")
                gaps.append(after - before)
        gaps.sort()
        out.numbers["polls of feeds"] = sum(a.kind == "feed" for a in self.accesses)
        out.numbers["median minutes between polls"] = gaps[len(gaps) // 2] / 60 if gaps else 0.0
        return out

    def gone(self) -> Finding:
        """A feed that is gone is not asked for again; one that has moved is asked for where it moved to."""
        out = Finding({"gone feeds": 0, "moved feeds": 0})
        for feed in self.world.feeds:
            asked = [a for a in self.by_key[feed.key] if a.kind in ("feed", "hop")]
            told = next((a.time for a in asked if a.status == 410 and a.complete), None)
            if told is not None:
                out.numbers["gone feeds"] += 1
                later = [a for a in asked if a.time > told and not self._near_break(a.time)]
                if later:
                    out.faults.append(f"{feed.key} was asked for {len(later)} times after it was gone")
            if feed.moved is not None and feed.moved < self.end - 12 * HOUR and not feed.phases:
                out.numbers["moved feeds"] += 1
                hops = [a for a in asked if a.kind == "hop" and a.target == feed.path and a.status in (301, 308)]
                new = [a for a in asked if a.target == feed.new_path and a.status in (200, 304)]
                if not new:
                    out.faults.append(f"{feed.key} was never read where it moved to")
                outlet = self.world.outlets[feed.outlet]
                if len(hops) > 4 and not outlet.phases:
                    out.faults.append(
                        f"{feed.key} was asked for {len(hops)} times at its old address after it had moved"
                    )
        return out

    # -- articles ------------------------------------------------------------------------------------------------------

    def served(self) -> Finding:
        """Every revision of a page that was sent as a whole stands in the store."""
        out, sent = Finding(), set()
        for access in self.accesses:
            if access.kind == "page" and access.status == 200 and access.complete and not access.trouble:
                if self._near_break(access.time):
                    continue
                sent.add((access.key, access.revision))
        for key, revision in sorted(sent):
            if (key, revision, "P") not in self.tokens:
                out.faults.append(f"story {key}, revision {revision}: its page was read but never stored")
        out.numbers["revisions sent"] = len(sent)
        return out

    def announced(self) -> Finding:
        """Every revision that a feed showed at a poll stands in the store, unless it was replaced at once."""
        out, shown = Finding(), {}
        for access in self.accesses:
            if access.kind not in ("feed", "child") or access.status != 200 or access.trouble or not access.complete:
                continue
            feed = self.world.feeds[int(access.key.removeprefix("feed"))]
            for story in self._shown(feed, access):
                shown.setdefault((story.key, story.revision(access.time)), (feed, access.time))
        excused: Counter[str] = Counter()
        for (key, revision), (feed, time) in sorted(shown.items()):
            if any((key, revision, where) in self.tokens for where in "PFS"):
                continue
            story = self.world.story(key)
            excuse = self._excuse(story, feed, revision, time)
            if excuse:
                excused[excuse] += 1
            else:
                out.faults.append(f"story {key}, revision {revision}: shown by {feed.key} at {time:.0f}, never stored")
        out.numbers["revisions announced"] = len(shown)
        out.numbers |= {f"not stored: {why}": n for why, n in excused.items()}
        return out

    def rechecked(self) -> Finding:
        """Every revision that stood at a scheduled re-check, and stayed long enough, stands in the store."""
        out = Finding({"scheduled re-checks": 0, "pages read at them": 0})
        pages: dict[str, list[Access]] = defaultdict(list)
        for access in self.accesses:
            if access.kind == "page" and access.complete and not access.trouble and access.status in (200, 304):
                pages[access.key].append(access)
        for key, read in pages.items():
            story = self.world.story(key)
            if story.redated:
                continue
            for span in SPANS:
                due = story.published + span
                if due <= read[0].time or due + LATE > self.end or not self._stands(story, due, due + LATE):
                    continue
                out.numbers["scheduled re-checks"] += 1
                asked = [a for a in read if due - 60 <= a.time <= due + LATE]
                out.numbers["pages read at them"] += bool(asked)
                revision = story.revision(due)
                if (key, revision, "P") not in self.tokens:
                    out.faults.append(f"story {key}, revision {revision}: stood at {span / HOUR:g} h, never stored")
                elif not asked:
                    out.faults.append(f"story {key} was not read again {span / HOUR:g} h after its publication")
        return out

    def once(self) -> Finding:
        """(id, revision) once; no revision that the world does not know; no article that is no story."""
        out = Finding()
        twice = [pair for pair, n in Counter((i, r) for i, r, _ in self.store.verdicts).items() if n > 1]
        out.faults += [f"article {i}, revision {r} has more than one verdict" for i, r in twice]
        revisions = Counter(i for i, _, _ in self.store.verdicts)
        texts: dict[str, set[str]] = defaultdict(set)
        tokens: dict[str, set[tuple[str, int, str]]] = defaultdict(set)
        ids: dict[str, set[str]] = defaultdict(set)
        fed: dict[str, set[str]] = defaultdict(set)
        alone: dict[str, set[str]] = defaultdict(set)
        for article in self.store.articles:
            if self._headline_alone(article):
                alone[article.id].add(article.content)
                continue
            texts[article.id].add(article.content)
            tokens[article.id] |= article.tokens
            for key, _, where in article.tokens:
                (ids if where == "P" else fed)[key].add(article.id)
            if not article.tokens:
                out.faults.append(f"an article that is no story: {article.url} {article.title!r}")
        for article_id, known in texts.items():
            judged = revisions[article_id] - len(alone[article_id])
            if judged != len(known):
                out.faults.append(f"article {article_id}: {len(known)} texts, {judged} verdicts")
            if len(known) > len(tokens[article_id]) and tokens[article_id]:
                out.faults.append(f"article {article_id}: {len(known)} texts of {len(tokens[article_id])} revisions")
            if len({key for key, _, _ in tokens[article_id]}) > 1:
                out.faults.append(f"article {article_id} mixes stories")
        for key, many in ids.items():
            if len(many) > 1 and self.world.story(key).moved is None:
                out.faults.append(f"story {key} has {len(many)} ids")
        out.numbers |= {
            "articles in the log": len(self.store.articles),
            "ids": len(texts),
            "texts": sum(map(len, texts.values())),
            "verdicts": len(self.store.verdicts),
            "stories of two ids (moved)": sum(len(many) > 1 for many in ids.values()),
            "stories whose feed's text has another id than their page": sum(
                bool(ids[key] and fed[key] - ids[key]) for key in fed
            ),
            "headlines alone": sum(map(len, alone.values())),
        }
        if self.store.rows:
            out.numbers["rows of verdicts in rasd.sqlite"] = self.store.rows["verdicts"]
            if self.store.rows["verdicts"] != len(self.store.verdicts):
                out.faults.append(f"{self.store.rows['verdicts']} rows of {len(self.store.verdicts)} verdicts")
        return out

    def faithful(self) -> Finding:
        """What stands in the store is what the outlet wrote: headline, text, time and language, whatever the charset,
        the dialect of the feed, and what stood around the text."""
        out = Finding({"articles compared": 0})
        for article in self.store.articles:
            if len(article.tokens) != 1:
                continue
            ((key, revision, where),) = article.tokens
            story = self.world.story(key)
            out.numbers["articles compared"] += 1
            name = f"story {key}, revision {revision}{where}"
            wanted = _words(" ".join(self.world.text(story, revision, where)))
            if wanted not in _words(article.body):
                out.faults.append(f"{name}: its text came in otherwise: {article.body[:80]!r}")
            elif len(_words(article.body)) > len(wanted) + 3 and self.world.outlets[story.outlet].template != "tables":
                out.faults.append(f"{name}: more than its text came in: {article.body[-80:]!r}")
            if article.title != self.world.headline(story, revision):
                out.faults.append(f"{name}: its headline came in as {article.title!r}")
            times: list[float | None] = [story.published, *(story.redated or ())[1:]]
            if where != "P" and any(self.world.feeds[n].dates == "none" for n in story.feeds):
                times.append(None)  # nobody said
            if article.published not in times:
                out.faults.append(f"{name}: published {article.published}, not {times}")
            if article.language != self.world.language(story):
                out.faults.append(f"{name}: language {article.language}")
            if article.partial != (where == "S"):
                out.faults.append(f"{name}: partial is {article.partial}")
        return out

    def caught(self) -> Finding:
        """Every story came in, in any form, unless no feed that could be read named it."""
        wanted = [s for s in self.world.stories if self.world.plan.start <= s.published < self.end - 4 * HOUR]
        stored = {key for key, _, _ in self.tokens}
        whole = {key for key, _, where in self.tokens if where == "P"}
        out = Finding(
            {
                "stories published": len(wanted),
                "stories stored": sum(s.key in stored for s in wanted),
                "of these from their page": sum(s.key in whole for s in wanted),
            }
        )
        excused: Counter[str] = Counter()
        for story in wanted:
            if story.key in stored:
                continue
            whys = [self._unseen(story, self.world.feeds[n]) for n in story.feeds]
            if all(whys):
                excused[", ".join(sorted(set(whys)))] += 1
            else:
                out.faults.append(f"story {story.key} of {story.feeds} was never stored")
        out.numbers |= {f"not stored: {why}": n for why, n in excused.items()}
        return out

    def all(self) -> dict[str, Finding]:
        names = ("rates", "robots", "agents", "unchanged", "recovered", "polled", "gone")
        names += ("served", "announced", "rechecked", "once", "faithful", "caught")
        return {name: getattr(self, name)() for name in names}

    def _headline_alone(self, article: Arrived) -> bool:
        """Whether it is a story of which a feed told the headline only, and whose page was not to be had."""
        story = self._stories.get(article.url or "")
        if story is None or not article.partial or article.body:
            return False
        return article.title in {self.world.headline(story, n) for n in range(1, len(story.edits) + 2)}

    def _shown(self, feed: Feed, access: Access) -> list[Story]:
        """The stories that an answer names; the list of an index names none itself."""
        if feed.dialect != "index":
            return self.world.listed(feed, access.time)
        day = re.search(r"sitemap-([\d-]+)\.xml$", access.target)
        listed = self.world.listed(feed, access.time, everything=True) if day else []
        return [s for s in listed if day and _day(s.published) == day[1]]

    # -- excuses -------------------------------------------------------------------------------------------------------

    def _excuse(self, story: Story, feed: Feed, revision: int, time: float) -> str:
        """Why a revision that a feed showed may be missing."""
        if story.barred and feed.dialect in WORDLESS:
            return "barred by robots.txt, and the feed gives no text"
        host = self.world.outlets[story.outlet]
        until = time + PROMPT
        if revision < story.revision(until):
            return "replaced within half an hour"
        if story.gone and story.gone[0] <= until:
            return "gone within half an hour"
        if self._held(story.outlet, time - HOUR, until):
            return "its host was broken"
        if host.robots == "failing" and time < self.world.plan.start + 30 * HOUR:
            return "its host's robots.txt failed"
        if until > self.end:
            return "announced at the very end"
        return ""

    def _unseen(self, story: Story, feed: Feed) -> str:
        """Why a feed may not have told us of a story in time."""
        until = story.published + 4 * HOUR  # the longest wait between two polls, and a little
        if self._barred(feed):
            return "its feed is barred by robots.txt"
        if feed.gone is not None and feed.gone < until:
            return "its feed is gone"
        if story.barred and feed.dialect in WORDLESS:
            return "barred by robots.txt, and the feed gives no text"
        if story.gone and story.gone[0] < until:
            return "gone within four hours"
        if self._in_trouble(feed, story.published, until):
            return "its feed or host was broken, and it was behind the window when that was mended"
        return ""

    def _stands(self, story: Story, begin: float, end: float) -> bool:
        """Whether one revision stood there in its right form all that time."""
        if story.revision(begin) != story.revision(end) or self._held(story.outlet, begin - HOUR, end):
            return False
        if story.moved is not None and story.moved <= end:
            return False
        return not (story.gone and story.gone[0] <= end)

    def _held(self, outlet: int, begin: float, end: float) -> bool:
        """Whether the outlet was broken, or had asked to wait, at any moment of that time."""
        return any(first < end and last > begin for first, last in self._holds[outlet])

    def _barred(self, feed: Feed) -> bool:
        return self.world.forbidden(self.world.outlets[feed.outlet].host, feed.path)

    def _in_trouble(self, feed: Feed, begin: float, end: float) -> bool:
        if any(p.begin < end and p.end > begin for p in feed.phases) or self._held(feed.outlet, begin, end):
            return True
        outlet = self.world.outlets[feed.outlet]
        return outlet.robots == "failing" and begin < self.world.plan.start + 30 * HOUR

    def _broke(self, begin: float, end: float) -> bool:
        return any(begin - BLINK <= b <= end + BLINK for b in self.breaks)

    def _near_break(self, time: float) -> bool:
        return any(abs(b - time) <= 60.0 for b in self.breaks)


def _words(text: str) -> str:
    return " ".join(text.split())


def _day(time: float) -> str:
    return dt.datetime.fromtimestamp(time, dt.UTC).date().isoformat()
