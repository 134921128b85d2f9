from proxy.errors import (
    AdapterError,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InvalidNumber,
    ProxyError,
    Unavailable,
)


def test_a_config_error_carries_its_problems_and_prints_one_a_line() -> None:
    error = ConfigError(["switch.default: is missing", "sources: is empty"])
    assert error.problems == ("switch.default: is missing", "sources: is empty")
    assert str(error) == "switch.default: is missing\nsources: is empty"


def test_unavailable_asks_for_no_pause_unless_it_says_so() -> None:
    assert Unavailable("down").retry_after is None
    assert Unavailable("throttled", retry_after=30).retry_after == 30
    assert str(Unavailable("throttled", 30)) == "throttled"


def test_an_adapter_error_covers_trouble_that_may_pass_and_a_deadline_is_such_trouble() -> None:
    assert issubclass(DeadlineExceeded, Unavailable)
    assert issubclass(Unavailable, AdapterError)
    assert all(issubclass(error, ProxyError) for error in (AdapterError, ConfigError, InvalidNumber))


def test_what_may_be_a_number_is_not_told_whoever_has_written_it() -> None:
    for kind in (AdapterError, Unavailable, CircuitOpen):
        assert str(kind("no answer for +90 530 123 45 67 from 192.0.2.10:8443 (HTTP 503)")) == (
            "no answer for *** from 192.0.2.10:8443 (HTTP 503)"
        )
