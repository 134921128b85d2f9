"""Answers a switch late, or wrongly, on purpose, and tells what it does then, for `tanima probe`."""

import argparse
import asyncio
import logging
import math
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle

from aiohttp import web

from proxy.actions import Transfer
from proxy.addresses import url_of
from proxy.cli.ending import MISUSED, fail
from proxy.cli.listening import run_at
from proxy.cli.trials import TRIALS, Trial
from proxy.config import Configuration, load
from proxy.deployment import Deployment, dialects_of
from proxy.dialects import Dialect
from proxy.model import Call, Reason
from proxy.routing import Decision
from proxy.target import GRAMMAR, Target
from proxy.web.listener import JSON_HEADERS
from proxy.web.switch import Answering, each_once, may_ask

SOON = 10.0
"""Seconds within which a further question about the same caller is about the same call, where the switch names none."""

ROOM = 2 / 3
"""The part of what the switch was seen to wait that is advised as a deadline."""

MOST_RUNS = 1000
"""Calls that are remembered; the oldest are forgotten."""

ENDING = 2.0
"""Seconds for the last answers to go out."""

_NOWHERE = logging.Logger("nowhere", logging.CRITICAL + 1)  # noqa: LOG001 - of nobody else's
"""aiohttp would show requests that it cannot read, with the numbers in them"""


@dataclass(slots=True)
class Run:
    """One call, and what the switch did in its trial."""

    trial: Trial
    label: str
    """Which trial it is, for a person"""
    call: Call
    where: str
    """From where it was asked about, and in which form"""
    started: float
    """When it was asked about, as are all times here in monotonic seconds"""
    ended: float | None = None
    """When it was answered, or heard of last; None while the switch waits"""
    waited: bool = False
    """The switch was there until the answer went out"""
    hung_up: float | None = None
    """After how many seconds the switch hung up, if it did"""
    again: int = 0
    """How often the switch asked again"""
    first_again: float = 0.0
    """After how many seconds it did so first"""

    def outcome(self) -> str:
        """Return what the switch did, for a person."""
        told = "was answered as the probe was stopped"
        if self.hung_up is not None:
            told = f"hung up after {self.hung_up:.1f} s"
        elif self.waited:
            told = f"waited {self.trial.seconds:g} s" if self.trial.is_proper else "got it at once"
        if self.again:
            told += f"; asked again after {self.first_again:.1f} s"
            told += f", {self.again} times in all" if self.again > 1 else ""
        return told


class Probe:
    """Gives each call the next of some trials, round and round. `say` gets a line for each thing that happens."""

    def __init__(
        self, answering: Answering, target: Target, say: Callable[[str], None], trials: Sequence[Trial] = TRIALS
    ) -> None:
        self._answering = answering
        self._target = target
        self._trials = trials
        self._turns = cycle((trial, f"trial {trial.name} ({n} of {len(trials)})") for n, trial in enumerate(trials, 1))
        self._say = say
        self._runs: deque[Run] = deque(maxlen=MOST_RUNS)
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def server(self) -> web.Server:
        """Return the aiohttp server; it lets go of an answer when whoever asked has hung up."""
        return web.Server(self.answer, handler_cancellation=True, access_log=None, logger=_NOWHERE)

    def stop(self) -> None:
        """Answer those who wait."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def stopped(self) -> None:
        """Wait until it is stopped."""
        await asyncio.wait({self._stopped})

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        answering = self._answering
        query = each_once(request.query)
        dialect = answering.dialect_of(query)
        if (wrong := _wrong_with(request, dialect.asks(query), answering)) is not None:
            self._say(f"no trial: {wrong}; it got switch.default at once")
            return web.Response(body=answering.defaults[dialect.name], headers=JSON_HEADERS)
        call = dialect.parse(query, datetime.now(UTC))
        if (run := self._run_of(call)) is not None:
            return self._answer_again(run, dialect)
        trial, label = next(self._turns)
        where = f"{answering.access.client(request.remote, request.headers)}, in the form {dialect.name}"
        run = Run(trial, label, call, where, time.monotonic())
        self._runs.append(run)
        self._say(f"{label}: {trial.does} ... ({call.caller}, from {where})")
        return await self._try(run, request, dialect)

    def summary(self, deadline: float) -> Iterator[str]:
        """Yield what there is to know in the end; `deadline` is the one of the deployment."""
        if not self._runs:
            yield "No call came."
            return
        yield "trial      the switch"
        for run in self._runs:
            yield f"{run.trial.name:<10} {run.outcome()}"
        tried = {run.trial.name for run in self._runs}
        if left := [trial.name for trial in self._trials if trial.name not in tried]:
            yield f"Not tried: {', '.join(left)}."
        yield f"It asked from {'; and from '.join(dict.fromkeys(run.where for run in self._runs))}."
        yield self._advice(deadline)

    def _run_of(self, call: Call) -> Run | None:
        """Return the trial that a question is about again; None when the call is new."""
        for run in reversed(self._runs):
            if (run.call.call_id, run.call.caller) == (call.call_id, call.caller):
                is_the_same = call.call_id or run.ended is None or time.monotonic() - run.ended < SOON
                return run if is_the_same else None
        return None

    def _answer_again(self, run: Run, dialect: Dialect) -> web.Response:
        now = time.monotonic()
        run.again += 1
        run.first_again = run.first_again or now - run.started
        run.ended = run.ended and now
        self._say(f"{run.label}: the switch asked again after {now - run.started:.1f} s; answered at once")
        return web.Response(body=self._body(run.trial, dialect, " tekrar"), headers=JSON_HEADERS)

    async def _try(self, run: Run, request: web.BaseRequest, dialect: Dialect) -> web.Response:
        trial = run.trial
        try:
            await asyncio.wait({self._stopped}, timeout=trial.seconds)
        except asyncio.CancelledError:
            run.ended = time.monotonic()
            run.hung_up = run.ended - run.started
            self._say(f"{run.label}: the switch hung up after {run.hung_up:.1f} s")
            raise
        run.ended = time.monotonic()
        run.waited = not self._stopped.done()
        if trial.is_proper:
            told = "the switch waited" if run.waited else "the probe was stopped while the switch waited"
            self._say(f"{run.label}: {told}; answered after {run.ended - run.started:.1f} s, connection still open")
        if trial.is_closed:
            request.protocol.force_close()
        body = trial.body(self._body(trial, dialect))
        return web.Response(status=trial.status, body=body, headers=JSON_HEADERS)

    def _body(self, trial: Trial, dialect: Dialect, more: str = "") -> bytes:
        action = Transfer(self._target, name=f"Deneme {trial.spoken or trial.name}{more}")
        return dialect.render(Decision(action, Reason.RULE))

    def _advice(self, deadline: float) -> str:
        hung_up = min((run.hung_up for run in self._runs if run.hung_up is not None), default=math.inf)
        borne = [run.trial.seconds for run in self._runs if run.waited and run.trial.seconds < hung_up]
        waited = max(borne, default=0.0)
        if not waited and hung_up == math.inf:
            return "Nothing was answered late: there is no switch.deadline to advise."
        told = f"It waited {waited:g} s, if Deneme {waited:g} was heard" if waited else "It waited for no late answer"
        told += "" if hung_up == math.inf else f"; it hung up after {hung_up:.1f} s"
        most = max(math.floor((waited or hung_up) * ROOM * 10) / 10, 0.1)
        verdict = "is good" if deadline <= most else "is too long"
        return f"{told}. A switch.deadline of at most {most:g} s leaves room; {deadline:g} s, as it is now, {verdict}."


def _wrong_with(request: web.BaseRequest, is_asked: bool, answering: Answering) -> str | None:  # noqa: FBT001 - plain
    """Return why a request is no question that uses up a trial; None when it is one. Nothing of it is shown."""
    if request.method != "GET" or not answering.access.is_question(request.path, answering.path):
        return f"a request that is not GET {answering.path}"
    if not is_asked:
        return "a request with none of the parameters that name a caller (switch.parameter, switch.dialect)"
    if not may_ask(request, answering):
        return "somebody who may not ask (switch.access)"
    return None


async def probe(
    configuration: Configuration,
    listen: tuple[str, int],
    target: Target,
    trials: Sequence[Trial],
    say: Callable[[str], None],
) -> None:
    """Answer calls until SIGTERM or SIGINT, and sum up. Raises OSError when the address cannot be had."""
    switch = configuration.settings.switch
    probing = Probe(Deployment(configuration).answering, target, _with_time(say), trials)
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, probing.stop)
    runner = web.ServerRunner(probing.server(), shutdown_timeout=ENDING)
    await runner.setup()
    try:
        await web.TCPSite(runner, *listen).start()
        say(f"Listening at {url_of(listen[0], runner.addresses[0][1])}{switch.path} for calls to a test number.")
        say(f"What is answered properly is greeted as Deneme and goes to {target}. Ctrl-C ends it and sums up.")
        say(f"Leave more than {SOON:g} s between two calls.")
        await probing.stopped()
    finally:
        await runner.cleanup()
    for line in probing.summary(switch.deadline):
        say(line)


def _with_time(say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(f"{datetime.now().astimezone():%H:%M:%S} {line}")


def tell(line: str) -> None:
    """Print a line; whether anybody still reads it makes no answer another one."""
    with suppress(BrokenPipeError):
        print(line, flush=True)


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    configuration = load(options.config)
    switch = configuration.settings.switch
    target = options.target or switch.default
    if not all(dialect.can_say(target) for dialect in dialects_of(configuration.settings)):
        fail(f"--target: switch.dialect {switch.dialect} cannot always say it - allowed: {GRAMMAR}", MISUSED)
    trials = [trial for trial in TRIALS if options.only in {None, trial.name}]
    host, port = options.listen or switch.listen
    return run_at(host, port, probe(configuration, (host, port), target, trials, tell))
