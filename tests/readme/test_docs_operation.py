"""The operator's manual names what there is, with its figures; what it shows is run, and what it tells is tried."""

import asyncio
import json
import re
import signal
import tomllib
from pathlib import Path

import aiohttp
import pytest

from adapters.rest.names import LONGEST_KEPT
from proxy.app import LAST_MOMENTS, RETIRED_AFTER, RETIRED_BY, STARTING
from proxy.breaker import LONGEST_REST, REFILL, RESERVE
from proxy.cache import ContactCache
from proxy.config import load
from proxy.config.dialogue import DialogueSettings
from proxy.config.section import Section
from proxy.config.settings import AccessSettings, AdminSettings, CacheSettings, SourceSettings, SwitchSettings
from proxy.config.values import SHORTEST_SECRET
from proxy.deployment import snapshot_of
from proxy.following import DEBOUNCE, LOOK
from proxy.snapshot import Caps
from proxy.upstream import Limits
from proxy.web.connections import PATIENCE
from proxy.web.sockets import OTHERS
from proxy.workers.worker import EVERY, MOST_TOLD
from tests.e2e.running import Serving, call
from tests.readme.operation_page import (
    PAGE,
    SECTIONS,
    deployed,
    marked,
    rows,
    serving,
    shown,
    tomls,
    written_events,
)
from tests.readme.pages import blocks, commands, run, spans
from tests.servers import free_port, until_open

GREETED, UNKNOWN = {"name": "Ahmet Yılmaz", "target": "queue/201"}, {"target": "queue/202"}
KNOWN, STRANGER = "05301234567", "05550000001"

SETTINGS: dict[str, type[Section]] = {
    "switch.": SwitchSettings,
    "switch.access.": AccessSettings,
    "cache.": CacheSettings,
    "dialogue.": DialogueSettings,
    "admin.": AdminSettings,
    "": SourceSettings,
}
WHO = {"name", "adapter", "role", "by", "several", "newest_by", "options"}
"""What a source is, and no limit"""
DEFAULTS = {
    f"{section}{name}": field.default
    for section, model in SETTINGS.items()
    for name, field in model.model_fields.items()
    if model is not SourceSettings or name not in WHO
}
FRAGMENTS = [(heading, place) for heading in SECTIONS for place in range(len(tomls(heading)))]


async def known_after(file: Path) -> tuple[Serving, str]:
    """Serve for one call, and return by what it was answered."""
    with serving(file) as server:
        await call(server, KNOWN)
    return server, str(server.lines("call")[0]["via"])


async def kept(file: Path) -> int:
    """Return how many contacts the snapshot has."""
    snapshot = snapshot_of(load(file))
    assert snapshot is not None
    return await snapshot.read_into(ContactCache(10), Caps(300, 60, 86400))


def words(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------------------------------- tables


def test_every_event_that_can_be_logged_is_told_with_its_level_and_its_fields() -> None:
    told = {spans(event)[0]: (level, set(spans(fields))) for event, level, fields, *_ in rows("Log lines")}
    assert told == written_events()
    assert len(told) > 15


def test_every_setting_is_told_with_what_it_is_when_it_is_left_out() -> None:
    told = {
        name: value.strip(" `")
        for names, values, _ in rows("Settings")
        for name, value in zip(spans(names), values.split(",") if len(spans(names)) > 1 else [values], strict=True)
    }
    assert set(told) == set(DEFAULTS)
    for name, default in DEFAULTS.items():
        if isinstance(default, (int, float)):
            assert float(told[name]) == default, name
        elif isinstance(default, str):
            assert told[name] == default, name
    assert told["switch.listen"] == "{}:{}".format(*DEFAULTS["switch.listen"])


def test_what_governs_a_promise_is_a_setting() -> None:
    for *_, settings in rows("What we promise"):
        assert set(spans(settings)) <= set(DEFAULTS), settings


@pytest.mark.parametrize(
    ("sentence", "figure"),
    [
        (r"up to ([\d.]+) s later", 2 * Limits().timeout + Limits().wait_initial + Limits().wait_jitter),
        (r"after (\d+) failures in a row", Limits().breaker_failures),
        (r"every (\d+) s \|", Limits().breaker_pause),
        (r"within (\d+) s of that", Limits().breaker_pause + CacheSettings().recheck),
        (r"(\d+) s for a request", PATIENCE),
        (r"needs (\d+) descriptors more", OTHERS),
        (r"`LimitNOFILE` to `switch.connections` \+ (\d+)", OTHERS),
        (r"at least (\d+) characters", SHORTEST_SECRET),
        (r"after (\d+) s at the soonest", RETIRED_AFTER),
        (r"and one every (\d+) s", 1 / REFILL),
        (r"the last (\d+) of each fifth of a second", MOST_TOLD * 0.2 / EVERY),
    ],
)
def test_a_figure_is_the_one_in_the_code(sentence: str, figure: float) -> None:
    found = re.search(sentence, words(PAGE))
    assert found is not None
    assert float(found[1]) == pytest.approx(figure)


def test_what_is_told_in_words_is_so_in_the_code() -> None:
    for sentence, holds in {
        "at most an hour": LONGEST_REST == 3600,
        "Ten in a row are always there": RESERVE == 10,
        "about a minute at the latest": RETIRED_BY == 60,
        "at most a second after": LAST_MOMENTS < 1,
        "not opened after a second": STARTING == 1,
        "the addresses that its host had last, for a day at the most": LONGEST_KEPT == 86400,
        "noticed within two seconds": LOOK + DEBOUNCE < 2000,
        "After a day (`cache.stale`)": CacheSettings().stale == 86400,
    }.items():
        assert sentence in words(PAGE)
        assert holds, sentence


# ---------------------------------------------------------------------------------------- examples


@pytest.mark.parametrize(("heading", "place"), FRAGMENTS)
def test_a_toml_of_the_page_is_good(heading: str, place: int, tmp_path: Path) -> None:
    file = deployed(tmp_path, tomls(heading)[place])
    assert run("tanima check", tmp_path) == "config.toml: good. Sources: 1, rules: 1.\n"
    assert load(file).warnings == (), "the secret files are made as the page tells"


def test_the_tomls_of_the_page_are_all_looked_at() -> None:
    assert len(FRAGMENTS) == len([block for block in blocks(PAGE) if block.language == "toml"]) == 4


def test_a_token_may_be_brought_as_it_is_shown_and_a_wrong_one_is_answered_like_an_unknown_caller(
    tmp_path: Path,
) -> None:
    file = deployed(tmp_path, tomls("Who may ask")[0].replace("192.0.2.10", "127.0.0.1"))
    token = (tmp_path / "switch.tokens").read_text(encoding="ascii").strip()
    with serving(file) as server:
        for mark, count, answer in (("ask", 5, GREETED), ("refused", 2, UNKNOWN)):
            ran = [*shown(mark, tmp_path, server.port, TOKEN=token)]
            assert len(ran) == count
            for command, expected, printed in ran:
                assert printed == expected == json.dumps(answer, ensure_ascii=False), command
        unknown = f"curl -H 'X-Token: {token}' 'http://127.0.0.1:{server.port}/musteri.json?telefon={STRANGER}'"
        assert run(unknown, tmp_path) == json.dumps(UNKNOWN)
    assert [line["reason"] for line in server.lines("call")] == ["rule"] * 5 + ["refused"] * 2 + ["unknown_caller"]
    assert token not in server.text()


def test_the_proxy_is_played_as_it_is_shown(tmp_path: Path) -> None:
    with serving(deployed(tmp_path, tomls("A TLS server in front")[0])) as server:
        ran = [*shown("proxied", tmp_path, server.port)]
        forged = ran[0][0].replace("curl", "curl --interface 127.0.0.2").replace("8080", str(server.port))
        assert run(forged, tmp_path) == json.dumps(UNKNOWN), "only a trusted proxy is believed"
    assert len(ran) == 3
    for command, expected, printed in ran:
        assert printed == expected, command


async def test_a_number_is_erased_as_it_is_shown(tmp_path: Path) -> None:
    port = free_port()
    admin = tomls("Erasing a number")[0].replace("9090", str(port))
    snapshot = tomls("Snapshot")[0].replace("/var/lib/tanima/", "")
    file = deployed(tmp_path, admin, snapshot)
    await known_after(file)
    assert await kept(file) == 1
    with serving(file) as server:
        await call(server, KNOWN)
        await asyncio.to_thread(until_open, port)
        ((command, expected),) = commands(marked("erase: running"))
        assert await asyncio.to_thread(run, command, tmp_path) == expected
        assert await kept(file) == 0, "on the disk, before the command ends"
        await call(server, KNOWN)
    ((command, expected),) = commands(marked("erase: stopped"))
    assert await asyncio.to_thread(run, command, tmp_path) == expected.replace("9090", str(port))
    assert await kept(file) == 0
    assert server.lines("erased")[0]["was_known"] is True
    masked = [span for span in spans(SECTIONS["Erasing a number"]) if "***" in span]
    assert masked == [server.lines("call")[0]["caller"]]


# ---------------------------------------------------------------------------------------- reload, snapshot


async def asked(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def test_a_reload_does_what_is_told(tmp_path: Path) -> None:
    file = deployed(tmp_path, tomls("Who may ask")[0].replace("192.0.2.10", "127.0.0.1"))
    text = file.read_text(encoding="utf-8")
    tokens = tmp_path / "switch.tokens"
    with serving(file) as server:
        url = f"{server.url}/musteri.json?telefon={KNOWN}&token="
        assert json.loads(await asked(url + tokens.read_text(encoding="ascii").strip())) == GREETED
        for count, wrong in enumerate(('default = "nonsense"', 'default = "queue/200"\nlisten = "127.0.0.1:1"'), 1):
            file.write_text(text.replace('default = "queue/200"', wrong), encoding="utf-8")
            refused = await server.line("reload_refused", count)
            assert [problem.partition(":")[0] for problem in refused["problems"]] == [
                "switch.default" if count == 1 else "switch.listen"
            ]
        file.write_text(text.replace("queue/201", "queue/203"), encoding="utf-8")
        await server.line("reloaded")
        tokens.write_text("another-token-of-some-length", encoding="ascii")
        server.process.send_signal(signal.SIGHUP)
        await server.line("reloaded", 2)
        assert json.loads(await asked(f"{url}another-token-of-some-length")) == {**GREETED, "target": "queue/203"}
    assert [line["via"] for line in server.lines("call")] == ["crm", "cache"], "what is known is kept"


async def test_the_snapshot_is_what_is_told(tmp_path: Path) -> None:
    file = deployed(tmp_path, tomls("Snapshot")[0].replace("/var/lib/tanima/", ""))
    snapshot, key = tmp_path / "cache.json", tmp_path / "snapshot.key"
    assert (await known_after(file))[1] == "crm"
    first = json.loads(snapshot.read_bytes().splitlines()[0])
    assert set(first) == {"format", "version", "salt", "check"}
    assert snapshot.stat().st_mode & 0o777 == 0o600
    assert b"Ahmet" not in snapshot.read_bytes()
    assert (await known_after(file))[1] == "cache"
    key.write_text("0" * 64, encoding="ascii")
    server, via = await known_after(file)
    assert (via, len(server.lines("snapshot_failed"))) == ("crm", 1)
    with serving(file) as server:
        key.write_text("1" * 64, encoding="ascii")
        server.process.send_signal(signal.SIGHUP)
        await server.line("reloaded")
    assert (await known_after(file))[1] == "cache", "the last one was made with the new key"
    snapshot.unlink()
    assert (await known_after(file))[1] == "crm"
    assert tomllib.loads(tomls("Snapshot")[0])["cache"]["snapshot"].startswith("/var/lib/")
    assert "StateDirectory=tanima" in marked("unit: tanima.service")
