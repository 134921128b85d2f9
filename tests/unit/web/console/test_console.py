"""What all pages have in common: where they are, what they bring along, and what becomes of bad requests."""

import asyncio
import re

import pytest
from aiohttp.test_utils import make_mocked_request

from proxy.errors import ProxyError
from proxy.web import bodies
from proxy.web.console import console
from tests.operated import half_an_hour
from tests.unit.fakes import Bugs
from tests.unit.web.console.browsing import TOKEN, Browser

PAGES = ("/", "/calls", "/test", "/sources", "/rules", "/configuration", "/cache")


@pytest.mark.parametrize("language", ["en", "tr"])
async def test_every_page_is_there_and_loads_nothing_from_elsewhere(browser: Browser, language: str) -> None:
    half_an_hour(browser.operated, 60)
    for path in (*PAGES, "/calls/1"):
        page = await browser.get(f"{path}?lang={language}")
        assert page.status == 200, path
        assert f'<html lang="{language}">' in page.html
        assert page.response.headers["Cache-Control"] == "no-store"
        assert page.response.headers["X-Content-Type-Options"] == "nosniff"
        assert page.response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        policy = page.response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.html)
        assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", page.html), "the policy forbids these"
        assert "<style" not in page.html
        assert len(re.findall("<h1", page.html)) == 1
        assert page.html.count('aria-current="page"') == (1 if path in PAGES else 0)


async def test_no_page_has_a_full_number_that_nobody_typed(browser: Browser) -> None:
    half_an_hour(browser.operated, 60)
    last = browser.operated.journal._count
    for path in (*PAGES, "/now", *(f"/calls/{number}" for number in range(last - 5, last + 1))):
        page = await browser.get(path)
        digits = re.sub(r"[^0-9]", "", page.text)
        for number in ("5301234567", "5321112233", "2125551010", "8505321234"):
            assert number not in digits, path


async def test_what_pages_load_is_kept_by_browsers_and_needs_no_session(guarded: Browser) -> None:
    for path, kind in (
        ("/console.css", "text/css"),
        ("/console.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ):
        loaded = await guarded.get(path)
        assert (loaded.status, loaded.response.content_type) == (200, kind)
        assert "immutable" in loaded.response.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/metrics", "/erase", "/calls/", "/calls/x", "/calls/1/2", "/calls/²", "/now/"])
async def test_other_paths_are_somebody_elses(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).html == "no page"


async def test_the_part_that_moves_is_no_whole_page(browser: Browser) -> None:
    page = await browser.get("/now")
    assert page.status == 200
    assert "<html" not in page.html
    assert 'id="headline"' in page.html


async def test_methods(browser: Browser) -> None:
    async with browser.client.head("/") as response:
        assert (response.status, await response.read()) == (200, b"")
    async with browser.client.put("/test") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, POST")
    refused = await browser.post("/calls")
    assert (refused.status, refused.response.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_bug_is_told_and_costs_one_page_only(browser: Browser, bugs: Bugs) -> None:
    browser.operated.error = RuntimeError("of no interest to a visitor")
    page = await browser.get("/")
    assert page.status == 500
    assert "This page could not be made." in page.text
    assert "of no interest" not in page.html
    assert bugs.reported == [("console", browser.operated.error)]
    bugs.reported.clear()
    browser.operated.error = None
    assert (await browser.get("/")).status == 200


async def test_what_cannot_be_done_now_is_told(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cannot(_: object) -> int:
        raise ProxyError("not all workers run - allowed: to ask again")

    monkeypatch.setattr(browser.operated, "invalidate", cannot)
    page = await browser.post("/cache", {"action": "invalidate", "number": "05301234567"})
    assert page.status == 503
    assert "not all workers run - allowed: to ask again" in page.text


# ---------------------------------------------------------------------------------------- forms


async def test_a_form_of_somebody_elses_is_refused(browser: Browser) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example.com"},
        {"Origin": "null"},
        {"Origin": "http://[oops"},
    ):
        refused = await browser.post("/test", {"number": "1003"}, **headers)
        assert refused.status == 403, headers
        assert "This form was sent by a page of somebody else." in refused.text
    assert browser.operated.questions == []
    host = f"{browser.client.host}:{browser.client.port}"
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": f"http://{host}"}):
        assert (await browser.post("/test", {"number": "1003"}, **headers)).status == 200


@pytest.mark.parametrize("csrf", ["", "0" * 64, "ş"])
async def test_a_form_that_no_page_has_given_is_refused(browser: Browser, csrf: str) -> None:
    await browser.get("/test")
    refused = await browser.send("/test", {"csrf": csrf, "number": "1003"})
    assert refused.status == 403
    assert "This form is out of date: open its page again." in refused.text
    assert browser.operated.questions == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x" * 4097, "application/x-www-form-urlencoded", 413),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 30, "application/x-www-form-urlencoded", 400),
    ],
)
async def test_what_is_no_form_is_refused(browser: Browser, body: bytes, kind: str, status: int) -> None:
    await browser.get("/test")
    assert (await browser.send("/test", body, **{"Content-Type": kind})).status == status


@pytest.mark.parametrize(
    ("path", "length", "answer"),
    [
        ("/login", "Content-Length: 10", b"408"),
        ("/login", "Content-Length: 4097", b"413"),
        ("/login", "Transfer-Encoding: chunked", b"411"),
        ("/test", "Content-Length: 10", b"303"),
    ],
)
async def test_a_form_of_somebody_unknown_that_does_not_come_is_not_waited_for(
    guarded: Browser, monkeypatch: pytest.MonkeyPatch, path: str, length: str, answer: bytes
) -> None:
    monkeypatch.setattr(console, "LOGIN_WITHIN", 0.05)
    reader, writer = await asyncio.open_connection(guarded.client.host, guarded.client.port)
    kind = "Content-Type: application/x-www-form-urlencoded"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{kind}\r\n{length}\r\n\r\n2".encode())
    assert (await asyncio.wait_for(reader.readline(), 5)).split()[1] == answer
    writer.close()
    await writer.wait_closed()


async def test_a_form_that_does_not_come_is_not_waited_for_long(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN", 0.05)
    cookie = (await browser.get("/")).response.headers["Set-Cookie"].partition(";")[0]
    reader, writer = await asyncio.open_connection(browser.client.host, browser.client.port)
    host = f"Host: localhost:{browser.client.port}\r\nCookie: {cookie}"
    kind = "Content-Type: application/x-www-form-urlencoded"
    writer.write(f"POST /test HTTP/1.1\r\n{host}\r\n{kind}\r\nContent-Length: 10\r\n\r\nab".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    await writer.wait_closed()


# ---------------------------------------------------------------------------------------- who may


async def test_without_a_token_a_session_begins_by_itself(browser: Browser) -> None:
    first = await browser.get("/")
    cookie = first.response.headers["Set-Cookie"]
    assert cookie.startswith(f"tanima_{browser.client.port}=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"))
    assert "Secure" not in cookie
    assert "Set-Cookie" not in (await browser.get("/")).response.headers
    assert "Log out" not in first.text
    assert (await browser.get("/login")).location == "/"
    assert (await browser.log_in("whatever", "/calls")).location == "/calls"


async def test_without_a_session_a_form_leads_to_its_page(browser: Browser, guarded: Browser) -> None:
    assert (await browser.send("/test", {"number": "1003"})).location == "/test"
    assert (await guarded.send("/test", {"number": "1003"})).location == "/login?next=%2Ftest"
    assert browser.operated.questions == []


async def test_logging_in_and_out(guarded: Browser) -> None:
    door = await guarded.get("/calls?reason=rule&via=cache")
    assert (door.status, door.location) == (303, "/login?next=%2Fcalls%3Freason%3Drule%26via%3Dcache")
    login = await guarded.get(door.location)
    assert login.status == 200
    assert 'name="next" value="/calls?reason=rule&amp;via=cache"' in login.html
    assert '<nav aria-label="Pages"' not in login.html
    wrong = await guarded.log_in("made-up-but-wrong")
    assert wrong.status == 403
    assert "This is not the token." in wrong.text
    assert "Set-Cookie" not in wrong.response.headers
    entered = await guarded.log_in(following="/calls?reason=rule&via=cache")
    assert (entered.status, entered.location) == (303, "/calls?reason=rule&via=cache")
    page = await guarded.get("/calls")
    assert page.status == 200
    assert "Log out" in page.text
    assert (await guarded.get("/login?next=/rules")).location == "/rules"
    assert (await guarded.get("/logout")).location == "/"
    left = await guarded.post("/logout")
    assert (left.status, left.location) == (303, "/login")
    assert (await guarded.get("/calls")).status == 303


@pytest.mark.parametrize(
    "following",
    [
        "",
        "https://elsewhere.example.com/",
        "//elsewhere.example.com",
        "/\\elsewhere",
        "/metrics",
        "/now",
        "/calls\r\nX: y",
        "/?a='",
    ],
)
async def test_nobody_is_led_elsewhere_by_logging_in(guarded: Browser, following: str) -> None:
    assert (await guarded.log_in(following=following)).location == "/"


async def test_guesses_are_limited_but_who_knows_the_token_gets_in(guarded: Browser) -> None:
    for _ in range(5):
        assert (await guarded.log_in("made-up-but-wrong")).status == 403
    for token in ("made-up-but-wrong", f"{TOKEN}x", ""):
        refused = await guarded.log_in(token)
        assert (refused.status, refused.response.headers["Retry-After"]) == (429, "10")
        assert "This is not the token, as those before." in refused.text
    assert (await guarded.log_in()).status == 303
    assert (await guarded.log_in("made-up-but-wrong")).status == 429


async def test_others_can_ask_whose_browser_it_is(guarded: Browser) -> None:
    entered = await guarded.log_in()
    cookie = entered.response.headers["Set-Cookie"].partition(";")[0]
    headers = {"Host": f"localhost:{guarded.client.port}", "Cookie": cookie}
    assert guarded.console.session_of(make_mocked_request("GET", "/metrics", headers=headers)) is not None
    assert guarded.console.session_of(make_mocked_request("GET", "/metrics")) is None
