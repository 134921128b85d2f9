"""What callers are asked, and what becomes of their answers."""

import asyncio
from typing import Any

import pytest

from proxy.adapter import AdapterError, Contact, CustomerNumber, PhoneNumber, Unavailable
from proxy.deployment import Deployment
from proxy.detached import detach
from proxy.dialects.santral_programlama import SantralProgramlama
from proxy.model import Outcome, Reason, Via
from tests.unit.fakes import MONDAY_NOON, in_virtual_time, transfer_of
from tests.unit.talking import AYSE, RULES, STEPS, STRANGER, CustomerBook, Talk, talkative

ASKED = {
    "prompt": {
        "phrase": "Müşteri numaranızı tuşlayın.",
        "lang": "tr-TR",
        "min_digits": "3",
        "max_digits": "8",
        "retry_count": "1",
        "param_name": "customer_no",
    }
}
ASKED_AGAIN = {"prompt": {**ASKED["prompt"], "phrase": "Bulamadık. Yeniden tuşlayın."}}
FOUND = {"transfer": {"greet_name": "Ayşe Demir", "lang": "tr-TR", "target": "user/1005"}}
UNKNOWN = {"transfer": {"target": "queue/202"}}
DEFAULT = {"transfer": {"target": "queue/200"}}
MENU = {
    "menu": {
        "announcement": 7,
        "choose": {"1": "queue/301", "2": "customer_no", "9": "menu"},
        "otherwise": "queue/309",
        "retries": 0,
    }
}
ASK_MENU = [{"name": "all", "caller": {"kind": "anyone"}, "ask": "menu"}]


def outcome(talk: Talk) -> tuple[Reason, Outcome | None]:
    assert talk.decision is not None
    return talk.decision.reason, talk.decision.heard


def told(talk: Talk) -> tuple[str, str]:
    assert talk.decision is not None
    return talk.decision.rule, talk.decision.step


async def test_a_stranger_is_asked_for_a_customer_number_until_it_is_right() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        assert await talk.next() == ASKED
        assert (outcome(talk), told(talk)) == ((Reason.ASKED, None), ("strangers", "customer_no"))
        assert await talk.next(customer_no="12345", error="") == ASKED_AGAIN
        assert outcome(talk) == (Reason.ASKED, Outcome.NOT_FOUND)
        assert await talk.next(customer_no="777", error="") == FOUND
        assert (outcome(talk), told(talk)) == ((Reason.RULE, Outcome.FOUND), ("own agent", ""))
    assert [str(key) for key in book.asked] == ["+90********77", "***45", "***"]


@pytest.mark.parametrize(
    ("heard", "came_of_it"),
    [
        ({"customer_no": "", "error": ""}, Outcome.NOTHING),
        ({"customer_no": "777", "error": "failed"}, Outcome.NOTHING),
        ({"error": ""}, Outcome.NOTHING),
        ({}, Outcome.NOTHING),
    ],
)
async def test_when_nothing_is_keyed_the_rules_decide_without_asking(
    heard: dict[str, str], came_of_it: Outcome
) -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        await talk.next()
        assert await talk.next(**heard) == UNKNOWN
        assert outcome(talk) == (Reason.UNKNOWN_CALLER, came_of_it)


async def test_a_step_is_asked_as_often_as_it_says() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        assert await talk.next() == ASKED
        assert await talk.next(customer_no="1") == ASKED_AGAIN
        assert outcome(talk) == (Reason.ASKED, Outcome.MISUNDERSTOOD)
        assert await talk.next(customer_no="12345") == UNKNOWN
        assert outcome(talk) == (Reason.UNKNOWN_CALLER, Outcome.NOT_FOUND)
    assert len(book.asked) == 2


async def test_a_rule_that_asks_leads_to_its_target_when_it_has_asked() -> None:
    rules = [{**RULES[0], "target": "queue/205"}, RULES[1]]
    async with Deployment(talkative(rules=rules)) as deployment:
        talk = Talk(deployment)
        assert await talk.next() == ASKED
        assert await talk.next(customer_no="") == {"transfer": {"target": "queue/205"}}
        assert outcome(talk) == (Reason.RULE, Outcome.NOTHING)


async def test_a_known_caller_is_not_asked() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment, "05301234567")
        answer = {"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/200"}}
        assert await talk.next() == answer
        assert outcome(talk) == (Reason.NO_RULE, None)


async def test_who_withholds_his_number_may_key_a_customer_number() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment, "")
        assert await talk.next() == ASKED
        assert await talk.next(customer_no="00777") == FOUND


async def test_another_phone_number_may_be_keyed() -> None:
    steps = {"other_phone": {"announcement": 5, "look_up": "phone_number"}}
    rules = [{"name": "strangers", "caller": {"kind": "unknown"}, "ask": "other_phone"}]
    async with Deployment(talkative(steps=steps, rules=rules)) as deployment:
        talk = Talk(deployment)
        await talk.next()
        assert (await talk.next(other_phone="05301234567"))["transfer"]["greet_name"] == "Ahmet Yılmaz"


async def test_when_the_crm_cannot_say_whose_number_it_is_the_call_gets_the_default() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        await talk.next()
        book.trouble = AdapterError("refused")
        assert await talk.next(customer_no="777") == DEFAULT
        assert outcome(talk) == (Reason.CRM_FAILED, Outcome.FAILED)
        book.trouble = None
        assert await talk.again(customer_no="777") == DEFAULT, "a repetition is answered as before"
        assert len(book.asked) == 2


async def test_a_menu_leads_to_targets_and_steps_and_back_to_itself() -> None:
    async with Deployment(talkative(steps={**STEPS, **MENU}, rules=ASK_MENU)) as deployment:
        talk = Talk(deployment)
        menu = await talk.next()
        assert menu["prompt"]["announcement_id"] == "7"
        assert (menu["prompt"]["min_digits"], menu["prompt"]["max_digits"]) == ("1", "1")
        assert await talk.next(menu="9") == menu
        assert await talk.next(menu="2") == ASKED
        assert (await talk.next(customer_no="777"))["transfer"]["greet_name"] == "Ayşe Demir"
        other = Talk(deployment, uuid="u-2")
        await other.next()
        assert await other.next(menu="1") == {"transfer": {"target": "queue/301"}}
        assert outcome(other) == (Reason.ANSWERED, Outcome.CHOSEN)


async def test_a_step_says_where_it_leads_when_it_is_not_answered_well() -> None:
    async with Deployment(talkative(steps={**STEPS, **MENU}, rules=ASK_MENU)) as deployment:
        talk = Talk(deployment)
        await talk.next()
        assert await talk.next(menu="") == {"transfer": {"target": "queue/309"}}
        assert outcome(talk) == (Reason.NO_ANSWER, Outcome.NOTHING)


async def test_loops_end_after_so_many_questions() -> None:
    sections: Any = {"dialogue": {"max_steps": 4}}
    async with Deployment(talkative(steps={**STEPS, **MENU}, rules=ASK_MENU, **sections)) as deployment:
        talk = Talk(deployment)
        questions = 0
        answer = await talk.next()
        while "prompt" in answer:
            questions += 1
            answer = await talk.next(menu="9")
        assert (questions, answer) == (4, {"transfer": {"target": "queue/309"}})
        assert outcome(talk) == (Reason.NO_ANSWER, Outcome.CHOSEN)
        assert talk.decision is not None
        assert talk.decision.not_asked == "menu"


async def test_where_no_more_may_be_asked_and_no_target_is_said_the_rules_decide() -> None:
    steps = {**STEPS, "menu": {**MENU["menu"], "otherwise": "customer_no"}}
    sections: Any = {"dialogue": {"max_steps": 1}}
    async with Deployment(talkative(steps=steps, rules=ASK_MENU, **sections)) as deployment:
        talk = Talk(deployment)
        await talk.next()
        assert await talk.next(menu="9") == UNKNOWN


async def test_what_is_kept_is_a_field_for_the_rules() -> None:
    steps = {"extension": {"phrase": "Dahili numara?", "digits": "4", "keep": "extension"}}
    rules = [
        {"name": "the boss", "caller": {"kind": "unknown"}, "when": {"extension": "1000"}, "target": "queue/1"},
        {"name": "dial", "caller": {"kind": "unknown"}, "ask": "extension", "target": "user/{extension}"},
    ]
    async with Deployment(talkative(steps=steps, rules=rules)) as deployment:
        for keyed, target in (("1005", "user/1005"), ("1000", "queue/1"), ("", "queue/202")):
            talk = Talk(deployment, uuid=keyed)
            assert "prompt" in await talk.next()
            assert (await talk.next(extension=keyed))["transfer"]["target"] == target


async def test_a_kept_answer_may_lead_to_a_next_step_and_is_still_there_then() -> None:
    steps = {
        "topic": {"announcement": 4, "listen": 5, "keep": "topic", "then": "customer_no"},
        **STEPS,
    }
    rules = [
        {"name": "sales", "when": {"topic": "satış"}, "target": "queue/301"},
        {"name": "ask", "caller": {"kind": "unknown"}, "ask": "topic"},
    ]
    async with Deployment(talkative(steps=steps, rules=rules)) as deployment:
        talk = Talk(deployment)
        assert await talk.next() == {"speech_to_text": {"announcement_id": "4", "recognation_duration": 5}}
        assert await talk.next(result="satış", error="") == ASKED
        assert outcome(talk) == (Reason.ASKED, Outcome.KEPT)
        assert (await talk.next(customer_no="777"))["transfer"]["target"] == "queue/301"


async def test_what_the_crm_has_a_field_for_is_its_to_say() -> None:
    steps = {"owner": {"phrase": "?", "keep": "owner"}}
    rules = [{"name": "ask", "ask": "owner", "target": "user/{owner}"}]

    class WithoutOwner(CustomerBook):
        async def lookup(self, key: PhoneNumber | CustomerNumber) -> Contact | None:
            return Contact("Ahmet", {"owner": None})

    async with Deployment(talkative(WithoutOwner(), steps=steps, rules=rules)) as deployment:
        talk = Talk(deployment)
        await talk.next()
        answer = await talk.next(owner="1000")
        assert answer["transfer"]["target"] == "queue/200"


async def test_a_caller_may_be_recorded_and_go_on() -> None:
    steps = {"consent": {"phrase": "Ses kaydınız alınıyor.", "record": True, "then": "queue/301"}}
    rules = [{"name": "all", "caller": {"kind": "anyone"}, "ask": "consent"}]
    async with Deployment(talkative(steps=steps, rules=rules)) as deployment:
        talk = Talk(deployment)
        assert await talk.next() == {"record": {"phrase": "Ses kaydınız alınıyor.", "lang": "tr-TR"}}
        assert await talk.next() == {"transfer": {"target": "queue/301"}}
        assert outcome(talk) == (Reason.ANSWERED, Outcome.RECORDED)


async def test_the_language_of_the_rule_that_has_asked_counts_in_all_of_the_dialogue() -> None:
    both = {"tr-TR": "Tuşlayın.", "en-US": "Please key."}
    steps = {
        "customer_no": {"phrase": both, "look_up": "customer_number", "otherwise": "menu"},
        "menu": {"phrase": both, "choose": {"1": "tts/en-US/Bye"}, "otherwise": "queue/309"},
    }
    rules = [
        {"name": "all", "caller": {"kind": "unknown"}, "ask": "customer_no", "language": "en-US", "recording": False}
    ]
    async with Deployment(talkative(steps=steps, rules=rules)) as deployment:
        talk = Talk(deployment)
        asked = [await talk.next(), await talk.next(customer_no="12345"), await talk.next(customer_no="")]
        assert [each["prompt"]["phrase"] for each in asked] == ["Please key."] * 3
        assert await talk.next(menu="") == {"transfer": {"recording_enabled": False, "target": "queue/309"}}


@in_virtual_time
async def test_when_the_crm_is_back_the_next_question_is_answered_by_what_it_says() -> None:
    book = CustomerBook()
    book.trouble = AdapterError("refused")
    rules = [{"name": "all", "caller": {"kind": "anyone"}, "ask": "customer_no"}]
    async with Deployment(talkative(book, rules=rules)) as deployment:
        talk = Talk(deployment, "05301234567")
        assert await talk.next() == ASKED
        book.trouble = None
        await asyncio.sleep(10)
        answer = await talk.next(customer_no="")
        assert answer["transfer"]["greet_name"] == "Ahmet Yılmaz"


@in_virtual_time
async def test_who_has_keyed_his_number_stays_who_he_is_whatever_comes_late() -> None:
    class Late(CustomerBook):
        async def lookup(self, key: PhoneNumber | CustomerNumber) -> Contact | None:
            found = await super().lookup(key)
            await asyncio.sleep(0.2 if isinstance(key, PhoneNumber) else 0.01)
            return found

    async with Deployment(talkative(Late())) as deployment:
        talk, other = Talk(deployment), Talk(deployment)
        talk.step = other.step = 2
        late = detach(talk.again(strange="1"))
        await asyncio.sleep(0.02)
        assert await other.again(customer_no="777") == FOUND
        assert await late == FOUND
        assert await Talk(deployment).next() == FOUND


# ------------------------------------------------------------------------------- repetitions, order, loss


async def test_a_repeated_question_is_answered_as_before_without_a_lookup() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        for heard in ({}, {"customer_no": "12345"}, {"customer_no": "777"}):
            first = await talk.next(**heard)
            assert [await talk.again(**heard) for _ in range(3)] == [first] * 3
        assert len(book.asked) == 3
        talk.step = 1
        assert await talk.again() == ASKED, "also when it comes late"


async def test_parameters_of_others_make_no_other_question() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        await talk.next(ts="0")
        first = await talk.next(customer_no="12345", ts="1", token="t")
        assert [await talk.again(ts=str(place), customer_no="12345") for place in range(5)] == [first] * 5
        assert len(book.asked) == 2


@in_virtual_time
async def test_a_question_that_is_repeated_before_it_is_answered_waits_for_the_same_answer() -> None:
    class Slow(CustomerBook):
        async def lookup(self, key: PhoneNumber | CustomerNumber) -> Contact | None:
            found = await super().lookup(key)
            await asyncio.sleep(0.5)
            return found

    book = Slow()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        assert [*await asyncio.gather(talk.next(), talk.again(), talk.again())] == [ASKED] * 3
        talk.step = 2
        heard = {"customer_no": "777"}
        assert [*await asyncio.gather(talk.again(**heard), talk.again(**heard))] == [FOUND] * 2
        assert len(book.asked) == 2


@in_virtual_time
async def test_who_asks_again_does_not_wait_longer_than_the_deadline() -> None:
    class Hanging(CustomerBook):
        async def lookup(self, key: PhoneNumber | CustomerNumber) -> Contact | None:
            await asyncio.sleep(0.9)
            return await super().lookup(key)

    async with Deployment(talkative(Hanging(), switch={"default": "queue/200", "deadline": 0.5})) as deployment:
        talk = Talk(deployment)
        first = detach(talk.next())
        await asyncio.sleep(0.4)
        began = asyncio.get_running_loop().time()
        assert await talk.again() == DEFAULT
        assert asyncio.get_running_loop().time() - began <= 0.5
        assert await first == DEFAULT


@in_virtual_time
async def test_a_question_whose_answer_was_cut_short_is_answered_anew() -> None:
    class Slow(CustomerBook):
        async def lookup(self, key: PhoneNumber | CustomerNumber) -> Contact | None:
            await asyncio.sleep(0.5)
            return await super().lookup(key)

    async with Deployment(talkative(Slow())) as deployment:
        talk = Talk(deployment)
        cut_short = detach(talk.next())
        await asyncio.sleep(0.1)
        waiting = detach(talk.again())
        await asyncio.sleep(0.1)
        cut_short.cancel()
        await asyncio.wait({cut_short})
        assert await waiting == DEFAULT
        assert await talk.again() == ASKED


async def test_a_bug_costs_one_answer_and_not_those_that_come_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bugs: list[str] = []
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        await talk.next()
        router = deployment.router
        monkeypatch.setattr(router, "_on_bug", lambda where, _: bugs.append(where))
        with monkeypatch.context() as broken:
            broken.setattr(router, "_identify", None)
            assert await talk.next(customer_no="777") == DEFAULT
            assert outcome(talk) == (Reason.BUG, None)
        assert bugs == ["router"]
        assert await talk.again(customer_no="777") == FOUND


async def test_after_everything_is_forgotten_the_name_of_the_digits_tells_what_was_asked() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        await talk.next()
        deployment.dialogues.memory.clear()
        assert await talk.next(customer_no="777") == FOUND


async def test_after_everything_is_forgotten_the_number_of_the_question_bounds_the_dialogue() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        answers = [await talk.next()]
        for _ in range(3):
            deployment.dialogues.memory.clear()
            answers.append(await talk.next(customer_no="12345"))
        assert answers == [ASKED, ASKED_AGAIN, UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("heard", [{}, {"error": ""}, {"result": "satış"}, {"strange": "777"}])
async def test_after_everything_is_forgotten_nobody_is_asked_anew_where_nobody_knows_what_was_asked(
    heard: dict[str, str],
) -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        talk.step = 1
        assert await talk.next(**heard) == UNKNOWN
        assert outcome(talk) == (Reason.UNKNOWN_CALLER, Outcome.FORGOTTEN)


async def test_the_only_step_that_listens_is_the_one_whose_words_come_back() -> None:
    listening = {"announcement": 4, "listen": 5, "choose": {"satış": "queue/301"}}
    async with Deployment(talkative(steps={**STEPS, "topic": listening})) as deployment:
        talk = Talk(deployment)
        talk.step = 1
        assert await talk.next(result="satışa") == {"transfer": {"target": "queue/301"}}
    async with Deployment(talkative(steps={**STEPS, "topic": listening, "other": listening})) as deployment:
        talk = Talk(deployment)
        talk.step = 1
        assert await talk.next(result="satışa") == UNKNOWN


CALL_OF_TALK = SantralProgramlama().parse({"uuid": "u-1", "cli": STRANGER, "step": "1"}, MONDAY_NOON)
RECORDING = {"consent": {"phrase": "Kaydediliyor.", "record": True, "then": "customer_no"}}


async def test_the_only_step_that_records_is_the_one_after_which_nothing_comes_back() -> None:
    async with Deployment(talkative(steps={**STEPS, **RECORDING})) as deployment:
        talk = Talk(deployment)
        talk.step = 1
        assert await talk.next() == ASKED
        talk = Talk(deployment, uuid="u-2")
        talk.step = 1
        assert await talk.next(customer_no="777") == FOUND
    async with Deployment(talkative(steps={**STEPS, **RECORDING, "other": RECORDING["consent"]})) as deployment:
        talk = Talk(deployment)
        talk.step = 1
        assert await talk.next() == UNKNOWN


@pytest.mark.parametrize("step", ["abc", "1000", "9"])
async def test_what_no_switch_asks_is_not_taken_for_the_end_of_a_recording(step: str) -> None:
    voicemail = {"phrase": "Mesajınızı bırakın.", "record": True, "then": "hangup/hangup"}
    async with Deployment(talkative(steps={**STEPS, "voicemail": voicemail})) as deployment:
        call = SantralProgramlama().parse({"uuid": "u-1", "cli": "05301234567", "step": step}, MONDAY_NOON)
        decision = await deployment.router.route(call)
        assert str(transfer_of(decision).target) == "queue/200"
        assert decision.heard is Outcome.FORGOTTEN


async def test_where_it_is_known_from_is_told_of_each_question_by_itself() -> None:
    async with Deployment(talkative()) as deployment:
        talk, told = Talk(deployment), []
        for heard in ({}, {"customer_no": "12345"}, {"customer_no": "777"}):
            await talk.next(**heard)
            assert talk.decision is not None
            told.append(talk.decision.via)
        again = Talk(deployment, uuid="u-2")
        for heard in ({}, {"customer_no": ""}):
            await again.next(**heard)
            assert again.decision is not None
            told.append(again.decision.via)
    assert told == [Via.CRM, Via.CRM, Via.CRM, Via.CACHE, Via.NONE]


async def test_what_is_keyed_is_not_lost_where_another_server_asked_for_it_after_a_recording() -> None:
    rules = [{"name": "all", "caller": {"kind": "anyone"}, "ask": "consent"}]
    async with Deployment(talkative(steps={**STEPS, **RECORDING}, rules=rules)) as deployment:
        talk = Talk(deployment)
        assert "record" in await talk.next()
        talk.step = 2
        assert (await talk.next(customer_no="777"))["transfer"]["greet_name"] == "Ayşe Demir"


async def test_digits_of_another_step_than_the_one_that_is_remembered_are_read_by_their_name() -> None:
    async with Deployment(talkative(steps={**STEPS, **MENU}, rules=ASK_MENU)) as deployment:
        talk = Talk(deployment)
        await talk.next()
        talk.step = 4
        assert (await talk.next(customer_no="777"))["transfer"]["greet_name"] == "Ayşe Demir"


async def test_a_step_that_is_no_longer_there_is_told_to_be_forgotten() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        await talk.next()
        talk.deployment = Deployment(talkative(steps={"other": STEPS["customer_no"]}, rules=[]), None, deployment)
        talk.deployment.dialogues.memory.recall(CALL_OF_TALK).asked = "customer_no"
        talk.deployment.dialogues.memory.recall(CALL_OF_TALK).knowledge = await deployment.router.learn(CALL_OF_TALK)
        await talk.next(customer_no="777")
        assert outcome(talk)[1] is Outcome.FORGOTTEN


async def test_a_call_without_an_id_holds_a_dialogue_all_the_same() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment, uuid="")
        assert await talk.next() == ASKED
        assert await talk.next(customer_no="12345") == ASKED_AGAIN
        assert await talk.next(customer_no="777") == FOUND
        assert len(deployment.dialogues.memory) == 0


async def test_nobody_hears_the_answer_of_another_call_by_its_id() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        await talk.next()
        assert await talk.next(customer_no="777") == FOUND
        eavesdropper = Talk(deployment, "05557776655")
        eavesdropper.step = 2
        assert await eavesdropper.again() == UNKNOWN


async def test_erasing_a_number_forgets_what_callers_have_keyed() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        await talk.next()
        await talk.next(customer_no="777")
        deployment.forget(next(key for key in book.asked if isinstance(key, PhoneNumber)))
        assert len(deployment.dialogues.memory) == 0
        assert await talk.again(customer_no="777") == FOUND
        assert [isinstance(key, CustomerNumber) for key in book.asked] == [False, True, True]


# ------------------------------------------------------------------------------- guessing


async def test_one_caller_may_not_try_out_numbers() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book, dialogue={"guesses": 3, "guesses_within": 3600})) as deployment:
        for number in range(100, 120):
            talk = Talk(deployment, uuid=f"u-{number}")
            await talk.next()
            answer = await talk.next(customer_no=str(number))
        assert answer == UNKNOWN
        assert outcome(talk) == (Reason.UNKNOWN_CALLER, Outcome.TOO_MANY)
        assert sum(isinstance(key, CustomerNumber) for key in book.asked) == 3
        other = Talk(deployment, "05557776655", uuid="u-x")
        await other.next()
        assert await other.next(customer_no="777") == FOUND, "another caller may"


@pytest.mark.parametrize("cli", ["", "anonymous", "1003", "nonsense"])
async def test_all_who_cannot_be_told_apart_count_as_one(cli: str) -> None:
    book = CustomerBook()
    rules = [{"name": "all", "caller": {"kind": "anyone"}, "ask": "customer_no"}]
    async with Deployment(talkative(book, rules=rules, dialogue={"guesses": 2, "guesses_within": 60})) as deployment:
        for number in range(5):
            talk = Talk(deployment, cli, uuid=f"u-{number}")
            await talk.next()
            await talk.next(customer_no=f"10{number}")
        assert len(book.asked) == 2


async def test_what_the_crm_could_not_tell_is_no_guess() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book, dialogue={"guesses": 2, "guesses_within": 3600})) as deployment:
        for number in range(5):
            book.trouble = None
            talk = Talk(deployment, uuid=f"u-{number}")
            await talk.next()
            book.trouble = Unavailable("down")
            assert await talk.next(customer_no=f"10{number}") == DEFAULT
        book.trouble = None
        talk = Talk(deployment, uuid="u-x")
        await talk.next()
        assert await talk.next(customer_no="777") == FOUND


async def test_no_number_is_kept_to_count_guesses() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        await talk.next()
        await talk.next(customer_no="12345")
        buckets = deployment.dialogues.guesses._buckets
        assert len(buckets) == 1
        assert STRANGER[1:] not in repr([*buckets])


async def test_a_refused_caller_is_asked_nothing_and_looked_up_nowhere() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        talk = Talk(deployment)
        monkey = deployment.router.refuse

        async def refused(call: Any) -> Any:
            return monkey(call)

        deployment.router.route = refused  # type: ignore[method-assign]
        assert [await talk.next(), await talk.next(customer_no="777")] == [UNKNOWN, UNKNOWN]
        assert book.asked == []


# ------------------------------------------------------------------------------- lines and the old dialect


LINES: Any = [
    {
        "name": "export",
        "called": ["0850 532 12 34", "1001"],
        "default": "queue/900",
        "routing": {"unknown": "queue/902", "greeting": "Customer {name}"},
        "rules": [{"name": "own agent abroad", "when": {"owner": {"present": True}}, "target": "queue/903"}],
    },
    {"name": "press", "called": "0850 532 12 35", "default": "queue/800"},
]


@pytest.mark.parametrize(
    ("cld", "cli", "target"),
    [
        ("08505321234", STRANGER, "queue/902"),
        ("08505321234", "x", "queue/900"),
        ("1001", "", "queue/900"),
        ("08505321235", "", "queue/200"),
        ("08505321235", "x", "queue/800"),
        ("08505321236", STRANGER, "queue/202"),
        ("", STRANGER, "queue/202"),
    ],
)
async def test_a_line_has_a_routing_of_its_own(cld: str, cli: str, target: str) -> None:
    routing = {"unknown": "queue/202", "withheld": "queue/200"}
    lines = [{**LINES[0], "routing": {**LINES[0]["routing"], "withheld": "queue/900"}}, LINES[1]]
    async with Deployment(talkative(rules=[], lines=lines, routing=routing)) as deployment:
        talk = Talk(deployment, cli, cld=cld)
        assert (await talk.next())["transfer"]["target"] == target
        assert talk.decision is not None
        assert talk.decision.line == {"08505321234": "export", "1001": "export", "08505321235": "press"}.get(cld, "")


async def test_a_line_has_rules_of_its_own_in_the_place_of_all_others() -> None:
    async with Deployment(talkative(lines=LINES)) as deployment:
        talk = Talk(deployment, cld="08505321234")
        assert await talk.next() == {"transfer": {"target": "queue/902"}}
        talk.step = 1
        found = await talk.next(customer_no="777")
        assert found == {"transfer": {"greet_name": "Customer Ayşe Demir", "lang": "tr-TR", "target": "queue/903"}}
        assert await Talk(deployment, cld="08505321235").next() == ASKED, "those of all, where a line has none"


def test_what_is_erased_is_a_customer_of_the_book() -> None:
    assert AYSE.customer_number == "C-00777"
