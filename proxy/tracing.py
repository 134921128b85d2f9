"""Spans for OpenTelemetry, where somebody wants them: one for each call, below it one for each attempt at a source.

Without OTEL_EXPORTER_OTLP_ENDPOINT, or that for traces alone, nothing of it is imported, and spans cost nothing.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib.metadata import version
from threading import Thread
from typing import Any, Protocol

from proxy.errors import ConfigError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Value = str | int | float | bool | None


class Span(Protocol):
    """What is going on, as others see it."""

    def tell(self, **attributes: Value) -> None:
        """Add attributes, those that are not None; their names begin with `tanima.` for the others."""

    def fail(self, why: str) -> None:
        """Say that it has failed."""


class _Nothing:
    """A span that nobody wants."""

    def tell(self, **attributes: Value) -> None:
        """Tell nobody."""

    def fail(self, why: str) -> None:
        """Tell nobody."""


_NOTHING = nullcontext[Span](_Nothing())

_open: Callable[[str, Mapping[str, str] | None], AbstractContextManager[Span]] | None = None
_flush: Callable[[], object] | None = None


def is_on() -> bool:
    """Tell whether anybody wants spans."""
    return _open is not None


def span(name: str, headers: Mapping[str, str] | None = None) -> AbstractContextManager[Span]:
    """Return a span, below the one that is going on, or below that of whoever has sent these headers."""
    return _NOTHING if _open is None else _open(name, headers)


def set_up() -> None:
    """Begin to send spans, where the environment says to. Raises ConfigError when the packages are missing."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - it is slow
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - optional
    except ImportError as exc:
        told = "is set, and OpenTelemetry is not installed - allowed: pip install 'tanima[tracing]', or without it"
        raise ConfigError([f"{' or '.join(ENDPOINTS)}: {told}"]) from exc
    send_to(BatchSpanProcessor(OTLPSpanExporter()))


def send_to(processor: Any) -> None:  # noqa: ANN401 - of an optional package
    """Send spans to a span processor of OpenTelemetry from now on."""
    from opentelemetry import propagate, trace  # noqa: PLC0415 - an optional package
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource  # noqa: PLC0415 - optional
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - optional
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - optional

    named = Resource({SERVICE_NAME: "tanima", SERVICE_VERSION: version("tanima")})
    if os.environ.get("OTEL_SERVICE_NAME"):
        named = Resource({SERVICE_VERSION: version("tanima")})
    provider = TracerProvider(resource=Resource.create().merge(named), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("tanima")

    class Told:
        def __init__(self, given: trace.Span) -> None:
            self._given = given

        def tell(self, **attributes: Value) -> None:
            for name, value in attributes.items():
                if value is not None:
                    self._given.set_attribute(f"tanima.{name}", value)

        def fail(self, why: str) -> None:
            self._given.set_status(Status(StatusCode.ERROR, why))

    @contextmanager
    def opened(name: str, headers: Mapping[str, str] | None) -> Iterator[Span]:
        parent = None if headers is None else propagate.extract(headers)
        kind = SpanKind.CLIENT if headers is None else SpanKind.SERVER
        with tracer.start_as_current_span(
            name, parent, kind, record_exception=False, set_status_on_exception=False
        ) as given:
            yield Told(given)

    global _open, _flush
    _open, _flush = opened, provider.shutdown


async def finish(seconds: float) -> None:
    """Send what has not been sent yet, and nothing more; wait for that so many seconds at the most."""
    global _open
    _open, flush, done, loop = None, _flush, asyncio.Event(), asyncio.get_running_loop()
    if flush is None:
        return

    def send() -> None:
        with suppress(Exception):  # who has ended meanwhile need not know
            flush()
            loop.call_soon_threadsafe(done.set)

    Thread(target=send, daemon=True).start()  # it is not waited for when the process ends
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
