"""Whatever the switch asks, in whatever order, every answer is one that it understands, and no call hears another's."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.adapter import Adapter, AdapterError, By, Contact, CustomerNumber, PhoneNumber, Unavailable
from proxy.deployment import Deployment
from tests.lengths import at_length
from tests.unit.talking import STEPS, CustomerBook, Talk, talkative

CALLS = 6
KEYED = ["", "1", "2", "100", "101", "102", "103", "104", "105", "999", "abc", "7" * 9]
SAID = ["", "satış", "destek lütfen", "1 0 3", "???"]
MORE_STEPS: Mapping[str, Any] = {
    **STEPS,
    "menu": {"announcement": 7, "choose": {"1": "customer_no", "2": "menu"}, "otherwise": "topic", "attempts": 3},
    "topic": {"announcement": 8, "listen": 5, "choose": {"satış": "queue/301", "destek": "consent"}},
    "consent": {"phrase": "Kaydediliyor.", "record": True, "then": "order"},
    "order": {"phrase": "Sipariş?", "keep": "order_no"},
}
RULES = [
    {"name": "own agent", "when": {"owner": {"present": True}}, "target": "user/{owner}"},
    {"name": "order", "caller": {"kind": "anyone"}, "when": {"order_no": "104"}, "target": "queue/104"},
    {"name": "ask", "caller": {"kind": "anyone"}, "ask": "menu"},
]


class Company(Adapter):
    """Has the customers 100 to 105, whose agents have the numbers 1100 to 1105, and fails now and then."""

    asked_by = frozenset(By)

    def __init__(self, troubles: Sequence[int]) -> None:
        self.troubles = {*troubles}
        self.count = 0

    async def lookup(self, key: PhoneNumber | CustomerNumber) -> Contact | None:
        self.count += 1
        await asyncio.sleep(self.count % 3 * 0.0005)
        if self.count in self.troubles:
            raise (AdapterError if self.count % 2 else Unavailable)("made up")
        if isinstance(key, CustomerNumber) and key.digits in {f"{100 + place}" for place in range(CALLS)}:
            return Contact(f"Müşteri {key.digits}", {"owner": f"1{key.digits}"}, customer_number=key.digits)
        return None


turns = st.tuples(
    st.integers(0, CALLS - 1),
    st.integers(1, 8),
    st.one_of(
        st.just({}),
        st.dictionaries(st.sampled_from(["customer_no", "menu", "order", "x"]), st.sampled_from(KEYED), max_size=2),
        st.fixed_dictionaries({"result": st.sampled_from(SAID)}),
        st.fixed_dictionaries({"menu": st.sampled_from(KEYED), "error": st.sampled_from(["", "failed"])}),
    ),
)


@settings(max_examples=at_length(150, otherwise=75), deadline=None)
@given(st.lists(turns, max_size=40), st.lists(st.integers(1, 40), max_size=4), st.integers(0, 40))
def test_whatever_is_asked_in_whatever_order_the_answers_are_good_and_the_same_when_repeated(
    asked: list[tuple[int, int, dict[str, str]]], troubles: list[int], forgotten_at: int
) -> None:
    async def run() -> None:
        async with Deployment(talkative(Company(troubles), steps=MORE_STEPS, rules=RULES)) as deployment:
            talks = [Talk(deployment, f"0555000000{place}", uuid=f"u-{place}") for place in range(CALLS)]
            answered: dict[str, Any] = {}
            for place, (call, step, heard) in enumerate(asked):
                if place == forgotten_at:
                    deployment.dialogues.memory.clear()
                    answered.clear()
                talks[call].step = step
                answer = await talks[call].again(**heard)
                assert_is_understood(answer)
                assert_is_about_what_was_keyed(answer, [turn for turn in asked[: place + 1] if turn[0] == call])
                turn = f"{call} {step} {sorted(heard.items())}"
                assert answered.setdefault(turn, answer) == answer
                questions = sum(key.startswith(f"{call} ") and "transfer" not in told for key, told in answered.items())
                assert questions <= 2 * 5, "what is asked is bounded, also after everything was forgotten"

    asyncio.run(run())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(KEYED), min_size=1, max_size=5), min_size=CALLS, max_size=CALLS), st.data())
def test_calls_that_come_all_at_once_are_answered_as_if_each_were_alone(keyed: list[list[str]], data: Any) -> None:
    async def alone(numbers: list[str], place: int) -> list[Any]:
        async with Deployment(talkative(Company([]), rules=BY_NUMBER)) as deployment:
            return await held(deployment, numbers, place)

    async def together() -> list[list[Any]]:
        async with Deployment(talkative(Company([]), rules=BY_NUMBER)) as deployment:
            return [*await asyncio.gather(*(held(deployment, each, place) for place, each in enumerate(keyed)))]

    async def run() -> None:
        assert await together() == [await alone(each, place) for place, each in enumerate(keyed)]

    asyncio.run(run())


BY_NUMBER = [
    {"name": "own agent", "when": {"owner": {"present": True}}, "target": "user/{owner}"},
    {"name": "strangers", "caller": {"kind": "unknown"}, "ask": "customer_no"},
]


async def held(deployment: Deployment, numbers: list[str], place: int) -> list[Any]:
    talk = Talk(deployment, f"0555000000{place}", uuid=f"u-{place}")
    answers = [await talk.next()]
    for number in numbers:
        if "transfer" in answers[-1]:
            break
        answers.append(await talk.next(customer_no=number))
        assert await talk.again(customer_no=number) == answers[-1]
    return answers


def assert_is_understood(answer: Any) -> None:
    ((action, told),) = answer.items()
    assert action in {"transfer", "prompt", "record", "speech_to_text"}
    if action == "transfer":
        assert told["target"].startswith(("queue/", "user/"))
    if action == "prompt":
        assert told["param_name"] in MORE_STEPS


def assert_is_about_what_was_keyed(answer: Any, turns_of_the_call: list[tuple[int, int, dict[str, str]]]) -> None:
    """Nobody gets a customer's name or agent who has not keyed that customer's number in the same call."""
    told = answer.get("transfer", {})
    keyed = {text for _, _, heard in turns_of_the_call for text in heard.values()}
    if told.get("greet_name"):
        assert told["greet_name"].removeprefix("Müşteri ") in keyed
    if told.get("target", "").startswith("user/1"):
        assert told["target"].removeprefix("user/1") in keyed


async def test_ten_thousand_guesses_of_one_caller_are_five_lookups() -> None:
    book, names = CustomerBook(), []
    async with Deployment(talkative(book)) as deployment:
        for place in range(10_000):
            talk = Talk(deployment, uuid=f"u-{place}")
            talk.step = 1
            answer = await talk.next(customer_no="777" if place % 2 else str(10_000 + place))
            names.append(answer.get("transfer", {}).get("greet_name"))
    keyed = [key.digits for key in book.asked if isinstance(key, CustomerNumber)]
    assert keyed == ["10000", "777", "10002", "10004"], "777 a second time comes out of the cache"
    assert [name for name in names if name] == ["Ayşe Demir"] * 2
