"""Asks a CRM over HTTP: a search, which may be several requests, and then steps for the contact that was found."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice, product

from adapters.holding import can_be_checked, can_be_the_callers
from adapters.placeholders import contact_values, key_values
from adapters.rest.answer import Reading
from adapters.rest.asking import Asking, session_of
from adapters.rest.errors import check_status
from adapters.rest.manners import Manners
from adapters.rest.options import RestConfig
from adapters.rest.rehearsal import last_answer, rehearsed
from adapters.rest.requests import Prepared, Request, RequestOptions, plain
from adapters.rest.sections import NUMBER, NUMBERS, REST_FORMS
from adapters.rest.steps import FurtherStep, KeptMap, is_there
from adapters.rest.template import Value, Values, names_in, read_template, templates_in
from adapters.rest.transport import Http, Recorded, Transport
from proxy.adapter import Adapter, AdapterError, By, Contact, Inspection, Key, PhoneNumber, Rehearsed, as_text


class RestAdapter(Adapter):
    """Asks as the TOML says, and finds contacts in the JSON that is answered."""

    Config = RestConfig
    asked_by = frozenset(By)

    def __init__(self, config: RestConfig, transport: Transport | None = None) -> None:
        self._config = config
        manners = Manners(config.rate)
        self._is_live = transport is None
        self._transport = transport or Http(config, manners)
        self._session = session_of(config, self._transport) if self._is_live else None
        self._asking = Asking(config, self._transport, manners, self._session)
        self._most_searches = config.requests_for_each_lookup()
        self._search = Prepared(config)
        is_spelled = not self._search.names.isdisjoint({NUMBER, NUMBERS})
        self._spellings = config.spellings if is_spelled else []
        self._is_one_for_each = not is_spelled and not config.each
        templates = templates_in(list(config.parts().values()))
        self._lists = [each for template in templates for each in template.placeholders if each.terms == (NUMBERS,)]
        self._reading = Reading(
            config,
            config.fields,
            name=config.name,
            key=config.id,
            numbers=config.numbers,
            customer_number=config.customer_number,
        )
        self._each: Mapping[str, Sequence[str]] = {
            name: [plain(v) for v in values] for name, values in config.each.items()
        }
        self._steps = [FurtherStep(config.inherited(step), self._asking) for step in config.steps]
        self._maps = [KeptMap(name, config.inherited(options), self._asking) for name, options in config.maps.items()]
        self.completes = bool(self._steps or self._maps)
        used = self._search.names.union(names_in(self._spellings), *(step.names for step in self._steps))
        self._forms = [form for form in REST_FORMS if form in used]  # some take as long as all the rest of a lookup

    async def open(self) -> None:
        await self._transport.open()
        if self._session is not None:
            self._session.prepare()
        if self._is_live:
            for kept in self._maps:
                kept.keep()

    async def lookup(self, key: Key) -> list[Contact]:
        """Return the contacts in the CRM's answers, up to the first with one that can be the caller's.

        Raises AdapterError.
        """
        if self._is_one_for_each and self._most_searches:
            return await self._found(self._values(key), key)
        searches = islice(self._searches(key), self._most_searches)
        if self._most_searches == 1:
            return [contact for values in searches for contact in await self._found(values, key)]
        seen: list[Contact] = []
        under_way: list[asyncio.Task[list[Contact]]] = []
        try:
            while True:
                while len(under_way) < self._config.at_once and (values := next(searches, None)) is not None:
                    under_way.append(asyncio.ensure_future(self._found(values, key)))
                if not under_way:
                    break
                contacts = await under_way[0]
                under_way.pop(0)
                if can_be_the_callers(key, contacts):
                    return contacts
                seen += contacts
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            under_way.clear()  # or an error and its frame would hold each other
        return seen

    async def enrich(self, contact: Contact) -> Contact:
        """Return the contact with the fields of the first record in the CRM's answer. Raises AdapterError."""
        values = contact_values(contact, self._search.names - self._asking.names)
        if values is None:
            return contact
        found = self._reading.first(self._reading.answer(await self._asking.ask(self._search, values)))
        return contact if found is None else contact.with_fields(found.fields)

    async def complete(self, contact: Contact, key: Key) -> AsyncIterator[Contact]:
        """Yield the contact with what the steps and maps add, as they do; first when all that is required is there."""
        values = self._values(key)
        first_failure: AdapterError | None = None
        left = sum(step.is_required for step in self._steps)
        if left == 0 and (self._steps or self._maps):
            yield contact
        for step in self._steps:
            try:
                contact = await step.taken(contact, values)
            except AdapterError as exc:
                if step.is_required:
                    raise
                first_failure = first_failure or exc
            left -= step.is_required
            if left == 0:
                yield contact
        for kept in self._maps:
            wanted = contact.value(kept.of)
            if not is_there(wanted):
                continue
            try:
                contact = contact.with_fields({kept.name: await kept.value(wanted)})
                yield contact
            except AdapterError as exc:
                first_failure = first_failure or exc
        if first_failure is not None:
            yield contact
            raise first_failure

    def forget(self, number: PhoneNumber) -> None:  # noqa: ARG002 - answers to steps are kept by owner, order or firm
        """Drop the kept answers to all steps: whom each is about cannot be told."""
        for step in self._steps:
            step.forget()

    async def ping(self) -> None:
        """Return when the CRM answers anything at all, logs us in, or answers `ping_url` with success.

        Raises AdapterError.
        """
        url = self._config.ping_url
        if url is not None:
            options = self._config.inherited(RequestOptions.model_validate({"url": plain(url)}))
            check_status((await self._asking.ask(Prepared(options), {})).status)
        elif self._session is not None:
            await self._session.current()
        else:
            await self._transport.send(Request("GET", f"{self._config.origin()}/", {}))

    async def inspect(self, key: Key) -> Inspection:
        """Ask for a key that nobody has; a source that enriches has nothing to ask for."""
        needs = self._search.names - self._asking.names - {*self._values(key), NUMBER, NUMBERS, *self._each}
        started = time.perf_counter()
        found = () if needs else await self.lookup(key)
        seconds = time.perf_counter() - started
        checked = "numbers" if isinstance(key, PhoneNumber) else "customer_number"
        told = (
            f"record: is there for a number that nobody has, and without {checked} - allowed: {checked}, to be checked"
        )
        problems = [told] if any(not can_be_checked(contact, key) for contact in found) else []
        for kept in self._maps:
            try:
                await kept.value("")
            except AdapterError as exc:
                problems.append(f"maps.{exc} - allowed: a list that can be read")
        unchecked = f"{checked}: is not given, so whatever the CRM finds is taken for the caller"
        notes = [] if needs or getattr(self._config, checked) else [unchecked]
        return Inspection(self._config.names_of_fields(), frozenset(needs), problems, notes, seconds)

    def rehearse(self, key: Key) -> list[Rehearsed]:
        """Return the requests for a key, without sending them."""
        return rehearsed(self._config, self._values(key), list(self._searches(key)))

    def replaying(self, recordings: Sequence[bytes]) -> "RestAdapter":
        """Return an adapter whose requests are answered, in their order, by recordings. Raises ValueError."""
        adapter = RestAdapter(self._config.for_replay(), Recorded([last_answer(each) for each in recordings]))
        adapter._most_searches = len(recordings)  # those that were not recorded are taken to find nothing
        return adapter

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        for kept in self._maps:
            kept.close()
        await self._transport.close()

    async def _found(self, values: Values, key: Key) -> list[Contact]:
        return self._reading.contacts(self._reading.answer(await self._asking.ask(self._search, values)), key)

    def _values(self, key: Key) -> dict[str, Value]:
        return {**key_values(key, self._forms)}

    def _searches(self, key: Key) -> Iterator[dict[str, Value]]:
        """Yield the values of each request of a lookup."""
        forms = self._values(key)
        if self._is_one_for_each:
            yield forms
            return
        written = self._spellings if isinstance(key, PhoneNumber) else []
        spellings = list(dict.fromkeys(filter(None, (_spelled(spelling, forms) for spelling in written))))
        forms[NUMBERS] = spellings
        if any(each.value(forms) in ([], "") for each in self._lists):
            return  # a CRM may take a list of no numbers for all contacts
        numbers = spellings if NUMBER in self._search.names else [""]
        for *chosen, spelling in product(*self._each.values(), numbers):
            yield {**forms, **dict(zip(self._each, chosen, strict=True)), NUMBER: spelling}


def _spelled(spelling: str, forms: Values) -> str:
    """Return the number as a spelling has it; nothing where its mask does not fit this number."""
    listed: Values = {name: [as_text(form)] for name, form in forms.items() if not isinstance(form, list)}
    text = ""
    for piece in read_template(spelling).pieces:
        value = piece if isinstance(piece, str) else piece.value(listed)
        if value == []:
            return ""
        text += value[0] if isinstance(value, list) else as_text(value)
    return text
