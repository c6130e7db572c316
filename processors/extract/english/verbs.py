"""What befell people in English: the verb behind them («were killed») and the one in front («killing 12»)."""

from __future__ import annotations

from dataclasses import dataclass

from processors.extract.context import Context
from processors.extract.english.phrases import past_paren
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity
from processors.text import COMMA, SENTENCE, SPACE

REACH = 18  # words that a verb may stand behind its people
_AUX = frozenset(["was", "were", "is", "are", "been", "be", "being", "get", "got", "getting"])
_ADVERBS = frozenset(
    [
        "also",
        "reportedly",
        "allegedly",
        "later",
        "seriously",
        "badly",
        "severely",
        "critically",
        "confirmed",
        "initially",
        "already",
        "mostly",
        "instantly",
        "immediately",
        "subsequently",
        "fatally",
        "both",
        "all",
        "slightly",
        "either",
        "still",
        "recently",
        "nearly",
        "lightly",
        "brutally",
    ]
)
_HAVE = frozenset(["has", "have", "had"])
_OBJECT = frozenset(
    [
        "a",
        "an",
        "the",
        "at",
        "another",
        "dozens",
        "scores",
        "several",
        "hundreds",
        "many",
        "some",
        "more",
        "his",
        "her",
        "their",
        "its",
    ]
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What befell people, in words `first:last`."""

    kind: str
    first: int
    last: int
    hit: Hit | None = None


def suffered(c: Context, k: int, bare: bool) -> Outcome | None:
    """The verb of which the people before word `k` are the sufferers."""
    k = past_paren(c, k)
    aux = False
    i, first = k, k
    while i < len(c.r.words) and i - first < REACH:
        if c.r.gap[i] >= SENTENCE:
            return None
        jumped = past_paren(c, i)
        if jumped != i:
            i = jumped
            continue
        word = c.r.words[i]
        hit = c.hits.at("outcomes", i)
        if hit is not None and hit.entry.get("voice") in ("past", "intr", "adj"):
            voice = hit.entry.get("voice")
            passive = aux or (
                c.r.words[i - 1] in _ADVERBS | _AUX and any(w in _AUX for w in c.r.words[max(i - 4, k) : i])
            )
            if "person" in hit.entry.flags and not passive:
                return None
            if voice == "intr":
                return Outcome(hit.entry.get("outcome"), i, hit.last, hit) if not bare or i - k <= 3 else None
            if passive or (_adverbs(c, k, i) and not takes_object(c, hit)):
                return Outcome(hit.entry.get("outcome"), i, hit.last, hit)
            return None
        trigger = c.hits.at("triggers", i)
        acts = trigger is not None and trigger.entry.get("form") == "verb" and hit is None and not aux
        if acts and word not in _AUX and c.r.words[i - 1] not in ("who", "that", "which"):
            return None
        if word in _AUX:
            aux = True
        elif word not in _ADVERBS and word not in _HAVE and word != "to":
            if aux and word not in ("in", "on"):
                aux = word in _ADVERBS
            if word in ("after", "when", "while", "as", "but", "said", "says", "told", "that", "because", "since"):
                return None
            if bare and i - k >= 3:
                return None
            if c.r.gap[i] == COMMA and i > k and bare:
                return None
        i += 1
    return None


def _adverbs(c: Context, k: int, i: int) -> bool:
    return all(w in _ADVERBS or w in _HAVE for w in c.r.words[k:i]) and all(
        c.r.gap[j] <= COMMA for j in range(k, i + 1)
    )


def takes_object(c: Context, hit: Hit) -> bool:
    """Whether a bare «killed» is active: people stand behind it."""
    k = hit.last
    if k >= len(c.r.words) or c.r.gap[k] > SPACE:
        return False
    return (
        c.r.words[k] in _OBJECT or c.r.words[k][0].isdigit() or c.hits.at("numbers", k) is not None
        or c.hits.at("hedges", k) is not None or c.hits.at("persons", k) is not None
        or (k in c.named and c.named[k].rule != "adjective")
    )  # fmt: skip


def done_to(c: Context, q: Quantity) -> Outcome | None:
    """The verb or noun that stands right before a number and says what befell its people."""
    i = q.first
    for _ in range(4):
        if i == 0 or c.r.gap[i] > SPACE:
            return None
        ends = (c.hits.at("outcomes", k) for k in range(i - 1, max(i - 5, -1), -1))
        hit = next((h for h in ends if h is not None and h.last == i and h.entry.get("voice") != "adj"), None)
        if hit is not None:
            voice = hit.entry.get("voice")
            if voice == "past" and any(w in _AUX for w in c.r.words[max(hit.first - 2, 0) : hit.first]):
                return None
            if voice in ("past", "active", "nominal", "leave"):
                return Outcome(hit.entry.get("outcome"), hit.first, hit.last, hit)
            return None
        if c.r.words[i - 1] not in _ADVERBS and c.r.words[i - 1] not in ("the", "another", "of", "all", "only", "up"):
            if i - 1 not in c.dated:
                return None
            i = c.dated[i - 1].first
            continue
        i -= 1
    return None
