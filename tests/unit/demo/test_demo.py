"""The sample CRM and what is promised about it."""

import csv
import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from proxy.config import load
from proxy.demo import DIALOGUE, TRIALS, demo_files, what_to_try
from proxy.deployment import Deployment
from proxy.model import Call
from proxy.phone import numbers_in, parse_caller
from tests.unit.fakes import MONDAY_NOON, transfer_of

DATA = Path(__file__).parents[3] / "proxy" / "demo"


def customers() -> list[dict[str, str]]:
    return [*csv.DictReader((DATA / "customers.csv").read_text(encoding="utf-8").splitlines())]


@pytest.mark.parametrize(("number", "answer", "who"), TRIALS)
async def test_every_trial_is_answered_as_printed(number: str, answer: str, who: str) -> None:
    with demo_files() as config:
        async with Deployment(load(config)) as deployment:
            form = deployment.answering.dialect_of({"telefon": number})
            decision = await deployment.router.route(form.parse({"telefon": number}, MONDAY_NOON))
            told = form.render(decision).decode()
    assert told == answer, who


async def test_the_dialogue_goes_as_printed() -> None:
    with demo_files() as config:
        async with Deployment(load(config)) as deployment:
            for text, answer, what in DIALOGUE:
                query = dict(parse_qsl(text, keep_blank_values=True))
                form = deployment.answering.dialect_of(query)
                decision = await deployment.router.route(form.parse(query, MONDAY_NOON))
                assert form.render(decision).decode() == answer, what


def test_what_to_try_prints_a_command_and_the_answer_for_each_trial() -> None:
    lines = what_to_try("http://127.0.0.1:8080", Path("/tmp/config.toml")).splitlines()  # noqa: S108 - not opened
    commands = [line for line in lines if line.startswith("curl ")]
    assert len(commands) == len([*TRIALS, *DIALOGUE])
    for command, (_, answer, who) in zip(commands, [*TRIALS, *DIALOGUE], strict=True):
        assert lines[lines.index(command) + 1] == f"    {answer}"
        assert command.endswith(f"# {who}")
        assert len(shlex.split(command, comments=True)) == 2
    assert "tanima route 05301234567 --config /tmp/config.toml" in lines
    assert "tanima call 05559999999 --config /tmp/config.toml" in lines


def test_the_answers_are_as_documented() -> None:
    assert json.loads(TRIALS[0][1]) == {"name": "Ahmet Yılmaz", "target": "queue/201"}
    assert TRIALS[0][0] == "05301234567"


def test_the_sample_has_about_two_hundred_customers_with_messy_numbers() -> None:
    rows = customers()
    assert 150 <= len(rows) <= 250
    phones = [row["phone"] for row in rows]
    assert len({row["id"] for row in rows}) == len(rows)
    for spelling in ("0530 123 45 67", "+90 (533) 111-22-33", "00 90 534 111 22 33", "5351112233"):
        assert spelling in phones
    read = {number for phone in phones for number in numbers_in(phone, "TR")}
    assert {number.type for number in read} >= {"mobile", "landline", "company"}
    assert {number.country for number in read} >= {"TR", "DE"}


async def test_every_customer_is_found_by_the_number_that_the_sample_has() -> None:
    with demo_files() as config:
        async with Deployment(load(config)) as deployment:
            for row in customers():
                decision = await deployment.router.route(Call(parse_caller(row["phone"], "TR"), MONDAY_NOON))
                assert transfer_of(decision).name == f"{row['first_name']} {row['last_name']}", row["phone"]


def test_every_owner_has_an_extension() -> None:
    agents = {row["login"] for row in csv.DictReader((DATA / "agents.csv").read_text(encoding="utf-8").splitlines())}
    assert {row["owner"] for row in customers()} - {""} <= agents


def test_the_sample_is_laid_out_for_as_long_as_it_is_used() -> None:
    with demo_files() as config:
        assert [*sorted(file.name for file in config.parent.iterdir())] == ["config.toml", "customers.sqlite"]
        with closing(sqlite3.connect(config.parent / "customers.sqlite")) as database:
            (count,) = database.execute("SELECT count(*) FROM customers").fetchone()
            (nameless,) = database.execute("SELECT count(*) FROM customers WHERE company = ''").fetchone()
        assert count == len(customers())
        assert nameless == 0, "an empty cell is NULL"
    assert not config.parent.exists()
