import pytest

from proxy.actions import Prompt, Record, SpeechToText, Spoken
from proxy.dialogue import Answer, Choose, Keep, Keys, LookUp, Recording, Speech, Step, Then, Words
from proxy.keys import By, CustomerNumber
from proxy.model import Heard, Outcome
from proxy.phone import parse_number
from proxy.target import Target

ASKED = Words(phrases={"": "Tuşlayın."})
SALES, SUPPORT = Target("queue", "301"), Target("queue", "302")
NOTHING, MISUNDERSTOOD = Answer(Outcome.NOTHING), Answer(Outcome.MISUNDERSTOOD)


def keyed(text: str, name: str = "no") -> Heard:
    return Heard(((name, text),))


def keys(use: LookUp | Choose | Keep, least: int = 1, most: int = 20) -> Step:
    return Step("no", Keys(ASKED, min_digits=least, max_digits=most), use, then=SUPPORT)


def speech(use: LookUp | Choose | Keep) -> Step:
    return Step("topic", Speech(5), use, then=SUPPORT)


@pytest.mark.parametrize(
    ("heard", "answer"),
    [
        (keyed("00777"), Answer(Outcome.FOUND, SUPPORT, CustomerNumber("00777"))),
        (keyed(" 777 "), Answer(Outcome.FOUND, SUPPORT, CustomerNumber("777"))),
        (keyed("77"), MISUNDERSTOOD),
        (keyed("000"), MISUNDERSTOOD),
        (keyed("777777777"), MISUNDERSTOOD),
        (keyed("7*7"), MISUNDERSTOOD),
        (keyed("٧٧٧"), MISUNDERSTOOD),
        (keyed("777'--"), MISUNDERSTOOD),
        (keyed(""), NOTHING),
        (keyed("  "), NOTHING),
        (keyed("777", "other"), NOTHING),
        (Heard(), NOTHING),
        (Heard((("no", "777"),), failed=True), NOTHING),
    ],
)
def test_a_customer_number_is_as_many_digits_as_were_asked_for(heard: Heard, answer: Answer) -> None:
    assert keys(LookUp(By.CUSTOMER_NUMBER), 3, 8).read(heard, "TR") == answer


@pytest.mark.parametrize("digits", ["05301234567", "5301234567", "00905301234567"])
def test_a_phone_number_may_be_keyed_in_every_form(digits: str) -> None:
    step = keys(LookUp(By.PHONE_NUMBER))
    assert step.read(keyed(digits), "TR") == Answer(Outcome.FOUND, SUPPORT, parse_number("05301234567", "TR"))


@pytest.mark.parametrize("digits", ["1003", "155", "00000000000", "0530123"])
def test_what_is_no_phone_number_is_not_looked_up_as_one(digits: str) -> None:
    assert keys(LookUp(By.PHONE_NUMBER)).read(keyed(digits), "TR") == MISUNDERSTOOD


def test_a_key_chooses() -> None:
    step = keys(Choose({"1": SALES, "2": "other_step"}))
    assert step.read(keyed("1"), "TR") == Answer(Outcome.CHOSEN, SALES)
    assert step.read(keyed("2"), "TR") == Answer(Outcome.CHOSEN, "other_step")
    assert step.read(keyed("3"), "TR") == MISUNDERSTOOD


def test_what_is_kept_is_kept_as_it_was_keyed() -> None:
    assert keys(Keep("order_no")).read(keyed("0042"), "TR") == Answer(Outcome.KEPT, SUPPORT, kept="0042")
    assert keys(Keep("order_no")).kept_as == "order_no"
    assert keys(LookUp(By.PHONE_NUMBER)).kept_as == ""


@pytest.mark.parametrize(
    ("said", "goal"),
    [
        ("satış", SALES),
        ("SATIŞ lütfen", SALES),
        ("beni satışa bağlayın", SALES),
        ("teknik destek istiyorum", SUPPORT),
        ("Teknik, destek!", SUPPORT),
        ("ürün iade ve satış", None),
        ("satış ve pazarlama", SALES),
        ("destek", None),
        ("hiçbiri", None),
        ("asatış", None),
        ("…", None),
    ],
)
def test_the_words_of_one_choice_must_begin_words_that_were_said(said: str, goal: Target | None) -> None:
    step = speech(Choose({"satış": SALES, "pazarlama": SALES, "teknik destek": SUPPORT, "iade": SUPPORT}))
    assert step.read(Heard(said=said), "TR") == (Answer(Outcome.CHOSEN, goal) if goal else MISUNDERSTOOD)


def test_digits_among_the_words_are_looked_up() -> None:
    step = speech(LookUp(By.CUSTOMER_NUMBER))
    assert step.read(Heard(said="numaram 12 345."), "TR").key == CustomerNumber("12345")
    assert step.read(Heard(said="bilmiyorum"), "TR") == MISUNDERSTOOD
    assert step.read(Heard(said="1" * 21), "TR") == MISUNDERSTOOD
    assert step.read(Heard(said="10-001"), "TR").key == CustomerNumber("10001")


@pytest.mark.parametrize("said", ["numaram 7 ama eskiden 77 idi", "3 çocuğum var, numaram 777", "7/77"])
def test_digits_of_two_numbers_are_not_made_one(said: str) -> None:
    assert speech(LookUp(By.CUSTOMER_NUMBER)).read(Heard(said=said), "TR") == MISUNDERSTOOD


def test_words_that_begin_others_are_not_meant_by_themselves() -> None:
    step = speech(Choose({"sat": SUPPORT, "satış": SALES}))
    assert step.read(Heard(said="satış"), "TR").goal == SALES
    assert step.read(Heard(said="satmak"), "TR").goal == SUPPORT


def test_of_what_is_said_so_much_is_kept_as_a_field_may_hold() -> None:
    assert speech(Keep("topic")).read(Heard(said=" " + "a" * 100), "TR").kept == "a" * 60
    assert speech(Keep("topic")).read(Heard(said=" "), "TR") == NOTHING
    assert speech(Keep("topic")).read(Heard(), "TR") == NOTHING


def test_a_recording_is_answered_by_any_question_but_one_with_an_error() -> None:
    step = Step("consent", Recording(ASKED), Then(), then="menu")
    assert step.read(Heard(), "TR") == Answer(Outcome.RECORDED, "menu")
    assert step.read(Heard(failed=True), "TR") == NOTHING


def test_a_step_knows_what_may_be_its_answer() -> None:
    recording = Step("consent", Recording(ASKED), Then())
    assert keys(Keep("x")).hears(keyed(""))
    assert not keys(Keep("x")).hears(keyed("1", "other"))
    assert speech(Keep("x")).hears(Heard(said=""))
    assert not speech(Keep("x")).hears(keyed("1"))
    assert recording.hears(Heard())
    assert recording.hears(Heard(failed=True))
    assert not recording.hears(keyed("1", "other"))
    assert not recording.hears(Heard(said="x"))


def test_keys_are_asked_for_in_the_language_that_there_is() -> None:
    words = Words(phrases={"tr-TR": "Tuşlayın.", "en-US": "Please key."}, speed=0.9)
    ask = Keys(words, Words(announcement=9), 5, 6, 2, 7, 4)
    first = ask.question("no", "en-US", "https://example.com", is_repeated=False)
    english = Spoken(phrase="Please key.", language="en-US", speed=0.9)
    assert first == Prompt(english, "no", 5, 6, 2, 7, 4, "https://example.com")
    arabic = ask.question("no", "ar-XA", "", is_repeated=False)
    assert arabic == Prompt(Spoken(phrase="Tuşlayın.", speed=0.9), "no", 5, 6, 2, 7, 4)
    assert ask.question("no", "en-US", "", is_repeated=True) == Prompt(Spoken(9), "no", 5, 6, 2, 7, 4)
    assert Keys(ASKED).question("no", "tr-TR", "", is_repeated=True) == Prompt(Spoken(phrase="Tuşlayın."), "no")


def test_speech_and_recordings_are_asked_for() -> None:
    assert Speech(5, 6, 8).question("topic", "tr-TR", "", is_repeated=False) == SpeechToText(5, 8)
    assert Speech(5, 6, 8).question("topic", "tr-TR", "", is_repeated=True) == SpeechToText(6, 8)
    assert Speech(5).question("topic", "tr-TR", "", is_repeated=True) == SpeechToText(5)
    recorded = Recording(ASKED).question("consent", "en-US", "", is_repeated=True)
    assert recorded == Record(Spoken(phrase="Tuşlayın.", language="en-US"))
