"""What the switch hears, asked over HTTP of the real command."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit

import pytest

from proxy.demo import DIALOGUE, TRIALS
from proxy.target import Target
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, head, source, static_options
from tests.e2e.running import Serving, answers_in, call, send

DEFAULT = {"target": "queue/200"}
KNOWN = PEOPLE[0]
FORMS = {
    "05325550001": EXPECTED[KNOWN.number],
    "00493055500 04": EXPECTED["+49 30 5550004"],
    "0049305550004": EXPECTED["+49 30 5550004"],
    "1003": {"target": "group/700"},
    "": {"target": "ivr/10"},
    "anonymous": {"target": "ivr/10"},
    "Anonymous": {"target": "ivr/10"},
    "gizli": {"target": "ivr/10"},
    "05325559999": {"target": "queue/202"},
}
GARBAGE = (
    "0",
    "5",
    "00",
    "0000000000",
    "0000000000000000000000",
    "99999999999",
    "0530",
    "05301",
    "053012345678901",
    "0530ABCDEFG",
    "0530123456x",
    "٠٥٣٠١٢٣٤٥٦٧",
    "０５３０１２３４５６７",
    "05301234567\x00",
    "05301234567;ext=5",
    "tel:05301234567",
    "sip:05301234567@example.com",
    "+",
    "++905301234567",
    "+90+5301234567",
    "-1",
    "1e10",
    "0x1F",
    "NaN",
    "null",
    "None",
    "undefined",
    "true",
    "[]",
    "{}",
    '{"telefon": "05301234567"}',
    "7' OR '1'='1",
    "1; DROP TABLE customers",
    "' UNION SELECT * FROM customers --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "..\\..\\windows",
    "%s%s%s%n",
    "%00",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "$(reboot)",
    "`id`",
    "| cat /etc/passwd",
    "a\r\nSet-Cookie: x=y",
    "a\nb",
    "\t\t",
    "\u202e05301234567",
    "\u200b",
    "İstanbul",
    "ß",
    "🙂",
    "\ud7ff",
    "\uffff",
    "e\u0301" * 30,
    "9" * 64,
    "9" * 65,
    "9" * 1000,
    "a" * 4000,
    "*" * 40,
    "#31#05301234567",
    "*67",
    "()()()()",
    "-./-./",
    "0530 123 45 67 0530 123 45 67",
    "05301234567,05321112233",
    "05301234567&telefon=05321112233",
    "http://169.254.169.254/latest/meta-data/",
)


@pytest.fixture(scope="module")
def server(serve: Serve) -> Iterator[Serving]:
    with serve(head() + source("static", static_options())) as serving:
        yield serving


def is_valid(body: bytes) -> bool:
    """Tell whether a body is an answer that the switch understands."""
    said = json.loads(body)
    Target.parse(said["target"])
    return set(said) <= {"name", "target"} and all(isinstance(value, str) for value in said.values())


# ---------------------------------------------------------------------------------------- the demo


@pytest.fixture(scope="module")
def demo(start: Serve) -> Iterator[Serving]:
    with start(["demo", "--listen", "127.0.0.1:0"]) as serving:
        yield serving


@pytest.mark.parametrize(("number", "answer", "who"), TRIALS)
async def test_the_demo_answers_each_of_its_trials(demo: Serving, number: str, answer: str, who: str) -> None:
    heard = await call(demo, number)
    assert (heard.status, heard.said) == (200, json.loads(answer)), who
    assert heard.content_type.split(";")[0] == "application/json"
    assert heard.body.decode("utf-8") == answer, "Turkish letters are letters"


async def test_what_the_demo_prints_for_curl_is_what_comes_back(demo: Serving) -> None:
    lines = demo.text().splitlines()
    printed = [(line, lines[place + 1]) for place, line in enumerate(lines) if line.startswith("curl ")]
    assert len(printed) == len([*TRIALS, *DIALOGUE])
    for command, answer in printed:
        url = urlsplit(shlex.split(command, comments=True)[1])
        assert url.port == demo.port
        request = f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: */*\r\n\r\n"
        ((status, _, body),) = answers_in(send(demo.port, request.encode()))
        assert (status, body.decode()) == (200, answer.strip()), command


# ---------------------------------------------------------------------------------------- forms and garbage


@pytest.mark.parametrize(("number", "expected"), FORMS.items())
async def test_every_documented_form_is_understood(server: Serving, number: str, expected: dict[str, str]) -> None:
    heard = await call(server, number)
    assert (heard.status, heard.said) == (200, expected)


async def test_no_parameter_means_a_withheld_number(server: Serving) -> None:
    assert (await call(server, None)).said == {"target": "ivr/10"}


def test_a_plus_that_arrived_as_a_blank_is_a_plus(server: Serving) -> None:
    for raw in (b"+905325550001", b"%2B905325550001", b"%20905325550001", b"905325550001"):
        ((status, _, body),) = answers_in(
            send(server.port, b"GET /musteri.json?telefon=" + raw + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        )
        assert (status, json.loads(body)) == (200, EXPECTED[KNOWN.number]), raw


async def test_sixty_garbage_strings_get_a_valid_target_and_echo_nothing(
    server: Serving, figure: Callable[[str], None]
) -> None:
    assert len(set(GARBAGE)) >= 60
    slowest = 0.0
    for text in GARBAGE:
        heard = await call(server, text)
        slowest = max(slowest, heard.seconds)
        assert heard.status == 200, text
        assert is_valid(heard.body), text
        assert heard.said["target"] in {"queue/200", "group/700", "ivr/10", "queue/202"}, text
        assert "name" not in heard.said, text
    figure(f"{len(GARBAGE)} garbage strings: all 200 with a valid target; slowest {slowest * 1000:.0f} ms")


LINE = b"GET /musteri.json?telefon=%s HTTP/1.1\r\n"
HOST = b"Host: x\r\n\r\n"
RAW = {
    "bad UTF-8 encoded": LINE % b"%ff%fe%c3" + HOST,
    "half an encoding": LINE % b"%3" + HOST,
    "NUL encoded": LINE % b"%00" + HOST,
    "NUL": LINE % b"0530\x00123" + HOST,
    "raw blank": LINE % b"0530 123 45 67" + HOST,
    "raw UTF-8": LINE % "şö".encode() + HOST,
    "raw Latin-1": LINE % b"\xfc" + HOST,
    "8 kB of digits": LINE % (b"9" * 8000) + HOST,
    "over-long line": LINE % (b"9" * 100_000) + HOST,
    "endless line": b"GET /" + b"9" * 100_000,
    "over-long header": LINE % b"1003" + b"X-Long: " + b"9" * 100_000 + b"\r\n" + HOST,
    "many headers": LINE % b"1003" + b"".join(b"X-%d: 1\r\n" % place for place in range(500)) + HOST,
    "no Host": LINE % b"1003" + b"\r\n",
    "two Hosts": LINE % b"1003" + b"Host: x\r\n" + HOST,
    "small letters": b"get /musteri.json?telefon=1003 HTTP/1.1\r\n" + HOST,
    "HTTP/1.0": b"GET /musteri.json?telefon=1003 HTTP/1.0\r\n\r\n",
    "HTTP/0.9": b"GET /musteri.json?telefon=1003\r\n\r\n",
    "HTTP/9.9": b"GET /musteri.json?telefon=1003 HTTP/9.9\r\n" + HOST,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(150) + b"\r\n\r\n",
    "no HTTP at all": b"\x00\x01\x02\r\n\r\n",
    "blank lines first": b"\r\n\r\n" + LINE % b"1003" + HOST,
    "POST with a body": b"POST /musteri.json?telefon=1003 HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"a=b&c",
    "POST with half a body": b"POST / HTTP/1.1\r\nContent-Length: 5000\r\n" + HOST + b"a",
    "GET with a body": LINE % b"1003" + b"Content-Length: 4\r\n" + HOST + b"abcd",
    "chunked nonsense": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"zz\r\nabc",
    "length and chunks": LINE % b"1" + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n" + HOST + b"0\r\n\r\n",
    "length that is none": LINE % b"1003" + b"Content-Length: many\r\n" + HOST,
    "negative length": LINE % b"1003" + b"Content-Length: -5\r\n" + HOST,
    "compressed nonsense": b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n" + HOST + b"abc",
    "PUT": b"PUT /musteri.json HTTP/1.1\r\nContent-Length: 0\r\n" + HOST,
    "DELETE": b"DELETE /musteri.json HTTP/1.1\r\n" + HOST,
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\n" + HOST,
    "CONNECT": b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n" + HOST,
    "TRACE": b"TRACE /secret HTTP/1.1\r\n" + HOST,
    "unknown method": b"BREW /pot HTTP/1.1\r\n" + HOST,
    "another path": b"GET /admin?telefon=05325550001 HTTP/1.1\r\n" + HOST,
    "the root": b"GET / HTTP/1.1\r\n" + HOST,
    "two slashes": b"GET //musteri.json?telefon=1003 HTTP/1.1\r\n" + HOST,
    "a whole URL": b"GET http://example.com/musteri.json?telefon=1003 HTTP/1.1\r\n" + HOST,
    "a URL that is none": b"GET http://[/ HTTP/1.1\r\n" + HOST,
    "a port that is none": b"GET http://x:99999999/ HTTP/1.1\r\n" + HOST,
    "a fragment": b"GET /musteri.json?telefon=1003#x HTTP/1.1\r\n" + HOST,
    "only a question mark": b"GET ? HTTP/1.1\r\n" + HOST,
    "empty query": b"GET /musteri.json? HTTP/1.1\r\n" + HOST,
    "many parameters": b"GET /musteri.json?"
    + b"&".join(b"a%d=1" % place for place in range(900))
    + b" HTTP/1.1\r\n"
    + HOST,
    "a websocket": LINE % b"1003" + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + HOST,
    "Expect": b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n" + HOST + b"a",
    "header without a colon": LINE % b"1003" + b"nonsense\r\n" + HOST,
    "header with a NUL": LINE % b"1003" + b"X: a\x00b\r\n" + HOST,
    "folded header": LINE % b"1003" + b"X: a\r\n b\r\n" + HOST,
    "line feeds alone": b"GET /musteri.json?telefon=1003 HTTP/1.1\nHost: x\n\n",
    "bad cookie": LINE % b"1003" + b"Cookie: \xff=;;;\r\n" + HOST,
}


@pytest.mark.parametrize("name", RAW)
def test_whatever_comes_over_the_wire_gets_200_and_a_valid_target(server: Serving, name: str) -> None:
    heard = [*answers_in(send(server.port, RAW[name]))]
    assert heard, "there must be an answer"
    for status, headers, body in heard:
        assert status == 200
        assert headers["content-type"].split(";")[0] == "application/json"
        assert headers["server"] == "tanima"
        assert body == b"" if name == "CONNECT" else is_valid(body), "only to CONNECT, HTTP sends no body"
        assert set(headers) <= {
            "content-type", "content-length", "cache-control", "server", "date", "connection", "keep-alive",
        }, "nothing of the request is echoed"  # fmt: skip


def test_head_gets_the_same_headers_and_no_body(server: Serving) -> None:
    received = send(server.port, b"HEAD /musteri.json?telefon=1003 HTTP/1.1\r\nConnection: close\r\n" + HOST)
    head_lines, _, body = received.partition(b"\r\n\r\n")
    assert head_lines.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"application/json" in head_lines
    assert body == b""


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (b"05325550001&telefon=05325550001&x=y", EXPECTED[KNOWN.number]),
        (b"05325550001&telefon=1003", DEFAULT),
        (b"1003&telefon=05325550001", DEFAULT),
        (b"05325550001&telefon=", DEFAULT),
    ],
)
def test_a_number_that_comes_twice_must_be_the_same(server: Serving, query: bytes, said: dict[str, str]) -> None:
    ((status, _, body),) = answers_in(send(server.port, LINE % query + HOST))
    assert (status, json.loads(body)) == (200, said)


def test_pipelined_questions_are_answered_in_their_order(server: Serving) -> None:
    request = b"".join(LINE % number + HOST for number in (b"05325550001", b"1003", b"", b"05325550001"))
    heard = [json.loads(body) for _, _, body in answers_in(send(server.port, request, answers=4))]
    assert heard == [EXPECTED[KNOWN.number], {"target": "group/700"}, {"target": "ivr/10"}, EXPECTED[KNOWN.number]]


@pytest.mark.parametrize("stray", [b"telefon=1", b"\0", b"\r\n\0", b"nonsense\r\n\r\n", b"\0" * 20_000])
def test_what_stands_behind_a_question_in_the_same_packet_does_not_cost_it_its_answer(
    server: Serving, stray: bytes
) -> None:
    for count in (1, 3):
        heard = [*answers_in(send(server.port, (LINE % b"05325550001" + HOST) * count + stray, answers=count + 1))]
        assert [status for status, _, _ in heard] == [200] * (count + 1)
        assert [json.loads(body) for _, _, body in heard] == [EXPECTED[KNOWN.number]] * count + [DEFAULT]


def test_a_question_in_single_bytes_is_a_question(server: Serving) -> None:
    request = LINE % b"05325550001" + HOST
    packets = [request[place : place + 1] for place in range(len(request))]
    ((status, _, body),) = answers_in(send(server.port, *packets, pause=0.001))
    assert (status, json.loads(body)) == (200, EXPECTED[KNOWN.number])


def test_a_connection_is_closed_when_the_switch_wants_it_so(server: Serving) -> None:
    ((status, headers, body),) = answers_in(send(server.port, LINE % b"1003" + b"Connection: close\r\n" + HOST))
    assert (status, json.loads(body)) == (200, {"target": "group/700"})
    assert headers["connection"] == "close"


def test_a_caller_who_hangs_up_at_once_harms_nobody(server: Serving) -> None:
    for _ in range(20):
        send(server.port, LINE % b"05325550001" + b"Connection: close\r\n" + HOST)
    ((status, _, _),) = answers_in(send(server.port, LINE % b"1003" + HOST))
    assert status == 200


def test_none_of_this_was_a_bug(server: Serving) -> None:
    assert server.lines("bug") == []
    assert server.lines("event_loop") == []


async def test_path_and_parameter_are_the_tomls(serve: Serve) -> None:
    toml = head().replace("[switch]", '[switch]\npath = "/s/gizli/kim.json"\nparameter = "numara"')
    with serve(toml + source("static", static_options())) as serving:
        asked = {"parameter": "numara", "path": "/s/gizli/kim.json"}
        assert (await call(serving, KNOWN.number, **asked)).said == EXPECTED[KNOWN.number]
        assert (await call(serving, KNOWN.number)).said == DEFAULT
        assert (await call(serving, KNOWN.number, path="/s/gizli/kim.json")).said == {"target": "ivr/10"}


def test_no_answer_says_what_was_asked(server: Serving) -> None:
    mark = "unmistakable"
    for line in (f"GET /{mark}?telefon={mark} HTTP/1.1", f"{mark} / HTTP/1.1", f"GET /{quote(mark)} {mark}"):
        received = send(server.port, f"{line}\r\nHost: {mark}\r\nX-{mark}: {mark}\r\n\r\n".encode())
        assert received
        assert not re.search(mark, received.decode("latin-1"), re.IGNORECASE)
