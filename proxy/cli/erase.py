"""Forgets a number, for `tanima erase`: in the running server, or, when none runs, in what it has left behind."""

import argparse
import json

from proxy.cli.ending import fail
from proxy.cli.running import ask_server
from proxy.cli.waiting import run_to_the_end
from proxy.config import Configuration, load
from proxy.deployment import snapshot_of
from proxy.errors import InvalidNumber, ProxyError
from proxy.phone import parse_number
from proxy.web.endpoints import ERASE


async def erase(configuration: Configuration, text: str) -> list[str]:
    """Erase a number wherever it is kept, and return what to tell. Raises ProxyError."""
    settings = configuration.settings
    try:
        number = parse_number(text, settings.switch.region)
    except InvalidNumber as exc:
        raise ProxyError(f"{text!r} {exc} - allowed: a phone number") from exc
    if settings.admin.listen is not None:
        told = await ask_server(settings.admin, "POST", ERASE, _read, json={"number": number.e164})
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


def _read(answer: str) -> list[str]:
    told = json.loads(answer)
    was_known, has_snapshot = told["was_known"], told["snapshot"]
    cache = "erased" if was_known else "nothing was there"
    return [f"cache of the running server: {cache}", *(["snapshot: written without it"] if has_snapshot else [])]


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    configuration = load(options.config)
    try:
        print("\n".join(run_to_the_end(erase(configuration, options.number))))
    except ProxyError as exc:
        fail(str(exc))
    return 0
