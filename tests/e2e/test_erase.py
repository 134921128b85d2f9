"""`tanima erase` beside a running server, and beside none. What a server writes down then: see test_snapshot.py."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp

from proxy.cache import ContactCache
from proxy.config import load
from proxy.deployment import snapshot_of
from proxy.detached import detach
from proxy.snapshot import Caps
from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, SECRETS, answer_of_the_crm, body_of_the_crm, head, rest_options, source
from tests.e2e.running import PATIENCE, Ran, call, run
from tests.servers import free_port

KEY = "made-up-key-of-the-snapshot"
TOKEN = SECRETS[0]
"""Of the operator's address, too: no log may have it"""
CACHE = f'\n[cache]\nsnapshot = "kept/cache.json"\nsnapshot_key = "{KEY}"\n'

GONE, OTHER = (person.number for person in PEOPLE[:2])
KNOWN, UNKNOWN = EXPECTED[GONE], {"target": "queue/202"}
REFUSED = "tanima: the server says: no token, or not the right one - allowed: Authorization: Bearer TOKEN\n"


def toml(url: str, port: int, *, more: str = "", token: str = "", limits: str = "timeout = 28\nattempts = 1") -> str:
    admin = f'\n[admin]\nlisten = "127.0.0.1:{port}"\n' + (f'token = "{token}"\n' if token else "")
    return head(deadline=30, more=admin + more) + source("rest", rest_options(url), limits)


async def erase(folder: Path, number: str = GONE, **environment: str) -> Ran:
    return await run("erase", number, "--config", str(folder / "config.toml"), environment=environment)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(int(PATIENCE * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not happen")


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


async def in_the_snapshot(folder: Path) -> int:
    snapshot = snapshot_of(load(folder / "config.toml"))
    assert snapshot is not None
    return await snapshot.read_into(ContactCache(100), Caps(300, 60, 86400))


async def test_an_erased_number_is_looked_up_anew_and_no_other_is(serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    async with HttpCrm(answer_of_the_crm) as crm:
        with serve(toml(crm.url, port), folder=tmp_path) as serving:
            await until(lambda: is_open(port))
            assert [(await call(serving, number)).said for number in (GONE, OTHER)] == [KNOWN, EXPECTED[OTHER]]
            ran = await erase(tmp_path, "+905325550001")
            assert (ran.code, ran.out, ran.err) == (0, "cache of the running server: erased\n", "")
            crm.answer = lambda _: {"items": []}
            assert [(await call(serving, number)).said for number in (GONE, OTHER)] == [UNKNOWN, EXPECTED[OTHER]]
            assert (await erase(tmp_path)).out == "cache of the running server: erased\n", "that nobody knows it, too"
            await crm.stop()
            assert (await call(serving, GONE)).said == {"target": "queue/200"}
        assert [line["was_known"] for line in serving.lines("erased")] == [True, True]


async def test_a_lookup_from_before_an_erasure_lands_after_the_next_one_and_changes_nothing(
    serve: Serve, tmp_path: Path
) -> None:
    port, may_answer = free_port(), asyncio.Event()

    async def late(request: Request, writer: asyncio.StreamWriter) -> None:
        crm.behaviour = answers(200, b'{"items": []}')  # from then on
        await may_answer.wait()
        await answers(200, body_of_the_crm(GONE))(request, writer)

    (tmp_path / "kept").mkdir()
    async with HttpCrm(answer_of_the_crm) as crm:
        crm.behaviour = late
        with serve(toml(crm.url, port, more=CACHE), folder=tmp_path) as serving:
            await until(lambda: is_open(port))
            waiting = detach(call(serving, GONE))
            await until(lambda: crm.requests)
            told = await erase(tmp_path)
            assert told.out == "cache of the running server: erased\nsnapshot: written without it\n"
            assert (await call(serving, GONE)).said == UNKNOWN
            may_answer.set()
            assert (await waiting).said == KNOWN, "who has waited is answered"
            assert (await call(serving, GONE)).said == UNKNOWN
            assert (await serving.line("call", 3))["via"] == "cache"
            assert (await erase(tmp_path)).code == 0
            assert await in_the_snapshot(tmp_path) == 0
    assert await in_the_snapshot(tmp_path) == 0


async def test_where_there_is_a_token_nobody_erases_without_it(serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    async with HttpCrm(answer_of_the_crm) as crm, aiohttp.ClientSession() as session:
        with serve(toml(crm.url, port, token=TOKEN), folder=tmp_path) as serving:
            await until(lambda: is_open(port))
            assert (await call(serving, GONE)).said == KNOWN
            for headers in ({}, {"Authorization": "Bearer another-token-of-the-operator"}):
                sent = session.post(f"http://127.0.0.1:{port}/erase", json={"number": GONE}, headers=headers)
                async with sent as response:
                    assert (response.status, "error" in await response.json()) == (403, True)
            ran = await erase(tmp_path, TANIMA_ADMIN__TOKEN="another-token-of-the-operator")
            assert (ran.code, ran.out, ran.err) == (1, "", REFUSED)
            assert (await call(serving, GONE)).said == KNOWN
            assert (await erase(tmp_path)).out == "cache of the running server: erased\n"
        assert len(crm.requests) == 1
        assert [line["was_known"] for line in serving.lines("erased")] == [True]


async def test_an_erasure_that_cannot_be_written_down_fails_until_it_can(serve: Serve, tmp_path: Path) -> None:
    port, kept = free_port(), tmp_path / "kept"
    kept.mkdir()
    async with HttpCrm(answer_of_the_crm) as crm:
        with serve(toml(crm.url, port, more=CACHE), folder=tmp_path) as serving:
            await until(lambda: is_open(port))
            await call(serving, GONE)
            kept.rename(tmp_path / "away")
            ran = await erase(tmp_path)
            reason = "the snapshot cannot be written (No such file or directory)"
            assert (ran.code, ran.out, ran.err) == (1, "", f"tanima: the server says: {reason}\n")
            kept.mkdir()
            ran = await erase(tmp_path)
            told = "cache of the running server: nothing was there\nsnapshot: written without it\n"
            assert (ran.code, ran.out) == (0, told), "it was gone from the cache the first time"
            assert await in_the_snapshot(tmp_path) == 0


async def test_what_cannot_be_erased_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "cache.json").write_bytes(b"\0" * 5000)
    none_runs, config = toml("http://127.0.0.1:9", free_port(), more=CACHE), tmp_path / "config.toml"
    async with HttpCrm(lambda _: None) as something_else:
        address = f"127.0.0.1:{something_else.port}"
        for number, text, message in (
            ("0530ABCDEFG", none_runs, "'0530ABCDEFG' has other characters than digits"),
            (GONE, none_runs, "the snapshot is damaged"),
            (GONE, toml("http://127.0.0.1:9", something_else.port), f"the server at {address} does not answer as it"),
        ):
            config.write_text(text, encoding="utf-8")
            ran = await erase(tmp_path, number)
            assert (ran.code, ran.out) == (1, "")
            assert ran.err.startswith(f"tanima: {message}")
            assert ran.err.count("\n") == 1
