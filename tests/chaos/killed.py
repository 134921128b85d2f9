"""A server that is killed in the midst of calls: how many are refused until the next one answers, and what it knows."""

import asyncio
import signal
import socket
from collections import Counter
from pathlib import Path

from proxy.detached import detach
from tests.chaos.load import number, pour, question
from tests.chaos.restart import FILE, with_snapshot
from tests.chaos.world import KNOWN, Seen, World, until
from tests.e2e.managing import Calls, Manager, told
from tests.e2e.running import lines_in
from tests.servers import free_port

RATE = 200
KILLS = 3


async def a_killed_server_is_soon_back(world: World) -> Seen:
    """P17, in the midst of calls: with a listening socket of its own, and with one that is handed over."""
    seen = Seen()
    for is_handed_over in (False, True):
        name = "handed-over socket" if is_handed_over else "socket of its own"
        world.tell(f"{KILLS} kills at {RATE} calls/s, {name}")
        with world.adapter_of_ones_own() as folder:
            outcomes, knew = await _killed(world, folder, is_handed_over=is_handed_over)
        seen.figure(f"{name}, killed {KILLS} times at {RATE}/s while the CRM is down: {told(outcomes)}")
        seen.figure(f"contacts known after each kill: {', '.join(map(str, knew))}")
        seen.must(outcomes["answered"] > RATE, f"{name}: hardly any call is answered")
        seen.must(not outcomes["answered otherwise"], f"{name}: calls of a known caller without the contact")
        seen.must(len(knew) == KILLS and min(knew) >= _callers(world), f"{name}: contacts are lost: {knew}")
        if is_handed_over:
            seen.must(not outcomes["refused"], f"{outcomes['refused']} calls are refused in spite of the socket")
    return seen


def _callers(world: World) -> int:
    return world.scale.count(5000, 200)


async def _killed(world: World, folder: Path, *, is_handed_over: bool) -> tuple[Counter[str], list[int]]:
    """Return what became of calls while the server is killed again and again, and how many contacts each next one has.

    The CRM is down from the first kill on, so that whoever is known then is known from the snapshot.
    """
    config, log = folder / "config.toml", world.new_log()
    _write(config, with_snapshot(every=1))
    port = free_port()
    listening = socket.create_server(("127.0.0.1", port), backlog=1024) if is_handed_over else None
    try:
        with Manager(listening, port, config, log) as manager:
            await manager.start()
            await pour(port, map(question, map(number, range(_callers(world)))))
            await until((folder / FILE).exists)
            await asyncio.sleep(1.5)  # until all of them are in it
            (folder / "down").touch()
            calls = Calls(port, number(0), KNOWN, RATE)
            calling = detach(calls.go_on())
            for _ in range(KILLS):
                await asyncio.sleep(1)
                await manager.end(signal.SIGKILL)
                await manager.start()
            await asyncio.sleep(1)
            outcomes = await calls.stop()
            await calling
            await manager.end(signal.SIGTERM)
    finally:
        if listening is not None:
            listening.close()
    return outcomes, _entries_read(log)[1:]


def _entries_read(log: Path) -> list[int]:
    return [int(line["entries"]) for line in lines_in(log.read_text(encoding="utf-8"), "snapshot_read")]


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
