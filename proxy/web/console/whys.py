"""Why a rule did not match, in Turkish. In English the rules say it themselves, by `why_not`."""

import re
from collections.abc import Callable

Put = Callable[[str], str]

_STANDINGS = {
    "known": "tanınan",
    "unknown": "tanınmayan",
    "several": "birden çok kişi olabilecek",
    "internal": "dahili",
    "withheld": "gizli",
    "unclear": "kim olduğu bilinemeyen",
}

_TYPES = {
    "mobile": "cep telefonu",
    "landline": "sabit hat",
    "landline_or_mobile": "sabit hat ya da cep telefonu",
    "toll_free": "ücretsiz hat",
    "premium": "özel ücretli hat",
    "shared_cost": "paylaşımlı ücretli hat",
    "voip": "internet telefonu",
    "personal": "kişisel numara",
    "pager": "çağrı cihazı",
    "company": "kurumsal numara",
    "voicemail": "sesli mesaj numarası",
}

_COMPARISONS = (
    (r"one of ", "şunlardan biri: "),
    (r"not present", "boş"),
    (r"present", "dolu"),
    (r"not ", "şu değil: "),
    (r"above (\S+)", r"\1 üstünde"),
    (r"below (\S+)", r"\1 altında"),
    (r"at least (\S+)", r"en az \1"),
    (r"at most (\S+)", r"en çok \1"),
    (r"matching ", "kalıp "),
    (r"\(ignoring case\)", "(büyük-küçük harf ayrımı olmadan)"),
    (r" and ", " ve "),
    (r" or ", " veya "),
    (r"no country", "ülkesi yok"),
    (r"of no type", "türü yok"),
    (r"empty", "boş"),
)

_END = r"(?=$|, | or | and | \(ignoring case\)|\))"
"""After a value."""

# a value may have quotes itself, and then ends where one is followed by what may come after it; or it was cut off
_QUOTED = re.compile(
    rf"""("(?:[^"]|"(?!{_END}))*+(?:"|$)|'(?:[^']|'(?!{_END}))*+(?:'|$))""",
    re.DOTALL,
)


def _as_it_is(text: str) -> str:
    return text


def _compared(text: str) -> str:
    """Return what a value is, or must be. What stands in quotes is not ours."""
    parts = _QUOTED.split(text)
    for place in range(0, len(parts), 2):
        for english, turkish in _COMPARISONS:
            parts[place] = re.sub(english, turkish, parts[place])
    return "".join(parts)


def _found(text: str) -> str:
    """Return the value of a field, of which only its absence is told in our words."""
    return "boş" if text == "empty" else text


def _by(words: dict[str, str]) -> Put:
    def put(text: str) -> str:
        return re.sub(r"\w+", lambda match: words.get(match[0], match[0]), _compared(text))

    return put


_SENTENCES: tuple[tuple[str, str, Put], ...] = (
    (r"is for (.+) callers, this one is (\w+)", "{0} arayanlar için; bu arayan {1}", _by(_STANDINGS)),
    (r"the number is from (.+), wanted (.+)", "numaranın ülkesi {0}, beklenen {1}", _compared),
    (r"the number is (.+), wanted (.+)", "numaranın türü {0}, beklenen {1}", _by(_TYPES)),
    (r"another number was dialled", "başka bir numara arandı", _as_it_is),
    (r"the switch did not say what was dialled", "santral aranan numarayı bildirmedi", _as_it_is),
    (r"it is not during (.+)", "{0} saatleri içinde değil", _compared),
    (r"it is not outside (.+)", "{0} saatleri dışında değil", _as_it_is),
    (r"the step (.+) may not be asked now", "{0} adımı şu anda sorulamaz", _as_it_is),
    (r"the step (.+) cannot be asked in this dialect", "{0} adımı bu lehçede sorulamaz", _as_it_is),
    (r"its target cannot be said in this dialect", "hedefi bu lehçede söylenemez", _as_it_is),
    (r"its target needs the field (.+), which is empty", "hedefi için gereken {0} alanı boş", _as_it_is),
    (
        r"its target needs (.+) in the table (.+), which does not have it",
        "hedefi için gereken {0}, {1} tablosunda yok",
        _as_it_is,
    ),
    (r"its target would be (.+), which is not valid", "hedefi {0} olurdu, bu geçerli değil", _as_it_is),
)

_FIELD = re.compile(r"(.+?) is (.+), wanted (.+)", re.DOTALL)

_PATTERNS = tuple((re.compile(english, re.DOTALL), turkish, put) for english, turkish, put in _SENTENCES)


def in_turkish(why: str) -> str:
    """Return a sentence in Turkish; nothing for one that is not known here."""
    for english, turkish, put in _PATTERNS:
        match = english.fullmatch(why)
        if match is not None:
            return turkish.format(*map(put, match.groups()))
    match = _FIELD.fullmatch(why)
    return f"{match[1]}: {_found(match[2])}; beklenen: {_compared(match[3])}" if match is not None else ""
