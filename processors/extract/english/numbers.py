"""Numbers of things as English news writes them: digits, words, hedges, «dozens», «a couple of», ranges."""

from __future__ import annotations

from dataclasses import replace

from pipeline.records import Hedge
from processors.extract.lexicons import Hits
from processors.extract.numbers import LARGEST, Quantity, digits, hedge_after, with_hedge
from processors.text import COMMA, SPACE, Reading

_VAGUE: dict[tuple[str, ...], Hedge] = {
    ("dozens",): "dozens", ("scores",): "dozens", ("tens",): "dozens", ("hundreds",): "hundreds",
    ("thousands",): "thousands", ("tens", "of", "thousands"): "thousands", ("hundreds", "of", "thousands"): "thousands",
    ("several",): "unspecified", ("many",): "unspecified", ("numerous",): "unspecified",
    ("a", "number", "of"): "unspecified", ("a", "handful", "of"): "unspecified", ("a", "few"): "unspecified",
    ("several", "dozen"): "dozens", ("several", "hundred"): "hundreds", ("several", "thousand"): "thousands",
    ("a", "few", "dozen"): "dozens", ("a", "few", "hundred"): "hundreds", ("a", "few", "thousand"): "thousands",
    ("an", "unknown", "number", "of"): "unspecified", ("millions",): "unspecified", ("countless",): "unspecified",
    ("a", "large", "number", "of"): "unspecified", ("an", "unspecified", "number", "of"): "unspecified",
    ("scores", "of"): "dozens", ("large", "numbers", "of"): "unspecified", ("various",): "unspecified",
}  # fmt: skip
_FIXED = {("a", "couple", "of"): 2, ("a", "pair", "of"): 2, ("half", "a", "dozen"): 6, ("half", "dozen"): 6,
          ("a", "dozen"): 12, ("a", "hundred"): 100, ("a", "thousand"): 1000, ("two", "dozen"): 24,
          ("a", "million"): 1_000_000, ("both",): 2}  # fmt: skip
_STARTS = frozenset(k[0] for k in (*_VAGUE, *_FIXED))
_ORDINAL = frozenset(("st", "nd", "rd", "th"))
_UNIT_AFTER = frozenset(("percent", "pm", "am", "gmt", "year", "km", "mm", "mph", "th", "st", "nd", "rd", "m", "s"))


def quantities(r: Reading, hits: Hits) -> list[Quantity]:
    """Every number and vague number of the text in order; they do not overlap."""
    found: list[Quantity] = []
    i, n = 0, len(r.words)
    while i < n:
        word = r.words[i]
        q: Quantity | None = None
        if word in _STARTS:
            q = _fixed(r, i)
        if q is None and (word[0].isdigit() or hits.at("numbers", i) is not None):
            q = _cardinal(r, hits, i)
        if q is None:
            i += 1
            continue
        q = _hedged(r, hits, q, found[-1].last if found else 0)
        found.append(q)
        i = max(q.last, i + 1)
    return _ranges(r, found)


def _fixed(r: Reading, i: int) -> Quantity | None:
    for n in (4, 3, 2, 1):
        key = r.words[i : i + n]
        if len(key) == n and (key in _VAGUE or key in _FIXED) and all(r.gap[k] == SPACE for k in range(i + 1, i + n)):
            last = i + n
            if key in _FIXED:
                return Quantity(i, last, i, last, _FIXED[key])
            return Quantity(i, last, i, last, None, _VAGUE[key], vague=True)
    return None


def _cardinal(r: Reading, hits: Hits, i: int) -> Quantity | None:
    word = r.words[i]
    k = i
    if word[0].isdigit():
        if i and r.ends[i - 1] == r.starts[i]:
            return None
        value = digits(word)
        fraction = None if value is not None else _decimal(word)
        if value is None and fraction is None:
            return None
        k = i + 1
        if k < len(r.words) and r.starts[k] == r.ends[i]:
            return None  # «21st», «40km», «02.10.2017Get»
        scale = hits.at("numbers", k) if k < len(r.words) and r.gap[k] == SPACE else None
        if scale is not None and scale.entry.get("kind") == "scale":
            value, k = round((value if value is not None else fraction or 0) * int(scale.entry.get("value"))), k + 1
        elif value is None:
            return None
    else:
        value, k = _spelled(r, hits, i)
    if value is None or value > LARGEST or (k < len(r.words) and r.words[k] in _ORDINAL):
        return None
    return Quantity(i, k, i, k, value)


def _decimal(word: str) -> float | None:
    whole, dot, part = word.replace(",", ".").partition(".")
    return float(f"{whole}.{part}") if dot and whole.isdigit() and part.isdigit() and len(part) <= 2 else None


def _spelled(r: Reading, hits: Hits, i: int) -> tuple[int | None, int]:
    """«twenty-one», «one hundred and five», «two thousand three hundred»."""
    total, group, k, last = 0, 0, i, 0
    while k < len(r.words) and k - i < 12 and (k == i or r.gap[k] == SPACE):
        if (
            r.words[k] == "and"
            and last >= 100
            and k + 1 < len(r.words)
            and _kind(hits, k + 1) in ("unit", "teen", "ten")
        ):
            k += 1
            continue
        hit = hits.at("numbers", k)
        if hit is None:
            break
        kind, value = hit.entry.get("kind"), int(hit.entry.get("value"))
        if kind == "scale":
            if k == i or value == last:
                break
            if value in (100, 12):
                group = max(group, 1) * value
            else:
                total, group = total + max(group, 1) * value, 0
        elif last and not (last >= 100 or (last >= 20 and last % 10 == 0 and value < 10)):
            break
        else:
            group += value
        last, k = value, k + 1
    return (None, i) if k == i else (total + group, k)


def _kind(hits: Hits, k: int) -> str:
    hit = hits.at("numbers", k)
    return hit.entry.get("kind") if hit is not None else ""


def _hedged(r: Reading, hits: Hits, q: Quantity, low: int) -> Quantity:
    """With the hedges around the number, «the», «another», «a total of» before it."""
    first, last = q.first, q.last
    while first > low and r.gap[first] == SPACE and r.words[first - 1] in ("another", "other", "the", "additional"):
        first -= 1
    if r.words[max(first - 3, low) : first] in (("a", "total", "of"), ("the", "total", "of"), ("a", "further", "of")):
        first -= 3
    elif r.words[max(first - 2, low) : first] == ("a", "further"):
        first -= 2
    before = None
    for back in range(1, 6):
        k = first - back
        if k < low or r.gap[k + 1] > SPACE:
            break
        hit = hits.at("hedges", k)
        if hit is not None and hit.last == first and hit.entry.get("side") in ("before", "both"):
            before = hit
    after = hedge_after(hits, last) if last < len(r.words) and r.gap[last] == SPACE else None
    if before is not None:
        first = before.first
    if after is not None:
        last = after.last
    q = replace(q, first=first, last=last)
    hit = before or after
    if hit is None:
        return q
    return with_hedge(q, hit)


def _ranges(r: Reading, found: list[Quantity]) -> list[Quantity]:
    """«between 10 and 15», «10 to 15», «10-15»: one quantity with bounds."""
    out: list[Quantity] = []
    skip = False
    for a, b in zip(found, (*found[1:], None), strict=False):
        if skip:
            skip = False
            continue
        if b is not None and a.count is not None and b.count is not None and a.count < b.count:
            joint = r.words[a.last : b.core]
            lead = r.words[a.first - 1] if a.first else ""
            dashed = not joint and r.text[r.ends[a.last - 1] : r.starts[b.core]].strip() in ("-", "–")
            if (
                all(r.gap[k] <= COMMA for k in range(a.last, b.last_core))
                and ((lead == "between" and joint == ("and",)) or joint == ("to",) or dashed)
                and r.words[a.last - 1] not in _UNIT_AFTER
            ):
                first = a.first - (lead in ("between", "from"))
                out.append(replace(a, first=first, last=b.last, last_core=b.last_core, count=None, hedge="about",
                                   low=a.count, high=b.count))  # fmt: skip
                skip = True
                continue
        out.append(a)
    return out
