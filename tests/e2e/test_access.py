"""Who may not ask gets, byte for byte, what an unknown caller gets, and nobody is looked up for him."""

import base64
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from proxy.testing import HttpCrm
from tests.e2e.conftest import Serve
from tests.e2e.people import (
    EXPECTED,
    PASSWORD,
    PEOPLE,
    STRANGER,
    TOKEN,
    answer_of_the_crm,
    head,
    rest_options,
    source,
    static_options,
)
from tests.e2e.running import Serving, answers_in

KNOWN = "05325550001"
GREETED = EXPECTED[PEOPLE[0].number]
UNKNOWN = EXPECTED[STRANGER]
WRONG = PASSWORD
"""A wrong token, which as little as a right one may stand in a log"""
NEXT_TOKEN = "s3cr3t-token-of-the-crm/next one+ü"

Question = tuple[str, dict[str, str]]
"""Path and query before the number, and headers"""


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


FORMS: dict[str, Callable[[str], Question]] = {
    "before the path": lambda token: (f"/{token}/musteri.json?", {}),
    "in the query": lambda token: (f"/musteri.json?token={token}&", {}),
    "X-Token": lambda token: ("/musteri.json?", {"X-Token": token}),
    "Bearer": lambda token: ("/musteri.json?", {"Authorization": f"Bearer {token}"}),
    "bearer": lambda token: ("/musteri.json?", {"authorization": f"bearer  {token}"}),
    "password": lambda token: ("/musteri.json?", {"Authorization": basic("switch", token)}),
    "user without a password": lambda token: ("/musteri.json?", {"Authorization": basic(token, "")}),
}

REFUSED: dict[str, Question] = {
    **{f"wrong {name}": form(WRONG) for name, form in FORMS.items()},
    **{f"beginning {name}": form(TOKEN[:-1]) for name, form in FORMS.items()},
    "none": ("/musteri.json?", {}),
    "empty": ("/musteri.json?token=&", {"X-Token": "", "Authorization": ""}),
    "empty Basic": ("/musteri.json?", {"Authorization": basic("", "")}),
    "Basic that is no base64": ("/musteri.json?", {"Authorization": "Basic %%%"}),
    "Basic that is no UTF-8": ("/musteri.json?", {"Authorization": "Basic /////w=="}),
    "another scheme": ("/musteri.json?", {"Authorization": f"Digest {TOKEN}"}),
    "as a user with another password": ("/musteri.json?", {"Authorization": basic(TOKEN, WRONG)}),
    "in another place of the path": (f"/musteri.json/{TOKEN}/musteri.json?", {}),
    "with more before it": (f"/x/{TOKEN}/musteri.json?", {}),
    "as another parameter": (f"/musteri.json?Token={TOKEN}&", {}),
    "in a cookie": ("/musteri.json?", {"Cookie": f"token={TOKEN}"}),
}


def ask(
    port: int, number: str, before: str = "/musteri.json?", headers: dict[str, str] | None = None, me: str = "127.0.0.1"
) -> bytes:
    """Ask from one of this machine's addresses, and return all that comes back, but for the date."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    request = f"GET {before}telefon={number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(me, 0)) as connection:
        connection.sendall(request.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return re.sub(rb"Date: [^\r]*\r\n", b"", received)


def said(received: bytes) -> object:
    ((status, _, body),) = answers_in(received)
    assert status == 200
    return json.loads(body)


def access(**keys: object) -> str:
    return "[switch.access]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


@pytest.fixture(scope="module")
def guarded(serve: Serve) -> Iterator[Serving]:
    toml = head(more=access(tokens=[TOKEN, NEXT_TOKEN])) + source("static", static_options())
    with serve(toml) as serving:
        yield serving


# ---------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize("form", FORMS)
def test_a_right_token_may_come_in_any_form(guarded: Serving, form: str) -> None:
    before, headers = FORMS[form](TOKEN)
    assert said(ask(guarded.port, KNOWN, before, headers)) == GREETED


def test_two_tokens_are_good_at_once_whatever_they_are_made_of(guarded: Serving) -> None:
    encoded = "s3cr3t-token-of-the-crm%2Fnext%20one%2B%C3%BC"
    for before, headers in (
        (f"/{encoded}/musteri.json?", {}),
        (f"/musteri.json?token={encoded}&", {}),
        ("/musteri.json?", {"X-Token": NEXT_TOKEN}),
        ("/musteri.json?", {"Authorization": f"Bearer {TOKEN}"}),
        ("/musteri.json?", {"Authorization": basic("", NEXT_TOKEN)}),
    ):
        assert said(ask(guarded.port, KNOWN, before, headers)) == GREETED, before


@pytest.mark.parametrize("question", REFUSED)
def test_without_a_right_token_everybody_is_an_unknown_caller_byte_for_byte(guarded: Serving, question: str) -> None:
    before, headers = REFUSED[question]
    for number in (KNOWN, STRANGER, "1003", "", "nonsense"):
        unknown = STRANGER if number == KNOWN else number
        assert ask(guarded.port, number, before, headers) == ask(guarded.port, unknown, headers={"X-Token": TOKEN})


def test_a_path_that_only_looks_like_the_switches_own_gets_the_default(guarded: Serving) -> None:
    for path in (f"/{TOKEN}/", f"/{TOKEN}", f"/{TOKEN}/musteri.json/", f"/{TOKEN}/MUSTERI.JSON"):
        assert said(ask(guarded.port, KNOWN, f"{path}?")) == {"target": "queue/200"}


def test_the_log_says_that_somebody_was_refused_and_not_with_what(guarded: Serving) -> None:
    ask(guarded.port, KNOWN, f"/{WRONG}/musteri.json?")
    lines = guarded.lines("call")
    assert {"refused", "rule", "unknown_caller"} <= {line["reason"] for line in lines}
    assert not [secret for secret in (TOKEN, WRONG) if secret in guarded.text()]
    assert guarded.lines("bug") == []


def test_rules_for_unknown_callers_hold_for_those_who_may_not_ask(serve: Serve) -> None:
    rule = (
        '[[rules]]\nname = "strangers from home"\ncaller = { kind = "unknown", country = "TR" }\ntarget = "queue/209"\n'
    )
    with serve(head(more=rule + access(tokens=[TOKEN])) + source("static", static_options())) as serving:
        unknown = ask(serving.port, STRANGER, headers={"X-Token": TOKEN})
        assert said(unknown) == {"target": "queue/209"}
        assert ask(serving.port, KNOWN) == ask(serving.port, STRANGER) == unknown


# ---------------------------------------------------------------------------------------- no customer list


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(answer_of_the_crm) as crm:
        yield crm


async def test_ten_thousand_numbers_with_a_wrong_token_make_no_lookup_and_tell_no_name(
    serve: Serve, crm: HttpCrm, figure: Callable[[str], None]
) -> None:
    heard: set[bytes] = set()
    count = 0
    toml = head(more=access(tokens=[TOKEN])) + source("rest", rest_options(crm.url))
    with (
        serve(toml) as serving,
        socket.create_connection(("127.0.0.1", serving.port), timeout=10) as connection,
    ):
        for block in range(500):
            numbers = [f"0532555{block * 20 + place:04}" for place in range(20)]
            lines = [f"GET /{WRONG}/musteri.json?telefon={number} HTTP/1.1\r\nHost: x\r\n\r\n" for number in numbers]
            connection.sendall("".join(lines).encode())
            received = b""
            while received.count(b"}") < len(numbers):
                received += connection.recv(65536)
            answers = [*answers_in(received)]
            assert {status for status, _, _ in answers} == {200}
            heard |= {body for _, _, body in answers}
            count += len(answers)
        assert crm.requests == []
        assert said(ask(serving.port, KNOWN)) == UNKNOWN
        assert serving.lines("source_failed") == []
    assert count == 10_000
    assert [json.loads(body) for body in heard] == [UNKNOWN]
    figure(f"{count} enumerated numbers, three of them customers', with a wrong token: 0 lookups, one same answer")


# ---------------------------------------------------------------------------------------- networks


def test_only_who_is_in_an_allowed_network_may_ask(serve: Serve) -> None:
    allow = access(allow=["127.0.0.2", "127.1.0.0/16", "192.0.2.0/24"])
    with serve(head(more=allow) + source("static", static_options())) as serving:
        for me in ("127.0.0.2", "127.1.2.3"):
            assert said(ask(serving.port, KNOWN, me=me)) == GREETED, me
        unknown = ask(serving.port, STRANGER, me="127.0.0.2")
        for me in ("127.0.0.1", "127.0.0.3", "127.2.0.1"):
            assert ask(serving.port, KNOWN, me=me) == unknown, me


def test_a_right_token_from_a_wrong_network_is_not_enough(serve: Serve) -> None:
    both = access(allow=["127.0.0.2"], tokens=[TOKEN])
    with serve(head(more=both) + source("static", static_options())) as serving:
        token = {"X-Token": TOKEN}
        unknown = ask(serving.port, STRANGER, headers=token, me="127.0.0.2")
        assert said(ask(serving.port, KNOWN, headers=token, me="127.0.0.2")) == GREETED
        assert ask(serving.port, KNOWN, headers=token, me="127.0.0.1") == unknown
        assert ask(serving.port, KNOWN, me="127.0.0.2") == unknown


# ---------------------------------------------------------------------------------------- the bucket


def test_more_than_the_burst_is_refused_for_each_address_by_itself(serve: Serve) -> None:
    bucket = access(rate=0.001, burst=3)
    with serve(head(more=bucket) + source("static", static_options())) as serving:
        unknown = ask(serving.port, STRANGER, me="127.0.0.9")
        for me in ("127.0.0.1", "127.0.0.2"):
            heard = [ask(serving.port, KNOWN, me=me) for _ in range(6)]
            assert [said(answer) for answer in heard[:3]] == [GREETED] * 3, me
            assert heard[3:] == [unknown] * 3, me


def test_the_bucket_fills_again(serve: Serve) -> None:
    with serve(head(more=access(rate=50, burst=1)) + source("static", static_options())) as serving:
        heard = [said(ask(serving.port, KNOWN)) for _ in range(400)]
    assert GREETED in heard[1:]


def test_who_has_no_right_token_does_not_use_up_the_bucket_of_the_switch(serve: Serve) -> None:
    both = access(rate=0.001, burst=3, tokens=[TOKEN])
    with serve(head(more=both) + source("static", static_options())) as serving:
        for _ in range(20):
            assert said(ask(serving.port, KNOWN, headers={"X-Token": WRONG})) == UNKNOWN
        heard = [said(ask(serving.port, KNOWN, headers={"X-Token": TOKEN})) for _ in range(4)]
        assert heard == [GREETED] * 3 + [UNKNOWN]


# ---------------------------------------------------------------------------------------- X-Forwarded-For

FORGED = [
    {"X-Forwarded-For": "192.0.2.7"},
    {"x-forwarded-for": "192.0.2.7, 192.0.2.7"},
    {"Forwarded": "for=192.0.2.7"},
    {"X-Real-IP": "192.0.2.7"},
    {"X-Client-IP": "192.0.2.7"},
    {"True-Client-IP": "192.0.2.7"},
]


@pytest.fixture(scope="module")
def behind_proxies(serve: Serve) -> Iterator[Serving]:
    allow = access(allow=["192.0.2.7"], trusted_proxies=["127.0.0.9", "127.0.0.8/31"])
    with serve(head(more=allow) + source("static", static_options())) as serving:
        yield serving


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: str(*headers))
def test_a_forged_header_changes_nothing(behind_proxies: Serving, headers: dict[str, str]) -> None:
    trusted = {"X-Forwarded-For": "192.0.2.7"}
    assert said(ask(behind_proxies.port, KNOWN, headers=trusted, me="127.0.0.9")) == GREETED
    assert said(ask(behind_proxies.port, KNOWN, headers=headers, me="127.0.0.1")) == UNKNOWN


def test_a_forged_header_gives_nobody_a_bucket_of_his_own(serve: Serve) -> None:
    with serve(head(more=access(rate=0.001, burst=3)) + source("static", static_options())) as serving:
        heard = [said(ask(serving.port, KNOWN, headers={"X-Forwarded-For": f"192.0.2.{place}"})) for place in range(6)]
        assert heard == [GREETED] * 3 + [UNKNOWN] * 3


HOPS = [
    ("192.0.2.7", True),
    ("203.0.113.5, 192.0.2.7", True),
    ("203.0.113.5, 192.0.2.7, 127.0.0.9, 127.0.0.8", True),
    ("192.0.2.7:40000", True),
    ("::ffff:192.0.2.7", True),
    ("[::ffff:192.0.2.7]:443", True),
    ("192.0.2.7, 203.0.113.5", False),
    ("192.0.2.7, 203.0.113.5, 127.0.0.9", False),
    ("192.0.2.7, unknown", False),
    ("192.0.2.7,", False),
    ("192.0.2.7, 192.0.2.7x", False),
    ("192.0.2.7, 127.0.0.9, _hidden", False),
    ("nonsense", False),
    ("", False),
    (", ".join(["192.0.2.7"] * 400), True),
]


@pytest.mark.parametrize(("hops", "may_ask"), HOPS, ids=[hops[:50] for hops, _ in HOPS])
def test_of_a_trusted_proxys_header_the_last_hop_counts_that_is_not_trusted(
    behind_proxies: Serving, hops: str, *, may_ask: bool
) -> None:
    heard = ask(behind_proxies.port, KNOWN, headers={"X-Forwarded-For": hops}, me="127.0.0.9")
    assert said(heard) == (GREETED if may_ask else UNKNOWN)


def test_several_lines_of_the_header_are_one_list(behind_proxies: Serving) -> None:
    def lines(first: str, second: str) -> dict[str, str]:
        return {"X-Forwarded-For": f"{first}\r\nX-Forwarded-For: {second}"}

    port = behind_proxies.port
    assert said(ask(port, KNOWN, headers=lines("203.0.113.5", "192.0.2.7"), me="127.0.0.9")) == GREETED
    assert said(ask(port, KNOWN, headers=lines("192.0.2.7", "203.0.113.5"), me="127.0.0.9")) == UNKNOWN
    assert said(ask(port, KNOWN, headers=lines("192.0.2.7", "127.0.0.9"), me="127.0.0.9")) == GREETED
