"""docs/speed.md has a place for each table of the benchmark, and what it tells to run is there."""

import re

from tests.bench.tables import TABLES, put_into
from tests.readme.pages import read

PAGE = read("docs/speed.md")


def test_each_table_has_its_place_once_and_there_is_no_other() -> None:
    assert sorted(re.findall(r"<!-- figures: (.+) -->", PAGE)) == sorted([*TABLES, "wanted", "runs"])


def test_tables_are_put_in_their_places_and_change_nothing_else() -> None:
    changed = put_into(PAGE, {"herd": "| a table |"})
    assert "<!-- figures: herd -->\n| a table |\n<!-- /figures -->" in changed
    before, _, after = PAGE.partition("<!-- figures: herd -->")
    assert changed.startswith(before)
    assert changed.endswith(after.partition("<!-- /figures -->")[2])


def test_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", PAGE, re.MULTILINE))
    assert targets <= set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert {"bench", "bench-quick"} <= targets
