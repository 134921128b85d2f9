"""Asks the running server, at `[admin]` `listen`."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp

from proxy.addresses import url_of
from proxy.config.settings import AdminSettings
from proxy.errors import ProxyError

PATIENCE = 30.0
"""Seconds for the server, which may have a large snapshot to write."""

T = TypeVar("T")


async def ask_server(
    admin: AdminSettings,
    method: str,
    path: str,
    read: Callable[[str], T],
    **request: Any,  # noqa: ANN401 - aiohttp's own
) -> T | None:
    """Return what `read` makes of the server's answer; None when none runs. Raises ProxyError.

    `read` raises ValueError, LookupError or TypeError when it is no answer of ours; so may what reads JSON.
    """
    if admin.listen is None:
        raise ProxyError("there is no [admin] listen in the configuration - allowed: a server that can be asked")
    host, port = admin.listen
    headers = {"Authorization": f"Bearer {admin.token.get_secret_value()}"} if admin.token else {}
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as session,
            session.request(method, url_of(host, port) + path, allow_redirects=False, **request) as response,
        ):
            if response.status != HTTPStatus.OK:
                raise ProxyError(f"the server says: {(await response.json())['error']}")
            return read(await response.text())
    except aiohttp.ClientConnectorError as exc:
        if isinstance(exc.os_error, ConnectionRefusedError):
            return None
        reason = exc.os_error.strerror or exc.os_error
        raise ProxyError(f"the server at {host}:{port} cannot be reached ({reason}) - allowed: a tanima") from exc
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, RecursionError) as exc:
        raise ProxyError(f"the server at {host}:{port} does not answer as it should - allowed: a tanima") from exc
