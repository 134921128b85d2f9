"""What holds of values that are made for each call."""

from dataclasses import field, replace

from proxy.values import per_call


@per_call(frozen=True, slots=True)
class Told:
    word: str
    aside: list[str] = field(default_factory=list, compare=False)


def test_they_are_compared_and_hashed_by_what_counts_in_them() -> None:
    assert Told("yes") == Told("yes", ["no"]) != Told("no")
    assert {Told("yes"): 1}[Told("yes", ["no"])] == 1
    assert repr(Told("yes")) == "Told(word='yes', aside=[])"


def test_another_is_made_of_one_and_nothing_is_kept_beside_its_fields() -> None:
    assert replace(Told("yes", ["no"]), word="no") == Told("no")
    assert not hasattr(Told("yes"), "__dict__")
