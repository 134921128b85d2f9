"""A number as it is written with blanks, for CRMs that compare whole texts."""

import pytest

from proxy.phone import parse_number


@pytest.mark.parametrize(
    ("text", "region", "spaced", "spaced_international"),
    [
        ("05301234567", "TR", "0530 123 45 67", "+90 530 123 45 67"),
        ("02125551010", "TR", "(0212) 555 10 10", "+90 212 555 10 10"),
        ("4440555", "TR", "444 0 555", "+90 4440555"),
        ("+493089680211", "TR", "0049 30 89680211", "+49 30 89680211"),
        ("+493089680211", "DE", "030 89680211", "+49 30 89680211"),
        ("+905301234567", "DE", "0090 530 123 45 67", "+90 530 123 45 67"),
    ],
)
def test_a_number_can_be_written_with_blanks(text: str, region: str, spaced: str, spaced_international: str) -> None:
    number = parse_number(text, region)
    assert (number.spaced, number.spaced_international) == (spaced, spaced_international)
    assert number.is_in(number.spaced)
    assert number.is_in(number.spaced_international)
