"""Spans: one for each call, below it one for each attempt at a source."""

import asyncio
import builtins
import sys
import time
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from proxy import tracing
from proxy.deployment import Deployment
from proxy.errors import ConfigError, Unavailable
from proxy.web.switch import SwitchListener
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, Bugs, FakeAdapter
from tests.unit.web.listening import ListenerServer

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    monkeypatch.setattr(tracing, "_open", None)
    monkeypatch.setattr(tracing, "_flush", None)
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    spans = InMemorySpanExporter()
    tracing.send_to(SimpleSpanProcessor(spans))
    return spans


async def traced(adapter: FakeAdapter, aiohttp_client: Any, attempts: int = 1, **headers: str) -> None:
    configuration = configured(adapter)
    source = configuration.settings.sources[0].model_copy(update={"attempts": attempts})
    object.__setattr__(configuration.sources[0], "settings", source)
    async with Deployment(configuration) as deployment:
        listener = SwitchListener(deployment.answering, lambda _: None, Bugs())
        client: TestClient[Any, Any] = await aiohttp_client(ListenerServer(listener))
        async with client.get("/musteri.json", params={"telefon": "05301234567"}, headers=headers) as response:
            assert response.status == 200


def by_name(spans: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = {}
    for span in spans.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


async def test_a_call_is_one_span_with_one_below_it_for_each_attempt(
    spans: InMemorySpanExporter, aiohttp_client: Any
) -> None:
    await traced(FakeAdapter(Unavailable("HTTP 503"), AHMET), aiohttp_client, attempts=2)
    named = by_name(spans)
    (call,) = named["call"]
    first, second = named["attempt"]
    assert call.context is not None
    for attempt in (first, second):
        assert attempt.parent is not None
        assert attempt.parent.span_id == call.context.span_id
        assert attempt.kind is SpanKind.CLIENT
        assert dict(attempt.attributes or {}) == {"tanima.source": "crm"}
    assert (first.status.status_code, first.status.description) == (StatusCode.ERROR, "HTTP 503")
    assert second.status.status_code is StatusCode.UNSET
    assert (call.parent, call.kind) == (None, SpanKind.SERVER)
    assert dict(call.attributes or {}) == {
        "tanima.caller": "+90********67",
        "tanima.reason": "no_rule",
        "tanima.via": "crm",
        "tanima.step": 1,
    }
    assert call.resource.attributes["service.name"] == "tanima"


async def test_it_is_a_part_of_the_trace_of_whoever_has_sent_it(
    spans: InMemorySpanExporter, aiohttp_client: Any
) -> None:
    await traced(FakeAdapter(AHMET), aiohttp_client, traceparent=PARENT)
    for span in spans.get_finished_spans():
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == PARENT[3:35]


async def test_nobody_is_named_and_no_number_told(spans: InMemorySpanExporter, aiohttp_client: Any) -> None:
    await traced(FakeAdapter(AHMET), aiohttp_client)
    told = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "Ahmet" not in told
    assert "5301234567" not in told


def test_the_name_of_the_service_may_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "tanima-istanbul")
    spans = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "_open", None)
    monkeypatch.setattr(tracing, "_flush", None)
    tracing.send_to(SimpleSpanProcessor(spans))
    with tracing.span("attempt"):
        pass
    assert spans.get_finished_spans()[0].resource.attributes["service.name"] == "tanima-istanbul"


def test_where_nobody_wants_them_spans_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    tracing.set_up()
    with tracing.span("call", {}) as told:
        told.tell(source="crm")
        told.fail("HTTP 503")
    assert tracing.span("call") is tracing.span("attempt")


def test_with_a_place_to_send_them_to_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    processors: list[Any] = []
    monkeypatch.setattr(tracing, "send_to", processors.append)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    tracing.set_up()
    (processor,) = processors
    processor.shutdown()


def test_without_the_packages_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def missing(name: str, *more: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return found(name, *more)

    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")
    with pytest.raises(ConfigError, match="OpenTelemetry is not installed - allowed: pip install 'tanima"):
        tracing.set_up()


@pytest.mark.parametrize("seconds", [0.0, 5.0])
async def test_at_the_end_it_is_waited_for_but_not_for_long(
    spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    done: list[float] = []

    def flush() -> None:
        time.sleep(seconds)
        done.append(seconds)

    monkeypatch.setattr(tracing, "_flush", flush)
    await asyncio.wait_for(tracing.finish(0.2 if seconds else 4), 4.5)
    assert done == ([0.0] if seconds == 0 else [])
    with tracing.span("call"):
        pass
    assert spans.get_finished_spans() == (), "nothing is sent any more"
    await tracing.finish(0.2)
