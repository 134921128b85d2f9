"""From a call to a decision, whatever happens on the way."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from secrets import token_bytes

from proxy.actions import Transfer
from proxy.dialogue import Answer, Keys, LookUp, Memory, Progress, Step
from proxy.directory import Directory
from proxy.errors import AdapterError, Overloaded, without_frames
from proxy.keys import Key, kind_of
from proxy.limiter import Limiter
from proxy.model import Asked, Call, Heard, Outcome, Reason, Via
from proxy.phone import Caller, PhoneNumber
from proxy.routing import Decision, Explanation, Knowledge, Routing, Way, by_rules, learnt, put_through, without_lookup
from proxy.rules import Situation, Standing, explain
from proxy.target import Target

_KEY = token_bytes(32)

Answers = Progress[Knowledge, "Decision | asyncio.Future[Decision]"]
Calls = Memory[Knowledge, "Decision | asyncio.Future[Decision]"]


@dataclass(frozen=True, slots=True)
class Dialogues:
    """What callers may be asked, and what is remembered of them."""

    memory: Calls
    guesses: Limiter
    """How often one caller may have a number looked up that was keyed"""
    steps: Mapping[str, Step] = field(default_factory=dict)
    max_steps: int = 5
    """In one call"""
    service_url: str = ""
    """Where the switch asks again; where it asked, when empty"""


class CallRouter:
    """Decides calls. `deadline` is how many seconds the switch may be kept waiting.

    `lines` are dialled numbers with a routing of their own. `on_bug` is told of errors that nobody raised on purpose.
    """

    def __init__(  # noqa: PLR0913 - all that a call is decided by
        self,
        routing: Routing,
        directory: Directory,
        deadline: float,
        on_bug: Callable[[str, Exception], None],
        *,
        lines: Mapping[Caller, Routing] | None = None,
        dialogues: Dialogues | None = None,
        region: str = "TR",
    ) -> None:
        self._routing = routing
        self._lines = lines or {}
        self._directory = directory
        self.deadline = deadline
        self._on_bug = on_bug
        self._dialogues = dialogues or Dialogues(Memory(_now), Limiter(0, 0))
        self._region = region
        self._steps = frozenset(self._dialogues.steps)

    async def route(self, call: Call) -> Decision:
        """Return what becomes of the call. Never raises, and takes no longer than the deadline.

        The same question about the same call is answered as before, without a second lookup.
        """
        try:
            if not call.can_be_asked:
                return self._without_asking(await self._learn(call, self.deadline))
            if not call.call_id:
                return await self._turn(call, Progress())
            return await self._once(call)
        except Exception as exc:  # noqa: BLE001 - the outer net: a bug must not cost anybody a call
            self._on_bug("router", exc)
            return self.fall_back(Reason.BUG, call)

    async def learn(self, call: Call, key: Key | None = None) -> Knowledge:
        """Return what is known when a call begins; or, with a `key`, after the caller has keyed it. Bugs are raised."""
        return await (self._learn(call, self.deadline) if key is None else self._look_up(call, key, self.deadline))

    def explain(self, call: Call, knowledge: Knowledge, key: Key | None = None) -> Explanation:
        """Decide as `route` does, and tell how it came to that. With a `key` the steps that look it up are over."""
        progress: Answers = Progress()
        for step in self._dialogues.steps.values():
            if isinstance(step.use, LookUp) and key is not None and step.use.by is kind_of(key):
                progress.times[step.name] = 1
        knowledge = self._as_of_now(knowledge, call, progress)
        considered = explain(knowledge.situation, self.routing_of(call).rules)
        return Explanation(knowledge, considered, self._decide(knowledge, progress))

    def refuse(self, call: Call) -> Decision:
        """Return the decision for a call that may not be asked about: the one for a caller whom nobody knows."""
        return replace(self._without_asking(without_lookup(call)), reason=Reason.REFUSED, rule="")

    def fall_back(self, reason: Reason, call: Call | None = None) -> Decision:
        """Return the decision for when there is nothing to decide by."""
        routing = self.routing_of(call)
        return Decision(Transfer(routing.default), reason, line=routing.line)

    def routing_of(self, call: Call | None) -> Routing:
        """Return what decides a call."""
        return self._lines.get(call.called, self._routing) if call and call.called is not None else self._routing

    # ------------------------------------------------------------------ what is known of a caller

    async def _learn(self, call: Call, patience: float) -> Knowledge:
        if isinstance(call.caller, PhoneNumber):
            return await self._look_up(call, call.caller, patience)
        return without_lookup(call)

    async def _look_up(self, call: Call, key: Key, patience: float) -> Knowledge:
        told: list[Asked] = []
        try:
            finding = await self._directory.find(key, patience, told)
        except AdapterError as exc:
            reason = Reason.OVERLOAD if isinstance(without_frames(exc), Overloaded) else Reason.CRM_FAILED
            return Knowledge(Situation(call, Standing.UNCLEAR), reason, failure=str(exc), asked=tuple(told))
        return learnt(call, finding, tuple(told))

    def _as_of_now(self, knowledge: Knowledge, call: Call, progress: Answers) -> Knowledge:
        """Return what is known of a call with what has been keyed in it, and with what may be asked now."""
        may_be = self._steps.difference(progress.times) if progress.times else self._steps
        steps = may_be if self._may_ask(call, progress) else frozenset()
        situation = replace(knowledge.situation, call=call, kept=dict(progress.kept), steps=steps)
        return replace(knowledge, situation=situation)

    # ------------------------------------------------------------------ a dialogue

    async def _once(self, call: Call) -> Decision:
        """Answer one question of the switch; a repetition is answered as it was, or will be."""
        progress = self._dialogues.memory.recall(call)
        turn = (call.step, self._relevant(call.heard))
        known = progress.answers.get(turn)
        if isinstance(known, Decision):
            return known
        if known is not None:
            await asyncio.wait({known}, timeout=self.deadline)
            return known.result() if known.done() else self.fall_back(Reason.CRM_FAILED, call)
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        progress.keep(turn, answer)
        try:
            answer.set_result(await self._turn(call, progress))
            progress.keep(turn, answer.result())
        finally:
            if not answer.done():  # the next one may have more luck
                progress.answers.pop(turn, None)
                answer.set_result(self.fall_back(Reason.BUG, call))
        return answer.result()

    def _relevant(self, heard: Heard) -> Heard:
        """Return what came of a question without parameters of others, so that a repetition is known as one."""
        if not heard.keyed:
            return heard
        return replace(heard, keyed=tuple(sorted(each for each in heard.keyed if each[0] in self._dialogues.steps)))

    async def _turn(self, call: Call, progress: Answers) -> Decision:
        """Go on with a call after what was heard of the caller; or begin."""
        ends_at = _now() + self.deadline
        was_asked = call.step > 1 and (progress.knowledge is None or progress.asked != "")
        step = self._answered(call, progress)
        if step is None:
            knowledge = await self._own(call, progress, ends_at)
            return self._decide(knowledge, progress, Outcome.FORGOTTEN if was_asked else None)
        answer, looked_up = step.read(call.heard, self._region), None
        if answer.key is not None:
            answer, looked_up = await self._identify(call, progress, answer, answer.key, ends_at)
        elif answer.outcome is Outcome.KEPT:
            progress.kept[step.kept_as] = answer.kept
        goal, reason = step.next(answer, progress.times.get(step.name, 0))
        knowledge = await self._own(call, progress, ends_at)
        if looked_up is not None:
            asked = tuple(dict.fromkeys(looked_up.asked + knowledge.asked))
            knowledge = replace(knowledge, via=looked_up.via, asked=asked)
        not_asked = goal if isinstance(goal, str) and not self._may_ask(call, progress) else ""
        if not_asked:
            otherwise = self._dialogues.steps[not_asked].otherwise
            goal, reason = (otherwise if isinstance(otherwise, Target) else None), Reason.NO_ANSWER
        if goal is None:
            decision = self._decide(knowledge, progress, answer.outcome)
        else:
            way = Way(goal, reason, progress.manner or self.routing_of(call).manner)
            decision = self._go(way, knowledge, progress, answer.outcome)
        return replace(decision, not_asked=not_asked) if not_asked else decision

    def _answered(self, call: Call, progress: Answers) -> Step | None:
        """Return the step that this question of the switch answers; None when a call begins, or nobody knows.

        A proxy that has forgotten the call, or never had it, goes by the name under which digits come.
        """
        steps, heard = self._dialogues.steps, call.heard
        expected = steps.get(progress.asked)
        if expected is not None and expected.hears(heard):
            return expected
        keyed = [steps[name] for name, _ in heard.keyed if name in steps and isinstance(steps[name].ask, Keys)]
        if keyed:
            expected = keyed[-1]
        if progress.knowledge is None and call.step > 1:
            may_be = () if call.step > self._dialogues.max_steps + 1 else steps.values()  # nobody asks so much
            nameless = [each for each in may_be if not isinstance(each.ask, Keys) and each.hears(heard)]
            expected = expected or (nameless[0] if len(nameless) == 1 else None)
            progress.questions = call.step - 1 if expected else self._dialogues.max_steps
            if expected:
                progress.times[expected.name] = progress.times.get(expected.name, 0) + call.step - 1
        return expected if call.step > 1 or keyed else None

    async def _identify(
        self, call: Call, progress: Answers, answer: Answer, key: Key, ends_at: float
    ) -> tuple[Answer, Knowledge]:
        """Look up what was keyed; who it belongs to is the caller from now on. Return also what was learnt by it."""
        who, guesses = _who_guesses(call.caller), self._dialogues.guesses
        if not guesses.admit(who, _now()):
            return Answer(Outcome.TOO_MANY), without_lookup(call)
        knowledge = await self._look_up(call, key, ends_at - _now())
        match knowledge.situation.standing:
            case Standing.KNOWN:
                progress.knowledge = knowledge
                return answer, knowledge
            case Standing.UNCLEAR:
                guesses.give_back(who)  # nothing was learnt by it
                progress.knowledge = knowledge
                return Answer(Outcome.FAILED), knowledge
            case _:
                return Answer(Outcome.NOT_FOUND), knowledge

    async def _own(self, call: Call, progress: Answers, ends_at: float) -> Knowledge:
        """Return what is known of the caller, by what he has keyed or else by his number."""
        known = progress.knowledge
        if known is None or (_is_unclear(known) and known.situation.call.step != call.step):  # the CRM may be back
            learnt = await self._learn(call, max(0.0, ends_at - _now()))
            if progress.knowledge is known:  # or else it is known meanwhile, from another question
                progress.knowledge = learnt
            known = progress.knowledge or learnt
        if known.situation.call.step != call.step:  # it is known from an earlier question
            known = replace(known, via=Via.NONE, asked=())
        return self._as_of_now(known, call, progress)

    def _may_ask(self, call: Call, progress: Answers) -> bool:
        return call.can_be_asked and max(progress.questions, call.step - 1) < self._dialogues.max_steps

    # ------------------------------------------------------------------ the decision

    def _without_asking(self, knowledge: Knowledge) -> Decision:
        """Return the decision for a call of which no steps may be asked."""
        routing = self.routing_of(knowledge.situation.call)
        way = by_rules(knowledge, routing)
        return put_through(way, knowledge, routing)

    def _decide(self, knowledge: Knowledge, progress: Answers, heard: Outcome | None = None) -> Decision:
        return self._go(by_rules(knowledge, self.routing_of(knowledge.situation.call)), knowledge, progress, heard)

    def _go(self, way: Way, knowledge: Knowledge, progress: Answers, heard: Outcome | None) -> Decision:
        """Return the decision for a call that goes to a target, or to a step that may be asked."""
        situation, goal = knowledge.situation, way.goal
        progress.asked = ""
        routing = self.routing_of(situation.call)
        if isinstance(goal, Target):
            return put_through(way, knowledge, routing, heard)
        step = self._dialogues.steps[goal]
        language = replace(way.manner, language=step.language or way.manner.language)
        question = step.ask.question(
            step.name,
            language.language_of(situation, routing.tables),
            self._dialogues.service_url,
            is_repeated=step.name in progress.times,
        )
        progress.manner = way.manner
        progress.asked = step.name
        progress.times[step.name] = progress.times.get(step.name, 0) + 1
        progress.questions += 1
        return Decision(
            question, Reason.ASKED, knowledge.via, way.rule, step.name, heard, line=routing.line, knowledge=knowledge
        )


def begun(decision: Decision) -> Answers:
    """Return what a call has been through that was put through when it began."""
    return Progress(decision.knowledge, answers={(1, Heard()): decision})


def _who_guesses(caller: Caller) -> bytes:
    """Return as whom a caller counts. All who withhold their number count as one, as do all with none that is valid.

    It is not the number itself, which may have to be erased.
    """
    who = caller.e164 if isinstance(caller, PhoneNumber) else str(caller)
    return blake2b(who.encode(), digest_size=16, key=_KEY).digest()


def _is_unclear(knowledge: Knowledge) -> bool:
    return knowledge.situation.standing is Standing.UNCLEAR


def _now() -> float:
    return asyncio.get_running_loop().time()
