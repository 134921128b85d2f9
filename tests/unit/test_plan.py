import pytest
from phonenumbers import NumberFormat, PhoneMetadata, PhoneNumberType

from proxy.phone import parse_number
from proxy.phone.plan import Plan, _before, plan_of


def plan(region: str) -> Plan:
    found = plan_of(region)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("dialled", "read"),
    [
        ("05301234567", ("5301234567", PhoneNumberType.MOBILE, "05301234567")),
        ("+905301234567", ("5301234567", PhoneNumberType.MOBILE, "05301234567")),
        ("02125551010", ("2125551010", PhoneNumberType.FIXED_LINE, "02125551010")),
        ("08001234567", ("8001234567", PhoneNumberType.TOLL_FREE, "08001234567")),
        ("04441234", ("4441234", PhoneNumberType.UAN, "4441234")),  # has no trunk prefix at home
    ],
)
def test_the_plan_reads_what_is_dialled_at_home(dialled: str, read: tuple[str, int, str]) -> None:
    assert plan("TR").read(dialled) == read


@pytest.mark.parametrize(
    "dialled",
    [
        "5301234567",  # may begin with the country's code
        "00905301234567",  # from here on what is dialled abroad
        "+4930901820",
        "+9005301234567",
        "0530123456",
        "053012345678",
        "02991234567",  # no area has this code
        "05991234567",
    ],
)
def test_the_plan_leaves_to_phonenumbers_what_is_not_plain(dialled: str) -> None:
    assert plan("TR").read(dialled) is None


def test_what_the_plan_leaves_is_read_all_the_same() -> None:
    assert {parse_number(text, "TR") for text in ("5301234567", "00905301234567", "+9005301234567")} == {
        parse_number("05301234567", "TR")
    }


def test_a_number_of_a_country_that_does_not_tell_landlines_from_mobiles() -> None:
    turkey = PhoneMetadata.metadata_for_region("TR")
    assert turkey is not None
    both = PhoneMetadata(
        id="TR",
        country_code=90,
        general_desc=turkey.general_desc,
        mobile=turkey.mobile,
        fixed_line=turkey.mobile,
        register=False,
    )
    assert Plan(both, "0").read("05301234567") == ("5301234567", PhoneNumberType.FIXED_LINE_OR_MOBILE, "5301234567")


def test_a_number_that_is_written_otherwise_than_it_is_dialled_is_left_to_phonenumbers() -> None:
    argentina = PhoneMetadata.metadata_for_region("AR")
    assert argentina is not None
    assert Plan(argentina, "0").read("01123456789") is not None
    assert Plan(argentina, "0").read("091123456789") is None  # 011 15-2345-6789


@pytest.mark.parametrize("region", ["US", "AR", "NO", "ZZ", ""])
def test_there_is_no_plan_where_it_takes_more_than_that(region: str) -> None:
    assert plan_of(region) is None


@pytest.mark.parametrize(
    ("form", "rule", "before"),
    [
        (r"\1 \2-\3", None, ""),
        (r"\1 \2 \3", r"(0\1)", "0"),
        (r"\1 \2 \3", r"8 0\1", "80"),
        (r"\1 \2", r"0\1", None),  # the third part is lost
        (r"\2 15-\3-\1", r"0\1", None),
        (r"\1 \1 \2 \3", None, None),
    ],
)
def test_the_digits_that_stand_before_a_number(form: str, rule: str | None, before: str | None) -> None:
    pattern = r"(\d{3})(\d{3})(\d{4})"
    assert _before(NumberFormat(pattern=pattern, format=form, national_prefix_formatting_rule=rule)) == before
