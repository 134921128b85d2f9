"""Lookups leave nothing behind that only the garbage collector can free: calls would have to wait for it."""

import gc
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from proxy.adapter import AdapterError
from proxy.cache import ContactCache
from proxy.directory import Directory, Lifetimes
from proxy.errors import Unavailable, without_frames
from proxy.sources import Source, Sources
from proxy.upstream import Limits
from tests.unit.fakes import AHMET, NUMBER, After, Bugs, FakeAdapter, upstream

LIMITS = Limits(timeout=10, attempts=2, wait_initial=0, wait_jitter=0, breaker_failures=10**6, retry_budget=10)
IMPATIENT = replace(LIMITS, timeout=0.005)
NEVER_KEPT = Lifetimes(ttl=0.0, negative_ttl=0.0, stale=0.0)
TIMES = 100


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def garbage_of(act: Callable[[], Awaitable[object]]) -> float:
    """Return how many objects are left for the collector each time that something is done."""
    await act()  # what is made once
    gc.collect()
    for _ in range(TIMES):
        await act()
    return gc.collect() / TIMES


@pytest.mark.parametrize(
    "answer",
    [Unavailable("down"), AdapterError("refused"), KeyError("a bug"), AHMET, None],
    ids=lambda one: str(one)[:9],
)
async def test_a_lookup_leaves_no_garbage(answer: object) -> None:
    adapter = FakeAdapter(answer)
    source = Source(upstream(adapter, LIMITS, Bugs()))
    contacts = Directory(Sources([source]), ContactCache(10), NEVER_KEPT, lambda: 0.0)

    async def look_up() -> None:
        try:
            await contacts.find(NUMBER, 10)
        except AdapterError as exc:
            without_frames(exc)

    assert await garbage_of(look_up) < 1


async def test_a_lookup_that_takes_too_long_leaves_little() -> None:
    contacts = Directory(
        Sources([Source(upstream(FakeAdapter(After(60, AHMET)), IMPATIENT))]), ContactCache(10), NEVER_KEPT, lambda: 0.0
    )

    async def look_up() -> None:
        with pytest.raises(AdapterError) as caught:
            await contacts.find(NUMBER, 1)
        without_frames(caught.value)

    assert await garbage_of(look_up) < 60


def test_an_error_lets_go_of_the_frames_of_all_that_led_to_it() -> None:
    try:
        try:
            raise KeyError("first")  # noqa: TRY301 - it must have a frame
        except KeyError as exc:
            raise Unavailable("then") from exc
    except Unavailable as exc:
        error = exc
    assert without_frames(error) is error
    assert error.__traceback__ is None
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None
