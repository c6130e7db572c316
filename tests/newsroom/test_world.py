from __future__ import annotations

import gzip
import hashlib
import re
from collections import Counter
from dataclasses import replace

import pytest

from connectors.clean import clean_page
from connectors.newsroom import cast, pages
from connectors.newsroom.cast import HOUR, Feed, Plan, Story, trouble_at
from connectors.newsroom.world import Answer, World, all_headers, conditional
from connectors.urls import canonical_url

PLAN = Plan(hosts=20, feeds=60, days=3.0)
TOKEN = re.compile(r"NR(\d\d-\d{4})-(\d+)([PFS])")


@pytest.fixture(scope="module")
def world() -> World:
    return World(PLAN)


def get(world: World, story: Story, time: float) -> Answer:
    moved = story.moved is not None and story.moved <= time
    return world.visible(world.outlets[story.outlet].host, world.target(story, moved=moved), time)


def calm(world: World, story: Story, time: float) -> bool:
    """Whether the page stands there in its right form."""
    quiet = trouble_at(world.outlets[story.outlet].phases, time) is None
    return quiet and story.published <= time and not (story.gone and story.gone[0] <= time)


def feed_answer(world: World, feed: Feed, time: float) -> Answer:
    return world.visible(world.outlets[feed.outlet].host, feed.path, time)


def healthy(world: World, feed: Feed, time: float) -> bool:
    return feed_answer(world, feed, time).status == 200 and not feed_answer(world, feed, time).trouble


def text_of(answer: Answer) -> str:
    return (gzip.decompress(answer.body) if answer.body[:2] == b"\x1f\x8b" else answer.body).decode("utf-8", "replace")


def test_the_same_plan_makes_the_same_world_and_another_seed_another() -> None:
    small = Plan(hosts=5, feeds=10, days=1.0)

    def digest(plan: Plan) -> str:
        made = World(plan)
        whole = hashlib.sha256()
        for feed in made.feeds:
            whole.update(feed_answer(made, feed, plan.start + 9 * HOUR).body)
        for story in made.stories[:40]:
            whole.update(get(made, story, plan.start + 9 * HOUR).body)
        return whole.hexdigest()

    assert digest(small) == digest(small)
    assert digest(small) != digest(replace(small, seed=2))


def test_every_habit_and_trouble_is_in_the_week() -> None:
    world = World(Plan())
    feeds, outlets = world.feeds, world.outlets
    assert {f.dialect for f in feeds} == set(cast.DIALECTS)
    assert {f.validators for f in feeds} == set(cast.VALIDATORS)
    assert {f.guid for f in feeds} == set(cast.GUIDS)
    assert {f.links for f in feeds} == set(cast.LINKS)
    assert {f.dates for f in feeds} == set(cast.DATES)
    assert {f.charset for f in feeds} == set(cast.CHARSETS)
    assert {p.trouble for f in feeds for p in f.phases} == set(cast.TROUBLES)
    assert any(f.gone for f in feeds)
    assert any(f.moved for f in feeds)
    assert any(f.wanders for f in feeds)
    assert any(f.barred for f in feeds)
    assert {o.robots for o in outlets} == {"rules", "own", "missing", "failing"}
    assert {o.template for o in outlets} == set(pages.TEMPLATES)
    assert {o.language for o in outlets} == {"ar", "en"}
    assert any(o.limit for o in outlets)
    assert any(o.crawl_delay for o in outlets)
    stories = world.stories
    for kind in ("edits", "gone", "moved", "redated", "barred"):
        assert any(getattr(s, kind) for s in stories), kind
    assert any(headline for s in stories for _, headline in s.edits)
    assert any(len(s.feeds) > 1 for s in stories)


@pytest.mark.parametrize("template", pages.TEMPLATES)
def test_cleaning_finds_the_whole_text_of_every_template_and_only_edits_change_it(world: World, template: str) -> None:
    """The token that tells revisions apart survives, the counter of views does not."""
    time = PLAN.start + 40 * HOUR
    stories = [s for s in world.stories if world.outlets[s.outlet].template == template and calm(world, s, time)]
    assert len(stories) > 20
    for story in stories[:25]:
        if story.barred:
            continue
        answer = get(world, story, time)
        page = clean_page(answer.body, world.address(story, time), None)
        assert page.title == world.headline(story, answer.revision)
        assert TOKEN.findall(page.body) == [(story.key, str(answer.revision), "P")]
        assert len(page.body) > 600
        later = time + 2 * HOUR
        if calm(world, story, later) and get(world, story, later).revision == answer.revision:
            again = clean_page(get(world, story, later).body, world.address(story, later), None)
            assert (again.title, again.body) == (page.title, page.body)


def test_a_light_twin_shows_the_same_text_under_the_same_address(world: World) -> None:
    time = PLAN.start + 40 * HOUR
    story = next(
        s
        for s in world.stories
        if s.number % 3 == 0 and world.target(s)[0:5] == "/news" and calm(world, s, time) and not s.moved
    )
    address = world.address(story, time)
    twin = world.visible(world.outlets[story.outlet].host, world.target(story) + "/amp", time)
    page = clean_page(twin.body, address + "/amp", None)
    assert page.canonical_url == canonical_url(address)
    assert TOKEN.findall(page.body) == [(story.key, str(twin.revision), "P")]


def test_an_edit_changes_text_and_token_and_perhaps_the_headline(world: World) -> None:
    story = next(s for s in world.stories if any(h for _, h in s.edits) and not (s.gone or s.moved or s.barred))
    at = next(at for at, headline in story.edits if headline)
    before, after = story.revision(at - 1), story.revision(at)
    assert after == before + 1
    assert world.headline(story, before) != world.headline(story, after)
    if calm(world, story, at - 1) and calm(world, story, at):
        assert get(world, story, at - 1).body != get(world, story, at).body


def test_a_story_is_neither_shown_before_its_time_nor_after_its_end(world: World) -> None:
    gone = [s for s in world.stories if s.gone and not s.barred]
    assert {s.gone[1] for s in gone if s.gone} == {404, 410, 302}
    for story in gone:
        assert story.gone
        if trouble_at(world.outlets[story.outlet].phases, story.gone[0]) is None:
            assert get(world, story, story.gone[0]).status == story.gone[1]
    early = world.stories[50]
    if trouble_at(world.outlets[early.outlet].phases, early.published - 60) is None:
        assert get(world, early, early.published - 60).status == 404


def test_a_moved_story_redirects_from_its_old_address_to_the_new(world: World) -> None:
    story = next(s for s in world.stories if s.moved and s.moved < PLAN.end and not s.barred)
    assert story.moved
    time = next(t for i in range(100) if calm(world, story, t := story.moved + i * HOUR))
    old = world.visible(world.outlets[story.outlet].host, world.target(story), time)
    assert old.status == 301
    assert dict(old.headers)["Location"] == world.address(story, time)
    assert get(world, story, time).status == 200


def test_feeds_list_what_is_published_with_the_text_of_the_moment(world: World) -> None:
    time = PLAN.start + 30 * HOUR
    for feed in world.feeds:
        if not healthy(world, feed, time) or feed.dialect in ("news", "news-gz", "index"):
            continue
        text = text_of(feed_answer(world, feed, time))
        listed = world.listed(feed, time)
        found = {(key, int(revision)) for key, revision, _ in TOKEN.findall(text)}
        assert found == {(s.key, s.revision(time)) for s in listed}
        assert len(listed) <= feed.window


def test_an_index_of_sitemaps_names_children_that_list_the_stories_of_a_day(world: World) -> None:
    time = PLAN.start + 30 * HOUR
    feed = next(f for f in world.feeds if f.dialect == "index" and healthy(world, f, time))
    host = world.outlets[feed.outlet].host
    children = re.findall(r"<loc>http://[^/]+([^<]+)</loc>", text_of(feed_answer(world, feed, time)))
    assert len(children) >= 2
    links = [
        link
        for child in children
        for link in re.findall(r"<loc>([^<]+)</loc>", text_of(world.visible(host, child, time)))
    ]
    assert sorted(links) == sorted(
        world.address(s, time).replace("&", "&amp;") for s in world.listed(feed, time, everything=True)
    )


def test_validators_that_work_answer_304_until_something_changes(world: World) -> None:
    seen: Counter[str] = Counter()
    for feed in world.feeds:
        time = PLAN.start + 10 * HOUR
        first = feed_answer(world, feed, time)
        if not healthy(world, feed, time):
            continue
        sent = dict(all_headers(first))
        asked = {
            "if-none-match": sent.get("ETag"),
            "if-modified-since": sent.get("Last-Modified"),
        }
        headers = {k: v for k, v in asked.items() if v}
        for later in range(1, 200):
            now = time + later * 600
            if not healthy(world, feed, now):
                break
            whole = feed_answer(world, feed, now)
            status = conditional(whole, headers).status
            same = whole.mark == first.mark
            if feed.validators in ("none", "churning"):
                assert status == 200
            elif feed.validators == "stale" or same:
                assert status == 304
            else:
                assert status == 200
                seen[feed.validators] += 1
                break
    assert set(seen) == {"etag", "modified", "both", "weak"}


def test_robots_of_an_outlet_bar_the_private_part_only(world: World) -> None:
    time = PLAN.start + 20 * HOUR
    for outlet in world.outlets:
        if trouble_at(outlet.phases, time):
            continue
        answer = world.visible(outlet.host, "/robots.txt", time)
        assert answer.status == (404 if outlet.robots == "missing" else 200)
        assert world.forbidden(outlet.host, "/private/9") == (outlet.robots != "missing")
        assert not world.forbidden(outlet.host, "/news/9")


def test_unknown_hosts_and_addresses_are_refused(world: World) -> None:
    assert world.visible("elsewhere.test", "/", PLAN.start).status == 421
    assert world.visible(world.outlets[0].host, "/nothing?a=b", PLAN.start).status == 404


def test_a_calm_plan_has_no_troubles_and_a_pace_makes_everything_faster() -> None:
    quiet = World(Plan(hosts=4, feeds=8, days=1.0, calm=True))
    assert not any(f.phases or f.gone or f.moved for f in quiet.feeds)
    assert not any(s.gone or s.moved or s.barred for s in quiet.stories)
    slow, fast = (len(World(Plan(hosts=4, feeds=8, days=0.5, pace=p)).stories) for p in (1.0, 20.0))
    assert fast > 6 * slow
