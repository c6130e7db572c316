from __future__ import annotations

import socket

import pytest

from connectors.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("قالت مصادر في البلدة إن ثلاثة رجال قتلوا برصاص مجهولين قرب المدرسة", "ar"),
        ("قُتِلَ ثَلاثَةُ رِجالٍ في القَصْفِ على البَلْدَةِ", "ar"),
        ("تلاتة ناس اتصابوا امبارح في الضرب اللي حصل جنب المحطة", "ar"),
        ("قتل ثلاثة من عناصر \"Free Army\" قرب المعبر الحدودي صباح اليوم", "ar"),
        ("سه نفر در پی انفجار بمب در نزدیکی مدرسه کشته شدند", "fa"),
        ("اسکول کے قریب دھماکے میں تین افراد ہلاک ہو گئے ہیں", "ur"),
        ("سێ کەس لە تەقینەوەیەک لە نزیک قوتابخانەکە کوژران", "ckb"),
        ("Three men were shot dead near the school, residents of the town said", "en"),
        ("THREE MEN WERE SHOT DEAD NEAR THE SCHOOL", "en"),
        ("Trois hommes ont été abattus près de l'école, selon des habitants", "fr"),
        ("Okulun yakınında üç kişi silahlı saldırıda öldürüldü", "tr"),
        ("Трое мужчин были застрелены возле школы", "ru"),
        ("\n\n  Three men were\nshot dead\r\nnear the school\n", "en"),
    ],
)  # fmt: skip
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "   \n", "2024-03-10 12:30", "?!…", "ok", "\ud800", "🙂" * 50])
def test_what_says_too_little_has_no_language(text: str) -> None:
    assert language_of(text) is None


def test_a_lone_surrogate_does_not_hide_the_language() -> None:
    assert language_of("\ud800 Three men were shot dead near the school") == "en"


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert language_of("Three men were shot dead near the school " * 100) == "en"
