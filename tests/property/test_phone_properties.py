from dataclasses import astuple

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import shortnumberinfo

from proxy.phone import (
    Extension,
    PhoneNumber,
    Unreadable,
    Withheld,
    forget_numbers,
    numbers_in,
    parse_caller,
    parse_number,
)
from proxy.phone.plan import plan_of
from proxy.phone.spelling import NUMBER_TYPES
from tests.lengths import at_length
from tests.property.strategies import any_text, foreign_numbers, home_numbers, numbers_at_home

SEPARATORS = st.sampled_from(["", "", "", " ", "-", ".", "/", "(", ")", " - ", "\t", "\u00a0"])
KINDS = ("fixed_line", "mobile", "premium_rate", "toll_free", "shared_cost", "voip", "uan", "general_desc")
PLANNED = sorted(filter(plan_of, phonenumbers.SUPPORTED_REGIONS))
EMERGENCY = ("112", "110", "155", "156", "158", "177", "122", "153", "182", "911", "999", "118", "000")


@given(any_text(200), st.sampled_from(["TR", "DE", "US", "ZZ", ""]))
def test_any_text_is_read_as_a_caller(text: str, region: str) -> None:
    assert isinstance(parse_caller(text, region), PhoneNumber | Extension | Withheld | Unreadable)


@given(
    st.lists(
        st.tuples(
            st.one_of(
                any_text(80), st.text("0159+ ()-", max_size=16), home_numbers().map(lambda number: number.national)
            ),
            st.sampled_from(["TR", "DE", "US"]),
        ),
        max_size=8,
    ),
    st.integers(1, 4),
)
def test_what_was_read_before_is_read_alike_in_any_order_and_in_each_region(
    texts: list[tuple[str, str]], most_known: int
) -> None:
    alone = []
    for text, region in texts:
        forget_numbers()
        alone.append(astuple(parse_caller(text, region)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("proxy.phone.MOST_KNOWN", most_known)
        assert [astuple(parse_caller(text, region)) for text, region in texts * 2] == alone * 2


@given(st.text("0123456789+ ()-./", max_size=40))
def test_whatever_is_read_as_a_number_is_a_valid_one_of_ascii_digits(text: str) -> None:
    caller = parse_caller(text, "TR")
    if isinstance(caller, PhoneNumber):
        assert phonenumbers.is_valid_number(phonenumbers.parse(caller.e164))
        forms = (caller.digits, caller.national, caller.subscriber, caller.international, caller.e164[1:])
        assert all(form.isascii() and form.isdigit() for form in forms)


@given(
    home_numbers(), st.sampled_from(["0", "", "90", "+90", "0090", " 90", "090", "+90 0", "00 90 ", " +90"]), st.data()
)
def test_every_spelling_of_a_home_number_is_one_number(number: PhoneNumber, prefix: str, data: st.DataObject) -> None:
    spelt = prefix + "".join(digit + data.draw(SEPARATORS) for digit in number.subscriber)
    assert parse_number(spelt, "TR") == number


@given(foreign_numbers(), st.sampled_from(["+", "00", " ", "+ ", "00 "]), st.data())
def test_every_international_spelling_of_a_foreign_number_is_one_number(
    number: PhoneNumber, prefix: str, data: st.DataObject
) -> None:
    spelt = prefix + "".join(digit + data.draw(SEPARATORS) for digit in number.digits)
    assert parse_number(spelt, "TR") == number


@given(st.one_of(home_numbers(), foreign_numbers(), numbers_at_home()))
def test_each_form_of_a_number_leads_back_to_it_and_so_to_no_other(number: PhoneNumber) -> None:
    forms = {number.e164, number.international, number.national, number.subscriber}
    assert {parse_number(form, number.home) for form in forms} == {number}


@st.composite
def dialled_at_home(draw: st.DrawFn) -> tuple[str, str]:
    """A country with a plan, and what might be a number there: an example of its metadata with other digits in it."""
    region = draw(st.sampled_from(["TR", *PLANNED]))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    kinds = (getattr(metadata, kind) for kind in KINDS)
    digits = [*draw(st.sampled_from([kind.example_number for kind in kinds if kind and kind.example_number]))]
    for place, digit in draw(st.dictionaries(st.integers(0, len(digits) - 1), st.sampled_from("0123456789"))).items():
        digits[place] = digit
    trunk, code = metadata.national_prefix_for_parsing or "", f"+{metadata.country_code}"
    before = draw(st.sampled_from([trunk, trunk, code, code, code + trunk, trunk * 2, "00", "+"]))
    return region, before + "".join(digits) + draw(st.sampled_from(["", "", "", "0", "7"]))


@settings(max_examples=at_length(5000, otherwise=500))
@given(dialled_at_home())
def test_a_plan_reads_a_number_as_phonenumbers_does(dialled_in: tuple[str, str]) -> None:
    region, dialled = dialled_in
    plan = plan_of(region)
    assert plan is not None
    if (read := plan.read(dialled)) is not None:
        parsed = phonenumbers.parse(dialled, region)
        national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
        subscriber = phonenumbers.national_significant_number(parsed)
        assert read == (subscriber, phonenumbers.number_type(parsed), "".join(filter(str.isdigit, national)))
        assert phonenumbers.region_code_for_number(parsed) == region
        assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == (
            f"+{phonenumbers.country_code_for_region(region)}{subscriber}"
        )
        assert read[1] in NUMBER_TYPES


@given(home_numbers())
def test_the_usual_spellings_of_a_home_number_need_nothing_but_the_plan(number: PhoneNumber) -> None:
    plan = plan_of("TR")
    assert plan is not None
    assert plan.read(number.national) is not None
    assert plan.read(number.national) == plan.read(number.e164)


@given(home_numbers(), foreign_numbers())
def test_two_numbers_have_no_form_in_common(home: PhoneNumber, foreign: PhoneNumber) -> None:
    def forms(number: PhoneNumber) -> set[str]:
        return {number.e164, number.digits, number.national, number.subscriber, number.international}

    assert forms(home).isdisjoint(forms(foreign))


@given(st.one_of(home_numbers(), foreign_numbers()))
def test_a_printed_number_shows_its_country_and_its_last_two_digits_alone(number: PhoneNumber) -> None:
    assert len(str(number)) == len(number.e164)
    assert str(number)[3:-2] == "*" * (len(number.e164) - 5)
    assert number.e164 not in f"{number} {number!r} {[number]}"


@given(
    st.sampled_from(EMERGENCY),
    st.sampled_from(["", "0", "00", "+", "+90", "0090", "90", "+90 ", " ", "+1", "+49", "0049"]),
    st.data(),
)
def test_an_emergency_number_is_no_phone_number_however_it_is_spelt(
    number: str, prefix: str, data: st.DataObject
) -> None:
    spelt = prefix + "".join(digit + data.draw(SEPARATORS) for digit in number)
    assert not isinstance(parse_caller(spelt, "TR"), PhoneNumber)


@given(st.text("0123456789", min_size=1, max_size=8), st.sampled_from(["TR", "DE", "GB", "US"]))
def test_what_phonenumbers_takes_for_an_emergency_is_no_phone_number(digits: str, region: str) -> None:
    if shortnumberinfo.is_emergency_number(digits, region):
        assert not isinstance(parse_caller(digits, region), PhoneNumber)


@given(
    st.text("0123456789", min_size=2, max_size=6), st.sampled_from(["", " ", "\t"]), st.sampled_from(["", " ", "\n"])
)
def test_two_to_six_digits_are_an_extension(digits: str, before: str, after: str) -> None:
    assert parse_caller(before + digits + after, "TR") == Extension(digits)


@given(any_text(300))
def test_any_field_of_a_crm_can_be_searched_for_numbers(text: str) -> None:
    assert all(isinstance(number, PhoneNumber) for number in numbers_in(text, "TR"))


@given(st.lists(home_numbers(), min_size=1, max_size=3), st.sampled_from([", ", "; ", "\n", " / ", " veya "]))
def test_all_numbers_in_a_field_are_found(numbers: list[PhoneNumber], between: str) -> None:
    assert set(numbers) <= set(numbers_in(between.join(number.national for number in numbers), "TR"))
