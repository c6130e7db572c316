"""The people of a number in English: «12 Daesh members», «five of the fighters», «three soldiers from the SDF»."""

from __future__ import annotations

from dataclasses import dataclass

from processors.extract.actors import Named
from processors.extract.context import Context, Sides
from processors.extract.lexicons import Hit
from processors.text import SENTENCE, SPACE

MAX_WORDS = 7  # between a number and its noun
_OPENERS = frozenset(
    [
        "of",
        "the",
        "its",
        "their",
        "his",
        "her",
        "our",
        "more",
        "other",
        "others",
        "additional",
        "fellow",
        "new",
        "suspected",
        "alleged",
    ]
)
STOPS = frozenset(
    [
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "without",
        "to",
        "into",
        "over",
        "near",
        "after",
        "before",
        "when",
        "while",
        "during",
        "since",
        "until",
        "as",
        "because",
        "who",
        "whom",
        "whose",
        "which",
        "that",
        "where",
        "were",
        "was",
        "are",
        "is",
        "be",
        "been",
        "being",
        "has",
        "have",
        "had",
        "will",
        "would",
        "could",
        "may",
        "might",
        "and",
        "or",
        "but",
        "than",
        "including",
        "among",
        "against",
        "between",
        "through",
        "across",
        "it",
        "they",
        "he",
        "she",
        "we",
        "this",
        "these",
        "those",
        "there",
        "amid",
        "outside",
        "inside",
        "under",
        "around",
        "also",
        "not",
        "only",
        "just",
        "still",
        "said",
        "says",
        "told",
        "reported",
        "if",
        "so",
        "then",
    ]
)
_LINKS = frozenset(
    [
        "of",
        "from",
        "belonging",
        "loyal",
        "affiliated",
        "allied",
        "linked",
        "with",
        "to",
        "the",
        "a",
        "an",
        "so",
        "called",
        "group",
        "groups",
        "in",
        "working",
        "serving",
        "own",
        "both",
        "local",
    ]
)
_LINK_HEADS = frozenset(
    ["of", "from", "belonging", "loyal", "affiliated", "allied", "linked", "serving", "working", "fighting"]
)


@dataclass(frozen=True, slots=True)
class People:
    """Words `first:last` of a noun phrase; `head`: its person noun; `unit`: it counts something else."""

    first: int
    last: int
    head: Hit | None
    sides: Sides
    side_rule: str
    unit: bool = False

    @property
    def outcome(self) -> str:
        return self.head.entry.get("outcome") if self.head is not None else ""


def people(c: Context, k: int, *, bare: bool = True) -> People:
    """The noun phrase that goes on at word `k`, right behind a number."""
    r, i = c.r, k
    head: Hit | None = None
    unit = False
    named: list[Named] = []
    end = k
    while i < len(r.words) and i - k <= MAX_WORDS and (r.gap[i] == SPACE):
        word = r.words[i]
        if i - k < 3 and word in _OPENERS and head is None and c.hits.at("persons", i) is None:
            i += 1
            continue
        actor, person = c.named.get(i), c.hits.at("persons", i)
        if person is not None and (actor is None or person.last >= actor.last):
            if head is not None and (person.entry.get("outcome") or person.entry.get("side") == "same"):
                break
            head, i = person, person.last
            if (actor is not None and not actor.weak) or (actor is not None and not named):
                named.append(actor)
            end = i
            continue
        if actor is not None:
            if head is not None:
                break
            named.append(actor)
            end = i = actor.last
            inner = next((h for j in range(actor.first, actor.last) if (h := c.hits.at("persons", j))
                          and h.last == actor.last), None)  # fmt: skip
            head = inner or head
            continue
        if word in STOPS or i in c.dated or (i > k and _number(c, i)) or _verb(c, i):
            break
        if c.hits.at("units", i) is not None:
            if head is None:
                unit = True
        elif head is not None:
            break
        i += 1
    if head is None and unit:
        return People(k, k, None, (), "", True)
    sides, rule = _sides(head, named)
    if head is not None:
        post = _post(c, end)
        if post is not None and (not sides or rule in ("person-noun", "weak-name")) and not _firm(head):
            sides, rule, end = ((post.id, post), *((a, post) for a in post.also)), "named-behind", post.last
    if head is None and not named:
        return People(k, k, None, (), "")
    if head is None and all(n.rule == "adjective" or "plural" not in n.flags for n in named):
        solid = [n for n in named if n.rule != "adjective"]
        if not solid:
            return People(k, k, None, (), "")
    return People(k, end, head, sides, rule)


def _firm(head: Hit) -> bool:
    return head.entry.get("category") in ("civilian", "child", "woman", "journalist") and bool(head.entry.get("side"))


def _verb(c: Context, i: int) -> bool:
    hit = c.hits.at("outcomes", i)
    if hit is not None and hit.entry.get("voice") != "adj":
        return c.hits.at("persons", i) is None
    if hit is not None:
        return True
    said = c.hits.at("sources", i)
    return said is not None and said.entry.get("kind") in ("asserts", "denies")


def _number(c: Context, i: int) -> bool:
    return c.r.words[i][0].isdigit() or c.hits.at("numbers", i) is not None


def _sides(head: Hit | None, named: list[Named]) -> tuple[Sides, str]:
    """Whose people: the actor inside the phrase, else the noun's own side."""
    if head is not None and _firm(head):
        return ((head.entry.get("side").rstrip("?"), None),), "person-noun"
    strong = [n for n in named if not n.weak and n.rule != "adjective" and "victim" not in n.flags]
    if strong:
        return ((strong[-1].id, strong[-1]), *((a, strong[-1]) for a in strong[-1].also)), "named-in-phrase"
    side = head.entry.get("side") if head is not None else ""
    adjective = next((n for n in named if n.rule == "adjective"), None)
    if adjective is not None and (side == "state?" or (not side and head is not None
                                                       and head.entry.get("category") == "combatant")):  # fmt: skip
        return ((adjective.id, adjective),), "nationality"
    weak = [n for n in named if n.rule != "adjective"]
    if side in ("state?", "rebel?") and weak:
        return ((weak[-1].id, weak[-1]),), "weak-name"
    if side and side not in ("state?", "rebel?", "same"):
        return ((side.rstrip("?"), None),), "person-noun"
    if weak:
        return ((weak[-1].id, weak[-1]),), "weak-name"
    return (), "same" if side == "same" else ""


def _post(c: Context, k: int) -> Named | None:
    """The actor behind «of», «from the ranks of», «loyal to» at word `k`."""
    if k >= len(c.r.words) or c.r.gap[k] > SPACE or c.r.words[k] not in _LINK_HEADS:
        actor = c.named.get(k)
        return actor if actor is not None and c.r.gap[k] == SPACE and c.r.words[k] == "loyal" else None
    for i in range(k, min(k + 6, len(c.r.words))):
        if c.r.gap[i] > SPACE:
            return None
        actor = c.named.get(i)
        if actor is not None:
            return actor if actor.rule != "adjective" and "victim" not in actor.flags else None
        if (
            i > k
            and c.r.words[i] not in _LINKS
            and c.hits.at("persons", i) is None
            and (c.r.words[i] in STOPS or c.hits.at("places", i) is not None)
        ):
            return None
    return None


def past_paren(c: Context, k: int) -> int:
    """The word behind the bracket that opens in front of word `k`, `k` itself where none does."""
    if k >= len(c.r.words) or not k:
        return k
    between = c.r.text[c.r.ends[k - 1] : c.r.starts[k]]
    if "(" not in between:
        return k
    for i in range(k, min(k + 14, len(c.r.words))):
        behind = c.r.text[c.r.ends[i] : c.r.starts[i + 1] if i + 1 < len(c.r.words) else len(c.r.text)]
        if ")" in behind[:3]:
            return i + 1
        if i + 1 < len(c.r.words) and c.r.gap[i + 1] >= SENTENCE:
            return k
    return k
