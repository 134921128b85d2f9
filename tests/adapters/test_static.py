import pytest

from adapters.static import StaticAdapter, StaticConfig
from proxy.adapter import Contact, CustomerNumber
from proxy.testing import AdapterContract, CrmUnderTest, phone

KNOWN = {f"0530 123 45 {n:02}": f"Müşteri {n}" for n in range(20)}
CUSTOMERS = {f"{100 + n}": f"Müşteri {n}" for n in range(20)}


class StaticCrm(CrmUnderTest):
    known = KNOWN
    unknown = ("0531 123 45 67", "+49 30 89680211")
    known_customers = CUSTOMERS
    unknown_customers = ("1", "120", "00000", "9" * 20)

    def adapter(self) -> StaticAdapter:
        contacts = [
            {"numbers": [number], "name": name, "customer_number": customer}
            for (number, name), customer in zip(self.known.items(), self.known_customers, strict=True)
        ]
        return StaticAdapter(StaticConfig.model_validate({"contacts": contacts}))


class TestContract(AdapterContract):
    crm_class = StaticCrm


@pytest.mark.parametrize(
    "spelling", ["0530 123 45 67", "+90 (530) 123-45-67", "905301234567", "530 123 4567", "0090 530 1234567"]
)
async def test_a_number_is_found_in_any_spelling(spelling: str) -> None:
    options = {
        "contacts": [{"numbers": ["0212 000 00 00", spelling], "name": "Ayşe", "fields": {"tier": "gold", "level": 3}}]
    }
    found = await StaticAdapter(StaticConfig.model_validate(options)).lookup(phone("0530 123 45 67"))
    assert found == [Contact("Ayşe", {"tier": "gold", "level": 3}, ("0212 000 00 00", spelling))]


async def test_all_contacts_with_a_number_are_found_in_their_order() -> None:
    options = {"contacts": [{"numbers": ["+905301234567"], "name": "A"}, {"numbers": ["05301234567"], "name": "B"}]}
    found = await StaticAdapter(StaticConfig.model_validate(options)).lookup(phone("0530 123 45 67"))
    assert [contact.name for contact in found] == ["A", "B"]


@pytest.mark.parametrize("numbers", [[], ["no number"], ["0530 123 45 67", ""]])
def test_a_contact_without_a_number_is_refused(numbers: list[str]) -> None:
    with pytest.raises(ValueError, match="numbers"):
        StaticConfig.model_validate({"contacts": [{"numbers": numbers}]})


@pytest.mark.parametrize(("keyed", "is_found"), [("123", True), ("00123", True), ("1234", False), ("12", False)])
async def test_a_customer_number_is_found_without_its_zeros_and_letters(keyed: str, *, is_found: bool) -> None:
    ayse = Contact("Ayşe", customer_number="C-00123")
    options = {
        "contacts": [{"name": "Ayşe", "customer_number": "C-00123"}, {"name": "Ali", "numbers": ["0530 123 45 67"]}]
    }
    adapter = StaticAdapter(StaticConfig.model_validate(options))
    assert await adapter.lookup(CustomerNumber(keyed)) == [ayse] * is_found


@pytest.mark.parametrize("number", ["VIP", "000", "C-0", " "])
def test_a_customer_number_that_nobody_can_key_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="has no digits that a caller could key - allowed: a number such as 00123"):
        StaticConfig.model_validate({"contacts": [{"numbers": ["0530 123 45 67"], "customer_number": number}]})


def test_a_field_that_is_no_plain_value_is_refused() -> None:
    with pytest.raises(ValueError, match="has tags, which is no plain value - allowed: texts, numbers, true and false"):
        StaticConfig.model_validate({"contacts": [{"numbers": ["1"], "fields": {"tier": "gold", "tags": ["a"]}}]})
