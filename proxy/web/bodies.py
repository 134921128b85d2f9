"""Bodies of the operator's requests, as much of them as is read."""

import asyncio

from aiohttp import StreamReader, web

LARGEST = 4096
"""Bytes of a body."""

BODY_WITHIN = 5.0
"""Seconds within which a body must have come whole."""


class Refused(Exception):
    """A request with which nothing is done: the status, and a sentence."""


async def body_of(request: web.BaseRequest, within: float | None = None) -> str:
    """Return a body as text. Raises Refused."""
    within = BODY_WITHIN if within is None else within
    try:
        body = await asyncio.wait_for(_beginning_of(request.content), within)
    except OSError as exc:  # too late, or the connection is lost
        raise Refused(408, f"the body has not come - allowed: all of it within {within:g} s") from exc
    if len(body) > LARGEST:
        raise Refused(413, f"the body is too large - allowed: {LARGEST} bytes at the most")
    try:
        return body.decode(request.charset or "utf-8")
    except (ValueError, LookupError) as exc:
        raise Refused(400, "the body is no text - allowed: UTF-8") from exc


async def _beginning_of(content: StreamReader) -> bytes:
    """Return what comes, or a part of what is too much."""
    beginning = b""
    while len(beginning) <= LARGEST and (piece := await content.readany()):
        beginning += piece
    return beginning
