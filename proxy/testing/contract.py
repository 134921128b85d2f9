"""The tests that every adapter must pass: subclass AdapterContract, and say which CRM it is run against."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any, ClassVar, NoReturn, TypeVar

import pytest
import pytest_asyncio
from pydantic import ValidationError

from proxy.adapter import Adapter, AdapterError, PhoneNumber, Unavailable
from proxy.detached import detach
from proxy.model import as_contacts
from proxy.testing.under_test import CrmUnderTest

TestMethod = TypeVar("TestMethod", bound=Callable[..., object])


def when_it_can(fault: str) -> Callable[[TestMethod], TestMethod]:
    """Mark a test that is run only where the CRM under test offers a fault, such as `hang`."""

    def mark(test: TestMethod) -> TestMethod:
        test.fault = fault  # type: ignore[attr-defined]
        return test

    return mark


@pytest.mark.asyncio
class AdapterContract:
    """Set `crm_class`; or override the fixture `crm` too, where the CRM needs more than that to be made.

    A test of a fault that the class does not offer is left out rather than skipped.
    """

    crm_class: ClassVar[type[CrmUnderTest]]
    patience: ClassVar[float] = 10.0
    """Seconds until a test gives up waiting for what must happen"""

    def __init_subclass__(cls, **named: object) -> None:
        super().__init_subclass__(**named)
        if not hasattr(cls, "crm_class"):
            raise TypeError(f"{cls.__name__} names no crm_class")
        for name in dir(cls):
            fault = getattr(getattr(cls, name), "fault", None)
            if isinstance(fault, str) and not cls.crm_class.offers(fault):
                setattr(cls, name, None)

    @pytest_asyncio.fixture
    async def crm(self) -> AsyncIterator[CrmUnderTest]:
        """Start the CRM for a test, and stop it."""
        crm = self.crm_class()
        await crm.start()
        yield crm
        await crm.stop()

    @pytest.fixture(autouse=True)
    def _logs_nothing(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        caplog.set_level(logging.INFO)
        yield
        logged = [record.getMessage() for record in caplog.get_records("call") if record.levelno > logging.DEBUG]
        assert not logged, "an adapter logs nothing above debug: the proxy does"

    async def test_finds_a_known_number(self, crm: CrmUnderTest) -> None:
        async with opened(crm) as adapter:
            for number, name in crm.known.items():
                assert_is_contact(await adapter.lookup(crm.number(number)), name)

    async def test_does_not_find_an_unknown_number(self, crm: CrmUnderTest) -> None:
        async with opened(crm) as adapter:
            for number in crm.unknown:
                assert as_contacts(await adapter.lookup(crm.number(number))) == ()

    async def test_gives_each_of_many_concurrent_lookups_its_own_contact(self, crm: CrmUnderTest) -> None:
        asked = list(islice(cycle(crm.known.items()), 50))
        async with opened(crm) as adapter:
            found = await asyncio.gather(*(adapter.lookup(crm.number(number)) for number, _ in asked))
        for contact, (_, name) in zip(found, asked, strict=True):
            assert_is_contact(contact, name)

    async def test_finds_the_right_contact_after_lookups_were_cancelled(self, crm: CrmUnderTest) -> None:
        known = cycle(crm.known.items())
        async with opened(crm) as adapter:
            for point in range(60):
                number, _ = next(known)
                cancelled = detach(ask(adapter, crm.number(number)))
                await pass_time(point)
                cancelled.cancel()
                number, name = next(known)
                assert_is_contact(await adapter.lookup(crm.number(number)), name)
                await self.ends(cancelled)

    async def test_is_built_without_io_and_outside_of_a_running_loop(
        self, crm: CrmUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "connect", refuse_io)
            patch.setattr(socket, "getaddrinfo", refuse_io)
            adapter = await asyncio.to_thread(crm.adapter)
        await adapter.close()

    async def test_closes_without_having_been_asked(self, crm: CrmUnderTest) -> None:
        async with opened(crm):
            pass

    async def test_refuses_an_unknown_option(self, crm: CrmUnderTest) -> None:
        config = type(crm.adapter()).Config
        with pytest.raises(ValidationError) as caught:
            config.model_validate({"surely_not_an_option": 1})
        assert "extra_forbidden" in {error["type"] for error in caught.value.errors()}

    @when_it_can("go_down")
    async def test_opens_while_the_crm_is_down_and_finds_when_it_is_back(self, crm: CrmUnderTest) -> None:
        await crm.go_down()
        async with opened(crm) as adapter:
            for number in [*crm.known, *crm.unknown]:
                with pytest.raises(Unavailable) as caught:
                    await adapter.lookup(crm.number(number))
                assert_is_discreet(caught.value, crm.number(number))
            await crm.come_back()
            await self.finds_again(crm, adapter)

    @when_it_can("go_down")
    async def test_finds_after_an_outage_without_being_opened_anew(self, crm: CrmUnderTest) -> None:
        number = crm.number(next(iter(crm.known)))
        async with opened(crm) as adapter:
            await adapter.lookup(number)
            await crm.go_down()
            with pytest.raises(Unavailable) as caught:
                await adapter.lookup(number)
            assert_is_discreet(caught.value, number)
            await crm.come_back()
            await self.finds_again(crm, adapter)

    @when_it_can("hang")
    async def test_waits_for_a_hanging_crm_until_it_is_cancelled(self, crm: CrmUnderTest) -> None:
        number = crm.number(next(iter(crm.known)))
        async with opened(crm) as adapter:
            await adapter.lookup(number)
            await crm.hang()
            hanging = [detach(ask(adapter, number)) for _ in range(3)]
            done, _ = await asyncio.wait(hanging, timeout=0.3)
            for lookup in done:
                assert isinstance(lookup.exception(), Unavailable), "nobody answered: that is neither found nor unknown"
            for lookup in hanging:
                lookup.cancel()
            for lookup in hanging:
                await self.ends(lookup)
            await crm.come_back()
            await self.finds_again(crm, adapter)

    @when_it_can("answer_garbage")
    async def test_takes_garbage_for_a_failure(self, crm: CrmUnderTest) -> None:
        await crm.answer_garbage()
        async with opened(crm) as adapter:
            for number in [*crm.known, *crm.unknown]:
                with pytest.raises(AdapterError) as caught:
                    await adapter.lookup(crm.number(number))
                assert_is_discreet(caught.value, crm.number(number))
            await crm.come_back()
            await self.finds_again(crm, adapter)

    @when_it_can("refuse")
    async def test_says_that_it_is_refused_and_need_not_try_again(self, crm: CrmUnderTest) -> None:
        number = crm.number(next(iter(crm.known)))
        await crm.refuse()
        async with opened(crm) as adapter:
            with pytest.raises(AdapterError) as caught:
                await adapter.lookup(number)
            assert not isinstance(caught.value, Unavailable)
            assert_is_discreet(caught.value, number)
            await crm.come_back()

    async def finds_again(self, crm: CrmUnderTest, adapter: Adapter) -> None:
        """Look every known number up, again while it fails for a moment: the proxy tries again too."""
        for number, name in crm.known.items():
            assert_is_contact(await asyncio.wait_for(until_available(adapter, crm.number(number)), self.patience), name)

    async def ends(self, lookup: "asyncio.Task[Any]") -> None:
        """Wait for a lookup that was cancelled."""
        done, _ = await asyncio.wait({lookup}, timeout=self.patience)
        assert done, "a cancelled lookup must end"


@asynccontextmanager
async def opened(crm: CrmUnderTest) -> AsyncIterator[Adapter]:
    """Give a new adapter, open; it is closed at the end in any case."""
    adapter = crm.adapter()
    try:
        await adapter.open()
        yield adapter
    finally:
        await adapter.close()


def assert_is_contact(found: object, name: str) -> None:
    """See that a lookup returned one contact with this name, whose values are plain."""
    contacts = as_contacts(found)
    assert [contact.name for contact in contacts] == [name]
    for contact in contacts:
        assert all(value is None or type(value) in {str, int, float, bool} for value in contact.fields.values())
        assert all(type(number) is str for number in contact.numbers)
        assert type(contact.id) is str


def assert_is_discreet(error: AdapterError, number: PhoneNumber) -> None:
    """See that an error's message says something, and not whom it was about."""
    message = str(error)
    assert message
    for form in (number.digits, number.national, number.subscriber):
        assert form not in message, "a message must not hold the number"
    assert "://" not in message, "a message must not hold a URL, which may hold the number or a secret"


async def until_available(adapter: Adapter, number: PhoneNumber) -> object:
    """Look a number up, again after a moment while the CRM is not available."""
    while True:
        try:
            return await adapter.lookup(number)
        except Unavailable:
            await asyncio.sleep(0.05)


async def ask(adapter: Adapter, number: PhoneNumber) -> object:
    """Look a number up, as a coroutine: `lookup` may return any awaitable, and a task needs this."""
    return await adapter.lookup(number)


async def pass_time(point: int) -> None:
    """Let a lookup get so far: some turns of the loop, then fractions of a millisecond."""
    for _ in range(min(point, 30)):
        await asyncio.sleep(0)
    if point > 30:
        await asyncio.sleep((point - 30) / 5000)


def refuse_io(*_: object, **__: object) -> NoReturn:
    """Stand in for what a constructor must not call."""
    raise AssertionError("an adapter connects in open or later, not when it is built")
