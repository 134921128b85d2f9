"""What the contract's tests are made of."""

import asyncio
import inspect
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import NoReturn
from urllib.parse import quote

import pytest

from proxy.adapter import (
    Adapter,
    AdapterError,
    Completing,
    Contact,
    Key,
    PhoneNumber,
    Rehearsable,
    Rehearsed,
    Replayable,
    Unavailable,
)
from proxy.matching import holders
from proxy.model import as_contacts
from proxy.testing.under_test import CrmUnderTest

NO_GENERATOR = """complete must be an async generator, with `yield` as here, or every lookup fails:

    async def complete(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[Contact]:
        yield contact.with_fields({...})
"""


@asynccontextmanager
async def opened(crm: CrmUnderTest) -> AsyncIterator[Adapter]:
    """Give a new adapter, open; it is closed at the end in any case."""
    adapter = crm.adapter()
    try:
        await adapter.open()
        yield adapter
    finally:
        await adapter.close()


def assert_is_contact(found: object, name: str, key: Key) -> None:
    """See that a lookup returned one contact with this name, whose values are plain, and who can have the key."""
    contacts = as_contacts(found)
    assert [contact.name for contact in contacts] == [name]
    assert holders(contacts, key), "it names another number than the one that was asked about: the proxy drops it"
    for contact in contacts:
        assert all(value is None or type(value) in {str, int, float, bool} for value in contact.fields.values())
        assert all(type(number) is str for number in contact.numbers)
        assert (type(contact.id), type(contact.customer_number)) == (str, str)


def assert_is_discreet(error: AdapterError, key: Key) -> None:
    """See that an error's message says something, and not whom it was about."""
    message = " ".join(map(str, error.args))  # as it was written: the proxy tells it without long digits
    assert message
    if isinstance(key, PhoneNumber):
        is_held = any(form in message for form in (key.digits, key.national, key.subscriber))
    else:
        is_held = key.digits in re.findall("[0-9]+", message)  # as a whole: a short one may be a part of anything
    assert not is_held, "a message must not hold the number"
    assert "://" not in message, "a message must not hold a URL, which may hold the number or a secret"


async def until_available(adapter: Adapter, key: Key) -> object:
    """Look a number up, again after a moment while the CRM is not available."""
    while True:
        try:
            return await adapter.lookup(key)
        except Unavailable:
            await asyncio.sleep(0.05)


async def ask(adapter: Adapter, key: Key) -> object:
    """Look a number up, as a coroutine: `lookup` may return any awaitable, and a task needs this."""
    return await adapter.lookup(key)


async def pass_time(point: int) -> None:
    """Let a lookup get so far: some turns of the loop, then fractions of a millisecond."""
    for _ in range(min(point, 30)):
        await asyncio.sleep(0)
    if point > 30:
        await asyncio.sleep((point - 30) / 5000)


@contextmanager
def without_io(reason: str) -> Iterator[None]:
    """Refuse connections, and fail with `reason` if one was tried, even where the refusal was caught."""
    tried: list[object] = []

    def refuse(*_: object, **__: object) -> NoReturn:
        tried.append(None)
        raise AssertionError(reason)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield
    assert not tried, reason


async def chosen(crm: CrmUnderTest, adapter: Adapter) -> dict[Key, Contact]:
    """Return the contact of each known number, as `lookup` finds it."""
    return {key: as_contacts(await adapter.lookup(key))[0] for key in crm.known_keys()}


def completing(adapter: Adapter, contact: Contact, key: Key) -> AsyncIterator[Contact]:
    """Return what `complete` returns, and see that it can be gone through."""
    assert isinstance(adapter, Completing)
    versions = _not_awaited(adapter.complete(contact, key))
    assert isinstance(versions, AsyncIterator), NO_GENERATOR
    return versions


async def completed(adapter: Adapter, contact: Contact, key: Key) -> None:
    """Go through all that `complete` yields, and see that the contact has more and more fields, and stays the same."""
    async for version in completing(adapter, contact, key):
        assert type(version) is Contact, "complete yields contacts"
        same = replace(version, fields={}) == replace(contact, name=contact.name or version.name, fields={})
        assert same, "complete keeps a contact's id, name and numbers"
        assert version.fields.keys() >= contact.fields.keys(), "complete keeps a contact's fields"
        contact = version


async def begun_and_closed(adapter: Adapter, contact: Contact, key: Key) -> None:
    """Take the first contact that `complete` yields, and give up the others."""
    versions = completing(adapter, contact, key)
    await anext(versions, None)
    if isinstance(versions, AsyncGenerator):
        await versions.aclose()


def rehearsed(adapter: Adapter, key: Key) -> Sequence[Rehearsed]:
    """Return what `rehearse` returns, and see that it tells something."""
    assert isinstance(adapter, Rehearsable)
    requests = _not_awaited(adapter.rehearse(key))
    assert isinstance(requests, Sequence), "rehearse returns a sequence, and is not async"
    assert requests, "a lookup of a known number sends one request at least"
    for each in requests:
        assert type(each) is Rehearsed, "each of them is Rehearsed"
        assert each.request.strip(), "a request has text"
    return requests


def assert_shows_none_of(secrets: Sequence[str], requests: Sequence[Rehearsed]) -> None:
    """See that no secret stands in the requests, as it is or as URLs have it; a failure does not show it either."""
    text = "\n".join(f"{each.what}\n{each.request}" for each in requests)
    shown = [place for place, secret in enumerate(secrets) if secret in text or quote(secret, safe="") in text]
    assert not shown, "rehearse masks secrets: those at these places of `secrets` are shown"


async def replayed(adapter: Adapter, key: Key) -> tuple[Contact, ...]:
    """Return what is found without any recording."""
    assert isinstance(adapter, Replayable)
    replay = _not_awaited(adapter.replaying([]))
    assert isinstance(replay, Adapter), "replaying returns an adapter, and is not async"
    try:
        await replay.open()
        await pass_time(60)  # for what `open` has begun in the background
        return as_contacts(await replay.lookup(key))
    except AdapterError as exc:
        assert_is_discreet(exc, key)
        return ()
    finally:
        await replay.close()


def _not_awaited(returned: object) -> object:
    """Return what a method returned; a coroutine is closed, so that nothing warns of it but the test."""
    if inspect.iscoroutine(returned):
        returned.close()
    return returned
