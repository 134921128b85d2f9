"""Tries every promise with real servers and real faults, and prints what was seen beside what is promised.

    python -m tests.chaos [P1 P17 ...] [--share 1.0] [--seed 1]

Takes ten to fifteen minutes. Ends with exit code 1 when anything falls short. At last the logs of all servers that ran
are looked through for what must not be in them.
"""
# ruff: noqa: T201

import argparse
import asyncio
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path

from tests.chaos.promises import PROMISES, Promise
from tests.chaos.world import Scale, Seen, World, enough_descriptors
from tests.log_scan import log_lines, telling, with_names, with_requests, with_secrets, without_times_and_places
from tests.servers import DatabaseServer

WIDTH = 62
"""Of a column of the table"""


def main() -> int:
    """Try the promises that are named, or all, and return the exit code."""
    names = [promise.name for promise in PROMISES]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Tries every promise.")
    parser.add_argument("promises", nargs="*", metavar="P1", help="which ones; all when left out")
    parser.add_argument("--share", type=float, default=1.0, help="of the calls and seconds of a whole run")
    parser.add_argument("--seed", type=int, default=1, help="of what happens by chance")
    options = parser.parse_args()
    if unknown := [name for name in options.promises if name not in names]:
        parser.error(f"there is no {', '.join(unknown)} - allowed: {', '.join(names)}")
    enough_descriptors()
    wanted = [promise for promise in PROMISES if promise.name in (options.promises or names)]
    with a_world(Scale(options.share), options.seed) as world:
        began = time.monotonic()
        rows = [(promise, attempted(promise, world)) for promise in wanted]
        print(f"\n{time.monotonic() - began:.0f} s in all, seed {options.seed}\n")
        print("\n".join(table(rows)))
        leaks, told = leaks_in(world.logs)
        print(f"\nS3  {told}")
    return 1 if leaks or any(seen.short for _, seen in rows) else 0


@contextmanager
def a_world(scale: Scale, seed: int) -> Iterator[World]:
    """Yield a place to try promises in; its servers end with it."""
    folder = Path(tempfile.mkdtemp(prefix="tanima-chaos-"))
    running: dict[type[DatabaseServer], DatabaseServer] = {}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)

        def database(kind: type[DatabaseServer]) -> DatabaseServer:
            if kind not in running:
                programs = kind.installed()
                if programs is None:
                    raise RuntimeError(f"no {kind.name} server is installed - allowed: `make servers`, as root")
                running[kind] = stack.enter_context(kind(programs))
            return running[kind]

        for name in ("deployments", "logs"):
            (folder / name).mkdir()
        yield World(folder / "deployments", folder / "logs", scale, database, seed=seed, tell=tell)


def tell(what: str) -> None:
    print(f"     {what}", file=sys.stderr, flush=True)


def attempted(promise: Promise, world: World) -> Seen:
    """Try a promise, and return what was seen; what breaks the trial itself is a shortfall, too."""
    print(f"{promise.name:4} {promise.text}", file=sys.stderr, flush=True)
    try:
        return asyncio.run(promise.attempt(world))
    except Exception as exc:  # noqa: BLE001 - the others are still to be tried
        return Seen(short=[f"could not be tried: {type(exc).__name__}: {exc}"])


def table(rows: list[tuple[Promise, Seen]]) -> Iterator[str]:
    """Yield the lines of the table: what is promised, what was seen, and what falls short."""
    yield f"{'':4} {'promised':{WIDTH}} seen"
    for promise, seen in rows:
        left = textwrap.wrap(promise.text, WIDTH)
        right = [line for figure in seen.figures for line in textwrap.wrap(figure, WIDTH, subsequent_indent="  ")]
        right += [f"FALLS SHORT: {sentence}" for sentence in seen.short]
        for name, said, saw in zip_longest([promise.name], left, right, fillvalue=""):
            yield f"{name:4} {said:{WIDTH}} {saw}".rstrip()
    short = [promise.name for promise, seen in rows if seen.short]
    yield f"\n{len(rows) - len(short)} of {len(rows)} kept"


def leaks_in(logs: Path) -> tuple[int, str]:
    """Return how many log lines tell what they must not, and a sentence about that."""
    lines = log_lines(logs)
    plain = [*map(without_times_and_places, lines)]
    leaks = len({*telling(plain), *with_names(lines), *with_secrets(lines), *with_requests(lines)})
    servers = len([*logs.iterdir()])
    return leaks, f"{len(lines)} log lines of {servers} servers: {leaks} with a number, name, secret or raw request"


if __name__ == "__main__":
    sys.exit(main())
