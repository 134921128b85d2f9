"""Who may ask, decided without a server."""

import base64
from ipaddress import IPv4Address, IPv6Address, ip_network
from itertools import count

import pytest
from multidict import CIMultiDict, MultiDict

from proxy.limiter import Limiter
from proxy.web.access import Access, read_address

TOKEN = "sixteen characters and more"
OTHER = "another token, as good as it is"


def headers(*pairs: tuple[str, str]) -> CIMultiDict[str]:
    return CIMultiDict(pairs)


def admits(  # how an access is asked, with all that a request may bring left out
    access: Access,
    peer: str | None = "192.0.2.1",
    *,
    before: str = "",
    query: dict[str, str] | None = None,
    lines: CIMultiDict[str] | None = None,
    now: float = 0.0,
) -> bool:
    return access.admits(peer, before, MultiDict(query or {}), lines or headers(), now)


def basic(text: bytes) -> CIMultiDict[str]:
    return headers(("Authorization", "Basic " + base64.b64encode(text).decode()))


# ---------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\t", "192.0.2.1"),
        ("192.0.2.1:1234", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_read_with_a_port_behind_it_or_without(text: str, expected: str) -> None:
    assert str(read_address(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "unknown", "_hidden", "192.0.2", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:123456", "192.0.2.1:1:2",
     "192.0.2.256", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]80", "[]:80", "[unknown]:80", "192.0.2.1 192.0.2.2",
     "١٩٢.٠.٢.١", "192.0.2.1\n:80", "a" * 8000, ":" * 8000],
)  # fmt: skip
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_address(text) is None


# ---------------------------------------------------------------------------------------- networks


def test_everybody_may_ask_when_nothing_is_given() -> None:
    for access in (Access(), Access(trusted_proxies=[ip_network("192.0.2.0/24")])):
        assert access.is_open
        assert admits(access)
        assert admits(access, peer=None)


@pytest.mark.parametrize(
    ("allow", "peer", "may_ask"),
    [
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("192.0.2.0/24", "2001:db8::1", False),
        ("192.0.2.0/24", None, False),
        ("192.0.2.0/24", "", False),
        ("::ffff:192.0.2.0/120", "192.0.2.1", True),
        ("::ffff:192.0.2.0/120", "192.0.3.1", False),
        ("::ffff:0:0/96", "203.0.113.1", True),
        ("::/0", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
    ],
)
def test_only_who_is_in_an_allowed_network_may_ask(allow: str, peer: str | None, *, may_ask: bool) -> None:
    assert admits(Access(allow=[ip_network("198.51.100.1"), ip_network(allow)]), peer) is may_ask


# ---------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize("token", [TOKEN, OTHER])
def test_any_of_the_tokens_is_right_in_any_place(token: str) -> None:
    access = Access(tokens=[TOKEN, OTHER])
    assert not access.is_open
    assert admits(access, before=f"/{token}")
    assert admits(access, query={"token": token})
    assert admits(access, lines=headers(("x-token", token)))
    assert admits(access, lines=headers(("authorization", f" bearer  {token} ")))
    assert admits(access, lines=basic(f":{token}".encode()))
    assert admits(access, lines=basic(f"switch:{token}".encode()))
    assert admits(access, lines=basic(f"{token}:".encode()))
    assert admits(access, lines=basic(token.encode()))


@pytest.mark.parametrize("wrong", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), TOKEN + OTHER, "\udcff", "ü"])
def test_anything_else_is_wrong_in_any_place(wrong: str) -> None:
    access = Access(tokens=[TOKEN, OTHER])
    raw = wrong.encode("utf-8", "surrogatepass")
    assert not admits(access, before=f"/{wrong}")
    assert not admits(access, query={"token": wrong})
    assert not admits(access, lines=headers(("X-Token", wrong)))
    assert not admits(access, lines=headers(("Authorization", f"Bearer {wrong}")))
    assert not admits(access, lines=basic(b":" + raw))
    assert not admits(access, lines=basic(TOKEN.encode() + b":" + raw)) or not raw


def test_a_token_may_have_slashes_colons_and_any_letters() -> None:
    token = "a/b:c ü ş/long enough"
    access = Access(tokens=[token])
    assert admits(access, before=f"/{token}")
    assert admits(access, lines=basic(f"switch:{token}".encode()))
    assert not admits(access, lines=basic(f"{token}:".encode())), "a user's name has no colon"


@pytest.mark.parametrize(
    "line", ["", "Basic", "Basic ", "Basic %%%", "Basic /////w==", "Basic ü", f"Digest {TOKEN}", TOKEN, "Bearer"]
)
def test_an_authorization_that_cannot_be_read_is_wrong(line: str) -> None:
    assert not admits(Access(tokens=[TOKEN]), lines=headers(("Authorization", line)))


def test_every_token_is_compared_whichever_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = count()
    monkeypatch.setattr("proxy.web.access.hmac.compare_digest", lambda one, other: next(compared) >= 0 and one == other)
    access = Access(tokens=[TOKEN, OTHER])
    costs = []
    for brought in (TOKEN, OTHER, "wrong"):
        before = next(compared)
        admits(access, before=f"/{brought}")
        costs.append(next(compared) - before)
    assert len({*costs}) == 1


def test_a_path_before_the_switches_own_counts_only_when_there_are_tokens() -> None:
    assert Access().is_question("/musteri.json", "/musteri.json")
    assert not Access().is_question("/x/musteri.json", "/musteri.json")
    assert Access(tokens=[TOKEN]).is_question("/x/y/musteri.json", "/musteri.json")
    assert not Access(tokens=[TOKEN]).is_question("/xmusteri.json", "/musteri.json")
    assert not Access(tokens=[TOKEN]).is_question("/musteri.json/", "/musteri.json")


# ---------------------------------------------------------------------------------------- the bucket


def test_an_address_gets_its_burst_and_then_its_rate() -> None:
    access = Access(limiter=Limiter(rate=1, burst=2))
    assert not access.is_open
    assert [admits(access) for _ in range(3)] == [True, True, False]
    assert admits(access, peer="192.0.2.2")
    assert admits(access, now=1.0)


def test_an_address_that_cannot_be_read_has_no_bucket() -> None:
    assert not admits(Access(limiter=Limiter(rate=1, burst=2)), peer=None)


def test_neither_a_wrong_network_nor_a_wrong_token_takes_out_of_a_bucket() -> None:
    limiter = Limiter(rate=1, burst=1)
    access = Access(tokens=[TOKEN], allow=[ip_network("192.0.2.1")], limiter=limiter)
    assert not admits(access, before="/wrong")
    assert not admits(access, peer="192.0.2.2", before=f"/{TOKEN}")
    assert len(limiter) == 0
    assert admits(access, before=f"/{TOKEN}")
    assert not admits(access, before=f"/{TOKEN}")


# ---------------------------------------------------------------------------------------- X-Forwarded-For

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/64")]
ME = IPv4Address("192.0.2.1")


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        ("192.0.2.1", ["203.0.113.1"], ME),
        ("10.0.0.1", [], IPv4Address("10.0.0.1")),
        ("10.0.0.1", ["192.0.2.1"], ME),
        ("2001:db8::5", ["192.0.2.1"], ME),
        ("::ffff:10.0.0.1", ["192.0.2.1"], ME),
        ("10.0.0.1", ["203.0.113.1, 192.0.2.1"], ME),
        ("10.0.0.1", ["203.0.113.1", "192.0.2.1,10.0.0.2", "10.0.0.3"], ME),
        ("10.0.0.1", ["unknown, 192.0.2.1, 10.0.0.2"], ME),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], IPv4Address("10.0.0.3")),
        ("10.0.0.1", ["[2001:db9::1]:80"], IPv6Address("2001:db9::1")),
        ("10.0.0.1", ["192.0.2.1, unknown"], None),
        ("10.0.0.1", ["192.0.2.1", ""], None),
        ("10.0.0.1", [""], None),
        (None, ["192.0.2.1"], None),
    ],
)
def test_the_client_is_the_last_hop_that_is_not_trusted(
    peer: str | None, lines: list[str], expected: IPv4Address | IPv6Address | None
) -> None:
    access = Access(trusted_proxies=PROXIES)
    assert access.client(peer, headers(*(("X-Forwarded-For", line) for line in lines))) == expected
