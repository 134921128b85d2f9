import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.actions import Transfer, is_phrase
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.dialects.santral_programlama import SantralProgramlama
from proxy.model import Heard, Reason
from proxy.routing import Decision
from proxy.target import LANGUAGES, Target
from tests.property.strategies import any_text
from tests.unit.fakes import MONDAY_NOON

TEXTS = any_text(80).filter(lambda text: not text or is_phrase(text))
ANNOUNCEMENTS = st.none() | st.integers(1, 999_999_999)
TARGETS = st.sampled_from(["queue/201", "external/+905301234567", "fax", 'tts/tr-TR/"Bir" \\ iki/üç']).map(Target.parse)


@st.composite
def transfers(draw: st.DrawFn) -> Transfer:
    name = draw(TEXTS)
    return Transfer(
        draw(TARGETS),
        name,
        "" if name else draw(TEXTS),
        draw(st.sampled_from(LANGUAGES)),
        draw(ANNOUNCEMENTS),
        draw(ANNOUNCEMENTS),
        draw(st.none() | st.booleans()),
    )


@given(transfers())
def test_an_answer_is_written_as_the_encoder_of_json_would_write_it(transfer: Transfer) -> None:
    decision = Decision(transfer, Reason.RULE)
    spoken: dict[str, Any] = {"lang": transfer.language} if transfer.name or transfer.phrase else {}
    named = {
        "greet_name": transfer.name or None,
        "greet_phrase": transfer.phrase or None,
        **spoken,
        "announcement_to_caller": transfer.announcement_to_caller,
        "announcement_to_callee": transfer.announcement_to_callee,
        "recording_enabled": transfer.recording,
        "target": str(transfer.target),
    }
    said = {"transfer": {name: value for name, value in named.items() if value is not None}}
    assert SantralProgramlama().render(decision) == json.dumps(said, ensure_ascii=False).encode()
    known = {"name": transfer.name} if transfer.name else {}
    told = json.dumps({**known, "target": str(transfer.target)}, ensure_ascii=False)
    assert MusteriTanima().render(decision) == told.encode()


@given(
    st.dictionaries(st.sampled_from(["uuid", "cli", "cld", "step"]), any_text(12)),
    st.dictionaries(st.sampled_from(["error", "result", "musteri_no", "x"]), any_text(12)),
)
def test_nothing_is_heard_exactly_where_nothing_but_the_call_is_told_of(
    of_the_call: dict[str, str], more: dict[str, str]
) -> None:
    heard = SantralProgramlama().parse(of_the_call | more, MONDAY_NOON).heard
    keyed = tuple((name, text) for name, text in more.items() if name not in {"error", "result"})
    assert heard == Heard(keyed, more.get("result"), failed=bool(more.get("error")))
