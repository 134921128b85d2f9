"""The servers that tests of several folders share."""

import os
from collections.abc import Iterator

import pytest

from tests.servers import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL of our own. Where none is installed, the test is skipped, but never in CI."""
    programs = Postgres.installed()
    if programs is None:
        message = "no PostgreSQL server is installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with Postgres(programs) as server:
        yield server
