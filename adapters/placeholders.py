"""What a placeholder in a statement or a request stands for: a form of the caller's number, or a contact's field."""

from collections.abc import Collection

from pydantic import ValidationInfo

from proxy.adapter import Contact, PhoneNumber, Scalar

NUMBER_FORMS = ("e164", "digits", "national", "subscriber", "international")
"""The names that a source with the role `find` may use. An enriching one may use any other."""


def refuse_wrong_names(
    names: Collection[str], info: ValidationInfo, written: str, forms: Collection[str] = NUMBER_FORMS
) -> None:
    """Raise ValueError when a placeholder cannot be filled in the source's role. `written`: `:%s` or `{%s}`."""
    role = (info.context or {}).get("role")
    allowed = ", ".join(written % form for form in forms)
    for name in sorted(names):
        if role == "find" and name not in forms:
            raise ValueError(f"{written % name} is no form of the caller's number - allowed: {allowed}")
        if role == "enrich" and name in forms:
            raise ValueError(f"{written % name} is not known to an enriching source - allowed: the contact's fields")


def refuse_none(names: Collection[str], info: ValidationInfo, written: str) -> None:
    """Raise ValueError when there is no placeholder at all: every caller would be the same contact."""
    if not names:
        forms = ", ".join(written % form for form in NUMBER_FORMS)
        allowed = "a field of the contact" if (info.context or {}).get("role") == "enrich" else f"one of {forms}"
        raise ValueError(f"names nothing to look for - allowed: {allowed}")


def number_values(key: PhoneNumber, names: Collection[str]) -> dict[str, Scalar]:
    """Return what the placeholders stand for when a contact is looked for."""
    return {name: getattr(key, name) for name in names}


def contact_values(contact: Contact, names: Collection[str]) -> dict[str, Scalar] | None:
    """Return what the placeholders stand for when a contact gets more fields; None when it lacks one of them.

    An empty text, and the `false` that some CRMs have for it, are lacking too: `/users/` would be all users.
    """
    values = {name: contact.value(name) for name in names}
    return None if any(value is None or value is False or value == "" for value in values.values()) else values
