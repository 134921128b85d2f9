"""Sessions: which cookies prove anything."""

import time
from http.cookies import SimpleCookie

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from proxy.web.console.sessions import LASTS, Session, Sessions, drop, keep
from tests.unit.web.console.browsing import TOKEN


def request_with(cookie: str = "", host: str = "localhost:9090", **headers: str) -> web.BaseRequest:
    name = f"tanima_{host.partition(':')[2]}" if ":" in host else "tanima"
    return make_mocked_request("GET", "/", headers={"Host": host, "Cookie": f"{name}={cookie}", **headers})


def cookie_set(response: web.Response) -> str:
    return response.cookies.output(header="")


def test_a_session_survives_a_restart_but_not_another_token() -> None:
    session = Sessions(TOKEN).begin()
    assert session.is_new
    again = Sessions(TOKEN).of(request_with(session.cookie))
    assert again == Session(session.cookie, session.csrf)
    assert Sessions("another-made-up-token").of(request_with(session.cookie)) is None


def test_without_a_token_a_session_dies_with_the_process() -> None:
    one = Sessions(None)
    session = one.begin()
    assert one.of(request_with(session.cookie)) is not None
    assert Sessions(None).of(request_with(session.cookie)) is None


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    mine = Sessions(TOKEN)
    session = mine.begin()
    now += LASTS - 1
    assert mine.of(request_with(session.cookie)) is not None
    now += 1
    assert mine.of(request_with(session.cookie)) is None


def test_what_was_changed_is_worth_nothing() -> None:
    mine = Sessions(TOKEN)
    until, nonce, mac = mine.begin().cookie.split(".")
    later = str(int(until) + 1)
    other = "0" * 32
    for cookie in (
        "",
        "x",
        f"{later}.{nonce}.{mac}",
        f"{until}.{other}.{mac}",
        f"{until}.{nonce}.{'0' * 64}",
        f"{until}.{nonce}",
        f"٣{until[1:]}.{nonce}.{mac}",
    ):
        assert mine.of(request_with(cookie)) is None, cookie


def test_each_session_has_a_word_of_its_own_for_forms() -> None:
    mine = Sessions(TOKEN)
    one, other = mine.begin(), mine.begin()
    assert one.csrf != other.csrf
    assert one.csrf not in one.cookie


def test_servers_behind_one_name_do_not_take_each_others_cookies() -> None:
    mine = Sessions(TOKEN)
    response = web.Response()
    keep(request_with(host="console.example.com"), response, mine.begin())
    keep(request_with(host="localhost:9091"), response, mine.begin())
    assert set(response.cookies) == {"tanima", "tanima_9091"}


def test_behind_tls_a_cookie_goes_by_tls_only() -> None:
    response = web.Response()
    keep(request_with(**{"X-Forwarded-Proto": "https"}), response, Sessions(TOKEN).begin())
    assert "Secure" in cookie_set(response)


def test_a_cookie_is_dropped() -> None:
    response = web.Response()
    drop(request_with(), response)
    parsed = SimpleCookie(cookie_set(response))
    assert parsed["tanima_9090"].value == ""
    assert parsed["tanima_9090"]["max-age"] == "0"


def test_who_has_no_address_is_limited_too() -> None:
    mine = Sessions(TOKEN)
    request = make_mocked_request("POST", "/login").clone(remote="somewhere")
    tries = [mine.may_guess(request, 0.0) for _ in range(6)]
    assert tries == [True] * 5 + [False]
    assert mine.may_guess(request, 10.0)
