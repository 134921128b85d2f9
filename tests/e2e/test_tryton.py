"""The whole way to a CRM that others have written: a call over HTTP, the recipe, Tryton's own JSON-RPC, and back.

It is Tryton as it is installed from the package index; nothing here stands in for it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.cli.init import recipes
from tests.e2e.conftest import Serve
from tests.e2e.people import PASSWORD, PEOPLE, STRANGER
from tests.e2e.running import SLACK, Answer, Serving, call, run
from tests.tryton import Party, Tryton

KNOWN, OTHER, GERMAN = PEOPLE[0].number, PEOPLE[1].number, PEOPLE[3].number
OFFICE, MOBILE = "0312 555 00 10", "+90 532 555 00 11"
SHARED = "0216 555 00 12"
BRANCHES = tuple(f"0212 555 01 {last}" for last in range(10, 60))
LEAVING = "0532 555 00 13"
NEIGHBOUR = "+49 5325 550001"
"""Its last ten digits are those of KNOWN"""

PARTIES = (
    *(Party(person.name, f"M-{1001 + n}", [person.number], person.tier) for n, person in enumerate(PEOPLE)),
    Party("Işık İnşaat", "M-1010", [OFFICE, MOBILE], "gold"),
    Party("Deniz Bir", "M-1011", [SHARED]),
    Party("Deniz İki", "M-1012", [SHARED, "0216 555 00 14"], "gold"),
    Party("Zeytin Zinciri", "M-1013", BRANCHES, "gold"),
    Party("Giden Şahıs", "M-1014", [LEAVING], "gold"),
    Party("Nachbar", "M-1015", [NEIGHBOUR, "+49 5325 550099"]),
)

EXPECTED: Mapping[str, Mapping[str, str]] = {
    KNOWN: {"name": "Örnek Şahıs Bir", "target": "queue/201"},
    OTHER: {"name": "Örnek Şahıs İki", "target": "user/1003"},
    PEOPLE[2].number: {"name": "Örnek Şahıs Üç", "target": "queue/202"},
    GERMAN: {"name": "Jürgen Beispiel", "target": "queue/201"},
    PEOPLE[4].number: {"name": "Iğdır Örnek A.Ş.", "target": "queue/202"},
    PEOPLE[5].number: {"name": "Deneme Çağrı Merkezi", "target": "queue/202"},
    OFFICE: {"name": "Işık İnşaat", "target": "queue/201"},
    MOBILE: {"name": "Işık İnşaat", "target": "queue/201"},
    NEIGHBOUR: {"name": "Nachbar", "target": "queue/202"},
    "0532 555 00 99": {"target": "queue/203"},
    "0532 555 00 00": {"target": "queue/203"},
    STRANGER: {"target": "queue/203"},
    "1003": {"target": "group/700"},
    "": {"target": "queue/203"},
    "no number": {"target": "queue/200"},
}

SPELLINGS = ("05325550001", "5325550001", "+905325550001", "905325550001", "0090 532 555 00 01", "+90 (532) 555-00-01")
"""One number, as switches send it"""

OURS = "create_uid = (SELECT id FROM res_user WHERE login = 'tanima')"
FORGOTTEN = f"DELETE FROM ir_session WHERE {OURS}"
TOO_OLD = f"UPDATE ir_session SET create_date = '2020-02-02 02:02:02' WHERE {OURS}"
CROWD = 100

DEADLINE = 1.5
"""Seconds"""
BOUND = DEADLINE + SLACK

RECOVERY = 60.0
"""Seconds until the contact must be found again"""

FORGETFUL = {"ttl          = 300": "ttl = 0.01\nstale = 0", "negative_ttl = 60": "negative_ttl = 0.01"}
PATIENT = {"[switch]": "[switch]\ndeadline = 30", "timeout  = 1.2": "timeout = 28"}
HURRIED = {"[switch]": f"[switch]\ndeadline = {DEADLINE}", **FORGETFUL}

Write = Callable[..., Path]
ServeRecipe = Callable[..., Serving]


@pytest.fixture(scope="module")
def crm(tryton: Tryton) -> Tryton:
    """Fill the CRM with everybody, and add the recipe's user."""
    tryton.fill(PARTIES)
    tryton.add_user("tanima", PASSWORD)
    return tryton


@pytest.fixture(scope="module")
def write(crm: Tryton, tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write the recipe, set to this CRM and open at all hours, with other texts in the place of some of its own."""

    def writing(changes: Mapping[str, str], *, password: str = PASSWORD) -> Path:
        text = recipes()["tryton"].read_text(encoding="utf-8")
        place = {
            "https://tryton.example.com": crm.url,
            '"mon-fri"': '"mon-sun"',
            '"09:00"': '"00:00"',
            '"18:00"': '"24:00"',
            'holidays = "TR"': "",
        }
        for old, new in {**place, **changes}.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        folder = tmp_path_factory.mktemp("tryton")
        (folder / "crm.password").write_text(f"{password}\n", encoding="ascii")
        (folder / "config.toml").write_text(text, encoding="utf-8")
        for file in folder.iterdir():
            file.chmod(0o600)
        return folder

    return writing


@pytest.fixture(scope="module")
def serve_recipe(write: Write, start: Serve) -> ServeRecipe:
    """Serve the recipe, changed likewise; the caller stops it."""

    def serving(changes: Mapping[str, str], **more: str) -> Serving:
        file = write(changes, **more) / "config.toml"
        return start(["serve", "--config", str(file), "--listen", "127.0.0.1:0"])

    return serving


@pytest.fixture(scope="module")
def serving(serve_recipe: ServeRecipe) -> Iterator[Serving]:
    """Serve with time for everything, and remember nothing."""
    with serve_recipe({**PATIENT, **FORGETFUL}) as serving:
        yield serving


@pytest.fixture(scope="module")
def in_a_hurry(serve_recipe: ServeRecipe) -> Iterator[Serving]:
    """Serve with a short deadline, and remember nothing."""
    with serve_recipe(HURRIED) as serving:
        yield serving


async def test_every_call_goes_where_the_recipe_says(serving: Serving) -> None:
    assert {number: (await call(serving, number)).said for number in EXPECTED} == EXPECTED


@pytest.mark.parametrize("number", SPELLINGS)
async def test_a_caller_is_found_however_the_switch_spells_the_number(serving: Serving, number: str) -> None:
    assert (await call(serving, number)).said == EXPECTED[KNOWN]


async def test_a_number_is_found_as_it_was_typed_before_phonenumbers_was_installed(
    serving: Serving, crm: Tryton
) -> None:
    typed = "UPDATE party_contact_mechanism SET value_compact = ? WHERE value_compact = ?"
    crm.sql(typed, "0532-555 00 02", "+905325550002")
    try:
        assert (await call(serving, OTHER)).said == EXPECTED[OTHER]
    finally:
        crm.sql(typed, "+905325550002", "0532-555 00 02")


async def test_a_long_answer_that_is_said_to_be_compressed_and_is_not(serving: Serving) -> None:
    assert (await call(serving, BRANCHES[-1])).said == {"name": "Zeytin Zinciri", "target": "queue/201"}


async def test_one_of_two_parties_with_one_number_is_found(serving: Serving) -> None:
    assert (await call(serving, SHARED)).said["name"] in {"Deniz Bir", "Deniz İki"}


@pytest.mark.parametrize(
    ("several", "expected"),
    [
        ('"newest"\nnewest_by = "code"', {"name": "Deniz İki", "target": "queue/201"}),
        ('"unknown"', {"target": "queue/203"}),
    ],
    ids=["newest", "unknown"],
)
async def test_the_operator_says_which_of_two_parties_with_one_number(
    serve_recipe: ServeRecipe, several: str, expected: object
) -> None:
    with serve_recipe({**PATIENT, "attempts = 1": f"several = {several}"}) as serving:
        assert (await call(serving, SHARED)).said == expected


async def test_what_changes_in_the_crm_counts_for_the_next_call(serving: Serving, crm: Tryton) -> None:
    parties = crm.call("model.party.party.search", [["code", "=", "M-1014"]], 0, 1, None, {})
    for active, expected in ((True, {"name": "Giden Şahıs", "target": "queue/201"}), (False, {"target": "queue/203"})):
        crm.call("model.party.party.write", parties, {"active": active}, {})
        assert (await call(serving, LEAVING)).said == expected


async def test_a_hundred_first_calls_at_once_make_one_log_in(
    serve_recipe: ServeRecipe, crm: Tryton, figure: Callable[[str], None]
) -> None:
    strangers = {f"0532556{place:04}": {"target": "queue/203"} for place in range(CROWD - len(EXPECTED))}
    expected = {**EXPECTED, **strangers}
    with serve_recipe({**PATIENT, **FORGETFUL}) as serving:
        before = log_ins(crm)
        started = time.monotonic()
        assert await all_at_once(serving, *expected) == [*expected.values()]
        took = time.monotonic() - started
        assert log_ins(crm) == before + 1
        crm.sql(FORGOTTEN)
        assert await all_at_once(serving, *EXPECTED) == [*EXPECTED.values()], "as their session has ended"
        assert log_ins(crm) == before + 2
        assert serving.lines("source_failed") == []
    figure(f"Tryton, {CROWD} simultaneous first calls of as many numbers: 1 log-in, all right; {took:.2f} s in all")


@pytest.mark.parametrize("end", [FORGOTTEN, TOO_OLD], ids=["forgotten", "too old"])
async def test_a_session_that_has_ended_costs_no_call(serving: Serving, crm: Tryton, end: str) -> None:
    assert (await call(serving, KNOWN)).said == EXPECTED[KNOWN]
    before = log_ins(crm)
    crm.sql(end)
    for number in (OTHER, STRANGER, KNOWN):
        assert (await call(serving, number)).said == EXPECTED[number]
    assert log_ins(crm) == before + 1
    assert serving.lines("source_failed") == []


async def test_a_wrong_password_is_tried_once_and_keeps_nobody_waiting(
    serve_recipe: ServeRecipe, crm: Tryton, figure: Callable[[str], None]
) -> None:
    crm.add_user("locked_out", PASSWORD)
    lasting = {**HURRIED, "timeout  = 1.2": "timeout = 28", '= "tanima"': '= "locked_out"'}
    with serve_recipe(lasting, password="misspelt") as serving:
        slowest = await is_answered_without_it(serving)
        crowd = await all_at_once(serving, *(f"0532557{place:04}" for place in range(20)))
        assert crowd == [{"target": "queue/200"}] * 20
        assert (await serving.line("source_failed"))["error"] == "the CRM refuses our credentials (401)"
    assert refusals(crm, "locked_out") == 1
    figure(f"Tryton, wrong password: slowest {slowest * 1000:.0f} ms (deadline {DEADLINE} s), tried once in 23 calls")


@pytest.mark.parametrize("fault", ["frozen", "killed"])
async def test_calls_are_answered_in_time_without_it_and_it_is_found_again(
    in_a_hurry: Serving, crm: Tryton, fault: str, figure: Callable[[str], None]
) -> None:
    await is_found_again(in_a_hurry)
    before = log_ins(crm)
    async with troubled(crm, fault):
        slowest = await is_answered_without_it(in_a_hurry)
        await in_a_hurry.line("source_failed")
        error = in_a_hurry.lines("source_failed")[-1]["error"]
    back = await is_found_again(in_a_hurry)
    assert log_ins(crm) == before, "the session goes on"
    figure(
        f"Tryton {fault}: slowest {slowest * 1000:.0f} ms (deadline {DEADLINE} s), {error!r};"
        f" contact again after {back:.2f} s"
    )


async def test_it_is_frozen_when_the_first_call_comes(serve_recipe: ServeRecipe, crm: Tryton) -> None:
    async with troubled(crm, "frozen"):
        serving = serve_recipe(HURRIED)
        try:
            await is_answered_without_it(serving)
        except BaseException:
            serving.stop()
            raise
    with serving:
        await is_found_again(serving)


async def test_an_operator_checks_it_and_asks_about_a_call(write: Write) -> None:
    folder = write(PATIENT)
    checked, asked = await asyncio.gather(run("check", "--live", cwd=folder), run("route", KNOWN, "--json", cwd=folder))
    good, live, *others = checked.out.splitlines()
    assert (checked.code, checked.err, good) == (0, "", "config.toml: good. Sources: 1, rules: 4.")
    assert live.startswith("sources.tryton: answers (")
    assert [line for line in others if not line.startswith("sources.tryton.options")] == []

    told = json.loads(asked.out)
    assert (asked.code, told["bugs"], told["failure"]) == (0, [], None)
    assert told["answers"]["musteri-tanima"] == EXPECTED[KNOWN]
    assert [tried["outcome"] for tried in told["sources"]] == ["found"]
    assert told["contact"]["numbers"] == ["+905325550001"]
    assert told["contact"]["fields"] == {"code": "M-1001", "tier": "gold"}


async def test_an_operator_is_told_of_a_wrong_password(write: Write, crm: Tryton) -> None:
    checked = await run("check", "--live", cwd=write({**PATIENT, '= "tanima"': '= "nobody"'}))
    assert checked.code == 1
    assert checked.out.splitlines()[1:] == [
        "sources.tryton: the CRM refuses our credentials (401) - allowed: a CRM that answers"
    ]
    assert refusals(crm, "nobody") == 1


def log_ins(crm: Tryton) -> int:
    """Return how often anybody has logged in."""
    ((count,),) = crm.sql("SELECT seq FROM sqlite_sequence WHERE name = 'ir_session'")
    return int(count)


def refusals(crm: Tryton, user: str) -> int:
    """Return how often the CRM has refused to log a user in."""
    ((count,),) = crm.sql("SELECT count(*) FROM res_user_login_attempt WHERE login = ?", user)
    return int(count)


async def all_at_once(serving: Serving, *numbers: str) -> list[object]:
    """Return what is said to simultaneous calls."""
    return [heard.said for heard in await asyncio.gather(*(call(serving, number) for number in numbers))]


@asynccontextmanager
async def troubled(crm: Tryton, fault: str) -> AsyncIterator[None]:
    """Have the CRM in trouble, and mend it."""
    await asyncio.to_thread(crm.freeze if fault == "frozen" else crm.stop)
    try:
        yield
    finally:
        crm.thaw()
        await asyncio.to_thread(crm.start)


async def is_answered_without_it(serving: Serving) -> float:
    """See that calls go where they must in time, and return the seconds of the slowest."""
    heard: list[Answer] = [await call(serving, number) for number in (KNOWN, GERMAN, KNOWN)]
    assert [one.said for one in heard] == [{"target": "queue/200"}] * 3
    slowest = max(one.seconds for one in heard)
    assert slowest < BOUND
    return slowest


async def is_found_again(serving: Serving) -> float:
    """Call until the contact is found, and return how many seconds that took; then wait until the cache has lost it."""
    started = time.monotonic()
    while (await call(serving, KNOWN)).said != EXPECTED[KNOWN]:
        assert time.monotonic() - started < RECOVERY
        await asyncio.sleep(0.05)
    took = time.monotonic() - started
    await asyncio.sleep(0.02)
    return took
