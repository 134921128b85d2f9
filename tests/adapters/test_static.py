import pytest

from adapters.static import StaticAdapter, StaticConfig
from proxy.adapter import Contact
from proxy.testing import AdapterContract, CrmUnderTest, phone

KNOWN = {f"0530 123 45 {n:02}": f"Müşteri {n}" for n in range(20)}


class StaticCrm(CrmUnderTest):
    known = KNOWN
    unknown = ("0531 123 45 67", "+49 30 89680211")

    def adapter(self) -> StaticAdapter:
        contacts = [{"numbers": [number], "name": name} for number, name in self.known.items()]
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


def test_a_field_that_is_no_plain_value_is_refused() -> None:
    with pytest.raises(ValueError, match="has tags, which is no plain value - allowed: texts, numbers, true and false"):
        StaticConfig.model_validate({"contacts": [{"numbers": ["1"], "fields": {"tier": "gold", "tags": ["a"]}}]})
