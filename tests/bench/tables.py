"""The figures as tables of Markdown, as they stand in docs/speed.md."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

Figures = Mapping[str, Any]
Cells = Sequence[str]


def table(head: Cells, rows: Iterable[Cells]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def middle(row: Figures, figure: str) -> float:
    return float(median(row[figure]))


def ratio(row: Figures, base: Figures, figure: str = "calls_per_s") -> list[float]:
    """Return how many times as much each round has of a figure."""
    return [one / other for one, other in zip(row[figure], base[figure], strict=True)]


def spread(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def thousands(value: float) -> str:
    return f"{value:,.0f}" if value < 1000 else f"{round(value, -1 if value < 10_000 else -2):,.0f}"


def per_second(found: Mapping[str, Figures], base: str, *, latency: bool = False) -> str:
    """Return a table of calls a second, and what each costs, by the side of one server."""
    times_ms = ["p50, ms", "p99, ms"] if latency else []
    head = ["", "calls/s", f"times {base}", "CPU of a call, us", "times by CPU", *times_ms, "wrong"]
    rows = []
    for name, row in found.items():
        ms = [f"{middle(row, figure):.1f}" for figure in ("p50_ms", "p99_ms")] if latency else []
        rate = thousands(middle(row, "calls_per_s"))
        times, by_cpu = spread(ratio(row, found[base])), spread(ratio(found[base], row, "cpu_us"))
        rows.append([bold(name), rate, times, f"{middle(row, 'cpu_us'):.0f}", by_cpu, *ms, str(row["wrong"])])
    return table(head, rows)


def rows_of(found: Mapping[str, Figures], base: str) -> list[str]:
    return per_second(found, base).splitlines()[2:]


def bold(name: str) -> str:
    return f"**{name}**" if name.startswith("tanima") else name


def hits(found: Figures) -> str:
    return per_second(found["kept"], "aiohttp", latency=True)


def closed(found: Figures) -> str:
    return per_second(found["closed"], "aiohttp")


def dialogue(found: Figures) -> str:
    return per_second(found["dialogue"], "aiohttp")


def misses(found: Figures) -> str:
    return per_second(found["rest"], "aiohttp, passing on", latency=True)


def over_crm(found: Figures) -> str:
    rows, own = [], found["at_500"]["CRM"]
    for name, row in found["at_500"].items():
        over = [
            f"{median(a - b for a, b in zip(row[figure], own[figure], strict=True)):.1f}"
            for figure in ("p50_ms", "p99_ms")
        ]
        seen = [f"{middle(row, figure):.1f}" for figure in ("p50_ms", "p99_ms")]
        rows.append([bold(name), *seen, *(["", ""] if name == "CRM" else over), str(row["wrong"])])
    return table(["500 calls/s", "p50, ms", "p99, ms", "p50 over the CRM's", "p99 over the CRM's", "wrong"], rows)


def sql(found: Figures) -> str:
    rows = []
    for kind, base in (("postgresql", "asyncpg"), ("sqlite", "aiosqlite")):
        for name, row in found.get(kind, {}).items():
            cost, rate = middle(row, "cpu_us"), thousands(middle(row, "calls_per_s"))
            times = spread(ratio(row, found[kind][base], "cpu_us"))
            rows.append([f"{bold(name)}, {kind}", rate, f"{cost:.0f}", times, str(row["wrong"])])
    return table(["", "calls/s", "CPU of a call, us", "times the driver alone", "wrong"], rows)


def herd(found: Figures) -> str:
    rows = [
        [bold(name), f"{max(row['crm_calls']):.0f}", f"{max(row['wrong']):.0f}", f"{median(row['seconds']):.2f}"]
        for name, row in found["thousand"].items()
    ]
    return table(
        ["1000 calls at once, one caller", "asked of the CRM", "wrong or lost", "until all are answered, s"], rows
    )


def mixed(found: Figures) -> str:
    return per_second(found["mixed"], "FastAPI, uvloop", latency=True)


def rules(found: Figures) -> str:
    head, line, *rows = per_second(found["hits"], "10 rules").splitlines()
    asked = [row.replace(" rules |", " rules, in a dialogue |", 1) for row in rows_of(found["dialogue"], "10 rules")]
    return "\n".join([head, line, *rows, *asked])


def latency(found: Figures) -> str:
    rows = [
        [bold(name), *(f"{middle(row, f'{figure}_ms'):.2f}" for figure in ("p50", "p99", "longest", "lag"))]
        for name, row in found["hits"].items()
    ]
    return table(["1000 calls/s", "p50, ms", "p99, ms", "longest, ms", "who asks was late, p99, ms"], rows)


def features(found: Figures) -> str:
    return per_second(found["hits"], "everything on")


def million(found: Figures) -> str:
    rows = [
        ["restored from the snapshot, s", *(f"{value:.2f}" for value in found["restored"].values())],
        ["memory after that, MB", *(f"{value:.0f}" for value in found["memory_mb"].values())],
        ["memory after calls and snapshots, MB", *(f"{value:.0f}" for value in found["memory_after_mb"].values())],
        ["hits/s, 1000 callers in turn", *(thousands(middle(row, "calls_per_s")) for row in found["hits"].values())],
        ["hits/s, all in turn", "", *(thousands(middle(row, "calls_per_s")) for row in found["all_in_turn"].values())],
        [
            "longest answer while a snapshot is written, ms",
            *(f"{max(row['longest_ms']):.0f}" for row in found["writing"].values()),
        ],
    ]
    return table(["", *found["hits"]], rows)


def start(found: Figures) -> str:
    rows = [
        [name, f"{middle(row, 'seconds'):.2f}", f"{min(row['seconds']):.2f}", f"{middle(row, 'cpu_s'):.2f}"]
        for name, row in found["starts"].items()
    ]
    return table(["", "seconds", "at best", "CPU, s"], rows)


def workers(found: Figures) -> str:
    return per_second(found["hits"], "1 worker")


def profile(found: Figures) -> str:
    named = [name for name in ("hit", "miss") if name in found]
    columns = [[f"{package} {share:.0%}" for package, share in found[name].items()] for name in named]
    return table([f"of a {name}" for name in named], zip(*columns, strict=False)) if named else "py-spy is not there."


TABLES: Mapping[str, tuple[str, Callable[[Figures], str]]] = {
    "hits": ("hits", hits),
    "hits, a connection each": ("hits", closed),
    "hits, in a dialogue": ("hits", dialogue),
    "latency of hits": ("latency", latency),
    "misses": ("misses", misses),
    "latency of misses": ("misses", over_crm),
    "sql": ("sql", sql),
    "herd": ("herd", herd),
    "mixed": ("mixed", mixed),
    "rules": ("rules", rules),
    "features": ("features", features),
    "million": ("million", million),
    "start": ("start", start),
    "workers": ("workers", workers),
    "profile": ("profile", profile),
}
"""By name: the scenario, and how its figures are told"""


def tables(figures: Figures) -> dict[str, str]:
    """Return the tables of what was measured, by name."""
    return {name: told(figures[scenario]) for name, (scenario, told) in TABLES.items() if scenario in figures}


def put_into(page: str, told: Mapping[str, str]) -> str:
    """Return a page in which tables stand between `<!-- figures: NAME -->` and `<!-- /figures -->`."""

    def put(match: re.Match[str]) -> str:
        text = told.get(match[1])
        return match[0] if text is None else f"<!-- figures: {match[1]} -->\n{text}\n<!-- /figures -->"

    return re.sub(r"<!-- figures: ([^>]+?) -->\n.*?<!-- /figures -->", put, page, flags=re.DOTALL)
