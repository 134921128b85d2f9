"""What is known about a number, with its times; and the same in one piece of bytes, as it is kept by the million.

The garbage collector does not look at bytes, and they take far less memory than the objects.
"""

import json
import math
from collections.abc import Iterable
from json.encoder import encode_basestring
from struct import Struct
from types import MappingProxyType

from proxy.model import Contact, Scalar
from proxy.values import per_call


@per_call(frozen=True, slots=True)
class Entry:
    """A contact, or None for "the CRM does not know it", with the times until which it is good."""

    contact: Contact | None
    fresh_until: float
    stale_until: float
    refresh_from: float = math.inf
    """From then on a call lets the CRM be asked again, ahead of expiry"""
    recheck_from: float = -math.inf
    """Until then a stale contact answers without a lookup, since one has failed"""
    ambiguous: bool = False
    """There is no contact because the CRM has several, of which none may be chosen"""

    def is_fresh(self, now: float) -> bool:
        """Tell whether the entry may answer a call without asking the CRM."""
        return now < self.fresh_until


Times = tuple[float, float, float, float, bool]
"""Of an entry: all but the contact, in their order"""

_AMBIGUOUS, _LONG = 1, 2
"""Bits of the first byte: the CRM has several contacts; four times follow, and not two"""

_SHORT_HEAD, _LONG_HEAD = Struct("<Bdd"), Struct("<Bdddd")

short_head = _SHORT_HEAD.pack
"""What `join` puts in front of most contacts: that it is not ambiguous, 0; fresh and stale until."""

_BEFORE_NUMBERS = "\n"
"""A blank to JSON, and in none of its texts"""

_to_json = json.JSONEncoder(ensure_ascii=False).encode
_text = encode_basestring
_from_json = json.JSONDecoder().raw_decode
_UTF_8 = "utf-8", "surrogatepass"
"""Whatever an adapter calls a field"""


def pack(entry: Entry) -> bytes:
    """Return an entry as bytes: its times, then the contact as JSON. Fields whose names are no texts are left out."""
    contact, times = entry.contact, (entry.fresh_until, entry.stale_until, entry.refresh_from, entry.recheck_from)
    if contact is None:
        return join(b"", *times, entry.ambiguous)
    named: Iterable[tuple[object, Scalar]] = contact.fields.items()
    fields = ",".join([f"{_text(name)}:{_scalar(value)}" for name, value in named if isinstance(name, str)])
    numbers = f"{_BEFORE_NUMBERS},{','.join(map(_text, contact.numbers))}" if contact.numbers else ""
    texts = f"{_text(contact.name)},{_text(contact.id)},{_text(contact.customer_number)}"
    about = f"[{texts},{{{fields}}}{numbers}]"
    return join(about.encode(*_UTF_8), *times, entry.ambiguous)


def _scalar(value: Scalar) -> str:
    """Return a field as JSON. To make an encoder of `json` for each contact takes four times as long."""
    if type(value) is str:
        return _text(value)
    return repr(value) if type(value) in {int, float} else _to_json(value)


def unpack(packed: bytes) -> Entry:
    """Return the entry that was packed."""
    times, about = split(packed)
    if not about:
        return Entry(None, *times)
    (name, key, customer_number, fields, *numbers), _ = _from_json(about.decode(*_UTF_8))
    contact, put = object.__new__(Contact), object.__setattr__  # its values have been looked at, which takes long
    put(contact, "name", name)
    put(contact, "fields", MappingProxyType(fields))
    put(contact, "numbers", tuple(numbers))
    put(contact, "id", key)
    put(contact, "customer_number", customer_number)
    return Entry(contact, *times)


def split(packed: bytes) -> tuple[Times, bytes]:
    """Return the times of a packed entry, and the bytes of its contact: none where there is none."""
    kind, fresh_until, stale_until = _SHORT_HEAD.unpack_from(packed)
    if kind & _LONG:
        kind, *times = _LONG_HEAD.unpack_from(packed)
        return (*times, bool(kind & _AMBIGUOUS)), packed[_LONG_HEAD.size :]
    return (fresh_until, stale_until, math.inf, -math.inf, bool(kind)), packed[_SHORT_HEAD.size :]


def join(  # noqa: PLR0913, PLR0917 - all that an entry has, and called by the million
    about: bytes,
    fresh_until: float,
    stale_until: float,
    refresh_from: float = math.inf,
    recheck_from: float = -math.inf,
    ambiguous: bool = False,  # noqa: FBT001, FBT002 - a value, as the others
) -> bytes:
    """Return a packed entry with these times, and the bytes of a contact out of another."""
    if refresh_from == math.inf and recheck_from == -math.inf:
        return _SHORT_HEAD.pack(ambiguous, fresh_until, stale_until) + about
    return _LONG_HEAD.pack(ambiguous | _LONG, fresh_until, stale_until, refresh_from, recheck_from) + about


def without_numbers(about: bytes) -> bytes:
    """Return the bytes of a contact without the numbers that the CRM has for it."""
    place = about.find(_BEFORE_NUMBERS.encode())
    return about if place < 0 else about[:place] + b"]"
