import pytest

from proxy.target import GRAMMAR, LANGUAGES, LONGEST_PHRASE, NUMBERED, SPOKEN, Target


@pytest.mark.parametrize(
    ("text", "kind", "argument"),
    [
        ("user/1000", "user", "1000"),
        ("group/700", "group", "700"),
        ("queue/200", "queue", "200"),
        ("ivr/10", "ivr", "10"),
        ("external/05321234567", "external", "05321234567"),
        ("external/+905321234567", "external", "+905321234567"),
        ("external/112", "external", "112"),
        ("voicemail/1000", "voicemail", "1000"),
        ("announcement/456", "announcement", "456"),
        ("fax", "fax", ""),
        ("fax/isim@firmaadi.com.tr", "fax", "isim@firmaadi.com.tr"),
        ("hangup/hangup", "hangup", "hangup"),
        ("hangup/busy", "hangup", "busy"),
        ("tts/tr-TR/Bu bir test cümlesidir", "tts", "tr-TR/Bu bir test cümlesidir"),
        ("tts/en-US/Either / or", "tts", "en-US/Either / or"),
        ("tts/ar-XA/مرحبا", "tts", "ar-XA/مرحبا"),
        (f"tts/tr-TR/{'a' * LONGEST_PHRASE}", "tts", f"tr-TR/{'a' * LONGEST_PHRASE}"),
        ("queue/1", "queue", "1"),
        ("queue/000001", "queue", "000001"),
    ],
)
def test_every_target_of_the_switch_is_read_and_written_back(text: str, kind: str, argument: str) -> None:
    target = Target.parse(text)
    assert (target.kind, target.argument) == (kind, argument)
    assert str(target) == text
    assert target == Target(kind, argument)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "queue",
        "queue/",
        "queue/abc",
        "queue/1234567",
        "queue/٢٠١",
        "queue/２０１",
        "queue/201\n",
        "queue/ 201",
        "queue/-1",
        "queue/20 1",
        "queue/201/202",
        "queue//201",
        "Queue/201",
        " queue/201",
        "external/",
        "external/12",
        "external/1234567890123456",
        "external/0532 123 45 67",
        "external/abc",
        "external/05321234567\n",
        "fax/",
        "fax/nobody",
        "fax/a@b",
        "fax/a@b.c\nqueue/1",
        "fax/a b@example.com",
        "hangup",
        "hangup/now",
        "sip/1000",
        "queue/{tier}",
    ],
)
def test_anything_else_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(ValueError, match="is not a target") as caught:
        Target.parse(text)
    assert str(caught.value) == f"is not a target - allowed: {GRAMMAR}"


@pytest.mark.parametrize(
    "text",
    [
        "tts",
        "tts/",
        "tts/tr-TR",
        "tts/tr-TR/",
        "tts/de-DE/Guten Tag",
        "tts/tr-TR/a\nb",
        "tts/tr-TR/Sayın {name}",
        f"tts/tr-TR/{'a' * (LONGEST_PHRASE + 1)}",
    ],
)
def test_what_cannot_be_spoken_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be spoken") as caught:
        Target.parse(text)
    assert str(caught.value) == f"cannot be spoken - allowed: {SPOKEN}"
    assert all(language in SPOKEN for language in LANGUAGES)


def test_an_invalid_target_cannot_even_be_built() -> None:
    with pytest.raises(ValueError, match="is not a target"):
        Target("queue", "external/05321234567")


def test_the_grammar_names_every_kind_that_every_switch_knows() -> None:
    assert all(kind in GRAMMAR for kind in [*NUMBERED, "external", "fax", "hangup"])
    assert LANGUAGES == ("tr-TR", "en-US", "ar-XA")
