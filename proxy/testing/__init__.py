"""Tests for integrators: the suite that every adapter must pass, and stand-ins for the clock, adapters and CRMs."""

import pytest

pytest.register_assert_rewrite("proxy.testing.contract", "proxy.testing.parts")

from proxy.testing.contract import AdapterContract  # noqa: E402 - after the line above, for readable failures
from proxy.testing.fakes import FakeAdapter, FakeClock  # noqa: E402 - after the line above
from proxy.testing.http_crm import HttpCrm, Request  # noqa: E402 - after the line above
from proxy.testing.tcp_link import TcpLink  # noqa: E402 - after the line above
from proxy.testing.under_test import CrmUnderTest, HttpCrmUnderTest, phone  # noqa: E402 - after the line above

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
