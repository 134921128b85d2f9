"""What is done on a connection that was kept, and that somebody has cut meanwhile."""

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from adapters.sql import connections
from adapters.sql.connections import AT_ONCE, Answer

NOTHING = Answer((), ())


@pytest.mark.parametrize(
    ("is_kept", "is_cut", "seconds", "runs"),
    [
        (True, True, 0.0, 2),
        (False, True, 0.0, 1),
        (True, False, 0.0, 1),
        (True, True, AT_ONCE, 1),
    ],
    ids=["kept and cut", "new", "another error", "cut while it ran"],
)
def test_a_statement_is_run_once_more_only_where_a_kept_connection_was_cut(
    monkeypatch: pytest.MonkeyPatch, *, is_kept: bool, is_cut: bool, seconds: float, runs: int
) -> None:
    clock, seen = [1.0], []
    monkeypatch.setattr("adapters.sql.connections.time.monotonic", lambda: clock[0])
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1)

    def fails(connection: Connection) -> Answer:
        seen.append(connection.info["since"])
        clock[0] += seconds
        connection.invalidate()
        raise DBAPIError("", None, OSError(), connection_invalidated=is_cut)

    if is_kept:
        assert connections._on_a_connection(engine, lambda _: NOTHING) is NOTHING
        clock[0] += 1
    with pytest.raises(DBAPIError):
        connections._on_a_connection(engine, fails)
    assert len(seen) == runs
    engine.dispose()
