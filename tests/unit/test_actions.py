from collections.abc import Callable
from typing import Any

import pytest

from proxy.actions import Prompt, SpeechToText, Spoken, Transfer, is_phrase
from proxy.target import Target

QUEUE = Target("queue", "200")
SAID = Spoken(phrase="Tuşlayın.")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Spoken, "has not one of announcement and phrase"),
        (lambda: Spoken(5, "Tuşlayın."), "has not one of announcement and phrase"),
        (lambda: Spoken(0), "names no announcement"),
        (lambda: Spoken(1_000_000_000), "names no announcement"),
        (lambda: Spoken(phrase="x" * 301), "has a phrase that cannot be spoken"),
        (lambda: Spoken(phrase="two\nlines"), "has a phrase that cannot be spoken"),
        (lambda: Spoken(phrase="Hallo", language="de-DE"), "has a language that the switch does not speak"),
        (lambda: Spoken(phrase="Tuşlayın.", speed=0.4), "has a speed that the switch does not have"),
        (lambda: Spoken(phrase="Tuşlayın.", speed=1.6), "has a speed that the switch does not have"),
        (lambda: Transfer(QUEUE, "Ahmet", "Günaydın"), "greets by name and by phrase"),
        (lambda: Transfer(QUEUE, "x" * 301), "has a name that cannot be spoken"),
        (lambda: Transfer(QUEUE, phrase="x" * 301), "has a phrase that cannot be spoken"),
        (lambda: Transfer(QUEUE, language="tr"), "has a language that the switch does not speak"),
        (lambda: Transfer(QUEUE, announcement_to_caller=0), "names no announcement"),
        (lambda: Transfer(QUEUE, announcement_to_callee=-1), "names no announcement"),
        (lambda: Prompt(SAID, "no", 0), "asks for an impossible number of digits"),
        (lambda: Prompt(SAID, "no", 5, 4), "asks for an impossible number of digits"),
        (lambda: Prompt(SAID, "no", 5, 21), "asks for an impossible number of digits"),
        (lambda: Prompt(SAID, "no", retries=-1), "has too many retries"),
        (lambda: Prompt(SAID, "no", retries=10), "has too many retries"),
        (lambda: Prompt(SAID, "no", timeout=0), "waits too long"),
        (lambda: Prompt(SAID, "no", timeout=11), "waits too long"),
        (lambda: Prompt(SAID, "no", digit_timeout=11), "waits too long"),
        (lambda: Prompt(SAID, "a b"), "has a parameter that is no name"),
        (lambda: Prompt(SAID, ""), "has a parameter that is no name"),
        (lambda: SpeechToText(0), "names no announcement"),
        (lambda: SpeechToText(5, 0), "listens too long"),
        (lambda: SpeechToText(5, 11), "listens too long"),
    ],
)
def test_what_the_switch_would_not_understand_cannot_be_made(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}$"):
        make()


def test_all_that_the_switch_allows_can_be_made() -> None:
    assert Spoken(999_999_999).announcement == 999_999_999
    for speed in (0.5, 1.0, 1.5, None):
        assert Spoken(phrase="x" * 300, language="ar-XA", speed=speed).speed == speed
    assert Prompt(Spoken(1), "digits", 1, 20, 9, 10, 1).retries == 9
    assert Prompt(Spoken(1), "digits", 20, 20, 0, 1, 10).min_digits == 20
    assert SpeechToText(1, 1).duration == 1
    assert Transfer(QUEUE, recording=False, announcement_to_caller=1, announcement_to_callee=2).recording is False


@pytest.mark.parametrize(("text", "can_be_said"), [("", False), (" ", False), ("a", True), ("a\tb", False)])
def test_a_phrase_is_one_printable_line(text: str, *, can_be_said: bool) -> None:
    assert is_phrase(text) is can_be_said
