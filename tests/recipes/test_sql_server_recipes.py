"""The recipes for SQL Server, on tables of these shapes, through a real ODBC driver."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.recipes.asked import ABROAD, CALLER, CALLS, CLOSED, NOBODY, SPELLINGS, Asked, written
from tests.tds_server import TdsServer

UNKNOWN = (None, "queue/203")


@pytest.fixture
def server(sql_server: TdsServer) -> TdsServer:
    return sql_server


@pytest.fixture
def asked(
    request: pytest.FixtureRequest, server: TdsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Asked:
    """Write the recipe that the test's class names, and set it to the server."""
    settings = {
        "host": f'"127.0.0.1"\nport = {server.port}',
        "database": '"crm"',
        "user": '"reader"',
        "driver_options": f'{{ driver = "{server.driver()}", TDS_Version = "7.4" }}',
    }
    request.cls.fill(server)
    return Asked(written(request.cls.recipe, tmp_path, settings), capsys)


def insert(server: TdsServer, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Make a table of texts and numbers, or add to it."""
    names = columns.split()
    server.database.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(names)})")
    marks = ", ".join("?" for _ in names)
    server.database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


class AnyRecipe:
    """What holds for each of them. The number of the customer `Müşteri 1` is 0532 111 00 01, he is a common one."""

    recipe: str

    @staticmethod
    def fill(server: TdsServer) -> None:
        raise NotImplementedError

    @staticmethod
    def spell(server: TdsServer, spelling: str) -> None:
        """Add the customer `Müşteri 2`, whose number is spelled so."""
        raise NotImplementedError

    def test_it_fits_its_tables(self, asked: Asked) -> None:
        assert asked.live()

    @pytest.mark.parametrize("call", CALLS)
    def test_a_customer_is_known_however_the_switch_spells_the_number(self, asked: Asked, call: str) -> None:
        assert asked.name_and_target(call) == ("Müşteri 1", "queue/202")

    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_a_customer_is_known_however_the_number_is_spelled(
        self, asked: Asked, server: TdsServer, spelling: str
    ) -> None:
        assert asked.name_and_target(CALLER) == UNKNOWN
        self.spell(server, spelling)
        assert asked.name_and_target(CALLER) == ("Müşteri 2", "queue/202")
        assert asked.name_and_target(ABROAD) == UNKNOWN

    def test_others_are_unknown(self, asked: Asked) -> None:
        assert asked.name_and_target(NOBODY) == UNKNOWN
        assert asked.name_and_target("+495321110001") == UNKNOWN

    def test_nobody_is_put_through_when_the_office_is_closed(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110001", CLOSED) == ("Müşteri 1", "announcement/456")


class TestLogo(AnyRecipe):
    recipe = "logo"
    columns = (
        "LOGICALREF ACTIVE CARDTYPE CODE DEFINITION_ SPECODE CITY TELCODES1 TELNRS1 TELCODES2 TELNRS2 CELLPHONE "
        "INCHARGE INCHARGE2 INCHARGE3 INCHTELCODES1 INCHTELCODES2 INCHTELCODES3 INCHTELNRS1 INCHTELNRS2 INCHTELNRS3"
    )

    @classmethod
    def card(cls, server: TdsServer, ref: int, **values: object) -> None:
        known = {"LOGICALREF": ref, "ACTIVE": 0, "CARDTYPE": 3, "CODE": f"120.{ref}", "DEFINITION_": f"Müşteri {ref}"}
        row = tuple({**known, **values}.get(column, "") for column in cls.columns.split())
        insert(server, "LG_001_CLCARD", cls.columns, [row])

    @staticmethod
    def fill(server: TdsServer) -> None:
        TestLogo.card(server, 1, TELNRS1="0 (532) 111 00 01", SPECODE=None)
        TestLogo.card(server, 3, TELCODES1="0212", TELNRS1="555 10 10", TELCODES2="212", TELNRS2="5551011", SPECODE="A")
        TestLogo.card(server, 4, CELLPHONE="5321110004", ACTIVE=1)
        TestLogo.card(
            server, 5, CELLPHONE="5321110005", INCHARGE2="Yetkili 5", INCHTELCODES2="533", INCHTELNRS2="1110005"
        )
        TestLogo.card(server, 6, TELCODES1="532", TELNRS1="0532 111 00 06", INCHARGE=None, INCHTELNRS1=None)
        TestLogo.card(server, 7, TELCODES1="0049", TELNRS1="532 1110007")
        insert(server, "LG_001_SLSCLREL", "LOGICALREF SALESMANREF CLIENTREF", [(1, 10, 5), (2, 11, 5), (3, 12, 6)])
        insert(
            server,
            "LG_SLSMAN",
            "LOGICALREF CODE DEFINITION_ FIRMNR",
            [(10, "P02", "Temsilci 2", 1), (11, "P01", "Temsilci 1", 1), (12, "P99", "Temsilci 99", 1)],
        )

    @staticmethod
    def spell(server: TdsServer, spelling: str) -> None:
        TestLogo.card(server, 2, TELNRS2=spelling)

    def test_a_number_in_two_columns_is_found(self, asked: Asked) -> None:
        assert asked.name_and_target("02125551010") == ("Müşteri 3", "queue/201")
        assert asked.name_and_target("02125551011") == ("Müşteri 3", "queue/201")
        assert asked.name_and_target("05321110006") == ("Müşteri 6", "queue/202")

    def test_a_number_behind_a_foreign_code_is_not_one_at_home(self, asked: Asked) -> None:
        assert asked.name_and_target("+495321110007") == ("Müşteri 7", "queue/202")
        assert asked.name_and_target("05321110007") == UNKNOWN

    def test_a_card_that_is_not_in_use_is_not_found(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110004") == UNKNOWN

    def test_a_contact_person_is_greeted_and_put_through_to_the_first_salesman(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110005") == ("Müşteri 5", "user/1002")
        assert asked.name_and_target("05331110005") == ("Yetkili 5", "user/1002")
        assert asked.field("05331110005", "company") == "Müşteri 5"

    def test_a_customer_is_known_while_the_salesmen_cannot_be_asked(self, asked: Asked, server: TdsServer) -> None:
        server.database.execute("DROP TABLE LG_SLSMAN")
        assert asked.name_and_target("05321110005") == ("Müşteri 5", "queue/202")

    def test_another_firm_has_other_tables(self, asked: Asked, server: TdsServer) -> None:
        server.database.execute("ALTER TABLE LG_001_CLCARD RENAME TO LG_217_CLCARD")
        asked.file.write_text(asked.file.read_text(encoding="utf-8").replace('"001"', '"217"'), encoding="utf-8")
        assert asked.name_and_target("05321110001") == ("Müşteri 1", "queue/202")


class TestNetsis(AnyRecipe):
    recipe = "netsis"
    columns = (
        "CARI_KOD CARI_ISIM CARI_TIP CARI_TEL CARI_TEL2 CARI_TEL3 GSM1 GSM2 GRUP_KODU PLASIYER_KODU CM_BORCT CM_ALACT"
    )
    letters = str.maketrans("ÝÞÐýþð", "İŞĞışğ")

    @classmethod
    def card(cls, server: TdsServer, number: int, **values: object) -> None:
        known = {"CARI_KOD": f"120-{number}", "CARI_ISIM": f"Müþteri {number}", "CARI_TIP": "A"}
        row = tuple({**known, **values}.get(column) for column in cls.columns.split())
        insert(server, "TBLCASABIT", cls.columns, [row])

    @staticmethod
    def fill(server: TdsServer) -> None:
        server.database.create_function("TRK", 1, lambda text: text and text.translate(TestNetsis.letters))
        TestNetsis.card(server, 1, CARI_TEL="0532 111 00 01", PLASIYER_KODU="99")
        TestNetsis.card(server, 3, GSM2="532-111 00 03", CARI_TIP="S", GRUP_KODU="VIP")
        TestNetsis.card(server, 4, GSM1="05321110004", GRUP_KODU="PASIF")
        TestNetsis.card(server, 5, CARI_TEL3="(532) 111 0005", CM_BORCT=250000.5, CM_ALACT=50000)
        TestNetsis.card(server, 6, CARI_TEL2="+905321110006", CM_BORCT=250000, CM_ALACT=250000, PLASIYER_KODU="02")

    @staticmethod
    def spell(server: TdsServer, spelling: str) -> None:
        TestNetsis.card(server, 2, CARI_TEL2=spelling)

    def test_a_card_that_is_out_of_use_is_not_found(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110004") == UNKNOWN

    def test_suppliers_debtors_and_those_with_a_salesman_have_targets_of_their_own(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110003") == ("Müşteri 3", "queue/204")
        assert asked.name_and_target("05321110005") == ("Müşteri 5", "queue/205")
        assert asked.name_and_target("05321110006") == ("Müşteri 6", "user/1002")
        assert asked.field("05321110005", "balance") == 200000.5


class TestMikro(AnyRecipe):
    recipe = "mikro"

    @staticmethod
    def account(server: TdsServer, number: int, mobile: str | None = None, **values: object) -> None:
        columns = (
            "cari_kod cari_unvan1 cari_unvan2 cari_CepTel cari_baglanti_tipi cari_grup_kodu cari_bolge_kodu "
            "cari_temsilci_kodu cari_cari_kilitli_flg cari_iptal cari_firma_acik_kapal"
        )
        known = {
            "cari_kod": f"120.{number}",
            "cari_unvan1": "Müşteri",
            "cari_unvan2": f"{number}",
            "cari_CepTel": mobile,
            "cari_baglanti_tipi": 0,
            "cari_cari_kilitli_flg": 0,
            "cari_iptal": 0,
        }
        insert(server, "CARI_HESAPLAR", columns, [tuple({**known, **values}.get(column) for column in columns.split())])

    @staticmethod
    def address(server: TdsServer, number: int, *parts: str | None, deleted: int | None = 0) -> None:
        columns = "adr_cari_kod adr_iptal adr_tel_ulke_kodu adr_tel_bolge_kodu adr_tel_no1 adr_tel_no2"
        insert(server, "CARI_HESAP_ADRESLERI", columns, [(f"120.{number}", deleted, *parts)])

    @staticmethod
    def person(server: TdsServer, number: int, *phones: str | None, deleted: int | None = 0) -> None:
        columns = "mye_cari_kod mye_iptal mye_isim mye_soyisim mye_cep_telno mye_is_telno mye_ev_telno mye_dahili_telno"
        insert(
            server,
            "CARI_HESAP_YETKILILERI",
            columns,
            [(f"120.{number}", deleted, "Yetkili", f"{number}", *phones, "1002")],
        )

    @staticmethod
    def fill(server: TdsServer) -> None:
        me = TestMikro
        me.account(server, 1, "0532 111 00 01")
        me.account(server, 3, cari_grup_kodu="A")
        me.address(server, 3, "090", "212", "5551003", "555 10 33")
        me.account(server, 4, "0532 111 00 04", cari_iptal=1)
        me.account(server, 5, "0532 111 00 05", cari_firma_acik_kapal=1)
        me.account(server, 6, cari_temsilci_kodu="P01", cari_iptal=None)
        me.address(server, 6, "90", "0212", "5551006", None, deleted=None)
        me.address(server, 6, "", "", "05321110066", "")
        me.address(server, 6, "90", "212", "5551099", "", deleted=1)
        me.person(server, 6, "0533 111 00 06", "0212 555 10 60", None)
        me.person(server, 6, "0533 111 00 99", None, None, deleted=1)
        me.account(server, 7, "0532 111 00 07", cari_cari_kilitli_flg=1)
        me.account(server, 8, "0532 111 00 08", cari_baglanti_tipi=1)
        me.account(server, 9)
        me.address(server, 9, "49", "532", "1110009", "")

    @staticmethod
    def spell(server: TdsServer, spelling: str) -> None:
        TestMikro.account(server, 2, spelling)

    @pytest.mark.parametrize("call", ["02125551003", "02125551033"])
    def test_both_numbers_of_an_address_are_joined_with_its_codes(self, asked: Asked, call: str) -> None:
        assert asked.name_and_target(call) == ("Müşteri 3", "queue/201")

    @pytest.mark.parametrize("call", ["02125551006", "05321110066"])
    def test_codes_may_have_zeros_or_be_missing(self, asked: Asked, call: str) -> None:
        assert asked.name_and_target(call) == ("Müşteri 6", "user/1001")

    @pytest.mark.parametrize("call", ["05331110006", "02125551060"])
    def test_a_contact_person_is_greeted_and_put_through_to_our_salesman(self, asked: Asked, call: str) -> None:
        assert asked.name_and_target(call) == ("Yetkili 6", "user/1001")
        assert asked.field(call, "company") == "Müşteri 6"

    def test_a_number_with_a_foreign_code_is_not_one_at_home(self, asked: Asked) -> None:
        assert asked.name_and_target("+495321110009") == ("Müşteri 9", "queue/202")
        assert asked.name_and_target("05321110009") == UNKNOWN

    @pytest.mark.parametrize("call", ["05321110004", "05321110005", "02125551099", "05331110099"])
    def test_what_is_deleted_or_closed_is_not_found(self, asked: Asked, call: str) -> None:
        assert asked.name_and_target(call) == UNKNOWN

    def test_locked_accounts_and_suppliers_have_targets_of_their_own(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110007") == ("Müşteri 7", "queue/205")
        assert asked.name_and_target("05321110008") == ("Müşteri 8", "queue/204")


class TestNebim(AnyRecipe):
    recipe = "nebim"

    @staticmethod
    def account(server: TdsServer, number: int, kind: int, **values: object) -> None:
        columns = (
            "CurrAccTypeCode CurrAccCode FirstName LastName IsVIP IsBlocked IsLocked OfficeCode CustomerDiscountGrCode"
        )
        is_person = kind == 4
        known = {
            "CurrAccTypeCode": kind,
            "CurrAccCode": f"1-{number}",
            "FirstName": "Müşteri" if is_person else "",
            "LastName": f"{number}" if is_person else "",
            "IsVIP": 0,
            "IsBlocked": 0,
            "IsLocked": 0,
            "OfficeCode": "M09",
        }
        insert(server, "cdCurrAcc", columns, [tuple({**known, **values}.get(column, "") for column in columns.split())])
        described = "CurrAccTypeCode CurrAccCode LangCode CurrAccDescription"
        names = [
            (kind, f"1-{number}", language, f"{name} {number}") for language, name in (("EN", "No"), ("TR", "Müşteri"))
        ]
        insert(server, "cdCurrAccDesc", described, [] if is_person else names)

    @staticmethod
    def number(server: TdsServer, number: int, kind: int, address: str, **values: object) -> None:
        columns = "CurrAccTypeCode CurrAccCode ContactID CommunicationTypeCode CommAddress IsBlocked"
        known = {
            "CurrAccTypeCode": kind,
            "CurrAccCode": f"1-{number}",
            "CommunicationTypeCode": "7",
            "CommAddress": address,
            "IsBlocked": 0,
        }
        row = tuple({**known, **values}.get(column) for column in columns.split())
        insert(server, "prCurrAccCommunication", columns, [row])

    @staticmethod
    def fill(server: TdsServer) -> None:
        me = TestNebim
        me.account(server, 1, 4)
        me.number(server, 1, 4, "0(532)1110001")
        me.number(server, 1, 4, "musteri1@example.com", CommunicationTypeCode="3")
        me.account(server, 3, 3, OfficeCode="M02")
        me.number(server, 3, 3, "0212 555 10 03", CommunicationTypeCode="1")
        me.number(server, 3, 3, "0533 111 00 03", ContactID="c3")
        me.number(server, 3, 3, "0533 111 00 33", ContactID="c33")
        insert(
            server,
            "prCurrAccContact",
            "ContactID FirstName LastName IsBlocked",
            [("c3", "Yetkili", "3", 0), ("c33", "Yetkili", "33", 1)],
        )
        me.account(server, 4, 4, IsBlocked=1)
        me.number(server, 4, 4, "5321110004")
        me.account(server, 5, 4, IsVIP=1)
        me.number(server, 5, 4, "5321110005")
        me.number(server, 5, 4, "5321110055", IsBlocked=1)
        me.account(server, 6, 3, IsLocked=1)
        me.number(server, 6, 3, "5321110006")
        me.account(server, 7, 1)
        me.number(server, 7, 1, "5321110007")
        me.account(server, 8, 3)
        me.number(server, 8, 3, "5321110008")

    @staticmethod
    def spell(server: TdsServer, spelling: str) -> None:
        TestNebim.account(server, 2, 4)
        TestNebim.number(server, 2, 4, spelling)

    def test_a_wholesale_customer_has_a_name_in_turkish_and_the_group_of_the_office(self, asked: Asked) -> None:
        assert asked.name_and_target("02125551003") == ("Müşteri 3", "group/702")
        assert asked.name_and_target("05321110008") == ("Müşteri 8", "queue/202")

    def test_a_contact_person_is_greeted(self, asked: Asked) -> None:
        assert asked.name_and_target("05331110003") == ("Yetkili 3", "group/702")
        assert asked.field("05331110003", "company") == "Müşteri 3"

    @pytest.mark.parametrize("call", ["05321110004", "05321110055", "05331110033", "05321110007"])
    def test_who_is_blocked_or_no_customer_is_not_found(self, asked: Asked, call: str) -> None:
        assert asked.name_and_target(call) == UNKNOWN

    def test_important_and_locked_customers_have_targets_of_their_own(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110005") == ("Müşteri 5", "queue/201")
        assert asked.name_and_target("05321110006") == ("Müşteri 6", "queue/205")
