"""Anything at all over the wire of the call listener: what is answered is 200 with a valid target, and it lives on."""

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, TOKEN, head, source, static_options
from tests.e2e.running import Serving
from tests.e2e.switching import check_answer
from tests.lengths import at_length

MARK = "fuzzmark"
"""In everything that is sent, so that it would be seen where it does not belong"""

INPUTS = int(os.environ.get("FUZZ_INPUTS", at_length(4000, otherwise=500)))
"""For each of two servers"""
LONGEST = 30.0 * max(1, INPUTS / 2000)
"""Seconds after which no more is tried"""

_HEAD = re.compile(rb"HTTP/(?:0\.9|1\.[01]|2\.0) ([0-9]{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_OURS = {"content-type", "content-length", "cache-control", "server", "date", "connection"}


@dataclass(frozen=True)
class Input:
    """What is sent over one connection, cut into packets."""

    packets: tuple[bytes, ...]
    answers: int | None
    """How many there must be; None when it may be no proper HTTP"""
    bodies: bool
    """Whether each answer has a body: to HEAD and CONNECT there is none"""


# ---------------------------------------------------------------------------------------- what is sent

NUMBERS = st.one_of(
    st.sampled_from(
        ["05325550001", "1003", "", "anonymous", "+905325550001", "nonsense", "\x00", "ş", "😀", "9" * 8000]
    ),
    st.text(max_size=30),
    st.text("0123456789+ ()-", max_size=20),
)
ESCAPED = st.one_of(
    NUMBERS.map(lambda text: quote(text, errors="surrogatepass")),
    st.binary(max_size=12).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw)),
    st.sampled_from(
        ["%", "%0", "%zz", "%c3", "%ff%fe", "%00", "%0d%0aX:%20y", "%u0530", "+0530", "%2B90", "a;b", "a=b"]
    ),
)
OLD, NEW = ["telefon", "token", "Telefon", "x", ""], ["uuid", "cli", "cld", "step", "error", "result", "number", "menu"]
KEYED = st.sampled_from(["1", "2", "3", "12345", "u-1", "u-2", "05325559999"])
PARAMETERS = st.one_of(
    st.lists(st.tuples(st.sampled_from([*OLD, *NEW]), ESCAPED), max_size=4),
    st.lists(st.tuples(st.sampled_from(NEW), st.one_of(KEYED, ESCAPED)), max_size=6),
)
QUERIES = PARAMETERS.map(lambda pairs: "&".join(f"{name}={text}" for name, text in pairs)[:7900])
PATHS = st.sampled_from(
    [
        "/musteri.json",
        f"/{TOKEN}/musteri.json",
        "/x/musteri.json",
        "//musteri.json",
        "/",
        f"/{MARK}",
        "/metrics",
        "/%00",
    ]
)
TARGETS = st.one_of(
    st.builds(lambda path, query: f"{path}?{query}&m={MARK}", PATHS, QUERIES),
    st.sampled_from(["/musteri.json?telefon=05325550001", f"/musteri.json?telefon={MARK}"]),
)
NAMES = st.sampled_from(
    ["X-A", "Accept", "Cookie", "Authorization", "X-Token", "X-Forwarded-For", "Range", "Via", "Te"]
)
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60).map(str.strip)
HEADERS = st.lists(st.tuples(NAMES, TEXTS), max_size=6)
BODIES = st.binary(max_size=300)


@st.composite
def requests(draw: st.DrawFn, methods: Sequence[str] = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")) -> bytes:
    """Make a request that is proper HTTP, and after which the connection is kept."""
    body = draw(st.one_of(st.none(), BODIES))
    method = draw(st.sampled_from(methods))
    lines = [f"{method} {draw(TARGETS)} HTTP/1.1", "Host: x", f"X-Mark: {MARK}"]
    lines += [f"{name}: {text}" for name, text in draw(HEADERS)]
    if body is None:
        return "\r\n".join([*lines, "", ""]).encode()
    if draw(st.booleans()):
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body
    lines.append("Transfer-Encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    return "\r\n".join([*lines, "", ""]).encode() + chunk + b"0\r\n\r\n"


@st.composite
def proper(draw: st.DrawFn) -> Input:
    sent = draw(st.lists(requests(), min_size=1, max_size=4))
    return Input(draw(cut(b"".join(sent))), len(sent), bodies=True)


@st.composite
def without_bodies(draw: st.DrawFn) -> Input:
    return Input(draw(cut(draw(requests(methods=["HEAD"])))), 1, bodies=False)


LINES = st.sampled_from(
    [b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length: 5", b"Transfer-Encoding: gzip",
     b"Transfer-Encoding: chunked", b"Connection: Upgrade", b"Upgrade: websocket", b"Expect: 100-continue", b"Host: y",
     b"X-\x00: a", b"X: \xff\xfe", b" folded", b":", b"", b"X" * 9000, b"X: " + b"y" * 9000, b"\x16\x03\x01", b"\n"]
)  # fmt: skip
FIRST_LINES = st.one_of(
    st.builds(
        lambda method, target, version: b" ".join([method, target.encode(), version]),
        st.sampled_from([b"GET", b"get", b"HEAD", b"CONNECT", b"TRACE", b"PRI", b"BREW", b"", b"G T", b"\x80"]),
        st.one_of(TARGETS, st.sampled_from(["*", "x:443", "http://[/", "http://x:99999/", "?", "/" * 9000])),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/", b"", b"RTSP/1.0"]),
    ),
    st.binary(max_size=60),
)


@st.composite
def improper(draw: st.DrawFn) -> Input:
    """Make what looks like requests, some of it."""
    lines = [draw(FIRST_LINES), b"Host: x", *draw(st.lists(LINES, max_size=5)), MARK.encode() + b": x", b"", b""]
    sent = draw(st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r"])).join(lines) + draw(BODIES)
    sent += draw(st.one_of(st.just(b""), requests()))
    return Input(draw(cut(sent)), None, bodies=False)


@st.composite
def mutated(draw: st.DrawFn) -> Input:
    """Make proper requests, and put other bytes in the place of some."""
    sent = bytearray(b"".join(draw(st.lists(requests(), min_size=1, max_size=3))))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(sent) - 1), st.integers(0, 255)), max_size=8)):
        sent[place] = byte
    for place in draw(st.lists(st.integers(0, len(sent) - 1), max_size=2)):
        del sent[place : place + draw(st.integers(0, 5))]
    return Input(draw(cut(bytes(sent))), None, bodies=False)


@st.composite
def cut(draw: st.DrawFn, sent: bytes) -> tuple[bytes, ...]:
    places = [0, *sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4))), len(sent)]
    return tuple(sent[begin:end] for begin, end in pairwise(places))


NOISE = st.binary(max_size=400).map(lambda noise: Input((noise,), None, bodies=False))

# ---------------------------------------------------------------------------------------- what comes back


def hear(port: int, packets: Sequence[bytes]) -> bytes:
    """Send packets, say that this is all, and return everything that comes until the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # the server may close in the midst of what is no HTTP
            for packet in packets:
                connection.sendall(packet)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
    return received


def check(tried: Input, received: bytes) -> None:
    assert MARK.encode() not in received
    rest, count = received, 0
    while rest:
        found = _HEAD.match(rest)
        assert found, rest
        assert found[1] == b"200"
        lines = found[2].decode("ascii").splitlines()
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        assert set(headers) <= _OURS
        body, rest = rest[found.end() :], b""
        if not body.startswith(b"HTTP/") and body:
            length = int(headers["content-length"])
            body, rest = body[:length], body[length:]
            check_answer(json.loads(body))
        else:
            assert not tried.bodies
            rest = body
        count += 1
    if tried.answers is not None:
        assert count == tried.answers


@pytest.fixture(scope="module")
def server(serve: Serve) -> Iterator[Serving]:
    with serve(head(more=DIALOGUE) + source("static", static_options())) as serving:
        yield serving


@pytest.fixture(scope="module")
def guarded(serve: Serve) -> Iterator[Serving]:
    access = f'[switch.access]\ntokens = ["{TOKEN}"]\nrate = 100000\n'
    with serve(head(more=DIALOGUE + access) + source("static", static_options())) as serving:
        yield serving


DIALOGUE = """
[[rules]]
name = "all others"
caller = { kind = "anyone" }
ask = "number"

[steps.number]
phrase = "Numara?"
look_up = "phone_number"
otherwise = "menu"

[steps.menu]
announcement = 5
choose = { 1 = "topic", 2 = "number", 3 = "queue/203" }

[steps.topic]
announcement = 6
listen = 5
keep = "topic"
then = "consent"

[steps.consent]
announcement = 7
record = true
"""
GOOD = f"GET /{TOKEN}/musteri.json?telefon=05325550001 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
OPEN = b"GET /musteri.json?telefon=05325550001 HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("with_tokens", [False, True], ids=["open", "with tokens"])
def test_anything_at_all_gets_200_and_a_valid_target_or_nothing(
    server: Serving, guarded: Serving, figure: Callable[[str], None], *, with_tokens: bool
) -> None:
    serving, good = (guarded, GOOD) if with_tokens else (server, OPEN)
    began, tried, answered = time.monotonic(), 0, 0

    @settings(
        max_examples=INPUTS // 4,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        phases=[Phase.generate, Phase.shrink],
        database=None,
    )
    @given(st.tuples(proper(), st.one_of(without_bodies(), NOISE), improper(), mutated()))
    def fuzz(inputs: tuple[Input, ...]) -> None:
        nonlocal tried, answered
        if time.monotonic() - began > LONGEST:
            return
        for one in inputs:
            received = hear(serving.port, one.packets)
            check(one, received)
            tried += 1
            answered += bool(received)
        (_, body) = hear(serving.port, [good]).split(b"\r\n\r\n")
        assert json.loads(body) == EXPECTED[PEOPLE[0].number]

    fuzz()
    took = time.monotonic() - began
    assert tried >= INPUTS or took > LONGEST
    assert serving.process.poll() is None
    assert serving.lines("bug") == []
    assert serving.lines("event_loop") == []
    figure(
        f"fuzzed call listener: {tried} inputs in {took:.0f} s, {answered} of them answered, each with a valid target"
    )


def test_no_byte_of_it_is_in_a_log(server: Serving, guarded: Serving) -> None:
    for serving in (server, guarded):
        hear(serving.port, [f"GET /{MARK}?telefon={MARK} HTTP/1.1\r\nHost: {MARK}\r\n\r\n".encode()])
        assert MARK not in serving.text()
        assert TOKEN not in serving.text()
        for line in serving.lines("call"):
            assert re.fullmatch(r"none|withheld|unreadable|[0-9]{2,6}|\+[0-9]{2}\*+[0-9]{2}", line["caller"])
