"""A CRM that has everybody, as little of a server as may be: python -m tests.bench.peers.crm PORT SECONDS.

Asked for `phone=`, it tells of a contact; for `telefon=`, it answers as tanima would, for caches that stand before it.
At `/seen` it tells how often it was asked, and on how many connections.
"""

import asyncio
import json
import sys
from urllib.parse import unquote_plus

from tests.bench.load import name


class Connection(asyncio.Protocol):
    """One connection."""

    asked = 0
    made = 0
    seconds = 0.0
    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""
        Connection.made += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            if target.startswith("/seen"):
                Connection.made -= 1
                self._answer({"asked": Connection.asked, "connections": Connection.made})
            else:
                Connection.asked += 1
                asyncio.get_running_loop().call_later(Connection.seconds, self._answer, told_of(target))

    def _answer(self, said: object) -> None:
        body = json.dumps(said, ensure_ascii=False).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def told_of(target: str) -> object:
    """Return what is answered."""
    for parameter in ("telefon", "cli"):
        number = target.partition(f"{parameter}=")[2].partition("&")[0]
        if number:
            return {"name": name(int(number[-7:])), "target": "queue/201"}
    number = unquote_plus(target.partition("phone=")[2].partition("&")[0])
    record = {"title": name(int(number[-7:])), "tier": "gold", "owner": "nobody", "balance": 12.5, "phones": [number]}
    return {"items": [record]}


async def main(port: int, seconds: float) -> None:
    Connection.seconds = seconds
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
