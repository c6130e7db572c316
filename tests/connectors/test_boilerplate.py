# ruff: noqa: E501 - sentences read better unbroken
"""Wordings that outlets use, and sentences of reports that must not be taken for them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.boilerplate import _FOLDED, OPENERS, Boilerplate, boilerplate, fold, is_no_name, is_no_title
from connectors.markup import single_spaced

PAYWALL = (
    "هذا المحتوى للمشتركين فقط", "هذه المادة حصرية للمشتركين", "المقال كاملاً متاح للمشتركين", "سجّل مجاناً لمتابعة القراءة",
    "للقراءة الكاملة يرجى الاشتراك", "اشترك للوصول إلى المحتوى الكامل", "هذا المقال متاح حصرياً للمشتركين", "محتوى مدفوع",
    "لقراءة المقال كاملاً اشترك الآن", "لإكمال القراءة سجل الدخول", "لقد استنفدت عدد المقالات المجانية المسموح بها",
    "اشترك لقراءة بقية المقال", "أنت بحاجة إلى اشتراك لقراءة هذا المقال", "بقية المقال للمشتركين", "يتطلب هذا المقال اشتراكاً",
    "This article is for subscribers only", "Subscribe to continue reading", "Subscribe now to read the full article",
    "This is premium content", "Register for free to keep reading", "Continue reading your article with a subscription",
    "Become a member to read this story", "You have reached your limit of free articles", "Members only",
    "You've read all of your free articles this month", "To read the full story, subscribe", "This content is for members only",
    "Want to read more? Subscribe for unlimited access", "Unlock this article", "Log in or subscribe to keep reading",
    "This story is available exclusively to Business subscribers", "To continue reading, please sign in",
    "The rest of this article is only available to subscribers", "Sign up to read the rest", "Exclusive to subscribers",
    "Already a subscriber? Log in to continue reading", "Subscribers only", "Subscribe to unlock this story",
    "Create a free account to read this article", "Start your free trial to continue reading",
    "Cet article est réservé aux abonnés", "Il vous reste 85 % de cet article à lire. La suite est réservée aux abonnés.",
    "Abonnez-vous pour lire la suite", "Contenu réservé à nos abonnés", "Pour lire la suite, connectez-vous",
)  # fmt: skip
LOST = (
    "عذراً، الصفحة التي تبحث عنها غير موجودة", "عفواً.. الصفحة المطلوبة غير متوفرة", "الخبر المطلوب غير موجود", "خطأ 404",
    "لم يتم العثور على الصفحة", "لم نتمكن من العثور على الصفحة المطلوبة", "المحتوى الذي تبحث عنه لم يعد متاحاً", "404",
    "لا توجد نتائج مطابقة", "تم حذف هذا المقال", "الرابط الذي اتبعته قد يكون معطلاً أو تم نقل الصفحة",
    "Page not found", "Oops! That page can't be found.", "Sorry, this page doesn't exist", "404 Not Found", "Error 404",
    "The requested URL was not found on this server.", "410 Gone", "This article is no longer available",
    "The page you are looking for may have been moved or deleted.", "We couldn't find the page you were looking for",
    "It looks like nothing was found at this location.", "This content has been removed", "Article not found",
    "The page you requested could not be found", "This story has been deleted",
    "Page introuvable", "La page que vous recherchez n’existe pas ou a été déplacée.", "Erreur 404", "Aucun résultat",
)  # fmt: skip
GATE = (
    "هل نسيت كلمة المرور؟", "يرجى تسجيل الدخول", "جارٍ التحقق من أنك لست روبوتاً", "تم حظر الوصول", "الموقع تحت الصيانة",
    "هذا المحتوى غير متاح في بلدك", "نحن وشركاؤنا نخزن المعلومات على جهازك", "أنشئ حساباً جديداً", "سنعود قريباً",
    "Forgot your password?", "Please log in", "Verifying you are human. This may take a few seconds.", "Access Denied",
    "Checking your browser before accessing the site", "This video is not available in your country", "Just a moment...",
    "We and our partners store and/or access information on a device", "503 Service Unavailable", "Too many requests",
    "The site is down for maintenance", "Under maintenance", "Please complete the security check to access the site",
    "You don't have permission to access this resource.", "Sorry, you have been blocked", "We value your privacy",
    "Mot de passe oublié ?", "Veuillez vous connecter pour continuer", "Nous et nos 842 partenaires stockons vos données",
    "Site en maintenance", "Vérifiez que vous n'êtes pas un robot", "Accès refusé", "Redirecting...",
    "Fatal error: Uncaught Error: Call to undefined function", "If you are not redirected automatically, follow this link",
)  # fmt: skip
SCRIPT = (
    "يرجى تفعيل جافا سكريبت في متصفحك", "يتطلب هذا الموقع تفعيل JavaScript", "متصفحك لا يدعم جافاسكريبت",
    "Please enable JavaScript to view this page", "You need to enable JavaScript to run this app.",
    "JavaScript is disabled in your browser", "This site requires JavaScript", "Your browser is not supported",
    "Veuillez activer JavaScript", "Ce site nécessite JavaScript",
)  # fmt: skip
LINES = (
    "عدد المشاهدات: 1,234", "1,234 مشاهدة", "تابعونا على فيسبوك وتويتر", "تابعوا آخر أخبارنا عبر Google News", "شارك المقال",
    "اشترك في نشرتنا البريدية", "جميع الحقوق محفوظة © 2024 وكالة المثال", "حمل تطبيق الأخبار الآن", "تصوير: رامي الحسن",
    "نستخدم ملفات تعريف الارتباط لتحسين تجربتك", "كلمات مفتاحية", "الوسوم: سوريا، درعا", "مدة القراءة 3 دقائق", "إعلان",
    "انضموا إلى قناتنا على تلغرام", "نسخ الرابط", "لا توجد تعليقات", "استمع إلى المقال", "آخر تحديث: 10 مارس 2024",
    "الأحد 10 آذار 2024 - 09:30", "صورة: الأناضول", "اضغط هنا للاشتراك في قناتنا على واتساب",
    "للاشتراك في خدمة الأخبار عبر واتساب اضغط هنا", "رابط مختصر: https://e.example/7", "فيسبوك تويتر واتساب",
    "1,234 views", "Follow us on Facebook and Twitter", "Share this article", "Sign up for our newsletter", "Advertisement",
    "© 2024 Example Wire. All rights reserved.", "Download our app", "Photo: Rami Hassan/AFP", "Tags: Syria, Daraa",
    "We use cookies to improve your experience", "3 min read", "Listen to this article", "Leave a comment", "Copy link",
    "Last updated: 10 March 2024", "Getty Images", "Subscribe to our newsletter", "Get the latest news in your inbox",
    "Join our WhatsApp channel", "Story continues below advertisement", "Click here to join our Telegram channel",
    "Share on Facebook", "Facebook Twitter WhatsApp", "Image source: Reuters", "Sunday 10 March 2024 09:30",
    "Partager sur Facebook", "Publié le 14/05/2024 à 10:22", "Temps de lecture : 3 min", "Tous droits réservés", "Publicité",
    "Abonnez-vous à notre newsletter", "Suivez-nous sur WhatsApp", "Laisser un commentaire", "Mots-clés : Mali, Gao",
    "Mis à jour le 1er mai 2024", "La suite après cette publicité", "Crédit photo : AFP",
)  # fmt: skip
PROSE = (
    "المصدر: رويترز", "(رويترز)", "أ ف ب", "Reuters", "Source: AFP",  # credits tell whose text it is
    "قال شاهد عيان إن القصف استمر ساعتين.", "شاهد الأهالي طائرات في سماء البلدة مساء أمس.", "اشترك في الهجوم عشرون مسلحاً.",
    "تابعونا حتى الحدود ثم أطلقوا النار، قال أحد الناجين.", "المزيد من القوات وصل إلى البلدة.", "سجل المستشفى 12 إصابة.",
    "أعلنت الوزارة أن الخدمة متاحة للمشتركين في الشبكة الحكومية.", "لم يتم العثور على ناجين تحت الأنقاض.", "للمزيد من الحذر أغلقت المدارس.",
    "جميع الحقوق المدنية للسكان يجب أن تحترم، قال المبعوث.", "الموقع العسكري تعرض لقصف فجر اليوم.", "تم حذف اسمه من القائمة.",
    "صورة الوضع في المدينة قاتمة، بحسب الأمم المتحدة.", "المصدر أكد أن الاشتباكات توقفت.", "نشر في المدينة ألف جندي منذ 10 آذار 2024 لحمايتها.",
    "كتب على صفحته أن الصفحة طويت.", "حمل مسلحون السلاح في وجه القوات.", "إعلان الهدنة جاء متأخراً.", "شارك في الاجتماع قادة الفصائل.",
    "Watch towers around the camp were manned again.", "More than 40 people were wounded.", "Share prices fell in Cairo.",
    "Subscribers to the state network lost their connection.", "No survivors were found under the rubble.", "Top officials met in Doha.",
    "The army said its forces would be back soon in the town.", "Photographs of the attack were shared by residents.",
    "Access to the town was denied to aid workers.", "The store was looted by members of the militia only hours later.",
    "He was not found at his home, the family said.", "Follow-up strikes hit the same street.", "Read out in court, the verdict took hours.",
    "Members of the council said the road had been removed from the map.", "Join forces, the envoy urged the two sides.",
    "L'accès à la ville reste interdit aux organisations humanitaires.", "Publié en 2020, son rapport accusait l'armée.",
    "Le corps d'un soldat introuvable depuis lundi a été découvert.", "Partagé entre deux camps, le pays attend.",
    "Les soldats réservés aux opérations de nuit ont été déployés.", "La page de la guerre n'est pas tournée, dit-il.",
    "The detainees were redirected to another prison.", "Le service de santé de Gao manque de tout.",
)  # fmt: skip


def noise(words: Boilerplate, line: str) -> bool:
    return bool(words.lines.fullmatch(fold(line).strip(OPENERS)))


@pytest.mark.parametrize("line", PAYWALL)
def test_what_only_subscribers_may_read_says_so(line: str) -> None:
    assert boilerplate().paywall.search(fold(line))


@pytest.mark.parametrize("line", LOST)
def test_a_lost_page_says_so(line: str) -> None:
    assert boilerplate().lost.search(fold(line))


@pytest.mark.parametrize("line", GATE)
def test_a_gate_says_what_it_wants(line: str) -> None:
    assert boilerplate().gate.search(fold(line))


@pytest.mark.parametrize("line", SCRIPT)
def test_a_page_that_wants_javascript_says_so(line: str) -> None:
    assert boilerplate().script.search(fold(line))


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_says_nothing_goes(line: str) -> None:
    assert noise(boilerplate(), line)


@pytest.mark.parametrize("line", PROSE)
def test_a_sentence_of_a_report_is_none_of_these(line: str) -> None:
    words, folded = boilerplate(), fold(line)
    assert not noise(words, line)
    found = [p for p in (words.paywall, words.lost, words.gate, words.script, words.gallery) if p.search(folded)]
    assert found == []
    label = words.related.match(folded)
    assert not label or folded[label.end()] not in ":：|-–—"


@pytest.mark.parametrize(
    "label", ["À lire aussi : x", "Lire également | x", "إقرئي أيضاً: x", "İlgili haber: x", "بیشتر بخوانید: x"]
)
def test_labels_of_other_texts_are_known_in_other_languages(label: str) -> None:
    assert boilerplate().related.match(fold(label))


def test_nobody_and_nothing_are_told_from_names_and_headlines() -> None:
    assert is_no_title(None)
    assert is_no_title("الرئيسية")
    assert is_no_title("Example Wire", "Example Wire")
    assert not is_no_title("أخبار سيئة من الجنوب", "وكالة المثال")
    assert is_no_name("Admin")
    assert is_no_name("وكالة المثال", "وكالة المثال")
    assert not is_no_name("سلمى الخطيب", "وكالة المثال")


@given(st.text(alphabet="أإآٱىةـًّ اليم Ee\u00a0\n\u1c1f\x1fß"))
def test_folding_and_spacing_are_what_a_table_and_an_expression_would_make(words: str) -> None:
    assert fold(words) == " ".join(words.translate(_FOLDED).casefold().split())
    assert single_spaced(words) == re.sub(r"\s+", " ", words)
