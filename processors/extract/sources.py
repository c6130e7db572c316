"""Who says so: speakers with their stance, each governing its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from pipeline.records import Source
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.lexicons import Hit
from processors.text import COMMA, SENTENCE, SPACE

MAX_NAME = 7  # words of a speaker that no lexicon names
MAX_PERSON = 4  # words of a person's name
CARRIED = 4  # sentences that «he added» may look back over
SILENT = 2  # sentences without a speaker of their own that are still the last one's
AHEAD = 5  # sentences that headline and lead may look ahead
_SPEAKERS = frozenset(("head", "office", "paper", "back"))  # kinds of nouns that begin a speaker
SAYING = frozenset(("asserts", "denies", "doubts", "accuses", "according"))  # kinds of verbs and particles
_REPORTS = frozenset(("head", "back"))  # media and witnesses: they speak for no side


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker in words `first:last`; `at`: the word of saying; `id` of a source or actor, "" if unknown.

    credit: an agency alone or a relay, which counts where nobody else speaks; claims: who says that it was his doing.
    """

    first: int
    last: int
    at: int
    id: str
    name: str
    stance: Literal["asserts", "denies", "doubts"]
    credit: bool = False
    claims: bool = False
    prefix: str = ""  # clitics of the first word that are not the speaker's («لبيان»)

    def record(self, c: Context) -> Source:
        return Source(name=self.name, id=self.id or None, stance=self.stance,
                      text=c.r.quote(self.first, self.last, self.prefix),
                      span=c.r.span(self.first, self.last, self.prefix))  # fmt: skip


def speakers(c: Context) -> list[Speaker]:
    """Speakers in the order of their words of saying."""
    found: list[Speaker] = []
    starts: set[int] = set()
    for hit in c.hits.of("sources"):
        for speaker in _told(c, hit, found):
            if speaker.first not in starts or speaker.at > speaker.last:
                starts.add(speaker.first)
                found.append(speaker)
    return found


def _told(c: Context, hit: Hit, found: Sequence[Speaker]) -> list[Speaker]:
    """The speakers that one word brings in: the one that it names and those joined to him."""
    kind = hit.entry.get("kind")
    if kind == "source":
        credit = _credit(c, hit)
        return [credit] if credit is not None else []
    if kind in _SPEAKERS or kind == "no_name" or (kind == "accuses" and hit.entry.text.startswith(_BLAMES)):
        return []
    if kind == "claims":
        return _claimed(c, hit)
    if kind == "issues" and not _paper_behind(c, hit.last):
        return []
    speaker = _after(c, hit.first, hit.last, kind) or _before(c, hit.first, kind) or _person(c, hit)
    if speaker is None:
        carried = _said_by(c, hit, found)
        return [carried] if carried is not None else []
    if kind == "relays":
        return [replace(speaker, credit=True)]
    again = _again(c, speaker, found)
    if again is not None:
        return [again]
    return [speaker, *_joined(c, speaker)]


_BLAMES = ("حمل", "تحمل", "يحمل")


def _credit(c: Context, hit: Hit) -> Speaker | None:
    """«(رويترز)», «... الفرنسية.»: an agency alone between brackets or dashes."""
    alone = c.r.gap[hit.first] >= COMMA and (hit.last >= len(c.r.words) or c.r.gap[hit.last] >= COMMA)
    named = _named(c, hit.first, hit.first, "asserts") if alone else None
    return replace(named, credit=True) if named is not None else None


def _claimed(c: Context, hit: Hit) -> list[Speaker]:
    """«تبناه تنظيم ...»: who claims an attack says that it was he."""
    for i in (hit.last, hit.last + 1):
        if not c.joined(i):
            break
        actor = c.named.get(i)
        if actor is not None and actor.rule != "adjective" and not actor.flags & {"victim", "country", "local"}:
            return [Speaker(i, actor.last, hit.first, actor.id, c.r.quote(i, actor.last), "asserts", claims=True)]
    return []


def _paper_behind(c: Context, k: int) -> bool:
    """«أصدرت ... بيانا»: whether a statement is what was issued."""
    near = range(k, min(k + 8, c.r.bounds(k - 1)[1]))
    return any((h := c.hits.at("sources", j)) is not None and h.entry.get("kind") == "paper" for j in near)


def _said_by(c: Context, hit: Hit, found: Sequence[Speaker]) -> Speaker | None:
    """«وأضاف أن ...», «كما أشار إلى أن»: nobody named: whoever spoke last, if not long ago."""
    opens = c.r.gap[hit.first] >= COMMA or (hit.first and c.r.words[hit.first - 1] in ("كما", "وكما"))
    if hit.entry.get("kind") != "asserts" or not found or not opens:
        return None
    return _last(c, found, hit.first)


def _last(c: Context, found: Sequence[Speaker], at: int) -> Speaker | None:
    """Whoever spoke last, now speaking at word `at`."""
    last = next((s for s in reversed(found[-4:]) if s.stance == "asserts" and not s.credit and not s.claims), None)
    if last is None or c.r.sentence[at] - c.r.sentence[last.at] > CARRIED:
        return None
    return replace(last, at=at)


def _again(c: Context, speaker: Speaker, found: Sequence[Speaker]) -> Speaker | None:
    """«المصدر ذاته», «المصادر», «الوكالة» alone: the one named before by the same noun, else whoever spoke last."""
    hit = c.hits.at("sources", speaker.first)
    if hit is None or hit.entry.get("kind") != "back" or speaker.last > hit.last:
        return None
    bare = hit.entry.text.split()[0].removeprefix("ال")
    for known in reversed(found):
        noun = c.hits.at("sources", known.first)
        words = {c.r.words[known.first], noun.entry.text if noun is not None else ""}
        if bare in words and known.stance == "asserts":
            return replace(known, at=speaker.at, stance=speaker.stance)
    return _last(c, found, speaker.at) if bare in _ANYBODY else None


_ANYBODY = frozenset(("مصدر", "مصادر", "بيان", "متحدث", "مسوول"))


def _after(c: Context, at: int, k: int, kind: str) -> Speaker | None:
    """«قال متحدث ...», «بحسب المرصد», «نقلت وكالة ... عن مصدر»."""
    for step in range(4):
        i = k + step
        if i >= len(c.r.words) or c.r.gap[i] >= SENTENCE or (step and c.r.gap[i] > SPACE):
            return None
        speaker = _named(c, i, at, kind)
        if speaker is not None and (step < 2 or kind == "according" or speaker.id == "" or i not in c.named):
            return _called(c, k, speaker)
        if (c.hits.at("triggers", i) or c.hits.at("outcomes", i)) and kind != "according":
            return None
        if c.cue(i, "block") and kind != "according":
            return None
    return None


def _called(c: Context, k: int, speaker: Speaker) -> Speaker:
    """«فلان الفلاني، المتحدث باسم ...»: an office with the name that stands before it from word `k`."""
    hit = c.hits.at("sources", speaker.first)
    office = hit is not None and hit.entry.get("kind") == "office" and not hit.prefix.startswith("ل")
    if not office or not k < speaker.first or any(_no_name(c, j) or j in c.named for j in range(k, speaker.first)):
        return speaker
    return replace(speaker, first=k, name=c.r.quote(k, speaker.last), prefix="")


def _before(c: Context, at: int, kind: str) -> Speaker | None:
    """«المرصد رصد ...»: the subject in front of its verb."""
    for step in range(1, 6):
        i = at - step
        if i < 0 or c.r.gap[i + 1] > SPACE:
            return None
        hit = c.hits.at("sources", i)
        if hit is not None and hit.entry.get("kind") == "source" and hit.last == at:
            return _named(c, i, at, kind)
        opens = c.r.gap[i] >= COMMA or i == c.r.bounds(i)[0] or c.cue(i - 1, "pluperfect", "block") is not None
        actor = c.named.get(i)
        if actor is not None and actor.last == at and opens and not actor.flags & {"victim", "adjective"}:
            return _named(c, i, at, kind)
        if hit is not None and hit.entry.get("kind") in _SPEAKERS and opens and i not in c.named:
            found = _named(c, i, at, kind)
            return found if found is not None and found.last >= at else None
    return None


def _person(c: Context, hit: Hit) -> Speaker | None:
    """«وقال فلان الفلاني إن», «وأضاف فلان، مدير المشفى، أن»: somebody whom no lexicon knows."""
    if hit.entry.get("kind") != "asserts":
        return None
    k = hit.last
    while k - hit.last <= MAX_PERSON and c.joined(k) and not _no_name(c, k):
        k += 1
    if not 0 < k - hit.last <= MAX_PERSON or k >= len(c.r.words) or c.r.gap[k] >= SENTENCE:
        return None
    said = hit.entry.text in _SAYS and (c.r.gap[k] > SPACE or c.r.words[k] in ("في", "خلال", "عبر"))
    if not said and not c.cue(k, "that_they") and c.r.words[k] not in ("ان", "بان"):
        return None
    return Speaker(hit.last, k, hit.first, "", c.r.quote(hit.last, k), _stance("asserts"))


_SAYS = frozenset(("قال", "قالت", "اضاف", "اضافت", "اوضح", "اوضحت"))


def _no_name(c: Context, k: int) -> bool:
    """Whether word `k` cannot belong to a person's name."""
    word = c.r.words[k]
    said = c.hits.at("sources", k)
    return (
        word[0].isdigit()
        or k in c.dated
        or c.cue(k, "block", "np_stop", "preposition", "not", "that_they", "recap", "pluperfect") is not None
        or (said is not None and said.entry.get("kind") not in _REPORTS)
        or any(c.hits.at(file, k) is not None for file in ("triggers", "outcomes", "numbers", "times"))
        or (word.startswith("ل") and len(word) > 3 and c.hits.at("sources", k) is not None)
    )


def _joined(c: Context, speaker: Speaker) -> list[Speaker]:
    """«... والمرصد», «نقلت الوكالة عن مصدر»: further speakers right behind one."""
    out: list[Speaker] = []
    k = speaker.last
    while c.joined(k) and len(out) < 2:
        i = k + 1 if c.r.words[k] in ("عن", "وعن") else k
        hit = c.hits.at("sources", i)
        if i == k and not (hit is not None and hit.prefix.startswith("و")):
            break
        found = _named(c, i, speaker.at, speaker.stance) if c.joined(i) else None
        if found is None or found.last <= k:
            break
        out.append(found)
        k = found.last
    return out


def _stance(kind: str) -> Literal["asserts", "denies", "doubts"]:
    return cast(Literal["asserts", "denies", "doubts"], kind if kind in ("denies", "doubts") else "asserts")


def _named(c: Context, i: int, at: int, kind: str) -> Speaker | None:
    """The speaker whose words begin at word `i`."""
    hit = c.hits.at("sources", i)
    begins = hit.entry.get("kind") if hit is not None else ""
    if hit is not None and begins == "source":
        return Speaker(i, hit.last, at, hit.entry.get("id"), hit.entry.get("name"), _stance(kind), prefix=hit.prefix)
    actor = c.named.get(i)
    if actor is not None and actor.rule != "adjective" and not (begins in _SPEAKERS and actor.weak):
        return Speaker(i, actor.last, at, actor.id, c.r.quote(i, actor.last), _stance(kind))
    if hit is None or begins not in _SPEAKERS:
        return None
    if begins == "paper" and (author := _author(c, hit, at, kind)) is not None:
        return author
    last = _phrase_end(c, hit)
    last = _with_name(c, last) if begins == "office" else last
    name = c.r.quote(i, last, hit.prefix)
    return Speaker(i, last, at, _speaks_for(c, hit, last), name, _stance(kind), prefix=hit.prefix)


def _author(c: Context, hit: Hit, at: int, kind: str) -> Speaker | None:
    """«بيان صادر عن الحزب», «بيان للجيش», «حصيلة نشرتها ...»: whose paper it is."""
    for i in range(hit.last, min(hit.last + 4, len(c.r.words))):
        if c.r.gap[i] > SPACE or c.cue(i, "block") is not None:
            return None
        found = c.hits.at("sources", i)
        if found is not None and found.entry.get("kind") == "paper":
            return None
        speaker = _named(c, i, at, kind)
        if speaker is not None:
            return speaker
    return None


def _phrase_end(c: Context, hit: Hit) -> int:
    """The word behind the noun phrase of a speaker: «متحدث باسم ...», «مسؤول في ...»."""
    last, inside = hit.last, False
    office = hit.entry.get("kind") == "office"
    while last - hit.first < MAX_NAME and c.joined(last):
        word = c.r.words[last]
        if office and not inside and word in ("في", "من") and _place_of_work(c, last + 1):
            inside = True
            last += 1
            continue
        nested = c.hits.at("sources", last)
        if nested is not None and nested.prefix in _BARE and nested.entry.get("kind") == "source":
            return nested.last
        if _closes(c, last, nested) or (office and _quotes(c, last)) or (last - hit.first > 1 and _another(c, last)):
            break
        last += 1
    return last


def _another(c: Context, k: int) -> bool:
    """«مسؤول أفغاني | الحركة»: a definite noun behind an indefinite nationality begins another phrase."""
    before = c.named.get(k - 1)
    nation = before is not None and before.rule == "adjective" and not before.prefix
    return nation and c.r.words[k].startswith("ال")


def _quotes(c: Context, k: int) -> bool:
    """Whether a quotation longer than a name opens between word `k` and the one before it."""
    opens = any(mark in c.r.quote(k - 1, k + 1) for mark in (' "', " «", " “"))
    return opens and not any(mark in c.r.quote(k, min(k + 3, len(c.r.words))) for mark in ('" ', "» ", "” "))


def _place_of_work(c: Context, k: int) -> bool:
    """Whether an office, force or organisation begins at word `k`."""
    if not c.joined(k):
        return False
    hit = c.hits.at("sources", k)
    return k in c.named or (hit is not None and hit.prefix in _BARE and hit.entry.get("kind") in ("office", "source"))


_BARE = ("", "ال")


def _closes(c: Context, k: int, nested: Hit | None) -> bool:
    """Whether a speaker's phrase ends before word `k`."""
    if k in c.dated or c.cue(k, "block", "agent", "that_they", "preposition", "np_stop", "not") is not None:
        return True
    if nested is not None and nested.entry.get("kind") not in _SPEAKERS:
        return True
    if nested is not None and (
        nested.suffix or (nested.prefix not in _BARE and not (nested.prefix == "لل" and k in c.named))
    ):
        return True
    told = c.hits.at("triggers", k) or c.hits.at("outcomes", k)
    return told is not None and (bool(told.prefix.removesuffix("ال")) or not (told.definite or k in c.named))


def _with_name(c: Context, k: int) -> int:
    """The word behind a name that follows its office between commas: «مدير المشفى، فلان الفلاني، إن»."""
    if k >= len(c.r.words) or c.r.gap[k] != COMMA or _no_name(c, k):
        return k
    end = k + 1
    while end - k < MAX_PERSON and c.joined(end) and not _no_name(c, end):
        end += 1
    closed = end < len(c.r.words) and (c.r.gap[end] == COMMA or c.cue(end, "that_they") or c.r.words[end] == "ان")
    return end if closed and end - k >= 2 and not any(j in c.named for j in range(k, end)) else k


def _speaks_for(c: Context, hit: Hit, last: int) -> str:
    """The id of the side or source that a speaker's words name, "" for media and witnesses."""
    if hit.entry.get("kind") in _REPORTS:
        return ""
    for k in range(hit.first, last):
        nested = c.hits.at("sources", k)
        if nested is not None and nested.entry.get("kind") == "source":
            return nested.entry.get("id")
    named = [n for k in range(hit.first, last) if (n := c.named.get(k)) is not None and "victim" not in n.flags]
    return named[-1].id if named else ""


def governing(c: Context, found: Along[Speaker], at: int) -> list[Speaker]:
    """Who asserts something in the sentence of word `at`, at most four; else who spoke last before it, not long ago;
    else, of headline and lead, who speak next; else the agency that the article is credited to."""
    low, high = c.r.bounds(at)
    there = found.between(low, high)
    here = [s for s in there if s.stance == "asserts" and not s.credit][:4]
    here = here or [s for s in there if s.credit][:1]
    if here or any(s.stance != "asserts" for s in there):
        return here
    now = c.r.sentence[at]
    if not c.r.sentences[now].headline:
        before = next((s for s in found.before(low, 3) if s.stance == "asserts"), None)
        if before is not None and now - c.r.sentence[before.at] <= SILENT:
            return [before]
    lead = now <= 1 or c.r.sentences[now - 1].headline
    behind = [s for s in (found.behind(high, 3) if lead else []) if s.stance == "asserts" and not s.credit]
    behind = [s for s in behind if c.r.sentence[s.at] - now <= AHEAD]
    if behind:
        return behind
    credits = found.between(0, low) if len(c.r.words) < SHORT else []
    return [s for s in credits if s.credit][:1]


SHORT = 2000  # words of an article that its opening credit still covers
