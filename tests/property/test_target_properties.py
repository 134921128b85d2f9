import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.model import Contact, Scalar
from proxy.rules.template import TargetTemplate
from proxy.target import NUMBERED, Target
from tests.property.strategies import CONTACTS, SCALARS, any_text
from tests.unit.fakes import known

KINDS = st.sampled_from(sorted(NUMBERED))
MAIL_ADDRESSES = st.from_regex(r"\A[a-z.]{1,20}@[a-z-]{1,20}\.[a-z]{2,6}\Z")
SPOKEN = st.text(st.characters(categories=["L", "Nd"], include_characters=" .,/'"), min_size=1, max_size=300)
TARGETS = st.one_of(
    st.builds("{}/{}".format, KINDS, st.from_regex(r"\A[0-9]{1,6}\Z")),
    st.builds("external/{}".format, st.from_regex(r"\A\+?[0-9]{3,15}\Z")),
    st.builds("fax/{}".format, MAIL_ADDRESSES),
    st.sampled_from(["fax", "hangup/hangup", "hangup/busy"]),
    st.builds("tts/{}/{}".format, st.sampled_from(["tr-TR", "en-US", "ar-XA"]), SPOKEN),
)


@given(TARGETS)
def test_a_target_is_written_as_it_was_read(text: str) -> None:
    assert str(Target.parse(text)) == text
    assert Target.parse(str(Target.parse(text))) == Target.parse(text)


@given(any_text())
def test_any_text_is_a_target_that_is_written_back_unchanged_or_is_refused(text: str) -> None:
    try:
        target = Target.parse(text)
    except ValueError:
        target = None
    if target is None:
        with pytest.raises(ValueError, match=" - allowed: "):
            Target.parse(text)
    else:
        assert str(target) == text
        assert text.isprintable()


def within_the_switch(target: Target | str, kind: str) -> bool:
    """S6, said once more in another way than the code under test says it."""
    return isinstance(target, str) or (
        target.kind == kind and 1 <= len(target.argument) <= 6 and set(target.argument) <= set("0123456789")
    )


@given(KINDS, SCALARS)
def test_a_field_steers_a_call_to_a_number_of_the_literals_own_kind_or_nowhere(kind: str, value: Scalar) -> None:
    situation = known(Contact(fields={"x": value}))
    for template in (f"{kind}/{{x}}", f"{kind}/{{ x }}"):
        assert within_the_switch(TargetTemplate.parse(template).render(situation, {}), kind)


@given(KINDS, CONTACTS, st.dictionaries(any_text(10), any_text(10)), any_text(10), any_text(10))
def test_neither_does_a_table_steer_it_out(
    kind: str, contact: Contact, table: dict[str, str], key: str, number: str
) -> None:
    tables = {"t": {**table, key: number}}
    for contact_with_key in (contact, Contact(fields={"x": key})):
        assert within_the_switch(
            TargetTemplate.parse(f"{kind}/{{x | t}}").render(known(contact_with_key), tables), kind
        )


@given(
    st.one_of(
        any_text(),
        st.builds("{}{}{}{}".format, st.sampled_from([*NUMBERED, "external", "fax", "tts", "hangup"]), any_text(3),
                  st.sampled_from(["{x}", "{x|t}", "{ x }", "{x}{x}"]), any_text(3)),
    ),
    SCALARS,
)  # fmt: skip
def test_whatever_can_be_configured_a_field_stays_within_the_switch(text: str, value: Scalar) -> None:
    try:
        template = TargetTemplate.parse(text)
    except ValueError:
        return
    rendered = template.render(known(Contact(fields={"x": value})), {"t": {}})
    if "{" in text:
        assert template.kind in NUMBERED
        assert text.startswith(f"{template.kind}/{{")
        assert within_the_switch(rendered, template.kind)
    else:
        assert rendered == Target.parse(text)


@given(any_text(8))
def test_a_number_within_the_switch_is_one_to_six_ascii_digits(argument: str) -> None:
    if re.fullmatch("[0-9]{1,6}", argument):
        assert Target("queue", argument).argument == argument
    else:
        with pytest.raises(ValueError, match="is not a target"):
            Target("queue", argument)
