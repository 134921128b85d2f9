"""Nothing that makes calls cheap is lost. Counts only: `make bench` measures the times."""

import json
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.bench.load import CALLERS, CONNECTIONS, Questions, ask, at_once
from tests.bench.machine import Server
from tests.bench.scenarios import CUSTOMERS, FROM_CACHE, FROM_CRM, INDEX, url
from tests.bench.start import CRM, SQL, Tanima, crm, seen_by
from tests.chaos.world import enough_descriptors
from tests.servers import Postgres

FORMS: Mapping[str, Callable[[], Questions]] = {
    "kept": Questions,
    "closed": partial(Questions, closes=True),
    "dialogue": partial(Questions, is_dialogue=True),
}
COUNTING = """
import collections, json, os, signal, sys
counted = collections.Counter()
def count(frame, event, _):
    if event == "call":
        counted[frame.f_code.co_filename] += 1
def tell(*_):
    sys.setprofile(count)
    told = dict(counted)
    with open(os.environ["COUNTED"] + ".new", "w") as file:
        json.dump(told, file)
    os.rename(file.name, os.environ["COUNTED"])
signal.signal(signal.SIGUSR1, tell)
from proxy.cli import run
run()
"""
"""On SIGUSR1 it tells how often functions of Python were called since the first such signal, by their files"""
MOST_CALLS = 80
"""Calls of Python functions that a hit may cost, with all that is done after the answer"""
HITS = 200


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Tanima]]:
    """A CRM, and tanima, which knows ten thousand callers out of a snapshot."""
    enough_descriptors()
    folder = tmp_path_factory.mktemp("bench")
    with ExitStack() as stack:
        asked = stack.enter_context(crm(0.02))
        yield asked, stack.enter_context(Tanima(folder, CRM.format(url=url(asked)), uvloop=True, known=CALLERS))


@pytest.mark.parametrize("form", FORMS)
def test_whoever_is_known_is_answered_rightly_and_costs_the_crm_nothing(
    form: str, servers: tuple[Server, Tanima]
) -> None:
    asked, tanima = servers
    before, counted = seen_by(asked)["asked"], tanima.counted().get(FROM_CACHE, 0)
    calls = CALLERS if form != "closed" else 1000
    heard = ask(tanima.port, FORMS[form](), calls=calls)
    assert (heard.calls, heard.wrong) == (calls, 0)
    assert seen_by(asked)["asked"] == before
    assert tanima.counted()[FROM_CACHE] == counted + calls


def test_whoever_is_not_known_is_asked_for_once_on_a_few_connections(servers: tuple[Server, Tanima]) -> None:
    asked, tanima = servers
    before, counted = seen_by(asked), tanima.counted().get(FROM_CRM, 0)
    heard = ask(tanima.port, Questions(first=CALLERS, turn=0), calls=1000)
    after = seen_by(asked)
    assert (heard.calls, heard.wrong) == (1000, 0)
    assert after["asked"] - before["asked"] == 1000
    assert after["connections"] - before["connections"] <= CONNECTIONS
    assert tanima.counted()[FROM_CRM] == counted + 1000


def test_a_thousand_calls_of_one_caller_at_once_are_one_question_to_the_crm(servers: tuple[Server, Tanima]) -> None:
    asked, tanima = servers
    before = seen_by(asked)["asked"]
    packet = next(iter(Questions(first=5_000_000)))
    heard = at_once(tanima.port, [packet] * 1000)
    assert (heard.calls, heard.wrong) == (1000, 0)
    assert seen_by(asked)["asked"] - before == 1


def test_a_hit_parses_no_number_and_calls_few_functions(tmp_path: Path) -> None:
    told = tmp_path / "counted"
    with crm() as asked:
        tanima = Tanima(
            tmp_path, CRM.format(url=url(asked)), known=HITS, code=COUNTING, variables={"COUNTED": str(told)}
        )
        with tanima:
            for _ in range(2):
                before = functions_called(tanima, told)
                heard = ask(tanima.port, Questions(turn=HITS), calls=HITS)
                assert (heard.calls, heard.wrong) == (HITS, 0)
            after = functions_called(tanima, told)
    called = {file: (n - before[file]) / HITS for file, n in after.items()}
    by_library = Counter[str]()
    for file, times in called.items():
        by_library[Path(file).parent.name] += round(times)
    assert not [file for file, times in called.items() if "phonenumbers" in file and times]
    assert sum(called.values()) <= MOST_CALLS, by_library.most_common(20)


def functions_called(tanima: Tanima, told: Path) -> Counter[str]:
    """Return how often functions were called so far, by their files."""
    told.unlink(missing_ok=True)
    tanima.process.send_signal(signal.SIGUSR1)
    while not told.exists():
        time.sleep(0.01)
    return Counter(json.loads(told.read_text(encoding="utf-8")))


def test_a_statement_is_prepared_once_for_each_connection_and_is_all_that_is_sent(tmp_path: Path) -> None:
    programs = Postgres.installed()
    assert programs is not None
    with Postgres(programs) as database:
        database.sql(
            f"{CUSTOMERS}; INSERT INTO customers SELECT n, 'Müşteri ' || lpad(n::text, 7, '0'), "
            f"'0530' || lpad(n::text, 7, '0'), 'gold', 'nobody', 12.5 FROM generate_series(0, 999) n; {INDEX}"
        )
        database.sql("ALTER SYSTEM SET log_min_duration_statement = 0")
        database.sql("SELECT pg_reload_conf()")
        while database.sql("SHOW log_min_duration_statement") != "0":
            time.sleep(0.01)  # the server reads it again by and by
        with Tanima(tmp_path, SQL.format(url=database.url())) as tanima:
            heard = ask(tanima.port, Questions(turn=0), calls=500)
            assert (heard.calls, heard.wrong) == (500, 0)
        log = (database._folder / "log").read_text(encoding="utf-8")
    sent = re.findall(r"duration: [0-9.]+ ms  (\w+)(?: [^:\n]*)?: (?:SELECT|WITH)[^\n]*FROM customers", log)
    counted = Counter(sent)
    assert counted["execute"] == 500
    assert counted["parse"] <= 5
    assert not re.findall(r"BEGIN|COMMIT|ROLLBACK", log)
