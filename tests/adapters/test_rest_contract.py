from proxy.testing import AdapterContract
from tests.adapters.rest_crm import RestCrm


class TestRest(AdapterContract):
    crm_class = RestCrm
