"""A thousand calls at once make one lookup, whatever becomes of it."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from proxy.testing import HttpCrm, Request
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, answer_of_the_crm, head, rest_options, source
from tests.e2e.running import PATIENCE, Serving, answers_in

CROWD = 1000
KNOWN = PEOPLE[0].number
REQUEST = b"GET /musteri.json?telefon=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LIMITS = "timeout = 25\nattempts = 1\nconcurrency = 2000"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Gate:
    """Has the CRM wait with its answer until it is opened."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def behave(self, _: Request, writer: asyncio.StreamWriter) -> None:
        self.reached.set()
        await self.open.wait()
        writer.write(self.body)


def response(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


GOOD = response(200, json.dumps(answer_of_the_crm(Request("GET", "/?phone=%2B905325550001", {}, b""))).encode())
BAD = response(500, b"{}")


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(answer_of_the_crm) as crm:
        yield crm


@pytest.fixture
def server(serve: Serve, crm: HttpCrm) -> Iterator[Serving]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    toml = head(deadline=30) + source("rest", rest_options(crm.url), LIMITS)
    with serve(toml) as serving:
        yield serving


async def ask(port: int, number: bytes) -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST % number)
    await writer.drain()
    return reader, writer


async def hear(connection: Connection) -> object:
    """Return the answer on a connection, which the server closes after it."""
    reader, writer = connection
    ((status, _, body),) = answers_in(await asyncio.wait_for(reader.read(), PATIENCE))
    writer.close()
    assert status == 200
    return json.loads(body)


async def all_are_in(serving: Serving) -> None:
    """Return when the server has read what was sent before: connections are taken in their order."""
    for _ in range(3):
        assert await hear(await ask(serving.port, b"1003")) == {"target": "group/700"}


async def test_a_thousand_calls_of_one_number_make_one_lookup(
    server: Serving, crm: HttpCrm, figure: Callable[[str], None]
) -> None:
    gate = Gate(GOOD)
    crm.behaviour = gate.behave
    crowd = await asyncio.gather(*(ask(server.port, b"05325550001") for _ in range(CROWD)))
    await all_are_in(server)
    assert len(crm.requests) == 1
    started = asyncio.get_running_loop().time()
    gate.open.set()
    heard = await asyncio.gather(*map(hear, crowd))
    took = asyncio.get_running_loop().time() - started
    assert [said for said in heard if said != EXPECTED[KNOWN]] == []
    assert len(crm.requests) == 1
    figure(f"{len(heard)} simultaneous calls of one number: 1 lookup, all right; {took:.2f} s from the CRM's answer")


async def test_a_lookup_that_fails_is_not_repeated_for_each_of_a_thousand(server: Serving, crm: HttpCrm) -> None:
    gate = Gate(BAD)
    crm.behaviour = gate.behave
    crowd = await asyncio.gather(*(ask(server.port, b"05325550001") for _ in range(CROWD)))
    await all_are_in(server)
    gate.open.set()
    heard = await asyncio.gather(*map(hear, crowd))
    assert [said for said in heard if said != {"target": "queue/200"}] == []
    assert len(crm.requests) == 1
    crm.behaviour = None
    assert await hear(await ask(server.port, b"05325550001")) == EXPECTED[KNOWN]
    assert len(crm.requests) == 2


async def test_the_first_caller_who_hangs_up_takes_the_lookup_from_nobody(server: Serving, crm: HttpCrm) -> None:
    gate = Gate(GOOD)
    crm.behaviour = gate.behave
    _, first = await ask(server.port, b"05325550001")
    await gate.reached.wait()
    first.transport.abort()
    crowd = await asyncio.gather(*(ask(server.port, b"05325550001") for _ in range(CROWD - 1)))
    await all_are_in(server)
    gate.open.set()
    heard = await asyncio.gather(*map(hear, crowd))
    assert [said for said in heard if said != EXPECTED[KNOWN]] == []
    assert len(crm.requests) == 1


async def test_a_lookup_that_nobody_waits_for_any_more_warms_the_cache(server: Serving, crm: HttpCrm) -> None:
    gate = Gate(GOOD)
    crm.behaviour = gate.behave
    _, only = await ask(server.port, b"05325550001")
    await gate.reached.wait()
    only.transport.abort()
    await all_are_in(server)
    gate.open.set()
    await server.line("call", 4)
    crm.behaviour = None
    assert await hear(await ask(server.port, b"05325550001")) == EXPECTED[KNOWN]
    assert len(crm.requests) == 1


async def test_an_answer_that_comes_after_the_deadline_warms_the_cache(serve: Serve, crm: HttpCrm) -> None:
    gate = Gate(GOOD)
    crm.behaviour = gate.behave
    with serve(head(deadline=0.2) + source("rest", rest_options(crm.url), LIMITS)) as serving:
        assert await hear(await ask(serving.port, b"05325550001")) == {"target": "queue/200"}
        gate.open.set()
        assert EXPECTED[KNOWN] in [await hear(await ask(serving.port, b"05325550001")) for _ in range(50)]
    assert len(crm.requests) == 1


async def test_a_thousand_calls_of_a_thousand_numbers_get_their_own_answers(
    serve: Serve, figure: Callable[[str], None]
) -> None:
    def somebody(request: Request) -> object:
        phone = request.query["phone"]
        return {
            "items": [
                {"title": "Örnek " + "".join(chr(ord("a") + int(digit)) for digit in phone[1:]), "phones": [phone]}
            ]
        }

    async with HttpCrm(somebody) as crm:
        with serve(head(deadline=30) + source("rest", rest_options(crm.url), LIMITS)) as serving:
            started = asyncio.get_running_loop().time()
            numbers = [b"0532556%04d" % place for place in range(CROWD)]
            crowd = await asyncio.gather(*(ask(serving.port, number) for number in numbers))
            heard = await asyncio.gather(*map(hear, crowd))
            took = asyncio.get_running_loop().time() - started
            for number, said in zip(numbers, heard, strict=True):
                letters = "".join(chr(ord("a") + int(digit)) for digit in f"9{number.decode()}")
                assert said == {"name": f"Örnek {letters}", "target": "queue/200"}
            assert len(crm.requests) == CROWD
    figure(f"{CROWD} simultaneous calls of as many numbers: each its own answer, {took:.2f} s in all")
