"""What stands at which address at what time: a pure function of a plan.

`World(plan).visible(host, target, time)` is the whole newsroom; the server only adds sockets and counts requests.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from connectors.newsroom import listings, pages, prose
from connectors.newsroom.cast import DAY, HOUR, Feed, Outlet, Plan, Story, draw, index_before, trouble_at, turns

ROBOTS_FAIL = 3 * HOUR  # how long an outlet whose robots.txt fails does so, from the start
BUSY = 900.0  # seconds that a 503 asks to wait
_PATHS = ("/{section}/{day:%Y/%m/%d}/story-{n}/", "/news/{n}", "/node/{n}", "/article.php?id={n}", "/story/{n}.html")
_SITEMAP = re.compile(r"(.*/)sitemap-(\d{4}-\d{2}-\d{2})\.xml")
_XML = "application/rss+xml; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server would send.

    kind: feed, child (sitemap of an index), page, robots, front, hop (a redirect) or none. key: of the feed or story.
    revision: of the story shown. mark: the same for two answers of a feed that list the same.
    cut: the connection ends in the middle of the body. reset: it breaks before anything is sent.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    kind: str = "none"
    key: str = ""
    revision: int = 0
    mark: str = ""
    etag: str | None = None
    modified: dt.datetime | None = None
    trouble: str = ""
    cut: bool = False
    reset: bool = False


class World:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        cast = draw(plan)
        self.outlets, self.feeds, self.stories = cast.outlets, cast.feeds, cast.stories
        self.of_feed: dict[str, list[Story]] = {f.key: [] for f in self.feeds}
        for story in self.stories:
            for number in story.feeds:
                self.of_feed[f"feed{number:03}"].append(story)
        self._turns = {key: turns(listed) for key, listed in self.of_feed.items()}
        self._outlet_of = {host: o for o in self.outlets for host in (o.host, *o.aliases)}
        self._feed_at = {(f.outlet, path): f for f in self.feeds for path in _feed_paths(f)}
        self._story_at: dict[tuple[int, str], Story] = {}
        self._numbered: dict[tuple[int, int], Story] = {}
        for s in self.stories:
            self._numbered[s.outlet, s.number] = s
            for target in (self.target(s), self.target(s, moved=True)):
                self._story_at[s.outlet, target] = s
        self._page = lru_cache(2_000)(self._page_body)
        self._listing = lru_cache(1_000)(self._listing_body)

    # -- addresses -----------------------------------------------------------------------------------------------------

    def url(self, feed: Feed) -> str:
        """The address by which the feed is listed."""
        return f"http://{self.outlets[feed.outlet].host}{feed.path}"

    def target(self, story: Story, *, moved: bool = False) -> str:
        """Path and query of a story's page."""
        if story.barred:
            return f"/private/{story.number}"
        if moved:
            return f"/archive/{story.number}"
        outlet = self.outlets[story.outlet]
        pattern = _PATHS[story.outlet % len(_PATHS)]
        return pattern.format(section=_section(outlet, story)[1], day=_utc(story.published), n=story.number)

    def address(self, story: Story, time: float) -> str:
        """Where the story stands at that time."""
        moved = story.moved is not None and story.moved <= time
        return f"http://{self.outlets[story.outlet].host}{self.target(story, moved=moved)}"

    def forbidden(self, host: str, target: str) -> bool:
        """Whether the outlet's robots.txt, where it has one, keeps us from there."""
        return self._outlet_of[host].robots != "missing" and target.startswith("/private/")

    def story(self, key: str) -> Story:
        outlet, number = key.split("-")
        return self._numbered[int(outlet), int(number)]

    def outlet(self, host: str) -> Outlet | None:
        return self._outlet_of.get(host)

    # -- answers -------------------------------------------------------------------------------------------------------

    def visible(self, host: str, target: str, time: float) -> Answer:
        """The full answer to a GET of a client that asks politely; conditions come later (`conditional`)."""
        outlet = self._outlet_of.get(host)
        if outlet is None:
            return _text_answer(421, "Misdirected Request")
        trouble = trouble_at(outlet.phases, time)
        if target == "/robots.txt":
            if trouble and trouble.trouble in ("error", "gateway", "busy", "reset"):
                return replace(self._troubled(outlet, trouble.trouble, time), kind="robots")
            return self._robots(outlet, time)
        answer = self._healthy(outlet, target, time)
        if trouble:
            bad = self._troubled(outlet, trouble.trouble, time, answer)
            return replace(bad, kind=answer.kind, key=answer.key)
        return answer

    def _healthy(self, outlet: Outlet, target: str, time: float) -> Answer:
        path, _, query = target.partition("?")
        if path == "/":
            return self._front(outlet, time)
        if feed := self._feed_at.get((outlet.number, path)):
            return self._feed(outlet, feed, path, time)
        if (found := _SITEMAP.fullmatch(path)) and (
            feed := self._feed_at.get((outlet.number, f"{found[1]}sitemap_index.xml"))
        ):
            return self._child(outlet, feed, found[2], time)
        if path == "/go":
            story = self._numbered.get((outlet.number, int(dict(parse_qsl(query)).get("n", "0"))))
            if story:
                return _hop(302, self.address(story, time), story.key)
        return self._story(outlet, path, query, time)

    def _story(self, outlet: Outlet, path: str, query: str, time: float) -> Answer:
        kept = urlencode([(k, v) for k, v in parse_qsl(query) if not k.startswith("utm_")])
        asked = f"{path}?{kept}" if kept else path
        amp = asked.endswith("/amp")
        story = self._story_at.get((outlet.number, asked.removesuffix("/amp")))
        if story is None or story.published > time:
            return _text_answer(404, "Not Found")
        moved = story.moved is not None and story.moved <= time
        if story.gone and story.gone[0] <= time:
            if story.gone[1] == 302:
                return _hop(302, f"http://{outlet.host}/", story.key)
            return replace(_text_answer(story.gone[1], "Gone"), kind="page", key=story.key)
        here = asked.removesuffix("/amp").startswith("/archive/")
        if moved != here and not story.barred:
            return _hop(301, self.address(story, time), story.key) if moved else _text_answer(404, "Not Found")
        revision = story.revision(time)
        body = self._page(story.key, revision, amp, moved, story.stated(time), int(time - story.published) // 600)
        charset = "utf-8" if amp else pages.charset_of(outlet.template, outlet.language)
        modified = _utc(max([story.published, *(at for at, _ in story.edits if at <= time)]))
        return Answer(
            status=200,
            headers=(("Content-Type", f"text/html; charset={charset}"),),
            body=body,
            kind="page",
            key=story.key,
            revision=revision,
            etag=f'"{story.key}-{revision}-{int(story.stated(time))}"' if outlet.page_validators else None,
            modified=modified if outlet.page_validators and not story.redated else None,
        )

    def _front(self, outlet: Outlet, time: float) -> Answer:
        own = [f for f in self.feeds if f.outlet == outlet.number]
        feeds = tuple(self.url(f) for f in own)
        stories = [s for s in self.stories if s.outlet == outlet.number and s.published <= time and not s.barred][-40:]
        latest = tuple((self.address(s, time), self.headline(s, s.revision(time))) for s in reversed(stories))
        html = pages.front_page(outlet.name, outlet.language, feeds, latest)
        return Answer(
            status=200, headers=(("Content-Type", "text/html; charset=utf-8"),), body=html.encode(), kind="front"
        )

    def _robots(self, outlet: Outlet, time: float) -> Answer:
        if outlet.robots == "missing":
            return replace(_text_answer(404, "Not Found"), kind="robots")
        if outlet.robots == "failing" and time < self.plan.start + ROBOTS_FAIL / self.plan.pace:
            return replace(_text_answer(503, "Service Unavailable"), kind="robots")
        delay = f"Crawl-delay: {outlet.crawl_delay:g}\n" if outlet.crawl_delay else ""
        rules = f"Disallow: /private/\nDisallow: /*?print=\nAllow: /news\n{delay}"
        text = f"User-agent: *\n{rules}"
        if outlet.robots == "own":
            text = f"User-agent: *\nDisallow: /\n\nUser-agent: rasd\n{rules}"
        return Answer(status=200, headers=(("Content-Type", "text/plain"),), body=text.encode(), kind="robots")

    def _feed(self, outlet: Outlet, feed: Feed, path: str, time: float) -> Answer:
        if feed.gone is not None and feed.gone <= time:
            return replace(_text_answer(410, "Gone"), kind="feed", key=feed.key)
        if trouble := trouble_at(feed.phases, time):
            return replace(self._troubled(outlet, trouble.trouble, time), kind="feed", key=feed.key)
        if feed.moved is not None and feed.moved <= time and path == feed.path:
            return _hop(308 if feed.number % 2 else 301, f"http://{outlet.host}{feed.new_path}", feed.key)
        if feed.wanders and feed.wanders[0] <= time < feed.wanders[1] and path == feed.path:
            return _hop(307 if feed.number % 2 else 302, f"http://{outlet.host}/temp{feed.path}", feed.key)
        built = time if feed.validators == "churning" else None
        mark, changed, body = self._listing(feed.number, index_before(self._turns[feed.key], time), None)
        if built is not None:
            body = self._listing(feed.number, index_before(self._turns[feed.key], time), built)[2]
        etag, modified = _validators(feed, mark, changed, self.plan.start, built)
        return Answer(
            status=200,
            headers=_feed_headers(feed, time),
            body=body,
            kind="feed",
            key=feed.key,
            mark=mark,
            etag=etag,
            modified=modified,
        )

    def _child(self, outlet: Outlet, feed: Feed, day: str, time: float) -> Answer:
        if trouble := trouble_at(feed.phases, time):
            return replace(self._troubled(outlet, trouble.trouble, time), kind="child", key=feed.key)
        stories = [s for s in self.listed(feed, time, everything=True) if _utc(s.published).date().isoformat() == day]
        if not stories:
            return _text_answer(404, "Not Found")
        body = listings.sitemap([self._item(feed, s, time) for s in stories]).encode()
        mark = hashlib.sha256(body).hexdigest()[:16]
        return Answer(
            status=200,
            headers=(("Content-Type", "application/xml"),),
            body=body,
            kind="child",
            key=feed.key,
            mark=mark,
            etag=f'"{mark}"' if feed.validators not in ("none", "stale", "churning") else None,
        )

    def _troubled(self, outlet: Outlet, trouble: str, time: float, whole: Answer | None = None) -> Answer:
        """What comes instead of the right answer."""
        html = (("Content-Type", "text/html; charset=utf-8"),)
        xml = (("Content-Type", _XML),)
        if trouble in ("error", "gateway"):
            status = 500 if trouble == "error" else 502
            body = pages.plain_page("Error", "Something went wrong").encode()
            return Answer(status=status, headers=html, body=body, trouble=trouble)
        if trouble == "busy":
            wait = int(BUSY / self.plan.pace) or 1
            return Answer(status=503, headers=(*html, ("Retry-After", str(wait))), body=b"busy", trouble=trouble)
        if trouble == "reset":
            return Answer(status=200, reset=True, trouble=trouble)
        if trouble == "cut":
            body = whole.body if whole and whole.body else listings.sitemap_index([]).encode() * 40
            return Answer(status=200, headers=whole.headers if whole else xml, body=body, cut=True, trouble=trouble)
        if trouble == "garbage":
            noise = random.Random(f"{outlet.host} {int(time)}").randbytes(3_000)
            return Answer(status=200, headers=xml, body=noise, trouble=trouble)
        if trouble == "html":
            front = self._front(outlet, time)
            return replace(front, trouble=trouble)
        return Answer(status=200, headers=xml, body=b"", trouble=trouble)

    # -- texts ---------------------------------------------------------------------------------------------------------

    def headline(self, story: Story, revision: int) -> str:
        return prose.headline(f"{self.plan.seed} {story.key} {story.headlines(revision)}", self.language(story))

    def text(self, story: Story, revision: int, where: str) -> tuple[str, ...]:
        """Its paragraphs as they stand on the page ("P"), whole in a feed ("F") or shortened in one ("S")."""
        if where == "S":
            seed = f"{self.plan.seed} {story.key}"
            return (prose.summary(seed, self.language(story), revision - 1, story.token(revision, "S")),)
        return self._paragraphs(story, revision, where)

    def language(self, story: Story) -> str:
        return self.outlets[story.outlet].language

    def listed(self, feed: Feed, time: float, *, everything: bool = False) -> list[Story]:
        """The stories that the feed names at that time, newest first."""
        known = [
            s
            for s in self.of_feed[feed.key]
            if s.published <= time and not (s.gone and s.gone[1] != 302 and s.gone[0] <= time)
        ]
        known.sort(key=lambda s: (-s.stated(time), -s.number))
        return known if everything or feed.dialect == "index" else known[: feed.window]

    def _page_body(self, key: str, revision: int, amp: bool, moved: bool, stated: float, tens: int) -> bytes:
        story = self.story(key)
        outlet = self.outlets[story.outlet]
        address = f"http://{outlet.host}{self.target(story, moved=moved)}"
        edited = [at for at, _ in story.edits][: revision - 1]
        neighbours = [self._numbered.get((story.outlet, story.number - i)) for i in (1, 2, 3)]
        shown = pages.Shown(
            address=address,
            amp=f"{address}/amp" if story.number % 3 == 0 and "?" not in address and address[-1] != "/" else None,
            outlet=outlet.name,
            language=outlet.language,
            headline=self.headline(story, revision),
            paragraphs=self._paragraphs(story, revision, "P"),
            author=self._author(story),
            section=_section(outlet, story)[0],
            published=_utc(stated),
            updated=_utc(max([stated, *edited])),
            views=tens * 7 + story.number % 5,
            related=tuple((f"http://{outlet.host}{self.target(s)}", self.headline(s, 1)) for s in neighbours if s),
            feeds=(),
        )
        html = pages.amp_page(shown) if amp else pages.page(outlet.template, shown)
        return html.encode("utf-8" if amp else pages.charset_of(outlet.template, outlet.language), "xmlcharrefreplace")

    def _paragraphs(self, story: Story, revision: int, where: str) -> tuple[str, ...]:
        seed = f"{self.plan.seed} {story.key}"
        return prose.body(seed, self.language(story), revision - 1, story.token(revision, where))

    def _author(self, story: Story) -> str:
        names = prose.words(self.language(story), "name")
        return names[story.number % len(names)]

    def _listing_body(self, number: int, turn: int, built: float | None) -> tuple[str, dt.datetime, bytes]:
        """Mark, time of the last change and bytes of a feed after so many of its turns."""
        feed = self.feeds[number]
        outlet = self.outlets[feed.outlet]
        passed = self._turns[feed.key][:turn]
        time = passed[-1] if passed else self.plan.start - DAY
        stories = self.listed(feed, time)
        items = [self._item(feed, s, time) for s in stories]
        listing = listings.Listing(
            title=outlet.name,
            home=f"http://{outlet.host}/",
            address=self.url(feed),
            language=outlet.language,
            dates=feed.dates,
            charset={"windows-1256": "windows-1256", "windows-1256-undeclared": ""}.get(feed.charset, "utf-8"),
            ttl=30 if feed.caching == "ttl" else None,
            built=_utc(built) if built is not None else None,
            items=items,
        )
        if feed.dialect == "index":
            text = listings.sitemap_index(self._children(feed, outlet, stories, time))
        else:
            text = listings.write(feed.dialect, listing)
        codec = (
            "cp1256" if feed.charset.startswith("windows") else "utf-8-sig" if feed.charset == "utf-8-bom" else "utf-8"
        )
        body = text.encode(codec, "xmlcharrefreplace")
        mark = hashlib.sha256(body).hexdigest()[:16]
        return mark, _utc(time), gzip.compress(body, 6, mtime=0) if feed.dialect == "news-gz" else body

    def _children(self, feed: Feed, outlet: Outlet, stories: list[Story], time: float) -> list[tuple[str, dt.datetime]]:
        days: dict[str, float] = {}
        for s in stories:
            day = _utc(s.published).date().isoformat()
            last = max([s.published, *(at for at, _ in s.edits if at <= time)])
            days[day] = max(days.get(day, 0.0), last)
        folder = feed.path.removesuffix("sitemap_index.xml")
        return [
            (f"http://{outlet.host}{folder}sitemap-{d}.xml", _utc(at)) for d, at in sorted(days.items(), reverse=True)
        ]

    def _item(self, feed: Feed, story: Story, time: float) -> listings.Item:
        revision = story.revision(time)
        outlet = self.outlets[feed.outlet]
        address = self.address(story, time)
        headline = self.headline(story, revision)
        edited = [at for at, _ in story.edits if at <= time]
        return listings.Item(
            link=self._link(feed, outlet, story, address),
            address=address,
            guid=_guid(feed, outlet, story, address, headline),
            headline=headline,
            summary=self.text(story, revision, "S")[0],
            whole=self._paragraphs(story, revision, "F") if feed.dialect.endswith("full") else (),
            author=self._author(story),
            section=_section(outlet, story)[0],
            published=_utc(story.stated(time)),
            updated=_utc(max([story.stated(time), *edited])),
        )

    def _link(self, feed: Feed, outlet: Outlet, story: Story, address: str) -> str:
        """The address as this feed writes it; sitemaps write plain ones only."""
        if feed.dialect in ("news", "news-gz", "index"):
            return address
        joint = "&" if "?" in address else "?"
        if feed.links == "tracked":
            return f"{address}{joint}utm_source=rss&utm_medium=feed&utm_campaign={feed.key}"
        if feed.links == "relative":
            return address.removeprefix(f"http://{outlet.host}")
        if feed.links == "amp" and "?" not in address and address[-1] != "/" and not story.barred:
            return f"{address}/amp"
        if feed.links == "mobile":
            return address.replace(f"//{outlet.host}", f"//{outlet.aliases[0]}")
        if feed.links == "redirector" and not story.barred:
            return f"http://{outlet.host}/go?n={story.number}"
        return address


def conditional(answer: Answer, headers: Mapping[str, str]) -> Answer:
    """The answer to a request with these headers (lower-case names): 304 where its conditions say so."""
    if answer.status != 200 or answer.trouble:
        return answer
    known, since = headers.get("if-none-match"), headers.get("if-modified-since")
    fresh = False
    if known is not None and answer.etag:
        fresh = answer.etag.removeprefix("W/") in [e.strip().removeprefix("W/") for e in known.split(",")]
    elif known is None and since is not None and answer.modified is not None:
        try:
            fresh = answer.modified <= parsedate_to_datetime(since)
        except (ValueError, TypeError):
            fresh = False
    return replace(answer, status=304, body=b"") if fresh else answer


def all_headers(answer: Answer) -> list[tuple[str, str]]:
    """The answer's headers with its validators."""
    out = [] if answer.status == 304 else list(answer.headers)
    if answer.etag:
        out.append(("ETag", answer.etag))
    if answer.modified:
        out.append(("Last-Modified", format_datetime(answer.modified, usegmt=True)))
    return out


def _validators(
    feed: Feed, mark: str, changed: dt.datetime, start: float, built: float | None
) -> tuple[str | None, dt.datetime | None]:
    match feed.validators:
        case "etag":
            return f'"{mark}"', None
        case "weak":
            return f'W/"{mark}"', None
        case "modified":
            return None, changed
        case "both":
            return f'"{mark}"', changed
        case "stale":
            return '"front-1"', _utc(start - DAY)
        case "churning":
            return f'"{mark}-{int(built or 0)}"', _utc(built or start)
        case _:
            return None, None


def _feed_headers(feed: Feed, time: float) -> tuple[tuple[str, str], ...]:
    kind = {
        "json": "application/feed+json",
        "news-gz": "application/gzip",
        "news": "application/xml",
        "index": "text/xml",
    }.get(feed.dialect)
    if kind is None:
        kind = {
            "utf-8-as-latin": "text/xml; charset=iso-8859-1",
            "utf-8-as-html": "text/html; charset=utf-8",
            "windows-1256": "text/xml; charset=windows-1256",
            "windows-1256-undeclared": "text/xml",
        }.get(feed.charset, _XML)
    out = [("Content-Type", kind)]
    if feed.caching in ("max-age=600", "no-cache"):
        out.append(("Cache-Control", feed.caching))
    if feed.caching == "expires":
        out.append(("Expires", format_datetime(_utc(time + 900), usegmt=True)))
    return tuple(out)


def _feed_paths(feed: Feed) -> tuple[str, ...]:
    return feed.path, feed.new_path, f"/temp{feed.path}"


def _guid(feed: Feed, outlet: Outlet, story: Story, address: str, headline: str) -> str | None:
    match feed.guid:
        case "permalink":
            return address
        case "opaque":
            return f"{outlet.host} {story.number}"
        case "headline":
            return hashlib.sha256(headline.encode()).hexdigest()[:20]
        case "reused":
            return f"item-{story.number % 7}"
        case _:
            return None


def _section(outlet: Outlet, story: Story) -> tuple[str, str]:
    """A story's section: as shown, and as it stands in addresses."""
    names, slugs = prose.words(outlet.language, "section"), prose.words("en", "section")
    return names[story.number % len(names)], slugs[story.number % len(slugs)].lower()


def _hop(status: int, location: str, key: str) -> Answer:
    return Answer(status=status, headers=(("Location", location), ("Content-Type", "text/html")), kind="hop", key=key)


def _text_answer(status: int, said: str) -> Answer:
    body = pages.plain_page(said, said).encode()
    return Answer(status=status, headers=(("Content-Type", "text/html; charset=utf-8"),), body=body)


def _utc(time: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(time), dt.UTC)
