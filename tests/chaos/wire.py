"""P4: requests that are no questions, or no HTTP, are answered like callers whom nobody can place."""

import asyncio
import json

from tests.chaos.world import DEFAULT, Seen, World, crm, over_http, serving_log, toml
from tests.e2e.running import answers_in, send

MARK = "zqx9417"
"""Stands in every request; no answer and no log line may have it"""

HOST = "Host: x\r\n"
LINES: tuple[bytes, ...] = (
    f"GET /musteri.json?telefon=0532 {MARK} HTTP/1.1\r\n{HOST}\r\n".encode(),
    f"GET /musteri.json?telefon=Ö{MARK} HTTP/1.1\r\n{HOST}\r\n".encode(),
    f"GET /musteri.json?telefon={MARK} HTTP/1.1\r\n\r\n".encode(),
    f"GET /musteri.json?telefon={MARK}{'9' * 9000} HTTP/1.1\r\n{HOST}\r\n".encode(),
    f"GET /musteri.json?telefon=1 HTTP/1.1\r\n{HOST}X-{MARK}: {'y' * 9000}\r\n\r\n".encode(),
    f"GET /musteri.json?telefon=1 HTTP/1.1\r\n{HOST}{MARK}\r\n\r\n".encode(),
    f"GET /{MARK} HTTP/9.9\r\n{HOST}\r\n".encode(),
    f"{MARK}\r\n\r\n".encode(),
    f"\x16\x03\x01{MARK}\r\n\r\n".encode(),
    f"GET /musteri.json?telefon={MARK}\x00 HTTP/1.1\r\n{HOST}\r\n".encode(),
    f"POST /musteri.json HTTP/1.1\r\n{HOST}Content-Length: {MARK}\r\n\r\n".encode(),
    f"POST /musteri.json HTTP/1.1\r\n{HOST}Transfer-Encoding: {MARK}\r\n\r\n".encode(),
    f"PRI * HTTP/2.0\r\n\r\nSM {MARK}\r\n\r\n".encode(),
)
PATHS = ("/", "/metrics", "/admin", "/erase", f"/{MARK}", "/musteri.json/", "//musteri.json", "/%6dusteri.json%00", "*")
METHODS = ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", MARK.upper())


def odd_requests() -> list[bytes]:
    paths = [f"GET {path}?x={MARK} HTTP/1.1\r\n{HOST}\r\n" for path in PATHS]
    methods = [f"{method} /musteri.json?telefon={MARK} HTTP/1.1\r\n{HOST}\r\n" for method in METHODS]
    return [*LINES, *(text.encode() for text in (*paths, *methods))]


async def whatever_comes_is_answered(world: World) -> Seen:
    """P4."""
    seen, requests = Seen(), odd_requests()
    async with crm() as asked, world.serve(toml(over_http(asked.port))) as serving:
        for place, request in enumerate(requests):
            received = await asyncio.to_thread(send, serving.port, request)
            answers = list(answers_in(received))
            is_good = bool(answers) and all(
                status == 200 and json.loads(body) == DEFAULT for status, _, body in answers
            )
            seen.must(is_good, f"request {place}: no answer, or another one than the default")
            seen.must(MARK.encode() not in received.lower(), f"request {place}: it is echoed")
        seen.must(not asked.requests, "the CRM was asked")
        log = serving_log(serving).read_text(encoding="utf-8")
        seen.must(MARK not in log.lower(), "the log has a request in it")
        seen.must('"bug"' not in log, "the log has a bug in it")
    seen.figure(f"{len(requests)} odd requests, paths and methods: 200 and the default, nothing echoed or logged")
    return seen
