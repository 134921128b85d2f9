"""What a CRM can be asked about: a phone number, or a customer number that the caller has keyed."""

import re
from dataclasses import dataclass
from enum import StrEnum

from proxy.phone import PhoneNumber

LONGEST_CUSTOMER_NUMBER = 20
"""Digits."""


class By(StrEnum):
    """What a source can be asked by: the `by` of a source."""

    PHONE_NUMBER = "phone_number"
    CUSTOMER_NUMBER = "customer_number"


@dataclass(frozen=True, slots=True)
class CustomerNumber:
    """The number by which a company knows a customer, as its digits were keyed. `str()` and `repr()` are masked.

    Raises ValueError for anything but one to LONGEST_CUSTOMER_NUMBER digits.
    """

    digits: str
    """`0012345`"""

    def __post_init__(self) -> None:
        if not re.fullmatch(rf"[0-9]{{1,{LONGEST_CUSTOMER_NUMBER}}}", self.digits):
            raise ValueError(f"is no customer number - allowed: 1 to {LONGEST_CUSTOMER_NUMBER} digits")

    @property
    def customer_number(self) -> str:
        """The digits, under the name that they have as a placeholder."""
        return self.digits

    @property
    def is_nobodys(self) -> bool:
        """Whether there is nothing in it but zeros, as in a column that was never filled in."""
        return not self.digits.strip("0")

    def is_in(self, text: str) -> bool:
        """Tell whether a CRM's field is this number: its digits are the same but for zeros before them.

        So `C-00123` is what 123 and 00123 are keyed for: the letters are not on a telephone.
        """
        return not self.is_nobodys and re.sub("[^0-9]", "", text).lstrip("0") == self.digits.lstrip("0")

    def __str__(self) -> str:
        return f"{'*' * (len(self.digits) - 2)}{self.digits[-2:]}" if len(self.digits) > 3 else "***"  # noqa: PLR2004

    def __repr__(self) -> str:
        return f"CustomerNumber({self})"


Key = PhoneNumber | CustomerNumber


def kind_of(key: Key) -> By:
    """Return what kind of key this is."""
    return By.CUSTOMER_NUMBER if isinstance(key, CustomerNumber) else By.PHONE_NUMBER
