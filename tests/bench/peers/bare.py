"""The measure of all: a bare aiohttp Application that answers constant bytes: python -m tests.bench.peers.bare PORT."""

import json
import sys

from aiohttp import web

from tests.bench.load import ANYBODY, PATH

ANSWER = json.dumps({"name": ANYBODY, "target": "queue/201"}, ensure_ascii=False).encode()


async def answer(_request: web.Request) -> web.Response:
    return web.Response(body=ANSWER, content_type="application/json")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get(PATH, answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
