"""A CRM that speaks HTTP, with a few customers."""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adapters.rest import RestAdapter, RestConfig
from proxy.adapter import By
from proxy.testing import CrmUnderTest, HttpCrm, Request, phone
from proxy.testing.behaviours import answers, hangs

KNOWN = {f"0530 123 45 {n:02}": f"Müşteri {n}" for n in range(30)}
CUSTOMERS = {f"00{100 + n}": f"Müşteri {n}" for n in range(30)}
PEOPLE = {phone(number).e164: name for number, name in KNOWN.items()}
AYSE = phone("0530 123 45 67")

OPTIONS: Mapping[str, Any] = {
    "query": {"phone": "{e164}"},
    "record": "items",
    "name": "name",
    "id": "id",
    "numbers": "phones[].number",
    "fields": {"tier": "account.tier"},
}


BY_CUSTOMER_NUMBER: Mapping[str, Any] = {
    **OPTIONS,
    "query": {"customer": "{customer_number}"},
    "customer_number": "code",
}


def answer(request: Request) -> dict[str, list[dict[str, Any]]]:
    """Answer as such CRMs do: a list of records, empty when there is none."""
    if (code := request.query.get("customer")) is not None:
        return {"items": [{"name": CUSTOMERS[code], "code": f"C-{code}"}] if code in CUSTOMERS else []}
    number = request.query["phone"]
    if number not in PEOPLE:
        return {"items": []}
    record = {"id": 7, "name": PEOPLE[number], "phones": [{"number": number}], "account": {"tier": "gold"}}
    return {"items": [record]}


BEARER, KEY = "ge/heim", "şifre 99"
FURTHER: Mapping[str, Any] = {
    "bearer": BEARER,
    "secrets": {"key": KEY},
    "fields": {"tier": "account.tier", "owner": "owner"},
    "steps": [{"step": "owner", "url": "/owners/{owner}", "query": {"of": "{digits}"}, "fields": {"login": "login"}}],
    "maps": {"extension": {"of": "login", "url": "/phones?k={key}", "key": "agent", "value": "number"}},
}
"""What is asked about a contact that was found, and with what"""


def answer_further(request: Request) -> object:
    """Answer what FURTHER asks, to those who may ask."""
    if request.headers.get("authorization") != f"Bearer {BEARER}":
        return None
    if request.path == "/phones":
        return [{"agent": "veli", "number": "1003"}] if request.query == {"k": KEY} else None
    if request.path == "/owners/3":
        return {"login": "veli"}
    said = answer(request)
    return {"items": [{**record, "owner": 3} for record in said["items"]]}


@asynccontextmanager
async def opened(url: str, role: str | None = None, **options: Any) -> AsyncIterator[RestAdapter]:
    """Give an open adapter."""
    adapter = RestAdapter(RestConfig.model_validate({"url": url, **options}, context={"role": role} if role else None))
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


class RestCrm(CrmUnderTest):
    known: Mapping[str, str] = KNOWN
    unknown: Sequence[str] = ("0531 123 45 67", "+49 30 89680211")
    secrets = (BEARER, KEY, b64encode(KEY.encode()).decode())
    by = frozenset({By.PHONE_NUMBER})

    def __init__(self) -> None:
        self.http = HttpCrm(answer_further)

    def adapter(self) -> RestAdapter:
        return RestAdapter(RestConfig.model_validate({"url": f"{self.http.url}/contacts", **OPTIONS, **FURTHER}))

    async def start(self) -> None:
        await self.http.start()

    async def stop(self) -> None:
        await self.http.stop()

    async def go_down(self) -> None:
        await self.http.stop()

    async def hang(self) -> None:
        self.http.behaviour = hangs

    async def answer_garbage(self) -> None:
        self.http.behaviour = answers(200, b"<html>Hello</html>")

    async def refuse(self) -> None:
        self.http.behaviour = answers(401)

    async def come_back(self) -> None:
        self.http.behaviour = None
        if not self.http.is_running:
            await self.http.start()


class RestCrmByCustomerNumber(RestCrm):
    known = {}  # noqa: RUF012 - as the base class has it
    unknown = ()
    known_customers = CUSTOMERS
    unknown_customers = ("00130", "9" * 20)
    by = frozenset({By.CUSTOMER_NUMBER})

    def adapter(self) -> RestAdapter:
        steps = [{**FURTHER["steps"][0], "query": {"of": "{customer_number}"}}]
        options = {"url": f"{self.http.url}/contacts", **BY_CUSTOMER_NUMBER, **FURTHER, "steps": steps}
        return RestAdapter(RestConfig.model_validate(options, context={"role": "find", "by": self.by}))
