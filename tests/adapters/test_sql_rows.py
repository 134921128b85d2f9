from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sql.rows import contact_of, contacts_of, fields_in, plain
from proxy.adapter import Contact, CustomerNumber
from tests.adapters.sql_crm import AYSE


class TestRows:
    def test_columns_are_fields_but_for_the_name_the_id_and_the_numbers(self) -> None:
        row = {"name": "Ayşe", "id": 7, "tier": "gold", "number": "0530", "number2": None, "number_3": 5321112233}
        row["CUSTOMER_NUMBER"] = "00123 "
        assert contact_of(row) == Contact("Ayşe", {"tier": "gold"}, ("0530", "5321112233"), "7", "00123")
        assert fields_in(row) == {"tier"}

    def test_the_case_of_a_column_means_nothing_and_no_countrys_letters_are_mistaken(self) -> None:
        row = {
            "NAME": "Ayşe",
            "Id": 7,
            "TIER": "gold",
            "NUMBER": "0530",
            "Number_2": "0531",
            "ŞEHİR": "İzmir",
            "ılçe": "x",
        }
        assert contact_of(row) == Contact(
            "Ayşe", {"tier": "gold", "şehir": "İzmir", "ılçe": "x"}, ("0530", "0531"), "7"
        )
        assert fields_in(row) == {"tier", "şehir", "ılçe"}

    def test_columns_that_only_begin_like_a_number_are_fields(self) -> None:
        assert dict(contact_of({"numbers": "1", "number_of_calls": 2}).fields) == {"numbers": "1", "number_of_calls": 2}

    def test_a_missing_name_is_empty(self) -> None:
        assert contact_of({"name": None, "id": None}) == Contact()

    @pytest.mark.parametrize("empty", [None, "", "   ", b""])
    def test_a_row_whose_number_columns_are_all_empty_is_nobody(self, empty: object) -> None:
        rows: list[dict[str, object]] = [{"name": "a", "number": empty}, {"name": "b", "number": "0530"}]
        assert contacts_of(rows, AYSE) == [Contact("b", numbers=("0530",))]

    @pytest.mark.parametrize("empty", [None, "", "   ", b""])
    def test_a_row_whose_customer_number_is_empty_is_nobody_for_a_customer_number(self, empty: object) -> None:
        rows: list[dict[str, object]] = [
            {"name": "a", "Customer_Number": empty, "number": "0530"},
            {"name": "b", "Customer_Number": Decimal("12.00"), "number": ""},
        ]
        assert contacts_of(rows, CustomerNumber("12")) == [Contact("b", customer_number="12")]
        assert contacts_of(rows, AYSE) == [Contact("a", numbers=("0530",))]

    def test_a_row_without_a_column_for_the_customer_number_may_be_anybody(self) -> None:
        assert contacts_of([{"name": "a", "number": None}], CustomerNumber("12")) == [Contact("a")]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (Decimal("12.00"), 12),
            (Decimal("1E+2"), 100),
            (Decimal("12.50"), 12.5),
            (Decimal("NaN"), None),
            (float("inf"), None),
            (1.5, 1.5),
            (True, True),
            (date(2026, 12, 31), "2026-12-31"),
            (datetime(2026, 12, 31, 9, 5), "2026-12-31T09:05:00"),  # noqa: DTZ001 - as databases give them
            (time(9, 5), "09:05:00"),
            ("gold   ", "gold"),
            ("  gold", "  gold"),
            ("Müşteri".encode(), "Müşteri"),
            (b"\xff\xfe", 0xFFFE),
            (b"\x01", 1),
            (b"\x00", 0),
            (b"", ""),
            (b"gold   ", "gold"),
            (b"\xff" * 9, None),
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (None, None),
        ],
    )
    def test_values_become_plain(self, value: object, expected: object) -> None:
        assert plain(value) == expected
        assert type(plain(value)) is type(expected)

    @given(
        st.one_of(
            st.decimals(min_value=-(10**30), max_value=10**30),
            st.floats(),
            st.binary(),
            st.text(),
            st.dates(),
            st.uuids(),
        )
    )
    def test_any_value_can_be_a_field(self, value: object) -> None:
        Contact(fields={"x": plain(value)})
