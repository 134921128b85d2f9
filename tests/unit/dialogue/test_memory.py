from dataclasses import replace

from proxy.dialogue import Memory, Progress
from proxy.dialogue.memory import KEPT_FOR, MOST_TURNS
from proxy.model import Call, Heard
from proxy.phone import Withheld
from tests.unit.fakes import LANDLINE, MONDAY_NOON, NUMBER, OTHER_NUMBER, FakeClock

CALL = Call(NUMBER, MONDAY_NOON, LANDLINE, "u-1", can_be_asked=True)


def memory(clock: FakeClock | None = None, calls: int = 10) -> Memory[str, str]:
    return Memory(clock or FakeClock(), calls)


def test_a_call_is_remembered_by_its_id_and_both_numbers() -> None:
    remembered = memory()
    remembered.recall(CALL).asked = "customer_no"
    assert remembered.recall(replace(CALL, step=2, heard=Heard(said="x"))).asked == "customer_no"
    for other in ({"call_id": "u-2"}, {"caller": OTHER_NUMBER}, {"caller": Withheld()}, {"called": None}):
        assert remembered.recall(replace(CALL, **other)).asked == "", other
    assert len(remembered) == 5


def test_a_call_is_forgotten_some_time_after_its_last_question() -> None:
    clock = FakeClock()
    remembered = memory(clock)
    remembered.recall(CALL).asked = "customer_no"
    clock.now += KEPT_FOR - 1
    assert remembered.recall(CALL).asked == "customer_no"
    clock.now += KEPT_FOR - 1
    assert remembered.recall(CALL).asked == "customer_no"
    clock.now += KEPT_FOR + 1
    assert remembered.recall(CALL).asked == ""


def test_so_many_calls_are_remembered_and_no_more() -> None:
    remembered = memory(calls=3)
    for place in range(100):
        remembered.recall(replace(CALL, call_id=f"u-{place}")).asked = str(place)
    assert len(remembered) == 3
    assert [remembered.recall(replace(CALL, call_id=f"u-{place}")).asked for place in (97, 98, 99)] == [
        "97",
        "98",
        "99",
    ]


def test_so_many_answers_of_a_call_are_remembered_and_no_more() -> None:
    progress: Progress[str, str] = Progress()
    for step in range(1000):
        progress.keep((step, Heard()), "answer")
        progress.keep((step, Heard()), "another")
    assert [*progress.answers] == [(step, Heard()) for step in range(1000 - MOST_TURNS, 1000)]
    assert {*progress.answers.values()} == {"another"}


KNOWN = (CALL.call_id, CALL.caller, CALL.called)


def test_a_call_that_begins_is_remembered_and_made_when_it_is_recalled() -> None:
    clock = FakeClock()
    remembered = memory(clock)
    made: list[Progress[str, str]] = []

    def begun() -> Progress[str, str]:
        made.append(Progress("known"))
        return made[-1]

    assert remembered.is_new(KNOWN)
    remembered.begin(KNOWN, begun)
    assert not remembered.is_new(KNOWN)
    assert made == []
    assert remembered.recall(CALL) is remembered.recall(CALL) is made[0]
    assert (len(made), len(remembered)) == (1, 1)
    clock.now += KEPT_FOR
    assert remembered.is_new(KNOWN)
    remembered.begin(KNOWN, begun)
    assert (len(remembered), remembered.is_new(KNOWN)) == (1, False)


def test_so_many_that_begin_are_remembered_and_no_more() -> None:
    remembered = memory(calls=3)
    for place in range(9):
        remembered.begin((f"u-{place}", NUMBER, LANDLINE), Progress)
    assert [remembered.is_new((f"u-{place}", NUMBER, LANDLINE)) for place in (5, 6, 8)] == [True, False, False]
    assert len(remembered) == 3


def test_all_calls_can_be_forgotten() -> None:
    remembered = memory()
    remembered.recall(CALL).asked = "customer_no"
    remembered.clear()
    assert len(remembered) == 0
    assert remembered.recall(CALL).asked == ""
