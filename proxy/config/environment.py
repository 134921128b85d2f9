"""What the environment sets: `TANIMA_SWITCH__DEADLINE` is `switch.deadline`. Loaded where it sets anything."""

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from proxy.config.settings import Settings
from proxy.config.values import AsText, FromEnvironment


class _Variables(EnvSettingsSource):
    """Our variables, of which some are texts though what they are read into is none."""

    problems: list[str]
    """Of variables that are no JSON, but should be"""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - the signature is pydantic's
        """Return what a variable says in JSON. Raises ValueError, with the name of the variable."""
        if AsText in getattr(field, "metadata", ()):
            return value
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError as exc:
            with_it = (name.upper() for name, text in self.env_vars.items() if text == value)
            end = field_name.upper()
            raise ValueError(next(name for name in with_it if name.endswith(end))) from exc

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:  # noqa: ANN401, FBT001 - the signature is pydantic's
        """Return what stands in a section; nothing when that is no JSON."""
        try:
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        except ValueError as exc:
            self.problems.append(f"{exc}: is not JSON - allowed: JSON for lists and tables")
            return None


def set_by_environment(prefix: str, problems: list[str]) -> dict[str, Any]:
    """Return what variables with this prefix set, as plain tables; a section with one that is no JSON is left out."""
    variables = _Variables(Settings, env_prefix=prefix, env_nested_delimiter="__")  # type: ignore[arg-type] # is read only
    variables.problems = problems
    return {section: _marked(value) for section, value in variables().items()}


def _marked(node: Any) -> Any:  # noqa: ANN401 - any value
    if isinstance(node, dict):
        return {key: _marked(value) for key, value in node.items()}
    return FromEnvironment(node) if isinstance(node, str) else node
