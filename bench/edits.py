"""Edits that newsrooms and syndicators make of a text, by program: for measuring what deduplication recognises.

Every edit takes a text (title, body) and a random source and gives another text; `EDITS` names them. What they make of
an article is still the same story. `BULLETINS` are templates of daily reports, which are not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Text(NamedTuple):
    title: str
    body: str


Edit = Callable[[Text, random.Random], Text]

_NUMBER = re.compile(r"(?<!\w)\d{1,4}(?!\w)")
_SENTENCE = re.compile(r"(?<=[.!؟?\n])\s+")
_EASTERN = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
HEADLINES = (
    "تطورات ميدانية متسارعة وهذه أبرز التفاصيل",
    "ماذا نعرف حتى الآن عما جرى؟",
    "عاجل.. آخر المستجدات كما وردت",
)
FOOTERS = (
    "جميع الحقوق محفوظة. لمتابعة آخر الأخبار اشترك في نشرتنا البريدية أو تابع حساباتنا على مواقع التواصل الاجتماعي.",
    "اقرأ أيضا: كل ما تحتاج معرفته عن المشهد اليوم. شارك الخبر مع أصدقائك، وأرسل ملاحظاتك إلى هيئة التحرير.",
    "حمل تطبيقنا على هاتفك لتصلك التنبيهات فور وقوع الحدث، ولا تنس تقييم الخدمة في المتجر.",
)
CREDITS = (
    ("دمشق (أ ف ب) - ", ""),
    ("بيروت - رويترز: ", ""),
    ("", "\nالمصدر: وكالات"),
    ("", "\n(د ب أ)"),
    ("عمان – أسوشيتد برس – ", ""),
)
#: words that a rewriter puts in the place of others
FILLERS = (
    "كما",
    "أيضا",
    "حيث",
    "بينما",
    "غير",
    "ثم",
    "لاحقا",
    "فعلا",
    "تقريبا",
    "صباحا",
    "مساء",
    "جانب",
    "وفد",
    "لقاء",
    "ملف",
    "خطوة",
    "موقف",
    "بيان",
    "قرار",
    "مصدر",
    "جهة",
    "مرحلة",
    "إطار",
    "ضمن",
    "نحو",
    "عبر",
    "لدى",
    "رغم",
    "سياق",
    "متابعة",
    "جديد",
    "سابق",
    "بارز",
    "عام",
    "خاص",
    "محلي",
    "رسمي",
    "واسع",
    "مهم",
)


def paragraphs(body: str) -> list[str]:
    """A body's paragraphs, or its sentences where it has but one."""
    parts = [p for p in body.split("\n") if p.strip()]
    return parts if len(parts) > 2 else [s for s in _SENTENCE.split(body) if s.strip()]


def headline_swap(text: Text, rng: random.Random) -> Text:
    return Text(rng.choice(HEADLINES), text.body)


def paragraph_dropped(text: Text, rng: random.Random) -> Text:
    parts = paragraphs(text.body)
    if len(parts) > 2:
        del parts[rng.randrange(len(parts))]
    return Text(text.title, "\n".join(parts))


def boilerplate_added(text: Text, rng: random.Random) -> Text:
    return Text(text.title, text.body + "\n" + "\n".join(rng.sample(FOOTERS, 2)))


def recredited(text: Text, rng: random.Random) -> Text:
    head, foot = rng.choice(CREDITS)
    return Text(text.title, head + text.body + foot)


def trimmed(share: float) -> Edit:
    def edit(text: Text, rng: random.Random) -> Text:
        words = list(re.finditer(r"\S+", text.body))
        return Text(rng.choice(HEADLINES), text.body[: words[max(0, int(len(words) * share) - 1)].end()])

    return edit


def reworded(share: float) -> Edit:
    def edit(text: Text, rng: random.Random) -> Text:
        words = re.split(r"(\s+)", text.body)
        places = [i for i in range(0, len(words), 2) if words[i]]
        for i in rng.sample(places, round(len(places) * share)):
            words[i] = rng.choice((rng.choice(FILLERS), rng.choice(FILLERS), ""))
        return Text(text.title, "".join(words))

    return edit


def number_updated(text: Text, rng: random.Random) -> Text:
    """One number, wherever it stands, made a little larger."""
    found = sorted(set(_NUMBER.findall(text.body)))
    if not found:
        return text
    old = rng.choice(found)
    new = str(int(old) + rng.randint(1, 9))
    swap = re.compile(rf"(?<!\w){old}(?!\w)")
    return Text(swap.sub(new, text.title), swap.sub(new, text.body))


def digits_translated(text: Text, rng: random.Random) -> Text:
    return Text(text.title.translate(_EASTERN), text.body.translate(_EASTERN))


def respelled(text: Text, rng: random.Random) -> Text:
    """As sloppy keyboards write: no hamza, ha for ta marbuta, ya for alif maqsura, other quotation marks."""
    table = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ة": "ه", "ى": "ي", "«": '"', "»": '"'})
    return Text(text.title.translate(table), text.body.translate(table))


EDITS: Mapping[str, Edit] = {
    "headline swap": headline_swap,
    "paragraph dropped": paragraph_dropped,
    "boilerplate added": boilerplate_added,
    "agency recredit": recredited,
    "trim to 70%": trimmed(0.7),
    "trim to 50%": trimmed(0.5),
    "trim to 30%": trimmed(0.3),
    "5% of words changed": reworded(0.05),
    "15% of words changed": reworded(0.15),
    "number updated": number_updated,
    "translated digits": digits_translated,
    "other spelling": respelled,
}


def merged(text: Text, other: Text, rng: random.Random) -> Text:
    """A text with another story before or behind it."""
    first, second = (text, other) if rng.random() < 0.5 else (other, text)
    return Text(first.title, first.body + "\n" + second.body)


#: {n1}, {n2}...: numbers; {town1}...: places; {day}: weekday; {date}: day and month
BULLETINS: Sequence[Text] = (
    Text(
        "الحصيلة اليومية: {n1} قتلى و{n2} جريحا",
        "أعلنت مديرية الصحة في نشرتها اليومية، {day}، أن مستشفيات المحافظة استقبلت خلال الساعات الأربع "
        "والعشرين الماضية {n1} قتلى و{n2} جريحا جراء القصف على {town1} و{town2}. وأوضحت المديرية أن بين "
        "القتلى {n3} أطفال وأن {n4} من الجرحى في حال حرجة، ودعت المنظمات الدولية إلى توفير الأدوية والوقود "
        "لتشغيل مولدات الكهرباء. وذكرت أن عدد من سجلتهم منذ بداية العام بلغ {n5} قتيلا، وأن فرقها تواصل عملها"
        " رغم نقص الكوادر وصعوبة الوصول إلى المصابين.",
    ),
    Text(
        "خروقات الهدنة في {date}",
        "قال مركز مراقبة وقف إطلاق النار في نشرته ليوم {day} {date} إنه سجل {n1} خرقا خلال اليوم الماضي، منها"
        " {n2} في ريف {town1} و{n3} في محيط {town2}. وأضاف المركز أن الطرف الآخر أحصى {n4} خرقا في الفترة "
        "نفسها، وأن نظام الهدنة ما زال قائما في معظم المناطق. ووزعت {n5} طنا من المساعدات على السكان، وعاد "
        "عدد من النازحين إلى قراهم بعد أن أنهت فرق الهندسة إزالة الألغام من الطرق الرئيسية والأراضي الزراعية "
        "المحيطة بها.",
    ),
    Text(
        "الشرطة: ضبط {n1} مطلوبا في حملة أمنية",
        "أعلنت قيادة الشرطة في بيان، {day}، أن قوة من الأفواج نفذت حملة تفتيش في {town1} أسفرت عن القبض على "
        "{n1} مطلوبا وضبط {n2} قطعة سلاح و{n3} كيلوغراما من المواد المتفجرة. وبحسب البيان شملت الحملة أحياء "
        "{town2} وجرت بإشراف قائد الشرطة وبإسناد من الاستخبارات. وأشار إلى أن القوات أبطلت {n4} عبوات ناسفة "
        "من مخلفات المعارك، وأن المقبوض عليهم أحيلوا إلى الجهات القضائية المختصة لاستكمال الإجراءات القانونية"
        " بحقهم.",
    ),
    Text(
        "الكوليرا: {n1} إصابة جديدة",
        "سجلت السلطات الصحية {n1} إصابة جديدة بالكوليرا و{n2} وفيات في {date}، بحسب التقرير اليومي لغرفة "
        "الطوارئ. وقالت الغرفة إن أغلب الإصابات وقعت في {town1} تليها {town2}، وإن مراكز العزل تستقبل {n3} "
        "مريضا. وأكدت أن حملة التلقيح شملت {n4} شخصا حتى الآن وأن مياه الشرب الملوثة سبب انتشار المرض، وناشدت"
        " السكان غلي المياه وغسل الخضار جيدا قبل تناولها ومراجعة أقرب مركز صحي عند ظهور الأعراض.",
    ),
    Text(
        "غارات التحالف: {n1} ضربة على مواقع التنظيم",
        "نفذت طائرات التحالف الدولي {n1} ضربة جوية على مواقع التنظيم يوم {day}، وفق بيان لقيادة العمليات "
        "المشتركة. وجاء في البيان أن {n2} ضربة أصابت أهدافا قرب {town1} ودمرت {n3} مواقع قتالية ومركبتين، "
        "فيما أصابت {n4} ضربات أهدافا قرب {town2} ودمرت مستودعا للأسلحة ونفقا. وتقول القيادة إن الضربات تجري "
        "في إطار الحملة الرامية إلى القضاء على التنظيم وحرمانه من الملاذات الآمنة، وإنها تتحقق من كل تقرير عن"
        " سقوط ضحايا بين المدنيين.",
    ),
    Text(
        "Daily update: {n1} killed, {n2} wounded",
        "The regional health directorate said on {day} that hospitals had received {n1} dead and {n2} wounded"
        " over the past 24 hours after shelling of {town1} and {town2}. The directorate said {n3} of the dead"
        " were children and {n4} of the wounded were in critical condition, and called on aid groups to "
        "supply fuel and medicine. It has recorded {n5} deaths since the beginning of the year, it said, "
        "adding that its teams keep working despite shortages of staff and the difficulty of reaching the "
        "injured in districts close to the front line.",
    ),
)
TOWNS = (
    "درعا",
    "إدلب",
    "منبج",
    "سرت",
    "الحديدة",
    "تعز",
    "مأرب",
    "الفلوجة",
    "كركوك",
    "بعقوبة",
    "خانيونس",
    "رفح",
    "العريش",
    "كسلا",
    "نيالا",
    "الفاشر",
    "مقديشو",
    "كيسمايو",
    "قندهار",
    "جلال_آباد",
    "حماة",
    "الرستن",
    "سامراء",
    "الرمادي",
    "صعدة",
    "عدن",
    "بنغازي",
    "درنة",
    "الزاوية",
    "جنين",
)
DAYS = ("الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد")
MONTHS = ("يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "سبتمبر", "أكتوبر", "نوفمبر")


def bulletin(template: Text, day: int, rng: random.Random) -> Text:
    """One issue of a daily bulletin; `day` counts from some Monday."""
    one, two = rng.sample(TOWNS, 2)
    words = {f"n{k}": str(rng.randint(2, 19) if k in (1, 3) else rng.randint(20, 400)) for k in range(1, 6)}
    words |= {"town1": one.replace("_", " "), "town2": two.replace("_", " "), "day": DAYS[day % 7]}
    words["date"] = f"{day % 28 + 1} {MONTHS[day // 28 % 10]}"
    return Text(template.title.format_map(words), template.body.format_map(words))
