"""The list of feeds: what is read of it, and how a fault in it is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.feedlist import KEYS, Feed, Names, load_feeds, read_feeds, same_feed
from pipeline.errors import FileError

LIST = Path("list.toml")
WHOLE = """
# a list of mine
[[feed]]
name = "wadi"            # the handle
url = "https://wadi.example/rss"
outlet = "  صحيفة   الوادي "
kind = "sitemap"
language = "ar"
country = "SY"
group = "North / newspaper"
state = "private"
text = "full"
notes = '''
Two lines,
one note.'''
home = "https://wadi.example/"
checked = "2026-03-14"
min_minutes = 10
max_minutes = 60.5
enabled = false
"""


def fault(text: str) -> str:
    with pytest.raises(FileError) as e:
        read_feeds(text, LIST)
    return str(e.value)


def one(**values: str) -> str:
    """A list of one feed; values are TOML."""
    given = {"name": '"a"', "url": '"https://a.example/rss"'} | values
    return "[[feed]]\n" + "".join(f"{key} = {value}\n" for key, value in given.items())


def test_every_key_is_read_and_blanks_are_folded() -> None:
    assert read_feeds(WHOLE, LIST) == [
        Feed(
            name="wadi",
            url="https://wadi.example/rss",
            outlet="صحيفة الوادي",
            kind="sitemap",
            language="ar",
            country="SY",
            group="North/newspaper",
            state="private",
            text="full",
            notes="Two lines, one note.",
            home="https://wadi.example/",
            checked="2026-03-14",
            min_minutes=10.0,
            max_minutes=60.5,
            enabled=False,
        )
    ]
    assert {line.split(" = ")[0] for line in WHOLE.splitlines() if " = " in line} == set(KEYS)


def test_an_address_is_enough() -> None:
    feeds = read_feeds('[[feed]]\nurl = "https://www.wadi.example/news/rss.xml"\n', LIST)
    assert feeds == [Feed(url="https://www.wadi.example/news/rss.xml", name="wadi-example-news")]


def test_an_empty_list_has_no_feeds() -> None:
    assert read_feeds("# nothing yet\n", LIST) == []


def test_names_are_made_apart_from_each_other_and_from_those_given() -> None:
    text = '[[feed]]\nurl = "https://a.example/1"\n[[feed]]\nurl = "https://a.example/2"\n'
    assert [feed.name for feed in read_feeds(text, LIST)] == ["a-example", "a-example-2"]
    text += '[[feed]]\nname = "a-example"\nurl = "https://b.example/"\n'
    assert [feed.name for feed in read_feeds(text, LIST)] == ["a-example-2", "a-example-3", "a-example"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feed = 1", "list.toml:1: feed must be tables, each under [[feed]]"),
        ("\n\nfeed = [1]", "list.toml:3: feed must be tables, each under [[feed]]"),
        ("[[feed]]\n[[feeds]]", "list.toml:2: unknown key feeds; a list holds [[feed]] tables only"),
        ("[[feed]]\nurl =", "list.toml:2: not TOML: Invalid value"),
        ("x = " + "[" * 3000, "list.toml: not a list of feeds: nested too deep"),
        (one() + "[[feed]]", "list.toml:4: a feed without url"),
        (one(langauge='"ar"'), "list.toml:4: unknown key langauge (did you mean language?)"),
        (one(language='"Arabic"'), "list.toml:4: language must be an ISO 639 code such as ar, not 'Arabic'"),
        (one(country='"Syria"'), "list.toml:4: country must be an ISO 3166 code such as SY, or world, not 'Syria'"),
        (one(kind='"rss"'), "list.toml:4: kind must be feed or sitemap, not 'rss'"),
        (one(text='"some"'), "list.toml:4: text must be full or summary, not 'some'"),
        (one(group='"a//b"'), "list.toml:4: group has an empty part between slashes"),
        (one(min_minutes="0"), "list.toml:4: min_minutes must lie between 0.05 and 1440"),
        (one(max_minutes="nan"), "list.toml:4: max_minutes must lie between 1 and 10080"),
        (one(max_minutes="true"), "list.toml:4: max_minutes must be a number of minutes"),
        (one(min_minutes="60", max_minutes="5"), "list.toml:4: min_minutes is more than max_minutes"),
        (one(enabled='"no"'), "list.toml:4: enabled must be true or false"),
        (one(outlet="7"), "list.toml:4: outlet must be text"),
        (one(outlet='"\\u001b[31m"'), "list.toml:4: outlet holds a control character"),
        (one(notes=f'"{"x" * 2001}"'), "list.toml:4: notes is longer than 2000 letters"),
        (one(name='""'), "list.toml:2: name is empty"),
        (one(name='"a b"'), "list.toml:2: name must be letters, digits, '-', '_' and '.', not 'a b'"),
        (
            one(checked='"y"'),
            "list.toml:4: checked must be unverified, listed or a day such as 2026-01-31, not 'y'",
        ),
        (one(url='"ftp://a.example/"'), "list.toml:3: url is no http(s) address: ftp://a.example/"),
        (one(url='"https://a b.example/"'), "list.toml:3: url is no http(s) address: https://a b.example/"),
        (one(url='"https://"'), "list.toml:3: url is no http(s) address: https://"),
        (
            one(url='"https://me:pw@a.example/"'),
            "list.toml:3: url holds a user name or password, which would end up in logs and exports",
        ),
        (
            one() + one(name='"b"', url='"http://a.example/rss/?utm_source=x"'),
            "list.toml:6: the same url as in line 3: http://a.example/rss/?utm_source=x",
        ),
        (one() + one(url='"https://b.example/"'), "list.toml:5: the same name as in line 2: a"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, said: str) -> None:
    assert fault(text) == said


def test_the_line_is_right_behind_comments_and_strings_that_look_like_headers() -> None:
    text = "# [[feed]]\n" + one(notes='"""\n[[feed]]\nkind = 1 # \\"""\n"""', outlet='"# [[feed]]"') + one(kind='"x"')
    assert fault(text).startswith("list.toml:13: kind must")


def test_the_line_is_right_with_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_bytes(b"\xef\xbb\xbf" + one(kind='"x"').replace("\n", "\r\n").encode())
    with pytest.raises(FileError, match=r"f\.toml:4: kind must"):
        load_feeds(tmp_path / "f.toml")


def test_a_table_written_on_one_line_is_read_and_its_fault_found() -> None:
    assert read_feeds('feed = [{url = "https://a.example/"}]', LIST)[0].name == "a-example"
    assert fault('\nfeed = [{url = "https://a.example/", kind = "x"}]').startswith("list.toml:2: kind")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such file"), (b"# \xe9", "f.toml:1: is not UTF-8"), ("folder", "cannot be read")]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | str | None, said: str) -> None:
    path = tmp_path / "f.toml"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(FileError, match=re.escape(said)):
        load_feeds(path)


def test_spellings_of_one_address_are_the_same_feed() -> None:
    assert same_feed("http://A.example/rss/") == same_feed("https://a.example/rss?utm_medium=rss")
    assert same_feed("https://a.example/rss?page=1") != same_feed("https://a.example/rss?page=2")
    assert same_feed("https://a.example") == same_feed("https://a.example/")


@given(st.text(max_size=60))
def test_any_address_gets_a_name_that_a_list_may_hold(tail: str) -> None:
    url = f"https://a.example/{tail}"
    names = Names(["a-example"])
    name = names.make(url)
    assert len({"a-example", name, names.make(url)}) == 3
    assert read_feeds(one(name=f'"{name}"'), LIST)[0].name == name


@given(st.text(alphabet="[]feed=\"'# \n\\urlxn.:/0", max_size=120))
def test_any_text_is_a_list_or_a_fault(text: str) -> None:
    try:
        feeds = read_feeds(text, LIST)
    except FileError as e:
        feeds, said = [], str(e)
        assert said.startswith("list.toml")
    assert all(feed.url.startswith("http") for feed in feeds)
