"""What goes from one end of a link to the other."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from proxy import logs
from proxy.errors import ProxyError
from proxy.model import Asked
from proxy.workers import link as module
from proxy.workers.link import Link
from tests.unit.test_journal import answered


@asynccontextmanager
async def linked(
    told: Callable[[Any], None] = lambda _: None, asked: Callable[..., Awaitable[Any]] | None = None
) -> AsyncIterator[tuple[Link, Link, "asyncio.Future[None]"]]:
    """Yield both ends, and what runs the second of them."""

    async def nothing(*_: object) -> None:
        pass

    one, other = [await Link.over(end) for end in socket.socketpair()]
    running = [asyncio.ensure_future(one.run(lambda _: None, nothing))]
    running.append(asyncio.ensure_future(other.run(told, asked or nothing)))
    yield one, other, running[1]
    await one.close(1)
    await other.close(1)
    await asyncio.wait_for(asyncio.gather(*running), 5)


@pytest.fixture(autouse=True)
def bugs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, BaseException]]:
    bugs: list[tuple[str, BaseException]] = []
    monkeypatch.setattr(logs, "bug", lambda *what: bugs.append(what))
    return bugs


async def test_what_is_told_comes_over_in_order_however_long_it_is() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    async with linked(heard.put_nowait) as (one, _, _):
        for what in (1, ["two"], "x" * 1_000_000):
            assert one.tell(what)
        assert [await heard.get() for _ in range(3)] == [1, ["two"], "x" * 1_000_000]


async def test_a_call_comes_over_as_it_was() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    call = replace(answered(), routing=None)
    async with linked(heard.put_nowait) as (one, _, _):
        one.tell([call, Asked("crm", "found", 0.1, began=2.0)])
        came, asked = await heard.get()
    assert came == call
    assert came.decision.knowledge == call.decision.knowledge
    assert came.call.caller.national == "05301234567"
    assert asked.began == 2.0


async def test_the_first_thing_is_received_before_all_else() -> None:
    one, other = [await Link.over(end) for end in socket.socketpair()]
    one.tell("orders")
    assert await other.first() == "orders"
    await one.close(1)
    with pytest.raises(EOFError):
        await other.first()
    await other.close(1)


async def test_what_is_asked_is_answered_also_several_things_at_once() -> None:
    async def answer(what: str, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return f"{what}!"

    async with linked(asked=answer) as (one, _, _):
        assert [*await asyncio.gather(one.ask("slow", 0.05), one.ask("fast", 0))] == ["slow!", "fast!"]


async def test_trouble_of_the_other_side_is_told_as_a_sentence(bugs: list[tuple[str, BaseException]]) -> None:
    async def fail(what: str) -> None:
        raise ProxyError("no room") if what == "trouble" else RuntimeError("+905301234567")

    async with linked(asked=fail) as (one, _, _):
        with pytest.raises(ProxyError, match=r"^no room$"):
            await one.ask("trouble")
        assert bugs == []
        with pytest.raises(ProxyError, match=r"^a bug of tanima - see its log$"):
            await one.ask("bug")
    assert [(where, type(exc)) for where, exc in bugs] == [("bug", RuntimeError)]


async def test_who_does_not_answer_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    may_answer, is_answered = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> None:
        await may_answer.wait()
        is_answered.set()

    async with linked(asked=answer) as (one, _, _):
        with pytest.raises(ProxyError, match=r"^a worker has not answered within 0\.02 s"):
            await one.ask("x")
        may_answer.set()  # too late: nobody waits
        await is_answered.wait()
        monkeypatch.setattr(module, "PATIENCE", 5)
        assert await one.ask("x") is None


async def test_whoever_waits_when_the_other_side_ends_is_told() -> None:
    async def never(_: str) -> None:
        await asyncio.Event().wait()

    async with linked(asked=never) as (one, other, _):
        asking = [asyncio.ensure_future(one.ask("x")) for _ in range(2)]
        await asyncio.sleep(0.02)
        next(iter(one._waiting.values())).set_result("already")
        await other.close(1)
        assert await asking[0] == "already"
        with pytest.raises(ProxyError, match=r"^a worker has ended"):
            await asking[1]
        with pytest.raises(ProxyError, match=r"^a worker has ended"):
            await one.ask("y")
        assert not one.tell("z")


async def test_what_a_slow_side_does_not_take_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM", 100_000)
    one, other = [await Link.over(end) for end in socket.socketpair()]
    sent = [one.tell("x" * 100_000) for _ in range(50)]
    assert sent[0]
    assert not sent[-1]
    one._writer.transport.abort()
    await other.close(1)


async def test_what_cannot_be_sent_or_understood_costs_nothing_else(bugs: list[tuple[str, BaseException]]) -> None:
    heard: list[Any] = []

    def hear(what: Any) -> None:
        heard.append(1 / what)

    async with linked(hear) as (one, other, _):
        assert not one.tell(lambda: None)
        assert one.tell(0)
        assert one.tell(2)
        await one.ask("anything")
        one._hear(99, "nobody has asked that", is_good=True)
        assert other.tell("x")
    assert heard == [0.5]
    assert [where for where, _ in bugs] == ["link", "link"]
