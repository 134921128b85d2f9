"""Passes each call on, and what it hears back: python -m tests.bench.peers.through PORT KIND PLACE.

The least that a miss can cost with the libraries that tanima uses. The kind is crm (aiohttp's client), postgresql (a
pool of asyncpg) or sqlite (one connection of aiosqlite).
"""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import aiosqlite
import asyncpg
from aiohttp import web

from tests.bench.load import PATH

Lookup = Callable[[str], Awaitable[bytes]]
lookups: list[Lookup] = []

SELECT = "SELECT id, name, phone AS number, tier, owner, balance FROM customers WHERE phone = "


async def by_http(place: str) -> AsyncIterator[Lookup]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:

        async def lookup(number: str) -> bytes:
            async with session.get(f"{place}/contacts", params={"phone": f"+9{number}"}) as response:
                return await response.read()

        yield lookup


async def by_asyncpg(place: str) -> AsyncIterator[Lookup]:
    async with asyncpg.create_pool(place, min_size=5, max_size=5) as pool:

        async def lookup(number: str) -> bytes:
            row = await pool.fetchrow(f"{SELECT} $1", number)
            return json.dumps({"name": row["name"], "target": "queue/201"}, ensure_ascii=False).encode()

        yield lookup


async def by_aiosqlite(place: str) -> AsyncIterator[Lookup]:
    async with aiosqlite.connect(place) as connection:

        async def lookup(number: str) -> bytes:
            async with connection.execute(f"{SELECT} ?", [number]) as cursor:
                row = await cursor.fetchone()
            assert row is not None
            return json.dumps({"name": row[1], "target": "queue/201"}, ensure_ascii=False).encode()

        yield lookup


def application(opened: AsyncIterator[Lookup]) -> web.Application:
    async def opening(_app: web.Application) -> AsyncIterator[None]:
        async for lookup in opened:
            lookups.append(lookup)
            yield

    async def answer(request: web.Request) -> web.Response:
        [lookup] = lookups
        return web.Response(body=await lookup(request.query["telefon"]), content_type="application/json")

    app = web.Application()
    app.cleanup_ctx.append(opening)
    app.router.add_get(PATH, answer)
    return app


if __name__ == "__main__":
    kinds = {"crm": by_http, "postgresql": by_asyncpg, "sqlite": by_aiosqlite}
    app = application(kinds[sys.argv[2]](sys.argv[3]))
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
