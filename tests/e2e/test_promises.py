"""Every promise, tried with real servers and real faults: a short one of what `make chaos` tries at length."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.promises import PROMISES, Promise
from tests.chaos.world import Scale, World, enough_descriptors
from tests.servers import DatabaseServer, Mariadb, Postgres

SHORT = Scale(share=0.02, slack=3.0)
"""Other tests have the machine, too"""

FIXTURES: dict[type[DatabaseServer], str] = {Postgres: "postgres", Mariadb: "mariadb"}


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Callable[[type[DatabaseServer]], DatabaseServer]:
    """Return the databases that other tests have, too; where one is not installed, the test is left out."""

    def running(kind: type[DatabaseServer]) -> DatabaseServer:
        server: Any = request.getfixturevalue(FIXTURES[kind])
        assert isinstance(server, DatabaseServer)
        return server

    return running


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    logs: Path,
    database: Callable[[type[DatabaseServer]], DatabaseServer],
) -> World:
    enough_descriptors()
    return World(tmp_path_factory.mktemp("promises"), logs, SHORT, database)


SHOWN_ELSEWHERE = {"P17+"}
"""In test_wire.py"""


@pytest.mark.parametrize(
    "promise", [one for one in PROMISES if one.name not in SHOWN_ELSEWHERE], ids=lambda promise: promise.name
)
async def test_a_promise_is_kept(promise: Promise, world: World, figure: Callable[[str], None]) -> None:
    for kind in FIXTURES if promise.name in {"P1", "P2", "P3", "P11"} else ():
        world.database(kind)
    seen = await promise.attempt(world)
    assert seen.short == []
    assert seen.figures
    figure(f"{promise.name} {promise.text}. Seen: {'; '.join(seen.figures)}")
