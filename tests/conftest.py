"""The servers that tests of several folders share."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from tests.prometheus import Prometheus
from tests.servers import Mariadb, Postgres
from tests.tds_server import TdsServer
from tests.tryton import Tryton

Server = TypeVar("Server", Postgres, Mariadb, Tryton)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL of our own."""
    yield from started(Postgres)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """Start a MariaDB of our own."""
    yield from started(Mariadb)


@pytest.fixture(scope="session")
def tryton() -> Iterator[Tryton]:
    """Start a CRM that others have written, without anybody in it yet."""
    yield from started(Tryton)


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """Return the folder of Prometheus' programs."""
    programs = Prometheus.installed()
    if programs is None:
        leave_out("no Prometheus")
    return programs


@pytest.fixture
def sql_server() -> Iterator[TdsServer]:
    """Start a stand-in for SQL Server, to which a real ODBC driver connects."""
    with_odbc()
    if TdsServer.driver() is None:
        leave_out("no ODBC driver for SQL Server (tdsodbc)")
    with TdsServer() as server:
        yield server


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave tests out that configure SQL Server, where its driver cannot be loaded."""
    if item.get_closest_marker("odbc"):
        with_odbc()


def with_odbc() -> None:
    """Leave a test out when pyodbc finds no unixODBC."""
    try:
        importlib.import_module("pyodbc")
    except ImportError:
        leave_out("no unixODBC (libodbc2)")


def started(kind: type[Server]) -> Iterator[Server]:
    """Start a server. Where none is installed, the test is skipped, but never in CI."""
    programs = kind.installed()
    if programs is None:
        leave_out(f"no {kind.name} server")
    with kind(programs) as server:
        yield server


def leave_out(missing: str) -> NoReturn:
    """Skip a test for want of something that is not installed; in CI that is a failure."""
    message = f"{missing} is installed"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be left out."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
