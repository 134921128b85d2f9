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
        progress.answers[(step, Heard())] = "answer"
    assert len(progress.answers) == MOST_TURNS


def test_all_calls_can_be_forgotten() -> None:
    remembered = memory()
    remembered.recall(CALL).asked = "customer_no"
    remembered.clear()
    assert len(remembered) == 0
    assert remembered.recall(CALL).asked == ""
