"""The same job as people write it: FastAPI, httpx, cachetools, phonenumbers. Uvicorn starts it; see its environment.

CRM is the CRM's URL; the numbers up to WARM are known from the start, as a CRM would take a minute to tell of them.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import compare_digest

import httpx
import phonenumbers
from cachetools import TTLCache
from fastapi import FastAPI
from pydantic import BaseModel

from tests.bench.load import TOKEN, name

RULES = [("owner", f"agent{n}", f"user/{1000 + n}") for n in range(9)] + [("tier", "gold", "queue/201")]


class Contact(BaseModel):
    """What the CRM has."""

    title: str
    tier: str
    owner: str
    balance: float


class Answer(BaseModel):
    """What the switch is told."""

    name: str | None = None
    target: str


cache: TTLCache[str, Contact | None] = TTLCache(maxsize=50_000, ttl=3600)
for n in range(int(os.environ.get("WARM", "0"))):
    cache[f"+90530{n:07}"] = Contact(title=name(n), tier="gold", owner="nobody", balance=12.5)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=os.environ["CRM"], timeout=1.5) as client:
        app.state.crm = client
        yield


def e164(telefon: str) -> str | None:
    try:
        number = phonenumbers.parse(telefon, "TR")
    except phonenumbers.NumberParseException:
        return None
    is_valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if is_valid else None


def route(contact: Contact | None) -> Answer:
    if contact is None:
        return Answer(target="queue/202")
    for field, value, target in RULES:
        if getattr(contact, field) == value:
            return Answer(name=contact.title, target=target)
    return Answer(name=contact.title, target="queue/200")


async def lookup(number: str) -> Contact | None:
    response = await app.state.crm.get("/contacts", params={"phone": number})
    response.raise_for_status()
    items = response.json()["items"]
    return Contact(**items[0]) if items else None


async def answer(token: str, telefon: str) -> Answer:
    if not compare_digest(token, TOKEN):
        return route(None)
    number = e164(telefon)
    if number is None:
        return Answer(target="queue/200")
    if number not in cache:
        try:
            cache[number] = await lookup(number)
        except httpx.HTTPError:
            return Answer(target="queue/200")
    return route(cache[number])


app = FastAPI(lifespan=lifespan, openapi_url=None)
app.add_api_route("/{token}/musteri.json", answer, response_model=Answer)
