"""Ways in which the way to a server can fail, for `TcpLink.fault`."""

import asyncio

from proxy.testing.tcp_link import Fault, Passage

GARBAGE = bytes(range(256))[::-1]


class _Refuses(Fault):
    listens = False


class _Hangs(Fault):
    async def begin(self, passage: Passage) -> None:
        await passage.hold()

    async def ask(self, passage: Passage, piece: bytes) -> None:
        await passage.hold()
        await passage.ask(piece)

    async def answer(self, passage: Passage, piece: bytes) -> None:
        await passage.hold()
        await passage.answer(piece)


class _Resets(Fault):
    async def begin(self, passage: Passage) -> None:
        passage.reset()

    async def ask(self, passage: Passage, piece: bytes) -> None:  # noqa: ARG002 - a reset needs no bytes
        passage.reset()

    async def answer(self, passage: Passage, piece: bytes) -> None:  # noqa: ARG002 - a reset needs no bytes
        passage.reset()


class _EndsAfter(Fault):
    def __init__(self, length: int, *, by_reset: bool) -> None:
        self._length = length
        self._by_reset = by_reset

    async def answer(self, passage: Passage, piece: bytes) -> None:
        left = self._length - passage.answered
        await passage.answer(piece[: max(0, left)])
        if len(piece) < left:
            return
        if self._by_reset:
            await asyncio.sleep(0.02)  # what is on its way must arrive: a reset throws it away
            passage.reset()
        else:
            passage.close()


class _Drips(Fault):
    def __init__(self, pause: float) -> None:
        self._pause = pause

    async def answer(self, passage: Passage, piece: bytes) -> None:
        for place in range(len(piece)):
            if passage.link.fault is not self:
                await passage.answer(piece[place:])
                return
            await asyncio.sleep(self._pause)
            await passage.answer(piece[place : place + 1])


class _Delays(Fault):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def answer(self, passage: Passage, piece: bytes) -> None:
        await asyncio.sleep(self._seconds)
        await passage.answer(piece)


class _Garbles(Fault):
    def __init__(self, garbage: bytes) -> None:
        self._garbage = garbage

    async def answer(self, passage: Passage, piece: bytes) -> None:
        times = -(-len(piece) // len(self._garbage))
        await passage.answer((self._garbage * times)[: len(piece)])


refuses: Fault = _Refuses()
"""Refuse connections, and break those that there are: no server runs."""

hangs: Fault = _Hangs()
"""Accept connections, take what is sent, and let nothing through until another fault is set; then all of it."""

resets: Fault = _Resets()
"""Reset new connections at once, and others when something is sent on them."""


def resets_after(length: int) -> Fault:
    """Reset each connection after so many bytes of an answer."""
    return _EndsAfter(length, by_reset=True)


def cuts_after(length: int) -> Fault:
    """Close each connection after so many bytes of an answer."""
    return _EndsAfter(length, by_reset=False)


def drips(pause: float = 0.01) -> Fault:
    """Let a byte of an answer through at a time, with a pause (seconds) before each."""
    return _Drips(pause)


def delays(seconds: float) -> Fault:
    """Let each piece of an answer through so many seconds later."""
    return _Delays(seconds)


def garbles(garbage: bytes = GARBAGE) -> Fault:
    """Send as many bytes of garbage in the place of an answer."""
    return _Garbles(garbage)
