"""The commands as a person runs them."""

import asyncio
import json
import os
import pty
import re
import socket
import sys
import time
from pathlib import Path

import pytest

from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import hangs
from tests.e2e.people import (
    PEOPLE,
    answer_of_the_crm,
    head,
    make_sqlite,
    rest_options,
    source,
    sqlite_options,
    static_options,
)
from tests.e2e.running import PATIENCE, TANIMA, clean_environment, run

HOURS = """
[[rules]]
name = "closed"
caller = { kind = "anyone" }
outside = "office"
target = "announcement/456"

[hours.office]
days = "mon-fri"
from = "09:00"
to = "18:00"
zone = "Europe/Istanbul"
holidays = "TR"
"""
OPEN = "2026-11-23T14:00"
SHOWN = r"\rasking the sources \.\.\. \d s"
"""At a terminal, after a second or some"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(head(more=HOURS) + source("static", static_options()), encoding="utf-8")
    return file


def without_durations(text: str) -> str:
    return re.sub(r" *[0-9]+\.[0-9] ms", " N ms", text)


# ---------------------------------------------------------------------------------------- route


async def test_route_explains_a_known_caller(config: Path) -> None:
    ran = await run("route", "0532 555 00 01", "--at", OPEN, "--config", str(config))
    assert (ran.code, ran.err) == (0, "")
    assert without_durations(ran.out).splitlines() == [
        "Number    '0532 555 00 01' is +905325550001, a mobile number of TR",
        "          rings at Mon 2026-11-23 14:00 +03",
        "Sources   crm  found N ms",
        "Contact   id       -",
        "          name     Örnek Şahıs Bir",
        "          numbers  0532 555 00 01",
        "          tier     gold",
        "Rules     gold       matched",
        "          own agent  not tried",
        "          closed     not tried",
        "Decision  queue/201, because the rule 'gold' matched",
        "          greeting: Örnek Şahıs Bir; via crm; N ms",
        (
            "Answer    santral-programlama  "
            '{"transfer": {"greet_name": "Örnek Şahıs Bir", "lang": "tr-TR", "target": "queue/201"}}'
        ),
        '          musteri-tanima       {"name": "Örnek Şahıs Bir", "target": "queue/201"}',
    ]


async def test_route_as_json_has_the_same(config: Path) -> None:
    ran = await run(
        "route", PEOPLE[1].number, "--json", "--at", OPEN, "--called", "0212 555 00 00", "--config", str(config)
    )
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["number"] == PEOPLE[1].number
    assert told["caller"] == {"kind": "number", "e164": "+905325550002", "type": "mobile", "country": "TR"}
    assert told["called"]["e164"] == "+902125550000"
    assert told["at"] == "2026-11-23T14:00:00+03:00"
    assert [(one["source"], one["outcome"]) for one in told["sources"]] == [("crm", "found")]
    assert told["contact"]["fields"] == {"tier": "silver", "extension": "1002"}
    assert told["rules"] == [
        {"rule": "gold", "outcome": "did not match", "why": 'tier is "silver", wanted one of "gold", "platinum"'},
        {"rule": "own agent", "outcome": "matched", "why": None},
        {"rule": "closed", "outcome": "not tried", "why": None},
    ]
    assert told["decision"]["target"] == "user/1002"
    assert told["answers"]["musteri-tanima"] == {"name": "Örnek Şahıs İki", "target": "user/1002"}
    assert "Örnek" in ran.out, "letters are letters"


async def test_route_explains_every_other_caller(config: Path) -> None:
    callers = {
        ("05325559999", OPEN): ("queue/202", "the CRM does not know the caller"),
        ("", OPEN): ("ivr/10", "the number is withheld"),
        ("no number", OPEN): ("queue/200", "the number cannot be read"),
        ("1003", "2026-11-23T16:00+00:00"): ("announcement/456", "the rule 'closed' matched"),
    }
    runs = (run("route", number, "--at", at, "--config", str(config)) for number, at in callers)
    for ran, (target, reason) in zip(await asyncio.gather(*runs), callers.values(), strict=True):
        assert ran.code == 0
        assert f"Decision  {target}, because {reason}" in ran.out
        assert f'Answer    santral-programlama  {{"transfer": {{"target": "{target}"}}}}\n' in ran.out
        assert f'          musteri-tanima       {{"target": "{target}"}}\n' in ran.out


async def test_route_as_json_tells_of_a_caller_who_is_not_known(config: Path) -> None:
    callers = {"05325559999": "number", "anonymous": "withheld"}
    runs = (run("route", number, "--at", OPEN, "--json", "--config", str(config)) for number in callers)
    for ran, kind in zip(await asyncio.gather(*runs), callers.values(), strict=True):
        told = json.loads(ran.out)
        assert told["caller"]["kind"] == kind
        assert (told["contact"], told["decision"]["rule"]) == (None, None)
        assert told["answers"]["musteri-tanima"] == {"target": told["decision"]["target"]}


async def test_a_number_that_begins_with_a_plus_or_a_dash_can_be_typed(config: Path) -> None:
    ran = await run("route", "+905325550001", "--config", str(config), "--at", OPEN)
    assert "Örnek Şahıs Bir" in ran.out
    ran = await run("route", "--config", str(config), "--at", OPEN, "--", "-1")
    assert ran.code == 0


async def test_route_says_which_source_failed_and_why(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    missing = source("sql", sqlite_options(tmp_path / "missing.sqlite")).replace('"crm"', '"sheet"')
    config.write_text(head() + missing + source("static", static_options()), encoding="utf-8")
    ran = await run("route", "05325550001", "--config", str(config))
    assert ran.code == 0
    lines = without_durations(ran.out).splitlines()
    assert "Sources   sheet  failed N ms  (the database file is missing or cannot be opened)" in lines
    assert "          crm    found N ms" in lines
    assert lines[-1] == '          musteri-tanima       {"name": "Örnek Şahıs Bir", "target": "queue/201"}'


# ---------------------------------------------------------------------------------------- sources, check


async def test_sources_ends_with_1_when_one_is_down(tmp_path: Path) -> None:
    make_sqlite(tmp_path / "crm.sqlite")
    config = tmp_path / "config.toml"
    async with HttpCrm(answer_of_the_crm) as crm:
        config.write_text(
            head()
            + source("rest", rest_options(crm.url))
            + source("sql", sqlite_options(tmp_path / "crm.sqlite")).replace('"crm"', '"sheet"')
            + source("static", static_options()).replace('"crm"', '"colleagues"'),
            encoding="utf-8",
        )
        good = await run("sources", "--config", str(config))
        await crm.stop()
        bad = await run("sources", "--config", str(config))
    assert (good.code, good.err) == (0, "")
    assert re.sub(r"\d+ ms", "N ms", good.out).splitlines() == [
        "crm: answers (N ms)",
        "sheet: answers (N ms)",
        "colleagues: cannot be asked without a number",
    ]
    assert (bad.code, bad.err) == (1, "")
    assert bad.out.startswith("crm: does not answer: the CRM cannot be reached (")


async def test_check_of_a_good_file_is_one_line(config: Path) -> None:
    ran = await run("check", "--config", str(config))
    assert (ran.code, ran.out, ran.err) == (0, f"{config}: good. Sources: 1, rules: 3.\n", "")


# ---------------------------------------------------------------------------------------- help and errors


async def test_help_explains_each_option() -> None:
    ran = await run("route", "--help")
    assert (ran.code, ran.err) == (0, "")
    for option in ("NUMBER", "--config FILE", "--called NUMBER", "--at TIME", "--json"):
        assert re.search(rf"^  {re.escape(option)} +\S", ran.out, re.MULTILINE), option


async def test_help_explains_each_command() -> None:
    ran = await run("--help")
    assert (ran.code, ran.err) == (0, "")
    for command in ("serve", "check", "route", "sources", "demo"):
        assert re.search(rf"^    {command} +\S", ran.out, re.MULTILINE)


WRONG: dict[tuple[str, ...], tuple[int, str]] = {
    ("srve",): (2, "tanima: error: argument COMMAND: invalid choice: 'srve'"),
    ("serve", "--config", "{missing}"): (2, "{missing}: cannot be read (No such file or directory) - allowed: "),
    ("route", "1003", "--config", "{missing}"): (
        2,
        "{missing}: cannot be read (No such file or directory) - allowed: ",
    ),
    ("serve", "--config", "{config}", "--listen", "8080"): (
        2,
        "tanima serve: error: argument --listen: is not an address to listen at - allowed: HOST:PORT, such as ",
    ),
    ("serve", "--config", "{config}", "--listen", "{taken}"): (1, "tanima: cannot listen at {taken} ("),
    ("demo", "--listen", "{taken}"): (1, "tanima: cannot listen at {taken} ("),
    ("route", "1003", "--config", "{config}", "--at", "noon"): (
        2,
        "tanima route: error: argument --at: is not a time - allowed: such as 2026-11-23T14:00",
    ),
}


async def test_what_is_wrong_is_said_in_one_line_without_a_traceback(config: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = {
            "missing": str(tmp_path / "missing.toml"),
            "config": str(config),
            "taken": f"127.0.0.1:{taken.getsockname()[1]}",
        }
        runs = (run(*(argument.format_map(names) for argument in arguments)) for arguments in WRONG)
        for ran, (code, message) in zip(await asyncio.gather(*runs), WRONG.values(), strict=True):
            assert (ran.code, ran.out) == (code, "")
            assert ran.err.splitlines()[-1].startswith(message.format_map(names))
            assert "Traceback" not in ran.err


async def test_a_reader_who_leaves_early_gets_no_traceback(config: Path) -> None:
    shell = f"{TANIMA[0]} route 05325550001 --config {config} | true"
    process = await asyncio.create_subprocess_shell(
        shell, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=clean_environment()
    )
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert err == b""


# ---------------------------------------------------------------------------------------- at a terminal


class AtTerminal:
    """A command whose stderr is a terminal."""

    def __init__(self, *arguments: str) -> None:
        self.screen, theirs = pty.openpty()
        self.arguments, self.theirs = arguments, theirs

    async def run(self) -> tuple[str, str]:
        """Return what it printed on stdout, and what was to be seen on the terminal."""
        process = await asyncio.create_subprocess_exec(
            *TANIMA, *self.arguments, stdout=asyncio.subprocess.PIPE, stderr=self.theirs, env=clean_environment()
        )
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        os.close(self.theirs)
        seen = b""
        try:
            while piece := os.read(self.screen, 4096):
                seen += piece
        except OSError:
            pass  # the other end is closed
        os.close(self.screen)
        return out.decode(), seen.decode()


async def test_who_waits_longer_than_a_second_sees_that_something_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    async with HttpCrm(answer_of_the_crm) as crm:
        crm.behaviour = hangs
        config.write_text(
            head(deadline=1.6) + source("rest", rest_options(crm.url), "timeout = 5\nattempts = 1"), encoding="utf-8"
        )
        out, seen = await AtTerminal("route", "05325550001", "--config", str(config)).run()
    assert re.search(SHOWN, seen)
    assert seen.endswith("\r\n")
    assert "Decision  queue/200, because the CRM could not be asked (no answer within 1.6 s)" in out


async def test_what_is_quick_shows_no_progress(config: Path) -> None:
    out, seen = await AtTerminal("route", "05325550001", "--config", str(config)).run()
    assert seen == ""
    assert out.startswith("Number ")


async def test_sources_that_take_their_time_are_shown_to_be_asked(tmp_path: Path) -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.3)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    config = tmp_path / "config.toml"
    async with HttpCrm(answer_of_the_crm) as crm:
        crm.behaviour = slow
        config.write_text(head() + source("rest", rest_options(crm.url)), encoding="utf-8")
        started = time.monotonic()
        out, seen = await AtTerminal("sources", "--config", str(config)).run()
    assert time.monotonic() - started > 1.3
    assert re.search(SHOWN, seen)
    assert out.startswith("crm: answers (")


def test_the_tests_run_the_command_of_their_own_environment() -> None:
    assert Path(TANIMA[0]).parent == Path(sys.executable).parent
    assert os.access(TANIMA[0], os.X_OK)
