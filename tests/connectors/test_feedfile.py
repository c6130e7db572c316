"""Editing the list of feeds: comments, order and every other byte stay, and the file is whole at any time."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.feedfile import HEAD, add_feeds, as_toml, remove_feeds
from connectors.feedlist import Feed, load_feeds, read_feeds
from pipeline.errors import FileError
from tests.connectors.feeds import feeds

KEPT = """\
# my feeds

# the first one,
# dear to me
[[feed]]
name = "one"   # inline
url = "https://one.example/rss"
notes = '''
several
# lines
'''

# the second
[[feed]]
url = "https://two.example/rss"
name = 'two'
# about the language
language = "ar"
# behind the second

# the third
[[feed]]
name = "three"
url = "https://three.example/rss"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "feeds.toml"
    path.write_text(KEPT, "utf-8")
    return path


def names(path: Path) -> list[str]:
    return [feed.name for feed in load_feeds(path)]


def test_an_added_feed_stands_at_the_end_and_nothing_else_changes(file: Path) -> None:
    new = Feed(name="new", url="https://new.example/rss", outlet='صحيفة "الجديد" \\ x', min_minutes=7.5, enabled=False)
    add_feeds(file, [new])
    assert file.read_text("utf-8") == KEPT + "\n" + as_toml(new)
    assert load_feeds(file)[-1] == new


def test_the_first_feed_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "feeds.toml"
    add_feeds(path, [Feed(name="a", url="https://a.example/"), Feed(name="b", url="https://b.example/")])
    assert path.read_text("utf-8").startswith(HEAD)
    assert names(path) == ["a", "b"]


def test_a_removed_feed_takes_no_comment_of_its_neighbours_with_it(file: Path) -> None:
    remove_feeds(file, ["two"])
    text = file.read_text("utf-8")
    assert names(file) == ["one", "three"]
    assert "# about the language" not in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# my feeds", "# the first one,", "# dear to me", "# lines",
        "# the second", "# behind the second", "# the third",
    ]  # fmt: skip


@pytest.mark.parametrize("gone", [["one"], ["three"], ["one", "three"], ["one", "two", "three"]])
def test_the_rest_of_the_list_stays_as_it_is(file: Path, gone: list[str]) -> None:
    before = load_feeds(file)
    remove_feeds(file, gone)
    assert load_feeds(file) == [feed for feed in before if feed.name not in gone]
    assert "# my feeds" in file.read_text("utf-8")


def test_what_was_added_and_removed_leaves_the_file_as_it_was(file: Path) -> None:
    add_feeds(file, [Feed(name="new", url="https://new.example/rss")])
    remove_feeds(file, ["new"])
    assert file.read_text("utf-8").rstrip("\n") == KEPT.rstrip("\n")


def test_windows_line_ends_stay(file: Path) -> None:
    file.write_bytes(KEPT.replace("\n", "\r\n").encode())
    remove_feeds(file, ["two"])
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n") > 10
    assert names(file) == ["one", "three"]


def test_a_list_on_one_line_is_not_edited(file: Path) -> None:
    text = 'feed = [{url = "https://a.example/"}]\n'
    file.write_text(text)
    with pytest.raises(FileError, match="by hand"):
        remove_feeds(file, ["a-example"])
    with pytest.raises(FileError):
        add_feeds(file, [Feed(name="b", url="https://b.example/")])
    assert file.read_text() == text


def test_a_list_with_a_fault_is_not_edited(file: Path) -> None:
    file.write_text(KEPT + "lang = 1\n", "utf-8")
    with pytest.raises(FileError, match="unknown key lang"):
        add_feeds(file, [Feed(name="b", url="https://b.example/")])
    assert file.read_text("utf-8") == KEPT + "lang = 1\n"


def test_a_feed_that_is_there_already_is_refused(file: Path) -> None:
    with pytest.raises(FileError, match="the same url"):
        add_feeds(file, [Feed(name="b", url="http://one.example/rss/")])
    with pytest.raises(FileError, match="the same name"):
        add_feeds(file, [Feed(name="one", url="https://b.example/")])
    assert file.read_text("utf-8") == KEPT


def test_rights_and_links_stay(file: Path, tmp_path: Path) -> None:
    file.chmod(0o600)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    add_feeds(link, [Feed(name="b", url="https://b.example/")])
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(file) == ["one", "two", "three", "b"]
    assert sorted(os.listdir(tmp_path)) == ["feeds.toml", "link.toml"]


def test_edits_at_the_same_time_all_take_effect(file: Path) -> None:
    def add(number: int) -> None:
        add_feeds(file, [Feed(name=f"n{number}", url=f"https://n{number}.example/")])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(file)) == sorted(["one", "two", "three", *(f"n{number}" for number in range(8))])


def test_a_file_that_cannot_be_written_stays_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        add_feeds(file, [Feed(name="b", url="https://b.example/")])
    assert file.read_text("utf-8") == KEPT
    assert os.listdir(file.parent) == ["feeds.toml"]


@settings(max_examples=60, deadline=None)
@given(feeds())
def test_any_feed_is_read_as_it_was_written(listed: list[Feed]) -> None:
    assert read_feeds("\n".join(as_toml(feed) for feed in listed), Path("x")) == listed


@settings(max_examples=40, deadline=None)
@given(feeds(), st.data())
def test_any_feeds_can_be_removed_from_any_list(listed: list[Feed], data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from([feed.name for feed in listed]))) if listed else set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.toml"
        path.write_text("# head\n" + "\n# about\n".join(as_toml(feed) for feed in listed), "utf-8")
        remove_feeds(path, gone)
        assert load_feeds(path) == [feed for feed in listed if feed.name not in gone]
        assert path.read_text("utf-8").count("# about") == max(0, len(listed) - 1)
