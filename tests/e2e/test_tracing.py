"""A collector of OpenTelemetry, and a CRM, are told of the same call."""

import asyncio
import gzip
import time
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.testing import HttpCrm
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, answer_of_the_crm, head, rest_options, source
from tests.e2e.running import call

GOLD, STRANGER = PEOPLE[0].number, "05559998877"


def told_by(collector: HttpCrm) -> tuple[list[Any], list[Any]]:
    """Return the resources and the spans that have come."""
    spans, resources = [], []
    for request in collector.requests:
        assert request.path == "/v1/traces"
        told = ExportTraceServiceRequest()
        told.ParseFromString(gzip.decompress(request.body))
        resources += [each.resource for each in told.resource_spans]
        spans += [span for each in told.resource_spans for scope in each.scope_spans for span in scope.spans]
    return resources, spans


async def test_the_attempt_that_the_crm_is_told_of_is_a_child_of_the_call(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(answer_of_the_crm) as crm, HttpCrm(lambda _: b"") as collector:
        toml = head() + source("rest", rest_options(crm.url))
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        }
        with serve(toml, folder=tmp_path, environment=environment) as serving:
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD]
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD]
        for _ in range(500):  # this loop has stood still while the server ended, which has sent all before
            resources, spans = told_by(collector)
            if [span.name for span in spans].count("call") == 2:
                break
            await asyncio.sleep(0.01)
    (asked,) = crm.requests
    _, trace_id, span_id, _ = asked.headers["traceparent"].split("-")
    (attempt,) = [span for span in spans if span.name == "attempt"]
    first, second = [span for span in spans if span.name == "call"]
    assert (attempt.trace_id.hex(), attempt.span_id.hex()) == (trace_id, span_id)
    assert attempt.parent_span_id == first.span_id
    assert first.trace_id != second.trace_id
    assert {each.key: each.value.string_value for each in resources[0].attributes}.items() >= {
        "service.name": "tanima",
        "deployment.environment": "test",
    }.items()
    assert GOLD[1:].encode() not in b"".join(request.body for request in collector.requests)


async def test_a_collector_that_is_gone_holds_up_neither_calls_nor_the_end(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        toml = head() + source("rest", rest_options(crm.url))
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        with serve(toml, folder=tmp_path, environment=environment) as serving:
            answered = await call(serving, GOLD)
            assert answered.said == EXPECTED[GOLD]
            began = time.monotonic()
            assert serving.stop() == 0
            assert time.monotonic() - began < 15
        assert not serving.lines("bug")
