"""Certificates are verified always, by the authority and for the name; and the way leads over no proxy but ours."""

import base64
import ipaddress
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from adapters.rest import RestConfig
from proxy.adapter import AdapterError, Contact
from tests.adapters.authority import Authority, TlsCrm, http_proxy, tls_crm
from tests.adapters.rest_crm import AYSE, opened

HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def crm(authority: Authority) -> AsyncIterator[TlsCrm]:
    async with tls_crm(authority.certificate("crm.test", HERE, x509.DNSName("crm.test"))) as server:
        yield server


async def found(crm: TlsCrm, **options: Any) -> list[Contact]:
    async with opened(f"https://127.0.0.1:{crm.port}/{{e164}}", "find", name="name", **options) as adapter:
        return await adapter.lookup(AYSE)


def problem(folder: Path, **tls: str) -> str:
    options = {"url": "https://crm.test/{e164}", "name": "name", "tls": tls}
    with pytest.raises(ValueError, match="tls") as caught:
        RestConfig.model_validate(options, context={"role": "find", "folder": str(folder)})
    return str(caught.value)


# ---------------------------------------------------------------------------------------- certificates


async def test_an_authority_of_ones_own_is_trusted_when_it_is_named(crm: TlsCrm, authority: Authority) -> None:
    assert await found(crm, tls={"ca": str(authority.file)}) == [Contact("Ayşe")]


async def test_without_it_the_certificate_is_refused(crm: TlsCrm, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    refused: tuple[dict[str, Any], ...] = ({}, {"tls": {}}, {"tls": {"ca": str(other.file)}})
    for options in refused:
        with pytest.raises(
            AdapterError, match=r"^the CRM's certificate is not trusted, has ended, or is for another name$"
        ):
            await found(crm, **options)
    assert crm.requests == []


async def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    async with tls_crm(authority.certificate("other.test")) as crm:
        with pytest.raises(
            AdapterError, match=r"^the CRM's certificate is not trusted, has ended, or is for another name$"
        ):
            await found(crm, tls={"ca": str(authority.file)})
        assert crm.requests == []


async def test_our_certificate_is_shown_to_a_crm_that_wants_one(authority: Authority, tmp_path: Path) -> None:
    ours, key = authority.certificate("tanima")
    both = tmp_path / "both.pem"
    both.write_bytes(ours.read_bytes() + key.read_bytes())
    async with tls_crm(authority.certificate("crm", HERE), clients=authority.file) as crm:
        for shown in ({"certificate": str(ours), "key": str(key)}, {"certificate": str(both)}):
            assert await found(crm, tls={"ca": str(authority.file), **shown}) == [Contact("Ayşe")]
        assert crm.shown == ["tanima", "tanima"]
        with pytest.raises(AdapterError):
            await found(crm, tls={"ca": str(authority.file)})
        assert len(crm.requests) == 2


def test_files_stand_beside_the_toml(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.certificate("us")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tls = {"ca": "ca.pem", "certificate": "us.pem", "key": "us.key"}
    options = {"url": "https://crm.test/{e164}", "name": "name", "tls": tls}
    config = RestConfig.model_validate(options, context={"role": "find", "folder": str(tmp_path)})
    assert config.tls is not None
    assert config.tls.ca == str(tmp_path / "ca.pem")


def test_what_is_wrong_with_a_file_is_told_before_the_first_call(authority: Authority, tmp_path: Path) -> None:
    authority.certificate("us")
    authority.certificate("locked", password=b"geheim")
    authority.certificate("other")
    (tmp_path / "garbage").write_bytes(b"\xff\x00garbage")
    (tmp_path / "empty").touch()
    for tls, reason in (
        ({"ca": "missing"}, "No such file or directory"),
        ({"certificate": "missing"}, "No such file or directory"),
        ({"certificate": "us.pem", "key": "missing"}, "No such file or directory"),
        ({"ca": "."}, "no such PEM"),
        ({"ca": "garbage"}, "no such PEM"),
        ({"ca": "empty"}, "no such PEM"),
        ({"certificate": "garbage"}, "no such PEM"),
        ({"certificate": "us.pem"}, "no such PEM"),
        ({"certificate": "us.pem", "key": "other.key"}, "no such PEM"),
        ({"certificate": "locked.pem", "key": "locked.key"}, "no such PEM"),
    ):
        told = problem(tmp_path, **tls)
        assert " - allowed: readable files of PEM, without a password" in told
        assert f"cannot be used ({reason})" in told or tls == {"ca": "."}
        assert "geheim" not in told


def test_a_key_without_a_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    authority.certificate("us")
    assert "key is given without certificate - allowed: both, or certificate alone" in problem(tmp_path, key="us.key")


# ---------------------------------------------------------------------------------------- proxies


async def test_a_proxy_that_is_named_is_used_and_told_its_password() -> None:
    async with http_proxy() as proxy:
        url = proxy.url.replace("http://", "http://ali:geh%40eim@")
        async with opened("http://crm.test/c/{e164}", "find", name="name", proxy=url, bearer="t") as adapter:
            assert await adapter.lookup(AYSE) == [Contact("Ayşe")]
            assert "geh" not in repr(adapter._config)
    (head,) = proxy.heads
    assert head.startswith(b"GET http://crm.test/c/%2B905301234567 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"ali:geh@eim") in head


async def test_over_a_proxy_certificates_are_verified_too_and_it_sees_only_the_host(
    crm: TlsCrm, authority: Authority
) -> None:
    url = f"https://crm.test:{crm.port}/c/{{e164}}"
    async with http_proxy() as proxy:
        tls = {"ca": str(authority.file)}
        async with opened(url, "find", name="name", proxy=proxy.url, tls=tls, bearer="geheim") as adapter:
            assert await adapter.lookup(AYSE) == [Contact("Ayşe")]
        async with opened(url, "find", name="name", proxy=proxy.url, bearer="geheim") as adapter:
            with pytest.raises(AdapterError):
                await adapter.lookup(AYSE)
    assert {head.split(b"\r\n")[0] for head in proxy.heads} == {f"CONNECT crm.test:{crm.port} HTTP/1.1".encode()}
    assert not any(b"geheim" in head or b"90530" in head for head in proxy.heads)
    assert len(crm.requests) == 1


async def test_a_proxy_of_the_environment_is_not_used(
    crm: TlsCrm, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_proxy() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        assert await found(crm, tls={"ca": str(authority.file)}) == [Contact("Ayşe")]
    assert proxy.heads == []


async def test_a_proxy_that_is_down_is_trouble_that_may_pass_and_is_not_passed_by(crm: TlsCrm) -> None:
    async with http_proxy() as proxy:
        pass
    with pytest.raises(AdapterError, match="the CRM cannot be reached"):
        await found(crm, proxy=proxy.url)
    assert crm.requests == []


@pytest.mark.parametrize("proxy", ["/proxy", "proxy:3128", "socks5://proxy", "http://", "http://a b", "http://p/\n"])
def test_what_is_no_proxy_is_refused(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"is no URL of a proxy - allowed: such as http://proxy.example.com:3128"):
        RestConfig.model_validate({"url": "https://crm.test/{e164}", "name": "name", "proxy": proxy})


@pytest.mark.parametrize("option", ["ca", "certificate", "key"])
def test_what_may_be_read_for_ever_is_no_file_of_pem(option: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is no file - allowed: readable files of PEM, without a password" in problem(tmp_path, **{option: "pipe"})
