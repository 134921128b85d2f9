"""A server to operate that asks no CRM: with a real journal and real figures of calls that are made up."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from proxy.actions import Prompt, Spoken, Transfer
from proxy.breaker import State
from proxy.errors import ProxyError
from proxy.figures import Figures
from proxy.gauges import Gauges, OneSource
from proxy.journal import Answered, Journal
from proxy.model import Asked, Call, Contact, Heard, Outcome, Reason, Via
from proxy.phone import Caller, Extension, PhoneNumber, Withheld, parse_caller, parse_number
from proxy.routing import Decision, Explanation, Knowledge, Routing, by_rules, put_through, without_lookup
from proxy.rules import Rule, Situation, Standing, explain
from proxy.rules.comparison import Comparison
from proxy.rules.situation import CallerIs, FieldIs
from proxy.rules.template import TargetTemplate
from proxy.target import Target
from proxy.web.operated import Cached, Erased, Question, RuleShown, Shown, Tested

KNOWN = CallerIs(frozenset({Standing.KNOWN}))
RULES = (
    Rule(
        "gold",
        TargetTemplate.parse("queue/201"),
        (KNOWN, FieldIs("tier", Comparison.parse(["gold", "platinum"]))),
    ),
    Rule(
        "own agent",
        TargetTemplate.parse("user/{extension}"),
        (KNOWN, FieldIs("owner", Comparison.parse({"present": True}))),
    ),
    Rule("blocked", TargetTemplate.parse("hangup/busy"), (KNOWN, FieldIs("tier", Comparison.parse("blocked")))),
)
ROUTING = Routing(
    Target.parse("queue/200"), Target.parse("queue/202"), Target.parse("ivr/10"), Target.parse("group/700"), RULES
)
AHMET = Contact(
    "Ahmet Yılmaz",
    {"tier": "gold", "balance": 1250.5, "owner": "ayse.demir", "mobile": "0532 111 22 33", "note": None},
    ("+90 530 123 45 67", "0212 555 10 10"),
    id="4711",
    customer_number="0012345",
)
PLAIN = Contact(
    "Örnek Müşteri", {"tier": "standard", "owner": "can.kaya", "extension": 1003}, ("0532 111 22 33",), id="12"
)
NUMBER = parse_number("05301234567", "TR")
LINE = parse_number("08505321234", "TR")
CALL_ID = "2f1f9f0e-7a53-4d9c-9c0b-0d7f2f6e1a11"

SECTIONS: Mapping[str, Any] = {
    "switch": {
        "listen": "127.0.0.1:8080",
        "path": "/musteri.json",
        "dialect": "auto",
        "service_url": None,
        "deadline": 1.5,
        "default": "queue/200",
        "access": {"tokens": ["***"], "allow": ["192.0.2.10", "198.51.100.0/24"], "rate": None},
    },
    "cache": {"ttl": 300, "size": 50000, "snapshot": "cache.json", "snapshot_key": "***"},
    "sources": [
        {
            "name": "crm",
            "adapter": "rest",
            "role": "find",
            "timeout": 0.6,
            "attempts": 2,
            "concurrency": 100,
            "breaker_failures": 10,
            "breaker_pause": 5.0,
            "options": {
                "url": "https://crm.example.com/api/contacts",
                "query": {"phone": "{e164}", "limit": "5"},
                "bearer": "***",
                "fields": {"tier": "account.tier", "owner": "owner.login"},
            },
        },
        {
            "name": "extensions",
            "adapter": "sql",
            "role": "enrich",
            "timeout": 0.3,
            "attempts": 1,
            "options": {"statement": "SELECT extension\nFROM agents\nWHERE login = :owner"},
        },
    ],
    "rules": [{"name": "gold", "when": {"tier": ["gold", "platinum"]}, "target": "queue/201"}],
}
WRITTEN = frozenset(
    {
        "switch.default",
        "switch.access.tokens",
        "switch.access.allow",
        "cache.snapshot",
        "cache.snapshot_key",
        "sources.crm.name",
        "sources.crm.adapter",
        "sources.crm.options.url",
        "sources.crm.options.query.phone",
        "sources.crm.options.bearer",
        "sources.crm.options.fields.tier",
        "sources.extensions.name",
        "sources.extensions.adapter",
        "sources.extensions.role",
        "sources.extensions.options.statement",
        "rules.gold.name",
        "rules.gold.when",
        "rules.gold.target",
    }
)
SHOWN = Shown(
    "/etc/tanima/config.toml",
    SECTIONS,
    WRITTEN,
    (
        RuleShown("", "gold", {"when": {"tier": ["gold", "platinum"], "balance": {"below": 10000}}}, "queue/201"),
        RuleShown("", "own agent", {"when": {"owner": {"present": True}}, "during": ["office"]}, "user/{extension}"),
        RuleShown("", "blocked", {"when": {"tier": "blocked"}}, "hangup/busy", "the rule before it matches them all"),
        RuleShown(
            "export",
            "from abroad",
            {"caller": {"kind": ["known", "unknown"], "country": ["DE", "AT"], "type": "mobile"}, "outside": "office"},
            "queue/203",
        ),
    ),
    ("the table branches is used by no rule",),
)


@dataclass
class SampleOperated:
    """Answers as it is told to; what was asked of it can be seen."""

    figures: Figures = field(default_factory=Figures)
    journal: Journal = field(default_factory=Journal)
    states: dict[str, OneSource] = field(
        default_factory=lambda: {
            "crm": OneSource(State.CLOSED, State.CLOSED, 2, 100),
            "extensions": OneSource(State.CLOSED, State.CLOSED, 0, 100),
        }
    )
    is_refused: bool = False
    in_cache: dict[PhoneNumber, Cached] = field(default_factory=dict)
    erased: list[PhoneNumber] = field(default_factory=list)
    invalidated: list[PhoneNumber | None] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    contact: Contact | None = AHMET
    snapshot: bool = True
    error: Exception | None = None
    shown_now: Shown = SHOWN
    bugs: tuple[str, ...] = ()
    configured_at: float = 1_750_000_000.0
    region: str = "TR"

    def gauges(self) -> Gauges:
        if self.error is not None and not isinstance(self.error, ProxyError):
            raise self.error
        return Gauges(
            version="1.0",
            deadline=1.5,
            sources=self.states,
            rules=[(rule.line, rule.name) for rule in self.shown_now.rules],
            flights=3,
            cached=12345,
            cache_size=50000,
            dialogues=1,
            connections={"switch": 4, "admin": 1},
            connections_most=2000,
            journal=len(self.journal),
            configured_at=self.configured_at,
            snapshot_at=None,
            is_refused=self.is_refused,
        )

    def shown(self) -> Shown:
        return self.shown_now

    async def cached(self, number: PhoneNumber) -> Cached | None:
        return self.in_cache.get(number)

    async def erase(self, number: PhoneNumber) -> Erased:
        if self.error is not None:
            raise self.error
        self.erased.append(number)
        self.journal.forget(number)
        return Erased(self.in_cache.pop(number, None) is not None, self.snapshot)

    async def invalidate(self, number: PhoneNumber | None) -> int:
        self.invalidated.append(number)
        return len(self.in_cache) if number is None else int(number in self.in_cache)

    async def test(self, question: Question) -> Tested:
        self.questions.append(question)
        caller = parse_caller(question.number, self.region)
        called = parse_caller(question.called, self.region) if question.called else None
        call = Call(caller, question.at or datetime.now(UTC), called)
        began = time.perf_counter()
        cached = self.in_cache.get(caller) if isinstance(caller, PhoneNumber) else None
        explanation = explained(call, self.contact, Via.CRM, asked(began))
        is_fresh = cached is not None and cached.fresh_for > 0
        from_cache = explained(call, cached.contact, Via.CACHE) if cached and is_fresh else None
        answers = {"musteri-tanima": '{"name": "Ahmet Yılmaz", "target": "queue/201"}'}
        return Tested(caller, cached, explanation, from_cache, began, 0.212, answers, self.bugs)

    def now(self) -> float:
        return time.monotonic()

    def answer(self, answered: Answered, now: float | None = None) -> None:
        """Count a call, and keep it."""
        now = self.now() if now is None else now
        self.figures.count_call(answered, 1.5, now)
        knowledge = answered.decision.knowledge
        for one in knowledge.asked if knowledge else ():
            self.figures.count_source(one, now)
        self.journal.add(answered)


def asked(began: float = 100.0, *, fails: bool = False) -> tuple[Asked, ...]:
    """Return what the two sources have said."""
    if fails:
        return (Asked("crm", "failed", 1.25, "no answer within 0.6 s", began + 0.001),)
    return (
        Asked("crm", "found", 0.187, "2 contacts, of which 1 has the number", began + 0.001),
        Asked("extensions", "enriched", 0.021, "", began + 0.19),
    )


def explained(call: Call, contact: Contact | None, via: Via, said: tuple[Asked, ...] = ()) -> Explanation:
    """Decide a call as a router does."""
    if isinstance(call.caller, PhoneNumber):
        standing = Standing.KNOWN if contact else Standing.UNKNOWN
        otherwise = Reason.NO_RULE if contact else Reason.UNKNOWN_CALLER
        knowledge = Knowledge(Situation(call, standing, contact), otherwise, via, asked=said)
    else:
        knowledge = without_lookup(call)
    decision = put_through(by_rules(knowledge, ROUTING), knowledge, ROUTING)
    return Explanation(knowledge, explain(knowledge.situation, RULES), decision)


def answered(  # noqa: PLR0917 - all that a call may be
    caller: Caller = NUMBER,
    contact: Contact | None = AHMET,
    via: Via = Via.CRM,
    seconds: float = 0.212,
    said: tuple[Asked, ...] | None = None,
    at: datetime | None = None,
) -> Answered:
    """Return a call that was answered well."""
    at = at or datetime.now(UTC)
    said = (asked() if via is Via.CRM else ()) if said is None else said
    explanation = explained(Call(caller, at, LINE), contact, via, said)
    return Answered(explanation.knowledge.situation.call, explanation.decision, seconds, ROUTING, "musteri-tanima", at)


def failed(seconds: float = 1.252, at: datetime | None = None, caller: Caller = NUMBER) -> Answered:
    """Return a call of which no source could tell."""
    at = at or datetime.now(UTC)
    call = Call(caller, at)
    knowledge = Knowledge(
        Situation(call, Standing.UNCLEAR),
        Reason.CRM_FAILED,
        failure="crm: no answer within 0.6 s",
        asked=asked(fails=True),
    )
    decision = put_through(by_rules(knowledge, ROUTING), knowledge, ROUTING)
    return Answered(call, decision, seconds, ROUTING, "musteri-tanima", at)


def dialogue() -> list[Answered]:
    """Return the two questions of the switch about a call in which something is keyed."""
    at = datetime.now(UTC)
    first = Call(NUMBER, at, LINE, CALL_ID, can_be_asked=True)
    unknown = Knowledge(Situation(first, Standing.UNKNOWN), Reason.UNKNOWN_CALLER, Via.CRM, asked=asked()[:1])
    prompt = Prompt(Spoken(phrase="Lütfen müşteri numaranızı tuşlayın."), "customer_no")
    question = Decision(prompt, Reason.ASKED, Via.CRM, "strangers", "customer_no", knowledge=unknown)
    second = replace(first, step=2, heard=Heard((("customer_no", "0012345"),)))
    known = Knowledge(Situation(second, Standing.KNOWN, AHMET), Reason.NO_RULE, Via.CRM, asked=asked()[:1])
    went = replace(put_through(by_rules(known, ROUTING), known, ROUTING), heard=Outcome.FOUND, not_asked="menu")
    return [
        Answered(first, question, 0.19, ROUTING, "santral-programlama", at),
        Answered(second, went, 0.19, ROUTING, "santral-programlama", at + timedelta(seconds=9)),
    ]


def refused() -> Answered:
    """Return what was no question of the switch."""
    return Answered(None, Decision(Transfer(ROUTING.default), Reason.REFUSED), 0.0004)


def half_an_hour(operated: SampleOperated, calls: int = 420) -> None:
    """Let half an hour of calls have been."""
    chance = random.Random(4)  # noqa: S311 - of no consequence
    now, at = operated.now(), datetime.now(UTC)
    people: list[Caller] = [parse_number(f"0530{chance.randrange(10**7):07}", "TR") for _ in range(60)]
    for place in range(calls):
        ago = 1795.0 * (1 - place / calls)
        when, caller = at - timedelta(seconds=ago), chance.choice(people)
        roll = chance.random()
        if roll < 0.5:
            one = answered(caller, AHMET if roll < 0.3 else PLAIN, Via.CACHE, chance.uniform(0.0004, 0.003), at=when)
        elif roll < 0.78:
            one = answered(caller, AHMET if roll < 0.65 else PLAIN, Via.CRM, chance.uniform(0.09, 0.4), at=when)
        elif roll < 0.88:
            one = answered(caller, None, Via.CRM, chance.uniform(0.1, 0.3), asked()[:1], at=when)
        elif roll < 0.92:
            one = answered(Withheld() if roll < 0.9 else Extension("1003"), None, Via.NONE, 0.0006, at=when)
        elif 500 < ago < 800 or roll > 0.985:
            one = failed(chance.uniform(1.2, 1.6), when, caller)
        else:
            one = answered(caller, AHMET, Via.STALE, chance.uniform(0.3, 1.3), asked(fails=True), at=when)
        operated.answer(one, now - ago)
    for one in (*dialogue(), refused(), failed(), answered()):
        operated.answer(one)
    operated.in_cache[NUMBER] = Cached(PLAIN, ambiguous=False, fresh_for=212.0, stale_for=86612.0)
