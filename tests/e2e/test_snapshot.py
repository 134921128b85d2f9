"""What is known survives a restart while the CRM is down, and is for nobody else to read."""
# ruff: noqa: ASYNC240 - the tests' own small files

import asyncio
import json
import random
import signal
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

from proxy.cache import ContactCache, Entry
from proxy.config import load
from proxy.deployment import snapshot_of
from proxy.model import Contact
from proxy.snapshot import Caps
from proxy.testing import HttpCrm, phone
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, answer_of_the_crm, head, rest_options, source
from tests.e2e.running import PATIENCE, Answer, Serving, call, run
from tests.servers import free_port

KEY = "made-up-key-of-the-snapshot"
DEFAULT = {"target": "queue/200"}
KNOWN = {person.number: EXPECTED[person.number] for person in PEOPLE}


def toml(url: str, cache: str = "", more: str = "", key: str = KEY) -> str:
    kept = f'\n[cache]\nsnapshot = "cache.json"\nsnapshot_key = "{key}"\n{cache}\n'
    return head(more=kept + more) + source("rest", rest_options(url))


async def answers(serving: Serving) -> dict[str, object]:
    return {person.number: (await call(serving, person.number)).said for person in PEOPLE}


async def end(serving: Serving, how: int) -> None:
    serving.process.send_signal(how)
    await asyncio.to_thread(serving.process.wait, PATIENCE)


async def known_to(serve: Serve, crm: HttpCrm, folder: Path, cache: str = "", more: str = "") -> Path:
    """Let all people call once, and stop the server; return its snapshot."""
    with serve(toml(crm.url, cache, more), folder=folder) as serving:
        assert await answers(serving) == KNOWN
        await end(serving, signal.SIGTERM)
    return folder / "cache.json"


async def test_all_who_are_known_keep_their_name_and_target_over_a_restart(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        file = await known_to(serve, crm, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    raw = file.read_bytes()
    for person in PEOPLE:
        for text in (phone(person.number).digits[-7:], person.name):
            assert text.encode() not in raw
    with serve(toml(crm.url), folder=tmp_path) as serving:
        assert await answers(serving) == KNOWN
        assert {line["via"] for line in serving.lines("call")} == {"cache"}
        assert [line["entries"] for line in serving.lines("snapshot_read")] == [len(PEOPLE)]
    assert sorted(left.name for left in tmp_path.iterdir()) == [".cache.json.lock", "cache.json", "config.toml"]


async def test_the_time_in_which_it_did_not_run_counts(serve: Serve, tmp_path: Path) -> None:
    long, short = "ttl = 4\nstale = 600", "ttl = 3\nstale = 1"
    (tmp_path / "short").mkdir()
    async with HttpCrm(answer_of_the_crm) as crm:
        await known_to(serve, crm, tmp_path, long)
        await known_to(serve, crm, tmp_path / "short", short)
    await asyncio.sleep(4.1)
    with serve(toml(crm.url, long), folder=tmp_path) as serving:
        assert (await call(serving, PEOPLE[0].number)).said == KNOWN[PEOPLE[0].number]
        assert (await serving.line("call"))["via"] == "stale"
    with serve(toml(crm.url, short), folder=tmp_path / "short") as serving:
        assert [line["entries"] for line in serving.lines("snapshot_read")] == [0]
        assert (await call(serving, PEOPLE[0].number)).said == DEFAULT


async def test_a_server_that_was_killed_leaves_the_last_that_it_wrote(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        serving = serve(toml(crm.url, "snapshot_every = 1"), folder=tmp_path)
        try:
            assert await answers(serving) == KNOWN
            for _ in range(int(PATIENCE * 10)):
                if await entries_in(tmp_path) == len(PEOPLE):
                    break
                await asyncio.sleep(0.1)
        finally:
            await end(serving, signal.SIGKILL)
    (tmp_path / f".cache.json.{serving.process.pid}.abc.new").write_bytes(b"half")
    with serve(toml(crm.url), folder=tmp_path) as again:
        assert await answers(again) == KNOWN
    assert sorted(left.name for left in tmp_path.iterdir()) == [".cache.json.lock", "cache.json", "config.toml"]


async def entries_in(folder: Path) -> int:
    keeper = snapshot_of(load(folder / "config.toml"))
    assert keeper is not None
    return await keeper.read_into(ContactCache(100), Caps(300, 60, 86400))


async def until(condition: Callable[[], object]) -> None:
    for _ in range(int(PATIENCE * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not happen")


def cut(raw: bytes) -> bytes:
    return raw[:-20]


def flip(raw: bytes) -> bytes:
    return raw[:300] + bytes([raw[300] ^ 1]) + raw[301:]


DAMAGES = (
    (cut, KEY, "damaged"),
    (flip, KEY, "damaged"),
    (lambda _: b"\0" * 5000, KEY, "damaged"),
    (lambda _: b"", KEY, "another kind"),
    (lambda raw: raw, "another-" + KEY, "damaged"),
)
"""What becomes of a good snapshot, the key with which it is read then, and why it cannot be used"""


async def test_one_that_cannot_be_used_is_a_cold_start_with_one_line(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        file = await known_to(serve, crm, tmp_path)
        for damage, key, why in DAMAGES:
            file.write_bytes(damage(file.read_bytes()))
            with serve(toml(crm.url, key=key), folder=tmp_path) as serving:
                (line,) = serving.lines("snapshot_failed")
                assert why in line["error"]
                assert await answers(serving) == KNOWN
                assert {line["via"] for line in serving.lines("call")} == {"crm"}
            assert len(serving.lines("snapshot_failed")) == 1
            with serve(toml(crm.url, key=key), folder=tmp_path) as serving:
                assert await answers(serving) == KNOWN, "a good one has taken its place"
                assert {line["via"] for line in serving.lines("call")} == {"cache"}


async def test_contacts_of_other_sources_are_not_used(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        await known_to(serve, crm, tmp_path)
    async with HttpCrm(lambda _: {"items": []}) as other:
        with serve(toml(other.url), folder=tmp_path) as serving:
            assert {str(said) for said in (await answers(serving)).values()} == {str({"target": "queue/202"})}
            assert "other sources" in serving.lines("snapshot_failed")[0]["error"]


# ------------------------------------------------------------------------------------- erase


async def erase(folder: Path, number: str) -> str:
    ran = await run("erase", number, "--config", str(folder / "config.toml"))
    assert ran.code == 0, ran.err
    return ran.out


async def test_a_number_that_is_erased_when_no_server_runs_does_not_come_back(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        await known_to(serve, crm, tmp_path)
    gone, *others = PEOPLE
    assert "snapshot: erased" in await erase(tmp_path, gone.number)
    assert "snapshot: nothing was there" in await erase(tmp_path, gone.number)
    with serve(toml(crm.url), folder=tmp_path) as serving:
        assert (await call(serving, gone.number)).said == DEFAULT
        for person in others:
            assert (await call(serving, person.number)).said == KNOWN[person.number]


async def test_a_number_that_a_running_server_erases_is_in_the_file_no_more(serve: Serve, tmp_path: Path) -> None:
    admin = f'\n[admin]\nlisten = "127.0.0.1:{free_port()}"\n'
    gone, *others = PEOPLE
    async with HttpCrm(answer_of_the_crm) as crm:
        await known_to(serve, crm, tmp_path, more=admin)
        serving = serve(toml(crm.url, more=admin), folder=tmp_path)
        try:
            await until(lambda: is_open(admin))
            told = await erase(tmp_path, gone.number)
        finally:
            await end(serving, signal.SIGKILL)
        assert "cache of the running server: erased" in told
        assert "snapshot: written without it" in told
    with serve(toml(crm.url), folder=tmp_path) as again:
        assert (await call(again, gone.number)).said == DEFAULT
        for person in others:
            assert (await call(again, person.number)).said == KNOWN[person.number]


def is_open(admin: str) -> bool:
    port = int(admin.rpartition(":")[2].strip().strip('"'))
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# ------------------------------------------------------------------------------------- many


async def test_a_hundred_thousand_entries_come_back_with_the_crm_down(
    serve: Serve, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    many, asked = 100_000, 300
    text = toml("http://127.0.0.1:9", f"size = {many}")
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="utf-8")
    keeper = snapshot_of(load(config))
    assert keeper is not None
    cache, until_then = ContactCache(many), time.monotonic() + 200
    for n in range(many):
        contact = Contact(f"Örnek {n % 10}", {"tier": "gold" if n % 2 else "silver"}, id=str(n))
        cache.put(f"+9053{n:08}", Entry(contact, until_then, until_then + 3600))
    assert await keeper.write(cache) == many
    started = time.perf_counter()
    with serve(text, folder=tmp_path) as serving:
        took = time.perf_counter() - started
        (read,) = serving.lines("snapshot_read")
        good = 0
        for n in random.Random(7).sample(range(many), asked):  # noqa: S311 - which ones does not matter
            number = f"053{n:08}"
            answer: Answer = await call(serving, number)
            wanted = {"name": f"Örnek {n % 10}", "target": "queue/201" if n % 2 else "queue/200"}
            good += json.loads(answer.body) == wanted
    assert read["entries"] == many
    figure(
        f"restart with {many} entries and the CRM down: {read['entries']} back in {read['ms'] / 1000:.1f} s, listening "
        f"after {took:.1f} s, {good} of {asked} calls with name and target"
    )
    assert good >= asked * 0.99
