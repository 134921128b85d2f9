"""Plays the switch in a terminal: a person is the caller, and the answers are those that the server would give."""

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import quote, urlencode

from proxy.actions import Prompt, Question, SpeechToText, Spoken, Transfer
from proxy.cli.ask import moment_of
from proxy.cli.explained import decision_in_words
from proxy.cli.visible import visible
from proxy.cli.waiting import run_to_the_end
from proxy.config import Configuration, load
from proxy.deployment import Deployment, Observers
from proxy.dialects import Dialect
from proxy.model import Asked, Outcome, Reason
from proxy.routing import Decision

_HEARD = {
    Outcome.FOUND: "the CRM knows what was keyed",
    Outcome.NOT_FOUND: "the CRM does not know what was keyed",
    Outcome.FAILED: "the CRM could not be asked about what was keyed",
    Outcome.TOO_MANY: "this caller has keyed too many numbers; this one is not looked up",
    Outcome.CHOSEN: "the caller has chosen",
    Outcome.KEPT: "the answer is kept",
    Outcome.RECORDED: "the caller was recorded",
    Outcome.MISUNDERSTOOD: "that is none of what was asked for",
    Outcome.FORGOTTEN: "nobody knows what was asked",
    Outcome.NOTHING: "nothing was keyed or said",
}


_BY_A_STEP = frozenset({Reason.ASKED, Reason.ANSWERED, Reason.NO_ANSWER})


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where the dialogue is held."""

    show: Callable[[str], None]
    ask: Callable[[str], str]
    """Shows a question and returns a line. Raises EOFError when the caller hangs up"""


@dataclass(slots=True)
class _Switch:
    """What the switch keeps of one call."""

    terminal: Terminal
    path: str
    query: dict[str, str]
    """Of the call, which stands in each question"""
    heard: dict[str, str] = field(default_factory=dict)
    """What came of the last question"""
    asked: str = ""
    """The step that was asked last"""


async def hold_call(
    configuration: Configuration, number: str, called: str | None, at: datetime | None, terminal: Terminal
) -> None:
    """Hold one call from `number` to its end, or until the caller hangs up."""
    settings = configuration.settings
    asked: list[Asked] = []
    bugs: list[str] = []

    def note_bug(where: str, exc: BaseException) -> None:
        bugs.append(f"bug in {where}: {type(exc).__name__}: {exc}")

    deployment = Deployment(configuration, Observers(source=asked.append, bug=note_bug))
    dialect = deployment.dialects[0]
    call = {"uuid": str(uuid.uuid4()), "cli": number, "cld": called or ""}
    of_the_call = call if dialect.holds_dialogues else {settings.switch.parameter: number}
    switch = _Switch(terminal, settings.switch.path, of_the_call)
    async with deployment:
        step = 0
        while True:
            step += 1
            query = switch.query | ({"step": str(step)} if dialect.holds_dialogues else {}) | switch.heard
            decision = await _answer(deployment, dialect, query, moment_of(configuration, at))
            _show_exchange(switch, query, dialect.render(decision), decision, [*map(_in_words, asked), *bugs])
            switch.asked = decision.step
            asked.clear()
            bugs.clear()
            if isinstance(decision.action, Transfer):
                _show(switch, _end(decision.action))
                return
            try:
                switch.heard = await asyncio.to_thread(_heard, switch, decision.action)
            except EOFError:
                terminal.show("  The caller hangs up.")
                return


async def _answer(deployment: Deployment, dialect: Dialect, query: Mapping[str, str], at: datetime) -> Decision:
    call = dialect.parse(query, at)
    return await deployment.router.route(replace(call, at=at))


def _show_exchange(
    switch: _Switch, query: Mapping[str, str], answer: bytes, decision: Decision, asked: list[str]
) -> None:
    show = switch.terminal.show
    show(f"> GET {switch.path}?{urlencode(query, errors='surrogateescape', quote_via=quote)}")
    for line in asked:
        show(f"  {line}")
    if decision.heard is not None:
        show(f"  {_HEARD[decision.heard]}")
    if decision.not_asked:
        show(f"  enough was asked: {decision.not_asked} is not")
    show(f"  {_why(decision, switch.asked)}")
    show(f"< {json.dumps(json.loads(answer), ensure_ascii=False)}")


def _why(decision: Decision, before: str) -> str:
    """Say where it goes, and why, after a step was asked before."""
    action = decision.action
    if decision.rule or not before or (decision.reason not in _BY_A_STEP):
        return decision_in_words(decision)
    if isinstance(action, Transfer):
        how = "an answer to" if decision.reason is Reason.ANSWERED else "no good answer (otherwise) to"
        return f"{action.target}, where {how} {before} leads"
    return f"the caller is asked {before} again" if decision.step == before else f"{before} leads to {decision.step}"


def _in_words(asked: Asked) -> str:
    note = f" ({asked.note})" if asked.note else ""
    return f"{asked.source}: {asked.outcome}, {asked.seconds * 1000:.1f} ms{note}"


def _show(switch: _Switch, lines: Iterator[str]) -> None:
    for line in lines:
        switch.terminal.show(f"  {line}")


def _end(action: Transfer) -> Iterator[str]:
    if action.phrase:
        yield f"The switch says in {action.language}: {action.phrase}"
    elif action.name:
        yield f"The switch greets in {action.language}: Merhaba, {action.name}. Çağrınızı bağlıyorum"
    if action.announcement_to_caller is not None:
        yield f"The switch plays the sound file {action.announcement_to_caller} to the caller."
    if action.announcement_to_callee is not None:
        yield f"The switch plays the sound file {action.announcement_to_callee} to whoever takes the call."
    if action.recording is not None:
        yield f"The call is {'recorded' if action.recording else 'not recorded'}."
    yield f"The call goes to {action.target}."


def _heard(switch: _Switch, action: Question) -> dict[str, str]:
    """Let the caller answer, and return the parameters that the switch asks again with. Raises EOFError."""
    match action:
        case Prompt():
            return {action.parameter: _keyed(switch, action), "error": ""}
        case SpeechToText():
            return {"result": _said(switch, action), "error": ""}
        case _:
            _say(switch, action.spoken)
            switch.terminal.ask("  The caller speaks and is recorded (Enter when done): ")
            return {"error": ""}


def _keyed(switch: _Switch, prompt: Prompt) -> str:
    """Return the digits; what is no good the switch asks for again itself, as often as it is told to."""
    least, most = prompt.min_digits, prompt.max_digits
    wanted = f"{least} to {most} digits" if least < most else f"{most} digit{'s' * (most > 1)}"
    for _ in range(prompt.retries + 1):
        _say(switch, prompt.spoken)
        keyed = switch.terminal.ask(f"  The caller keys ({wanted}, nothing but Enter, or Ctrl-D to hang up): ").strip()
        if keyed.isascii() and keyed.isdigit() and len(keyed) >= least:
            return keyed[:most]
        if keyed:
            switch.terminal.show("  To the switch these are no digits that it was told to take.")
    return ""


def _said(switch: _Switch, action: SpeechToText) -> str:
    switch.terminal.show(f"  The switch plays the sound file {action.announcement}.")
    return switch.terminal.ask(f"  The caller says, within {action.duration} s: ").strip()


def _say(switch: _Switch, spoken: Spoken) -> None:
    if spoken.announcement is not None:
        switch.terminal.show(f"  The switch plays the sound file {spoken.announcement}.")
    else:
        switch.terminal.show(f"  The switch says in {spoken.language}: {spoken.phrase}")


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    terminal = Terminal(lambda line: print(visible(line)), _ask)
    run_to_the_end(hold_call(load(options.config), options.number, options.called, options.at, terminal))
    return 0


def _ask(question: str) -> str:
    print(question, end="", flush=True)
    line = sys.stdin.readline() if sys.stdin else ""  # it may be closed
    if not (sys.stdin and sys.stdin.isatty()):
        print(line.rstrip("\n"))  # which a terminal has shown already
    if not line:
        raise EOFError
    return line
