from proxy.actions import Transfer
from proxy.model import Call, Reason, Via
from proxy.routing import Decision, Knowledge, Routing, Way, put_through
from proxy.rules import Situation, Standing
from proxy.rules.manner import Manner
from proxy.target import Target
from tests.unit.fakes import MONDAY_NOON, NUMBER

DEFAULT, SPEECH = Target("queue", "200"), Target("tts", "tr-TR/Merhaba")
ROUTING = Routing(DEFAULT, SPEECH, DEFAULT, DEFAULT)


def knowledge(*, can_be_asked: bool) -> Knowledge:
    call = Call(NUMBER, MONDAY_NOON, can_be_asked=can_be_asked)
    return Knowledge(Situation(call, Standing.UNKNOWN), Reason.UNKNOWN_CALLER, Via.CRM)


def test_a_target_that_the_dialect_cannot_say_becomes_the_default() -> None:
    way = Way(SPEECH, Reason.UNKNOWN_CALLER, Manner())
    old = put_through(way, knowledge(can_be_asked=False), ROUTING)
    assert old == Decision(Transfer(DEFAULT), Reason.UNKNOWN_CALLER, Via.CRM)
    new = put_through(way, knowledge(can_be_asked=True), ROUTING)
    assert new == Decision(Transfer(SPEECH), Reason.UNKNOWN_CALLER, Via.CRM)
