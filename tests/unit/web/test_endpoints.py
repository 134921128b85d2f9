"""What programs are told on the operator's own address: health, metrics, the journal, and what they may push."""

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.actions import Transfer
from proxy.breaker import State
from proxy.errors import ProxyError
from proxy.gauges import OneSource
from proxy.journal import Answered
from proxy.model import Asked, Reason, Via
from proxy.routing import Decision
from proxy.target import Target
from proxy.web.admin import AdminListener
from tests.unit.fakes import NUMBER, OTHER_NUMBER, Bugs
from tests.unit.test_journal import answered
from tests.unit.web.listening import ListenerServer
from tests.unit.web.operated import GAUGES, FakeOperated

TOKEN, PUSH = "made-up-token-of-the-operator", "made-up-token-of-the-crm"
MOMENT = datetime.fromtimestamp(1_795_000_000, UTC).isoformat()
RIGHT, PUSHING = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"Bearer {PUSH}"}

Client = TestClient[web.BaseRequest, None]


@pytest.fixture
def operated() -> FakeOperated:
    return FakeOperated()


@pytest.fixture
async def client(
    aiohttp_client: Callable[[ListenerServer], Awaitable[Client]], operated: FakeOperated, bugs: Bugs
) -> Client:
    return await aiohttp_client(ListenerServer(AdminListener(operated, TOKEN, PUSH, bugs)))


@pytest.fixture
async def unguarded(
    aiohttp_client: Callable[[ListenerServer], Awaitable[Client]], operated: FakeOperated, bugs: Bugs
) -> Client:
    return await aiohttp_client(ListenerServer(AdminListener(operated, None, PUSH, bugs)))


@pytest.fixture
async def open_to_this_machine(
    aiohttp_client: Callable[[ListenerServer], Awaitable[Client]], operated: FakeOperated, bugs: Bugs
) -> Client:
    return await aiohttp_client(ListenerServer(AdminListener(operated, None, None, bugs)))


async def get(client: Client, path: str, **headers: str) -> tuple[int, str]:
    async with client.get(path, headers=headers or RIGHT) as response:
        return response.status, await response.text()


async def push(client: Client, path: str = "/invalidate", **how: Any) -> tuple[int, Any]:
    async with client.post(path, **how) as response:
        return response.status, json.loads(await response.text())


# ---------------------------------------------------------------------------------------- health


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("host", ["localhost", "10.0.0.7:9090", "tanima.example.com"])
async def test_that_we_live_is_told_to_everybody_whatever_is_broken(
    client: Client, unguarded: Client, operated: FakeOperated, path: str, host: str
) -> None:
    operated.state = replace(GAUGES, sources={"crm": OneSource(State.OPEN, State.OPEN, 100, 100)}, is_refused=True)
    for each in (client, unguarded):
        assert await get(each, path, Host=host) == (200, '{"status": "ok"}')
        async with each.head(path, headers={"Host": host}) as response:
            assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/journal", "/erase", "/invalidate"])
async def test_all_else_needs_the_token(client: Client, path: str) -> None:
    for headers in ({"X-Token": "a-wrong-one-of-some-length"}, *([PUSHING] if path != "/invalidate" else [])):
        for method in ("GET", "POST"):
            async with client.request(method, path, headers=headers) as response:
                assert response.status == 403


async def test_a_deployment_that_is_well_says_so(client: Client, operated: FakeOperated) -> None:
    operated.state = replace(GAUGES, snapshot_at=1_795_000_000.0)
    for via in (Via.CACHE, Via.CACHE, Via.CRM, Via.NONE):
        operated.figures.count_call(answered(reason=Reason.RULE, via=via), 1.5, operated.time - 10)
    operated.figures.count_call(answered(reason=Reason.CRM_FAILED, via=Via.NONE), 1.5, operated.time - 1000)
    status, text = await get(client, "/healthz")
    told = json.loads(text)
    assert (status, told["status"], told["version"]) == (200, "ok", "1.2.3")
    p50, p99 = told["calls"].pop("p50_ms"), told["calls"].pop("p99_ms")
    assert 5 < p50 <= p99 <= 10
    assert told["calls"] == {
        "seconds": 300.0,
        "count": 4,
        "failed_open": 0,
        "from_cache": 2,
        "from_stale": 0,
        "looked_up": 3,
        "deadline_ms": 1500.0,
    }
    assert told["sources"] == {"crm": {"state": "closed", "completing": "closed", "under_way": 0, "error": None}}
    assert told["cache"] == {"entries": 7, "size": 50000, "flights": 0}
    assert told["configuration"] == {"refused": False, "taken_at": MOMENT}
    assert told["snapshot"] == {"written_at": MOMENT}


@pytest.mark.parametrize("trouble", ["source", "configuration", "calls"])
async def test_one_that_is_not_is_degraded_and_still_200(client: Client, operated: FakeOperated, trouble: str) -> None:
    if trouble == "source":
        operated.state = replace(GAUGES, sources={"crm": OneSource(State.OPEN, State.CLOSED, 3, 100)})
        operated.figures.count_source(Asked("crm", "failed", 1, "HTTP 500"), 0)
    elif trouble == "configuration":
        operated.state = replace(GAUGES, is_refused=True)
    else:
        operated.figures.count_call(answered(reason=Reason.OVERLOAD, via=Via.NONE), 1.5, operated.time)
    status, text = await get(client, "/healthz")
    told = json.loads(text)
    assert (status, told["status"]) == (200, "degraded")
    assert told["snapshot"] == {"written_at": None}
    assert told["calls"]["p99_ms"] is None or trouble == "calls"
    assert told["sources"]["crm"]["error"] == ("HTTP 500" if trouble == "source" else None)


async def test_metrics_are_told_as_prometheus_reads_them(client: Client) -> None:
    async with client.get("/metrics", headers=RIGHT) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert response.headers["Cache-Control"] == "no-store"
        assert 'tanima_build_info{version="1.2.3"} 1.0' in await response.text()


# ---------------------------------------------------------------------------------------- journal


async def test_the_journal_is_a_line_for_each_call_the_oldest_first(client: Client, operated: FakeOperated) -> None:
    given = answered(NUMBER, reason=Reason.RULE)
    operated.journal.add(replace(given, decision=replace(given.decision, rule="all")))
    operated.journal.add(answered(OTHER_NUMBER, reason=Reason.CRM_FAILED, via=Via.NONE, contact=None))
    operated.journal.add(Answered(None, Decision(Transfer(Target("queue", "200")), Reason.REFUSED), 0.001))
    status, text = await get(client, "/journal")
    lines = [json.loads(line) for line in text.splitlines()]
    assert status == 200
    assert [line["entry"] for line in lines] == [1, 2, 3]
    assert [line["reason"] for line in lines] == ["rule", "crm_failed", "refused"]
    assert [line["caller"] for line in lines] == ["+90********67", "+90********33", "none"]
    assert lines[0]["rules"] == [{"rule": "all", "outcome": "matched"}]
    assert lines[2]["rules"] == lines[2]["sources"] == []
    assert "Ahmet" not in text


async def test_what_the_sources_said_is_told(client: Client, operated: FakeOperated) -> None:
    given = answered()
    assert given.decision.knowledge is not None
    asked = (Asked("crm", "failed", 0.6, "no answer within 0.6 s"), Asked("list", "found", 0.0012))
    decision = replace(given.decision, knowledge=replace(given.decision.knowledge, asked=asked))
    operated.journal.add(replace(given, decision=decision))
    _, text = await get(client, "/journal")
    assert json.loads(text)["sources"] == [
        {"source": "crm", "outcome": "failed", "ms": 600.0, "note": "no answer within 0.6 s"},
        {"source": "list", "outcome": "found", "ms": 1.2, "note": None},
    ]


async def test_only_as_far_back_as_is_asked_for(client: Client, operated: FakeOperated) -> None:
    for ago in (7000, 3000, 10):
        operated.journal.add(replace(answered(), at=datetime.now(UTC) - timedelta(seconds=ago)))
    for since, count in (("", 2), ("?since=60", 1), ("?since=86400", 3), ("?since=0.5", 0), ("?since=86399913600", 3)):
        assert len((await get(client, f"/journal{since}"))[1].splitlines()) == count
    for nonsense in ("an-hour", "", "nan", "-1e300"):
        status, text = await get(client, f"/journal?since={nonsense}")
        assert (status, text) == (400, '{"error": "since is no number of seconds - allowed: since=3600"}')


# ---------------------------------------------------------------------------------------- pushes


@pytest.mark.parametrize(
    "headers",
    [
        RIGHT,
        PUSHING,
        {"X-Token": PUSH},
        {"Authorization": "Basic " + base64.b64encode(f"crm:{PUSH}".encode()).decode()},
    ],
)
async def test_a_crm_may_tell_of_a_change_in_json_or_in_the_url(
    client: Client, operated: FakeOperated, headers: dict[str, str]
) -> None:
    assert await push(client, json={"number": "0530 123 45 67"}, headers=headers) == (200, {"known": 3})
    assert await push(client, "/invalidate?number=05321112233", headers=headers) == (200, {"known": 3})
    assert operated.invalidated == [NUMBER, OTHER_NUMBER]


async def test_a_change_that_could_not_be_taken_note_of_is_a_500(client: Client, operated: FakeOperated) -> None:
    operated.answer = ProxyError("not all workers run - allowed: to ask again")
    told = {"error": "not all workers run - allowed: to ask again"}
    assert await push(client, json={"all": True}, headers=PUSHING) == (500, told)


async def test_it_may_tell_that_anything_may_have_changed(client: Client, operated: FakeOperated) -> None:
    assert await push(client, json={"all": True}, headers=PUSHING) == (200, {"known": 3})
    assert await push(client, "/invalidate?all=true", headers=PUSHING) == (200, {"known": 3})
    assert operated.invalidated == [None, None]


@pytest.mark.parametrize(
    "body", [{}, {"all": False}, {"all": "yes"}, {"all": 1.5}, {"all": []}, {"number": None}, [], "05301234567"]
)
async def test_what_names_nobody_invalidates_nobody(client: Client, operated: FakeOperated, body: object) -> None:
    told = {"error": 'has no number - allowed: {"number": "05301234567"}'}
    assert await push(client, json=body, headers=PUSHING) == (400, told)
    assert operated.invalidated == []


async def test_a_number_that_is_none_is_a_400(client: Client) -> None:
    status, told = await push(client, json={"number": "112"}, headers=PUSHING)
    assert status == 400
    assert told["error"].endswith("allowed: a valid phone number")


async def test_somebody_elses_web_page_cannot_have_everything_looked_up_anew(
    open_to_this_machine: Client, operated: FakeOperated
) -> None:
    unguarded = open_to_this_machine
    status, told = await push(unguarded, "/invalidate?all=true")
    assert (status, told["error"].partition(" - ")[0]) == (403, "a number in the URL needs a token in a header")
    assert (await push(unguarded, data=b'{"all": true}', headers={"Content-Type": "text/plain"}))[0] == 415
    assert operated.invalidated == []
    assert await push(unguarded, json={"all": True}) == (200, {"known": 3})


@pytest.mark.parametrize("brought", [{}, {"X-Token": "a-wrong-one-of-some-length"}, RIGHT])
async def test_where_changes_are_pushed_with_a_token_none_is_taken_without_it(
    unguarded: Client, operated: FakeOperated, brought: dict[str, str]
) -> None:
    for how in ({"json": {"all": True}}, {"params": {"all": "true"}}):
        assert (await push(unguarded, headers=brought, **how))[0] == 403
    assert operated.invalidated == []


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
async def test_without_a_token_nobody_is_let_in_by_a_server_in_front(unguarded: Client, header: str) -> None:
    for path in ("/", "/metrics", "/journal"):
        assert (await get(unguarded, path, **{header: "192.0.2.10"}))[0] == 403
    assert (await get(unguarded, "/livez", **{header: "192.0.2.10"}))[0] == 200


async def test_who_may_push_may_do_nothing_else(client: Client, operated: FakeOperated) -> None:
    assert (await push(client, "/erase", json={"number": "05301234567"}, headers=PUSHING))[0] == 403
    assert operated.numbers == []
