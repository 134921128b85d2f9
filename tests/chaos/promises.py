"""Each promise about calls, the CRM and what is known: what is promised, and how that is tried."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.chaos.bounds import garbage_reaches_no_crm, memory_is_bounded
from tests.chaos.changing import a_change_costs_no_call, a_number_is_forgotten
from tests.chaos.faults_mixed import every_call_is_answered, every_call_is_answered_in_time
from tests.chaos.frozen import a_server_that_is_back_is_soon_found, frozen_servers_keep_nobody_waiting
from tests.chaos.keeping import a_late_answer_warms_the_cache, an_error_overwrites_nobody, known_callers_stay_known
from tests.chaos.killed import a_killed_server_is_soon_back
from tests.chaos.overload import the_end_costs_nobody_a_call, too_many_calls_do_not_queue
from tests.chaos.restart import a_restart_keeps_contacts
from tests.chaos.sparing import (
    a_crm_that_asks_for_rest_gets_it,
    a_crm_that_fails_is_left_alone,
    few_second_attempts,
    one_lookup_for_all_who_ask_the_same,
    one_probe_when_half_open,
)
from tests.chaos.wire import whatever_comes_is_answered
from tests.chaos.world import Seen, World


@dataclass(frozen=True)
class Promise:
    """What is promised, and how it is tried."""

    name: str
    text: str
    attempt: Callable[[World], Coroutine[Any, Any, Seen]]


PROMISES = (
    Promise("P1", "10 000 calls under all faults: 200 and a valid target", every_call_is_answered),
    Promise("P2", "300/s under faults: none after 1.7 s; hits at 500/s: p99 50 ms", every_call_is_answered_in_time),
    Promise("P3", "frozen servers: none later than the deadline + 0.2 s", frozen_servers_keep_nobody_waiting),
    Promise("P4", "what is no question, or no HTTP: 200 and the default", whatever_comes_is_answered),
    Promise("P5", "more than the bulkhead holds: default or stale at once", too_many_calls_do_not_queue),
    Promise("P6", "SIGTERM: calls get answers, ended by the deadline + 1 s", the_end_costs_nobody_a_call),
    Promise("P7", "1000 calls of one number at once: 1 lookup", one_lookup_for_all_who_ask_the_same),
    Promise("P8", "at most 2 attempts, and 20 % more load in an outage", few_second_attempts),
    Promise("P9", "open after at most 20 failures; then 20 ms", a_crm_that_fails_is_left_alone),
    Promise("P10", "half open, 1000 callers: 1 lookup", one_probe_when_half_open),
    Promise("P11", "the CRM is back: a contact within 10 s", a_server_that_is_back_is_soon_found),
    Promise("P12", "1 000 000 garbage numbers: no lookup, below 10 MB", garbage_reaches_no_crm),
    Promise("P13", "Retry-After is kept to, and no caller waits for it", a_crm_that_asks_for_rest_gets_it),
    Promise("P14", "the CRM is dead: all known callers known, for `stale`", known_callers_stay_known),
    Promise("P15", "an error never overwrites a contact", an_error_overwrites_nobody),
    Promise("P16", "a late answer: the next call is a hit", a_late_answer_warms_the_cache),
    Promise("P17", "restart: 99 % of 100 000 back, 0600, ages kept", a_restart_keeps_contacts),
    Promise("P17+", "killed at 200 calls/s: known again; none refused by a socket kept", a_killed_server_is_soon_back),
    Promise("P18", "reload: live within 1 s, or refused; no call lost", a_change_costs_no_call),
    Promise("P19", "erased: gone from the cache, snapshot and flights", a_number_is_forgotten),
    Promise("P20", "memory: the cache, flights and tables are bounded", memory_is_bounded),
)
