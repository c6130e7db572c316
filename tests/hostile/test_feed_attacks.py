from __future__ import annotations

import concurrent.futures
import multiprocessing
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from connectors.sources.parse import parse_source
from pipeline.errors import Unusable
from tests.hostile.feed_attacks import attacks
from tests.hostile.memory import peak_kilobytes

MOST_SECONDS, MOST_KILOBYTES = 5, 512 * 1024
ATTACKS = attacks(scale=0.25)  # at full size they are measured in bench/feeds.md
OURS = (sys.base_prefix, sys.prefix, str(Path(__file__).resolve().parents[2] / "connectors"))  # lazily loaded parts
SECRET = "the-secret-of-this-file"
_OPENED: list[str] = []


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Addresses of a file and a server that no feed may make us read, and what the server was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file: Path = tmp_path_factory.mktemp("canary") / "secret.txt"
    file.write_text(SECRET)
    yield {"file": file.as_uri(), "http": f"http://127.0.0.1:{server.server_port}"}, asked
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def child() -> Iterator[concurrent.futures.Executor]:
    """One process that reads all attacks one after the other: it must live through all of them."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context, initializer=_watch) as executor:
        yield executor


def _watch() -> None:
    """Loads what is loaded at the first feed, and from then on notes every file and socket."""
    parse_source(
        b"<rss><channel><item><description>Four people were killed there.</description></item></channel></rss>", "x"
    )

    def note(event: str, args: tuple[object, ...]) -> None:
        opened = event == "open" and not str(args[0]).startswith(OURS)
        if opened or event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
            _OPENED.append(f"{event} {args[0]}")

    sys.addaudithook(note)


def _read(data: bytes) -> tuple[str, float, int, list[str]]:
    """What came of it, seconds of CPU, peak kilobytes of this process, and what was opened meanwhile."""
    _OPENED.clear()
    begun = time.process_time()
    try:
        answer = repr(parse_source(data, "https://example.net/feed", None, "sitemap"))
    except Unusable as refused:
        answer = refused.reason
    seconds, opened = time.process_time() - begun, list(_OPENED)
    return answer, seconds, peak_kilobytes(), opened


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_as_a_feed_or_a_reject(
    name: str, canary: tuple[dict[str, str], list[str]], child: concurrent.futures.Executor
) -> None:
    addresses, asked = canary
    made = ATTACKS[name]()
    data = made if isinstance(made, bytes) else (made % addresses if "%(" in made else made).encode()
    answer, seconds, kilobytes, opened = child.submit(_read, data).result(timeout=60)
    assert answer.startswith(("ParsedFeed(", "SitemapIndex(")) or answer in ("bad-feed", "too-large", "bad-encoding")
    assert SECRET not in answer
    assert (asked, opened) == ([], [])
    assert seconds < MOST_SECONDS
    assert kilobytes < MOST_KILOBYTES
