"""What the end-to-end tests share: servers whose logs are kept and looked through at the end."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.e2e.running import TANIMA, Serving

FIGURES: list[str] = []

Serve = Callable[..., Serving]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the logs looked through when everything that writes them has run."""
    items.sort(key=lambda item: item.path.name == "test_logs_of_all_servers.py")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured."""
    if FIGURES:
        terminalreporter.section("figures of the end-to-end tests")
        for figure in FIGURES:
            terminalreporter.write_line(figure)


@pytest.fixture(scope="session")
def figure() -> Callable[[str], None]:
    """Note something that was measured, for the end of the run."""
    return FIGURES.append


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the logs of all servers of this run."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def start(logs: Path) -> Callable[..., Serving]:
    """Start the command with a log that is looked through at the end; the caller stops it."""

    def starting(
        arguments: Sequence[str], *, command: Sequence[str] = TANIMA, environment: Mapping[str, str] | None = None
    ) -> Serving:
        number = len([*logs.iterdir()])
        return Serving(arguments, logs / f"{number:03}.log", command=command, environment=environment)

    return starting


@pytest.fixture(scope="session")
def serve(start: Serve, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Serve a TOML, given as a text, at any free port; the caller stops it."""

    def serving(toml: str, *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Serving:
        file = (folder or tmp_path_factory.mktemp("deployment")) / "config.toml"
        file.write_text(toml, encoding="utf-8")
        return start(["serve", "--config", str(file), "--listen", "127.0.0.1:0"], environment=environment)

    return serving
