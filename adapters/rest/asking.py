"""Sends a request as somebody who is logged in, and logs in again where the CRM has forgotten it."""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from weakref import WeakKeyDictionary

from adapters.rest.answer import Answer, Rest, compiled, found, holds
from adapters.rest.errors import code_of
from adapters.rest.login import LoginRequests
from adapters.rest.manners import Manners
from adapters.rest.oauth2 import OAuth2Login
from adapters.rest.options import RestConfig
from adapters.rest.requests import Prepared, plain
from adapters.rest.session import Granted, Session
from adapters.rest.template import Values
from adapters.rest.transport import LONGEST_ANSWER, Transport
from proxy.adapter import AdapterError, Unavailable

NOBODY = Granted()

PAUSES = (1.0, 5.0, 60.0)
"""Seconds without a further log-in for a request that is refused all the same: after the first, the second, each."""


class InVain:
    """How often a new log-in was of no use to a request, and until when there is none for its sake.

    One that must not ask for what it asks for would have everybody's log-in made anew with each call.
    """

    def __init__(self) -> None:
        self.until = float("-inf")
        self.granted: Granted | None = None
        """The log-in that was refused at last"""
        self._times = 0

    def note(self, granted: Granted, now: float) -> None:
        """Note that it was; callers who were refused together count once."""
        self.granted = granted
        if now < self.until:
            return
        self.until = now + PAUSES[min(self._times, len(PAUSES) - 1)]
        self._times += 1


class Asking:
    """All requests of one source go through here."""

    def __init__(
        self,
        config: RestConfig,
        transport: Transport,
        manners: Manners,
        session: Session | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._manners = manners
        self._session = session
        self._clock = clock
        self._origin = config.origin() or ""
        self._given: Mapping[str, str] = plain(config.secrets)
        self._headers = config.authorization()
        self.names = frozenset(config.given() - set(config.each))
        """Of the placeholders that are filled here, whoever calls"""
        self._sends_token_itself = config.sends_token_itself()
        self._rest = Rest(config.throttle)
        self._logged_out, self._error = compiled(config.logged_out), compiled(config.error)
        self._in_vain: WeakKeyDictionary[Prepared, InVain] = WeakKeyDictionary()

    async def ask(self, prepared: Prepared, values: Values, longest: int = LONGEST_ANSWER) -> Answer:
        """Return the CRM's answer, which may be a failure. Raises AdapterError when there is none."""
        if self._session is None:
            return await self._send(prepared, values, NOBODY, longest)
        granted = await self._session.current()
        in_vain = self._in_vain.setdefault(prepared, InVain())
        if granted is in_vain.granted and self._clock() < in_vain.until:
            raise AdapterError("the CRM refuses a log-in that it has accepted")
        answer = await self._send(prepared, values, granted, longest)
        if self._is_logged_out(answer) and self._clock() >= in_vain.until:
            granted = await self._session.again(granted)
            answer = await self._send(prepared, values, granted, longest)
            if self._is_logged_out(answer):
                in_vain.note(granted, self._clock())
        if self._is_logged_out(answer):
            code = code_of(found(self._error, answer.said))
            raise AdapterError(f"the CRM refuses a log-in that it has accepted{code and f' ({code})'}")
        if in_vain.granted is not None:
            self._in_vain[prepared] = InVain()  # it was no more than a moment's trouble
        return answer

    async def _send(self, prepared: Prepared, values: Values, granted: Granted, longest: int) -> Answer:
        headers = self._headers if self._sends_token_itself else {**self._headers, **granted.headers}
        request = prepared.filled(granted.origin or self._origin, {**values, **self._given, **granted.values}, headers)
        answer = await self._transport.send(request, longest)
        try:
            self._rest.check(answer)
        except Unavailable as exc:
            self._manners.rest(exc.retry_after or 0.0, self._clock())
            raise
        return answer

    def _is_logged_out(self, answer: Answer) -> bool:
        return answer.status == HTTPStatus.UNAUTHORIZED or (
            self._logged_out is not None and holds(self._logged_out, answer.said)
        )


def session_of(config: RestConfig, transport: Transport) -> Session | None:
    """Return the log-in that the options ask for; None when each request has all that it needs."""
    if config.oauth2 is not None:
        return Session(OAuth2Login(config.oauth2, transport).obtain)
    if config.login is not None:
        secrets: Mapping[str, str] = plain(config.secrets)
        login = LoginRequests(config.login, config.origin() or "", secrets, transport, Rest(config.throttle))
        return Session(login.obtain)
    return None
