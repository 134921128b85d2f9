"""What is wanted, beside what was seen of it."""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

from tests.bench.tables import middle, ratio, table

Figures = Mapping[str, Any]


class Row(NamedTuple):
    """One wish."""

    what: str
    wanted: str
    seen: str
    met: bool


def ours(found: Figures) -> dict[str, Any]:
    """Return the figures of tanima, by loop; those of uvloop, where it was there, last."""
    return {name: row for name, row in found.items() if name.startswith("tanima")}


def each(values: Mapping[str, float], form: str = ".2f") -> str:
    """Return what was seen on each loop."""
    loops = {"tanima": "default loop", "tanima, uvloop": "uvloop"}
    return ", ".join(f"{value:{form}} ({loops[name]})" for name, value in values.items())


def against(found: Figures, base: str, figure: str = "calls_per_s") -> dict[str, float]:
    """Return the median ratio to a server, by loop."""
    return {name: median(ratio(row, found[base], figure)) for name, row in ours(found).items()}


def alike(base: str) -> dict[str, str]:
    """Return who is compared with tanima, by loop: of FastAPI the one on the same."""
    names = ("tanima", "tanima, uvloop")
    return {name: name.replace("tanima", "FastAPI") if base == "FastAPI" else base for name in names}


def of_calls(what: str, found: Figures, base: str, least: float, wanted: str = "at least {}") -> Row:
    """Compare calls, by the second and by the processor's time. Both must do: where a machine is busy they differ."""
    bases = alike(base)
    calls = {name: median(ratio(row, found[bases[name]])) for name, row in ours(found).items()}
    by_cpu = {name: median(ratio(found[bases[name]], row, "cpu_us")) for name, row in ours(found).items()}
    best = max(min(calls[name], by_cpu[name]) for name in calls)
    seen = f"{each(calls)}; by CPU {each(by_cpu)}"
    return Row(what, wanted.format(f"{least:g}"), seen, best >= least)


def of_hits(found: Figures) -> Iterator[Row]:
    kept, closed = found["kept"], found["closed"]
    yield of_calls("hit, kept connections, times a bare aiohttp Application", kept, "aiohttp", 1.5)
    if "nginx proxy_cache" in kept:
        yield of_calls("hit, times nginx proxy_cache", kept, "nginx proxy_cache", 1.0, "{}, the moonshot")
    yield of_calls("hit, a connection each, times aiohttp", closed, "aiohttp", 0.95)
    yield of_calls("hits, times FastAPI + httpx + cachetools on the same loop", kept, "FastAPI", 8)


def of_misses(found: Figures) -> Iterator[Row]:
    fast, calm = found["rest"], found["at_500"]
    less = {
        name: median(ratio(fast[base], fast[name], "cpu_us")) for name, base in alike("FastAPI").items() if name in fast
    }
    yield Row("CPU of a miss, FastAPI's times ours", "at least 15", each(less, ".1f"), max(less.values()) >= 15)
    times = against(fast, "aiohttp, passing on", "cpu_us")
    yield Row(
        "CPU of a miss, times that of aiohttp passing on", "at most 1.25", each(times), min(times.values()) <= 1.25
    )
    for figure, most in (("p50", 1), ("p99", 5)):
        key = f"{figure}_ms"
        over = {
            name: median(a - b for a, b in zip(row[key], calm["CRM"][key], strict=True))
            for name, row in ours(calm).items()
        }
        yield Row(
            f"miss, {figure} over the CRM's own at 500 calls/s",
            f"at most {most} ms",
            each(over),
            min(over.values()) <= most,
        )


def of_latency(found: Figures) -> Iterator[Row]:
    late = {name: middle(row, "p99_ms") for name, row in ours(found["hits"]).items()}
    yield Row("hit, p99 at 1000 calls/s", "at most 2 ms", each(late), min(late.values()) <= 2)


def of_million(found: Figures) -> Iterator[Row]:
    few, many = found["hits"]
    memory = max(found["memory_mb"][many], found["memory_after_mb"][many])
    yield Row("memory with a million contacts", "at most 450 MB", f"{memory:.0f} MB", memory <= 450)
    pause = max(found["writing"][many]["longest_ms"])
    yield Row("longest pause with them", "at most 20 ms", f"{pause:.0f} ms", pause <= 20)
    took = found["restored"][many]
    yield Row("their snapshot restored", "within 5 s", f"{took:.1f} s", took <= 5)
    times = median(ratio(found["hits"][many], found["hits"][few]))
    turns = median(ratio(found["all_in_turn"][many], found["hits"][few]))
    seen = f"{times:.2f} when the same 1000 call, {turns:.2f} when all do in turn"
    yield Row("hits with them, times those with 1000", "no fewer", seen, times >= 0.95)


def of_rules(found: Figures) -> Iterator[Row]:
    times = [
        median(ratio(found[form]["1000 rules"], found[form]["10 rules"], "cpu_us")) for form in ("hits", "dialogue")
    ]
    seen = f"{times[0]:.2f}, in a dialogue {times[1]:.2f}"
    yield Row("CPU of a hit with 1000 rules, times that with 10", "at most 2", seen, max(times) <= 2)


def of_start(found: Figures) -> Iterator[Row]:
    library, first = (middle(row, "seconds") for row in found["starts"].values())
    most = 0.8 / 0.3 * library
    cpu = " where ".join(f"{middle(row, 'cpu_s'):.2f} s" for row in reversed(found["starts"].values()))
    seen = f"{first:.2f} s, where that takes {library:.2f} s; by CPU {cpu}"
    yield Row("start to first answer", "at most 0.8 s, where that takes 0.3 s", seen, first <= most)


def of_workers(found: Figures) -> Iterator[Row]:
    one, two = found["hits"].values()
    times = median(ratio(two, one))
    cost = median(ratio(one, two, "cpu_us"))
    seen = f"{times:.2f}; {2 * cost:.2f} by the processor's time, without who asks"
    yield Row("hits of two workers, times one's", "at least 1.7", seen, times >= 1.7)


WISHES = {
    "hits": of_hits,
    "latency": of_latency,
    "misses": of_misses,
    "million": of_million,
    "rules": of_rules,
    "start": of_start,
    "workers": of_workers,
}


def wanted(figures: Figures) -> str:
    """Return the table of all wishes about which something was measured."""
    rows = [row for scenario, told in WISHES.items() if scenario in figures for row in told(figures[scenario])]
    return table(["", "wanted", "seen", ""], [[*row[:3], "met" if row.met else "falls short"] for row in rows])
