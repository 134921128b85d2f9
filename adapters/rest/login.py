"""Logs in by requests of the CRM's own, such as one for a challenge and one with its answer."""

from collections.abc import Mapping

from adapters.rest.access import Login
from adapters.rest.answer import Reading, Rest, compiled, found, scalar
from adapters.rest.requests import Prepared
from adapters.rest.sections import Answered
from adapters.rest.session import Granted, limited
from adapters.rest.transport import Transport
from proxy.adapter import AdapterError, Scalar


class LoginRequests:
    """Sends the requests of the option `login`, in order."""

    def __init__(self, login: Login, origin: str, secrets: Mapping[str, str], transport: Transport, rest: Rest) -> None:
        self._requests = [
            (
                Prepared(request),
                Reading(Answered(error=request.error), {}),
                {name: compiled(expression) for name, expression in request.values.items()},
            )
            for request in login.requests
        ]
        self._lifetime = login.lifetime
        self._origin = origin
        self._secrets = secrets
        self._transport = transport
        self._rest = rest

    async def obtain(self, _old: Granted | None) -> Granted:
        """Return what later requests have as placeholders. Raises AdapterError."""
        return await limited(self._asked())

    async def _asked(self) -> Granted:
        values: dict[str, Scalar] = {}
        for prepared, reading, expressions in self._requests:
            request = prepared.filled(self._origin, {**self._secrets, **values}, {})
            answer = await self._transport.send(request)
            self._rest.check(answer)
            said = reading.answer(answer)
            for name, expression in expressions.items():
                value = scalar(found(expression, said))
                if value is None or value is False or value == "":
                    raise AdapterError(f"the log-in is refused: its answer has no {name}")
                values[name] = value
        return Granted(values, lifetime=self._lifetime)
