"""The units in the operator's manual are good and safe; a restart refuses nobody, and what is stuck is noticed."""

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.config.settings import SwitchSettings
from proxy.web.sockets import OTHERS
from tests.conftest import leave_out
from tests.e2e.running import PATIENCE, TANIMA, clean_environment
from tests.readme.operation_page import PAGE, deployed, marked
from tests.readme.pages import ROOT, read, run

SERVICE, SOCKET = marked("unit: tanima.service"), marked("unit: tanima.socket")
HERE = "/opt/tanima/bin/tanima"

REQUEST = b"GET /musteri.json?telefon=05301234567 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ANOTHER_VERSION = 0.1
"""What one systemd finds more exposed than another"""

ANSWER = '{"name": "Ahmet Yılmaz", "target": "queue/201"}'.encode()

STICKING = """
import time
from proxy.adapter import Adapter, AdapterConfig
class Sticking(Adapter):
    class Config(AdapterConfig):
        contacts: list
    def __init__(self, config):
        self.config = config
    async def lookup(self, key):
        time.sleep(60)
"""
"""An adapter that holds everything up"""


def settings(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def setting(unit: str, name: str) -> str:
    (value,) = settings(unit, name)
    return value


def test_the_units_name_commands_that_there_are() -> None:
    command, name, *options = setting(SERVICE, "ExecStart").split()
    assert command == HERE
    assert f"{HERE} --help" in read("README.md"), "this is where it is installed"
    assert options == ["--config", "/etc/tanima/config.toml"]
    assert re.search(rf"^ +{name} ", run("tanima --help", ROOT), re.MULTILINE)
    check, kill = settings(SERVICE, "ExecReload")
    assert check == f"{HERE} check {' '.join(options)}"
    assert kill == "/bin/kill -HUP $MAINPID"
    assert shutil.which("/bin/kill")


def test_the_figures_of_the_units_are_enough() -> None:
    defaults = {name: field.default for name, field in SwitchSettings.model_fields.items()}
    assert setting(SOCKET, "ListenStream") == "{}:{}".format(*defaults["listen"])
    assert int(setting(SERVICE, "LimitNOFILE")) >= defaults["connections"] + OTHERS
    assert int(setting(SERVICE, "TimeoutStopSec")) > defaults["deadline"] + 1


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Return the files of the units, for systemd to judge."""
    if shutil.which("systemd-analyze") is None:
        leave_out("no systemd")
    files = [tmp_path / "tanima.service", tmp_path / "tanima.socket"]
    for file, unit in zip(files, (SERVICE, SOCKET), strict=True):
        file.write_text(unit.replace(HERE, TANIMA[0]), encoding="utf-8")
    return files


def exposure(service: Path) -> float:
    """Return how much of the machine systemd finds exposed to the service: 0 for nothing, 10 for all."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(service)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for tanima.service: ([0-9.]+) ", done.stdout)
    assert found is not None, done.stdout + done.stderr
    return float(found[1])


def test_systemd_understands_the_units(units: list[Path]) -> None:
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "tanima." in line] == []


def test_systemd_finds_little_exposed(units: list[Path]) -> None:
    told, narrowed = (float(figure) for figure in re.findall(r"(?:exposed by|that leaves) ([0-9.]+)", PAGE))
    assert exposure(units[0]) <= told + ANOTHER_VERSION
    section, _, settings = marked("unit: drop-in").partition("\n")
    units[0].write_text(SERVICE.replace(section, f"{section}\n{settings}"), encoding="utf-8")
    assert exposure(units[0]) <= narrowed + ANOTHER_VERSION
    assert narrowed < told <= 1.1


def started(listening: socket.socket, told: Path, file: Path, patience: str = "100s") -> subprocess.Popen[bytes]:
    """Start what the unit starts, and hand a socket over to it as systemd does; it waits so long for signs of life."""
    microseconds = patience.replace("ms", "000").replace("s", "000000")
    given = f"LISTEN_PID=$$ LISTEN_FDS=1 WATCHDOG_PID=$$ WATCHDOG_USEC={microseconds}"
    command = there(setting(SERVICE, "ExecStart"), file)
    environment = clean_environment({"NOTIFY_SOCKET": str(told)})
    environment |= dict([setting(SERVICE, "Environment").split("=")])
    with file.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            ["bash", "-c", f"exec 3<&{listening.fileno()}; {given} exec {command}"],
            pass_fds=[listening.fileno()],
            stderr=log,
            env=environment,
        )


def there(command: str, file: Path) -> str:
    """Return a command of the unit as it is for a configuration of ours."""
    return command.replace(HERE, TANIMA[0]).replace("/etc/tanima/config.toml", str(file))


@contextmanager
def managing(told: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the socket at which a manager is told of a service, and the one that he hands over to it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(told))
        manager.settimeout(PATIENCE)
        yield manager, listening


def asked(listening: socket.socket) -> socket.socket:
    """Ask where the service listens, and return the connection on which the answer will come."""
    connection = socket.create_connection(listening.getsockname(), PATIENCE)
    connection.sendall(REQUEST)
    return connection


def received(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_restart_with_the_units_refuses_nobody(tmp_path: Path) -> None:
    file, told = deployed(tmp_path), tmp_path / "notify"
    waiting: list[socket.socket] = []
    with managing(told) as (manager, listening):
        for _ in range(3):
            process = started(listening, told, file)
            try:
                assert manager.recv(100) == b"READY=1"
                waiting.append(asked(listening))
                for connection in waiting:
                    assert received(connection).endswith(ANSWER)
                waiting.clear()
            finally:
                process.terminate()
                assert manager.recv(100) == b"STOPPING=1"
                assert process.wait(PATIENCE) == 0
            waiting += [asked(listening) for _ in range(5)]  # between two servers
        for connection in waiting:
            connection.close()


def test_the_manager_is_told_all_that_happens_and_a_bad_reload_fails(tmp_path: Path) -> None:
    file, told = deployed(tmp_path), tmp_path / "notify"
    good = file.read_text(encoding="utf-8")
    with managing(told) as (manager, listening):
        process = started(listening, told, file, "200ms")
        try:
            assert manager.recv(100) == b"READY=1"
            for text, codes in ((good.replace("queue/200", "nowhere"), [2]), (good.replace("/201", "/203"), [0, 0])):
                file.write_text(text, encoding="utf-8")
                assert reloaded(file, process.pid) == codes
            until, log = time.monotonic() + PATIENCE, file.with_suffix(".log")
            while '"reloaded"' not in log.read_text(encoding="utf-8"):
                assert time.monotonic() < until
                time.sleep(0.01)  # another process writes it
            assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            with asked(listening) as connection:
                assert received(connection).endswith(ANSWER.replace(b"201", b"203"))
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0
        last = b""
        while last != b"STOPPING=1":
            last = manager.recv(100)


def reloaded(file: Path, process: int) -> list[int]:
    """Run what a reload runs, one after another until one fails, and return the exit codes."""
    codes: list[int] = []
    for command in settings(SERVICE, "ExecReload"):
        if not any(codes):
            done = subprocess.run(
                there(command, file).replace("$MAINPID", str(process)).split(), capture_output=True, check=False
            )
            codes.append(done.returncode)
    return codes


def test_a_server_that_is_stuck_gives_no_sign_of_life_and_tells_where_it_was_as_it_is_ended(tmp_path: Path) -> None:
    file, told = deployed(tmp_path), tmp_path / "notify"
    (tmp_path / "sticking.py").write_text(STICKING, encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8").replace('"static"', '"sticking:Sticking"'), encoding="utf-8")
    with managing(told) as (manager, listening):
        process = started(listening, told, file, "200ms")
        try:
            assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
            with asked(listening):
                manager.settimeout(2)
                with pytest.raises(TimeoutError):  # some may have been on their way
                    assert [manager.recv(100) for _ in range(100)] == []
        finally:
            process.send_signal(signal.SIGABRT)
            assert process.wait(PATIENCE) == -signal.SIGABRT
    log = file.with_suffix(".log").read_text(encoding="utf-8")
    assert re.search(r'File ".*/sticking.py", line 10 in lookup', log), log
    assert "5301234567" not in log
    assert setting(SERVICE, "LimitCORE") == "0"
    assert float(setting(SERVICE, "WatchdogSec")) == 10
    assert "after these 10 s" in PAGE
