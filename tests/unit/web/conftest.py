"""A server whose listener answers everything when it is let."""

from collections.abc import AsyncIterator, Iterator

import pytest

from proxy.web import connections
from tests.unit.fakes import Bugs
from tests.unit.web.listening import Answers, OnTheShortWay, Running, settle


@pytest.fixture(params=[Answers, OnTheShortWay])
async def running(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """Return a server on the way of all requests, and one that gives answers again before it reads anything."""
    monkeypatch.setattr(connections, "SWEEP", 0.02)
    running = Running(request.param())
    await running.start()
    yield running
    await running.stop()
    await settle()
    assert running.server._sweeping is None
    assert not running.server.asking
    assert not running.server.stalled
    assert not running.server.pipelining


@pytest.fixture
def bugs() -> Iterator[Bugs]:
    """Return what was reported, which is to be nothing but what a test has taken out."""
    bugs = Bugs()
    yield bugs
    assert bugs.reported == []
