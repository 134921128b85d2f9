import sys
from datetime import date
from importlib import import_module

import holidays
import pytest
from holidays.registry import COUNTRIES as MODULES
from holidays.registry import EntityLoader

from proxy.config.public_holidays import COUNTRIES, parse_holidays


def loaded() -> list[str]:
    return [name for name in sys.modules if name.startswith(COUNTRIES)]


@pytest.fixture
def _nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in loaded():
        monkeypatch.delitem(sys.modules, name)
    for module, (_, code, *_) in MODULES.items():
        monkeypatch.setattr(holidays, code, EntityLoader(f"{COUNTRIES}.{module}.{code}"))


@pytest.mark.usefixtures("_nothing_loaded")
def test_a_country_is_loaded_without_the_others() -> None:
    assert date(2026, 10, 29) in parse_holidays("TR")
    assert loaded() == [f"{COUNTRIES}.turkey"]


@pytest.mark.usefixtures("_nothing_loaded")
def test_so_can_be_every_country() -> None:
    for _, code, *_ in MODULES.values():
        assert parse_holidays(code) is not None
    assert COUNTRIES not in loaded()


def test_the_whole_package_is_left_as_it_is_when_somebody_has_loaded_it() -> None:
    package = import_module(COUNTRIES)
    assert date(2026, 10, 29) in parse_holidays("TR")
    assert sys.modules[COUNTRIES] is package
