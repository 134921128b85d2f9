"""The command line, in this process."""

import io
import json
import logging
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog

from proxy.app import Server, Start
from proxy.cli import main
from proxy.cli.trials import TRIALS, Trial
from proxy.config import Configuration
from proxy.target import Target
from proxy.workers.supervisor import Supervisor

COMMANDS = {
    "serve": ["--config", "--listen", "--workers"],
    "check": ["--config"],
    "route": ["--config", "--called", "--customer-number", "--at", "--json", "--dry-run", "--replay", "NUMBER"],
    "call": ["--config", "--called", "--at", "NUMBER"],
    "sources": ["--config"],
    "erase": ["--config", "NUMBER"],
    "probe": ["--config", "--listen", "--target", "--only"],
    "demo": ["--listen"],
}

TOML = """
[switch]
listen = "127.0.0.1:4711"
default = "queue/200"

[[rules]]
name = "gold"
when = { tier = "gold" }
target = "queue/201"

[[sources]]
name = "crm"
adapter = "static"
[[sources.options.contacts]]
numbers = ["0530 123 45 67"]
name = "Ahmet Yılmaz"
fields = { tier = "gold" }
"""


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(TOML, encoding="utf-8")
    return file


def misused(*arguments: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


# ---------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    printed = capsys.readouterr().out
    assert caught.value.code == 0
    assert printed.startswith(f"usage: tanima {command}")
    for option in COMMANDS[command]:
        explained = [line for line in printed.splitlines() if line.lstrip().startswith(option)]
        assert explained, option


def test_help_names_every_command_and_where_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    printed = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(f"\n    {command} " in printed for command in COMMANDS)
    assert "tanima demo" in printed


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"tanima {version('tanima')}\n"
    assert version("tanima") == project["project"]["version"]


# ---------------------------------------------------------------------------------------- misuse


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "required: COMMAND"),
        (("rotue", "1003"), "invalid choice: 'rotue'"),
        (("route", "--config", "x"), "required: NUMBER"),
        (
            ("serve", "--config", "x", "--listen", "8080"),
            "argument --listen: is not an address to listen at - allowed:",
        ),
        (("serve", "--config", "x", "--listen", "127.0.0.1:http"), "is not an address to listen at"),
        (("serve", "--workers", "0"), "argument --workers: is no number of workers - allowed: 1 to 64"),
        (("serve", "--workers", "two"), "is no number of workers"),
        (("demo", "--listen", ":8080"), "is not an address to listen at"),
        (
            ("route", "1003", "--config", "x", "--at", "tomorrow"),
            "argument --at: is not a time - allowed: such as 2026-",
        ),
        (("probe", "--only", "7"), "argument --only: invalid choice: '7'"),
        (("probe", "--target", "queue"), "argument --target: is not a target - allowed: user/N, "),
        (("route", "1003", "--config", "x", "--when", "now"), "unrecognized arguments: --when now"),
    ],
)
def test_a_command_line_that_is_wrong_is_answered_with_what_is_allowed(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    misused(*arguments)
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--config"],
        ["route", "1003", "--config"],
        ["sources", "--config"],
        ["check", "--config"],
        ["probe", "--config"],
        ["erase", "05301234567", "--config"],
    ],
)
def test_a_missing_config_is_one_line(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.toml"
    assert main([*arguments, str(missing)]) == 2
    printed = capsys.readouterr()
    assert printed.out + printed.err == (
        f"{missing}: cannot be read (No such file or directory) - allowed: a readable TOML file\n"
    )
    assert bool(printed.out) is (arguments[0] == "check"), "check's problems are what it is asked for"


# ---------------------------------------------------------------------------------------- check, route, sources


def test_config_toml_in_this_folder_is_taken_when_none_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(config.parent)
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "config.toml: good. Sources: 1, rules: 1.\n"


def test_check_says_that_it_is_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(config)]) == 0
    assert capsys.readouterr().out == f"{config}: good. Sources: 1, rules: 1.\n"


def test_check_asks_the_sources_when_it_is_told_to(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--live", "--config", str(config)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{config}: good. Sources: 1, rules: 1."
    assert second.startswith("sources.crm: answers (")
    misspelt = config.read_text(encoding="utf-8").replace("tier =", "teir =", 1)
    assert "teir" in misspelt
    config.write_text(misspelt, encoding="utf-8")
    assert main(["check", "--live", "--config", str(config)]) == 1


def test_route_prints_text(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "0530 123 45 67", "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Number    '0530 123 45 67' is +905301234567")
    transfer = '{"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/201"}}'
    assert printed.endswith(
        f"Answer    santral-programlama  {transfer}\n"
        '          musteri-tanima       {"name": "Ahmet Yılmaz", "target": "queue/201"}\n'
    )


def test_route_prints_the_answer_alone_where_there_is_one_dialect(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(TOML.replace("[switch]\n", '[switch]\ndialect = "musteri-tanima"\n', 1), encoding="utf-8")
    assert main(["route", "0530 123 45 67", "--config", str(config)]) == 0
    assert capsys.readouterr().out.endswith('Answer    {"name": "Ahmet Yılmaz", "target": "queue/201"}\n')


def test_route_prints_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["route", "05301234567", "--called", "1003", "--at", "2026-11-23T14:00+03:00", "--json"]
    assert main([*arguments, "--config", str(config)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answers"] == {
        "santral-programlama": {"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/201"}},
        "musteri-tanima": {"name": "Ahmet Yılmaz", "target": "queue/201"},
    }
    assert (document["called"]["number"], document["at"]) == ("1003", "2026-11-23T14:00:00+03:00")


def test_route_takes_what_a_caller_may_have_keyed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["route", "05301234567", "--customer-number", "0012345", "--config", str(config)]
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["keyed"], document["contact"]) == (True, None), "no source is asked by customer numbers"
    assert main(arguments) == 0
    assert "has keyed a number, which is looked up in its place" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["C-123", "", "1" * 21, "12 3"])
def test_what_nobody_can_key_is_refused(config: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["route", "05301234567", "--customer-number", text, "--config", str(config)])
    assert caught.value.code == 2
    assert "--customer-number: is no customer number - allowed: 1 to 20 digits" in capsys.readouterr().err


@pytest.mark.parametrize("at_terminal", [False, True])
def test_call_is_held_with_what_is_typed(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, at_terminal: bool
) -> None:
    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return at_terminal

    steps = '\n[steps.menu]\nphrase = "Bir?"\nchoose = { 1 = "queue/301" }\n'
    ask = '\n[[rules]]\nname = "strangers"\ncaller = { kind = "anyone" }\nask = "menu"\n'
    config.write_text(TOML + ask + steps, encoding="utf-8")
    for typed, expected in (("1\n", True), ("", False)):
        monkeypatch.setattr(sys, "stdin", Typed(typed))
        assert main(["call", "05559999999", "--at", "2026-11-23T14:00", "--config", str(config)]) == 0
        printed = capsys.readouterr().out
        assert '"prompt"' in printed
        assert ("queue/301" in printed) is expected
        assert printed.count("1\n") > 0 or not expected or at_terminal, "what was typed stands where it was asked for"


def test_sources_prints_a_line_for_each(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sources", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "crm: cannot be asked without a number\n"


def test_sources_fails_when_one_does_not_answer(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write(
            '[[sources]]\nname = "gone"\nadapter = "sql"\n[sources.options]\nurl = "sqlite+aiosqlite:///gone.db"\n'
            'statement = "SELECT name FROM people WHERE number = :e164"\n'
        )
    assert main(["sources", "--config", str(config)]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == "crm: cannot be asked without a number"
    assert second.startswith("gone: does not answer: the database file is missing or cannot be opened (")


# ---------------------------------------------------------------------------------------- serve, demo


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Start]:
    """Have the server end as soon as it is ready, on port 4712 when it may choose."""
    seen: list[Start] = []

    async def serve(start: Start, server: Server | None = None) -> None:
        assert server is None
        seen.append(start)
        start.on_ready(start.listen[1] or 4712)

    monkeypatch.setattr("proxy.cli.serve.serve", serve)
    return seen


def test_serve_listens_where_the_toml_says_and_follows_it(config: Path, served: list[Start]) -> None:
    assert main(["serve", "--config", str(config)]) == 0
    (start,) = served
    assert start.listen == ("127.0.0.1", 4711)
    assert [source.settings.name for source in start.configuration.sources] == ["crm"]
    assert start.file == config
    config.write_text(TOML.replace("queue/200", "queue/299"), encoding="utf-8")
    assert start.reread is not None
    assert str(start.reread().settings.switch.default) == "queue/299"


def test_listen_comes_before_the_toml(config: Path, served: list[Start]) -> None:
    assert main(["serve", "--config", str(config), "--listen", "[::1]:0"]) == 0
    assert served[0].listen == ("::1", 0)


def test_several_workers_are_supervised(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Server | None] = []

    async def serve(_: Start, server: Server | None = None) -> None:
        seen.append(server)

    monkeypatch.setattr("proxy.cli.serve.serve", serve)
    assert main(["serve", "--config", str(config), "--workers", "2"]) == 0
    assert main(["serve", "--config", str(config), "--workers", "1"]) == 0
    assert [type(server) for server in seen] == [Supervisor, type(None)]


def test_several_workers_need_a_file(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("proxy.cli.serve.content_of", lambda _: None)
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--config", str(config), "--workers", "2"])
    assert caught.value.code == 2
    told = "tanima: --workers: the configuration comes by a pipe - allowed: a file, or one worker"
    assert capsys.readouterr().err.splitlines()[-1] == told


def test_what_is_doubtful_about_the_configuration_is_logged(
    config: Path, served: list[Start], capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(
        TOML + '\n[cache]\nsnapshot = "cache.json"\nsnapshot_key = "made-up-made-up-made-up"\n', encoding="utf-8"
    )
    config.chmod(0o644)
    assert main(["serve", "--config", str(config)]) == 0
    first = json.loads(capsys.readouterr().err.splitlines()[0])
    assert (first["event"], first["level"]) == ("configuration", "warning")
    assert "config.toml can be read by everybody" in first["problem"]


def test_demo_serves_the_sample_and_says_what_to_try(served: list[Start], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--listen", "127.0.0.1:0"]) == 0
    printed = capsys.readouterr()
    assert "curl 'http://127.0.0.1:4712/musteri.json?telefon=05301234567'" in printed.err
    assert printed.out == ""
    assert [source.settings.name for source in served[0].configuration.sources] == ["crm", "agents"]
    assert (served[0].file, served[0].reread) == (None, None)


@pytest.mark.parametrize("command", ["serve", "probe"])
def test_an_address_that_is_taken_is_one_line(command: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            main([command, "--config", str(config), "--listen", f"127.0.0.1:{port}"])
    assert caught.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith(f"tanima: cannot listen at 127.0.0.1:{port} (")
    assert message.endswith(") - allowed: a free address of this machine\n")
    assert message.count("\n") == 1


# ---------------------------------------------------------------------------------------- probe


Probed = tuple[tuple[str, int], str, list[str]]


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[Probed]:
    """Note where calls would be answered, with which target and by which trials."""
    seen: list[Probed] = []

    async def probe(
        _: Configuration, listen: tuple[str, int], target: Target, trials: Sequence[Trial], say: Callable[[str], None]
    ) -> None:
        seen.append((listen, str(target), [trial.name for trial in trials]))
        say("Listening")

    monkeypatch.setattr("proxy.cli.probe.probe", probe)
    return seen


def test_probe_listens_where_the_toml_says_and_tries_everything_with_the_default(
    config: Path, probed: list[Probed], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", "--config", str(config)]) == 0
    assert probed == [(("127.0.0.1", 4711), "queue/200", [trial.name for trial in TRIALS])]
    assert capsys.readouterr().out == "Listening\n"


def test_probe_can_be_told_where_to_listen_a_target_and_one_trial(config: Path, probed: list[Probed]) -> None:
    options = ["--listen", "[::1]:0", "--target", "queue/299", "--only", "8"]
    assert main(["probe", *options, "--config", str(config)]) == 0
    assert probed == [(("::1", 0), "queue/299", ["8"])]


def test_probe_takes_a_target_only_that_the_switch_understands_however_it_asks(
    config: Path, probed: list[Probed], capsys: pytest.CaptureFixture[str]
) -> None:
    spoken = ["--target", "tts/tr-TR/Deneme"]
    misused("probe", "--config", str(config), *spoken)
    assert capsys.readouterr().err.startswith("tanima: --target: switch.dialect auto cannot always say it - allowed: ")
    config.write_text(TOML.replace("[switch]", '[switch]\ndialect = "santral-programlama"'), encoding="utf-8")
    assert main(["probe", "--config", str(config), *spoken]) == 0
    assert probed[0][1] == "tts/tr-TR/Deneme"


def test_the_help_of_probe_names_every_trial(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["probe", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert f"repeat one trial: {', '.join(trial.name for trial in TRIALS)}" in printed
    waits = [trial.name for trial in TRIALS if trial.is_proper]
    assert f"an answer after {', '.join(waits)} seconds; then at once" in printed


# ---------------------------------------------------------------------------------------- interrupted


@pytest.mark.parametrize(("interruption", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 1)])
def test_an_interrupted_command_ends_without_traceback(
    config: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException, code: int
) -> None:
    def interrupted(_: Path) -> None:
        raise interruption

    monkeypatch.setattr("proxy.cli.check.load", interrupted)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert main(["check", "--config", str(config)]) == code
