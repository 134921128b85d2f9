"""The cache: what it has of a number, and having it forgotten."""

from dataclasses import dataclass

from proxy.errors import InvalidNumber, ProxyError
from proxy.phone import PhoneNumber, parse_number
from proxy.web.console.visit import View, Visit
from proxy.web.console.way import Told, contact_of
from proxy.web.console.words import Words
from proxy.web.operated import Cached, Operated


@dataclass(frozen=True, slots=True)
class Done:
    """What has been done, in a sentence."""

    sentence: str
    is_good: bool = True


async def cached(operated: Operated, visit: Visit) -> View:
    """Return the page, after doing what was asked for."""
    action, typed = visit.typed("action"), visit.typed("number")
    if visit.form is None:
        return await _page(operated)
    if action in {"ask_invalidate_all", "invalidate_all"}:
        return await _all(operated, action, visit.words)
    try:
        number = parse_number(typed, operated.region)
    except InvalidNumber as exc:
        why = visit.words.say(str(exc))
        problem = visit.words.say("This is no phone number that can be read: it {why}.", why=why)
        return await _page(operated, typed, problem=problem, status=422)
    return await _one(operated, action, typed, number, visit.words)


async def _all(operated: Operated, action: str, words: Words) -> View:
    if action == "ask_invalidate_all":
        return View("confirm.html", {"action": "invalidate_all", "number_typed": "", "number_shown": ""})
    count = words.number(await operated.invalidate(None))
    said = words.say("The CRM is asked about all numbers before their next answer. In the cache: {count}.", count=count)
    return await _page(operated, done=Done(said))


async def _one(operated: Operated, action: str, typed: str, number: PhoneNumber, words: Words) -> View:
    match action:
        case "ask_erase":
            shown = number.spaced_international
            return View("confirm.html", {"action": "erase", "number_typed": typed, "number_shown": shown})
        case "erase":
            return await _page(operated, done=await _erase(operated, number, words))
        case "invalidate":
            return await _page(operated, typed, number, done=await _invalidate(operated, number, words))
        case _:
            return await _page(operated, typed, number)


async def _erase(operated: Operated, number: PhoneNumber, words: Words) -> Done:
    try:
        erased = await operated.erase(number)
    except ProxyError as exc:
        problem = words.say("The number is out of the cache, but the snapshot could not be written: {why}", why=exc)
        return Done(problem, is_good=False)
    told = [
        words.say("The number is erased from the cache and the journal.")
        if erased.was_known
        else words.say("The cache had nothing of the number; the journal has nothing of it any more."),
        words.say("The snapshot has been written without it.")
        if erased.snapshot
        else words.say("There is no snapshot."),
    ]
    return Done(" ".join(told))


async def _invalidate(operated: Operated, number: PhoneNumber, words: Words) -> Done:
    if await operated.invalidate(number):
        return Done(words.say("The CRM is asked about this number before its next answer."))
    return Done(words.say("The cache has nothing of this number, so the CRM is asked anyway."))


async def _page(  # noqa: PLR0913 - all that the page may show
    operated: Operated,
    typed: str = "",
    number: PhoneNumber | None = None,
    *,
    done: Done | None = None,
    problem: str = "",
    status: int = 200,
) -> View:
    found: Cached | None = await operated.cached(number) if number else None
    contact: Told | None = contact_of(found.contact, number) if found and found.contact else None
    return View(
        "cache.html",
        {
            "gauges": operated.gauges(),
            "typed": typed,
            "number_shown": number.spaced_international if number else "",
            "found": found,
            "contact": contact,
            "done": done,
            "problem": problem,
        },
        status,
    )
