"""`rasd dedupe`: what deduplication decided, the words it decided by, and how often."""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from pipeline.cli.beside import Compared, Side, compare, day_words, side_by_side, time_words, under
from pipeline.cli.context import Local, NotFound, log_of, put, put_json, say, size_words
from pipeline.cli.pretty import Style, verdict_words
from pipeline.cli.tail import style_of_stdout
from pipeline.errors import RasdError
from pipeline.records import Article, Reused, Verdict

if TYPE_CHECKING:
    from pipeline.log import Message
    from processors.dedupe.seen import Revision
    from processors.dedupe.words import Words

STAGE = "dedupe"  # under whose name the log keeps the fingerprints
TOP = 10  # rows of each list in the statistics
SHORT_ID = 8  # letters of an id in a list, more where they fit several
QUOTED = 60  # code points shown of a reused passage
_COPIES = ("exact_duplicate", "near_duplicate", "syndicated")
_SIZES = ((2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, None))

Json = Annotated[bool, typer.Option("--json", help="Everything as JSON.")]


def show(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of an article or a cluster, or its beginning.")],
    other: Annotated[
        str | None, typer.Option("--with", metavar="ID", help="Lay the text beside this article's instead.")
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="The members of the cluster that it names or belongs to.")
    ] = False,
    as_json: Json = False,
    local: Local = False,
) -> None:
    """Show what was decided of an article, and its text beside the one that it repeats.

    Beside it stands the article that it repeats or took a passage from; of a revised article, the revision before. What
    both share is coloured, what differs underlined; elsewhere than on a terminal, or with NO_COLOR set, they stand in
    [brackets] and {braces}. A cluster goes by the id of its first article.

    \b
    Examples:
      rasd dedupe show 43bc1e76
      rasd dedupe show 43bc1e76 --cluster
      rasd dedupe show 43bc1e76 --with 9a0c --json | jq .compared.new.shared
    """
    if cluster and other is not None:
        raise typer.BadParameter("a cluster is not laid beside an article", param_hint="--with")
    with _log(ctx, local) as log:
        memory = remembered(log)
        named = memory.named(id)
        if cluster or named not in memory.texts:
            id = memory.cluster_of(named) if named in memory.texts else memory.cluster(named)
            found = _cluster(log, memory, id)
            if as_json:
                put_json(found)
            else:
                _put(_cluster_lines(found, memory, style_of_stdout()))
            return
        partner = None if other is None else memory.named(other)
        if partner == named:
            raise typer.BadParameter("that is the same article", param_hint="--with")
        view = _view(log, memory, named, partner)
    if as_json:
        put_json(view.as_json(memory))
    else:
        _put(_view_lines(view, memory, style_of_stdout(), shutil.get_terminal_size().columns))


def stats(ctx: typer.Context, as_json: Json = False, local: Local = False) -> None:
    """Count what was decided: verdicts, clusters, reused passages, who copies whom.

    \b
    Examples:
      rasd dedupe stats
      rasd dedupe stats --json | jq .verdicts
    """
    with _log(ctx, local) as log:
        memory = remembered(log)
        counts = _counted(log, memory)
    if as_json:
        put_json(counts)
    elif not memory.texts:
        say("no article was judged yet")
    else:
        _put(_stats_lines(counts, memory, style_of_stdout()))


class Log(Protocol):
    """What is asked of a log: its messages, and what a stage remembers."""

    def scan(self, topic: str) -> Iterator[Message]: ...
    def state(self, stage: str) -> Mapping[str, bytes]: ...


@contextmanager
def _log(ctx: typer.Context, local: bool) -> Iterator[Log]:
    """The log of the data folder, or topics and the workers' state on Kafka."""
    from pipeline.log.sqlite import SqliteLog

    with log_of(ctx, local=local) as log:
        if isinstance(log, SqliteLog):
            yield log
        else:
            from pipeline.log.kafka.changelog import Remembered

            yield Remembered(log)


def _put(lines: Iterable[str]) -> None:
    for line in lines:
        put(line)


# -- what is remembered ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Memory:
    """All verdicts. ids: of articles, sorted; texts: by article, revisions without their words; alias: a merged cluster
    → the one that it became part of; members: by cluster, in the order of arrival; size: bytes of the state."""

    ids: Sequence[str]
    texts: dict[str, tuple[Revision, ...]]
    alias: dict[str, str]
    members: dict[str, list[str]]
    size: int

    def named(self, id: str) -> str:
        """The one article or cluster whose id that is or begins so. Raises: NotFound; RasdError where several do."""
        if id in self.texts or id in self.members or id in self.alias:
            return id
        found = sorted({i for i in (*self.texts, *self.members, *self.alias) if i.startswith(id)})
        if not found:
            raise NotFound(f"no article or cluster {id!r}")
        if len(found) > 1:
            more = ", ..." if len(found) > 5 else ""
            raise RasdError(f"{id!r} fits several ids: {', '.join(found[:5])}{more}", reason="ambiguous-id")
        return found[0]

    def cluster(self, named: str) -> str:
        """The cluster that `named` is part of by now."""
        return _resolved(named, self.alias)

    def cluster_of(self, article: str) -> str:
        """Whose story an article tells, by its first text."""
        return self.cluster(self.texts[article][0].verdict.cluster or article)

    def merged(self, cluster: str) -> list[str]:
        return [c for c in self.alias if self.cluster(c) == cluster]

    def short(self, id: str) -> str:
        """The beginning of an id that no other article has."""
        at = bisect_left(self.ids, id)
        near = [i for i in self.ids[max(0, at - 1) : at + 2] if i != id]
        need = 1 + max((_in_common(id, i) for i in near), default=0)
        return id[: max(SHORT_ID, need)]


def _resolved(cluster: str, alias: dict[str, str]) -> str:
    while cluster in alias:
        cluster = alias[cluster]
    return cluster


def _in_common(a: str, b: str) -> int:
    return next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def remembered(log: Log) -> Memory:
    """Raises: RasdError where the state is another version's."""
    from processors.dedupe.seen import fingerprint_of

    texts: dict[str, tuple[Revision, ...]] = {}
    alias: dict[str, str] = {}
    size = 0
    for article, value in log.state(STAGE).items():
        size += len(value)
        revisions = fingerprint_of(value).revisions
        texts[article] = tuple(replace(r, words=b"", places=b"", marks=b"") for r in revisions)
        for r in revisions:
            alias |= dict.fromkeys(r.verdict.merges, r.verdict.cluster or article)
    members: dict[str, list[str]] = {}
    for article in sorted(texts, key=lambda a: texts[a][0].number):
        cluster = _resolved(texts[article][0].verdict.cluster or article, alias)
        members.setdefault(cluster, []).append(article)
    return Memory(sorted(texts), texts, alias, members, size)


Wanted = tuple[str, str]  # article id and content hash


def _kept(log: Log, wanted: Collection[Wanted]) -> dict[Wanted, Article]:
    """Those of the wanted texts that the log still holds."""
    import msgspec

    from pipeline.topics import ARTICLES
    from pipeline.wire import decode

    class Head(msgspec.Struct):
        id: str
        content_hash: str

    head = msgspec.json.Decoder(Head)
    missing = set(wanted)
    found: dict[Wanted, Article] = {}
    for message in log.scan(ARTICLES.name) if missing else ():
        try:
            read = head.decode(message.value)
            key = (read.id, read.content_hash)
            if key not in missing:
                continue
            found[key] = decode(Article, message.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RasdError):
            continue  # it stands in rejects
        missing.discard(key)
        if not missing:
            break
    return found


# -- an article --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """An article with its newest text, and that beside another where it repeats one. texts: by revision, where still
    kept. absent: the article that should stand there and of which nothing is remembered."""

    article: str
    revisions: Sequence[Revision]
    newest: Side
    texts: dict[int, str]
    compared: Compared | None
    absent: str | None

    def as_json(self, memory: Memory) -> dict[str, Any]:
        import orjson

        from pipeline.wire import encode

        cluster = memory.cluster_of(self.article)
        return {
            "article": self.article,
            "cluster": {"id": cluster, "members": memory.members[cluster], "merged": memory.merged(cluster)},
            "revisions": [
                {
                    "revision": r.verdict.revision,
                    "outlet": r.outlet,
                    "published": time_words(r.published),
                    "cluster": memory.cluster(r.verdict.cluster or self.article),
                    "text": self.texts.get(r.verdict.revision),
                    "verdict": orjson.loads(encode(r.verdict)),
                }
                for r in self.revisions
            ],
            "compared": self.compared and self.compared.as_json(),
        }


def _view(log: Log, memory: Memory, article: str, partner: str | None) -> View:
    revisions = memory.texts[article]
    newest = revisions[-1]
    other = partner or _partner(article, revisions)
    beside = _beside(log, memory, article, other, asked=partner is not None) if other in memory.texts else None
    wanted = {(article, r.content_hash) for r in revisions}
    if other and beside:
        wanted.add((other, beside.content_hash))
    kept = _kept(log, wanted)

    def side(id: str, revision: Revision) -> Side:
        return Side(id, memory.short(id), revision, kept.get((id, revision.content_hash)))

    new = side(article, newest)
    texts = {r.verdict.revision: k.text for r in revisions if (k := kept.get((article, r.content_hash)))}
    if other is None or beside is None:
        return View(article, revisions, new, texts, None, other)
    old = side(other, beside)
    return View(article, revisions, new, texts, compare(new, old, _words(log, new), _words(log, old)), None)


def _partner(article: str, revisions: Sequence[Revision]) -> str | None:
    """The article that an article's newest text is shown beside: itself where it was revised, else the one that it
    repeats, else the one that its longest reused passage is from."""
    if len(revisions) > 1:
        return article
    verdict = revisions[-1].verdict
    longest = max(verdict.reused, key=lambda r: r.end - r.start, default=None)
    return verdict.of or (longest.of if longest else None)


def _beside(log: Log, memory: Memory, article: str, other: str, *, asked: bool) -> Revision:
    """Which of the other's texts: the one that was compared, if it was."""
    newest = memory.texts[article][-1]
    if other == article:
        return memory.texts[article][-2]
    candidates = memory.texts[other]
    if not asked:  # a text that came later was not compared
        candidates = tuple(r for r in candidates if r.number < newest.number) or candidates
    return _closest(log, article, newest, other, candidates)


def _closest(log: Log, article: str, new: Revision, other: str, candidates: Sequence[Revision]) -> Revision:
    """That of an article's texts which shares most with the new one, the newer of two: verdicts name articles only."""
    if len(candidates) == 1:
        return candidates[0]
    from processors.dedupe.compare import overlap

    words = _revisions(log, article)[new.number].numbers()
    texts = _revisions(log, other)

    def closeness(old: Revision) -> tuple[bool, float, int]:
        shared = overlap(words, texts[old.number].numbers())
        return old.text_hash == new.text_hash, shared.contained + shared.contains, old.number

    return max(candidates, key=closeness)


def _words(log: Log, side: Side) -> Words:
    """A text's words; where it is no longer kept, those that are remembered."""
    from processors.dedupe.step import compared

    if side.kept is not None:
        return compared(side.kept)
    return _revisions(log, side.article)[side.revision.number].text()


def _revisions(log: Log, article: str) -> dict[int, Revision]:
    """By number, with their words."""
    from processors.dedupe.seen import fingerprint_of

    return {r.number: r for r in fingerprint_of(log.state(STAGE)[article]).revisions}


def _view_lines(view: View, memory: Memory, style: Style, columns: int) -> Iterator[str]:
    cluster = memory.cluster_of(view.article)
    yield style.bold(f"article {style.text(view.article)}")
    yield f"  cluster {_cluster_words(cluster, memory, style)}"
    for r in view.revisions:
        said = ", ".join(filter(None, [style.text(r.outlet), day_words(r.published)]))
        yield f"  {verdict_words(_shortened(r.verdict, memory), style)}  ({said})"
        named = memory.cluster(r.verdict.cluster or view.article)
        if r.verdict.cluster and named != r.verdict.cluster:
            yield f"    its cluster then, {style.text(memory.short(r.verdict.cluster))}, is part of this one now"
        for passage in r.verdict.reused:
            yield f"    {_reused_words(passage, view.texts.get(r.verdict.revision), memory, style)}"
    yield ""
    if view.compared is None:
        yield from _alone(view, style, columns)
    else:
        yield from side_by_side(view.compared, style, columns)


def _cluster_words(cluster: str, memory: Memory, style: Style) -> str:
    count, merged = len(memory.members[cluster]), memory.merged(cluster)
    words = style.text(memory.short(cluster)) + (f", {count} articles" if count > 1 else ", this article alone")
    return words + (f", merged with {_ids(merged, memory, style)}" if merged else "")


def _ids(ids: Iterable[str], memory: Memory, style: Style) -> str:
    return ", ".join(style.text(memory.short(i)) for i in ids)


def _shortened(v: Verdict, memory: Memory) -> Verdict:
    return replace(v, of=v.of and memory.short(v.of), merges=tuple(memory.short(c) for c in v.merges))


def _reused_words(passage: Reused, text: str | None, memory: Memory, style: Style) -> str:
    of = memory.texts.get(passage.of)
    outlet = f" ({style.text(of[0].outlet)})" if of and of[0].outlet else ""
    first = f", first published {passage.first_published:%Y-%m-%d %H:%M} UTC" if passage.first_published else ""
    said = f"{passage.start}..{passage.end} reused from {style.text(memory.short(passage.of))}{outlet}{first}"
    if text is None:
        return said
    quote = text[passage.start : passage.end]
    return f"{said}  «{style.text(quote[:QUOTED] + ('…' if len(quote) > QUOTED else ''))}»"


def _alone(view: View, style: Style, columns: int) -> Iterator[str]:
    if view.absent is None:
        yield style.dim("(shares its text with none before it)")
    else:
        yield style.dim(f"(nothing is remembered of {style.text(view.absent)})")
    yield from under(view.newest, style, columns)


# -- a cluster ---------------------------------------------------------------------------------------------------------


def _cluster(log: Log, memory: Memory, cluster: str) -> dict[str, Any]:
    members = memory.members.get(cluster, [])
    kept = _kept(log, {(a, memory.texts[a][-1].content_hash) for a in members})
    rows = []
    for article in members:
        texts = memory.texts[article]
        first = texts[0].verdict
        found = kept.get((article, texts[-1].content_hash))
        rows.append(
            {
                "article": article,
                "outlet": texts[0].outlet,
                "published": time_words(texts[0].published),
                "title": found and found.title,
                "text_kept": found is not None,
                "revisions": len(texts),
                "verdict": first.verdict,
                "of": first.of,
                "cluster": first.cluster,
                "origin": texts[-1].verdict.origin,
                "similarity": first.similarity,
                "contained": first.contained,
                "contains": first.contains,
                "merges": first.merges,
            }
        )
    return {"cluster": cluster, "merged": memory.merged(cluster), "members": rows}


def _cluster_lines(found: dict[str, Any], memory: Memory, style: Style) -> Iterator[str]:
    count = len(found["members"])
    yield style.bold(f"cluster {style.text(found['cluster'])}: {count} article{'' if count == 1 else 's'}")
    if found["merged"]:
        yield f"  merged with {_ids(found['merged'], memory, style)}"
    for number, row in enumerate(found["members"], 1):
        texts = memory.texts[row["article"]]
        verdict = replace(_shortened(texts[0].verdict, memory), reused=(), origin=row["origin"])
        more = f", {len(texts) - 1} more since" if len(texts) > 1 else ""
        yield f"{number:>4}  {style.text(memory.short(row['article']))}  {verdict_words(verdict, style)}{more}"
        title = style.text(row["title"] or "(no title)") if row["text_kept"] else "(its text is no longer kept)"
        yield "      " + ", ".join(filter(None, [style.text(row["outlet"]), day_words(texts[0].published), title]))


# -- counting ----------------------------------------------------------------------------------------------------------


def _counted(log: Log, memory: Memory) -> dict[str, Any]:
    every = [r for texts in memory.texts.values() for r in texts]
    sizes = Counter(len(members) for members in memory.members.values())
    largest = sorted((c for c in memory.members if len(memory.members[c]) > 1), key=lambda c: -len(memory.members[c]))
    largest = largest[:TOP]
    kept = _kept(log, {(c, memory.texts[c][0].content_hash) for c in largest if c in memory.texts})
    titles = {article: found.title for (article, _), found in kept.items()}
    pairs: Counter[tuple[str | None, str | None]] = Counter()
    for texts in memory.texts.values():
        v = texts[0].verdict
        if v.verdict in _COPIES and v.of in memory.texts:
            pairs[texts[0].outlet, memory.texts[v.of][0].outlet] += 1
    origins = Counter(texts[-1].verdict.origin for texts in memory.texts.values())
    del origins[None]
    apart = Counter({pair: n for pair, n in pairs.items() if pair[0] != pair[1]})
    reusing = sum(1 for r in every if r.verdict.reused)
    return {
        "articles": len(memory.texts),
        "texts": len(every),
        "revised": sum(1 for texts in memory.texts.values() if len(texts) > 1),
        "verdicts": dict(Counter(r.verdict.verdict for r in every).most_common()),
        "clusters": len(memory.members),
        "clusters_of_several": sum(n for size, n in sizes.items() if size > 1),
        "sizes": {str(size): sizes[size] for size in sorted(sizes)},
        "largest": [{"cluster": c, "articles": len(memory.members[c]), "title": titles.get(c)} for c in largest],
        "merges": len(memory.alias),
        "reusing": reusing,
        "reusing_share": round(reusing / len(every), 4) if every else 0.0,
        "credited": origins.total(),
        "origins": [{"origin": o, "articles": n} for o, n in _most(origins)],
        "copies_within_an_outlet": pairs.total() - apart.total(),
        "outlets": [{"copy": a, "of": b, "articles": n} for (a, b), n in _most(apart)],
        "state_bytes": memory.size,
        "state_bytes_per_article": round(memory.size / len(memory.texts)) if memory.texts else 0,
    }


def _most(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda found: (-found[1], str(found[0])))[:TOP]


def _stats_lines(counts: dict[str, Any], memory: Memory, style: Style) -> Iterator[str]:
    texts = counts["texts"]
    yield f"{counts['articles']:,} articles, {counts['revised']:,} of them revised; {texts:,} texts judged"
    for verdict, n in counts["verdicts"].items():
        yield f"{n:>9,}  {verdict.replace('_', ' ')} ({n / texts:.1%})"
    yield f"{counts['reusing']:>9,}  texts with passages of older stories ({counts['reusing_share']:.1%})"
    several = counts["clusters_of_several"]
    yield f"{several:,} clusters of more than one article; {counts['merges']:,} became part of another"
    for low, high in _SIZES:
        n = sum(v for size, v in counts["sizes"].items() if low <= int(size) <= (high or int(size)))
        if n:
            name = f"{low}" if low == high else f"{low} to {high}" if high else f"{low} or more"
            yield f"{n:>9,}  of {name} articles"
    yield from _list("Largest clusters", (
        (row["articles"], f"{style.text(memory.short(row['cluster']))}  {_title(row['title'], style)}")
        for row in counts["largest"]
    ), style)  # fmt: skip
    yield from _list(
        f"Credited agencies ({counts['credited']:,} articles)",
        ((row["articles"], style.text(row["origin"])) for row in counts["origins"]),
        style,
    )
    yield from _list(
        f"Who copies whom (and {counts['copies_within_an_outlet']:,} copies within one outlet)",
        (
            (row["articles"], f"{_outlet(row['copy'], style)} from {_outlet(row['of'], style)}")
            for row in counts["outlets"]
        ),
        style,
    )
    size, each = counts["state_bytes"], counts["state_bytes_per_article"]
    yield f"{size_words(size)} of state, {size_words(each)} an article"


def _list(head: str, rows: Iterable[tuple[int, str]], style: Style) -> Iterator[str]:
    shown = [f"{n:>9,}  {text}" for n, text in rows]
    if shown:
        yield style.bold(head)
        yield from shown


def _title(title: str | None, style: Style) -> str:
    return style.text(title) if title else "(no title kept)"


def _outlet(outlet: str | None, style: Style) -> str:
    return style.text(outlet) if outlet else "(no outlet)"
