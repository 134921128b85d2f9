"""Whether a contact can be the one that a CRM was asked about: what the proxy checks too, ahead of it."""

from collections.abc import Collection

from proxy.adapter import Contact, Key, PhoneNumber


def can_be_checked(contact: Contact, key: Key) -> bool:
    """Tell whether a contact names any number of the key's kind; one that does not passes for anybody's."""
    return bool(contact.numbers if isinstance(key, PhoneNumber) else contact.customer_number)


def is_held(key: Key, contacts: Collection[Contact]) -> bool:
    """Tell whether one of the contacts holds the key."""
    if isinstance(key, PhoneNumber):
        return any(key.found_in(text for contact in contacts for text in contact.numbers))
    return any(key.is_in(contact.customer_number) for contact in contacts)


def can_be_the_callers(key: Key, contacts: Collection[Contact]) -> bool:
    """Tell whether the proxy will take one of the contacts for the caller's."""
    return any(not can_be_checked(contact, key) for contact in contacts) or is_held(key, contacts)
