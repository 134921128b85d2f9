"""What the pages say, in English and Turkish. English texts are the keys of turkish.toml."""

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.breaker import State
from proxy.model import Outcome, Reason, Via
from proxy.phone import LONGEST_TEXT

LANGUAGES = {"en": "English", "tr": "Türkçe"}

REASONS = {
    Reason.RULE: "Rule matched",
    Reason.NO_RULE: "No rule matched",
    Reason.UNKNOWN_CALLER: "Unknown caller",
    Reason.INTERNAL_CALLER: "Internal caller",
    Reason.WITHHELD: "Number withheld",
    Reason.BAD_NUMBER: "Unreadable number",
    Reason.CRM_FAILED: "CRM failed",
    Reason.OVERLOAD: "Overload",
    Reason.REFUSED: "Refused",
    Reason.BUG: "Bug",
    Reason.ASKED: "Asked something",
    Reason.ANSWERED: "Answer leads there",
    Reason.NO_ANSWER: "No good answer",
}

BECAUSE = {
    Reason.RULE: "The rule “{rule}” matched.",
    Reason.NO_RULE: "The caller is known, but no rule matched.",
    Reason.UNKNOWN_CALLER: "The CRM does not know the caller, and no rule matched.",
    Reason.INTERNAL_CALLER: "An extension calls; no CRM is asked about those.",
    Reason.WITHHELD: "The number is withheld, so nobody can be looked up.",
    Reason.BAD_NUMBER: "What the switch sent is no number that can be read.",
    Reason.CRM_FAILED: "No source could tell in time who it is.",
    Reason.OVERLOAD: "Too many lookups were under way, so no source was asked.",
    Reason.REFUSED: "Whoever asked may not ask, or it was no question of the switch.",
    Reason.BUG: "A defect in tanima got in the way: its log has the traceback.",
    Reason.ASKED: "It is not decided yet: the caller is asked something first.",
    Reason.ANSWERED: "What the caller has keyed or said leads there.",
    Reason.NO_ANSWER: "The question to the caller came to nothing.",
}

VIAS = {
    Via.CRM: "CRM asked",
    Via.CACHE: "Cache",
    Via.STALE: "Stale cache",
    Via.NONE: "Nothing known",
}

VIA_SENTENCES = {
    Via.CRM: "The cache had nothing fresh, so the sources were asked.",
    Via.CACHE: "The cache had a fresh answer, so no source was asked.",
    Via.STALE: "The sources could not tell, so what the cache still had was taken.",
    Via.NONE: "Nothing is known about the caller from here or from a source.",
}

OUTCOMES = {
    "found": "found",
    "unknown": "does not know the number",
    "failed": "failed",
    "not asked": "not asked",
    "completed": "completed",
    "incomplete": "incomplete",
    "enriched": "fields added",
}

HEARD = {
    Outcome.FOUND: "A contact was found by what was keyed.",
    Outcome.NOT_FOUND: "Nobody was found by what was keyed.",
    Outcome.FAILED: "The CRM could not be asked about what was keyed.",
    Outcome.TOO_MANY: "Too many numbers were keyed; this one was not looked up.",
    Outcome.CHOSEN: "A choice was made.",
    Outcome.KEPT: "The answer is kept as a field.",
    Outcome.RECORDED: "The voice was recorded.",
    Outcome.MISUNDERSTOOD: "The answer is none of what was asked for.",
    Outcome.FORGOTTEN: "What had been asked is not remembered any more.",
    Outcome.NOTHING: "Nothing was keyed or said.",
}

SORTS = {"failed": "Failed or rescued", "good": "Good", "refused": "Refused"}

STATES = {
    State.CLOSED: "is asked",
    State.OPEN: "is left alone",
    State.HALF_OPEN: "is tried again by the next call",
    State.THROTTLED: "has asked to be left alone",
}

CONSIDERED = {"matched": "matched", "did not match": "did not match", "not tried": "not tried"}

NUMBER_TYPES = {
    "mobile": "mobile number",
    "landline": "landline number",
    "landline_or_mobile": "landline or mobile number",
    "toll_free": "toll-free number",
    "premium": "premium-rate number",
    "shared_cost": "shared-cost number",
    "voip": "internet telephony number",
    "personal": "personal number",
    "pager": "pager number",
    "company": "company number",
    "voicemail": "voicemail number",
}

KINDS = {
    "known": "known callers",
    "unknown": "unknown callers",
    "several": "callers who may be several contacts",
    "internal": "extensions",
    "withheld": "withheld numbers",
    "unclear": "callers of whom nobody can tell",
    "anyone": "anyone",
}

STANDINGS = {
    "known": "The CRM knows the caller.",
    "unknown": "The CRM does not know the caller.",
    "several": "The CRM has several contacts with this number, of which none may be chosen.",
    "internal": "An extension is nobody's customer.",
    "withheld": "Of a withheld number there is nobody to be known.",
    "unclear": "Nobody could tell who it is.",
}

_UNREADABLE = (
    "has other characters than digits, a leading plus and separators",
    "is not a valid number in any country that it could mean",
    f"longer than {LONGEST_TEXT} characters",
)

WHYS = dict(zip(_UNREADABLE, _UNREADABLE, strict=True))
"""What may be wrong with a number."""

ROLES = {"find": "looks numbers up", "enrich": "adds fields to a contact"}

TABLES: tuple[Mapping[Any, str], ...] = (
    REASONS,
    BECAUSE,
    VIAS,
    VIA_SENTENCES,
    STANDINGS,
    OUTCOMES,
    HEARD,
    SORTS,
    STATES,
    CONSIDERED,
    NUMBER_TYPES,
    KINDS,
    WHYS,
    ROLES,
)
"""All texts that are looked up by a word of the machine."""

_TURKISH: Mapping[str, str] = tomllib.loads((Path(__file__).parent / "turkish.toml").read_text("utf-8"))

NONE = "\u2013"
"""In the place of what there is none of."""

_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3600.0, 86400.0


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._table = _TURKISH if language == "tr" else {}

    def say(self, text: str, /, **values: object) -> str:
        """Return a text in this language, with its `{values}`."""
        said = self._table.get(text, text)
        return said.format_map(values) if values else said

    def number(self, value: float, places: int = 0) -> str:
        """Return a number as it is written: `1,234.5`, or `1.234,5`."""
        written = f"{value:,.{places}f}"
        return written.translate(_SWAPPED) if self.language == "tr" else written

    def share(self, part: float, whole: float) -> str:
        """Return `97.3%`, or `%97,3`; a dash without anything."""
        if not whole:
            return NONE
        percent = 100 * part / whole
        written = self.number(percent, 0 if percent in {0.0, 100.0} else 1)
        return f"%{written}" if self.language == "tr" else f"{written}%"

    def span(self, seconds: float | None) -> str:
        """Return how long something took: `4.2 ms`, `187 ms`, `1.52 s`; a dash for None."""
        if seconds is None:
            return NONE
        if seconds >= _SECOND:
            return f"{self.number(seconds, 2)} {self.say('s')}"
        milliseconds = seconds * 1000
        return f"{self.number(milliseconds, 1 if milliseconds < 10 else 0)} ms"  # noqa: PLR2004 - two digits tell enough

    def age(self, seconds: float) -> str:
        """Return a longer time in one unit: `12 s`, `3 min`, `5 h`, `2 d`."""
        for unit, name in ((_DAY, self.say("d")), (_HOUR, self.say("h")), (_MINUTE, self.say("min"))):
            if seconds >= unit:
                return f"{self.number(seconds // unit)} {name}"
        return f"{self.number(max(0.0, seconds))} {self.say('s')}"

    def ago(self, seconds: float) -> str:
        """Return an age in words."""
        return self.say("{age} ago", age=self.age(seconds))


_SWAPPED = str.maketrans({",": ".", ".": ","})

WORDS = {language: Words(language) for language in LANGUAGES}


def language_for(request: web.BaseRequest) -> str:
    """Return the language that was chosen, now or before, or else the one that the browser likes best."""
    for chosen in (request.query.get("lang", ""), request.cookies.get("tanima_lang", "")):
        if chosen in LANGUAGES:
            return chosen
    liked: list[tuple[float, str]] = []
    for part in request.headers.get("Accept-Language", "").split(",")[:20]:
        tag, _, quality = part.partition(";q=")
        language = tag.strip().lower()[:2]
        if language in LANGUAGES:
            liked.append((_quality(quality), language))
    return max(liked, key=lambda each: each[0])[1] if liked else "en"


def local(at: datetime) -> datetime:
    """Return a moment in the server's own zone."""
    return at.astimezone()


def moment(at: datetime) -> str:
    """Return `2026-11-28 20:22:53`."""
    return local(at).isoformat(" ", "seconds")[:19]


def before_now(seconds: float) -> datetime:
    """Return when it was so many seconds ago."""
    return datetime.now().astimezone() - timedelta(seconds=seconds)


def _quality(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0
