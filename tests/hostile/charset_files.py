"""Forty documents whose encoding is undeclared, wrongly declared or broken. The texts are invented."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

ARABIC = (
    "قال مجلس بلدة الزيتون إن أربعة أشخاص قتلوا في قصف طال السوق صباح الأحد، وإن فرق الإسعاف نقلت الجرحى إلى مستشفى "
    "المدينة، بينما استمر البحث عن ناجين تحت الأنقاض حتى المساء."
)
SHORT_ARABIC = "مقتل جنديين بانفجار لغم شرق البلدة"
FRENCH = (
    "L'armée a bombardé trois villages à l'aube ; les blessés ont été évacués vers l'hôpital régional, déjà débordé."
)
QUOTED = "The mayor said: “we didn’t see it coming” — then left for the café…"
ENGLISH = "Four people were killed when shells hit the market on Sunday morning, the town council said."
PERSIAN = "سه نفر در انفجار بمب کنار جاده در شرق شهر کشته شدند و چهار نفر دیگر زخمی شده‌اند، گفت شهردار."
PERSIAN_1256 = "سه نفر در انفجار بمب کنار جاده کشته شدند، گفت شهردار. پليس چند نفر را دستگير کرد و خيابان را بست."
KURDISH = "سێ کەس لە تەقینەوەی بۆمبێک لە ڕۆژهەڵاتی شار کوژران و چواری دیکە بریندار بوون."
TURKISH = "Şehrin doğusunda düzenlenen saldırıda üç kişi öldü, beş kişi ağır yaralandı; İçişleri soruşturma başlattı."
MOJIBAKE = "Ù…Ù‚ØªÙ„ Ø¬Ù†Ø¯ÙŠÙŠÙ†: the title that an outlet itself garbled"
SHAPED = "\ufedf\ufedf\ufef4\ufee4\ufee6 و\ufedb\ufefc\ufee1 بـ\u0640\u0640ـين الأسطر مُشَكَّل"


@dataclass(frozen=True, slots=True)
class CharsetFile:
    """name: what is wrong with it. data: the bytes. charset: what the transport says. text: what a reader must see."""

    name: str
    data: bytes
    text: str
    charset: str | None = None


def charset_files() -> Iterator[CharsetFile]:
    """Every document, each of its own name."""
    for name, text, written, declared, said in _PLAIN:
        yield CharsetFile(name, _feed(text, declared).encode(written), text, said)
    utf8 = _feed(ARABIC, "utf-8").encode()
    cut = utf8.index("الإسعاف".encode())
    spoilt = ARABIC.replace("الإسعاف", "\ufffdالإسعاف")
    yield CharsetFile("utf-8, one byte is no UTF-8", utf8[:cut] + b"\xff" + utf8[cut:], spoilt)
    yield CharsetFile(
        "utf-8, cut inside its last letter", utf8[: utf8.rindex("ء".encode()) + 1], ARABIC.removesuffix("ء.")
    )
    french = _feed(FRENCH, "utf-8").encode().replace("déjà".encode(), b"d\xe9j\xc3\xa0")
    yield CharsetFile("utf-8, one letter of windows-1252", french, FRENCH.replace("déjà", "d\ufffdjà"))
    yield CharsetFile("utf-8 with NUL bytes", utf8.replace(b" ", b" \x00"), ARABIC)
    for name, mark, codec in (
        ("utf-8 with BOM, declared windows-1256", codecs.BOM_UTF8, "utf-8"),
        ("utf-16 little with BOM", codecs.BOM_UTF16_LE, "utf-16-le"),
        ("utf-16 big with BOM, declared windows-1256", codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        yield CharsetFile(name, mark + _feed(ARABIC, "windows-1256").encode(codec), ARABIC, "windows-1256")
    page = '<html><head><meta charset="utf-8"><meta charset="windows-1256"></head><body><title>%s</title></body></html>'
    yield CharsetFile("page in windows-1256 with two metas", (page % ARABIC).encode("cp1256"), ARABIC)
    page = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1256"><title>%s</title>'
    yield CharsetFile("page in windows-1256 with http-equiv", (page % SHORT_ARABIC).encode("cp1256"), SHORT_ARABIC)
    late = "<html><head><script>" + "x" * 3_000 + '</script><meta charset="windows-1256"><title>%s</title>'
    yield CharsetFile("page whose meta comes late", (late % SHORT_ARABIC).encode("cp1256"), SHORT_ARABIC)
    mixed = _feed(ARABIC, "utf-8").encode() + _feed(ENGLISH, None).encode() + b"<!-- caf\xe9 -->"
    yield CharsetFile("utf-8 with a Western comment behind it", mixed, ARABIC)
    stray = _feed(ARABIC, "utf-8").encode().replace(b"<channel>", b"<channel><!-- \xc7\xe1\xda\xd1\xc8\xed\xc9 -->")
    yield CharsetFile("utf-8 with a windows-1256 comment before it", stray, ARABIC)


def _feed(text: str, declared: str | None) -> str:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    return (
        f'{head}<rss version="2.0"><channel><link>https://example.net/</link><item><title>{text}</title>'
        "<link>https://example.net/news/7</link><guid>7</guid></item></channel></rss>"
    )


#: What is wrong, the text, the encoding it is written in, the one that it declares, the one that the transport states.
_PLAIN = (
    ("utf-8, nothing said", ARABIC, "utf-8", None, None),
    ("utf-8, declared", ARABIC, "utf-8", "utf-8", None),
    ("utf-8, declared iso-8859-1", ARABIC, "utf-8", "iso-8859-1", None),
    ("utf-8, declared windows-1256", ARABIC, "utf-8", "windows-1256", None),
    ("utf-8, the transport says iso-8859-1", ARABIC, "utf-8", None, "iso-8859-1"),
    ("utf-8, the transport says windows-1256", ARABIC, "utf-8", "utf-8", "windows-1256"),
    ("utf-8, declared utf-16", ARABIC, "utf-8", "utf-16", None),
    ("utf-8, declared nonsense", ARABIC, "utf-8", "arabic-standard", None),
    ("windows-1256, declared", ARABIC, "cp1256", "windows-1256", None),
    ("windows-1256, declared by another label", ARABIC, "cp1256", "x-cp1256", None),
    ("windows-1256, nothing said", ARABIC, "cp1256", None, None),
    ("windows-1256, nothing said, one headline", SHORT_ARABIC, "cp1256", None, None),
    ("windows-1256, declared utf-8", ARABIC, "cp1256", "utf-8", None),
    ("windows-1256, declared utf-8, one headline", SHORT_ARABIC, "cp1256", "utf-8", None),
    ("windows-1256, declared iso-8859-1", ARABIC, "cp1256", "iso-8859-1", None),
    ("windows-1256, declared iso-8859-6", ARABIC, "cp1256", "iso-8859-6", None),
    ("windows-1256, declared utf-16", ARABIC, "cp1256", "utf-16", None),
    ("windows-1256, the transport says so", ARABIC, "cp1256", None, "windows-1256"),
    ("windows-1256, the transport says utf-8", ARABIC, "cp1256", None, "utf-8"),
    ("windows-1256, transport and declaration part", ARABIC, "cp1256", "windows-1256", "utf-8"),
    ("iso-8859-6, declared", ARABIC, "iso8859-6", "iso-8859-6", None),
    ("iso-8859-6, nothing said", ARABIC, "iso8859-6", None, None),
    ("iso-8859-6, declared windows-1256", ARABIC, "iso8859-6", "windows-1256", None),
    ("utf-16 little without BOM, declared", ARABIC, "utf-16-le", "utf-16", None),
    ("utf-16 big without BOM, declared", ARABIC, "utf-16-be", "utf-16", None),
    ("utf-16 little without BOM, nothing said", ARABIC, "utf-16-le", None, None),
    ("utf-16 big without BOM, declared utf-8", ARABIC, "utf-16-be", "utf-8", None),
    ("French in windows-1252, nothing said", FRENCH, "cp1252", None, None),
    ("French in windows-1252, declared iso-8859-1", FRENCH, "cp1252", "iso-8859-1", None),
    ("French in windows-1252, declared utf-8", FRENCH, "cp1252", "utf-8", None),
    ("French in utf-8, declared iso-8859-1", FRENCH, "utf-8", "iso-8859-1", None),
    ("English with quotes of windows-1252, nothing said", QUOTED, "cp1252", None, None),
    ("English with quotes of windows-1252, declared iso-8859-1", QUOTED, "cp1252", "iso-8859-1", None),
    ("English, declared utf-16", ENGLISH, "ascii", "utf-16", None),
    ("Persian in utf-8, nothing said", PERSIAN, "utf-8", None, None),
    ("Persian in windows-1256, declared", PERSIAN_1256, "cp1256", "windows-1256", None),
    ("Persian in windows-1256, nothing said", PERSIAN_1256, "cp1256", None, None),
    ("Sorani in utf-8, declared windows-1256", KURDISH, "utf-8", "windows-1256", None),
    ("Turkish in windows-1254, declared iso-8859-9", TURKISH, "cp1254", "iso-8859-9", None),
    ("Turkish in windows-1254, nothing said", TURKISH, "cp1254", None, None),
    ("Turkish in windows-1254, declared iso-8859-1", TURKISH, "cp1254", "iso-8859-1", None),
    ("Turkish in utf-8, the transport says iso-8859-9", TURKISH, "utf-8", None, "iso-8859-9"),
    ("mojibake of the outlet's own making", MOJIBAKE, "utf-8", "utf-8", None),
    ("presentation forms, tatweel and marks", SHAPED, "utf-8", "utf-8", None),
)
