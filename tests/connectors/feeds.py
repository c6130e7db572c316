"""Lists of feeds as hypothesis draws them: every key, every letter that a list may hold."""

from __future__ import annotations

from hypothesis import strategies as st

from connectors.feedlist import Feed, check_value

_HOSTS = ("a.example", "www.b.example", "xn--mgbh0fb.example", "news.c.example:8080")


def _fits(key: str, value: str) -> bool:
    try:
        return bool(check_value(key, value) == value)
    except ValueError:
        return False


def _texts(key: str) -> st.SearchStrategy[str | None]:
    letters = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=20).map(
        lambda t: " ".join(t.split())
    )
    return (
        st.none() | letters.filter(lambda text: _fits(key, text)) | st.sampled_from(['"', "\\", "'''", "<&>", "a > b"])
    )


def _feed(number: int, host: str, path: str, given: dict[str, object]) -> Feed:
    return Feed(name=f"n{number}-ا", url=f"https://{host}/{number}/{path}", **given)  # type: ignore[arg-type]


_GIVEN = st.fixed_dictionaries(
    {
        "outlet": _texts("outlet"),
        "kind": st.sampled_from(["feed", "sitemap"]),
        "language": st.sampled_from([None, "ar", "ckb"]),
        "country": st.sampled_from([None, "SY", "world"]),
        "group": st.sampled_from([None, "agency", "a/b", "أ/ب ج/d", "x & y"]),
        "state": _texts("state"),
        "notes": _texts("notes"),
        "text": st.sampled_from([None, "full", "summary"]),
        "home": st.sampled_from([None, "https://a.example/?a=1&b=2"]),
        "checked": st.sampled_from([None, "listed", "2026-03-14"]),
        "min_minutes": st.sampled_from([None, 0.05, 7.5, 1 / 3]),
        "max_minutes": st.sampled_from([None, 60.0, 10080.0]),
        "enabled": st.booleans(),
    }
)


def feeds() -> st.SearchStrategy[list[Feed]]:
    """Up to five feeds, each with another name and address."""
    one = st.tuples(st.sampled_from(_HOSTS), st.sampled_from(["rss", "?a=1&b=<2>", "خلاصة", "a'b\"c"]), _GIVEN)
    return st.lists(one, max_size=5).map(lambda rows: [_feed(n, *row) for n, row in enumerate(rows)])
