"""What a placeholder in a statement or a request stands for: what a caller is looked for by, or a contact's field."""

from collections.abc import Collection

from pydantic import ValidationInfo

from proxy.adapter import By, Contact, Key, PhoneNumber, Scalar

NUMBER_FORMS = ("e164", "digits", "national", "subscriber", "international")
"""The names that a source with the role `find` may use. An enriching one may use any other."""

CUSTOMER_NUMBER = "customer_number"
"""The name in a source that is asked by what the caller has keyed; in others it is the contact's, as `id` is."""


def by_of(info: ValidationInfo) -> frozenset[By]:
    """Return what the source is asked by."""
    by: frozenset[By] = (info.context or {}).get("by", frozenset({By.PHONE_NUMBER}))
    return by


def refuse_wrong_names(
    names: Collection[str],
    info: ValidationInfo,
    written: str,
    forms: Collection[str] = NUMBER_FORMS,
    given: Collection[str] = (),
) -> None:
    """Raise ValueError when a placeholder cannot be filled in the source's role, and by what it is asked by.

    `written`: `:%s` or `{%s}`. `forms` are those of the caller's number, `given` the other names that there are.
    """
    role = (info.context or {}).get("role")
    allowed = [*forms_for(info, forms), *sorted(given)]
    for name in sorted({*names} - {*given}):
        if role == "find" and name not in allowed:
            told = (
                "is no form of the caller's number" if By.PHONE_NUMBER in by_of(info) else "is not the customer number"
            )
            if name in {*forms, CUSTOMER_NUMBER}:
                told = "is for a source with another by"
            raise ValueError(f"{written % name} {told} - allowed: {', '.join(written % each for each in allowed)}")
        if role == "enrich" and name in forms:
            raise ValueError(f"{written % name} is not known to an enriching source - allowed: the contact's fields")


def refuse_none(names: Collection[str], info: ValidationInfo, written: str) -> None:
    """Raise ValueError when there is no placeholder at all: every caller would be the same contact."""
    if not names:
        forms = [written % form for form in forms_for(info, NUMBER_FORMS)]
        allowed = f"one of {', '.join(forms)}" if len(forms) > 1 else forms[0]
        if (info.context or {}).get("role") == "enrich":
            allowed = "a field of the contact"
        raise ValueError(f"names nothing to look for - allowed: {allowed}")


def forms_for(info: ValidationInfo, forms: Collection[str]) -> list[str]:
    """Return the names that stand for what the source is asked by. `forms` are those of a phone number."""
    by = by_of(info)
    return [*(forms if By.PHONE_NUMBER in by else ()), *([CUSTOMER_NUMBER] if By.CUSTOMER_NUMBER in by else ())]


def key_values(key: Key, forms: Collection[str]) -> dict[str, Scalar]:
    """Return what the placeholders stand for when a contact is looked for. `forms` are those of a phone number."""
    return {name: getattr(key, name) for name in (forms if isinstance(key, PhoneNumber) else (CUSTOMER_NUMBER,))}


def contact_values(contact: Contact, names: Collection[str]) -> dict[str, Scalar] | None:
    """Return what the placeholders stand for when a contact gets more fields; None when it lacks one of them.

    An empty text, and the `false` that some CRMs have for it, are lacking too: `/users/` would be all users.
    """
    values = {name: contact.value(name) for name in names}
    return None if any(value is None or value is False or value == "" for value in values.values()) else values
