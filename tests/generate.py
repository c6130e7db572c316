"""Articles by the thousand for fault, poison and speed tests: invented, seeded, in the genre of the real ones."""

from __future__ import annotations

import base64
import datetime as dt
import json
import random
from collections.abc import Iterator
from typing import Any

PLACES = (
    "الرقة",
    "تعز",
    "كركوك",
    "مأرب",
    "إدلب",
    "درنة",
    "الفلوجة",
    "خان يونس",
    "صعدة",
    "دير الزور",
    "مقديشو",
    "العريش",
)
SIDES = ("قوات النظام", "تنظيم داعش", "الحوثيين", "قوات سوريا الديمقراطية", "الجيش العراقي", "حركة الشباب")
SPEAKERS = ("مصدر أمني", "المرصد المحلي", "مسؤول صحي", "شهود عيان", "متحدث عسكري", "وكالة محلية")
PEOPLE = ("مدنيين", "عناصر من {side}", "مسلحين من {side}", "أشخاص بينهم امرأة", "جنود من {side}")
LEADS = (
    "قتل {n} {people} في قصف استهدف أطراف {place} {day}، بحسب ما أفاد {speaker}.",
    "أفاد {speaker} بمقتل {n} {people} وإصابة {m} آخرين جراء انفجار عبوة ناسفة قرب {place} {day}.",
    "اندلعت اشتباكات بين {side} و{other} في محيط {place} {day}، ما أسفر عن مقتل {n} {people}.",
    "شنت طائرات حربية غارات على مواقع {side} جنوب {place} {day}، وقال {speaker} إنها أوقعت {n} قتلى.",
)
MORE = (
    "وذكر {speaker} أن {m} جرحى نقلوا إلى مستشفى {place}، وأن بعض الإصابات بالغة.",
    "وبذلك ارتفعت حصيلة القتلى منذ مطلع الشهر إلى {total} شخصا في عموم المحافظة.",
    "ولم يصدر عن {side} أي توضيح حول ما جرى حتى لحظة كتابة التقرير رقم {serial}.",
    "ونفى {other} أن تكون قواته قد شاركت في العملية التي شهدتها {place}.",
    "وتقع {place} على طريق إمداد تتنازع عليه الأطراف المتحاربة منذ أشهر طويلة.",
)
QUIET = (
    "افتتح في {place} معرض للكتاب يضم {total} عنوانا ويستمر أسبوعا كاملا وفق منظميه.",
    "فاز فريق {place} في مباراة الذهاب بهدفين وينتظر لقاء الإياب بعد {m} أيام.",
    "سجلت أسعار الخضار في أسواق {place} انخفاضا بلغ {m} في المئة قياسا بالأسبوع الماضي.",
)
DAYS = ("أمس الأحد", "فجر اليوم", "مساء أمس", "ليل الخميس", "صباح اليوم الاثنين")
BEGIN = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)


def rows(n: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`n` archive rows: one in twelve repeats an earlier text elsewhere, one in twenty revises a page."""
    chance = random.Random(seed)
    kept: list[dict[str, Any]] = []
    for i in range(n):
        kind = chance.random()
        if kept and kind < 0.08:
            row = {**chance.choice(kept), "url": f"https://copy.example.net/{i}", "outlet": "copy"}
        elif kept and kind < 0.13:
            old = chance.choice(kept)
            row = {**old, "body": f"{old['body']}\n\nتحديث {i}: عدلت الأرقام الواردة في الخبر."}
        else:
            row = _row(i, chance)
            kept.append(row)
        yield {**row, "id": f"g{i}", "published": (BEGIN + dt.timedelta(minutes=7 * i)).isoformat()}


def _row(i: int, chance: random.Random) -> dict[str, Any]:
    side, other = chance.sample(SIDES, 2)
    words = {
        "n": chance.randint(2, 60),
        "m": chance.randint(3, 90),
        "total": chance.randint(100, 999),
        "place": chance.choice(PLACES),
        "side": side,
        "other": other,
        "speaker": chance.choice(SPEAKERS),
        "day": chance.choice(DAYS),
        "serial": i,
    }
    words["people"] = chance.choice(PEOPLE).format(**words)
    leads = QUIET if chance.random() < 0.3 else LEADS
    body = [chance.choice(leads), *chance.sample(MORE, chance.randint(1, 4))]
    return {
        "url": f"https://wire.example.org/{BEGIN:%Y}/{i}",
        "outlet": "wire",
        "language": "ar",
        "title": f"{words['place']}: تقرير رقم {i}",
        "body": "\n\n".join(p.format(**words) for p in body),
    }


def lines(n: int, seed: int = 0) -> Iterator[bytes]:
    for row in rows(n, seed):
        yield json.dumps(row, ensure_ascii=False).encode()


def _with(row: dict[str, Any], **changed: Any) -> bytes:
    return json.dumps({**row, **changed}, ensure_ascii=False).encode()


def poison(i: int, huge: int = 8_100_000) -> bytes:
    """The i-th bad archive line: broken JSON, wrong types, wrong schema, NUL, lone surrogates, bad bytes, no text."""
    row = _row(i, random.Random(i))
    kinds = (
        lambda: _with(row)[: 40 + i % 50],
        lambda: _with(row, title=i),
        lambda: _with(row, body=["a", "list"]),
        lambda: _with(row, body=f"نص {i} \x00 مقطوع"),
        lambda: _with(row).replace(b"\n", b"")[:-1] + b"\x00}",
        lambda: _with(row, body="LONE").replace(b"LONE", b"\\ud800 half"),
        lambda: _with(row).replace("تقرير".encode(), b"\xff\xfe"),
        lambda: _with(row, schema="rasd.article/9"),
        lambda: b"[" * 5000,
        lambda: _with(row, title=None, body="   "),
        lambda: base64.b64encode(bytes([i % 256]) * 99),
        lambda: _with(row, body="كلمة " * (huge // 9)) if i % 100 == 11 else _with(row, url={"a": 1}),
    )
    return kinds[i % len(kinds)]()
