"""The tests that every adapter must pass: subclass AdapterContract, and say which CRM it is run against."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import cycle, islice
from typing import Any, ClassVar, TypeVar

import pytest
import pytest_asyncio
from pydantic import ValidationError

from proxy.adapter import Adapter, AdapterError, By, CustomerNumber, Forgetting, Unavailable
from proxy.detached import detach
from proxy.model import as_contacts
from proxy.testing.parts import (
    ask,
    assert_is_contact,
    assert_is_discreet,
    assert_shows_none_of,
    begun_and_closed,
    chosen,
    completed,
    opened,
    pass_time,
    rehearsed,
    replayed,
    until_available,
    without_io,
)
from proxy.testing.under_test import ABILITIES, CrmUnderTest

TestMethod = TypeVar("TestMethod", bound=Callable[..., object])


def when_it_can(what: str) -> Callable[[TestMethod], TestMethod]:
    """Mark a test that is run only where the CRM under test offers a fault, such as `hang`, or an ability."""

    def mark(test: TestMethod) -> TestMethod:
        test.needs = what  # type: ignore[attr-defined]
        return test

    return mark


@pytest.mark.asyncio
class AdapterContract:
    """Set `crm_class`; or override the fixture `crm` too, where the CRM needs more than that to be made.

    A test of a fault that the class does not offer, or of an ability that its adapter does not have, is left out
    rather than skipped.
    """

    crm_class: ClassVar[type[CrmUnderTest]]
    patience: ClassVar[float] = 10.0
    """Seconds until a test gives up waiting for what must happen"""

    def __init_subclass__(cls, **named: object) -> None:
        super().__init_subclass__(**named)
        if not hasattr(cls, "crm_class"):
            raise TypeError(f"{cls.__name__} names no crm_class")
        for name in dir(cls):
            needed = getattr(getattr(cls, name), "needs", None)
            if isinstance(needed, str) and not cls.crm_class.offers(needed):
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
                assert_is_contact(await adapter.lookup(crm.number(number)), name, crm.number(number))

    async def test_does_not_find_an_unknown_number(self, crm: CrmUnderTest) -> None:
        async with opened(crm) as adapter:
            for number in crm.unknown:
                assert as_contacts(await adapter.lookup(crm.number(number))) == ()

    @when_it_can("known_customers")
    async def test_finds_a_known_customer_number(self, crm: CrmUnderTest) -> None:
        async with opened(crm) as adapter:
            for number, name in crm.known_customers.items():
                assert_is_contact(await adapter.lookup(CustomerNumber(number)), name, CustomerNumber(number))

    @when_it_can("known_customers")
    async def test_does_not_find_an_unknown_customer_number(self, crm: CrmUnderTest) -> None:
        assert crm.unknown_customers, f"unknown_customers of {type(crm).__name__} needs one at least"
        async with opened(crm) as adapter:
            for number in crm.unknown_customers:
                assert as_contacts(await adapter.lookup(CustomerNumber(number))) == ()

    async def test_gives_each_of_many_concurrent_lookups_its_own_contact(self, crm: CrmUnderTest) -> None:
        asked = list(islice(cycle(crm.known_keys().items()), 50))
        async with opened(crm) as adapter:
            found = await asyncio.gather(*(adapter.lookup(key) for key, _ in asked))
        for contact, (key, name) in zip(found, asked, strict=True):
            assert_is_contact(contact, name, key)

    async def test_finds_the_right_contact_after_lookups_were_cancelled(self, crm: CrmUnderTest) -> None:
        known = cycle(crm.known_keys().items())
        async with opened(crm) as adapter:
            for point in range(60):
                key, _ = next(known)
                cancelled = detach(ask(adapter, key))
                await pass_time(point)
                cancelled.cancel()
                key, name = next(known)
                assert_is_contact(await adapter.lookup(key), name, key)
                await self.ends(cancelled)

    async def test_is_built_without_io_and_outside_of_a_running_loop(self, crm: CrmUnderTest) -> None:
        with without_io("an adapter connects in open or later, not when it is built"):
            adapter = await asyncio.to_thread(crm.adapter)
        await adapter.close()
        untested = [name for name in ABILITIES if hasattr(adapter, name) and not self.crm_class.offers(name)]
        wanted = f"def adapter(self) -> {type(adapter).__name__}"
        assert not untested, f"nothing tests {untested}: write `{wanted}` in {self.crm_class.__name__}"
        given = {By.PHONE_NUMBER: "known", By.CUSTOMER_NUMBER: "known_customers"}
        assert By.CUSTOMER_NUMBER in adapter.asked_by or not crm.known_customers, "asked_by lacks customer_number"
        for by in crm.by or adapter.asked_by:
            told = f"nothing tests lookups by {by}: give {given[by]} in {self.crm_class.__name__}"
            assert self.crm_class.offers(given[by]), told

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
            for key in [*crm.known_keys(), *crm.unknown_keys()]:
                with pytest.raises(Unavailable) as caught:
                    await adapter.lookup(key)
                assert_is_discreet(caught.value, key)
            await crm.come_back()
            await self.finds_again(crm, adapter)

    @when_it_can("go_down")
    async def test_finds_after_an_outage_without_being_opened_anew(self, crm: CrmUnderTest) -> None:
        keys = crm.one_of_each_kind()
        async with opened(crm) as adapter:
            for key in keys:
                await adapter.lookup(key)
            await crm.go_down()
            for key in keys:
                with pytest.raises(Unavailable) as caught:
                    await adapter.lookup(key)
                assert_is_discreet(caught.value, key)
            await crm.come_back()
            await self.finds_again(crm, adapter)

    @when_it_can("hang")
    async def test_waits_for_a_hanging_crm_until_it_is_cancelled(self, crm: CrmUnderTest) -> None:
        keys = crm.one_of_each_kind()
        async with opened(crm) as adapter:
            for key in keys:
                await adapter.lookup(key)
            await crm.hang()
            hanging = [detach(ask(adapter, key)) for key in islice(cycle(keys), 3)]
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
            for key in [*crm.known_keys(), *crm.unknown_keys()]:
                with pytest.raises(AdapterError) as caught:
                    await adapter.lookup(key)
                assert_is_discreet(caught.value, key)
            await crm.come_back()
            await self.finds_again(crm, adapter)

    @when_it_can("refuse")
    async def test_says_that_it_is_refused_and_need_not_try_again(self, crm: CrmUnderTest) -> None:
        await crm.refuse()
        async with opened(crm) as adapter:
            for key in crm.one_of_each_kind():
                with pytest.raises(AdapterError) as caught:
                    await adapter.lookup(key)
                assert not isinstance(caught.value, Unavailable)
                assert_is_discreet(caught.value, key)
            await crm.come_back()

    @when_it_can("complete")
    async def test_completes_contacts_and_leaves_them_who_they_are(self, crm: CrmUnderTest) -> None:
        async with opened(crm) as adapter:
            contacts = await chosen(crm, adapter)
            await asyncio.gather(*(completed(adapter, contact, key) for key, contact in contacts.items()))

    @when_it_can("complete")
    async def test_completes_after_it_was_cancelled_or_closed_early(self, crm: CrmUnderTest) -> None:
        async with opened(crm) as adapter:
            contacts = await chosen(crm, adapter)
            for point, (key, contact) in enumerate(islice(cycle(contacts.items()), 60)):
                cancelled = detach(completed(adapter, contact, key))
                await pass_time(point)
                cancelled.cancel()
                await self.ends(cancelled)
            for key, contact in contacts.items():
                closed = detach(begun_and_closed(adapter, contact, key))
                await self.ends(closed, "complete must end when it is closed after its first contact")
                closed.result()
                again = detach(completed(adapter, contact, key))
                await self.ends(again, "complete must work after another one was cancelled or closed")
                again.result()

    @when_it_can("forget")
    async def test_forgets_at_any_time_and_asks_again(self, crm: CrmUnderTest) -> None:
        async with opened(crm) as adapter:
            assert isinstance(adapter, Forgetting)
            assert not inspect.iscoroutinefunction(adapter.forget), "forget is not async"
            for number, name in crm.known.items():
                adapter.forget(crm.number(number))
                under_way = detach(ask(adapter, crm.number(number)))
                await pass_time(2)
                adapter.forget(crm.number(number))
                await self.ends(under_way, "a lookup must end, also when its number is forgotten meanwhile")
                adapter.forget(crm.number(number))
                assert_is_contact(await adapter.lookup(crm.number(number)), name, crm.number(number))

    @when_it_can("rehearse")
    async def test_rehearses_a_lookup_sends_nothing_and_shows_no_secret(self, crm: CrmUnderTest) -> None:
        adapter = crm.adapter()
        for key in crm.one_of_each_kind():
            with without_io("rehearse sends nothing"):
                requests = await asyncio.to_thread(rehearsed, adapter, key)
            assert_shows_none_of(crm.secrets, requests)
        await adapter.close()

    @when_it_can("replaying")
    async def test_replays_without_asking_anybody(self, crm: CrmUnderTest) -> None:
        adapter = crm.adapter()
        for key in crm.one_of_each_kind():
            with without_io("what replaying returns asks nobody"):
                replay = detach(replayed(adapter, key))
                await self.ends(replay, "a lookup without recordings must end")
            assert replay.result() == (), "without a recording nobody can be found"
        await adapter.close()

    async def finds_again(self, crm: CrmUnderTest, adapter: Adapter) -> None:
        """Look every known number up, again while it fails for a moment: the proxy tries again too."""
        for key, name in crm.known_keys().items():
            assert_is_contact(await asyncio.wait_for(until_available(adapter, key), self.patience), name, key)

    async def ends(self, task: "asyncio.Task[Any]", otherwise: str = "what was cancelled must end") -> None:
        """Wait for a task that must end, such as a lookup that was cancelled."""
        done, _ = await asyncio.wait({task}, timeout=self.patience)
        assert done, otherwise
