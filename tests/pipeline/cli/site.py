"""A web site on loopback for commands that ask the network: answers by path, and what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

#: Settings under which a command may ask it, without a pause between requests.
ALLOWED = {"RASD_FETCH_ALLOW_PRIVATE": "127.0.0.0/8", "RASD_FETCH_HOST_DELAY": "0"}


@dataclass
class Site:
    """pages: path with query → (status, headers, body). asked: the paths in the order of the requests."""

    port: int
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, path: str, body: str | bytes, type_: str = "text/html; charset=utf-8", **more: Any) -> str:
        """Serves a body there; gives the address. more: status, and headers with _ for -."""
        status = more.pop("status", 200)
        headers = {"Content-Type": type_} | {key.replace("_", "-"): str(value) for key, value in more.items()}
        self.pages[path] = (status, headers, body if isinstance(body, bytes) else body.encode())
        return self.url + path


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append(self.path)
            status, headers, body = site.pages.get(self.path, (404, {}, b"nothing here"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """The tests' output stays theirs."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


class InProcess:
    """In place of `pipeline.pool.Pool` where starting a child would be most of a test's time."""

    def __init__(self, processes: int = 0, **limits: Any) -> None:
        pass

    def submit(self, seconds: float, task: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(task(*args))
        except Exception as e:
            future.set_exception(e)
        return future

    def close(self) -> None:
        pass


def rss(*items: tuple[str, str, str], title: str = "صحيفة الوادي", more: str = "") -> str:
    """An RSS feed of (title, address, text); published an hour apart on 14 March 2026."""
    shown = "".join(
        f"<item><title>{t}</title><link>{link}</link><guid>{link}</guid><description>{text}</description>"
        f"<pubDate>Sat, 14 Mar 2026 {8 + n:02}:00:00 GMT</pubDate></item>"
        for n, (t, link, text) in enumerate(items)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>{title}</title>'
        f"<language>ar</language>{more}{shown}</channel></rss>"
    )
