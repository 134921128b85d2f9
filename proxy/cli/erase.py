"""Forgets a number, for `tanima erase`: in the running server, or, when none runs, in what it has left behind."""

from http import HTTPStatus

import aiohttp

from proxy.config import Configuration
from proxy.config.settings import AdminSettings
from proxy.config.values import url_of
from proxy.deployment import snapshot_of
from proxy.errors import InvalidNumber, ProxyError
from proxy.phone import PhoneNumber, parse_number
from proxy.web.admin import ERASE

PATIENCE = 30.0
"""Seconds for the server, which may have a large snapshot to write."""


async def erase(configuration: Configuration, text: str) -> list[str]:
    """Erase a number wherever it is kept, and return what to tell. Raises ProxyError."""
    settings = configuration.settings
    try:
        number = parse_number(text, settings.switch.region)
    except InvalidNumber as exc:
        raise ProxyError(f"{text!r} {exc} - allowed: a phone number") from exc
    if settings.admin.listen is not None:
        told = await _by_the_server(settings.admin, settings.admin.listen, number)
        if told is not None:
            return told
    nobody, snapshot = _nobody_at(settings.admin.listen), snapshot_of(configuration)
    if snapshot is None:
        raise ProxyError(f"{nobody}, and there is no snapshot: nothing was erased - allowed: a server that can be told")
    return [nobody, f"snapshot: {'erased' if await snapshot.erase(number.e164) else 'nothing was there'}"]


def _nobody_at(listen: tuple[str, int] | None) -> str:
    if listen is None:
        return "a running server is not told: there is no [admin] listen"
    return f"no server answers at {listen[0]}:{listen[1]}"


async def _by_the_server(admin: AdminSettings, listen: tuple[str, int], number: PhoneNumber) -> list[str] | None:
    """Have the running server erase it; None when none runs. Raises ProxyError."""
    host, port = listen
    url = f"{url_of(host, port)}{ERASE}"
    headers = {"Authorization": f"Bearer {admin.token.get_secret_value()}"} if admin.token else {}
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as session,
            session.post(url, json={"number": number.e164}, allow_redirects=False) as response,
        ):
            told = await response.json()
            if response.status != HTTPStatus.OK:
                raise ProxyError(f"the server says: {told['error']}")
            was_known, has_snapshot = told["was_known"], told["snapshot"]
    except aiohttp.ClientConnectorError as exc:
        if isinstance(exc.os_error, ConnectionRefusedError):
            return None
        reason = exc.os_error.strerror or exc.os_error
        raise ProxyError(f"the server at {host}:{port} cannot be reached ({reason}) - allowed: a tanima") from exc
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ProxyError(f"the server at {host}:{port} does not answer as it should - allowed: a tanima") from exc
    cache = "erased" if was_known else "nothing was there"
    return [f"cache of the running server: {cache}", *(["snapshot: written without it"] if has_snapshot else [])]
