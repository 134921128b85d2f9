from proxy.testing import AdapterContract
from tests.adapters.rest_crm import AYSE, RestCrm


class TestRest(AdapterContract):
    crm_class = RestCrm

    async def test_the_step_and_the_map_have_something_to_add(self, crm: RestCrm) -> None:
        adapter = crm.adapter()
        await adapter.open()
        (contact,) = await adapter.lookup(crm.number("0530 123 45 01"))
        versions = [dict(version.fields) async for version in adapter.complete(contact, AYSE)]
        await adapter.close()
        assert versions[-1] == {"tier": "gold", "owner": 3, "login": "veli", "extension": "1003"}
