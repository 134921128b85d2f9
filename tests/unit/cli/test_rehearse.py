"""What would be asked is shown without secrets, and answers that were recorded are read, without asking anybody."""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from proxy.adapter import By, Contact, Rehearsed
from proxy.cli import main
from proxy.cli.rehearse import rehearse, replaying
from proxy.config import Configuration
from proxy.keys import Key
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, CUSTOMER, FakeAdapter

SECRET = 's3cr3t/"ğ +&='


class Careful(FakeAdapter):
    """Tells what it would send, and reads recordings of a contact's name."""

    def __init__(self, *requests: str) -> None:
        super().__init__(AHMET)
        self.requests = requests
        self.recordings: Sequence[bytes] = ()
        self.rehearsed: Key | None = None

    def rehearse(self, key: Key) -> list[Rehearsed]:
        self.rehearsed = key
        return [Rehearsed(f"search {place}", request) for place, request in enumerate(self.requests, 1)]

    def replaying(self, recordings: Sequence[bytes]) -> "Careful":
        if b"" in recordings:
            raise ValueError("a recording is empty - allowed: others")
        adapter = Careful()
        adapter.recordings = recordings
        adapter.answers = [Contact(recording.decode()) for recording in recordings]
        return adapter


def keeping(*secrets: str, request: str) -> Configuration:
    return replace(configured(Careful(request)), from_environment=frozenset(secrets))


def recordings_of(configuration: Configuration) -> list[tuple[str, Sequence[bytes]]]:
    return [(one.settings.name, getattr(one.adapter, "recordings")) for one in configuration.sources]  # noqa: B009 - the type does not tell of it


def complaint(configuration: Configuration, *recordings: str) -> str:
    with pytest.raises(ValueError, match=r"^--replay: .+ - allowed: ") as caught:
        replaying(configuration, recordings)
    return str(caught.value)


# ---------------------------------------------------------------------------------------- rehearsing


def test_each_request_is_shown_below_its_source_and_nobody_is_asked() -> None:
    first, second = Careful("GET /a\nx: y\n\n{}", "GET /b"), FakeAdapter(AHMET)
    assert rehearse(configured(first, second), "0530 123 45 67").splitlines() == [
        "'0530 123 45 67' is +905301234567, a mobile number of TR",
        "",
        "crm: search 1",
        "    GET /a",
        "    x: y",
        "",
        "    {}",
        "",
        "crm: search 2",
        "    GET /b",
        "",
        "crm2: cannot tell what it would send",
    ]
    assert first.asked == second.asked == []


def asked_by(configuration: Configuration, *kinds: frozenset[By]) -> Configuration:
    """Return the configuration with sources that are asked by these."""
    sources = [
        replace(source, settings=source.settings.model_copy(update={"by": by}))
        for source, by in zip(configuration.sources, kinds, strict=True)
    ]
    return replace(configuration, sources=tuple(sources))


@pytest.mark.parametrize("number", ["05301234567", "", "anonymous", "1003"])
def test_what_was_keyed_is_rehearsed_in_the_place_of_the_callers_number(number: str) -> None:
    by_phone, by_customer, enriching = Careful("GET /phone"), Careful("GET /customer"), Careful("GET /enriching")
    configuration = asked_by(
        configured(by_phone, by_customer, enriching, roles=("find", "find", "enrich")),
        frozenset({By.PHONE_NUMBER}),
        frozenset({By.CUSTOMER_NUMBER}),
        frozenset({By.PHONE_NUMBER}),
    )
    lines = rehearse(configuration, number, CUSTOMER).splitlines()
    assert lines[0].startswith(f"{number!r} is ")
    assert [line for line in lines if line.startswith("    ")] == ["    GET /customer", "    GET /enriching"]
    assert (by_phone.rehearsed, by_customer.rehearsed, enriching.rehearsed) == (None, CUSTOMER, CUSTOMER)


def test_sources_that_are_asked_by_customer_numbers_alone_are_left_out_for_a_caller() -> None:
    alone = asked_by(configured(Careful("GET /")), frozenset({By.CUSTOMER_NUMBER}))
    assert "GET" not in rehearse(alone, "05301234567")


@pytest.mark.parametrize("number", ["1003", "", "anonymous", "no number"])
def test_for_a_caller_who_is_not_looked_up_nothing_would_be_sent(number: str) -> None:
    assert rehearse(configured(Careful("GET /")), number).endswith(": no source is asked")


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="%:/?[]@!$&'()*+,;="),
        quote_plus(SECRET),
        json.dumps(SECRET),
        quote(json.dumps({"key": SECRET}), safe=""),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_what_came_from_the_environment_is_masked_however_it_is_encoded(written: str) -> None:
    told = rehearse(keeping(SECRET, "s3", request=f"GET /?a=b&c={written}&d=e"), "05301234567")
    assert "GET /?a=b&c=" in told
    assert "***" in told
    assert not any(part in told for part in ("s3", "cr3t", written))


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
def test_of_base64_nothing_is_left_that_tells_the_secret(before: str) -> None:
    coded = base64.b64encode(f"{before}long-secret-of-the-crm!".encode()).decode()
    told = rehearse(keeping("long-secret-of-the-crm", request=f"Authorization: Basic {coded}"), "05301234567")
    left = told.rpartition(" ")[2].partition("***")
    assert left[1] == "***"
    assert (coded.startswith(left[0]), coded.endswith(left[2])) == (True, True)
    assert len(left[0]) <= len(before) * 4 / 3 + 1
    assert len(left[2]) <= 4


def test_a_value_within_another_is_masked_with_it() -> None:
    told = rehearse(keeping("key", "key-of-the-crm", request="x: key-of-the-crm, key, *"), "05301234567")
    assert told.endswith("x: ***, ***, *")


def test_the_number_and_what_is_no_secret_stay_readable() -> None:
    told = rehearse(configured(Careful("GET /?phone=%2B905301234567")), "05301234567")
    assert told.endswith("    GET /?phone=%2B905301234567")


# ---------------------------------------------------------------------------------------- replaying


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second", "of=both"):
        Path(name).write_text(name, encoding="ascii")
    Path("empty").touch()


@pytest.mark.usefixtures("answers")
def test_recordings_are_given_in_order_to_the_source_that_is_named() -> None:
    configuration = configured(FakeAdapter(), Careful(), Careful())
    given = replaying(configuration, ["crm3=second", "crm2=second", "crm3=first"])
    assert recordings_of(given) == [("crm2", [b"second"]), ("crm3", [b"second", b"first"])]
    assert given.settings is configuration.settings


@pytest.mark.usefixtures("answers")
def test_where_no_source_is_named_the_first_that_can_replay_is_meant() -> None:
    given = replaying(configured(FakeAdapter(), Careful(), Careful()), ["first", "second"])
    assert recordings_of(given) == [("crm2", [b"first", b"second"])]


@pytest.mark.usefixtures("answers")
def test_a_file_may_have_an_equals_sign_in_its_name() -> None:
    for written in ("of=both", "crm=of=both"):
        assert recordings_of(replaying(configured(Careful()), [written])) == [("crm", [b"of=both"])]


@pytest.mark.usefixtures("answers")
def test_what_cannot_be_replayed_is_said_with_what_can() -> None:
    both = configured(Careful(), Careful(), FakeAdapter())
    assert complaint(both, "shop=first").endswith("'shop' is no source that can replay answers - allowed: crm, crm2")
    assert complaint(both, "crm3=first").endswith("'crm3' is no source that can replay answers - allowed: crm, crm2")
    assert complaint(both, "crm=missing").endswith(
        "missing cannot be read (No such file or directory) - allowed: a readable file"
    )
    assert "cannot be read (Is a directory)" in complaint(both, "crm=.")
    assert complaint(both, "empty") == "--replay: a recording is empty - allowed: others"
    none = configured(FakeAdapter())
    told = "--replay: no source here can replay answers - allowed: those of adapters that can, such as rest"
    assert complaint(none, "first") == complaint(none, "crm=first") == told


# ---------------------------------------------------------------------------------------- the command

REST = """
[switch]
default = "queue/200"
[[sources]]
name = "crm"
adapter = "rest"
options = { url = "http://127.0.0.1:1/{e164}", name = "name", bearer = "geheim" }
"""


def test_route_can_show_what_would_be_sent_and_send_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(REST, encoding="utf-8")
    assert main(["route", "05301234567", "--dry-run", "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    assert "    GET http://127.0.0.1:1/%2B905301234567\n    authorization: Bearer ***\n" in printed
    assert "geheim" not in printed


def test_route_can_read_answers_that_were_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(REST, encoding="utf-8")
    recording = tmp_path / "found.json"
    recording.write_text('{"name": "Ahmet"}', encoding="utf-8")
    assert main(["route", "05301234567", "--replay", str(recording), "--config", str(config)]) == 0
    assert capsys.readouterr().out.endswith('  {"name": "Ahmet", "target": "queue/200"}\n')
    with pytest.raises(SystemExit) as caught:
        main(["route", "05301234567", "--replay", "missing.json", "--config", str(config)])
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        "tanima: --replay: missing.json cannot be read (No such file or directory) - allowed: a readable file\n"
    )


@pytest.mark.parametrize("other", [["--json"], ["--replay", "answer.json"]])
def test_a_dry_run_goes_with_nothing_that_tells_of_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: list[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(REST, encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        main(["route", "05301234567", "--dry-run", *other, "--config", str(config)])
    assert caught.value.code == 2
    assert "--dry-run goes with neither --replay nor --json - allowed: one of them" in capsys.readouterr().err
