"""Tokens that several adapters and processes share on the disk: one of them renews, and all have the new one."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from adapters.rest.tokens import TokenFile, Tokens
from proxy.adapter import Unavailable
from proxy.detached import detach
from proxy.testing import Request
from tests.adapters.oauth_crm import OAuthCrm, finds, kept_in, name_of, says
from tests.adapters.rest_crm import AYSE

ANOTHER_PROCESS = """
import asyncio, json, sys
from adapters.rest import RestAdapter, RestConfig
from proxy.testing import phone

async def main(options):
    adapter = RestAdapter(RestConfig.model_validate(options))
    await adapter.open()
    print(json.dumps([(await adapter.lookup(phone("0530 123 45 67")))[0].name for _ in range(3)]))
    await adapter.close()

asyncio.run(main(json.loads(sys.argv[1])))
"""


@pytest.fixture
async def crm() -> AsyncIterator[OAuthCrm]:
    crm = OAuthCrm(rotates=True)
    async with crm.http:
        yield crm


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "crm.token"


@pytest.fixture
def options(crm: OAuthCrm, file: Path) -> dict[str, Any]:
    return crm.rotating_options(file)


async def test_adapters_that_share_a_file_and_need_a_token_at_once_ask_for_one(
    crm: OAuthCrm, options: dict[str, Any]
) -> None:
    crm.delay = 0.1
    async with AsyncExitStack() as stack:
        adapters = [await stack.enter_async_context(crm.opened(options)) for _ in range(5)]
        for round_ in range(1, 4):
            await asyncio.gather(*(finds(adapter) for adapter in adapters for _ in range(10)))
            assert len(crm.token_requests) == round_
            crm.revoke()
    assert not crm.is_broken_into


async def test_processes_that_share_a_file_and_need_a_token_at_once_ask_for_one(
    crm: OAuthCrm, options: dict[str, Any]
) -> None:
    crm.delay = 0.5
    told = json.dumps({"url": f"{crm.url}/contacts", **options})
    root = Path(__file__).parents[2]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", ANOTHER_PROCESS, told, cwd=root, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    printed = await asyncio.gather(*(process.communicate() for process in processes))
    assert [json.loads(out) for out, _ in printed] == [[name_of(AYSE.e164)] * 3] * 3
    assert len(crm.token_requests) == 1
    assert not crm.is_broken_into


async def test_whoever_holds_the_file_for_too_long_is_not_waited_for(
    crm: OAuthCrm, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.tokens.LOCK_PATIENCE", 0.1)
    may_answer = asyncio.Event()

    async def answers_later(request: Request, writer: asyncio.StreamWriter) -> None:
        await may_answer.wait()
        await says(*crm.token_answer(request))(request, writer)

    crm.token_behaviour = answers_later
    async with crm.opened(options) as first, crm.opened(options) as second:
        holding = detach(finds(first))
        await crm.is_asked_for_a_token.wait()
        with pytest.raises(Unavailable, match="another process renews the token"):
            await second.lookup(AYSE)
        may_answer.set()
        await holding


async def test_a_token_that_is_being_given_when_all_ends_is_still_kept(
    crm: OAuthCrm, options: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LAST_WORDS", 10)
    crm.delay = 0.3
    async with crm.opened(options) as adapter:
        caller = detach(adapter.lookup(AYSE))
        await crm.is_asked_for_a_token.wait()
        caller.cancel()
    assert kept_in(file) == "refresh-1"


async def test_what_a_killed_process_left_behind_is_cleared_away(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    left_behind, of_another = file.with_name(".crm.token.abcd1234.new"), file.with_name(".crm.token.b.abcd1234.new")
    left_behind.touch()
    of_another.touch()
    async with crm.opened(options) as adapter:
        await finds(adapter)
    assert not left_behind.exists()
    assert of_another.exists()


def of_another(options: dict[str, Any], crm: OAuthCrm, **oauth2: str) -> dict[str, Any]:
    """Return the options of a source with the same file, at another CRM."""
    return {**options, "oauth2": {**options["oauth2"], "token_url": f"{crm.url}/token", **oauth2}}


async def test_sources_that_share_a_file_and_have_other_options_leave_each_other_their_tokens(
    crm: OAuthCrm, options: dict[str, Any]
) -> None:
    other = OAuthCrm(rotates=True)
    async with other.http:
        for round_ in range(1, 4):
            for each, of in ((crm, options), (other, of_another(options, other))):
                async with each.opened(of) as adapter:
                    await finds(adapter)
                assert len(each.token_requests) == round_
                each.revoke()
    assert not crm.is_broken_into
    assert not other.is_broken_into


async def test_sources_that_ask_for_other_scopes_have_tokens_of_their_own(crm: OAuthCrm, file: Path) -> None:
    scopes: list[dict[str, Any]] = [{"scope": "contacts.read"}, {"scope": "users.read"}]
    for parameters in scopes:
        async with crm.opened(crm.rotating_options(file, parameters=parameters)) as adapter:
            await finds(adapter)
    assert len(crm.token_requests) == 1, "a refresh token that has changed is the same source's still"
    for parameters in scopes:
        async with crm.opened(crm.options(token_file=str(file), parameters=parameters)) as adapter:
            await finds(adapter)
    assert len(crm.token_requests) == 3


def test_the_tokens_of_the_eight_options_that_were_renewed_last_are_kept(file: Path) -> None:
    shared = TokenFile(file)
    tokens = [Tokens("access", 1.0, f"refresh {number}", None, f"options {number}") for number in range(9)]
    for each in (*tokens[:8], tokens[0], tokens[8]):
        shared.prepare().write(each)
    assert [shared.read(each.made_for) for each in tokens] == [tokens[0], None, *tokens[2:]]


def test_there_is_room_for_a_token_beside_those_of_others(file: Path) -> None:
    shared = TokenFile(file)
    shared.prepare().write(Tokens("x" * 60_000, 1.0, None, None, "options 1"))
    writing = shared.prepare()
    (new,) = file.parent.glob("*.new")
    assert new.stat().st_size > 120_000
    writing.give_up()
