"""The TLS servers in the operator's manual: what the switch hears through them, whoever asks and whatever is broken."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.config.settings import SwitchSettings
from tests.conftest import leave_out
from tests.e2e.running import PATIENCE
from tests.readme.operation_page import deployed, marked, serving, tomls
from tests.readme.pages import run
from tests.servers import free_port

HERE = "127.0.0.1:8080"
SWITCH, SOMEBODY = "127.0.0.2", "127.0.0.3"
GREETED, UNKNOWN = {"name": "Ahmet Yılmaz", "target": "queue/201"}, {"target": "queue/202"}
DEFAULT = {"target": "queue/200"}

NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log crit;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{block}
}}
"""


def nginx(folder: Path, port: int) -> list[str]:
    """Write the nginx configuration of the page, with paths and a port of ours, and return the command that runs it."""
    block = marked("front: nginx")
    for there, ours in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
    }.items():
        assert there in block
        block = block.replace(there, ours)
    (folder / "front.conf").write_text(NGINX.format(folder=folder, block=block), encoding="utf-8")
    return ["nginx", "-c", f"{folder}/front.conf", "-e", f"{folder}/error.log"]


def caddy(folder: Path, port: int) -> list[str]:
    """Write the Caddy configuration of the page likewise; the certificate is ours, as no authority knows the name."""
    block = marked("front: caddy").replace("{\n", "{\n    admin off\n    auto_https off\n", 1)
    site = "tanima.example.com {\n"
    assert site in block
    certificate = f"    tls {folder}/tanima.pem {folder}/tanima.key\n"
    block = block.replace(site, f"https://127.0.0.1:{port} {{\n{certificate}")
    (folder / "front.conf").write_text(block, encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/front.conf"]


@contextmanager
def in_front(command: list[str], folder: Path, port: int) -> Iterator[Path]:
    """Run a TLS server, and yield the file that gets what it writes."""
    log = folder / "front.log"
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    program = shutil.which(command[0])
    if program is None:
        leave_out(f"no {command[0]}")
    with log.open("wb") as output:
        process = subprocess.Popen([program, *command[1:]], stdout=output, stderr=output, env=environment)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            try:
                socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < until, log.read_text(encoding="utf-8")
                time.sleep(0.02)
        yield log
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.mark.parametrize("front", [nginx, caddy])
def test_a_tls_server_lets_the_switch_ask_and_answers_even_alone(
    front: Callable[[Path, int], list[str]], tmp_path: Path
) -> None:
    port = free_port()
    run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tanima.key -out tanima.pem "
        "-days 1 -subj /CN=tanima.example.com -addext subjectAltName=DNS:tanima.example.com,IP:127.0.0.1",
        tmp_path,
    )

    def asked(source: str, *options: str) -> object:
        url = f"https://127.0.0.1:{port}/musteri.json?telefon=05301234567"
        return json.loads(
            run(f"curl -sS --fail --cacert tanima.pem --interface {source} {' '.join(options)} '{url}'", tmp_path)
        )

    file = deployed(tmp_path, tomls("A TLS server in front")[0].replace("192.0.2.10", SWITCH))
    command = front(tmp_path, port)
    with serving(file) as server:
        config = tmp_path / "front.conf"
        text = config.read_text(encoding="utf-8")
        assert text.count(HERE) == 1
        config.write_text(text.replace(HERE, f"127.0.0.1:{server.port}"), encoding="utf-8")
        with in_front(command, tmp_path, port) as log:
            assert asked(SWITCH) == GREETED
            assert asked(SOMEBODY) == UNKNOWN
            assert asked(SOMEBODY, f"-H 'X-Forwarded-For: {SWITCH}'") == UNKNOWN
            assert server.stop() == 0
            assert asked(SWITCH) == DEFAULT
        for written in {log, *tmp_path.glob("*.log")}:
            if written.name in {"front.log", "error.log", "tanima.log"}:
                assert "5301234567" not in written.read_text(encoding="utf-8"), written


def test_a_tls_server_waits_longer_than_the_deadline() -> None:
    waits = [re.findall(r"(?:read|header)_timeout (\d+)s", marked(f"front: {name}")) for name in ("nginx", "caddy")]
    assert waits == [["3"], ["3"]]
    assert SwitchSettings.model_fields["deadline"].default < 3
