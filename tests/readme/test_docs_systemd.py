"""The units in the operator's manual are good, and a restart with them refuses nobody."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from proxy.config.settings import SwitchSettings
from proxy.web.sockets import OTHERS
from tests.e2e.running import PATIENCE, TANIMA, clean_environment
from tests.readme.operation_page import deployed, marked
from tests.readme.pages import ROOT, read, run

SERVICE, SOCKET = marked("unit: tanima.service"), marked("unit: tanima.socket")
HERE = "/opt/tanima/bin/tanima"

REQUEST = b"GET /musteri.json?telefon=05301234567 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ANSWER = '{"name": "Ahmet Yılmaz", "target": "queue/201"}'.encode()


def setting(unit: str, name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)
    return str(value)


def test_the_units_name_commands_that_there_are() -> None:
    command, name, *options = setting(SERVICE, "ExecStart").split()
    assert command == HERE
    assert f"{HERE} --help" in read("README.md"), "this is where it is installed"
    assert options == ["--config", "/etc/tanima/config.toml"]
    assert re.search(rf"^ +{name} ", run("tanima --help", ROOT), re.MULTILINE)
    assert setting(SERVICE, "ExecReload") == "/bin/kill -HUP $MAINPID"
    assert shutil.which("/bin/kill")


def test_the_figures_of_the_units_are_enough() -> None:
    defaults = {name: field.default for name, field in SwitchSettings.model_fields.items()}
    assert setting(SOCKET, "ListenStream") == "{}:{}".format(*defaults["listen"])
    assert int(setting(SERVICE, "LimitNOFILE")) >= defaults["connections"] + OTHERS
    assert int(setting(SERVICE, "TimeoutStopSec")) > defaults["deadline"] + 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="only systemd knows what it understands")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    files = []
    for name, unit in (("tanima.service", SERVICE), ("tanima.socket", SOCKET)):
        files.append(tmp_path / name)
        files[-1].write_text(unit.replace(HERE, TANIMA[0]), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "tanima." in line] == []


def started(listening: socket.socket, told: Path, file: Path) -> subprocess.Popen[bytes]:
    """Start what the unit starts, and hand a socket over to it as systemd does."""
    command = setting(SERVICE, "ExecStart").replace(HERE, TANIMA[0]).replace("/etc/tanima/config.toml", str(file))
    script = f"exec 3<&{listening.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec {command}"
    environment = clean_environment({"NOTIFY_SOCKET": str(told)})
    with file.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(["bash", "-c", script], pass_fds=[listening.fileno()], stderr=log, env=environment)


def received(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_restart_with_the_units_refuses_nobody(tmp_path: Path) -> None:
    file, told = deployed(tmp_path), tmp_path / "notify"
    waiting: list[socket.socket] = []
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(told))
        manager.settimeout(PATIENCE)
        for _ in range(3):
            process = started(listening, told, file)
            try:
                assert manager.recv(100) == b"READY=1"
                waiting.append(socket.create_connection(listening.getsockname(), PATIENCE))
                waiting[-1].sendall(REQUEST)
                for connection in waiting:
                    assert received(connection).endswith(ANSWER)
                waiting.clear()
            finally:
                process.terminate()
                assert process.wait(PATIENCE) == 0
            for _ in range(5):  # between two servers
                waiting.append(socket.create_connection(listening.getsockname(), PATIENCE))
                waiting[-1].sendall(REQUEST)
        for connection in waiting:
            connection.close()
