"""Sees that a file has another content than before, however it was changed."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

DEBOUNCE = 200
"""Milliseconds for which a file that is being written is left in peace."""

LOOK = 1000
"""Milliseconds after which the content is looked at, though nothing was heard: the folder may have been exchanged."""


async def changes(file: Path, known: Callable[[], bytes | None], stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield whenever a file does not hold what `known` returns: what was in it when last read. Ends with `stop`."""
    thread = ThreadPoolExecutor(1, "following")  # a disk that hangs must not hold up calls
    loop = asyncio.get_running_loop()
    try:
        async for _ in _moments(file, stop):
            if await loop.run_in_executor(thread, content_of, file) != known():
                yield
    finally:
        thread.shutdown(wait=False)


def content_of(file: Path) -> bytes | None:
    """Return what is in a file; None where there is none, or where it would have to be waited for."""
    with suppress(OSError):
        if stat.S_ISREG(file.stat().st_mode):
            return file.read_bytes()
    return None


async def _moments(file: Path, stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield when something has happened to the file, and every now and then."""
    from watchfiles import awatch  # noqa: PLC0415 - calls are answered before, and the sample has no need of it

    names = {file.name, "..data"}  # the latter is exchanged where the file is a link, as in a mounted volume

    def is_about_it(_: object, path: str) -> bool:
        return Path(path).name in names

    while not stop.is_set():
        with suppress(Exception):  # no folder, or no more watches to be had: then every now and then is all
            watching = awatch(
                file.parent,
                watch_filter=is_about_it,
                debounce=DEBOUNCE,
                rust_timeout=LOOK,
                yield_on_timeout=True,
                stop_event=stop,
                recursive=False,
            )
            async for _ in watching:
                yield
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK / 1000)
        yield
