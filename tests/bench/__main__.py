"""Measures tanima and its peers side by side: python -m tests.bench [SCENARIO ...].

Writes build/bench/results.json, table.md and plot.svg. A scenario that is not run keeps its figures of the last time.
`--page` runs nothing, and puts what is there into docs/speed.md and docs/speed.svg.
"""
# ruff: noqa: T201

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from tests.bench import scenarios, whole
from tests.bench.load import wrk
from tests.bench.machine import ASKING, ROOT, on_cores
from tests.bench.measure import Bench
from tests.bench.plot import bars
from tests.bench.tables import put_into, table, tables
from tests.bench.wanted import wanted
from tests.chaos.world import enough_descriptors

RUNS = {
    run.__name__: run
    for run in (
        scenarios.hits,
        scenarios.latency,
        scenarios.misses,
        scenarios.sql,
        scenarios.herd,
        scenarios.mixed,
        scenarios.rules,
        scenarios.features,
        whole.million,
        whole.start,
        whole.workers,
        whole.profile,
    )
}
FOLDER = ROOT / "build/bench"
PAGE = ROOT / "docs/speed.md"
PACKAGES = ("aiohttp", "fastapi", "httpx", "uvicorn", "uvloop")


def machine() -> str:
    """Return what was measured on, and with."""
    lines = (line for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name"))  # noqa: PTH123, SIM115
    model = next(lines, "").partition(":")[2].strip() or platform.machine()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    who = "wrk" if wrk() else "our own load generator"
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, {packages}; asked by {who}"


def write(figures: dict[str, Any]) -> dict[str, str]:
    """Write what is there, and return its tables."""
    told = {"wanted": wanted(figures), **tables(figures)}
    ran = [
        [name, one["when"], f"{one['load']:.1f}", f"{one['rounds']} of {one['seconds']:g} s", f"{one['took']:.0f} s"]
        for name, one in figures.items()
    ]
    told["runs"] = table(["scenario", "when", "load before", "rounds", "took"], ran) + f"\n\n{machine()}."
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "results.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    text = "\n".join(f"## {name}\n\n{one}\n" for name, one in told.items())
    (FOLDER / "table.md").write_text(text, encoding="utf-8")
    if "hits" in figures:
        (FOLDER / "plot.svg").write_text(bars(figures["hits"]), encoding="utf-8")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", metavar="SCENARIO", help=f"of {', '.join(RUNS)}; all when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.only) - set(RUNS):
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(RUNS)}")
    file = FOLDER / "results.json"
    figures: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if options.page:
        told = write(figures)
        PAGE.write_text(put_into(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")
        PAGE.with_suffix(".svg").write_bytes((FOLDER / "plot.svg").read_bytes())
        return
    enough_descriptors()
    bench = Bench(options.rounds, options.seconds)
    for name in options.only or RUNS:
        began, load = time.perf_counter(), os.getloadavg()[0]
        print(f"{name}: {RUNS[name].__doc__}", file=sys.stderr, flush=True)
        with on_cores(ASKING):
            found = RUNS[name](bench)
        figures[name] = {
            "load": load,
            "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            "rounds": bench.rounds,
            "seconds": bench.seconds,
            "took": time.perf_counter() - began,
            **found,
        }
        told = write(figures)
    print(told["wanted"], told["runs"], f"More in {FOLDER.relative_to(ROOT)}/table.md.", sep="\n\n")


if __name__ == "__main__":
    main()
