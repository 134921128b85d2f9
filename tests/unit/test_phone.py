import time

import pytest

from proxy.errors import InvalidNumber
from proxy.phone import (
    LONGEST_TEXT,
    Extension,
    PhoneNumber,
    Unreadable,
    Withheld,
    _callers,
    _read,
    forget_numbers,
    numbers_in,
    parse_caller,
    parse_number,
)
from proxy.phone.spelling import NUMBER_TYPES

NO_DIGITS = "has other characters than digits, a leading plus and separators"
INVALID = "is not a valid number in any country that it could mean"


def e164s(text: str) -> set[str]:
    return {number.e164 for number in numbers_in(text, "TR")}


@pytest.mark.parametrize(
    "text",
    [
        "05301234567",
        "5301234567",
        "905301234567",
        "+905301234567",
        "00905301234567",
        "0905301234567",
        " 905301234567",
        " 90 530 123 45 67",
        "+90 (530) 123-45-67",
        "0090 530 123 45 67",
        "00 90 530 1234567",
        "0 (530) 123 45 67",
        "0530.123.45.67",
        "0530/123/45/67",
        "[0530] 123-45-67",
        "0530\u00a0123\u00a045\u00a067",
        "0530\t123 45 67",
        "+05301234567",
        "+90 0530 123 45 67",
    ],
)
def test_all_spellings_of_a_number_are_one_number(text: str) -> None:
    caller = parse_caller(text, "TR")
    assert isinstance(caller, PhoneNumber)
    assert caller.e164 == "+905301234567"
    assert caller == parse_number("05301234567", "TR")
    assert hash(caller) == hash(parse_number("05301234567", "TR"))


def test_a_home_number_has_all_its_forms() -> None:
    number = parse_number("05301234567", "TR")
    assert number.e164 == "+905301234567"
    assert number.digits == "905301234567"
    assert number.national == "05301234567"
    assert number.subscriber == "5301234567"
    assert number.international == "00905301234567"
    assert (number.country, number.type) == ("TR", "mobile")


@pytest.mark.parametrize("text", ["00493089680211", "+493089680211", "493089680211", " 493089680211"])
def test_a_foreign_number_has_no_national_form(text: str) -> None:
    number = parse_number(text, "TR")
    assert number.e164 == "+493089680211"
    assert number.national == number.subscriber == number.international == "00493089680211"
    assert (number.country, number.type) == ("DE", "landline")


def test_a_blank_in_front_stands_for_a_plus_that_was_lost_in_the_url() -> None:
    assert parse_number(" 5351234567", "TR") == parse_number("+53 5 1234567", "TR")
    assert parse_number("5351234567", "TR") == parse_number("0535 123 45 67", "TR")


def test_a_foreign_number_never_passes_for_the_home_number_with_the_same_digits() -> None:
    german, turkish = parse_number("+49 532 111 22 33", "TR"), parse_number("0532 111 22 33", "TR")
    assert german != turkish
    assert {german.national, german.subscriber}.isdisjoint({turkish.national, turkish.subscriber})


def test_another_home_region_reads_and_writes_its_own_numbers() -> None:
    number = parse_number("030 89680211", "DE")
    assert (number.e164, number.national, number.subscriber) == ("+493089680211", "03089680211", "3089680211")
    assert parse_number("+905301234567", "DE").national == "00905301234567"


@pytest.mark.parametrize("text", ["444 0 123", "4440123", "+90 444 0 123", "0090 4440123"])
def test_a_company_number_of_seven_digits_is_valid(text: str) -> None:
    number = parse_caller(text, "TR")
    assert isinstance(number, PhoneNumber)
    assert (number.e164, number.national, number.subscriber) == ("+904440123", "4440123", "4440123")
    assert number.type == "company"


@pytest.mark.parametrize(
    ("text", "number_type", "country"),
    [
        ("05301234567", "mobile", "TR"),
        ("0212 555 10 10", "landline", "TR"),
        ("0800 123 45 67", "toll_free", "TR"),
        ("0900 123 45 67", "premium", "TR"),
        ("+1 234 567 8901", "landline_or_mobile", "US"),
        ("+44 330 123 4567", "company", "GB"),
        ("+33 88 401 23 45", "shared_cost", "FR"),
        ("+44 70 1234 5678", "personal", "GB"),
        ("+44 764 012 34 56", "pager", "GB"),
        ("+44 56 1234 5678", "voip", "GB"),
        ("+49 177 991234567", "voicemail", "DE"),
        ("+800 1234 5678", "toll_free", "001"),
    ],
)
def test_a_number_knows_its_type_and_country(text: str, number_type: str, country: str) -> None:
    number = parse_number(text, "TR")
    assert (number.type, number.country) == (number_type, country)
    assert number.type in NUMBER_TYPES.values()


@pytest.mark.parametrize(
    "text", ["1003", "10", "100", "123456", "112", "155", "110", "182", "00", "0112", " 1003", "1003 "]
)
def test_two_to_six_digits_are_an_extension(text: str) -> None:
    assert parse_caller(text, "TR") == Extension(text.strip())


@pytest.mark.parametrize(
    "text",
    ["+112", "+90112", "+90 112", "0090112", "90 112", "1-1-2", "+90155", "0090110", "+90 182", "+1 911", "0 1 1 2"],
)
def test_an_emergency_number_is_no_phone_number_however_it_is_spelt(text: str) -> None:
    assert not isinstance(parse_caller(text, "TR"), PhoneNumber)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "   ",
        "anonymous",
        "Anonymous",
        "ANONYMOUS",
        " anonymous ",
        "private",
        "Restricted",
        "withheld",
        "unavailable",
        "UNKNOWN",
        "blocked",
        "gizli",
        "Gizli",
        "bilinmeyen",
    ],
)
def test_a_caller_without_a_number_is_withheld(text: str | None) -> None:
    assert parse_caller(text, "TR") == Withheld()


@pytest.mark.parametrize("text", ["GİZLİ", "BİLİNMEYEN", "Gİzlİ"])
def test_withheld_words_are_known_in_turkish_capitals(text: str) -> None:
    assert parse_caller(text, "TR") == Withheld()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0530ABCDEFG", NO_DIGITS),
        ("٠٥٣٠١٢٣٤٥٦٧", NO_DIGITS),
        ("０５３０１２３４５６７", NO_DIGITS),
        ("05301234567\0", NO_DIGITS),
        ("05301234567;ext=5", NO_DIGITS),
        ("05301234567 x5", NO_DIGITS),
        ("tel:+905301234567", NO_DIGITS),
        ("sip:1003@pbx.example.com", NO_DIGITS),
        ("7' OR '1'='1", NO_DIGITS),
        ("++905301234567", NO_DIGITS),
        ("90+5301234567", NO_DIGITS),
        ("+", NO_DIGITS),
        ("()", NO_DIGITS),
        ("5", INVALID),
        ("+1003", INVALID),
        ("1234567", INVALID),
        ("999999999999", INVALID),
        ("0" * 20, INVALID),
        ("9" * LONGEST_TEXT, INVALID),
        ("9" * (LONGEST_TEXT + 1), "longer than 64 characters"),
        (" " * 100_000, "longer than 64 characters"),
    ],
)
def test_what_is_no_number_is_unreadable_and_says_why(text: str, why: str) -> None:
    assert parse_caller(text, "TR") == Unreadable(why)


def test_a_possible_number_that_is_not_valid_is_unreadable() -> None:
    # ten digits as a Turkish number has them, but in no range that was ever given out
    assert isinstance(parse_caller("+90 599 123 45 67", "TR"), Unreadable)


@pytest.mark.parametrize("text", ["0822 123 45 67", "0600 123 45 67", "0491 234 56 78"])
def test_a_home_number_out_of_no_known_range_does_not_become_a_foreign_one(text: str) -> None:
    assert isinstance(parse_caller(text, "TR"), Unreadable)


@pytest.mark.parametrize("text", ["", "112x", "5", "+90"])
def test_parse_number_raises_invalid_number_without_the_text(text: str) -> None:
    with pytest.raises(InvalidNumber) as caught:
        parse_number(text, "TR")
    assert str(caught.value) in {NO_DIGITS, INVALID}


def test_a_number_is_masked_wherever_it_is_printed() -> None:
    number = parse_number("05301234567", "TR")
    assert str(number) == f"{number}" == "+90********67"
    assert repr(number) == "PhoneNumber(+90********67)"
    assert "1234" not in repr([number])


def test_callers_that_are_no_phone_number_print_as_what_they_are() -> None:
    assert str(Extension("1003")) == "1003"
    assert str(Withheld()) == "withheld"
    assert str(Unreadable("why")) == "unreadable"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0532 111 22 33", {"+905321112233"}),
        ("+90 (532) 111-22-33", {"+905321112233"}),
        (" 5321112233", {"+905321112233"}),
        ("0532 111 22 33 / 0533 222 33 44", {"+905321112233", "+905332223344"}),
        ("0532 111 22 33, 0533 222 33 44", {"+905321112233", "+905332223344"}),
        ("0532 111 22 33; 0533 222 33 44", {"+905321112233", "+905332223344"}),
        ("0532 111 22 33\n0533 222 33 44", {"+905321112233", "+905332223344"}),
        ("+905321112233 +905332223344", {"+905321112233", "+905332223344"}),
        ("Cep: 0532 111 22 33 (ev: 0212 555 10 10)", {"+905321112233", "+902125551010"}),
        ("05321112233 (sekreter)", {"+905321112233"}),
        ("tel:+905321112233", {"+905321112233"}),
        ("\u202a+90 532 111 22 33\u202c", {"+905321112233"}),
        ("+493089680211", {"+493089680211"}),
        ("yok", set()),
        ("", set()),
        ("1003", set()),
    ],
)
def test_a_crm_field_may_hold_several_numbers_and_words_between_them(text: str, expected: set[str]) -> None:
    assert e164s(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0212 555 10 10/11",
        "0212 555 10 10 / 123 dahili",
        "+90 (212) 555-10-10 / 1234",
        "0212 555 10 10 - 11",
        "0212 555 10 10 (123)",
        "[0212] 555-10-10",
        "0212 555 10 10/11/12",
        "0212 555 10 10 - 11 - 12",
        "212 555 10 10 / 11",
        "212 555 10 10 x 11",
    ],
)
def test_an_extension_behind_a_number_does_not_hide_it(text: str) -> None:
    assert e164s(text) == {"+902125551010"}


def test_a_number_at_home_and_an_extension_are_no_number_from_abroad() -> None:
    assert e164s("212 522 12 34 / 56") == {"+902125221234"}  # all of it would be one of Morocco's


def test_a_slash_within_a_number_does_not_make_two_of_it() -> None:
    assert e164s("+49 30/5321112233") == e164s("49 30/5321112233") == {"+49305321112233"}
    assert e164s("+212 522 12 34 / 56") == {"+212522123456"}


@pytest.mark.parametrize("text", ["49 532 111 22 33", "49/532 111 22 33", "49 - 532 111 22 33", "0049/532/111/22/33"])
def test_no_part_of_a_foreign_number_is_one_at_home(text: str) -> None:
    assert e164s(text) == {"+495321112233"}


def test_numbers_at_home_and_from_abroad_stand_in_one_field() -> None:
    assert e164s("0532 111 22 33 / +49 30 89680211") == {"+905321112233", "+493089680211"}
    assert e164s("+49 30 89680211 0532 111 22 33") == {"+905321112233", "+493089680211"}
    assert e164s("5321112233 49 30 89680211") == {"+905321112233"}  # the foreign one needs a plus there


def test_dashes_of_all_kinds_separate_digits() -> None:
    for dash in "\u2010\u2011\u2012\u2013\u2014\u2212_-":
        assert e164s(dash.join(("0532", "111", "22", "33"))) == {"+905321112233"}


@pytest.mark.parametrize(
    "text",
    [
        "0532 111 22 33 - 0533 222 33 44",
        "0532 111 22 33 0533 222 33 44",
        "0532 111 22 33 533 222 33 44",
        "532 111 22 33 533 222 33 44",
        "5321112233 5332223344",
        "532 111 22 33 / 533 222 33 44 / 11",
    ],
)
def test_several_numbers_in_a_crm_field_may_stand_apart_by_blanks_or_a_dash(text: str) -> None:
    assert e164s(text) == {"+905321112233", "+905332223344"}


def test_the_next_number_may_begin_like_the_end_of_the_one_before() -> None:
    assert e164s("0312 444 01 23 0533 222 33 44") == {"+903124440123", "+905332223344"}


@pytest.mark.parametrize("text", ["1" * 16 + " " + "2" * 17, "12 34 56 78 90 12 34 56"])
def test_digits_that_make_no_two_numbers_are_none(text: str) -> None:
    assert e164s(text) == set()


@pytest.mark.parametrize("text", ["(" * 60_000, "0 " * 30_000, "1/" * 30_000, "0(" * 30_000, "9" * 60_000])
def test_a_huge_crm_field_does_not_hold_up_the_loop(text: str) -> None:
    started = time.process_time()
    assert e164s(text) == set()
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "between",
    ["\u2009", "\u202f", "\u200b", "\ufeff", "\n", "|", "*", "\\", "x", "'", " ~ ", ": ", ", ", " Tel", "\u00ad"],
)
def test_a_countrys_code_belongs_to_the_number_behind_it_whatever_stands_between(between: str) -> None:
    for code in ("+49", "0049", "+ 49"):
        assert "+905321112233" not in e164s(f"{code}{between}532 111 22 33")
    assert e164s(f"+90{between}532 111 22 33") == {"+905321112233"}


def test_a_code_in_other_digits_is_a_code_too() -> None:
    assert e164s("+\u0664\u0669 532 111 22 33") == set()


def test_a_number_behind_another_or_behind_words_is_read() -> None:
    assert e164s("+49 30 89680211, 0532 111 22 33") == {"+493089680211", "+905321112233"}
    assert e164s("Fax: +49: 0049 30 89680211") == {"+493089680211"}
    assert e164s("Kat +1, Tel: 0532 111 22 33") == {"+905321112233"}
    assert e164s("0532\u2009111\u202f22\u200b33") == {"+905321112233"}


def test_a_number_that_was_read_is_known_until_it_is_to_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_numbers()
    number = parse_number("0532 111 22 33", "TR")
    assert parse_number("05321112233", "TR") is number
    assert parse_number("05321112233", "DE") is not number
    forget_numbers()
    again = parse_number("05321112233", "TR")
    assert again == number
    assert again is not number


def test_what_is_no_number_is_not_remembered() -> None:
    forget_numbers()
    for digits in range(50):
        assert isinstance(parse_caller(f"0099912345{digits}", "TR"), Unreadable)
    assert (_read.cache_info().currsize, len(_callers)) == (0, 0)


def test_what_the_switch_has_sent_is_known_when_it_comes_again_until_it_is_to_be_forgotten() -> None:
    forget_numbers()
    caller = parse_caller("0532 111 22 33 ", "TR")
    assert parse_caller("0532 111 22 33 ", "TR") is caller
    assert parse_caller("0532 111 22 33 ", "DE") != caller
    forget_numbers()
    assert parse_caller("0532 111 22 33 ", "TR") is not caller


def test_of_what_was_sent_no_more_is_known_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_numbers()
    monkeypatch.setattr("proxy.phone.MOST_KNOWN", 3)
    callers = [parse_caller(f"053211122{last:02d}", "TR") for last in range(10)]
    assert [str(caller)[-2:] for caller in callers] == [f"{last:02d}" for last in range(10)]
    assert len(_callers) == 1
