"""What may be meant as it is in a configuration, and should still be told."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from proxy.config.plain import lines_of, routing_of
from proxy.config.routes import MannerSettings, RuleSettings
from proxy.config.settings import Settings, SourceSettings
from proxy.config.values import TOKEN_PARAMETER
from proxy.keys import By
from proxy.phone import parse_caller
from proxy.rules import overshadowed
from proxy.rules.manner import ANY
from proxy.target import LANGUAGES

_ONLY_IN_DIALOGUES = ("phrase", "language", "announcement_to_caller", "announcement_to_callee", "recording")


def notes(settings: Settings) -> Iterator[str]:
    """Yield a line for each thing that may be meant as it is, and that hardly anybody means."""
    yield from _too_long(settings)
    yield from _unsaid(settings)
    yield from _out_of_reach(settings)
    yield from _all_unknown(settings)
    yield from _asked_elsewhere(settings)
    yield from _never_tried(settings)
    yield from _in_one_language(settings)
    yield from _overshadowed(settings)


def _too_long(settings: Settings) -> Iterator[str]:
    finding = [source for source in settings.sources if source.role == "find"]
    by_kind = [[_longest(source) for source in finding if kind in source.by] for kind in By]
    enriching = [_longest(source) for source in settings.sources if source.role == "enrich"]
    parallel, deadline = settings.lookup.parallel, settings.switch.deadline
    together = round(max(max(each, default=0) if parallel else sum(each) for each in by_kind) + sum(enriching), 3)
    if together > deadline:
        better = "fewer attempts, shorter timeouts" + (
            ", lookup.parallel" if max(map(len, by_kind)) > 1 and not parallel else ""
        )
        yield (
            f"sources may take {together:g} s together, more than switch.deadline ({deadline:g}): "
            f"a call does not wait for the rest - better: {better} or a longer deadline"
        )


def _unsaid(settings: Settings) -> Iterator[str]:
    """Yield a line with what is left out where the switch asks in the form of Müşteri Tanıma."""
    if settings.switch.dialect == "santral-programlama":
        return
    rules = [*_rules(settings)]
    manners: list[tuple[str, MannerSettings]] = [("routing", settings.routing)]
    manners += [(f"lines.{line.name}.routing", line.routing) for line in settings.lines]
    left_out = [f"lines.{line.name}" for line in settings.lines]
    left_out += [f"steps.{name}" for name in settings.steps]
    for place, manner in (*manners, *rules):
        left_out += [f"{place}.{name}" for name in _ONLY_IN_DIALOGUES if getattr(manner, name) is not None]
    for place, rule in rules:
        left_out += [f"{place}.{name}" for name in ("ask", "called") if getattr(rule, name) is not None]
        if rule.target is not None and rule.target.literal is not None and rule.target.literal.kind == "tts":
            left_out.append(f"{place}.target")
    left_out += [f"routing.{name}" for name in ("unknown", "withheld", "internal") if _speaks(settings, name)]
    if left_out:
        yield f"a switch that asks in the form of musteri-tanima is not told: {', '.join(left_out)}"


def _all_unknown(settings: Settings) -> Iterator[str]:
    """Yield a line when nobody is known by the number that he calls from."""
    if not any(By.PHONE_NUMBER in source.by for source in settings.sources if source.role == "find"):
        yield "no source is asked by phone_number: every caller is unknown before he keys something"


def _out_of_reach(settings: Settings) -> Iterator[str]:
    """Yield a line for each step to which no call comes within the questions that there may be."""
    reached = {rule.ask for _, rule in _rules(settings) if rule.ask is not None}
    for _ in range(1, settings.dialogue.max_steps):
        steps = [settings.steps[name] for name in reached]
        goals = [goal for step in steps for goal in (*step.choose.values(), step.then, step.otherwise)]
        reached |= {goal for goal in goals if isinstance(goal, str)}
    most = settings.dialogue.max_steps
    for name in settings.steps:
        if name not in reached:
            yield f"steps.{name} is never asked: nothing leads to it within dialogue.max_steps ({most}) questions"


def _asked_elsewhere(settings: Settings) -> Iterator[str]:
    """Yield a line when the switch would be sent where it is not understood."""
    switch = settings.switch
    if switch.service_url is None:
        return
    url = urlsplit(switch.service_url.get_secret_value())
    if not url.path.endswith(switch.path):
        yield f"switch.service_url does not end in switch.path ({switch.path}), so that this server answers the default"
    brought = {*url.path.split("/"), *parse_qs(url.query).get(TOKEN_PARAMETER, [])}
    tokens = {token.get_secret_value() for token in switch.access.tokens}
    if tokens and not tokens & brought:
        yield "switch.service_url has none of switch.access.tokens: what is keyed is refused if the switch brings none"


def _never_tried(settings: Settings) -> Iterator[str]:
    """Yield a line for each rule that is only for lines which have rules of their own."""
    region = settings.switch.region
    lines = [line for line in settings.lines if line.rules is not None]
    of_lines = {parse_caller(text, region) for line in lines for text in line.called}
    for rule in settings.rules:
        if rule.called and {parse_caller(text, region) for text in rule.called} <= of_lines:
            yield f"rules.{rule.name}.called is a line's, which has rules of its own: it is never tried there"


def _overshadowed(settings: Settings) -> Iterator[str]:
    """Yield a line for each rule that never matches, because another one always does before it."""
    places = {"": "rules"} | {
        line.name: f"lines.{line.name}.rules" for line in settings.lines if line.rules is not None
    }
    routings = {routing.line: routing for routing in (routing_of(settings), *lines_of(settings).values())}
    for line, place in places.items():
        for name, earlier in overshadowed(routings[line].rules).items():
            yield f"{place}.{name} never matches: {earlier} comes before it, and matches whenever it would"


def _in_one_language(settings: Settings) -> Iterator[str]:
    """Yield a line for each step whose one text would be spoken in several languages."""
    general = settings.routing.language
    manners = [*(line.routing for line in settings.lines), *(rule for _, rule in _rules(settings))]
    wanted = {manner.language.text for manner in manners if manner.language}
    wanted.add(general.text if general else LANGUAGES[0])
    if len(wanted) == 1 and not (general and general.field_name):
        return
    for name, step in settings.steps.items():
        if step.language is None:
            for key in ("phrase", "phrase_again"):
                if ANY in (getattr(step, key) or ()):
                    yield f"steps.{name}.{key} is one text, and would be spoken in several languages - better: a table"


def _rules(settings: Settings) -> Iterator[tuple[str, RuleSettings]]:
    """Yield all rules with their places, those of lines too."""
    yield from ((f"rules.{rule.name}", rule) for rule in settings.rules)
    for line in settings.lines:
        yield from ((f"lines.{line.name}.rules.{rule.name}", rule) for rule in line.rules or ())


def _speaks(settings: Settings, name: str) -> bool:
    target = getattr(settings.routing, name)
    return target is not None and target.kind == "tts"


def _longest(source: SourceSettings) -> float:
    """Return how long a source may take about one number, with all its attempts and the waits between them."""
    waits = (source.wait_initial * 2.0**number + source.wait_jitter for number in range(source.attempts - 1))
    return source.attempts * source.timeout + sum(min(wait, source.wait_max) for wait in waits)
