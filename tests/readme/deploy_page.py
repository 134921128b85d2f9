"""What is deployed in containers, as the tests read it."""

import re
import shlex
import tomllib
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.cli.main import main
from tests.readme.pages import ROOT, read

DEPLOY = ROOT / "docs" / "deploy"
PAGE = read("docs/deploy.md")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OBJECTS: dict[str, dict[str, Any]] = {
    each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
}
PROJECT: dict[str, Any] = tomllib.loads(read("pyproject.toml"))["project"]
IMAGE = f"tanima:{PROJECT['version']}"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with what stands behind it."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


STAGES = [index for index, (name, _) in enumerate(instructions()) if name == "FROM"]
BUILD, FINAL = instructions()[: STAGES[-1]], instructions()[STAGES[-1] :]


def last(name: str) -> str:
    """Return what the image has of an instruction."""
    return [rest for each, rest in FINAL if each == name][-1]


ENVIRONMENT = dict(part.split("=", 1) for part in shlex.split(last("ENV")))
LISTENING = {name: value for name, value in ENVIRONMENT.items() if name.startswith("TANIMA_")}
(USER,) = {int(number) for number in last("USER").split(":")}


def printed(*arguments: str) -> str:
    """Return what a command of tanıma prints."""
    with redirect_stdout(StringIO()) as output:
        main(arguments)
    return output.getvalue()


def written(config: str, secrets: Mapping[str, str], folder: Path) -> str:
    """Write a configuration and its secret files, which have these contents, into a folder; return its file."""
    for path in set(re.findall(r'_file *= "([^"]+)"', config)):
        file = folder / path.rpartition("/")[2]
        file.write_text(secrets[file.name], encoding="utf-8")
        file.chmod(0o600)
        config = config.replace(path, str(file))
    (folder / "config.toml").write_text(config, encoding="utf-8")
    return str(folder / "config.toml")


def checked(file: str, environment: Mapping[str, str]) -> str:
    """Return what `tanima check` says of a configuration in the environment of a container."""
    with pytest.MonkeyPatch.context() as changed:
        for name, value in environment.items():
            changed.setenv(name, value)
        return printed("check", "--config", file).replace(file, "config.toml")
