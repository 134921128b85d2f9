"""What is deployed in containers: its parts fit each other, the command and the documentation."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from proxy.app import LAST_MOMENTS
from proxy.cli.parser import parser_of_commands
from proxy.config.settings import SwitchSettings
from tests.readme.deploy_page import (
    BUILD,
    COMPOSE,
    DEPLOY,
    ENVIRONMENT,
    FINAL,
    IMAGE,
    LISTENING,
    PAGE,
    PROJECT,
    SERVICES,
    USER,
    checked,
    instructions,
    last,
    printed,
    written,
)
from tests.readme.pages import ROOT, blocks, read, run
from tests.servers import Postgres

DEADLINE: float = SwitchSettings.model_fields["deadline"].default


# ---------------------------------------------------------------------------------------- image


def test_all_that_the_image_is_made_of_is_there_and_is_enough_to_build_it() -> None:
    sources = {source for name, rest in BUILD if name == "COPY" for source in rest.split()[:-1]}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    packages = tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sources == {
        "pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], *packages, ".ci/constraints.txt"
    }  # fmt: skip
    (extras,) = (rest.partition("=")[2].split(",") for name, rest in BUILD if name == "ARG")
    assert set(extras) == {*PROJECT["optional-dependencies"]} - {"mssql", "testing"}


def test_both_stages_have_one_base_of_a_named_version_and_the_last_takes_only_the_environment() -> None:
    bases = {rest.split()[0] for name, rest in instructions() if name == "FROM"}
    assert len(bases) == 1
    version = re.fullmatch(r"python:(3\.\d+)-slim-[a-z]+", bases.pop())
    assert version is not None
    assert tuple(map(int, version[1].split("."))) >= (3, 11)
    assert [rest for name, rest in FINAL if name == "COPY"] == ["--from=build /opt/tanima /opt/tanima"]
    assert not [rest for name, rest in FINAL if name in {"ADD", "ARG"} or "apt" in rest]


def test_it_is_started_as_nobody_in_particular_with_a_command_that_there_is_and_that_gets_the_signals() -> None:
    assert USER > 0
    assert f"the user {USER}," in PAGE
    assert json.loads(last("ENTRYPOINT")) == ["tanima"], "no shell between"
    command, *options = json.loads(last("CMD"))
    assert re.search(rf"^ +{command} ", parser_of_commands().format_help(), re.MULTILINE)
    assert options == ["--config", "/etc/tanima/config.toml"]
    assert f"`tanima {command} {' '.join(options)}`" in PAGE
    assert ENVIRONMENT["PATH"].startswith("/opt/tanima/bin:")
    assert f"EXPOSE {ENVIRONMENT['TANIMA_SWITCH__LISTEN'].rpartition(':')[2]}" in [" ".join(each) for each in FINAL]
    assert [value for value in LISTENING.values() if f"`{value}`" not in PAGE] == []


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer GET /livez, and yield the port."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def health(port: int) -> int:
    """Return how the image's healthcheck ends when what it asks is at a port."""
    options, _, command = last("HEALTHCHECK").partition(" CMD ")
    assert set(re.findall(r"--([\w-]+)=", options)) == {"interval", "timeout", "start-period", "retries"}
    _, *arguments = json.loads(command)
    admin = ENVIRONMENT["TANIMA_ADMIN__LISTEN"].rpartition(":")[2]
    ours = [part.replace(f"'127.0.0.1', {admin}", f"'127.0.0.1', {port}") for part in arguments]
    assert ours != arguments
    return subprocess.run([sys.executable, *ours], capture_output=True, check=False, env={"http_proxy": "x"}).returncode


def test_it_is_healthy_only_while_the_server_says_that_it_lives() -> None:
    for status, code in ((200, 0), (503, 1)):
        with answering(status) as port:
            assert health(port) == code
    assert health(port) == 1, "nobody is there"


# ---------------------------------------------------------------------------------------- compose


def test_what_the_services_name_is_declared_and_what_is_declared_is_named() -> None:
    for kind, key in (("networks", "networks"), ("secrets", "secrets")):
        assert {name for service in SERVICES.values() for name in service[key]} == set(COMPOSE[kind])
    mounts = [volume.split(":") for service in SERVICES.values() for volume in service["volumes"]]
    assert {source for source, *_ in mounts if source[0] != "."} == set(COMPOSE["volumes"])
    for source, _, *options in mounts:
        if source[0] == ".":
            assert (DEPLOY / source).exists(), source
            assert options == ["ro"]
    assert {name for service in SERVICES.values() for name in service.get("depends_on", [])} < set(SERVICES)


def test_only_the_port_for_calls_is_published_and_only_at_the_machine_itself() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"tanima": ["127.0.0.1:8080:8080"]}
    assert SERVICES["database"]["networks"] == ["crm"]
    assert COMPOSE["networks"]["crm"] == {"internal": True}


def test_every_service_has_a_version_a_healthcheck_and_no_more_rights_than_it_needs() -> None:
    build = SERVICES["tanima"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == DEPLOY / "Dockerfile"
    assert SERVICES["tanima"]["image"] == IMAGE
    assert SERVICES["tanima"]["read_only"] is True
    assert re.fullmatch(r"postgres:\d+-[a-z]+", SERVICES["database"]["image"])
    assert {"test", "interval", "timeout", "retries", "start_period"} == set(SERVICES["database"]["healthcheck"])
    for service in SERVICES.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "always"
    assert float(SERVICES["tanima"]["stop_grace_period"].removesuffix("s")) > DEADLINE + LAST_MOMENTS


def test_the_secrets_are_made_as_the_page_tells_and_the_configuration_is_good_with_them(tmp_path: Path) -> None:
    (block,) = (block for block in blocks(PAGE) if block.mark == "secrets")
    (tmp_path / "docs/deploy").mkdir(parents=True)
    run(block.text, tmp_path)
    made = tmp_path / "docs/deploy/secrets"
    assert made.stat().st_mode & 0o777 == 0o700
    files = {name: tmp_path / "docs/deploy" / secret["file"] for name, secret in COMPOSE["secrets"].items()}
    assert set(made.iterdir()) == {file.resolve() for file in files.values()}
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o400}
    assert "docs/deploy/secrets/" in read(".gitignore").split()
    config = (DEPLOY / "compose/tanima/config.toml").read_text(encoding="utf-8")
    assert set(re.findall(r"/run/secrets/(\w+)", config)) == set(SERVICES["tanima"]["secrets"])
    secrets = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    assert checked(written(config, secrets, tmp_path), LISTENING) == "config.toml: good. Sources: 1, rules: 2.\n"
    assert 'snapshot          = "/var/lib/tanima/' in config
    assert "known:/var/lib/tanima" in SERVICES["tanima"]["volumes"]


def test_the_customers_are_found_by_a_user_who_only_reads(postgres: Postgres, tmp_path: Path) -> None:
    source = tomllib.loads((DEPLOY / "compose/tanima/config.toml").read_text(encoding="utf-8"))["sources"][0]
    options = source["options"]
    environment = SERVICES["database"]["environment"]
    assert (options["host"], options["database"]) == ("database", environment["POSTGRES_DB"])
    assert environment["POSTGRES_PASSWORD_FILE"] == options["password_file"]
    postgres.sql(f"CREATE DATABASE {options['database']}")
    psql = f"{postgres._programs}/psql -qAt -h 127.0.0.1 -p {postgres.port} -d {options['database']} -v ON_ERROR_STOP=1"
    try:
        told = run(f"{psql} -U postgres -f {DEPLOY}/compose/customers.sql 2>&1", tmp_path, POSTGRES_PASSWORD="it's")
        assert told == ""
        assert postgres.sql("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'postgres'") == "t"
        assert postgres.sql("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'tanima'") == "t"
        refused = run(f"{psql} -U {options['user']} -c 'DELETE FROM customers' 2>&1", tmp_path)
        assert "permission denied" in refused
        config = (DEPLOY / "compose/tanima/config.toml").read_text(encoding="utf-8")
        config = re.sub(r"^host .*$", f'host = "127.0.0.1"\nport = {postgres.port}', config, flags=re.MULTILINE)
        secrets = {"crm_password": "it's", "snapshot_key": "k" * 16, "switch_tokens": "t" * 16}
        file = written(config, secrets, tmp_path)
        numbers = ("05301234567", "05321112233", "02120000003")
        routed = [json.loads(printed("route", number, "--json", "--config", file))["decision"] for number in numbers]
        assert [decision["target"] for decision in routed] == ["user/1001", "queue/202", "queue/203"]
    finally:
        postgres.sql(f"DROP DATABASE {options['database']} WITH (FORCE)")
        postgres.sql("DROP ROLE IF EXISTS tanima")
