"""Servers asked in turn, round by round, so that what else this machine does meets all of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.load import Heard, Questions, again, ask, at_rate, flat_out
from tests.bench.machine import Server
from tests.bench.start import Tanima

CHECKED = 500
"""Calls whose answers are looked at before it counts"""
OTHER_SIZE = 0.02
"""Answers that are by so much longer or shorter than those that were looked at are others"""

_rounds = count()


def nobody_yet() -> int:
    """Return from where on nobody has called yet: 100 000 callers, for one round."""
    return 1_000_000 + next(_rounds) * 100_000 % 9_000_000


@dataclass
class Bench:
    """How long is measured."""

    rounds: int
    seconds: float

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Return a folder for the files of servers."""
        with TemporaryDirectory(prefix="tanima-bench-") as name:
            yield Path(name)


Asking = Callable[[Server, Questions], Heard]


def interleaved(
    bench: Bench,
    servers: Sequence[Server],
    questions: Callable[[], Questions],
    *,
    told: str = "",
    asking: Asking | None = None,
    rounds: int = 0,
) -> dict[str, Any]:
    """Ask each in turn, some rounds long, and return figures by the server's name.

    `questions` are those of a round, the same for all. tanima must answer all of them by this reason and via.
    """
    seen: dict[str, dict[str, Any]] = {server.name: {"wrong": 0} for server in servers}
    with bench.folder() as folder:

        def fast(server: Server, asked: Questions) -> Heard:
            return flat_out(server.port, asked, bench.seconds, folder)

        sizes, before = dict[str, float](), dict[str, dict[str, int]]()
        for server in servers:
            checked = ask(server.port, questions(), calls=CHECKED)
            seen[server.name]["wrong"] += checked.wrong
            sizes[server.name] = checked.size
            before[server.name] = server.counted() if isinstance(server, Tanima) else {}
        for _ in range(rounds or bench.rounds):
            asked = questions()
            for server in servers:
                cost, row = server.seconds(), seen[server.name]
                heard = (asking or fast)(server, again(asked))
                row.setdefault("calls_per_s", []).append(heard.calls / heard.seconds)
                row.setdefault("cpu_us", []).append((server.seconds() - cost) / max(1, heard.calls) * 1e6)
                for name, value in (("p50", heard.p50), ("p99", heard.p99), ("longest", heard.longest)):
                    row.setdefault(f"{name}_ms", []).append(value * 1000)
                row.setdefault("lag_ms", []).append(heard.lag * 1000)
                row["wrong"] += heard.wrong
                if heard.size and abs(heard.size / sizes[server.name] - 1) > OTHER_SIZE:
                    row["wrong"] += heard.calls
        for server in servers:
            if isinstance(server, Tanima) and told:
                rest = {key: n - before[server.name].get(key, 0) for key, n in server.counted().items()}
                seen[server.name]["wrong"] += sum(n for key, n in rest.items() if key not in told.split())
    return seen


def rated(rate: float, seconds: float) -> Asking:
    """Return a way of asking at a rate."""
    return lambda server, asked: at_rate(server.port, asked, rate, seconds)
