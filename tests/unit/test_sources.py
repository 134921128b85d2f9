import asyncio
from dataclasses import replace

import pytest

from proxy.adapter import Adapter, Contact
from proxy.detached import detach
from proxy.errors import AdapterError, Unavailable
from proxy.keys import By
from proxy.matching import Several
from proxy.model import Asked
from proxy.sources import Sighting, Source, Sources
from tests.unit.fakes import (
    AHMET,
    CUSTOMER,
    NUMBER,
    After,
    FakeAdapter,
    FakeCompleter,
    FakeEnricher,
    Stubborn,
    in_virtual_time,
    now,
    upstream,
)

AYSE = Contact("Ayşe Demir", {"tier": "silver"}, id="8")
DOWN, REFUSED = Unavailable("down"), AdapterError("refused")
both_ways = pytest.mark.parametrize("parallel", [False, True])


class Observed(list[Asked]):
    def outcomes(self) -> list[tuple[str, str, str]]:
        return [(asked.source, asked.outcome, asked.note) for asked in self]


def sources(
    *adapters: Adapter, enriching: tuple[Adapter, ...] = (), parallel: bool = False, several: Several = Several.FIRST
) -> tuple[Sources, Observed]:
    observed = Observed()
    finding = [Source(upstream(adapter, name=f"s{i}"), several, "changed") for i, adapter in enumerate(adapters)]
    enrichers = [upstream(adapter, name=f"e{i}") for i, adapter in enumerate(enriching)]
    return Sources(finding, enrichers, parallel=parallel, observe=observed.append), observed


@both_ways
@in_virtual_time
async def test_the_first_source_in_order_that_has_a_contact_wins(*, parallel: bool) -> None:
    asked, observed = sources(FakeAdapter(None), FakeAdapter(AHMET), FakeAdapter(AYSE), parallel=parallel)
    assert await asked.lookup(NUMBER) == Sighting(AHMET)
    assert ("s0", "unknown", "") in observed.outcomes()
    assert ("s1", "found", "") in observed.outcomes()


@in_virtual_time
async def test_after_a_contact_no_further_source_is_asked() -> None:
    later = FakeAdapter(AYSE)
    asked, observed = sources(FakeAdapter(AHMET), later)
    assert await asked.lookup(NUMBER) == Sighting(AHMET)
    assert later.asked == []
    assert observed.outcomes() == [("s0", "found", "")]


@in_virtual_time
async def test_asked_at_once_the_first_in_order_wins_over_the_first_to_answer() -> None:
    asked, _ = sources(FakeAdapter(After(0.9, AHMET)), FakeAdapter(AYSE), parallel=True)
    assert await asked.lookup(NUMBER) == Sighting(AHMET)
    assert now() == 1000.9


@in_virtual_time
async def test_asked_one_after_another_times_add_up_and_asked_at_once_they_do_not() -> None:
    one_by_one, _ = sources(FakeAdapter(After(0.5)), FakeAdapter(After(0.5, AHMET)))
    await one_by_one.lookup(NUMBER)
    assert now() == 1001
    at_once, _ = sources(FakeAdapter(After(0.5)), FakeAdapter(After(0.5, AHMET)), parallel=True)
    assert await at_once.lookup(NUMBER) == Sighting(AHMET)
    assert now() == 1001.5


@in_virtual_time
async def test_asked_at_once_those_that_are_no_longer_needed_are_cancelled() -> None:
    slow = After(0.9, AYSE)
    asked, observed = sources(FakeAdapter(AHMET), FakeAdapter(slow), parallel=True)
    await asked.lookup(NUMBER)
    await asyncio.sleep(0.1)
    assert slow.cancelled == 1
    assert observed.outcomes() == [("s0", "found", "")]


@in_virtual_time
async def test_asked_at_once_all_are_cancelled_with_the_one_who_asks() -> None:
    slow = [After(0.9), After(0.9)]
    asked, _ = sources(*map(FakeAdapter, slow), parallel=True)
    lookup = detach(asked.lookup(NUMBER))
    await asyncio.sleep(0.1)
    lookup.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lookup
    await asyncio.sleep(0.1)
    assert [answer.cancelled for answer in slow] == [1, 1]


@both_ways
@in_virtual_time
async def test_nobody_knows_when_every_source_said_so(*, parallel: bool) -> None:
    asked, observed = sources(FakeAdapter(None), FakeAdapter([]), parallel=parallel)
    assert await asked.lookup(NUMBER) == Sighting(None, complete=True)
    assert observed.outcomes() == [("s0", "unknown", ""), ("s1", "unknown", "")]


@both_ways
@in_virtual_time
async def test_a_source_that_fails_passes_on_and_the_contact_is_not_complete(*, parallel: bool) -> None:
    asked, observed = sources(FakeAdapter(DOWN), FakeAdapter(AHMET), parallel=parallel)
    assert await asked.lookup(NUMBER) == Sighting(AHMET, complete=False, certain=False)
    assert observed.outcomes() == [("s0", "failed", "down"), ("s1", "found", "")]


@both_ways
@in_virtual_time
async def test_a_failure_after_the_contact_does_not_count(*, parallel: bool) -> None:
    asked, _ = sources(FakeAdapter(AHMET), FakeAdapter(DOWN), parallel=parallel)
    assert await asked.lookup(NUMBER) == Sighting(AHMET, complete=True)


@both_ways
@pytest.mark.parametrize("answers", [(DOWN, None), (None, DOWN), (DOWN,)])
@in_virtual_time
async def test_nobody_found_after_a_failure_is_a_failure(*, parallel: bool, answers: tuple[object, ...]) -> None:
    asked, _ = sources(*map(FakeAdapter, answers), parallel=parallel)
    with pytest.raises(Unavailable, match="down"):
        await asked.lookup(NUMBER)


@both_ways
@in_virtual_time
async def test_several_failures_are_summed_up_and_pass_only_if_all_may_pass(*, parallel: bool) -> None:
    unavailable, _ = sources(FakeAdapter(DOWN), FakeAdapter(Unavailable("busy")), parallel=parallel)
    with pytest.raises(Unavailable) as caught:
        await unavailable.lookup(NUMBER)
    assert [word in str(caught.value) for word in ("down", "busy")] == [True, True]
    refused, _ = sources(FakeAdapter(DOWN), FakeAdapter(REFUSED), parallel=parallel)
    with pytest.raises(AdapterError) as refusal:
        await refused.lookup(NUMBER)
    assert not isinstance(refusal.value, Unavailable)


@both_ways
@in_virtual_time
async def test_a_source_that_hangs_passes_on(*, parallel: bool) -> None:
    asked, observed = sources(FakeAdapter(Stubborn(60, AYSE)), FakeAdapter(AHMET), parallel=parallel)
    assert await asked.lookup(NUMBER) == Sighting(AHMET, complete=False, certain=False)
    assert now() == 1001
    assert ("s0", "failed", "no answer within 1 s") in observed.outcomes()


@in_virtual_time
async def test_without_sources_nobody_is_known() -> None:
    assert await sources()[0].lookup(NUMBER) == Sighting(None)
    assert await sources(parallel=True)[0].lookup(NUMBER) == Sighting(None)


@in_virtual_time
async def test_enriching_sources_add_fields_one_after_another() -> None:
    enriching = FakeEnricher(AHMET.with_fields({"owner": "ayse"})), FakeEnricher(AHMET.with_fields({"extension": 1003}))
    asked, observed = sources(FakeAdapter(AHMET), enriching=enriching)
    assert await asked.lookup(NUMBER) == Sighting(AHMET.with_fields({"owner": "ayse", "extension": 1003}))
    assert observed.outcomes() == [("s0", "found", ""), ("e0", "enriched", ""), ("e1", "enriched", "")]


@in_virtual_time
async def test_what_cannot_be_enriched_is_returned_as_far_as_it_is_known() -> None:
    enriching = FakeEnricher(DOWN), FakeEnricher(AHMET.with_fields({"extension": 1003}))
    asked, observed = sources(FakeAdapter(AHMET), enriching=enriching)
    assert await asked.lookup(NUMBER) == Sighting(AHMET.with_fields({"extension": 1003}), complete=False)
    assert observed.outcomes()[1:] == [("e0", "failed", "down"), ("e1", "enriched", "")]


@in_virtual_time
async def test_nobody_is_not_enriched() -> None:
    enricher = FakeEnricher(AHMET)
    asked, _ = sources(FakeAdapter(None), enriching=(enricher,))
    assert await asked.lookup(NUMBER) == Sighting(None)
    assert enricher.asked == []


@in_virtual_time
async def test_a_contact_with_other_numbers_is_unknown_and_passes_on() -> None:
    somebody = Contact("Somebody", numbers=("0532 111 22 33",))
    asked, observed = sources(FakeAdapter(somebody), FakeAdapter(AHMET))
    assert await asked.lookup(NUMBER) == Sighting(AHMET)
    assert observed.outcomes()[0] == ("s0", "unknown", "1 contact, 0 with the number")


@pytest.mark.parametrize(
    ("several", "name", "outcome", "note"),
    [
        (Several.FIRST, "A", "found", "2 contacts, several = first"),
        (Several.NEWEST, "B", "found", "2 contacts, several = newest"),
        (Several.UNKNOWN, None, "unknown", "2 contacts, none is chosen"),
    ],
)
@in_virtual_time
async def test_of_several_contacts_the_one_that_the_source_is_set_to_is_taken(
    several: Several, name: str | None, outcome: str, note: str
) -> None:
    old, new = Contact("A", {"changed": "2025-01-01"}), Contact("B", {"changed": "2026-01-01"})
    asked, observed = sources(FakeAdapter([old, new]), several=several)
    sighting = await asked.lookup(NUMBER)
    assert (sighting.contact.name if sighting.contact else None) == name
    assert observed.outcomes() == [("s0", outcome, note)]


@in_virtual_time
async def test_it_is_told_what_was_left_out_and_how_it_was_chosen_among_the_rest() -> None:
    numbers = ("0530 123 45 67",)
    rows = [Contact("A", numbers=numbers, id="1"), Contact("A", numbers=numbers, id="1"), Contact("B", numbers=numbers)]
    asked, observed = sources(FakeAdapter([*rows, Contact("C", numbers=("0212 555 10 10",))]), several=Several.UNKNOWN)
    await asked.lookup(NUMBER)
    note = "4 contacts, 3 with the number; 2 contacts, none is chosen"
    assert observed.outcomes() == [("s0", "unknown", note)]


@in_virtual_time
async def test_each_answer_is_observed_with_the_time_that_it_took() -> None:
    asked, observed = sources(FakeAdapter(None))
    await asked.lookup(NUMBER)
    assert 0 <= observed[0].seconds < 1


@in_virtual_time
async def test_nobody_needs_to_observe() -> None:
    assert await Sources([Source(upstream(FakeAdapter(AHMET)))]).lookup(NUMBER) == Sighting(AHMET)


OWNED = AHMET.with_fields({"owner": "veli"})


@both_ways
@in_virtual_time
async def test_the_contact_that_was_chosen_is_completed_by_its_own_source(*, parallel: bool) -> None:
    other = FakeCompleter(None, AYSE)
    asked, observed = sources(other, FakeCompleter(AHMET, OWNED), parallel=parallel)
    assert await asked.lookup(NUMBER) == Sighting(OWNED)
    assert observed.outcomes() == [("s0", "unknown", ""), ("s1", "found", ""), ("s1", "completed", "")]
    assert len(other.asked) == 1


@in_virtual_time
async def test_a_source_that_adds_nothing_is_not_told_to_have_completed() -> None:
    asked, observed = sources(FakeCompleter(AHMET, AHMET))
    assert await asked.lookup(NUMBER) == Sighting(AHMET)
    assert observed.outcomes() == [("s0", "found", "")]


@in_virtual_time
async def test_a_contact_that_could_not_be_completed_is_only_good_for_a_short_time() -> None:
    asked, observed = sources(FakeCompleter(AHMET, OWNED, DOWN))
    assert await asked.lookup(NUMBER) == Sighting(OWNED, complete=False)
    assert observed.outcomes() == [("s0", "found", ""), ("s0", "incomplete", "down")]


@both_ways
@in_virtual_time
async def test_a_contact_that_is_of_no_use_is_left_for_the_next_source_s(*, parallel: bool) -> None:
    asked, observed = sources(FakeCompleter(AHMET, REFUSED), FakeAdapter(AYSE), parallel=parallel)
    assert await asked.lookup(NUMBER) == Sighting(AYSE, complete=False, certain=False)
    assert ("s0", "failed", "refused") in observed.outcomes()
    alone, _ = sources(FakeCompleter(AHMET, REFUSED), FakeAdapter(None), parallel=parallel)
    with pytest.raises(AdapterError, match=r"^refused$"):
        await alone.lookup(NUMBER)


class CompletingEnricher(FakeEnricher, FakeCompleter):
    """Adds its first answer's fields, and then yields the others."""


@in_virtual_time
async def test_an_enriching_source_may_ask_further_too() -> None:
    asked, observed = sources(
        FakeAdapter(AHMET), enriching=(CompletingEnricher(OWNED, OWNED.with_fields({"extension": 7})),)
    )
    sighting = await asked.lookup(NUMBER)
    assert sighting == Sighting(AHMET.with_fields({"owner": "veli", "extension": 7}))
    assert observed.outcomes() == [("s0", "found", ""), ("e0", "enriched", ""), ("e0", "completed", "")]


@in_virtual_time
async def test_an_enriching_source_that_fails_to_ask_further_keeps_what_was_there() -> None:
    asked, observed = sources(FakeAdapter(AHMET), enriching=(CompletingEnricher(OWNED, REFUSED), FakeEnricher(AYSE)))
    assert await asked.lookup(NUMBER) == Sighting(AHMET, complete=False)
    assert observed.outcomes()[1:] == [("e0", "enriched", ""), ("e0", "failed", "refused"), ("e1", "enriched", "")]


@pytest.mark.parametrize(
    ("crm", "outcome"),
    [(FakeCompleter(AHMET, REFUSED), "failed"), (FakeCompleter(AHMET, AHMET, REFUSED), "incomplete")],
)
@in_virtual_time
async def test_a_source_that_never_completes_is_soon_not_asked_to_and_that_is_told(
    crm: FakeCompleter, outcome: str
) -> None:
    asked, observed = sources(crm)
    for _ in range(20):
        try:
            assert await asked.lookup(NUMBER) == Sighting(AHMET, complete=False)
        except AdapterError as exc:
            failure: AdapterError | None = exc
            assert outcome == "failed"
        else:
            failure = None
    completions = [(said, note) for _, said, note in observed.outcomes() if said != "found"]
    assert completions[0] == (outcome, "refused")
    assert completions[-1] == ("not asked", "not asked: 10 attempts in a row have failed")
    assert (str(failure), type(failure)) == (
        ("not asked: 10 attempts in a row have failed", Unavailable) if outcome == "failed" else ("None", type(None))
    ), "no CircuitOpen: the source itself was asked"


PHONE, CUSTOMER_NUMBER = frozenset({By.PHONE_NUMBER}), frozenset({By.CUSTOMER_NUMBER})


@both_ways
@in_virtual_time
async def test_a_source_is_asked_only_by_the_kinds_of_number_that_it_is_set_to(*, parallel: bool) -> None:
    adapters = [FakeAdapter(None), FakeAdapter(None), FakeAdapter(None)]
    finding = [
        Source(upstream(adapter, name=name), by=by)
        for adapter, name, by in zip(adapters, "abc", (PHONE, CUSTOMER_NUMBER, frozenset(By)), strict=True)
    ]
    observed = Observed()
    asked = Sources(finding, parallel=parallel, observe=observed.append)
    assert await asked.lookup(NUMBER) == Sighting(None)
    assert await asked.lookup(CUSTOMER) == Sighting(None)
    assert [adapter.asked for adapter in adapters] == [[NUMBER], [CUSTOMER], [NUMBER, CUSTOMER]]
    assert [one.source for one in observed] == ["a", "c", "b", "c"]


@both_ways
@in_virtual_time
async def test_a_source_of_another_kind_can_neither_find_nor_fail(*, parallel: bool) -> None:
    finding = [Source(upstream(FakeAdapter(DOWN))), Source(upstream(FakeAdapter(AYSE)), by=CUSTOMER_NUMBER)]
    asked = Sources(finding, parallel=parallel)
    assert await asked.lookup(CUSTOMER) == Sighting(AYSE)
    with pytest.raises(Unavailable, match="down"):
        await asked.lookup(NUMBER)
    assert await Sources(finding[:1], parallel=parallel).lookup(CUSTOMER) == Sighting(None)


@in_virtual_time
async def test_who_is_found_by_a_customer_number_is_completed_and_enriched_too() -> None:
    completer, enricher = FakeCompleter(AHMET, OWNED), FakeEnricher(AHMET.with_fields({"extension": 7}))
    asked = Sources([Source(upstream(completer), by=CUSTOMER_NUMBER)], [upstream(enricher)])
    assert await asked.lookup(CUSTOMER) == Sighting(OWNED.with_fields({"extension": 7}))
    assert completer.asked == [CUSTOMER, CUSTOMER]


@in_virtual_time
async def test_a_contact_with_another_customer_number_is_unknown() -> None:
    somebody = Contact("Somebody", customer_number="999")
    asked = Sources([Source(upstream(FakeAdapter(somebody)), by=CUSTOMER_NUMBER)])
    assert await asked.lookup(CUSTOMER) == Sighting(None)


TWINS = FakeAdapter([AHMET, AYSE])


@both_ways
@in_virtual_time
async def test_nobody_is_found_and_that_is_told_where_a_source_has_several_and_may_not_choose(
    *, parallel: bool
) -> None:
    for key in (NUMBER, CUSTOMER):
        twins = Source(upstream(TWINS), Several.UNKNOWN, by=frozenset(By))
        nobody = Source(upstream(FakeAdapter(None)), by=frozenset(By))
        for finding in ([twins], [twins, nobody], [nobody, twins]):
            assert await Sources(finding, parallel=parallel).lookup(key) == Sighting(None, ambiguous=True)


@both_ways
@in_virtual_time
async def test_a_later_source_that_has_one_contact_knows_better_than_one_that_has_several(*, parallel: bool) -> None:
    finding = [Source(upstream(TWINS), Several.UNKNOWN), Source(upstream(FakeAdapter(AYSE)), Several.UNKNOWN)]
    assert await Sources(finding, parallel=parallel).lookup(NUMBER) == Sighting(AYSE)


@both_ways
@in_virtual_time
async def test_whether_there_are_several_cannot_be_told_after_a_failure(*, parallel: bool) -> None:
    twins, down = Source(upstream(TWINS), Several.UNKNOWN), Source(upstream(FakeAdapter(DOWN)))
    for finding in ([twins, down], [down, twins]):
        with pytest.raises(Unavailable, match="down"):
            await Sources(finding, parallel=parallel).lookup(NUMBER)


@in_virtual_time
async def test_rows_of_one_contact_are_not_several() -> None:
    finding = [Source(upstream(FakeAdapter([AHMET, replace(AHMET, name="Ahmet Y.")])), Several.UNKNOWN)]
    assert await Sources(finding).lookup(NUMBER) == Sighting(AHMET)
