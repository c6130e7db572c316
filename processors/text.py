"""Reading text: folding that keeps offsets, words, sentences, and the lines of a page that are not its story.

Offsets in a `Reading` count code points of the *folded* text; `Reading.span` turns them into offsets of the article's
own text. Words are numbered through the whole text; grammars work on word numbers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

MARKS = "\u064b-\u065f\u0670\u0640\u06d6-\u06ed\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad"
QUOTES = '"«»“”„‟＂#'
_CUT = re.compile(f"(?<=[ \\n])[{QUOTES}{MARKS}]+ +|[{QUOTES}{MARKS}]+|(?<= ) +")
_GLUED = re.compile(f"(?<=\\w)[{QUOTES}](?=\\w)")
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_END = re.compile(r"[!؟?؛]|(?<!\d)\.|\.(?!\d)|\n")
_COMMA = re.compile(r"[،,;:()\[\]{}…–—|/\-]")

SPACE, COMMA, SENTENCE, LINE = 0, 1, 2, 3  # what stands before a word

_ONE_TO_ONE = str.maketrans(
    {
        **dict.fromkeys("أإآٱ", "ا"),
        "ى": "ي",
        "ی": "ي",
        "ئ": "ي",
        "ؤ": "و",
        "ة": "ه",
        "ک": "ك",
        "٪": "%",
        "٫": ".",
        "٬": ",",
        **{chr(0x660 + n): str(n) for n in range(10)},
        **{chr(0x6F0 + n): str(n) for n in range(10)},
        **{chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)},
        **dict.fromkeys("_\u00a0\u2007\u202f\t\r\v\f", " "),
        **dict.fromkeys("’‘ʼ", "'"),
        "\u2028": "\n",
        "\u2029": "\n",
    }
)


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text; `starts[k]` is where its k-th code point stands in the raw text (None: at k itself)."""

    raw: str
    text: str
    starts: Sequence[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The raw span of the folded span `start:end` (not empty), marks that follow its last letter included."""
        if self.starts is None:
            return start, end
        stop = self.starts[end - 1] + 1
        while stop < len(self.raw) and self.raw[stop] in _MARK_SET:
            stop += 1
        return self.starts[start], stop


_MARK_SET = frozenset(chr(c) for c in (*range(0x64B, 0x660), 0x670, 0x640))


def fold(raw: str) -> Folded:
    """Letters folded one to one; marks, quotation marks, hash signs and doubled spaces cut out, with a map back."""
    text = _GLUED.sub(" ", raw).translate(_ONE_TO_ONE)
    starts: list[int] = []
    parts: list[str] = []
    last = 0
    for cut in _CUT.finditer(text):
        parts.append(text[last : cut.start()])
        starts.extend(range(last, cut.start()))
        last = cut.end()
    if not parts:
        return Folded(raw, text, None)
    parts.append(text[last:])
    starts.extend(range(last, len(text)))
    return Folded(raw, "".join(parts), starts)


def fold_word(word: str) -> str:
    """A lexicon entry as it stands in folded text."""
    return fold(word.strip()).text


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words `first:last` (numbers); `headline` for the title, `paragraph` counts lines, `skip` for page furniture."""

    first: int
    last: int
    headline: bool
    paragraph: int
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A text cut into words and sentences.

    words: folded words; starts/ends: their folded offsets; gap: what stands before each (SPACE, COMMA, SENTENCE, LINE);
    sentence: number of each word's sentence.
    """

    folded: Folded
    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    gap: tuple[int, ...]
    sentence: tuple[int, ...]
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        return self.folded.text

    def span(self, first: int, last: int, prefix: str = "") -> tuple[int, int]:
        """Raw span of the words `first:last` (at least one), without the clitics of `prefix` («بمدينة»: «مدينة»)."""
        skip = len(prefix) - (2 if prefix.endswith(("ال", "لل")) else 0)
        return self.folded.span(self.starts[first] + skip, self.ends[last - 1])

    def quote(self, first: int, last: int, prefix: str = "") -> str:
        """The raw words `first:last`."""
        start, end = self.span(first, last, prefix)
        return self.folded.raw[start:end]

    def word_at(self, offset: int) -> int:
        """Number of the word that holds the folded offset (or of the last one before it; -1 if none)."""
        return bisect_right(self.starts, offset) - 1

    def bounds(self, word: int) -> tuple[int, int]:
        """First and last (exclusive) word of the sentence of `word`."""
        s = self.sentences[self.sentence[word]]
        return s.first, s.last


def read(
    raw: str,
    headline: int = 0,
    furniture: re.Pattern[str] | None = None,
    folding: Callable[[str], Folded] = fold,
    teasers: bool = False,
) -> Reading:
    """Words and sentences of `raw`.

    headline: length of the title in code points, 0 if there is none. furniture: matches a folded line that is no part
    of the story (view counters, teasers). folding: a language's own way to fold. teasers: skip headlines of other
    stories between the paragraphs as well.
    """
    folded = folding(raw)
    text = folded.text
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    gap: list[int] = []
    last = 0
    for m in _WORD.finditer(text):
        start = m.start()
        between = text[last:start]
        gap.append(_gap(between, text, last, start) if between != " " else SPACE)
        words.append(m.group())
        starts.append(start)
        last = m.end()
        ends.append(last)
    title_end = _title_end(folded, headline)
    sentences, of = _sentences(text, starts, ends, gap, title_end, furniture)
    if teasers:
        sentences = _without_teasers(text, starts, ends, sentences)
    return Reading(folded, tuple(words), tuple(starts), tuple(ends), tuple(gap), tuple(of), tuple(sentences))


def _without_teasers(
    text: str, starts: Sequence[int], ends: Sequence[int], sentences: Sequence[Sentence]
) -> list[Sentence]:
    """The sentences; `skip` marks those that are a line of their own, short and without a full stop, behind a paragraph
    of the body that has one and before another."""
    out = list(sentences)
    told = False  # a paragraph of the body stands before
    for k in range(1, len(sentences) - 1):
        before, s, after = out[k - 1], out[k], out[k + 1]
        told = told or not (before.headline or before.paragraph == s.paragraph)
        alone = before.paragraph < s.paragraph < after.paragraph
        short = 4 <= s.last - s.first <= TEASER_WORDS and not s.headline
        if not (told and alone and short) or text[starts[s.first]] == "و":
            continue
        closed = before.skip or text[ends[before.last - 1] : starts[s.first]].strip()[:1] in FULL_STOPS
        if closed and not text[ends[s.last - 1] : starts[after.first]].strip():
            out[k] = replace(s, skip=True)
    return out


TEASER_WORDS = 14  # a longer line is a paragraph
FULL_STOPS = frozenset(".!؟?")


def _gap(between: str, text: str, last: int, start: int) -> int:
    if "\n" in between:
        return LINE
    if not between or between.isspace():
        return SPACE
    if _END.search(text, max(last - 1, 0), start + 1) and _END.search(between):
        return SENTENCE
    return COMMA if _COMMA.search(between) else SPACE


def _title_end(folded: Folded, headline: int) -> int:
    if not headline:
        return 0
    if folded.starts is None:
        return headline
    return bisect_right(folded.starts, headline - 1)


def _sentences(
    text: str, starts: list[int], ends: list[int], gap: list[int], title_end: int, furniture: re.Pattern[str] | None
) -> tuple[list[Sentence], list[int]]:
    sentences: list[Sentence] = []
    of: list[int] = []
    paragraph = 0
    first = 0
    skip = False
    line_start = 0

    def close(last: int) -> None:
        headline = bool(title_end) and starts[first] < title_end
        sentences.append(Sentence(first, last, headline, paragraph, skip))
        of.extend([len(sentences) - 1] * (last - first))

    for i in range(len(starts)):
        if i == 0 or gap[i] == LINE:
            if i:
                close(i)
                paragraph += 1
            first, line_start = i, starts[i]
            skip = bool(furniture and furniture.match(text, line_start))
        elif gap[i] == SENTENCE:
            close(i)
            first = i
    if starts:
        close(len(starts))
    return sentences, of
