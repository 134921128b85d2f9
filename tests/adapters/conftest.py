from collections.abc import Iterator
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses


class ResponseThatNeedsNoWriter(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not give `stream_writer`, which aiohttp 3.14 demands."""

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__(*args, **{"stream_writer": Mock(output_size=0), **named})  # type: ignore[arg-type]


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    monkeypatch.setattr("aioresponses.core.ClientResponse", ResponseThatNeedsNoWriter)
    with aioresponses() as responses:
        yield responses
