"""What `tanima journal` tells."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.cli.journal import last_calls
from proxy.cli.parser import parser_of_commands
from proxy.errors import ProxyError
from proxy.model import Asked, Reason, Via
from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers
from proxy.web.admin import AdminListener
from tests.servers import free_port
from tests.unit.cli.test_erase import TOML, deployed
from tests.unit.fakes import Bugs
from tests.unit.test_journal import answered
from tests.unit.web.listening import ListenerServer
from tests.unit.web.operated import FakeOperated


@asynccontextmanager
async def running(operated: FakeOperated) -> AsyncIterator[int]:
    async with ListenerServer(AdminListener(operated, None, None, Bugs())) as server:
        assert server.port is not None
        yield server.port


def called() -> FakeOperated:
    """Return a server that has had two calls, of which the second failed."""
    operated, good = FakeOperated(), answered(reason=Reason.RULE)
    operated.journal.add(replace(good, decision=replace(good.decision, rule="all")))
    failed = answered(reason=Reason.CRM_FAILED, via=Via.NONE, contact=None)
    assert failed.decision.knowledge is not None
    asked = (Asked("crm", "failed", 0.6, "no answer within 0.6 s"), Asked("list", "unknown", 0.001))
    knowledge = replace(failed.decision.knowledge, asked=asked)
    operated.journal.add(replace(failed, decision=replace(failed.decision, knowledge=knowledge)))
    return operated


async def test_each_call_is_a_line_the_oldest_first(tmp_path: Path) -> None:
    async with running(called()) as port:
        first, second = await last_calls(deployed(tmp_path, port), 3600, as_json=False)
    assert first[19:] == "  +90********67  queue/200      rule all, via crm, 10.0 ms"
    assert second[19:] == (
        "  +90********67  queue/200      crm_failed, via none, 10.0 ms"
        "  (crm failed 600.0 ms: no answer within 0.6 s, list unknown 1.0 ms)"
    )


async def test_in_json_there_is_all(tmp_path: Path) -> None:
    async with running(called()) as port:
        lines = await last_calls(deployed(tmp_path, port), 3600, as_json=True)
    (first, second) = map(json.loads, lines)
    assert first["rules"] == [{"rule": "all", "outcome": "matched"}]
    assert [each["source"] for each in second["sources"]] == ["crm", "list"]


async def test_a_call_that_asks_something_has_no_target(tmp_path: Path) -> None:
    operated, given = FakeOperated(), answered(reason=Reason.ASKED)
    operated.journal.add(replace(given, decision=replace(given.decision, step="customer_no")))
    async with running(operated) as port:
        ((entry),) = [json.loads(each) for each in await last_calls(deployed(tmp_path, port), 60, as_json=True)]
    assert entry["asks"] == "customer_no"


async def test_where_none_runs_or_none_can_be_asked_that_is_told(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(ProxyError, match=rf"^no server answers at 127\.0\.0\.1:{port} - allowed: one that runs$"):
        await last_calls(deployed(tmp_path, port), 60, as_json=False)
    with pytest.raises(ProxyError, match=r"^there is no \[admin\] listen in the configuration - allowed: a server"):
        await last_calls(deployed(tmp_path), 60, as_json=False)


@pytest.mark.parametrize("body", [b"nonsense", b"{}", b"[]", b'{"at": "then"}', b"\xff"])
async def test_what_is_no_tanima_is_told_in_one_sentence(tmp_path: Path, body: bytes) -> None:
    async with HttpCrm(lambda _: None) as other:
        other.behaviour = answers(200, body)
        with pytest.raises(ProxyError, match="does not answer as it should - allowed: a tanima"):
            await last_calls(deployed(tmp_path, other.port), 60, as_json=False)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172800), ("0s", 0)])
def test_a_span_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parser_of_commands().parse_args(["journal", "--since", text]).since == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1 h", "1w", "٣h", "99999999999h"])
def test_what_is_none_is_told(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["journal", f"--since={text}", "--config", str(tmp_path / "config.toml")])
    assert "is no span of time - allowed: a number and s, m, h or d, such as 1h" in capsys.readouterr().err


def test_the_command_asks_the_server_and_fails_when_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, port = tmp_path / "config.toml", free_port()
    file.write_text(TOML.format(port=port), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["journal", "--config", str(file)])
    assert f"no server answers at 127.0.0.1:{port}" in capsys.readouterr().err


def test_the_command_prints_what_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(TOML.format(port=free_port()), encoding="utf-8")

    async def told(_: object, since: float, *, as_json: bool) -> list[str]:
        return [f"{since:g} {as_json}", "and another"]

    monkeypatch.setattr("proxy.cli.journal.last_calls", told)
    assert main(["journal", "--json", "--since", "15m", "--config", str(file)]) == 0
    assert capsys.readouterr().out == "900 True\nand another\n"
