"""Public holidays, and of all the countries that have some only those that are asked for."""

import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import ModuleType

COUNTRIES = "holidays.countries"
"""The package with a module for each country; it imports them all."""


def parse_holidays(text: str) -> Container[date]:
    """Read a country, or a part of one, that has holidays: `TR`, `DE-BY`. Raises ValueError."""
    import holidays  # noqa: PLC0415 - most have no hours, and need not wait for it

    country, _, part = text.partition("-")
    try:
        with _one_country(holidays):
            return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError as exc:
        raise ValueError("has no known holidays - allowed: an ISO 3166 code such as TR, or DE-BY for a part") from exc


@contextmanager
def _one_country(holidays: ModuleType) -> Iterator[None]:
    """Have a country's module imported without its package's own code, which takes as long as all the rest does."""
    if COUNTRIES in sys.modules:
        yield
        return
    package = sys.modules[COUNTRIES] = ModuleType(COUNTRIES)
    package.__path__ = [str(Path(folder) / "countries") for folder in holidays.__path__]
    try:
        yield
    finally:
        del sys.modules[COUNTRIES]
