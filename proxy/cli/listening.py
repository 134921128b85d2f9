"""Runs what listens, for the commands that answer a switch."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from proxy.cli.ending import fail
from proxy.cli.waiting import run_to_the_end


def run_at(
    host: str,
    port: int,
    listening: Coroutine[Any, Any, None],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> int:
    """Run it until it ends, and return the exit code; fail when its address cannot be had."""
    try:
        run_to_the_end(listening, new_loop)
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        fail(f"cannot listen at {host}:{port} ({reason}) - allowed: a free address of this machine")
    return 0
