"""From a call to a decision, whatever happens on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from proxy.directory import Directory
from proxy.errors import AdapterError, Overloaded, without_frames
from proxy.model import Call, Decision, Reason, Via
from proxy.phone import Extension, PhoneNumber, Unreadable, Withheld
from proxy.rules import Considered, Rule, Situation, Standing, choose, explain
from proxy.rules.greeting import Greeting
from proxy.target import Target


@dataclass(frozen=True, slots=True)
class Routing:
    """Where calls go, as the TOML has it."""

    default: Target
    """When nobody can tell, and when a known caller matches no rule"""
    unknown: Target
    withheld: Target
    internal: Target
    rules: Sequence[Rule] = ()
    greeting: Greeting = field(default=Greeting("{name}"))

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


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What could be learnt about a call before the rules are tried."""

    situation: Situation
    otherwise: Reason
    """The reason of the decision when no rule matches"""
    via: Via = Via.NONE
    failure: str = ""
    """Why nothing could be learnt"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with all that led to it."""

    knowledge: Knowledge
    considered: Sequence[Considered]
    """Each rule, and what became of it"""
    decision: Decision


class CallRouter:
    """Decides calls. `deadline` is how many seconds the switch may be kept waiting.

    `on_bug` is told of errors that nobody raised on purpose.
    """

    def __init__(
        self, routing: Routing, directory: Directory, deadline: float, on_bug: Callable[[str, Exception], None]
    ) -> None:
        self._routing = routing
        self._directory = directory
        self.deadline = deadline
        self._on_bug = on_bug

    async def route(self, call: Call) -> Decision:
        """Return where the call goes. Never raises, and takes no longer than the deadline."""
        try:
            return self._decide(await self._learn(call))
        except Exception as exc:  # noqa: BLE001 - the outer net: a bug must not cost anybody a call
            self._on_bug("router", exc)
            return self.fall_back(Reason.BUG)

    async def explain(self, call: Call) -> Explanation:
        """Decide as `route` does, and tell how it came to that. A bug is raised here."""
        knowledge = await self._learn(call)
        return Explanation(knowledge, explain(knowledge.situation, self._routing.rules), self._decide(knowledge))

    def refuse(self, call: Call) -> Decision:
        """Return the decision for a call that may not be asked about: the one for a caller whom nobody knows."""
        knowledge = _without_lookup(call)
        return replace(self._decide(knowledge), reason=Reason.REFUSED, rule="")

    def fall_back(self, reason: Reason) -> Decision:
        """Return the decision for when there is nothing to decide by."""
        return Decision(self._routing.default, reason)

    async def _learn(self, call: Call) -> Knowledge:
        if isinstance(call.caller, PhoneNumber):
            return await self._look_up(call, call.caller)
        return _without_lookup(call)

    async def _look_up(self, call: Call, number: PhoneNumber) -> Knowledge:
        try:
            finding = await self._directory.find(number, self.deadline)
        except AdapterError as exc:
            reason = Reason.OVERLOAD if isinstance(without_frames(exc), Overloaded) else Reason.CRM_FAILED
            return Knowledge(Situation(call, Standing.UNCLEAR), reason, failure=str(exc))
        if finding.contact is None:
            return Knowledge(Situation(call, Standing.UNKNOWN), Reason.UNKNOWN_CALLER, finding.via)
        return Knowledge(Situation(call, Standing.KNOWN, finding.contact), Reason.NO_RULE, finding.via)

    def _decide(self, knowledge: Knowledge) -> Decision:
        routing, contact = self._routing, knowledge.situation.contact
        chosen = choose(knowledge.situation, routing.rules)
        if chosen is None:
            target = routing.target_for(knowledge.otherwise)
            name = routing.greeting.render(contact) if contact else ""
            return Decision(target, knowledge.otherwise, knowledge.via, name)
        rule, target = chosen
        name = (rule.greeting or routing.greeting).render(contact) if contact else ""
        return Decision(target, Reason.RULE, knowledge.via, name, rule.name)


def _without_lookup(call: Call) -> Knowledge:
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
