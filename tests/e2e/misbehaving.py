"""An adapter that does, for each number, what the TOML says. The tests lay it beside the TOML."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from proxy.adapter import Adapter, AdapterConfig, AdapterError, Contact, PhoneNumber, Unavailable

TOO_LONG = 10
"""Seconds; more than an answer may take on a machine that is busy"""


class Panic(BaseException):
    """Such as extension modules written in Rust raise."""


async def hang() -> object:
    return await asyncio.Event().wait()


async def hang_and_ignore_cancellation() -> object:
    until = time.monotonic() + TOO_LONG
    while (left := until - time.monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return Contact("Örnek Geç Gelen")


async def block_a_thread() -> object:
    await asyncio.to_thread(time.sleep, TOO_LONG)
    return Contact("Örnek Geç Gelen")


async def block_for_a_moment() -> object:
    time.sleep(0.2)  # noqa: ASYNC251 - that is the fault
    raise Unavailable("blocked")


async def cancel_itself() -> object:
    raise asyncio.CancelledError


def raising(error: Callable[[], BaseException]) -> Callable[[], Coroutine[Any, Any, object]]:
    async def fail() -> object:
        raise error()

    return fail


def returning(value: object) -> Callable[[], Coroutine[Any, Any, object]]:
    async def give() -> object:
        return value

    return give


async def many() -> Any:
    yield Contact("Örnek Şahıs")


async def too_deep() -> object:
    return await too_deep()


BEHAVIOURS: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
    "hangs": hang,
    "hangs and ignores cancellation": hang_and_ignore_cancellation,
    "blocks a thread": block_a_thread,
    "blocks everything for a moment": block_for_a_moment,
    "cancels itself": cancel_itself,
    "recurses": too_deep,
    "raises Unavailable": raising(lambda: Unavailable("away")),
    "raises Unavailable for a moment": raising(lambda: Unavailable("away", retry_after=0.001)),
    "raises AdapterError": raising(lambda: AdapterError("refused")),
    "raises ValueError": raising(lambda: ValueError("05325550001 Örnek Şahıs Bir")),
    "raises KeyError": raising(lambda: KeyError("Örnek Şahıs Bir")),
    "raises TimeoutError": raising(TimeoutError),
    "raises OSError": raising(lambda: OSError(5, "05325550001")),
    "raises MemoryError": raising(MemoryError),
    "raises StopAsyncIteration": raising(StopAsyncIteration),
    "raises a group": raising(lambda: ExceptionGroup("two", [ValueError("a"), KeyError("b")])),
    "panics": raising(lambda: Panic("05325550001")),
    "returns a text": returning("Örnek Şahıs Bir"),
    "returns a number": returning(5),
    "returns True": returning(True),
    "returns a table": returning({"name": "Örnek Şahıs Bir"}),
    "returns a list of texts": returning(["Örnek Şahıs Bir"]),
    "returns an async generator": returning(many()),
    "returns a class": returning(Contact),
}


class MisbehavingConfig(AdapterConfig):
    """Which fault each E.164 number has."""

    faults: dict[str, str]


class MisbehavingCrm(Adapter):
    """Knows everybody, but for the numbers that have a fault."""

    Config = MisbehavingConfig

    def __init__(self, config: MisbehavingConfig) -> None:
        self.faults = config.faults

    async def lookup(self, key: PhoneNumber) -> Any:
        fault = self.faults.get(key.e164)
        return await BEHAVIOURS[fault]() if fault else Contact("Örnek Şahıs Bir", {"tier": "gold"})
