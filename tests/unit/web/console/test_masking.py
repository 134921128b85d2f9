"""What is shown of texts that may hold phone numbers."""

import time

import pytest

from proxy.web.console.masking import LONGEST_TEXT, error_without_numbers, masked, without_numbers


@pytest.mark.parametrize(
    ("text", "shown"), [("0530 123 45 67", "•••• ••• •• 67"), ("7", "7"), ("no digit", "no digit")]
)
def test_masking(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('mobile is "0532 111 22 33", wanted present', 'mobile is "•••• ••• •• 33", wanted present'),
        ("phone is 905321112233, wanted 1", "phone is ••••••••••33, wanted 1"),
        ("0532\u00a0111\u00a022\u00a033", "••••\u00a0•••\u00a0••\u00a033"),
        ("0532–111–22–33", "••••–•••–••–33"),
        ("0532\u2011111\u201122\u201133", "••••\u2011•••\u2011••\u201133"),
        ("0532_111_22_33", "••••_•••_••_33"),
        ("[0532] (111) [22] [33]", "[••••] (•••) [••] [33]"),
        ("0532\t111\t22\t33", "••••\t•••\t••\t33"),
        ("order 4711-05301234567", "order ••••-•••••••••67"),
        ("05301234567, 05301234568", "•••••••••••, •••••••••68"),
        ("05301234567 or 05301234568", "•••••••••67 or •••••••••68"),
        ("0 5 3 0 1 2 3 4 5 6 7", "• • • • • • • • • 6 7"),
        ("٠٥٣٠١٢٣٤٥٦٧", "•••••••••٦٧"),
        ("since 2026-11-28", "since 2026-11-28"),
        ("since 2026-11-28 09:30:15", "since 2026-11-28 09:30:15"),
        ("since 2026-11-28, 05301234567", "since ••••-••-••, •••••••••67"),
        ("12 of 34", "12 of 34"),
        ("123456", "123456"),
    ],
)
def test_no_number_is_told(text: str, shown: str) -> None:
    assert without_numbers(text) == shown


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("no way to 192.168.100.20:5432", "no way to 192.168.100.20:5432"),
        ("no way to 192.168.100.20", "no way to 192.168.100.20"),
        ("no row for 0530-123-45-67", "no row for ••••-•••-••-67"),
    ],
)
def test_an_error_has_addresses_but_no_numbers(error: str, shown: str) -> None:
    assert error_without_numbers(error) == shown
    assert without_numbers("212.212.12.12") == "•••.•••.••.12"


def test_of_a_long_text_the_beginning_is_shown() -> None:
    text = "x" * (LONGEST_TEXT - 4)
    assert without_numbers(f"{text}1234") == f"{text}1234"
    assert without_numbers(f"{text}05301234567") == f"{text}••••…"


@pytest.mark.parametrize("piece", ["(", "1", "1 ", "1    ", "12345    ", "+", "1-2x"])
def test_no_text_takes_long(piece: str) -> None:
    began = time.process_time()
    shown = without_numbers(piece * (64 * 1024 // len(piece)))
    assert time.process_time() - began < 0.2
    assert len(shown) == LONGEST_TEXT + 1
