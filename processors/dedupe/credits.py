"""Which agency a text is credited to: in its byline, before its first sentence, or on its last line.

«بحسب رويترز» inside a story is an attribution of one statement and credits nobody with the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from pipeline.records import Article
from processors.dedupe.words import LANGUAGES
from processors.tables import FOLDER, rows_of

HEAD, FOOT = 90, 60  # code points at either end of a body where a credit stands
_PLAIN = str.maketrans(
    {**dict.fromkeys("أإآ", "ا"), **dict.fromkeys("İı", "i"), **dict.fromkeys(map(chr, range(0x64B, 0x653)))}
)


def origin(article: Article) -> str | None:
    """Id of the agency (agencies.tsv) that an article credits with its text, None where it credits nobody."""
    byline, dateline, signature = _patterns()
    body = article.body.strip()
    for pattern, part in ((byline, article.author or ""), (dateline, body[:HEAD]), (signature, body[-FOOT:])):
        if part and (found := pattern.search(part.translate(_PLAIN))):
            return _ids()[_key(found[found.lastgroup or 0])]
    return None


def _key(name: str) -> str:
    """«أ.ف.ب.», «ا ف ب» and «ا.ف. ب» are one."""
    return re.sub(r"[\s.]+", "", name.casefold())


@functools.cache
def _forms() -> tuple[tuple[str, str], ...]:
    """(form, id) of every agency."""
    out = []
    for language in LANGUAGES:
        path = FOLDER / language / "agencies.tsv"
        for _, row in rows_of(path, path.read_bytes(), ("text", "id")):
            out += [(text.translate(_PLAIN).casefold(), row["id"]) for text in row["text"].split("|")]
    return tuple(out)


@functools.cache
def _ids() -> Mapping[str, str]:
    return {_key(form): agency for form, agency in _forms()}


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Byline; dateline: at the head, in brackets or set off by a dash or colon, with nothing but a place before it
    («دمشق (أ ف ب) -», «القاهرة - رويترز:», «(CNN)--»); signature: the last line, or in brackets or behind a dash at
    the end of it."""
    forms = sorted({form for form, _ in _forms()}, key=lambda form: (-len(form), form))
    choice = "|".join(r"[\s.]*".join(map(re.escape, filter(None, re.split(r"[\s.]+", form)))) for form in forms)

    def name(group: str) -> str:
        return rf"(?<!\w)(?P<{group}>{choice})\.?(?!\w)"

    place = r"\A[\w\s،,/.-]{0,40}?"
    source = r"(?:(?:المصدر|source)\s*[:：]|[-–—/(\[])"
    return (
        re.compile(name("a"), re.IGNORECASE),
        re.compile(
            rf"{place}[(\[]\s*{name('a')}\s*[)\]]\s*(?:[-–—:]|\n)|(?:\A|{place}[-–—/:]\s*){name('b')}\s*(?:[-–—:/]|\n)",
            re.IGNORECASE,
        ),
        re.compile(rf"(?:\n\s*{source}?|{source})\s*{name('a')}\s*[)\]]?\s*[.]?\s*\Z", re.IGNORECASE),
    )
