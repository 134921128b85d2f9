"""What callers try to say to a CRM is a number, or nobody is asked; and a CRM sends us to no other host."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.adapter import AdapterError
from proxy.config import load
from proxy.deployment import Deployment
from proxy.model import Call, Reason
from proxy.phone import parse_caller
from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers
from tests.adapters.raw_crm import RawCrm, raw_crm
from tests.adapters.rest_crm import AYSE, opened

PLAIN_NUMBER = "05301234567"
NUMBERS = (
    f"{PLAIN_NUMBER}' or '1'='1",
    f'{PLAIN_NUMBER}"}}, {{"a": "b',
    f"{PLAIN_NUMBER}\\",
    f"{PLAIN_NUMBER}\r\nX-Evil: 1",
    f"{PLAIN_NUMBER}\x00",
    f"{PLAIN_NUMBER}/../../admin",
    f"{PLAIN_NUMBER}&limit=9999",
    f"{PLAIN_NUMBER}#",
    f"{PLAIN_NUMBER}%",
    "0530123456_",
    "%",
    "*",
    "{e164}",
    "}}",
    "٠٥٣٠١٢٣٤٥٦٧",
    "０５３０１２３４５６７",
    f"{PLAIN_NUMBER}\u202e",
    f"tel:{PLAIN_NUMBER};phone-context=evil.example",
    "5" * 10_000,
    "' or 1=1 --",
)
SPELT = (
    f"../{PLAIN_NUMBER}",
    "+90 (530) 123-45-67",
    " 0530.123.45.67 ",
    "[0530] 123/45/67",
    "+905301234567",
    "0090 530 123 45 67",
)

EVERYWHERE = """
[switch]
default = "queue/200"
[[sources]]
name = "crm"
adapter = "rest"
timeout = 5
[sources.options]
method = "POST"
url = "{url}/c/{{e164}}?$filter=phone eq '{{spaced}}'"
query.f = {{ phone = ["{{digits}}", "{{numbers}}"] }}
query.q = "FIND {{{{subscriber}}}}"
query.like = "%{{digits | last(7)}}%"
headers = {{ X-Phone = "{{spaced_international}}" }}
body.where = '''phone IN ('{{numbers | soql | join("','")}}')'''
body.re = "^{{e164 | regex}}$"
name = "name"
numbers = "numbers"
"""


@pytest.fixture
async def crm() -> AsyncIterator[RawCrm]:
    async with raw_crm() as crm:
        yield crm


async def routed(number: str, crm: RawCrm, folder: Path) -> Reason:
    """Have a call routed as the server would, and return why it goes where it goes."""
    file = folder / "config.toml"
    file.write_text(EVERYWHERE.format(url=crm.url), encoding="utf-8")
    async with Deployment(load(file)) as deployment:
        call = Call(parse_caller(number, "TR"), datetime(2026, 11, 23, 12, tzinfo=UTC))
        return (await deployment.router.route(call)).reason


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: ascii(number[:30]))
async def test_a_hostile_number_is_not_asked_about_at_all(number: str, crm: RawCrm, tmp_path: Path) -> None:
    assert await routed(number, crm, tmp_path) is Reason.BAD_NUMBER
    assert crm.received == []


@pytest.mark.parametrize("number", SPELT)
async def test_all_that_is_left_of_a_number_are_its_digits(number: str, crm: RawCrm, tmp_path: Path) -> None:
    for spelling in (PLAIN_NUMBER, number):
        assert await routed(spelling, crm, tmp_path) is Reason.NO_RULE
    first, second = crm.received
    assert first == second
    assert crm.target == (
        "/c/%2B905301234567?$filter=phone%20eq%20'0530%20123%2045%2067'"
        "&f=%7B%22phone%22%3A%5B%22905301234567%22%2C%5B%22%2B905301234567%22%2C%22905301234567%22%2C"
        "%2205301234567%22%2C%225301234567%22%2C%2200905301234567%22%5D%5D%7D"
        "&q=FIND%20%7B5301234567%7D&like=%251234567%25"
    )
    assert b"X-Phone: +90 530 123 45 67" in crm.lines
    assert crm.body == (
        b"{\"where\": \"phone IN ('+905301234567','905301234567','05301234567','5301234567','00905301234567')\", "
        b'"re": "^\\\\+905301234567$"}'
    )


# ---------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_to_another_host_is_not_followed(status: int, method: str) -> None:
    async with HttpCrm(lambda _: [{"name": "Evil"}]) as other, HttpCrm(lambda _: None) as crm:
        crm.behaviour = answers(status, b"", {"Location": f"{other.url}/latest/meta-data"})
        body = {"phone": "{e164}"} if method == "POST" else None
        async with opened(f"{crm.url}/{{e164}}", "find", name="name", method=method, body=body, bearer="t") as adapter:
            with pytest.raises(AdapterError, match=rf"^the CRM redirects, which is not followed \({status}\)$"):
                await adapter.lookup(AYSE)
        assert (len(crm.requests), other.requests) == (1, [])
