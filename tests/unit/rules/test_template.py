import pytest

from proxy.model import Contact, Scalar
from proxy.rules.template import TargetTemplate
from proxy.target import NUMBERED, Target
from tests.unit.fakes import known, unknown

TABLES = {"extensions": {"ayse.demir": "1003", "broken": "12345678"}}
WHERE_ALLOWED = "announcement, group, ivr, queue, user, voicemail"


def rendered(template: str, value: Scalar) -> Target | str:
    return TargetTemplate.parse(template).render(known(Contact("Ahmet", {"x": value})), TABLES)


@pytest.mark.parametrize("text", ["queue/201", "external/05321234567", "fax", "hangup/busy", "tts/tr-TR/Kapalıyız"])
def test_a_literal_is_itself_whoever_calls(text: str) -> None:
    template = TargetTemplate.parse(text)
    assert template.render(unknown(), {}) == Target.parse(text)
    assert template.render(known(Contact("Ahmet", {"x": "1"})), TABLES) == Target.parse(text)
    assert template.text == text


@pytest.mark.parametrize("kind", sorted(NUMBERED))
def test_a_field_may_fill_the_number_of_a_target_inside_the_switch(kind: str) -> None:
    assert rendered(f"{kind}/{{x}}", "1003") == Target(kind, "1003")


@pytest.mark.parametrize("value", ["1003", 1003, 1003.0])
@pytest.mark.parametrize("template", ["user/{x}", "user/{ x }"])
def test_a_number_may_come_as_text_or_as_number(template: str, value: Scalar) -> None:
    assert rendered(template, value) == Target("user", "1003")


@pytest.mark.parametrize("template", ["user/{x|extensions}", "user/{x | extensions}", "user/{ x  |  extensions }"])
def test_a_field_may_be_looked_up_in_a_table(template: str) -> None:
    assert rendered(template, "ayse.demir") == Target("user", "1003")


def test_a_template_knows_its_parts() -> None:
    template = TargetTemplate.parse("user/{owner.login | extensions}")
    assert (template.kind, template.field_name, template.table) == ("user", "owner.login", "extensions")
    assert template.literal is None


def test_name_and_id_can_be_used_like_fields() -> None:
    assert TargetTemplate.parse("user/{id}").render(known(Contact(id="1003")), {}) == Target("user", "1003")


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_field_gives_no_target(value: Scalar) -> None:
    assert rendered("user/{x}", value) == "its target needs the field x, which is empty"
    assert rendered("user/{x | extensions}", value) == "its target needs the field x, which is empty"


def test_without_a_contact_there_is_no_field() -> None:
    assert TargetTemplate.parse("user/{x}").render(unknown(), {}) == "its target needs the field x, which is empty"


def test_a_value_that_is_not_in_the_table_gives_no_target() -> None:
    expected = "its target needs 'nobody' in the table extensions, which does not have it"
    assert rendered("user/{x | extensions}", "nobody") == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("abc", "'abc'"),
        ("1234567", "'1234567'"),
        ("٢٠١", r"'\u0662\u0660\u0661'"),
        ("201\n", r"'201\n'"),
        (" 201", "' 201'"),
        ("201/../../external/0900", "'201/../../external/0900'"),
        ("external/05321234567", "'external/05321234567'"),
        (-5, "'-5'"),
        (1.5, "'1.5'"),
        (True, "'true'"),
        ("x" * 100, "'" + "x" * 39),
    ],
)
def test_a_field_that_is_no_number_of_the_switch_gives_no_target(value: Scalar, shown: str) -> None:
    assert rendered("user/{x}", value) == f"its target would be user/{shown}, which is not valid"


def test_a_table_cannot_lead_out_of_the_switch_either() -> None:
    expected = "its target would be user/'12345678', which is not valid"
    assert rendered("user/{x | extensions}", "broken") == expected


@pytest.mark.parametrize(
    "text",
    [
        "external/{x}",
        "fax/{x}",
        "hangup/{x}",
        "tts/tr-TR/{x}",
        "{x}",
        "{x}/1003",
        "user/1{x}",
        "user/{x}0",
        "user/{x}{y}",
        "user/{}",
        "user/{1x}",
        "user/{x|}",
        "user/{x|a|b}",
        "user/{x",
        "user/x}",
        "user/{{x}}",
        "user/{x}\n",
        " user/{x}",
        "queue/{x y}",
    ],
)
def test_a_field_may_stand_nowhere_else(text: str) -> None:
    with pytest.raises(ValueError, match="has a field where none may stand") as caught:
        TargetTemplate.parse(text)
    assert str(caught.value) == (
        "has a field where none may stand - allowed: {field} or {field | table} as the whole number of " + WHERE_ALLOWED
    )


def test_a_literal_that_is_no_target_is_refused_with_the_grammar() -> None:
    with pytest.raises(ValueError, match=r"is not a target - allowed: user/N"):
        TargetTemplate.parse("queue/abc")
