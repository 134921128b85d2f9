"""Values that are made for each call: frozen for the type checker, which sees all of the code that has them in hand.

Python's own frozen dataclasses take four times as long to be made, as they set their fields by the back door.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as per_call
else:
    from dataclasses import dataclass

    def per_call(*, frozen: bool, slots: bool) -> object:
        """Return what makes a class a dataclass that is compared and hashed like a frozen one."""
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["per_call"]
