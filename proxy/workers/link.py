"""Messages between a worker and the one who supervises it, over a socket that nobody else can reach."""

import asyncio
import copyreg
import io
import pickle
import socket
from collections.abc import Awaitable, Callable
from dataclasses import fields
from itertools import count
from operator import attrgetter
from typing import Any

from proxy import logs
from proxy.actions import Transfer
from proxy.detached import detach
from proxy.errors import ProxyError
from proxy.journal import Answered
from proxy.model import Asked, Call, Heard
from proxy.phone import PhoneNumber
from proxy.routing import Decision, Knowledge
from proxy.rules import Situation

ROOM = 8 * 2**20
"""Bytes that may wait for the other side; what is told beyond that is dropped."""

PATIENCE = 20.0
"""Seconds for an answer: a large snapshot may have to be written."""

_LENGTH = 4
"""Bytes in front of each message"""

_TOLD, _ASKED, _ANSWERED, _FAILED = range(4)


class Link:
    """One end. Both are ours, of one version, and so what goes over it is pickled."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._is_over = False

    @classmethod
    async def over(cls, end: socket.socket) -> "Link":
        """Return the link that one end of a pair of sockets makes."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    def tell(self, what: object) -> bool:
        """Send something without waiting, unless too much waits already; tell whether it was sent."""
        if self._is_over or self._writer.transport.get_write_buffer_size() > ROOM:
            return False
        try:
            self._send(_TOLD, 0, what)
        except Exception as exc:  # noqa: BLE001 - what an adapter has returned may be of any type
            logs.bug("link", exc)
            return False
        return True

    async def ask(self, what: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever was asked for
        """Return the other side's answer. Raises ProxyError."""
        if self._is_over:
            raise ProxyError(_GONE)
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(_ASKED, number, (what, arguments))
            await asyncio.wait({answer}, timeout=PATIENCE)
            if not answer.done():
                raise ProxyError(f"a worker has not answered within {PATIENCE:g} s - allowed: to ask again")
            return answer.result()
        finally:
            del self._waiting[number]

    async def first(self) -> Any:  # noqa: ANN401 - whatever is told
        """Return what is told first, before `run`. Raises EOFError when the other side is gone."""
        return (await self._receive())[2]

    async def run(self, told: Callable[[Any], None], asked: Callable[..., Awaitable[Any]]) -> None:
        """Pass on what is told, and answer what is asked, until the other side is gone."""
        while True:
            try:
                kind, number, content = await self._receive()
                if kind == _TOLD:
                    told(content)
                elif kind == _ASKED:
                    detach(self._answer(number, asked, *content))
                else:
                    self._hear(number, content, is_good=kind == _ANSWERED)
            except (EOFError, OSError):
                break
            except Exception as exc:  # noqa: BLE001 - the next one may be better
                logs.bug("link", exc)
        self._is_over = True
        for number in self._waiting:
            self._hear(number, _GONE, is_good=False)

    async def close(self, seconds: float) -> None:
        """Send what is left, but no longer than so many seconds, and leave."""
        self._is_over = True
        self._writer.close()
        await asyncio.wait({detach(self._writer.wait_closed())}, timeout=seconds)

    def _hear(self, number: int, content: Any, *, is_good: bool) -> None:  # noqa: ANN401 - any answer
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return  # nobody waits any more
        if is_good:
            waiting.set_result(content)
        else:
            waiting.set_exception(ProxyError(content))

    async def _answer(
        self, number: int, asked: Callable[..., Awaitable[Any]], what: str, arguments: tuple[Any, ...]
    ) -> None:
        try:
            self._send(_ANSWERED, number, await asked(what, *arguments))
        except ProxyError as exc:
            self._send(_FAILED, number, str(exc))
        except Exception as exc:  # noqa: BLE001 - whoever waits must be told
            logs.bug(what, exc)
            self._send(_FAILED, number, "a bug of tanima - see its log")

    def _send(self, kind: int, number: int, content: object) -> None:
        message = _pickled((kind, number, content))
        self._writer.write(len(message).to_bytes(_LENGTH, "big") + message)

    async def _receive(self) -> tuple[int, int, Any]:
        length = int.from_bytes(await self._reader.readexactly(_LENGTH), "big")
        message: tuple[int, int, Any] = pickle.loads(await self._reader.readexactly(length))  # noqa: S301 - our own
        return message


def _pickled(what: object) -> bytes:
    """Return what `pickle.dumps` would; but what comes with each call is made anew by its class, in half the time."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _WAYS
    pickler.dump(what)
    return buffer.getvalue()


def _way_of(kind: type[Any]) -> Callable[[Any], Any]:
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda each: (kind, values(each))


_WITH_EACH_CALL = (Answered, Asked, Call, Decision, Heard, Knowledge, PhoneNumber, Situation, Transfer)
"""Dataclasses with several fields, which all are their constructor's, in this order"""

_WAYS: dict[type[Any], Callable[[Any], Any]] = dict(copyreg.dispatch_table)
_WAYS |= {kind: _way_of(kind) for kind in _WITH_EACH_CALL}

_GONE = "a worker has ended, and is being started again - allowed: to ask again"
