"""What may be shown of a text in the configuration."""

import pytest

from proxy.config.masks import MASK, shown

WHERE = f"https://hook.example.com/{MASK}"


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("https://hook.example.com/abc123def456ghi7?phone={e164}", WHERE),
        ("https://hook.example.com/abc123def456ghi7#contacts", WHERE),
        ("https://hook.example.com/abc123def456ghi7/contacts", WHERE),
        ("https://hook.example.com/v1/AbCdEfGhIjKlMnOpQrSt", WHERE),
        ("https://hook.example.com/v1/AbCdEfGhIj-lMnOpQrSt/{e164}", WHERE),
        ("https://hook.example.com/v1/abcdefgh.ijklmnop.qrstuv?a=b", WHERE),
        ("https://hook.example.com/bot12345:AAbbCCdd/find", WHERE),
        ("https://only-a-token@hook.example.com/contacts", WHERE),
        ("https://hook.example.com/contacts?apikey=%2Bx", WHERE),
        ("https://hook.example.com/contacts#access_token=x", WHERE),
        ("postgresql://us:pass@db.example.com:5432/crm", f"postgresql://db.example.com:5432/{MASK}"),
        ("postgresql://us:p@ss@db.example.com/crm", f"postgresql://db.example.com/{MASK}"),
        ("postgresql://us:12/ss@db.example.com/crm", MASK),
        ("postgresql://us:pa/ss@db.example.com/crm", MASK),
        ("host=db user=us password=pass", MASK),
        ("Server=db;UID=us;PWD=pass", MASK),
        ("Endpoint=db;SharedAccessKey=abc", MASK),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdef", MASK),
    ],
)
def test_of_what_looks_like_a_secret_only_where_it_leads_is_shown(text: str, is_shown: str) -> None:
    assert shown(text) == is_shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://crm.example.com/api/v2/contacts",
        "https://crm.example.com/customer-relationship-management/contacts",
        "http://localhost:8443/contacts.json?phone={e164}&sort=name",
        "https://crm.example.com/rest/crm.duplicate.findbycomm?key={key}",
        "https://crm.example.com/rest/${CRM_CODE}/contacts?token=${CRM_TOKEN}",
        "postgresql://reader@db.example.com/crm",
        "SELECT name FROM contacts WHERE key = :phone AND u.password = :x",
        "items[?type=='token']",
        "05301234567",
    ],
)
def test_other_texts_are_shown_as_they_are(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("keys", "text", "is_shown"),
    [
        (("password",), "Sup3r", MASK),
        (("password",), "a://Sup3r", MASK),
        (("auth", "pair"), "Sup3r", MASK),
        (("password",), "ab{cd}ef", MASK),
        (("password",), "", ""),
        (("password",), "${CRM_PASSWORD}", "${CRM_PASSWORD}"),
        (("password",), "of ${CRM_TENANT}", f"{MASK}${{CRM_TENANT}}"),
        (("password_file",), "crm.password", "crm.password"),
        (("headers", "X-Both"), "Sup3r", MASK),
        (("headers",), "X-Both: Sup3r", MASK),
        (("extra_headers", "accept"), "text/xml", "text/xml"),
        (("tenant",), "acme", "acme"),
    ],
)
def test_in_options_of_an_own_adapter_the_name_tells_a_secret(keys: tuple[str, ...], text: str, is_shown: str) -> None:
    assert shown(text, keys) == is_shown


@pytest.mark.parametrize(
    ("keys", "text", "is_shown"),
    [
        (("headers", "X-Both"), "Token Zk39dkBoth {e164}", f"{MASK}{{e164}}"),
        (("headers", "X-Tenant"), "{tenant}", "{tenant}"),
        (("headers", "Content-Type"), "text/xml", "text/xml"),
        (("steps", "query", "api_key"), "Sup3r {e164}", f"{MASK}{{e164}}"),
        (("body", "auth", "user"), "us", MASK),
        (("query", "phone"), "{e164}", "{e164}"),
        (("login", "password"), "Sup3r", MASK),
        (("oauth2", "grant"), "password", "password"),
        (("oauth2", "client_auth"), "body", "body"),
        (("oauth2", "token_url"), "https://crm.example.com/oauth/token", "https://crm.example.com/oauth/token"),
        (("maps", "tiers", "key"), "id", "id"),
        (("fields", "session"), "last_session", "last_session"),
        (("login", "values", "token"), "data.token", "data.token"),
    ],
)
def test_in_options_of_ours_what_is_no_secret_is_shown(keys: tuple[str, ...], text: str, is_shown: str) -> None:
    assert shown(text, keys, is_ours=True) == is_shown


@pytest.mark.parametrize(
    ("keys", "text", "is_shown"),
    [
        (("contacts", "fields", "mobile2"), "0530 123 45 67", "•••• ••• •• 67"),
        (("contacts", "fields", "note"), "call 5301234 later", "call •••••34 later"),
        (("contacts", "fields", "order"), "123456", "123456"),
    ],
)
def test_of_a_number_in_contacts_the_last_two_digits_are_shown(keys: tuple[str, ...], text: str, is_shown: str) -> None:
    assert shown(text, keys, is_ours=True) == is_shown
