"""Where uvloop is installed it is the loop, and nothing else is different."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from proxy.testing import HttpCrm
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, answer_of_the_crm, head, rest_options, source
from tests.e2e.running import PATIENCE, answers_in

REQUEST = b"GET /musteri.json?telefon=05325550001 HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSING = REQUEST.replace(b"Host: x", b"Host: x\r\nConnection: close")
DEFAULT = {"target": "queue/200"}
GREETED = EXPECTED[PEOPLE[0].number]
AS_INSTALLED = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
"""In the environment: without what hides packages of developers"""


def mapped_into(process: int) -> str:
    """Return the files that a process has in its memory."""
    return Path(f"/proc/{process}/maps").read_text(encoding="utf-8")


async def said_to(port: int, *pieces: bytes) -> list[Any]:
    """Return what is answered to pieces that come one after another, until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.02)
    received = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return [json.loads(body) for _, _, body in answers_in(received)]


async def test_with_uvloop_calls_are_answered_as_ever(serve: Serve) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        with serve(head() + source("rest", rest_options(crm.url)), environment=AS_INSTALLED) as serving:
            assert "uvloop" in mapped_into(serving.process.pid)
            port = serving.port
            assert await said_to(port, REQUEST, REQUEST, REQUEST, CLOSING) == [GREETED] * 4
            assert await said_to(port, REQUEST * 3, REQUEST[:30], REQUEST[30:] + CLOSING) == [GREETED] * 5
            assert await said_to(port, CLOSING[:-1], b"\n") == [GREETED]
            assert await said_to(port, REQUEST, b"nonsense\r\n\r\n") == [GREETED, DEFAULT]
            assert await said_to(port, b"GET /" + b"x" * 20_000) == [DEFAULT]
            assert [line["via"] for line in serving.lines("call")].count("cache") == 10
            assert len(crm.requests) == 1
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            idle[0][1].write(REQUEST)
            await idle[0][0].readuntil(b"}")
            idle[1][1].write(REQUEST[:20])
            serving.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(serving.process.wait, PATIENCE) == 0
            for _, writer in idle:
                writer.close()
        assert not serving.lines("event_loop")
        assert not serving.lines("bug")
