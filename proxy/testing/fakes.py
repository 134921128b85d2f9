"""Stand-ins for the clock and for an adapter, which do what a test tells them."""

import asyncio
from collections.abc import Mapping

from proxy.adapter import Adapter, AdapterConfig, Contact, PhoneNumber
from proxy.testing.under_test import phone


class FakeClock:
    """A clock in place of time.monotonic, which stands still until it is told to go on."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.seconds += seconds


class FakeAdapter(Adapter):
    """An adapter with contacts by number, in any spelling of the home region.

    Set `error` to have it raised, call `hold` to have lookups wait until `let_go`.
    """

    def __init__(
        self,
        contacts: Mapping[str, Contact] | AdapterConfig | None = None,
        *,
        region: str = "TR",
        error: Exception | None = None,
    ) -> None:
        given = contacts if isinstance(contacts, Mapping) else {}
        self.contacts = {phone(text, region): contact for text, contact in given.items()}
        self.error = error
        self.asked: list[PhoneNumber] = []
        """Every number that was looked up, in order"""
        self.running = 0
        """Lookups that have begun and not ended"""
        self.opened = 0
        self.closed = 0
        self._free = asyncio.Event()
        self._free.set()

    @property
    def lookups(self) -> int:
        """How many lookups there were."""
        return len(self.asked)

    def hold(self) -> None:
        """Have lookups wait from now on."""
        self._free.clear()

    def let_go(self) -> None:
        """Let the lookups that wait go on, and those to come pass."""
        self._free.set()

    async def open(self) -> None:
        self.opened += 1

    async def lookup(self, key: PhoneNumber) -> Contact | None:
        self.asked.append(key)
        self.running += 1
        try:
            await self._free.wait()
        finally:
            self.running -= 1
        if self.error is not None:
            raise self.error
        return self.contacts.get(key)

    async def close(self) -> None:
        self.closed += 1
