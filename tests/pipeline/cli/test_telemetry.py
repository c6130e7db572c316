"""Log lines, and text from outside on a terminal."""

from __future__ import annotations

import io
import logging

import orjson
import pytest

from pipeline.telemetry import OneLine, colour_wanted, escape, escape_json, logger, setup, without_secrets


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _handlers_put_back() -> object:
    yield
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h.formatter, OneLine)]:
        root.removeHandler(handler)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u202a\u2066c\u2069", "a\\u202eb\\u202a\\u2066c\\u2069"),
        ("one\ntwo\r\tthree\x7f\0", "one\\ntwo\\r\\tthree\\x7f\\x00"),
        ("line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"),
        ("half \ud83d", "half \\ud83d"),
        ("مقتل ٣ عناصر 🙂", "مقتل ٣ عناصر 🙂"),
    ],
)
def test_a_terminal_shows_outside_text_and_does_not_obey_it(raw: str, shown: str) -> None:
    assert escape(raw) == shown


def test_line_feeds_stay_only_when_asked_for() -> None:
    assert escape("a\nb\rc", newlines=True) == "a\nb\\rc"


def lines(verbosity: int, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    setup(verbosity, stream)
    try:
        raise ValueError("inner\nfault")
    except ValueError:
        logger("part").exception("outer")
    for level in ("warning", "info", "debug"):
        getattr(logger("part"), level)("%s", f"{level}\nline")
    logging.getLogger("somelibrary").info("library")
    return stream.getvalue()


@pytest.mark.parametrize("library", ["kafka.net.selector", "aiokafka.cluster", "faust.worker", "mode"])
def test_what_libraries_say_of_connections_is_shown_at_vv_only(library: str) -> None:
    for verbosity, shown in ((0, False), (1, False), (2, True), (0, False)):
        stream = io.StringIO()
        setup(verbosity, stream)
        logging.getLogger(library).error("socket disconnected")
        assert ("socket disconnected" in stream.getvalue()) == shown


def test_verbosity_chooses_what_is_said() -> None:
    assert lines(-2) == "error: outer (ValueError: inner\\nfault)\n"
    assert lines(-1).count("\n") == 2
    assert lines(0).splitlines()[1:] == ["warning: warning\\nline", "info\\nline"]
    assert "debug\\nline" in lines(1)
    assert "Traceback" not in lines(1)
    assert "Traceback" in lines(2)
    assert "library" in lines(2)


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" not in lines(0)
    assert "\x1b[31merror:\x1b[0m outer" in lines(0, Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour_wanted(Terminal())
    assert "\x1b[" not in lines(0, Terminal())


def test_passwords_in_addresses_are_not_told() -> None:
    assert without_secrets("GET https://user:pa55@host/x failed") == "GET https://***@host/x failed"
    assert without_secrets("https://host/a:b@c") == "https://host/a:b@c"
    stream = io.StringIO()
    setup(0, stream)
    logger().warning("no answer from %s", "postgres://u:secret@db/x")
    assert stream.getvalue() == "warning: no answer from postgres://***@db/x\n"


@pytest.mark.parametrize("raw", ["\x9b31m", "\u2028\u2029", "\u202eabc\u2066", "\x7f\x85", "قُتل 5", '\\ " \n\t\x1b'])
def test_json_on_a_terminal_is_the_same_json_and_commands_nothing(raw: str) -> None:
    sent = orjson.dumps({"text": raw, raw: 1}, option=orjson.OPT_INDENT_2)
    shown = escape_json(sent)
    assert orjson.loads(shown) == {"text": raw, raw: 1}
    assert escape(shown.decode(), newlines=True) == shown.decode()


def test_bytes_that_are_no_json_command_no_terminal_either() -> None:
    assert escape_json(b"\xff\x1b[31m\r\n") == b"\\xff\\u001b[31m \n"
