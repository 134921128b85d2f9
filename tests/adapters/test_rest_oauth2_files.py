"""Tokens on the disk: a refresh token that changes is never lost, and whoever shares a file shares its token."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.rest import RestConfig
from proxy.adapter import AdapterError
from proxy.testing import FakeClock
from tests.adapters.oauth_crm import OAuthCrm, credentials_in, finds, kept_in, says
from tests.adapters.rest_crm import AYSE, opened


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


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def write_into(file: Path, change: dict[str, object]) -> None:
    ((made_for, kept),) = json.loads(file.read_bytes()).items()
    write(file, json.dumps({made_for: kept | change}).encode())


def write_single(file: Path) -> None:
    """Write a file as it was when there was room for one token."""
    ((made_for, kept),) = json.loads(file.read_bytes()).items()
    assert kept["made_for"] == made_for
    write(file, json.dumps(kept).encode())


def put_a_pipe_in_place_of(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@contextmanager
def in_the_way(file: Path) -> Iterator[None]:
    """Have a folder where the file is to be."""
    with_it = file.with_name("aside")
    if is_there := file.exists():
        file.rename(with_it)
    file.mkdir()
    yield
    file.rmdir()
    if is_there:
        with_it.rename(file)


def refresh_tokens_sent(crm: OAuthCrm) -> list[str]:
    return [credentials_in(request)["refresh_token"] for request in crm.token_requests]


async def test_a_refresh_token_that_changes_is_kept_and_used_next(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    async with crm.opened(options) as adapter:
        for number in range(1, 5):
            await finds(adapter)
            assert kept_in(file) == f"refresh-{number}"
            crm.revoke()
    assert refresh_tokens_sent(crm) == ["refresh-0", "refresh-1", "refresh-2", "refresh-3"]
    assert not crm.is_broken_into


async def test_a_restart_needs_no_token_request(crm: OAuthCrm, options: dict[str, Any]) -> None:
    for _ in range(3):
        async with crm.opened(options) as adapter:
            await finds(adapter)
    assert len(crm.token_requests) == 1
    crm.revoke()
    async with crm.opened(options) as adapter:
        await finds(adapter)
    assert refresh_tokens_sent(crm) == ["refresh-0", "refresh-1"]


async def test_a_token_that_is_all_but_over_is_not_used_after_a_restart(crm: OAuthCrm, options: dict[str, Any]) -> None:
    clock = FakeClock()
    async with crm.opened(options, clock) as adapter:
        await finds(adapter)
    clock.advance(3597)
    async with crm.opened(options, clock) as adapter:
        await finds(adapter)
    assert len(crm.token_requests) == 2


async def test_a_token_from_the_file_is_renewed_in_good_time(crm: OAuthCrm, options: dict[str, Any]) -> None:
    clock = FakeClock()
    async with crm.opened(options, clock) as adapter:
        await finds(adapter)
        clock.advance(3600 - 299)
        await finds(adapter)
        for _ in range(200):
            if crm.given == 2:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("it was not renewed 299 seconds before its end")


GARBAGE = {
    "nothing": b"",
    "no JSON": b"{\xff\x00",
    "deep JSON": b'{"x":' * 50_000,
    "a table of other things": b'{"access_token": "x", "made_for": 1, "others": [[[]]], "more": {"refresh_token": 1}}',
    "no texts": b'{"access_token": 1, "refresh_token": [], "base_url": 1, "ends": 1e99, "made_for": "x"}',
    "half of it": b'{"access_token": "x", "ends": 99999999999, "refresh_tok',
}


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_in_the_file_is_as_good_as_no_file(
    garbage: str, crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    write(file, GARBAGE[garbage])
    async with crm.opened(options) as adapter:
        await finds(adapter)
    assert refresh_tokens_sent(crm) == ["refresh-0"]
    assert kept_in(file) == "refresh-1"


@pytest.mark.parametrize("content", [b"s3cret", b"[1]", b'"x"', b"[switch]"])
def test_a_file_that_holds_something_else_such_as_a_secret_is_left_alone(
    content: bytes, options: dict[str, Any], file: Path
) -> None:
    write(file, content)
    with pytest.raises(ValueError, match="is there and holds no tokens, which it is for"):
        RestConfig.model_validate({"url": "http://crm.example.com/contacts", **options})
    assert file.read_bytes() == content


@pytest.mark.parametrize("kind", ["pipe", "device", "link"])
def test_what_may_be_read_for_ever_is_no_file_for_tokens(kind: str, options: dict[str, Any], file: Path) -> None:
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero" if kind == "device" else file.with_name("a pipe"))
        os.mkfifo(file.with_name("a pipe"))
    with pytest.raises(ValueError, match=r"is no file - allowed: a file that is made here"):
        RestConfig.model_validate({"url": "http://crm.example.com/contacts", **options})


async def test_a_pipe_in_the_place_of_the_file_holds_nobody_up(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    async with crm.opened(options) as adapter:
        await finds(adapter)
        crm.revoke()
        put_a_pipe_in_place_of(file)
        with pytest.raises(AdapterError, match=r"^the token_file cannot be read \(is no file\)$"):
            await adapter.lookup(AYSE)


async def test_a_file_that_is_there_and_cannot_be_read_is_told_before_anything_is_sent(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    clock = FakeClock()
    async with crm.opened(options, clock) as adapter:
        await finds(adapter)
        crm.revoke()
        with in_the_way(file), pytest.raises(AdapterError) as caught:
            await adapter.lookup(AYSE)
        assert str(caught.value) == "the token_file cannot be read (Is a directory)"
        clock.advance(60.1)
        await finds(adapter)
    assert refresh_tokens_sent(crm) == ["refresh-0", "refresh-1"]


async def test_a_file_of_the_time_when_there_was_room_for_one_is_read(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    async with crm.opened(options) as adapter:
        await finds(adapter)
    write_single(file)
    crm.revoke()
    async with crm.opened(options) as adapter:
        await finds(adapter)
    assert refresh_tokens_sent(crm) == ["refresh-0", "refresh-1"]


@pytest.mark.parametrize("change", [{"access_token": ""}, {"refresh_token": 5}, {"base_url": {}}, {"ends": "soon"}])
async def test_values_that_cannot_be_are_not_taken_from_the_file(
    change: dict[str, object], crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    async with crm.opened(options) as adapter:
        await finds(adapter)
    write_into(file, change)
    async with crm.opened(options) as adapter:
        with pytest.raises(AdapterError, match="invalid_grant"):
            await adapter.lookup(AYSE)
    assert refresh_tokens_sent(crm) == ["refresh-0", "refresh-0"]


async def test_a_token_in_the_file_that_never_ends_and_is_not_good_is_replaced(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    async with crm.opened(options) as adapter:
        await finds(adapter)
    write_into(file, {"access_token": "of nobody", "ends": float("inf")})
    async with crm.opened(options) as adapter:
        await finds(adapter)
    assert refresh_tokens_sent(crm) == ["refresh-0", "refresh-1"]


@pytest.mark.parametrize("change", [{"client_id": "client-2"}, {"refresh_token": "another"}])
async def test_tokens_of_other_options_are_not_used(
    change: dict[str, str], crm: OAuthCrm, options: dict[str, Any]
) -> None:
    async with crm.opened(options) as adapter:
        await finds(adapter)
    other = {**options, "oauth2": {**options["oauth2"], **change}}
    async with crm.opened(other) as adapter:
        with pytest.raises(AdapterError, match="refused"):
            await adapter.lookup(AYSE)
    assert len(crm.searches) == 1
    assert refresh_tokens_sent(crm)[1] == change.get("refresh_token", "refresh-0")


async def test_a_refresh_token_is_kept_also_when_the_answer_is_of_no_use(
    crm: OAuthCrm, file: Path, options: dict[str, Any]
) -> None:
    clock = FakeClock()
    options = crm.rotating_options(file, base_url="api_domain", base_url_hosts=["127.0.0.1"])
    crm.more = {"api_domain": "https://evil.example.com"}
    async with opened("/contacts", **options) as adapter:
        session: Any = adapter._session
        session._clock = clock
        with pytest.raises(AdapterError, match="not among base_url_hosts"):
            await adapter.lookup(AYSE)
        assert kept_in(file) == "refresh-1"
        crm.more = {"api_domain": crm.url}
        clock.advance(60.1)
        await finds(adapter)
    assert not crm.is_broken_into


async def test_where_the_api_is_may_not_be_changed_in_the_file(crm: OAuthCrm, file: Path) -> None:
    options = crm.rotating_options(file, base_url="api_domain", base_url_hosts=["127.0.0.1"])
    crm.more = {"api_domain": crm.url}
    async with opened("/contacts", **options) as adapter:
        await finds(adapter)
    write_into(file, {"base_url": "https://evil.example.com"})
    async with opened("/contacts", **options) as adapter:
        await finds(adapter)
    assert refresh_tokens_sent(crm) == ["refresh-0", "refresh-1"]


async def test_a_refresh_token_that_does_not_change_is_kept_too(crm: OAuthCrm, options: dict[str, Any]) -> None:
    crm.rotates = False
    async with crm.opened(options) as adapter:
        for _ in range(3):
            await finds(adapter)
            crm.revoke()
    assert refresh_tokens_sent(crm) == ["refresh-0"] * 3


async def test_a_refresh_token_that_is_refused_is_told(crm: OAuthCrm, options: dict[str, Any]) -> None:
    crm.token_behaviour = says(400, {"error": "invalid_grant"})
    async with crm.opened(options) as adapter:
        with pytest.raises(AdapterError, match="invalid_grant"):
            await adapter.lookup(AYSE)
