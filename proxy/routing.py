"""What decides where calls go, and the decision of one call by what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxy.actions import Action
from proxy.model import Asked, Call, Finding, Outcome, Reason, Via
from proxy.phone import Extension, PhoneNumber, Unreadable, Withheld
from proxy.rules import Considered, Goal, Rule, Situation, Standing, choose
from proxy.rules.greeting import Greeting
from proxy.rules.manner import Manner
from proxy.rules.situation import During, Outside
from proxy.target import Target
from proxy.values import per_call


@dataclass(frozen=True, slots=True)
class Routing:
    """Where calls go, as the TOML has it: in general, or on one line."""

    default: Target
    """When nobody can tell, and when a known caller matches no rule"""
    unknown: Target
    withheld: Target
    internal: Target
    rules: Sequence[Rule] = ()
    manner: Manner = field(default=Manner(greeting=Greeting("{name}")))
    """How calls are put through that no rule matched"""
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    line: str = ""
    """Its name, where it is that of a line"""
    by_clock: bool = field(init=False)
    """Whether a rule looks at the time"""

    def __post_init__(self) -> None:
        by_clock = any(isinstance(each, During | Outside) for rule in self.rules for each in rule.conditions)
        object.__setattr__(self, "by_clock", by_clock)

    def target_for(self, reason: Reason) -> Target:
        """Return the target of a call that matched no rule."""
        match reason:
            case Reason.UNKNOWN_CALLER:
                return self.unknown
            case Reason.WITHHELD:
                return self.withheld
            case Reason.INTERNAL_CALLER:
                return self.internal
            case _:
                return self.default


@per_call(frozen=True, slots=True)
class Knowledge:
    """What could be learnt about a call before the rules are tried."""

    situation: Situation
    otherwise: Reason
    """The reason of the decision when no rule matches"""
    via: Via = Via.NONE
    failure: str = ""
    """Why nothing could be learnt"""
    asked: tuple[Asked, ...] = ()
    """What the sources have said"""


@per_call(frozen=True, slots=True)
class Decision:
    """What becomes of a call, and why."""

    action: Action
    reason: Reason
    via: Via = Via.NONE
    rule: str = ""
    """The rule that matched; empty unless it led to the action"""
    step: str = ""
    """The step of the dialogue that the action asks"""
    heard: Outcome | None = None
    """What came of the step before"""
    not_asked: str = ""
    """A step to which it would have gone, but that enough was asked in this call"""
    line: str = ""
    """The line by whose routing it was decided; empty where it is that of all"""
    knowledge: Knowledge | None = field(default=None, compare=False, repr=False)
    """What it was decided by; None when that was nothing"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with all that led to it."""

    knowledge: Knowledge
    considered: Sequence[Considered]
    """Each rule, and what became of it"""
    decision: Decision


@per_call(frozen=True, slots=True)
class Way:
    """Where a call goes, before it is put into the words of an action."""

    goal: Goal
    reason: Reason
    manner: Manner
    rule: str = ""


def by_rules(knowledge: Knowledge, routing: Routing, rules: Sequence[Rule] | None = None) -> Way:
    """Return where the first rule that matches leads, or else [routing]; of its `rules`, where they are given."""
    chosen = choose(knowledge.situation, routing.rules if rules is None else rules)
    if chosen is None:
        return Way(routing.target_for(knowledge.otherwise), knowledge.otherwise, routing.manner)
    rule, goal = chosen
    return Way(goal, Reason.RULE, rule.manner, rule.name)


def put_through(way: Way, knowledge: Knowledge, routing: Routing, heard: Outcome | None = None) -> Decision:
    """Return the decision that a call goes to a target. What its dialect cannot say becomes the default."""
    target = way.goal
    if isinstance(target, str) or (target.kind == "tts" and not knowledge.situation.call.can_be_asked):
        target = routing.default
    action = way.manner.transfer(target, knowledge.situation, routing.tables)
    return Decision(action, way.reason, knowledge.via, way.rule, heard=heard, line=routing.line, knowledge=knowledge)


def learnt(call: Call, finding: Finding, asked: tuple[Asked, ...] = ()) -> Knowledge:
    """Return what is known of a call when the CRM has said something, or has said it before."""
    if finding.contact is not None:
        return Knowledge(Situation(call, Standing.KNOWN, finding.contact), Reason.NO_RULE, finding.via, asked=asked)
    standing = Standing.SEVERAL if finding.ambiguous else Standing.UNKNOWN
    return Knowledge(Situation(call, standing), Reason.UNKNOWN_CALLER, finding.via, asked=asked)


def without_lookup(call: Call) -> Knowledge:
    """Return what is known of a call when no CRM is asked."""
    match call.caller:
        case Extension():
            return Knowledge(Situation(call, Standing.INTERNAL), Reason.INTERNAL_CALLER)
        case Withheld():
            return Knowledge(Situation(call, Standing.WITHHELD), Reason.WITHHELD)
        case Unreadable(why):
            return Knowledge(Situation(call, Standing.UNCLEAR), Reason.BAD_NUMBER, failure=why)
        case PhoneNumber():
            return Knowledge(Situation(call, Standing.UNKNOWN), Reason.UNKNOWN_CALLER)
