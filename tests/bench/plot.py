"""The hits as bars: an SVG that is written by hand."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from tests.bench.tables import ratio

WIDTH, BAR, GAP, LEFT = 760, 22, 6, 170
COLOURS = {"kept": "#2a6f97", "closed": "#a9c9dd"}
WORDS = {"kept": "kept connections", "closed": "a connection for each call"}


def bars(found: Mapping[str, Any], base: str = "aiohttp") -> str:
    """Return hits a second of all servers, in times those of one."""
    times = {form: {name: median(ratio(row, found[form][base])) for name, row in found[form].items()} for form in WORDS}
    most = max(max(values.values()) for values in times.values())
    scale = (WIDTH - LEFT - 60) / most
    height = 60 + len(times["kept"]) * (2 * BAR + GAP + 8)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
        "<style>text { font: 13px sans-serif; }</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="20">Hits a second on one core; a bare aiohttp Application answers 1.00</text>',
    ]
    for place, (form, words) in enumerate(WORDS.items()):
        x = LEFT + place * 190
        parts.append(f'<rect x="{x}" y="30" width="12" height="12" fill="{COLOURS[form]}"/>')
        parts.append(f'<text x="{x + 18}" y="41">{words}</text>')
    y = 56
    for name in sorted(times["kept"], key=lambda name: -times["kept"][name]):
        weight = "bold" if name.startswith("tanima") else "normal"
        parts.append(f'<text x="{LEFT - 8}" y="{y + BAR + 4}" text-anchor="end" font-weight="{weight}">{name}</text>')
        for form in WORDS:
            length = times[form][name] * scale
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.0f}" height="{BAR}" fill="{COLOURS[form]}"/>')
            parts.append(f'<text x="{LEFT + length + 5:.0f}" y="{y + 16}">{times[form][name]:.2f}</text>')
            y += BAR
        y += GAP + 8
    return "\n".join([*parts, "</svg>\n"])
