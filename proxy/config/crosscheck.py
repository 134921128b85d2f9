"""What one setting demands of another; checked on the raw tables, so that it is told beside all other problems."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import phonenumbers

from proxy.actions import PARAMETER
from proxy.addresses import parse_listen
from proxy.config.sentences import key_of
from proxy.config.settings import SwitchSettings
from proxy.config.values import TOKEN_PARAMETER
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.dialects.santral_programlama import RESERVED, SantralProgramlama
from proxy.errors import InvalidNumber
from proxy.keys import By
from proxy.phone import Caller, Extension, PhoneNumber, Unreadable, Withheld, parse_caller, parse_number
from proxy.rules.manner import LanguageTemplate
from proxy.rules.template import TargetTemplate
from proxy.target import Target

Path = tuple[str | int, ...]


def crosscheck(tree: Mapping[str, Any]) -> list[str]:
    """Return a line for each reference that leads nowhere, and each target that must not be."""
    problems = [*_twice(tree, ("rules",)), *_twice(tree, ("sources",)), *_twice(tree, ("lines",))]
    problems += [*_no_finding_source(tree), *_by_of_nobody(tree)]
    for path, text in _targets(tree):
        problems += _about_target(tree, path, text)
    for path, rule in _rules(tree):
        for key, section in (("during", "hours"), ("outside", "hours")):
            problems += _unknown_names(tree, (*path, key), rule.get(key), section)
        problems += _unknown_step(tree, (*path, "ask"), rule.get("ask"))
        problems += _unreadable_numbers(tree, (*path, "called"), rule.get("called"))
        problems += _fields_of_nobody(tree, path, rule)
        problems += _unknown_table(tree, (*path, "language"), rule.get("language"))
    for path, manner in _routings(tree):
        problems += _unknown_table(tree, (*path, "language"), manner.get("language"))
    for name, step in _steps(tree):
        problems += _about_step(tree, name, step)
    return [*problems, *_about_lines(tree), *_about_the_parameter(tree), *_address_twice(tree)]


def _twice(tree: Mapping[str, Any], path: Path) -> Iterator[str]:
    names = Counter(str(table.get("name")) for _, table in _tables_at(tree, path) if "name" in table)
    for name, count in names.items():
        if count > 1:
            yield f"{key_of(path, tree)}.{name}: stands {count} times - allowed: each name once"


def _no_finding_source(tree: Mapping[str, Any]) -> Iterator[str]:
    roles = [source.get("role", "find") for _, source in _tables_at(tree, ("sources",))]
    if roles and all(role == "enrich" for role in roles):
        yield "sources: has only enriching sources - allowed: at least one that finds"


def _rules(tree: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield all rules with their places, those of lines too."""
    yield from _tables_at(tree, ("rules",))
    for path, _ in _tables_at(tree, ("lines",)):
        yield from _tables_at(tree, (*path, "rules"))


def _routings(tree: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield [routing] and that of each line."""
    for path in [(), *(path for path, _ in _tables_at(tree, ("lines",)))]:
        routing = _at(tree, *path, "routing")
        if isinstance(routing, Mapping):
            yield (*path, "routing"), routing


def _steps(tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    steps = tree.get("steps")
    for name, step in steps.items() if isinstance(steps, Mapping) else ():
        if isinstance(step, Mapping):
            yield name, step


def _by_of_nobody(tree: Mapping[str, Any]) -> Iterator[str]:
    """Refuse to say by what a source is asked that adds fields to whoever was found."""
    for path, source in _tables_at(tree, ("sources",)):
        if source.get("role") == "enrich" and "by" in source:
            yield f"{key_of((*path, 'by'), tree)}: has no effect in a source that enriches - allowed: none there"


def _targets(tree: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the texts that are valid targets or templates of one; the others are reported where they are parsed."""
    places: list[Path] = [("switch", "default")]
    places += [(*path, key) for path, _ in _routings(tree) for key in ("unknown", "withheld", "internal")]
    places += [(*path, "default") for path, _ in _tables_at(tree, ("lines",))]
    places += [(*path, "target") for path, _ in _rules(tree)]
    places += [path for path, text in _goals(tree) if "/" in text]
    for path in places:
        text = _at(tree, *path)
        if isinstance(text, str):
            yield path, text


def _goals(tree: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the targets and steps to which steps lead."""
    for name, step in _steps(tree):
        choices = step.get("choose")
        found = [(("choose", key), goal) for key, goal in choices.items()] if isinstance(choices, Mapping) else []
        for path, goal in [*found, (("then",), step.get("then")), (("otherwise",), step.get("otherwise"))]:
            if isinstance(goal, str):
                yield ("steps", name, *path), goal


def _about_target(tree: Mapping[str, Any], path: Path, text: str) -> Iterator[str]:
    try:
        template = TargetTemplate.parse(text)
    except ValueError:
        return
    if template.table:
        yield from _unknown_names(tree, path, template.table, "tables")
    if template.literal is not None:
        is_last = path[0] in {"switch", "lines"} and path[-1] == "default"
        problems = _about_literal(tree, template.literal, is_last=is_last)
        yield from (f"{key_of(path, tree)}: {problem}" for problem in problems)


def _about_literal(tree: Mapping[str, Any], target: Target, *, is_last: bool) -> Iterator[str]:
    dialect = _at(tree, "switch", "dialect") or "auto"
    if not MusteriTanima().can_say(target) and dialect != SantralProgramlama().name and (is_last or dialect != "auto"):
        yield f"is a {target.kind}/ target, which {dialect} cannot always say - allowed: any other target"
    if target.kind == "external":
        try:
            number = parse_number(target.argument, _region(tree))
        except InvalidNumber as exc:
            yield f"leads to a number that {exc} - allowed: a valid phone number"
        else:
            if number.type == "premium":
                yield "leads to a premium number - allowed: other phone numbers"


def _unknown_names(tree: Mapping[str, Any], path: Path, names: object, section: str) -> Iterator[str]:
    known = tree.get(section)
    known = known if isinstance(known, Mapping) else {}
    for name in names if isinstance(names, list) else [names]:
        if isinstance(name, str) and name not in known:
            allowed = ", ".join(map(str, known)) or f"none, as there is no [{section}.{name}]"
            yield f"{key_of(path, tree)}: names {name!r}, which is not in {section} - allowed: {allowed}"


def _unreadable_numbers(tree: Mapping[str, Any], path: Path, numbers: object) -> Iterator[str]:
    for number in numbers if isinstance(numbers, list) else [numbers]:
        if isinstance(number, str):
            dialled = parse_caller(number, _region(tree))
            if isinstance(dialled, Withheld | Unreadable):
                yield f"{key_of(path, tree)}: {number!r} cannot be dialled - allowed: phone numbers and extensions"


def _unknown_table(tree: Mapping[str, Any], path: Path, language: object) -> Iterator[str]:
    try:
        table = LanguageTemplate(language).table if isinstance(language, str) else ""
    except ValueError:  # told where it is read
        return
    if table:
        yield from _unknown_names(tree, path, table, "tables")


def _fields_of_nobody(tree: Mapping[str, Any], path: Path, rule: Mapping[str, Any]) -> Iterator[str]:
    """Refuse rules for callers without a contact that look at its fields; what steps keep they may look at."""
    caller, when, target = rule.get("caller"), rule.get("when"), rule.get("target")
    kind = caller.get("kind", "known") if isinstance(caller, Mapping) else "known"
    if kind in ("known", ["known"]):
        return
    fields = [*when] if isinstance(when, Mapping) else []
    try:
        fields += [TargetTemplate.parse(target).field_name] if isinstance(target, str) else []
    except ValueError:  # told where it is read
        return
    kept = [step.get("keep") for _, step in _steps(tree)]
    if wrong := [field for field in fields if field and field not in kept]:
        yield (
            f"{key_of(path, tree)}: looks at {wrong[0]!r}, which only known callers have - allowed: "
            'caller.kind = "known" alone, or what a step keeps'
        )


def _about_step(tree: Mapping[str, Any], name: str, step: Mapping[str, Any]) -> Iterator[str]:
    path: Path = ("steps", name)
    for place, goal in _goals(tree):
        if place[1] == name and goal != "fax":
            yield from _unknown_step(tree, place, goal)
    yield from _unknown_table(tree, (*path, "language"), step.get("language"))
    wanted = step.get("look_up")
    finding = [source for _, source in _tables_at(tree, ("sources",)) if source.get("role", "find") == "find"]
    if wanted in list(By) and not any(wanted in _as_words(source.get("by", By.PHONE_NUMBER)) for source in finding):
        told = f"is {wanted}, by which no source is asked - allowed: a source with it"
        yield f"{key_of((*path, 'look_up'), tree)}: {told}"


def _unknown_step(tree: Mapping[str, Any], path: Path, name: object) -> Iterator[str]:
    if isinstance(name, str) and PARAMETER.fullmatch(name):  # others are told where they are read
        yield from _unknown_names(tree, path, name, "steps")


def _as_words(value: object) -> list[Any]:
    """Return a word or a list of them as a list."""
    return value if isinstance(value, list) else [value]


def _about_lines(tree: Mapping[str, Any]) -> Iterator[str]:
    """Refuse numbers that cannot be dialled, or that two lines have."""
    seen: dict[Caller, str] = {}
    for path, line in _tables_at(tree, ("lines",)):
        yield from _twice(tree, (*path, "rules"))
        yield from _unreadable_numbers(tree, (*path, "called"), line.get("called"))
        for text in _as_words(line.get("called")):
            number = parse_caller(text, _region(tree)) if isinstance(text, str) else Withheld()
            if isinstance(number, PhoneNumber | Extension):
                if number in seen:
                    yield f"{key_of((*path, 'called'), tree)}: has a number of {seen[number]} - allowed: each once"
                seen[number] = key_of(path, tree)


def _about_the_parameter(tree: Mapping[str, Any]) -> Iterator[str]:
    """Refuse to have the caller's number where something else is looked for."""
    parameter = _at(tree, "switch", "parameter")
    if parameter == TOKEN_PARAMETER and _at(tree, "switch", "access", "tokens"):
        yield "switch.parameter: is where the token is looked for - allowed: another name, or no switch.access.tokens"
    if isinstance(parameter, str) and parameter in RESERVED and (_at(tree, "switch", "dialect") or "auto") == "auto":
        told = "is a parameter of santral-programlama too - allowed: another name"
        yield f'switch.parameter: {told}, or dialect = "musteri-tanima"'


def _address_twice(tree: Mapping[str, Any]) -> Iterator[str]:
    """Refuse one address for the switch and the operator, also where one listens at all of this machine's."""
    written = _at(tree, "switch", "listen"), _at(tree, "admin", "listen")
    default = SwitchSettings.model_fields["listen"].get_default()
    try:
        (host, port), (other, other_port) = (parse_listen(text) if text else default for text in written)
    except (AttributeError, ValueError):  # told where they are read
        return
    if written[1] and port == other_port != 0 and _overlap(host, other):
        yield "admin.listen: is where the switch is answered (switch.listen) - allowed: another port"


def _overlap(host: str, other: str) -> bool:
    hosts = {"127.0.0.1" if each == "localhost" else each for each in (host, other)}
    of_one_kind = len({":" in each for each in hosts}) == 1
    return len(hosts) == 1 or (of_one_kind and not hosts.isdisjoint({"0.0.0.0", "::"}))


def _at(tree: Mapping[str, Any], *path: str | int) -> Any:  # noqa: ANN401 - any value of a TOML
    """Return what stands at a place, and None when nothing does."""
    node: Any = tree
    for key in path:
        if isinstance(node, list) and isinstance(key, int):
            node = node[key]
        else:
            node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _region(tree: Mapping[str, Any]) -> str:
    region = _at(tree, "switch", "region")
    return region if isinstance(region, str) and region in phonenumbers.SUPPORTED_REGIONS else "TR"


def _tables_at(tree: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the tables of a list of them, with their places."""
    tables = _at(tree, *path)
    for index, table in enumerate(tables if isinstance(tables, list) else []):
        if isinstance(table, Mapping):
            yield (*path, index), table
