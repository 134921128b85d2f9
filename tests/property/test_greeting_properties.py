import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from proxy.model import Contact
from proxy.rules.comparison import fold
from proxy.rules.greeting import Greeting, speakable
from tests.property.strategies import CONTACTS, GREETINGS, any_text

SIGNS = " .'-&"
TURKISH = "abcçdefgğhıijklmnoöprsştuüvyz"
NO_NAMES = st.sampled_from(["unknown", "Bilinmeyen", "N/A", "isimsiz", "YOK", "No Name", "unknown caller"])
NAMES = st.text("abcçğışöüÇĞİIŞÖÜ .'-&", max_size=80)


def assert_can_be_spoken(text: str) -> None:
    assert len(text) <= 60
    for sign in text:
        category = unicodedata.category(sign)
        assert category[0] in "LM" or category == "Nd" or sign in SIGNS, f"U+{ord(sign):04X}"
        assert unicodedata.bidirectional(sign) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert text == "" or any(sign.isalpha() for sign in text)
    assert text == " ".join(text.split(" "))
    assert text == text.strip()


@given(st.one_of(any_text(200), NAMES, NO_NAMES))
@example("e\u200d\u0301")
@example("Un\u200bknown")
@example("unknown " + "x" * 60)
@example("a" * 60 + "\u0301")
@example("<<b>script>alert(1)</script>")
def test_what_is_spoken_holds_letters_marks_digits_and_a_few_signs_and_is_not_changed_by_a_second_look(
    text: str,
) -> None:
    spoken = speakable(text)
    assert_can_be_spoken(spoken)
    assert speakable(spoken) == spoken


@given(st.one_of(NAMES, NO_NAMES, st.text(st.sampled_from("aZçİiı9 .'&-<>\u2019\u0307ßnNuU"), max_size=70)))
def test_a_plain_name_is_spoken_as_one_of_which_markup_has_to_go(text: str) -> None:
    assert speakable(text) == speakable(f"{text}<b>")


@given(st.one_of(any_text(200), NAMES, NO_NAMES))
def test_a_field_alone_is_greeted_as_among_others_that_are_empty(text: str) -> None:
    contact = Contact(text, {"nothing": None})
    assert Greeting("{name}").render(contact) == Greeting("{name}{nothing}").render(contact)


@given(st.text(st.characters(codec="ascii")))
def test_a_plain_text_is_compared_as_one_with_a_letter_of_another_alphabet_behind_it(text: str) -> None:
    assert f"{fold(text)}ж" == fold(f"{text}ж")


@given(CONTACTS, GREETINGS)
def test_so_it_is_with_every_greeting_of_any_contact(contact: Contact, greeting: Greeting) -> None:
    assert_can_be_spoken(greeting.render(contact))


@given(
    word=NO_NAMES,
    sign=st.sampled_from(["", " ", "(", '"', "[", "- ", "<b>", "\u200b", "\u202e"]),
    shouted=st.booleans(),
)
def test_a_placeholder_for_no_name_is_never_spoken(*, word: str, sign: str, shouted: bool) -> None:
    assert speakable(sign + (word.upper() if shouted else word) + sign) == ""


@given(st.text(TURKISH + " ", max_size=60))
def test_turkish_letters_arrive_whole(text: str) -> None:
    name = " ".join(("x" + text).split())[:60].strip()
    assert speakable(name) == name
    assert speakable(unicodedata.normalize("NFD", name)) == name


@given(st.text(TURKISH + " -'", max_size=30))
def test_turkish_texts_are_the_same_in_capitals(text: str) -> None:
    in_capitals = text.replace("i", "İ").upper()
    assert fold(in_capitals) == fold(text)
    assert fold(text.upper()) == fold(text)
    assert fold(unicodedata.normalize("NFD", in_capitals)) == fold(text)


@given(any_text())
def test_any_text_is_the_same_as_itself_in_another_normal_form(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text)) == fold(text)
