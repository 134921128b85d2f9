"""Makes of the settings the plain values by which calls are decided."""

from collections.abc import Mapping, Sequence

from proxy.config.dialogue import StepSettings
from proxy.config.routes import MannerSettings, RoutingSettings, RuleSettings
from proxy.config.settings import Settings
from proxy.dialogue import Choose, Keep, Keys, LookUp, Recording, Speech, Step, Then, Words
from proxy.phone import Caller, parse_caller
from proxy.routing import Routing
from proxy.rules import Rule
from proxy.rules.hours import Hours
from proxy.rules.manner import Manner
from proxy.rules.situation import CallerIs, Condition, Dialled, During, FieldIs, FromCountry, NumberTypeIs, Outside
from proxy.target import Target


def routing_of(settings: Settings) -> Routing:
    """Return where calls go, but on lines of their own."""
    return _routing(settings, settings.switch.default, settings.routing, settings.rules)


def lines_of(settings: Settings) -> Mapping[Caller, Routing]:
    """Return where calls go on lines of their own, by the dialled number."""
    lines: dict[Caller, Routing] = {}
    for line in settings.lines:
        own = {name: getattr(line.routing, name) for name in line.routing.model_fields_set}
        rules = settings.rules if line.rules is None else line.rules
        default = line.default or settings.switch.default
        routing = _routing(settings, default, settings.routing.model_copy(update=own), rules, line.name)
        lines |= {parse_caller(text, settings.switch.region): routing for text in line.called}
    return lines


def step_of(name: str, step: StepSettings) -> Step:
    """Return a step of a dialogue."""
    use: LookUp | Choose | Keep | Then = Then()
    if step.look_up is not None:
        use = LookUp(step.look_up)
    elif step.choose:
        use = Choose(step.choose)
    elif step.keep is not None:
        use = Keep(step.keep)
    return Step(name, _asked(step), use, step.then, step.otherwise, step.attempts, step.language)


def _asked(step: StepSettings) -> Keys | Speech | Recording:
    if step.listen is not None and step.announcement is not None:
        return Speech(step.announcement, step.announcement_again, step.listen)
    words = Words(step.announcement, step.phrase, step.speed)
    if step.record:
        return Recording(words)
    has_again = step.announcement_again is not None or step.phrase_again is not None
    again = Words(step.announcement_again, step.phrase_again, step.speed) if has_again else None
    return Keys(words, again, *step.number_of_digits, step.retries, step.timeout, step.digit_timeout)


def _routing(
    settings: Settings, default: Target, routing: RoutingSettings, rules: Sequence[RuleSettings], line: str = ""
) -> Routing:
    hours = {
        name: Hours(
            name,
            span.days,
            span.start,
            span.end,
            span.zone,
            (span.closed, *([span.holidays] if span.holidays is not None else [])),
        )
        for name, span in settings.hours.items()
    }
    manner = _manner(routing)
    return Routing(
        default=default,
        unknown=routing.unknown or default,
        withheld=routing.withheld or default,
        internal=routing.internal or default,
        rules=tuple(_rule(rule, settings, hours, manner) for rule in rules),
        manner=manner,
        tables=settings.tables,
        line=line,
    )


def _rule(rule: RuleSettings, settings: Settings, hours: Mapping[str, Hours], otherwise: Manner) -> Rule:
    conditions: list[Condition] = [CallerIs(rule.caller.kind)]
    conditions += [FieldIs(name, comparison) for name, comparison in rule.when.items()]
    if rule.called:
        conditions.append(Dialled(tuple(parse_caller(text, settings.switch.region) for text in rule.called)))
    if rule.caller.country:
        conditions.append(FromCountry(frozenset(rule.caller.country)))
    if rule.caller.type:
        conditions.append(NumberTypeIs(frozenset(rule.caller.type)))
    if rule.during:
        conditions.append(During(tuple(hours[name] for name in rule.during)))
    if rule.outside:
        conditions.append(Outside(tuple(hours[name] for name in rule.outside)))
    manner = _manner(rule).over(otherwise)
    return Rule(rule.name, rule.target, tuple(conditions), settings.tables, manner, rule.ask or "")


def _manner(said: MannerSettings) -> Manner:
    return Manner(
        said.greeting,
        said.phrase,
        said.language,
        said.announcement_to_caller,
        said.announcement_to_callee,
        said.recording,
    )
