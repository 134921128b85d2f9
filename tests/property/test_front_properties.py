"""Whatever comes over a connection is answered as if no answer had ever been ready."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise

from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from proxy.deployment import Deployment
from proxy.web.ready import ReadyAnswers
from proxy.web.switch import SwitchListener
from tests.unit.fakes import Bugs
from tests.unit.talking import talkative
from tests.unit.web.listening import settle

Pause = Callable[[float], Coroutine[None, None, None]]
"""What happens between two pieces"""

PATIENT = {"default": "queue/200", "deadline": 20}
"""However busy this machine is, no answer is cut off"""

QUESTION = b"GET /musteri.json?telefon=05301234567 HTTP/1.1\r\nHost: x\r\n\r\n"
OTHER = QUESTION.replace(b"05301234567", b"05321112233")
FIRST = b"GET /musteri.json?uuid=%b&cli=05301234567&step=1 HTTP/1.1\r\nHost: x\r\n\r\n"
DIALOGUES = (
    *(FIRST % call_id for call_id in (b"a", b"b", b"c-1", b"", b"%61", b"a&uuid=b", b"a#&uuid=b", b"a" * 65)),
    *(FIRST.replace(b"step=1", b"step=2" + heard) % b"a" for heard in (b"", b"&customer_no=777", b"&error=1")),
    FIRST.replace(b"GET", b"HEAD") % b"d",
    FIRST.replace(b"05301234567", b"05321112233") % b"a",
)
REQUESTS = (
    QUESTION,
    OTHER,
    QUESTION.replace(b"GET", b"HEAD"),
    QUESTION.replace(b"GET", b"POST"),
    QUESTION.replace(b"1.1", b"1.0"),
    QUESTION.replace(b"Host: x", b"Host: x\r\nConnection: close"),
    QUESTION.replace(b"1.1", b"1.0").replace(b"Host: x", b"Connection: keep-alive"),
    QUESTION.replace(b"Host: x", b"Host: x\r\nContent-Length: 60") + QUESTION,
    QUESTION.replace(b"Host: x", b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n" + OTHER,
    QUESTION.replace(b"Host: x", b"Host: x\r\nTransfer-Encoding: chunked") + b"3c\r\n" + QUESTION + b"\r\n0\r\n\r\n",
    QUESTION.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket"),
    QUESTION.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"),
    QUESTION.replace(b"\r\n", b"\n"),
    QUESTION.replace(b"Host: x", b"Host: x\r\nX: " + b"x" * 9000),
    b"\r\n" + QUESTION,
    b"nonsense\r\n\r\n",
    b"\0",
    *DIALOGUES,
)

OFTEN = (*[QUESTION] * 4, *[FIRST % b"e"] * 2, FIRST % b"f")

streams = st.lists(
    st.tuples(st.sampled_from((*OFTEN, *REQUESTS)), st.lists(st.integers(1, 120), max_size=2)), min_size=1, max_size=8
)


def chunks(stream: list[tuple[bytes, list[int]]]) -> list[bytes]:
    """Return requests, each in one piece or in a few."""
    cut: list[bytes] = []
    for request, places in stream:
        bounds = [0, *sorted(place % len(request) for place in places), len(request)]
        cut += [request[start:end] for start, end in pairwise(bounds) if start < end]
    return cut


async def everything(port: int, pieces: list[bytes], pause: Pause) -> bytes:
    """Say something piece by piece, and return all that is said, but for the dates."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await pause(0.001)
        writer.write_eof()
        received = await asyncio.wait_for(reader.read(), 5)
    except OSError:
        pass  # what comes behind something that is no request is not taken
    finally:
        writer.close()
    return re.sub(rb"Date: [^\r]+", b"", received)


async def ask_both(pieces: list[bytes], pause: Pause = settle) -> tuple[bytes, bytes, int]:
    """Return what is answered where answers are ready and where they never are, and how many were."""
    repeated: list[object] = []
    ports, runners = [], []
    for may_be_ready in (True, False):
        answering = Deployment(talkative(switch=PATIENT)).answering  # one each, as calls are remembered
        listener = SwitchListener(
            answering if may_be_ready else replace(answering, ready=ReadyAnswers()),
            lambda _: None,
            Bugs(),
            observe_repeated=lambda given, _: repeated.extend(given),
        )
        runner = web.ServerRunner(listener.server(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        ports.append(runner.addresses[0][1])
    for port in ports:
        await everything(port, [QUESTION, OTHER, QUESTION, OTHER, FIRST % b"x", FIRST % b"y"], settle)
    before = len(repeated)
    said = [await everything(port, pieces, pause) for port in ports]
    for runner in runners:
        await runner.cleanup()
    return said[0], said[1], len(repeated) - before


@given(streams)
def test_what_is_said_on_a_connection_is_answered_alike(stream: list[tuple[bytes, list[int]]]) -> None:
    short, whole, _ = asyncio.run(ask_both(chunks(stream), asyncio.sleep))
    assert short == whole


def test_answers_are_ready_meanwhile() -> None:
    short, whole, repeated = asyncio.run(ask_both([QUESTION, QUESTION[:9], QUESTION[9:], OTHER]))
    assert short == whole
    assert short.count(b"HTTP/1.1 200 OK") == 3
    assert repeated == 2


def test_so_are_those_of_dialogues() -> None:
    asked = [FIRST % b"e", FIRST % b"e", FIRST % b"f", FIRST.replace(b"step=1", b"step=2") % b"f"]
    short, whole, repeated = asyncio.run(ask_both(asked))
    assert short == whole
    assert repeated == 2
