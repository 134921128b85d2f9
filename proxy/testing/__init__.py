"""Tests for integrators: the suite that every adapter must pass, and stand-ins for the clock, adapters and CRMs."""

import pytest

from proxy.testing.fakes import FakeAdapter, FakeClock
from proxy.testing.http_crm import HttpCrm, Request
from proxy.testing.tcp_link import TcpLink
from proxy.testing.under_test import CrmUnderTest, HttpCrmUnderTest, phone

pytest.register_assert_rewrite("proxy.testing.contract", "proxy.testing.parts")

from proxy.testing.contract import AdapterContract  # noqa: E402 - asserts that were loaded before tell nothing

__all__ = [
    "AdapterContract",
    "CrmUnderTest",
    "FakeAdapter",
    "FakeClock",
    "HttpCrm",
    "HttpCrmUnderTest",
    "Request",
    "TcpLink",
    "phone",
]
