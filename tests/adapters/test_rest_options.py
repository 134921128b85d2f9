"""What is wrong with options is said before the first call."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.rest import RestConfig

GOOD: dict[str, Any] = {"url": "https://crm.example.com/c/{e164}", "name": "name"}


def config(role: str | None = "find", folder: Path = Path(), **options: Any) -> RestConfig:
    return RestConfig.model_validate({**GOOD, **options}, context={"role": role, "folder": str(folder)})


URL = "is no URL of http or https - allowed: such as https://crm.example.com/contacts/{e164}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "crm.example.com/{e164}"}, URL),
        ({"url": "ftp://crm.example.com/{e164}"}, URL),
        ({"url": "http:///{e164}"}, URL),
        ({"url": "http://crm:port/{e164}"}, URL),
        ({"url": "http://crm\\@evil/{e164}"}, URL),
        ({"url": "http://crm/\n{e164}"}, URL),
        ({"url": "http://[::1/{e164}"}, URL),
        ({"url": "{e164}://crm/"}, URL),
        ({"url": "http://{e164}/"}, "has a placeholder in its host"),
        ({"url": "http://crm{e164}/"}, "has a placeholder in its host"),
        ({"url": "http://crm.example.com{e164}"}, "has a placeholder in its host"),
        ({"url": "http://crm:{digits}/"}, URL),
        ({"url": "http://a b/{e164}"}, "has a host that cannot be one"),
        ({"url": f"http://{'ü' * 70}/{{e164}}"}, "has a host that cannot be one"),
        ({"url": "http://ali:hidden@crm/{e164}"}, "has a user or a fragment"),
        ({"url": "http://crm/{e164}#x"}, "has a user or a fragment"),
        ({"url": "http://crm/a/../{e164}"}, "has a path with . or .. in it"),
        ({"url": "http://crm/%2e%2e/{e164}"}, "has a path with . or .. in it"),
        ({"url": "http://crm/{nummer}"}, "{nummer} is no form of the caller's number - allowed: {e164}, {digits}"),
        ({"query": {"q": "{owner}"}}, "{owner} is no form of the caller's number"),
        ({"headers": {"q": "{owner}"}}, "{owner} is no form of the caller's number"),
        ({"method": "POST", "body": {"a": [{"b": "{owner}"}]}}, "{owner} is no form of the caller's number"),
        ({"url": "http://crm/c"}, "names nothing to look for - allowed: one of {e164}, {digits}, {national}"),
        ({"body": {"a": 1}}, "body is given with method GET"),
        ({"method": "POST", "body": {"a": dt.date(2026, 1, 1)}}, "has a value that JSON has not"),
        ({"method": "POST", "body": {"a": float("nan")}}, "has a value that JSON has not"),
        ({"method": "POST", "body": "{e164}"}, "is neither a table nor a list"),
        ({"query": {"q": dt.date(2026, 1, 1)}}, "is no value of a parameter"),
        ({"query": {"q": [dt.date(2026, 1, 1)]}}, "has a value that JSON has not"),
        ({"method": "DELETE"}, "'GET' or 'POST'"),
        ({"headers": {"Host": "other"}}, "names 'Host', which cannot be set"),
        ({"headers": {"X Y": "z"}}, "names 'X Y', which cannot be set"),
        ({"headers": {"X": "a\r\nY: b"}}, "has a line break or the like in X"),
        ({"header": {"name": "Content-Length", "value": "1"}}, "names 'Content-Length', which cannot be set"),
        ({"bearer": "hidden\nX: y"}, "a secret has a line break or the like"),
        ({"bearer": "hidden", "basic": {"user": "a", "password": "hidden"}}, "are several ways to log in"),
        ({"bearer": "hidden", "headers": {"Authorization": "x"}}, "headers has authorization, which is set already"),
        ({"basic": {"user": "a"}}, "basic.password"),
        ({"name": "a["}, "is no JMESPath expression"),
        ({"fields": {"tier": "a b"}}, "fields.tier"),
        ({"record": ""}, "is no JMESPath expression"),
        ({"name": None}, "says nothing about a contact"),
        ({"unknown_status": [200]}, "has 200, which is trouble or success"),
        ({"unknown_status": [404, 403]}, "has 403, which is trouble or success"),
        ({"unknown_status": [503]}, "has 503, which is trouble or success"),
        ({"ping_url": "https://elsewhere.example.com/"}, "ping_url is on another host than url"),
        ({"ping_url": "http://crm.example.com/"}, "ping_url is on another host than url"),
        ({"timeout": 1}, "timeout"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        config(**options)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://crm/{e164}"}, "{e164} is not known to an enriching source - allowed: the contact's fields"),
        ({"url": "http://crm/"}, "names nothing to look for - allowed: a field of the contact"),
        ({"fields": {}}, "an enriching source only adds fields"),
        ({"name": "name"}, "an enriching source only adds fields"),
    ],
)
def test_a_wrong_option_of_an_enriching_source_is_refused(options: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"url": "http://crm/{owner}", "name": None, "fields": {"tier": "tier"}}
    config("enrich", **good)
    with pytest.raises(ValueError, match=re.escape(message)):
        config("enrich", **{**good, **options})


def test_secrets_are_not_shown_and_can_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden\n", encoding="ascii")
    logins: list[dict[str, Any]] = [
        {"bearer_file": "secret"},
        {"basic": {"user": "ali", "password_file": "secret"}},
        {"header": {"name": "X-Api-Key", "value_file": "secret"}},
        {"query": {"api_token": "hidden"}},
        {"headers": {"X-Api-Key": "hidden"}},
        {"url": "http://crm/rest/1/hidden/c?phone={e164}"},
        {"method": "POST", "body": {"key": "hidden"}},
    ]
    for login in logins:
        options = config(folder=tmp_path, **login)
        assert "hidden" not in repr(options)
    assert config(folder=tmp_path, bearer_file="secret").authorization() == {"authorization": "Bearer hidden"}


def test_a_host_may_have_letters_of_any_language_or_be_an_address() -> None:
    config(url="https://müşteri.example.com:8443/{e164}")
    config(url="http://[::1]:8080/{e164}")


def test_placeholders_are_taken_as_they_come_where_no_role_is_known() -> None:
    config(None, url="http://crm/{owner}/{e164}")
