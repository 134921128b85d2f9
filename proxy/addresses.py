"""Addresses of this machine, at which we listen."""

import re
from ipaddress import ip_address

HIGHEST_PORT = 65535


def parse_listen(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:8080` or `[::1]:8080`. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host.strip("[]") or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > HIGHEST_PORT:
        raise ValueError("is not an address to listen at - allowed: HOST:PORT, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def url_of(host: str, port: int) -> str:
    """Return the URL of an address at which we listen."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def parse_known_listen(text: str) -> tuple[str, int]:
    """Read an address at which others must find us, so that its port is not left open. Raises ValueError."""
    host, port = parse_listen(text)
    if port == 0:
        raise ValueError("has a port that nobody would know - allowed: HOST:PORT, such as 127.0.0.1:9090")
    return host, port


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
