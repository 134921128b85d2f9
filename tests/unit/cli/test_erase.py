"""What `tanima erase` does where a server runs, and where none does."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.cache import ContactCache, Entry
from proxy.cli import main
from proxy.cli.erase import erase
from proxy.config import Configuration
from proxy.deployment import snapshot_of
from proxy.errors import ProxyError
from proxy.snapshot import Caps
from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers, breaks_off, hangs, redirects, sends
from proxy.testing.http_crm import Behaviour
from proxy.web.admin import AdminListener
from proxy.web.operated import Erased
from tests.servers import free_port
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, NUMBER, OTHER_NUMBER, Bugs, FakeAdapter
from tests.unit.web.listening import ListenerServer
from tests.unit.web.operated import FakeOperated

TOKEN = "made-up-token-of-the-operator"
KEY = "made-up-made-up-made-up"
GOOD = b'{"was_known": true, "snapshot": true}'


def deployed(
    folder: Path, port: int | None = None, *, token: str | None = None, snapshot: bool = True
) -> Configuration:
    sections: dict[str, Any] = {"cache": {"snapshot": "cache.json", "snapshot_key": KEY}} if snapshot else {}
    if port is not None:
        sections["admin"] = {"listen": f"127.0.0.1:{port}", **({"token": token} if token else {})}
    configuration = configured(FakeAdapter(None), **sections)
    return Configuration(configuration.settings, configuration.sources, folder=folder)


@asynccontextmanager
async def running(token: str | None = None, answer: Erased | ProxyError | None = None) -> AsyncIterator["Running"]:
    """Let a server run that erases nothing but notes what it is asked for."""
    operated = Running(answer or Erased(was_known=True, snapshot=True))
    async with ListenerServer(AdminListener(operated, token, None, Bugs())) as server:
        assert server.port is not None
        operated.port = server.port
        yield operated


class Running(FakeOperated):
    port = 0


async def left_behind(configuration: Configuration) -> None:
    """Write a snapshot as a server does that knows two callers."""
    snapshot, cache, now = snapshot_of(configuration), ContactCache(10), time.monotonic()
    assert snapshot is not None
    for number in (NUMBER, OTHER_NUMBER):
        cache.put(number.e164, Entry(AHMET, now + 300, now + 600))
    assert await snapshot.write(cache) == 2


async def in_the_snapshot(configuration: Configuration) -> list[str]:
    snapshot, cache = snapshot_of(configuration), ContactCache(10)
    assert snapshot is not None
    await snapshot.read_into(cache, Caps(300, 60, 600))
    return [e164 for part in cache.parts() for e164, _ in part]


# ---------------------------------------------------------------------------------------- a server runs


@pytest.mark.parametrize("text", ["05301234567", "0530 123 45 67", "+905301234567"])
async def test_the_running_server_is_told_and_the_snapshot_left_to_it(tmp_path: Path, text: str) -> None:
    async with running() as server:
        configuration = deployed(tmp_path, server.port)
        await left_behind(configuration)
        told = await erase(configuration, text)
    assert told == ["cache of the running server: erased", "snapshot: written without it"]
    assert server.numbers == [NUMBER]
    assert await in_the_snapshot(configuration) == [NUMBER.e164, OTHER_NUMBER.e164]


async def test_what_the_running_server_has_not_is_told(tmp_path: Path) -> None:
    async with running(answer=Erased(was_known=False, snapshot=False)) as server:
        told = await erase(deployed(tmp_path, server.port), "05301234567")
    assert told == ["cache of the running server: nothing was there"]


async def test_the_token_is_brought(tmp_path: Path) -> None:
    async with running(TOKEN) as server:
        told = await erase(deployed(tmp_path, server.port, token=TOKEN), "05301234567")
    assert told[0] == "cache of the running server: erased"


@pytest.mark.parametrize("token", [None, TOKEN.upper()])
async def test_a_server_that_refuses_the_token_erases_nothing(tmp_path: Path, token: str | None) -> None:
    async with running(TOKEN) as server:
        configuration = deployed(tmp_path, server.port, token=token)
        await left_behind(configuration)
        with pytest.raises(ProxyError) as caught:
            await erase(configuration, "05301234567")
    said = "no token, or not the right one - allowed: Authorization: Bearer TOKEN"
    assert str(caught.value) == f"the server says: {said}"
    assert server.numbers == []
    assert await in_the_snapshot(configuration) == [NUMBER.e164, OTHER_NUMBER.e164]


async def test_what_the_server_could_not_do_is_told_in_its_words(tmp_path: Path) -> None:
    sentence = "the snapshot cannot be written (No space left on device)"
    async with running(answer=ProxyError(sentence)) as server:
        with pytest.raises(ProxyError, match=r"^the server says: the snapshot cannot be written \(No space left on"):
            await erase(deployed(tmp_path, server.port), "05301234567")


async def test_an_ipv6_address_is_put_into_brackets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request, asked = aiohttp.ClientSession.request, list[str]()

    def as_if_it_were_there(session: aiohttp.ClientSession, method: str, url: str, **more: Any) -> Any:
        asked.append(url)
        return request(session, method, url.replace("[::1]", "127.0.0.1"), **more)

    monkeypatch.setattr(aiohttp.ClientSession, "request", as_if_it_were_there)
    async with running() as server:
        configuration = configured(FakeAdapter(None), admin={"listen": f"[::1]:{server.port}"})
        assert len(await erase(configuration, "05301234567")) == 2
    assert asked == [f"http://[::1]:{server.port}/erase"]


# ---------------------------------------------------------------------------------------- something else is there

STRANGERS: dict[str, Behaviour] = {
    "HTML": answers(200, b"<html>05301234567</html>", content_type="text/html"),
    "a 404 with HTML": answers(404, b"<html>Not Found</html>", content_type="text/html"),
    "a 404 with JSON": answers(404, b'{"detail": "Not Found"}'),
    "an error that is none": answers(500, b'["error"]'),
    "no JSON": answers(200, b"erased"),
    "bad UTF-8": answers(200, b'{"was_known": true, "snapshot": "\xff"}'),
    "half of a JSON": answers(200, GOOD[:-5]),
    "a deep JSON": answers(200, b"[" * 60_000),
    "an empty JSON": answers(200, b"{}"),
    "half of the answer": answers(200, b'{"was_known": true}'),
    "a list": answers(200, b"[true, true]"),
    "null": answers(200, b"null"),
    "no HTTP": sends(b"SSH-2.0-OpenSSH_9.6\r\n", then_closes=True),
    "half an answer": breaks_off(GOOD, after=10),
    "nothing": sends(b"", then_closes=True),
    "nothing for a long time": hangs,
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.cli.running.PATIENCE", 0.3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_what_is_no_tanima_is_told_in_one_sentence_and_nothing_is_done(tmp_path: Path, stranger: str) -> None:
    async with HttpCrm(lambda _: None) as other:
        other.behaviour = STRANGERS[stranger]
        configuration = deployed(tmp_path, other.port)
        await left_behind(configuration)
        with pytest.raises(ProxyError) as caught:
            await erase(configuration, "05301234567")
    expected = f"the server at 127.0.0.1:{other.port} does not answer as it should - allowed: a tanima"
    assert str(caught.value) == expected
    assert await in_the_snapshot(configuration) == [NUMBER.e164, OTHER_NUMBER.e164]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_number_and_the_token_are_sent_nowhere_else(tmp_path: Path, status: int) -> None:
    def answer(_: Request) -> bytes:
        return GOOD

    async with HttpCrm(answer) as elsewhere, HttpCrm(answer) as other:
        other.behaviour = redirects(f"{elsewhere.url}/erase", status)
        with pytest.raises(ProxyError, match="does not answer as it should"):
            await erase(deployed(tmp_path, other.port, token=TOKEN), "05301234567")
    assert (len(other.requests), elsewhere.requests) == (1, [])


async def test_a_server_that_cannot_be_reached_may_run_and_so_nothing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    sections: dict[str, Any] = {
        "admin": {"listen": "nobody.invalid:9090", "token": TOKEN},
        "cache": {"snapshot": "cache.json", "snapshot_key": KEY},
    }
    configuration = configured(FakeAdapter(None), **sections)
    configuration = Configuration(configuration.settings, configuration.sources, folder=tmp_path)
    await left_behind(configuration)
    with pytest.raises(ProxyError) as caught:
        await erase(configuration, "05301234567")
    reason = "Name or service not known"
    expected = f"the server at nobody.invalid:9090 cannot be reached ({reason}) - allowed: a tanima"
    assert str(caught.value) == expected
    assert await in_the_snapshot(configuration) == [NUMBER.e164, OTHER_NUMBER.e164]


# ---------------------------------------------------------------------------------------- none runs


async def test_when_none_runs_it_is_taken_out_of_the_snapshot(tmp_path: Path) -> None:
    port = free_port()
    configuration, nobody = deployed(tmp_path, port), f"no server answers at 127.0.0.1:{port}"
    await left_behind(configuration)
    assert await erase(configuration, "05301234567") == [nobody, "snapshot: erased"]
    assert await in_the_snapshot(configuration) == [OTHER_NUMBER.e164]
    assert await erase(configuration, "05301234567") == [nobody, "snapshot: nothing was there"]
    assert await in_the_snapshot(configuration) == [OTHER_NUMBER.e164]


async def test_when_none_answers_and_there_is_no_snapshot_nothing_is_claimed(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(ProxyError) as caught:
        await erase(deployed(tmp_path, port, snapshot=False), "05301234567")
    nothing = "and there is no snapshot: nothing was erased - allowed: a server that can be told"
    assert str(caught.value) == f"no server answers at 127.0.0.1:{port}, {nothing}"


async def test_while_a_server_that_cannot_be_reached_has_the_snapshot_nothing_is_erased(tmp_path: Path) -> None:
    configuration = deployed(tmp_path, free_port())
    await left_behind(configuration)
    servers = snapshot_of(configuration)
    assert servers is not None
    await servers.hold()
    with pytest.raises(ProxyError, match="a server that runs has the snapshot"):
        await erase(configuration, "05301234567")
    assert await in_the_snapshot(configuration) == [NUMBER.e164, OTHER_NUMBER.e164]
    servers.let_go()
    assert (await erase(configuration, "05301234567"))[1] == "snapshot: erased"


async def test_a_snapshot_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache.json").write_text("nonsense", encoding="utf-8")
    with pytest.raises(ProxyError, match="the snapshot is damaged"):
        await erase(deployed(tmp_path, free_port()), "05301234567")


async def test_where_a_running_server_cannot_be_told_that_is_told(tmp_path: Path) -> None:
    configuration = deployed(tmp_path)
    await left_behind(configuration)
    told = await erase(configuration, "05301234567")
    assert told == ["a running server is not told: there is no [admin] listen", "snapshot: erased"]


async def test_where_there_is_nothing_to_be_done_that_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProxyError) as caught:
        await erase(deployed(tmp_path, snapshot=False), "05301234567")
    assert str(caught.value).startswith("a running server is not told: there is no [admin] listen, and there is no ")


@pytest.mark.parametrize("text", ["", "1003", "112", "0530ABCDEFG", "anonymous", "٠٥٣٠١٢٣٤٥٦٧"])
async def test_what_is_no_number_is_told_and_nobody_is_asked(tmp_path: Path, text: str) -> None:
    async with running() as server:
        with pytest.raises(ProxyError) as caught:
            await erase(deployed(tmp_path, server.port), text)
    assert str(caught.value).startswith(f"{text!r} ")
    assert str(caught.value).endswith(" - allowed: a phone number")
    assert server.numbers == []


# ---------------------------------------------------------------------------------------- the command


TOML = """
[switch]
default = "queue/200"

[admin]
listen = "127.0.0.1:{port}"

[[sources]]
name = "crm"
adapter = "static"
options.contacts = []
"""


def test_the_command_prints_what_was_done_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    port = free_port()
    cache = f'\n[cache]\nsnapshot = "cache.json"\nsnapshot_key = "{KEY}"\n'
    config.write_text(TOML.format(port=port) + cache, encoding="utf-8")
    assert main(["erase", "0530 123 45 67", "--config", str(config)]) == 0
    printed = capsys.readouterr()
    lines = f"no server answers at 127.0.0.1:{port}\nsnapshot: nothing was there\n"
    assert (printed.out, printed.err) == (lines, "")


def test_the_command_fails_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(TOML.format(port=free_port()), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        main(["erase", "0530ABCDEFG", "--config", str(config)])
    printed = capsys.readouterr()
    why = "has other characters than digits, a leading plus and separators"
    assert caught.value.code == 1
    assert (printed.out, printed.err) == ("", f"tanima: '0530ABCDEFG' {why} - allowed: a phone number\n")
