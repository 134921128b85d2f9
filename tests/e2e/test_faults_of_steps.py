"""A CRM that fails at a search by POST, or at any of three steps behind it, costs nobody a call, nor a known name."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import pytest

from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers
from proxy.testing.http_crm import Behaviour
from tests.e2e.conftest import Serve
from tests.e2e.people import TOKEN, source
from tests.e2e.running import SLACK, Answer, Serving, answered_for, call
from tests.e2e.test_faults_of_a_rest_crm import BEHAVIOURS
from tests.servers import free_port

TIMEOUT = 0.4
DEADLINE = 1.0
"""Seconds; long enough for a search and for steps, each of which has the timeout"""
BOUND = DEADLINE + SLACK

HEAD = f"""
[switch]
deadline = {DEADLINE}
default = "queue/200"
[routing]
unknown = "queue/202"
[[rules]]
name = "own agent"
when = {{ extension = {{ present = true }} }}
target = "user/{{extension}}"
[[rules]]
name = "gold"
when = {{ tier = "gold" }}
target = "queue/201"
"""

OPTIONS = """
method = "POST"
url = "{url}/search"
bearer = "{token}"
body = {{ where = {{ phone = "{{e164}}" }} }}
record = "items"
name = "name"
numbers = "phone"
fields = {{ tier = "tier", owner_id = "owner", team_id = "team" }}

[[sources.options.steps]]
step = "owner"
url = "/owners/{{owner_id}}"
fields = {{ login = "login" }}

[[sources.options.steps]]
step = "team"
method = "POST"
url = "/teams"
form = {{ id = "{{team_id}}", "key[]" = "{token}" }}
fields = {{ team = "title" }}

[[sources.options.steps]]
step = "extension"
url = "/extensions"
query = {{ login = "{{login}}" }}
record = "found"
fields = {{ extension = "number" }}
"""

SEARCH, STEPS = "/search", ("/owners/7", "/teams", "/extensions")
WHOLE = {"name": "Örnek Şahıs Bir", "target": "user/1005"}
WITHOUT_A_STEP = {"name": "Örnek Şahıs Bir", "target": "queue/201"}
NOTHING = ({"target": "queue/200"}, {"target": "queue/202"})
"""What is answered when nobody can tell, or when what came is somebody else's record"""

LEAVES_ALONE = {
    "answers 429 for an hour": answers(429, b"", {"Retry-After": "3600"}),
    "answers 503 for an hour": answers(503, b"", {"Retry-After": "3600"}),
}
"""After these a CRM is not asked for a while, and so each has a server of its own"""

BOMB = zlib.compress(b'{"items": [' + b" " * 20_000_000, wbits=zlib.MAX_WBITS | 16)
FAULTS = {
    **BEHAVIOURS,
    **LEAVES_ALONE,
    "answers a compression bomb": answers(200, BOMB, {"Content-Encoding": "gzip"}),
}

HOLDS_UP = frozenset({"hangs", "answers a byte at a time"})
"""Faults after which there is no time left for the steps behind"""

NUMBERS = count(10_000)
"""The last digits of numbers that have not been asked about yet"""

slowest: dict[str, float] = {}


def answer(request: Request) -> object:
    if request.path == SEARCH:
        number = request.json()["where"]["phone"]
        return {"items": [{"name": "Örnek Şahıs Bir", "phone": number, "tier": "gold", "owner": 7, "team": "a"}]}
    return {
        "/owners/7": {"login": "veli"},
        "/teams": {"title": "sales"},
        "/extensions": {"found": [{"number": "1005"}]},
    }[request.path]


def only_at(place: str, fault: Behaviour, crm: HttpCrm) -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await (fault if request.path == place else crm._behave)(request, writer)

    return behave


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def toml(port: int) -> str:
    options = OPTIONS.format(url=f"http://127.0.0.1:{port}", token=TOKEN)
    return HEAD + source("rest", options, f"timeout = {TIMEOUT}\nattempts = 1")


@pytest.fixture(scope="module")
def shared(serve: Serve, toml: str, figure: Callable[[str], None]) -> Iterator[Serving]:
    with serve(toml) as serving:
        yield serving
    if slowest:
        worst = max(slowest, key=slowest.__getitem__)
        figure(
            f"REST CRM, {len(FAULTS)} faults at a POST and at each of {len(STEPS)} steps, {len(slowest)} in all: "
            f"all answered, name kept; slowest {slowest[worst] * 1000:.0f} ms ({worst}; deadline "
            f"{DEADLINE * 1000:.0f} ms)"
        )


@pytest.fixture
def server(shared: Serving, serve: Serve, toml: str, fault: str) -> Iterator[Serving]:
    if fault not in LEAVES_ALONE:
        yield shared
        return
    patient = toml.replace(f"deadline = {DEADLINE}", "deadline = 15").replace(f"timeout = {TIMEOUT}", "timeout = 10")
    with serve(patient) as serving:  # whoever came late would be followed by nobody
        yield serving


@pytest.fixture
async def crm(port: int) -> AsyncIterator[HttpCrm]:
    crm = HttpCrm(answer)
    crm.port = port
    await crm.start()
    yield crm
    await crm.stop()


async def heard(serving: Serving, expected: object, what: str = "") -> Answer:
    """Call from a number of its own; from another one where the CRM was late."""
    answered = await answered_for(lambda: call(serving, f"053255{next(NUMBERS)}"), expected, TIMEOUT)
    assert answered.status == 200
    assert answered.seconds < BOUND
    if what:
        slowest[what] = answered.seconds
    return answered


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_the_crm_does_to_a_post_the_call_is_answered_in_time(
    server: Serving, crm: HttpCrm, fault: str
) -> None:
    crm.behaviour = only_at(SEARCH, FAULTS[fault], crm)
    assert (await heard(server, NOTHING[0], f"POST: {fault}")).said in NOTHING
    assert crm.requests[-1].method == "POST"
    assert {request.path for request in crm.requests} == {SEARCH}, "without a contact there is no step"
    crm.behaviour = None
    if fault not in LEAVES_ALONE:
        assert (await heard(server, WHOLE)).said == WHOLE


@pytest.mark.parametrize("place", STEPS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_the_crm_does_to_a_step_the_name_is_kept_and_the_call_answered_in_time(
    server: Serving, crm: HttpCrm, fault: str, place: str
) -> None:
    crm.behaviour = only_at(place, FAULTS[fault], crm)
    goes_on = place == "/teams" and fault not in HOLDS_UP | LEAVES_ALONE.keys()
    expected = WHOLE if goes_on else WITHOUT_A_STEP
    assert (await heard(server, expected, f"{place}: {fault}")).said == expected
    assert crm.requests[-1].path in STEPS
    crm.behaviour = None
    if fault not in LEAVES_ALONE:
        assert (await heard(server, WHOLE)).said == WHOLE


@pytest.mark.parametrize("fault", ["answers 500"])
async def test_the_log_says_which_step_failed_and_neither_number_nor_token(
    server: Serving, crm: HttpCrm, fault: str
) -> None:
    before = len(server.lines("source_incomplete"))
    crm.behaviour = only_at("/teams", FAULTS[fault], crm)
    assert (await heard(server, WHOLE)).said == WHOLE, "a step that others do not need"
    line = await server.line("source_incomplete", before + 1)
    assert (line["source"], line["error"]) == ("crm", "team: the CRM has trouble of its own (500)")
    assert TOKEN not in server.text()
    assert server.lines("bug") == []
