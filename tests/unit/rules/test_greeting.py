import unicodedata

import pytest

from proxy.model import Contact
from proxy.rules.greeting import LONGEST_NAME, Greeting, speakable

FULL = Greeting("{first_name} {last_name}")


@pytest.mark.parametrize(
    "name",
    [
        "Ahmet Yılmaz",
        "ÇAĞRI ÖZGÜR ŞİŞLİ",
        "Ayşe Nur Işık-Öztürk",
        "O'Neil & Co.",
        "J. R. Müller",
        "Δημήτρης",
        "محمد علي",
        "李小龍",
        "राम",
        "3M Türkiye",
        "a" * LONGEST_NAME,
    ],
)
def test_a_name_in_any_language_arrives_whole(name: str) -> None:
    assert speakable(name) == name


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("  Ahmet \t  Yılmaz \n", "Ahmet Yılmaz"),
        ("Ahmet\nYılmaz", "Ahmet Yılmaz"),
        ("Ahmet\0Yılmaz", "Ahmet Yılmaz"),
        ("Ahmet, Yılmaz", "Ahmet Yılmaz"),
        ("Ahmet (VIP)", "Ahmet VIP"),
        ("Ahmet/Mehmet", "Ahmet Mehmet"),
        ('"Ahmet"', "Ahmet"),
        ("Ayşe O’Neil", "Ayşe O'Neil"),
        ("<b>Ahmet</b> Yılmaz", "Ahmet Yılmaz"),
        ("<speak><break time='9s'/>Ahmet</speak>", "Ahmet"),
        ("Ahmet <script", "Ahmet"),
        ("<<b>i>Ahmet", "i Ahmet"),
        ("&lt;Ahmet&gt;", "&lt Ahmet&gt"),
        ("Ahmet\u202eMehmet", "AhmetMehmet"),
        ("\u2066Ahmet\u2069", "Ahmet"),
        ("Ah\u200bmet", "Ahmet"),
        ("Ah\u00admet", "Ahmet"),
        ("Ahmet \U0001f600", "Ahmet"),
        ("Ahmet \ud800", "Ahmet"),
        ("Ahmet \ue000", "Ahmet"),
        ("Ahmet ²", "Ahmet"),
        ("A\u030angstro\u0308m", "Ångström"),
    ],
)
def test_what_cannot_be_spoken_is_left_out(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "Unknown",
        "UNKNOWN",
        "unknown caller",
        "Anonymous",
        "None",
        "null",
        "NaN",
        "N/A",
        "No Name",
        "undefined",
        "Bilinmeyen",
        "BİLİNMEYEN",
        "bilinmeyen arayan",
        "Bilinmiyor",
        "isimsiz",
        "İSİMSİZ",
        "Adsız",
        "ADSIZ",
        "anonim",
        "ANONİM",
        "yok",
        "YOK",
        "Tanımsız",
        " unknown ",
        "<b>Unknown</b>",
    ],
)
def test_a_placeholder_for_no_name_is_never_spoken(text: str) -> None:
    assert speakable(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "(Unknown)",
        "Unknown.",
        '"Unknown"',
        "'Unknown'",
        "- unknown -",
        "[Bilinmeyen]",
        "Unknown;",
        "Un\u200bknown",
        "unknown\u00a0caller",
        "unknown " + "x" * LONGEST_NAME,
    ],
)
def test_a_placeholder_is_not_spoken_because_of_signs_round_it(text: str) -> None:
    assert speakable(text) == ""


@pytest.mark.parametrize(
    "text", ["", " ", "5321112233", "0532 111 22 33", "-", ". . .", "&", "٣٤", "\u0301", "<Ahmet>", "?"]
)
def test_what_has_no_letter_is_no_name(text: str) -> None:
    assert speakable(text) == ""


def test_a_long_name_ends_after_a_whole_word() -> None:
    name = "Kocaeli Büyükşehir Belediyesi Ulaşım ve Trafik Hizmetleri Dairesi Başkanlığı"
    assert speakable(name) == "Kocaeli Büyükşehir Belediyesi Ulaşım ve Trafik Hizmetleri"
    assert len(speakable(name)) <= LONGEST_NAME


def test_a_word_that_ends_with_the_last_character_stays_and_one_that_ends_behind_it_goes() -> None:
    assert speakable("a" * 29 + " " + "b" * 30 + " c") == "a" * 29 + " " + "b" * 30
    assert speakable("a" * 29 + " " + "b" * 31 + " c") == "a" * 29


def test_a_single_long_word_is_cut() -> None:
    assert speakable("a" * 61) == "a" * LONGEST_NAME


def test_a_name_of_a_million_characters_is_cut_without_being_read_whole() -> None:
    assert speakable("Ahmet " + "<" * 1_000_000) == "Ahmet"
    assert speakable(" " * 10_000 + "Ahmet") == ""


def test_turkish_letters_arrive_composed() -> None:
    spoken = speakable(unicodedata.normalize("NFD", "Şükrü Öğünç"))
    assert spoken == "Şükrü Öğünç"
    assert unicodedata.is_normalized("NFC", spoken)


@pytest.mark.parametrize(
    ("template", "contact", "greeted"),
    [
        ("{name}", Contact("Ahmet Yılmaz"), "Ahmet Yılmaz"),
        ("{ name }", Contact("Ahmet Yılmaz"), "Ahmet Yılmaz"),
        ("{name}", Contact(), ""),
        ("{name}", Contact("Unknown"), ""),
        ("{first_name} {last_name}", Contact(fields={"first_name": "Ahmet", "last_name": "Yılmaz"}), "Ahmet Yılmaz"),
        ("{first_name} {last_name}", Contact(fields={"last_name": "Yılmaz"}), "Yılmaz"),
        ("{first_name} {last_name}", Contact(fields={"first_name": "Ahmet", "last_name": None}), "Ahmet"),
        ("{first_name} {last_name}", Contact(fields={"first_name": "Ahmet", "last_name": "Unknown"}), "Ahmet"),
        ("{first_name} {last_name}", Contact(fields={"first_name": "Bilinmeyen", "last_name": "-"}), ""),
        ("{first_name} {last_name}", Contact("Ahmet"), ""),
        ("{first_name} {last_name}", Contact(fields={"first_name": "No", "last_name": "Name"}), ""),
        ("{name} {room}", Contact("Ahmet", {"room": 12}), "Ahmet"),
        ("Sayın {last_name}", Contact(fields={"last_name": "Yılmaz"}), "Sayın Yılmaz"),
        ("Sayın {last_name}", Contact(), ""),
        ("Sayın {last_name}", Contact(fields={"last_name": "Bilinmeyen"}), ""),
        ("{address.salutation} {name}", Contact("A", {"address.salutation": "Frau"}), "Frau A"),
        ("{adı}", Contact(fields={"adı": "Ahmet"}), "Ahmet"),
        ("değerli müşterimiz", Contact(), "değerli müşterimiz"),
        ("", Contact("Ahmet"), ""),
        ("{name}", Contact("{tier}", {"tier": "gold"}), "tier"),
        ("{name}", Contact(r"\1 \g<0>"), "1 g"),
    ],
)
def test_a_greeting_is_made_from_the_fields_that_are_there(template: str, contact: Contact, greeted: str) -> None:
    assert Greeting(template).render(contact) == greeted


def test_a_greeting_of_several_fields_keeps_to_the_length_as_a_whole() -> None:
    contact = Contact(fields={"first_name": "a" * 40, "last_name": "b" * 40})
    assert FULL.render(contact) == "a" * 40


@pytest.mark.parametrize(
    "template", ["{", "}", "{name", "name}", "{}", "{ }", "{{name}}", "{1}", "{a b}", "{a|b}", "{a!r}"]
)
def test_a_malformed_greeting_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="is not a greeting template") as caught:
        Greeting(template)
    assert str(caught.value) == "is not a greeting template - allowed: text with {field} in it"
