"""What the page on the probe shows is run, and what it lists is what there is."""

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from proxy.cli.probe import ROOM, SOON
from proxy.cli.trials import TRIALS
from proxy.config.settings import SwitchSettings
from tests.e2e.running import PATIENCE, TANIMA, clean_environment, send
from tests.readme.pages import blocks, commands, read, run, sections, spans, tables, write_files

PAGE = read("docs/probe.md")
SHOWN = next(block.text for block in blocks(PAGE) if block.mark == "probe")


def alike(text: str) -> list[str]:
    """Return lines without what is another time another: the time of day, the port, how long it took."""
    text = re.sub(r"^\d\d:\d\d:\d\d ", "", text, flags=re.MULTILINE)
    return re.sub(r"after \d+\.\d s", "after N s", re.sub(r"127\.0\.0\.1:\d+", "HERE", text)).splitlines()


def question(call: int) -> bytes:
    query = f"uuid={call}&cli=05301234567&cld=08505321234&step=1"
    return f"GET /musteri.json?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


def test_a_measurement_goes_as_it_is_shown(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    ((command, expected),) = commands(SHOWN)
    for _ in range(5):
        printed = measured(command, tmp_path)
        if "trial 3 (4 of 15): the switch waited" not in printed:  # as this machine was busy for so long
            break
    assert alike(printed) == alike(expected.replace("^C\n", ""))


def measured(command: str, tmp_path: Path) -> str:
    """Do what the page does, with a switch that hangs up in the fourth call, and return what is printed."""
    out = tmp_path / "out"
    with out.open("wb") as stdout:
        arguments = [*TANIMA, *command.split()[1:], "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(arguments, stdout=stdout, env=clean_environment(), cwd=tmp_path)
    try:
        until = time.monotonic() + PATIENCE
        while (found := re.search(r"127\.0\.0\.1:(\d+)", out.read_text(encoding="utf-8"))) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        port = int(found[1])
        for call in range(3):
            assert f"Deneme {call}".encode() in send(port, question(call))
        with socket.create_connection(("127.0.0.1", port)) as impatient:
            impatient.sendall(question(3))
            time.sleep(2.2)
        send(port, question(3))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    return out.read_text(encoding="utf-8")


def test_the_trials_are_listed_in_their_order() -> None:
    _, *body = next(tables(sections(PAGE)["The trials"]))
    assert [name for row in body for name in spans(row[0])] == [trial.name for trial in TRIALS]


def test_the_configuration_that_is_shown_is_good(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    assert run("tanima check", tmp_path) == "config.toml: good. Sources: 1, rules: 0.\n"


@pytest.mark.parametrize(
    ("sentence", "figure"),
    [
        (r"wait for more than (\d+) s", SOON),
        (r"the same caller asks within (\d+) s", SOON),
        (r"wait for up to (\d+) s", max(trial.seconds for trial in TRIALS)),
        (r"stay at the ([\d.]+) s that it is when left out", SwitchSettings.model_fields["deadline"].default),
    ],
)
def test_a_figure_is_the_one_in_the_code(sentence: str, figure: float) -> None:
    found = re.search(sentence, " ".join(PAGE.split()))
    assert found is not None
    assert float(found[1]) == figure


def test_what_is_told_in_words_is_so_in_the_code() -> None:
    assert "at most two thirds of the longest wait" in " ".join(PAGE.split())
    assert pytest.approx(2 / 3) == ROOM
    spoken = [f"Deneme {trial.spoken}" for trial in TRIALS if trial.name == "no-target"]
    assert f'("{spoken[0]}")' in PAGE
