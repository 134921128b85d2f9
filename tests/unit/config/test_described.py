"""The text below a setting is found where it is written."""

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from proxy.config.described import description_of


class Section(BaseModel):
    """A section with all kinds of settings."""

    model_config = ConfigDict(extra="forbid")
    """What is set here is no setting."""

    told: int = 1
    """What it is for"""
    told_at_length: int = 1
    """
    What it is for,
    and more
    """
    untold: int = 1
    other: int = 1
    given: int = Field(default=1, description="As it was given")
    """Not this"""


class Below(Section):
    """A section that has more settings, and one of them in other words."""

    told: int = 2
    """What it is for here"""
    more: int = 1
    """What more is for"""


@pytest.mark.parametrize(
    ("name", "section", "text"),
    [
        ("told", Section, "What it is for"),
        ("told_at_length", Section, "What it is for,\nand more"),
        ("untold", Section, ""),
        ("given", Section, "As it was given"),
        ("told", Below, "What it is for here"),
        ("more", Below, "What more is for"),
        ("given", Below, "As it was given"),
        ("told_at_length", Below, "What it is for,\nand more"),
    ],
)
def test_what_stands_below_a_setting_is_what_it_is_for(name: str, section: type[BaseModel], text: str) -> None:
    assert description_of(name, section) == text


def test_a_section_whose_source_is_not_at_hand_has_no_text() -> None:
    assert description_of("made", create_model("Made", made=(int, 1))) == ""
