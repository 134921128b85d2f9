"""What a service manager hands over, and how many descriptors there are for connections."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Iterable

from aiohttp import web

WAITING = 1024
"""Connections that may wait to be accepted."""

AT_ONCE = 32
"""Connections that are accepted in one go: so many can be there beyond the allowed ones, a few times over."""

OTHERS = 512
"""Descriptors for other things than the switch's connections: those just accepted, sources, files."""

_FIRST = 3
"""The descriptor of the first socket that is handed over"""


def inherited_socket() -> socket.socket | None:
    """Return the listening socket that a service manager has handed over to this process. Raises OSError.

    That is the first one of LISTEN_FDS, if LISTEN_PID names this process; it goes on listening while one server ends
    and the next one starts. The variables are taken out of the environment, as they are for nobody else.
    """
    names = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    process, count, _ = (os.environ.pop(name, "") for name in names)
    if process != str(os.getpid()) or not (count.isascii() and count.isdigit() and int(count) > 0):
        return None
    os.set_inheritable(_FIRST, False)
    listening = socket.socket(fileno=_FIRST)
    if listening.family not in {socket.AF_INET, socket.AF_INET6} or listening.type != socket.SOCK_STREAM:
        listening.close()
        raise OSError("what LISTEN_FDS brings is no TCP socket - allowed: a TCP socket that listens")
    listening.setblocking(False)
    return listening


def switch_site(runner: web.BaseRunner, listen: tuple[str, int]) -> web.BaseSite:
    """Return where the switch is answered: at the inherited socket, or else at an address."""
    inherited = inherited_socket()
    if inherited is None:
        return _AddressSite(runner, *listen, backlog=AT_ONCE)
    return _InheritedSite(runner, inherited, backlog=AT_ONCE)


def shared_site(runner: web.BaseRunner, listen: tuple[str, int], descriptor: int | None) -> web.BaseSite:
    """Return where one of several processes answers the switch: at a socket that all have, or at an address.

    At an address each has a socket of its own, and the kernel chooses one for each connection. From the one that all
    have, each takes one connection at a time, so that one who is fast leaves some to the others.
    """
    if descriptor is None:
        return _AddressSite(runner, *listen, backlog=AT_ONCE, reuse_port=True)
    return _InheritedSite(runner, socket.socket(fileno=descriptor), backlog=1)


async def hold(listen: tuple[str, int]) -> asyncio.Server:
    """Hold an address for the processes that will listen there, without listening. Raises OSError if somebody does."""
    loop, (host, port) = asyncio.get_running_loop(), listen
    free = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    port = free.sockets[0].getsockname()[1]
    free.close()
    return await loop.create_server(asyncio.Protocol, host, port, reuse_port=True, start_serving=False)


class _AddressSite(web.TCPSite):
    __slots__ = ()

    async def start(self) -> None:
        await super().start()
        _let_more_wait(self._server)


class _InheritedSite(web.SockSite):
    __slots__ = ()

    async def start(self) -> None:
        await super().start()
        _let_more_wait(self._server)


def _let_more_wait(server: asyncio.AbstractServer | None) -> None:
    """Lengthen the kernel's queue: to asyncio, its length and the number accepted at once are one."""
    sockets: Iterable[socket.socket] = getattr(server, "sockets", ())
    for listening in sockets:
        with socket.socket(fileno=os.dup(listening.fileno())) as copy:
            copy.listen(WAITING)


def connections_to_be_had(wanted: int, on_fewer: Callable[[int, int], None]) -> int:
    """Return for how many connections there are descriptors, and raise this process' soft limit as far as needed.

    `on_fewer` gets the wanted number and the possible one when these are fewer.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHERS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = min(wanted, soft - min(OTHERS, soft // 2))
    if possible < wanted:
        on_fewer(wanted, possible)
    return possible
