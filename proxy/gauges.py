"""What is told of how everything is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.breaker import State


@dataclass(frozen=True, slots=True)
class OneSource:
    """How a source is now."""

    state: State
    completing: State
    """Of what it is asked further about a contact"""
    under_way: int
    """Attempts"""
    most: int
    """Lookups at once"""


@dataclass(frozen=True, slots=True)
class Gauges:
    """How everything is now."""

    version: str
    deadline: float
    sources: Mapping[str, OneSource]
    rules: Sequence[tuple[str, str]]
    """Lines, and names"""
    flights: int
    cached: int
    cache_size: int
    dialogues: int
    connections: Mapping[str, int]
    """By listener"""
    connections_most: int
    journal: int
    configured_at: float
    """Seconds since 1970, as the one below"""
    snapshot_at: float | None
    is_refused: bool
    """The file has another configuration than the one that counts"""
