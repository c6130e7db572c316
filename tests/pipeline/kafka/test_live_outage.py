"""Poller and fetcher while the only broker goes away and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.urls import canonical_url
from pipeline import ids, wire
from pipeline.log.kafka.topics import ensure_topics
from pipeline.records import Article
from tests.faults.kafka_site import article_page
from tests.kafka.cluster import Cluster
from tests.kafka.fixtures import config_on, environment_on
from tests.pipeline.cli.site import Site, rss, serving
from tests.pipeline.kafka.live_kit import Process, read

pytestmark = pytest.mark.kafka
SOON = 8.0  # seconds within which a process must have ended
PAGES = 40


def a_feed(site: Site, path: str, numbers: range) -> tuple[str, set[str]]:
    """Serves a feed and its pages; gives its address and the ids of the articles that must come of it."""
    shown = []
    for n in numbers:
        address = f"{site.url}/news/{n}"
        site.put(f"/news/{n}", article_page(n, address))
        shown.append((f"خبر {n}", address, ""))
    wanted = {ids.article_id(canonical_url(address), "") for _, address, _ in shown}
    return site.put(path, rss(*shown), "application/rss+xml"), wanted


def test_a_broker_that_goes_away_is_waited_for_and_a_stop_meanwhile_is_soon(kafka_jars: Path, tmp_path: Path) -> None:
    feeds = tmp_path / "feeds.toml"
    with Cluster(kafka_jars) as cluster, serving() as site:
        config = config_on(cluster.servers, "rasd.", tmp_path / "reading")
        environment = environment_on(cluster.servers, "rasd.")
        ensure_topics(config)
        first, wanted = a_feed(site, "/feed/1", range(PAGES))
        feeds.write_text(f'[[feed]]\nurl = "{first}"\n')
        poller = ("poller", "--feeds", str(feeds))

        def articles() -> set[str]:
            return {wire.decode(Article, r.value).id for r in read(config, "rasd.articles")}

        cluster.brokers[0].kill()
        with Process(tmp_path / "p", environment, *poller) as polling:
            polling.until(lambda: "/feed/1" in site.asked)
            assert polling.terminate() < SOON  # and it has remembered nothing of the feed
        with (
            Process(tmp_path / "p", environment, *poller) as polling,
            Process(tmp_path / "f", environment, "fetcher") as fetching,
        ):
            polling.until(lambda: site.asked.count("/feed/1") == 2)
            fetching.until(lambda: "entries: waiting" in fetching.errors)
            cluster.brokers[0].start()
            fetching.until(lambda: articles() == wanted)
            cluster.brokers[0].kill()
            second, more = a_feed(site, "/feed/2", range(PAGES, PAGES + 3))
            feeds.write_text(f'[[feed]]\nurl = "{first}"\n[[feed]]\nurl = "{second}"\n')
            polling.until(lambda: "/feed/2" in site.asked)
            cluster.brokers[0].start()
            fetching.until(lambda: articles() == wanted | more)
            cluster.brokers[0].kill()
            assert max(polling.terminate(), fetching.terminate()) < SOON
        assert "Traceback" not in polling.errors + fetching.errors
