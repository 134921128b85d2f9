"""Connections to MariaDB that must be encrypted."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.adapter import AdapterError, Unavailable
from tests.adapters.sql_crm import AYSE, opened
from tests.servers import Mariadb

CIPHER = """
SELECT VARIABLE_VALUE AS name FROM information_schema.SESSION_STATUS
WHERE VARIABLE_NAME = 'Ssl_cipher' AND :digits <> ''
"""


def certificate_for(name: str, file: Path) -> Path:
    """Write a certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(pem) + private)
    return file


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for("localhost", tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="module")
def encrypting(mariadb: Mariadb, certificate: Path) -> Iterator[Mariadb]:
    """Start another server, which can encrypt."""
    programs = Mariadb.installed()
    assert programs is not None
    server = Mariadb(programs)
    server.certificate = Path(shutil.copy(certificate, server._folder))
    server.certificate.chmod(0o644)
    with server:
        yield server


def on_localhost(server: Mariadb, options: str) -> str:
    return server.url().replace("127.0.0.1", "localhost") + f"?{options}"


async def test_without_the_option_nothing_is_encrypted(encrypting: Mariadb) -> None:
    async with opened(encrypting.url(), CIPHER) as adapter:
        assert [contact.name for contact in await adapter.lookup(AYSE)] == [""]


async def test_what_is_required_is_encrypted_whoever_vouches_for_the_server(encrypting: Mariadb) -> None:
    async with opened(f"{encrypting.url()}?ssl=require", CIPHER) as adapter:
        assert [contact.name[:4] for contact in await adapter.lookup(AYSE)] == ["TLS_"]


async def test_a_certificate_is_checked_when_that_is_wanted(encrypting: Mariadb, certificate: Path) -> None:
    async with opened(
        on_localhost(encrypting, "ssl=verify-full&ssl_ca=server.pem"), CIPHER, folder=certificate.parent
    ) as adapter:
        assert [contact.name[:4] for contact in await adapter.lookup(AYSE)] == ["TLS_"]
    for url, folder in (
        (on_localhost(encrypting, "ssl=verify-full"), Path()),  # not known to the system
        (f"{encrypting.url()}?ssl=verify-full&ssl_ca=server.pem", certificate.parent),  # of another name
    ):
        async with opened(url, CIPHER, folder=folder) as adapter:
            with pytest.raises(AdapterError, match="the server's certificate is not the one that is trusted") as caught:
                await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)


async def test_a_server_that_cannot_encrypt_is_not_asked(mariadb: Mariadb) -> None:
    async with opened(f"{mariadb.url()}?ssl=require", CIPHER) as adapter:
        with pytest.raises(AdapterError, match="the server does not encrypt, which the option ssl demands") as caught:
            await adapter.lookup(AYSE)
    assert not isinstance(caught.value, Unavailable)


async def test_an_authority_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has an ssl_ca that is no file - allowed: a file with certificates"):
        async with opened("mysql+aiomysql://a@b/c?ssl=verify-full&ssl_ca=none.pem", CIPHER, folder=tmp_path):
            pass


@pytest.mark.parametrize("mode", ["true", "yes", "verify"])
async def test_a_mode_that_means_nothing_is_refused(mode: str) -> None:
    with pytest.raises(ValueError, match="has an ssl that means nothing - allowed: require, or verify-full"):
        async with opened(f"mariadb+aiomysql://reader@db.example.com/crm?ssl={mode}", CIPHER):
            pass
