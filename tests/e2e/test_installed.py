"""What is built is what people get: the wheel in a clean environment, and a stranger's adapter beside it."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STRANGER = ROOT / "tests" / "fixtures" / "third_party"
TOML = """
[switch]
default = "queue/200"

[[rules]]
name   = "known"
target = "queue/201"

[[sources]]
name    = "cards"
adapter = "cardfile"
[sources.options]
file = "{file}"
"""


def run(*command: str | Path, folder: Path, code: int = 0) -> str:
    """Run a command and return what it printed; it must end so."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "VIRTUAL"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for project in (ROOT, STRANGER):
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, project, folder=folder)
    return folder


@pytest.fixture(scope="module")
def clean(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands' folder of an environment with nothing in it but the wheels and what they need.

    The pip of the tests' own environment fills it, and leaves the compiling of what is used to the first use.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder)
    tanima, stranger = (next(wheels.glob(f"{name}-*.whl")) for name in ("tanima", "tanima_cardfile"))
    install = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q", "--no-compile")
    run(*install, "-c", ROOT / ".ci" / "constraints.txt", f"{tanima}[testing]", stranger, folder=folder)
    return folder / "bin"


@pytest.mark.wheel
def test_the_wheel_holds_all_that_runs_and_nothing_else(wheels: Path) -> None:
    names = zipfile.ZipFile(next(wheels.glob("tanima-*.whl"))).namelist()
    needed = ["py.typed", "testing/contract.py", "demo/config.toml", "demo/customers.csv", "demo/agents.csv"]
    assert [name for name in needed if f"proxy/{name}" not in names] == []
    assert "adapters/py.typed" in names
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"proxy", "adapters"}


@pytest.mark.wheel
def test_a_clean_environment_knows_the_command_and_the_adapters(clean: Path, tmp_path: Path) -> None:
    assert run(clean / "tanima", "--version", folder=tmp_path).startswith("tanima 0.")
    answered = "from proxy.registry import installed; print(*installed())"
    assert run(clean / "python", "-c", answered, folder=tmp_path).split() == ["cardfile", "rest", "sql", "static"]


@pytest.mark.wheel
def test_every_recipe_is_there_and_its_driver_is_told_where_it_is_missing(clean: Path, tmp_path: Path) -> None:
    listed = run(clean / "tanima", "init", folder=tmp_path).splitlines()
    assert {line.split()[0] for line in listed[1:]} == {
        file.stem for file in (ROOT / "adapters/recipes").glob("*.toml")
    }
    for secret in ("crm.password", "crm.key"):
        (tmp_path / secret).write_text("secret", encoding="ascii")
    for name, is_ready in {"table": True, "hubspot": True, "logo": False, "whmcs": False}.items():
        run(clean / "tanima", "init", "--recipe", name, f"{name}.toml", folder=tmp_path)
        code = 0 if is_ready else 2
        checked = run(clean / "tanima", "check", "--config", f"{name}.toml", folder=tmp_path, code=code)
        told = "needs a driver that is not installed - allowed: after pip install 'tanima[m" in checked
        assert told is not is_ready


@pytest.mark.wheel
def test_the_demo_answers_in_a_clean_environment(clean: Path, tmp_path: Path) -> None:
    script = """
import asyncio, json, urllib.request, re, subprocess, sys
demo = subprocess.Popen([sys.argv[1], "demo", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
try:
    port = next(json.loads(line)["port"] for line in demo.stderr if '"listening"' in line)
    url = f"http://127.0.0.1:{port}/musteri.json?telefon=05301234567"
    print(urllib.request.urlopen(url, timeout=10).read().decode())
finally:
    demo.terminate()
    demo.communicate(timeout=20)
sys.exit(demo.returncode)
"""
    printed = run(clean / "python", "-X", "utf8", "-c", script, clean / "tanima", folder=tmp_path)
    assert printed == '{"name": "Ahmet Yılmaz", "target": "queue/201"}\n'


@pytest.mark.wheel
def test_a_strangers_adapter_is_found_by_its_name_and_answers(clean: Path, tmp_path: Path) -> None:
    cards = tmp_path / "cards.txt"
    cards.write_text("05301234567\tAhmet Yılmaz\n", encoding="utf-8")
    config = tmp_path / "config.toml"
    config.write_text(TOML.format(file=cards), encoding="utf-8")
    assert "good" in run(clean / "tanima", "check", "--config", config, folder=tmp_path)
    explained = run(clean / "tanima", "route", "0530 123 45 67", "--config", config, folder=tmp_path)
    assert explained.endswith('musteri-tanima       {"name": "Ahmet Yılmaz", "target": "queue/201"}\n')


@pytest.mark.wheel
def test_a_strangers_adapter_passes_the_contract(clean: Path, tmp_path: Path) -> None:
    tests = tmp_path / "test_cardfile.py"
    tests.write_text((STRANGER / "test_cardfile.py").read_text(encoding="utf-8"), encoding="utf-8")
    printed = run(clean / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, folder=tmp_path)
    assert "10 passed" in printed, printed
