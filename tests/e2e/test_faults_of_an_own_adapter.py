"""An adapter of somebody's own that does everything wrong costs nobody a call."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.misbehaving import BEHAVIOURS
from tests.e2e.people import FAULTS_RULE, head, source
from tests.e2e.running import SLACK, Serving, answered_for, call

DEADLINE, TIMEOUT = 0.6, 0.4
"""Seconds"""
BOUND = DEADLINE + SLACK

OF_FAULTS = {fault: 1000 + place for place, fault in enumerate(BEHAVIOURS)}
"""The last digits of the numbers that have them"""
GOOD = count(2000)

slowest: dict[str, float] = {}


@pytest.fixture(scope="module")
def server(serve: Serve, tmp_path_factory: pytest.TempPathFactory, figure: Callable[[str], None]) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("own_adapter")
    shutil.copy(Path(__file__).with_name("misbehaving.py"), folder)
    faults = [
        f'"{start}{digits}" = "{fault}"' for start in ("+90532555", "+4930555") for fault, digits in OF_FAULTS.items()
    ]
    options = f"faults = {{ {', '.join(faults)} }}"
    toml = head(deadline=DEADLINE, more=FAULTS_RULE) + source(
        "misbehaving:MisbehavingCrm", options, f"timeout = {TIMEOUT}\nbreaker_failures = 1000"
    )
    with serve(toml, folder=folder) as serving:
        yield serving
    if slowest:
        worst = max(slowest, key=slowest.__getitem__)
        figure(
            f"own adapter, {len(slowest)} faults: all answered; slowest {slowest[worst] * 1000:.0f} ms "
            f"({worst}; deadline {DEADLINE * 1000:.0f} ms)"
        )


@pytest.mark.parametrize("fault", BEHAVIOURS)
async def test_whatever_the_adapter_does_the_call_is_answered_in_time(server: Serving, fault: str) -> None:
    heard = await call(server, f"0532555{OF_FAULTS[fault]}")
    assert (heard.status, heard.said) == (200, {"target": "queue/200"})
    from_germany = await call(server, f"004930555{OF_FAULTS[fault]}")
    assert (from_germany.status, from_germany.said) == (200, {"target": "queue/203"}), "a rule for anyone counts"
    slowest[fault] = max(heard.seconds, from_germany.seconds)
    assert slowest[fault] < BOUND
    expected = {"name": "Örnek Şahıs Bir", "target": "queue/201"}
    next_one = await answered_for(lambda: call(server, f"0532555{next(GOOD)}"), expected, TIMEOUT)
    assert next_one.said == expected


async def test_bugs_are_logged_with_their_type_and_place_and_nothing_they_say(server: Serving) -> None:
    before = len(server.lines("bug"))
    for fault in ("raises ValueError", "raises KeyError", "returns a text", "panics", "recurses"):
        await call(server, f"0532555{OF_FAULTS[fault]}")
    last = await server.line("bug", before + 5)
    lines = server.lines("bug")[before:]
    assert [line["exception"] for line in lines] == ["ValueError", "KeyError", "TypeError", "Panic", "RecursionError"]
    assert lines[-1] == last
    assert all(line["where"] == "crm" and line["traceback"] for line in lines)
