"""A CRM whose search is fuzzy, and that always finds somebody: the caller is unknown, and never greeted as another."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any

import pytest

from proxy.testing import HttpCrm, Request
from tests.e2e.conftest import Serve
from tests.e2e.people import head, source
from tests.e2e.running import Serving, call
from tests.servers import free_port

CALLER = "0532 111 22 33"

NEIGHBOURS: dict[str, object] = {
    "another last digit": "0532 111 22 34",
    "another operator, the same seven digits": "0533 111 22 33",
    "a landline with the same seven digits": "(0212) 111 22 33",
    "the same digits abroad": "+49 532 111 22 33",
    "the same digits in Morocco": "00212 532 111 22 33",
    "a digit before": "1 0532 111 22 33",
    "a digit behind": "0532 111 22 334",
    "without its last digit": "0532 111 22 3",
    "a whole number": 5331112233,
    "a number with a fraction": 5331112233.0,
    "among words": "Ev: 0533 111 22 33 (akşam), iş: 0212 555 10 10 dahili 12",
    "two in one field": "0533 111 22 33 / 0212 555 10 10",
    "a list": ["0533 111 22 33", "+90 212 555 10 10", None, ""],
    "an extension": "2233",
    "an account number": "TR33 0006 1005 3211 1223 3000 01",
    "masked": "0532 *** ** 33",
    "with letters between": "0532 1112a233",
}
UNREADABLE: dict[str, object] = {
    "nothing": None,
    "an empty text": "",
    "an empty list": [],
    "false": False,
    "a table": {"number": CALLER},
    "lists in lists": [[CALLER]],
}
"""In these there is no number that can be compared: nobody can tell, and so the call goes where such calls go"""

CALLERS = (CALLER, "+49 532 111 22 35", "0212 111 22 35", "444 0 555")

OPTIONS = """
url = "{url}/search"
query = {{ q = "{{number}}", in = "{{field}}" }}
spellings = ["{{subscriber | mask('(###) ### ## ##')}}", "{{digits | last(7)}}"]
each = {{ field = ["phone", "mobile"] }}
at_once = {at_once}
record = "found || @"
name = "name"
id = "id"
numbers = "phones"
fields = {{ tier = "tier", extension = "extension", owner = "owner" }}

[[sources.options.steps]]
step = "owner"
url = "/owners/{{owner}}"
fields = {{ extension = "extension" }}
"""

NUMBERS = count(1)


def neighbour(phones: object) -> dict[str, Any]:
    """Return a record that any rule would like."""
    number = next(NUMBERS)
    return {"id": number, "name": "Yanlış Kişi", "phones": phones, "tier": "gold", "extension": "1009", "owner": 7}


def shapes(phones: object) -> dict[str, Callable[[], object]]:
    return {
        "a list of one": lambda: {"found": [neighbour(phones)]},
        "one record": lambda: neighbour(phones),
        "a bare list of many": lambda: [neighbour(phones) for _ in range(50)],
    }


class Fuzzy:
    """Answers whatever it is told to, whoever is looked for."""

    def __init__(self) -> None:
        self.said: object = []
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> object:
        self.asked.append(request)
        return {"extension": "1009"} if request.path.startswith("/owners") else self.said


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module", params=[1, 4], ids=["one after another", "at once"])
def serving(serve: Serve, port: int, request: pytest.FixtureRequest) -> Iterator[Serving]:
    options = OPTIONS.format(url=f"http://127.0.0.1:{port}", at_once=request.param)
    not_kept = "\n[cache]\nttl = 0.001\nnegative_ttl = 0.001\nstale = 0\n"
    limits = "timeout = 10\nattempts = 1\nbreaker_failures = 1000"
    with serve(head(more=not_kept) + source("rest", options, limits)) as serving:
        yield serving


@pytest.fixture
async def fuzzy(port: int) -> AsyncIterator[Fuzzy]:
    fuzzy = Fuzzy()
    crm = HttpCrm(fuzzy)
    crm.port = port
    await crm.start()
    yield fuzzy
    await crm.stop()


@pytest.mark.parametrize("kind", NEIGHBOURS)
async def test_somebody_else_s_record_leaves_the_caller_unknown(serving: Serving, fuzzy: Fuzzy, kind: str) -> None:
    for shape, said in shapes(NEIGHBOURS[kind]).items():
        fuzzy.said, fuzzy.asked = said(), []
        for caller in CALLERS:
            heard = await call(serving, caller)
            assert (heard.status, heard.said) == (200, {"target": "queue/202"}), f"{shape}, {caller}"
        assert {request.path for request in fuzzy.asked} == {"/search"}, "about a neighbour nothing more is asked"


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_a_record_whose_numbers_cannot_be_read_is_nobody_s(serving: Serving, fuzzy: Fuzzy, kind: str) -> None:
    for shape, said in shapes(UNREADABLE[kind]).items():
        fuzzy.said = said()
        heard = await call(serving, CALLER)
        assert (heard.status, heard.said) == (200, {"target": "queue/200"}), shape


async def test_the_caller_is_found_among_neighbours(
    serving: Serving, fuzzy: Fuzzy, figure: Callable[[str], None]
) -> None:
    mine = {**neighbour([None, "+90 (532) 111-22-33"]), "name": "Doğru Kişi", "tier": "silver", "extension": None}
    others = [neighbour(phones) for phones in NEIGHBOURS.values()]
    fuzzy.said = [*others, neighbour(None), mine, *others]
    assert (await call(serving, CALLER)).said == {"name": "Doğru Kişi", "target": "user/1009"}
    assert fuzzy.asked[-1].path == "/owners/7"
    asked = len(NEIGHBOURS) * 3 * len(CALLERS)
    figure(f"a fuzzy CRM, {len(NEIGHBOURS)} kinds of neighbours in 3 shapes, {asked} calls: always unknown")
