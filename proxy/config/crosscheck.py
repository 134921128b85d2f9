"""What one setting demands of another; checked on the raw tables, so that it is told beside all other problems."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import phonenumbers

from proxy.config.sentences import key_of
from proxy.config.settings import SwitchSettings
from proxy.config.values import parse_listen
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.errors import InvalidNumber
from proxy.phone import Unreadable, Withheld, parse_caller, parse_number
from proxy.rules.template import TargetTemplate
from proxy.target import Target

Path = tuple[str | int, ...]

TOKEN_PARAMETER = "token"  # noqa: S105 - a parameter's name
"""Where the switch may bring its token"""


def crosscheck(tree: Mapping[str, Any]) -> list[str]:
    """Return a line for each reference that leads nowhere, and each target that must not be."""
    problems = [*_twice(tree, "rules"), *_twice(tree, "sources"), *_no_finding_source(tree)]
    for path, text in _targets(tree):
        problems += _about_target(tree, path, text)
    for index, rule in _tables_of(tree, "rules"):
        for key, section in (("during", "hours"), ("outside", "hours")):
            problems += _unknown_names(tree, ("rules", index, key), rule.get(key), section)
        problems += _unreadable_numbers(tree, ("rules", index, "called"), rule.get("called"))
    return [*problems, *_about_the_token(tree), *_address_twice(tree)]


def _twice(tree: Mapping[str, Any], section: str) -> Iterator[str]:
    names = Counter(str(table.get("name")) for _, table in _tables_of(tree, section) if "name" in table)
    for name, count in names.items():
        if count > 1:
            yield f"{section}.{name}: stands {count} times - allowed: each name once"


def _no_finding_source(tree: Mapping[str, Any]) -> Iterator[str]:
    roles = [source.get("role", "find") for _, source in _tables_of(tree, "sources")]
    if roles and all(role == "enrich" for role in roles):
        yield "sources: has only enriching sources - allowed: at least one that finds"


def _targets(tree: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the texts that are valid targets or templates of one; the others are reported where they are parsed."""
    places: list[Path] = [("switch", "default"), *(("routing", key) for key in ("unknown", "withheld", "internal"))]
    places += [("rules", index, "target") for index, _ in _tables_of(tree, "rules")]
    for path in places:
        node: Any = tree
        for step in path:
            node = node[step] if isinstance(step, int) else node.get(step) if isinstance(node, Mapping) else None
        if isinstance(node, str):
            yield path, node


def _about_target(tree: Mapping[str, Any], path: Path, text: str) -> Iterator[str]:
    try:
        template = TargetTemplate.parse(text)
    except ValueError:
        return
    if template.table:
        yield from _unknown_names(tree, path, template.table, "tables")
    if template.literal is not None:
        yield from (f"{key_of(path, tree)}: {problem}" for problem in _about_literal(tree, template.literal))


def _about_literal(tree: Mapping[str, Any], target: Target) -> Iterator[str]:
    if not MusteriTanima().can_say(target):
        yield f"is a {target.kind}/ target, which this dialect cannot say - allowed: any other target"
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
            allowed = ", ".join(known) or f"none, as there is no [{section}.{name}]"
            yield f"{key_of(path, tree)}: names {name!r}, which is not in {section} - allowed: {allowed}"


def _unreadable_numbers(tree: Mapping[str, Any], path: Path, numbers: object) -> Iterator[str]:
    for number in numbers if isinstance(numbers, list) else [numbers]:
        if isinstance(number, str):
            dialled = parse_caller(number, _region(tree))
            if isinstance(dialled, Withheld | Unreadable):
                yield f"{key_of(path, tree)}: {number!r} cannot be dialled - allowed: phone numbers and extensions"


def _about_the_token(tree: Mapping[str, Any]) -> Iterator[str]:
    """Refuse to have the caller's number and the token in one parameter."""
    if _at(tree, "switch", "parameter") == TOKEN_PARAMETER and _at(tree, "switch", "access", "tokens"):
        yield "switch.parameter: is where the token is looked for - allowed: another name, or no switch.access.tokens"


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


def _at(tree: Mapping[str, Any], *path: str) -> Any:  # noqa: ANN401 - any value of a TOML
    """Return what stands at a place, and None when nothing does."""
    node: Any = tree
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _region(tree: Mapping[str, Any]) -> str:
    switch = tree.get("switch")
    region = switch.get("region") if isinstance(switch, Mapping) else None
    return region if isinstance(region, str) and region in phonenumbers.SUPPORTED_REGIONS else "TR"


def _tables_of(tree: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    tables = tree.get(section)
    for index, table in enumerate(tables if isinstance(tables, list) else []):
        if isinstance(table, Mapping):
            yield index, table
