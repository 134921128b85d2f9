import re
from pathlib import Path

import pytest

from tests.adapters.sql_crm import config

URL = "sqlite+aiosqlite:///crm.db"


class TestOptions:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT 1 FROM t WHERE a = :digits",
            "  with x as (select 1) select * from x where a = :e164 ;  ",
            "-- who calls\nSELECT ';' FROM t WHERE a = :digits",
            "SELECT 'it''s 10:30', \"odd;column\" FROM t WHERE a = :national /* ; */",
            "SELECT $$ ; ' $$ FROM t WHERE a = :subscriber",
            "SELECT a::text FROM t WHERE a = :international",
            r"SELECT 'a \:b' FROM t WHERE a = :digits",
        ],
    )
    def test_one_select_is_taken(self, statement: str) -> None:
        config(URL, statement, "find")

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("DELETE FROM t WHERE a = :digits", "does not begin with SELECT or WITH"),
            ("selection :digits", "does not begin with SELECT or WITH"),
            ("", "does not begin with SELECT or WITH"),
            ("SELECT 1 WHERE a = :digits; DELETE FROM t", "has a second statement"),
            ("SELECT 1 WHERE a = ':digits'", "has a placeholder in quotes or a comment"),
            ("SELECT 1 WHERE a LIKE '%:digits'", "has a placeholder in quotes or a comment"),
            ('SELECT ":digits"', "has a placeholder in quotes or a comment"),
            ("SELECT $x$ :digits $x$", "has a placeholder in quotes or a comment"),
            ("SELECT 1 -- :digits", "has a placeholder in quotes or a comment"),
            ("SELECT 1 /* :digits */", "has a placeholder in quotes or a comment"),
            ("SELECT 'a WHERE a = :digits", "has a quote that does not end"),
            ("SELECT 1 WHERE a = :digits::bigint", "has :digits:: in it - allowed: CAST(:digits AS type)"),
            ("SELECT 1", "names nothing to look for - allowed: one of :e164, :digits, :national, :subscriber, :intern"),
            ("SELECT 1 WHERE a = :nummer", ":nummer is no form of the caller's number - allowed: :e164, :digits"),
        ],
    )
    def test_anything_else_is_refused(self, statement: str, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            config(URL, statement, "find")

    def test_an_enriching_source_gets_fields_and_no_numbers(self) -> None:
        config(URL, "SELECT 1 WHERE a = :owner", "enrich")
        with pytest.raises(
            ValueError, match=":digits is not known to an enriching source - allowed: the contact's fields"
        ):
            config(URL, "SELECT 1 WHERE a = :digits", "enrich")
        with pytest.raises(ValueError, match="names nothing to look for - allowed: a field of the contact"):
            config(URL, "SELECT 1", "enrich")

    def test_placeholders_are_taken_as_they_come_where_no_role_is_known(self) -> None:
        config(URL, "SELECT 1 WHERE a = :owner AND b = :digits")

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("crm.db", "is no URL of a database - allowed: sqlite"),
            ("postgresql+asyncpg://user@host:port/crm", "is no URL of a database"),
            ("postgresql://user:hidden@host/crm", "names a database or a driver that is not supported"),
            ("sqlite:///crm.db", "names a database or a driver that is not supported"),
            ("oracle+nonsense://host/crm", "names a database or a driver that is not supported"),
            ("sqlite+aiosqlite://", "names no plain file"),
            ("sqlite+aiosqlite:///:memory:", "names no plain file"),
            ("sqlite+aiosqlite:///file:crm.db?uri=true&mode=rwc", "names no plain file"),
            ("sqlite+aiosqlite:///crm.db?mode=rwc", "names no plain file"),
        ],
    )
    def test_urls_of_other_things_are_refused(self, url: str, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            config(url, "SELECT 1 WHERE a = :digits")
        assert "hidden" not in str(caught.value)

    def test_a_missing_driver_is_named_by_its_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "asyncpg", None)
        with pytest.raises(ValueError, match=re.escape("pip install 'tanima[postgresql]'")):
            config("postgresql+asyncpg://user@host/crm", "SELECT 1 WHERE a = :digits")

    def test_the_password_is_not_shown_and_can_come_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("hidden\n", encoding="ascii")
        options = config(
            "postgresql+asyncpg://u@h/crm", "SELECT 1 WHERE a = :digits", folder=tmp_path, password_file="password"
        )
        assert "hidden" not in repr(options)
        assert options.make_engine().url.password == "hidden"
