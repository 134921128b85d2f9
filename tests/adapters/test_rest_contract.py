from proxy.adapter import CustomerNumber
from proxy.testing import AdapterContract
from tests.adapters.rest_crm import AYSE, RestCrm, RestCrmByCustomerNumber


class TestRest(AdapterContract):
    crm_class = RestCrm

    async def test_the_step_and_the_map_have_something_to_add(self, crm: RestCrm) -> None:
        adapter = crm.adapter()
        await adapter.open()
        (contact,) = await adapter.lookup(crm.number("0530 123 45 01"))
        versions = [dict(version.fields) async for version in adapter.complete(contact, AYSE)]
        await adapter.close()
        assert versions[-1] == {"tier": "gold", "owner": 3, "login": "veli", "extension": "1003"}


class TestRestByCustomerNumber(AdapterContract):
    crm_class = RestCrmByCustomerNumber

    async def test_the_step_names_the_customer_and_the_map_adds_to_it(self, crm: RestCrmByCustomerNumber) -> None:
        keyed = CustomerNumber("00101")
        adapter = crm.adapter()
        await adapter.open()
        (contact,) = await adapter.lookup(keyed)
        versions = [version async for version in adapter.complete(contact, keyed)]
        await adapter.close()
        assert dict(versions[-1].fields) == {"tier": None, "owner": 3, "login": "veli", "extension": "1003"}
        assert {version.customer_number for version in versions} == {"C-00101"}
        assert crm.http.requests[-1].query == {"of": "00101"}
